"""Rolling deployments, the circuit breaker, service deployments and revisions, with AWS's events in their order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import IMAGE, id_of, processes
from tests.services.ecs.yard import NO_IMAGE, STEADY, Yard, normal, refused, started, stopped

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
ROLLBACK = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
SLEEP = ["sleep", "300"]


def completed(deployment: dict[str, Any]) -> list[str]:
    """The two events at the end of a deployment."""
    return [f"(service web) (deployment {deployment['id']}) deployment completed.", STEADY.format("web")]


def failing(yard: Yard, **given: Any) -> str:
    """A revision of ``web`` that cannot be started, or whose container is as given."""
    return yard.register({"image": NO_IMAGE, "command": SLEEP} | given, family="web")


def is_failed(service: dict[str, Any]) -> bool:
    return bool(service["deployments"][0]["rolloutState"] == "FAILED")


# -- rolling deployments
def test_the_events_of_a_deployment_in_their_order(yard: Yard) -> None:
    yard.sleeper()
    second, _ = yard.sleeper()
    first_deployment = yard.create("web:1", 1)["deployments"][0]
    yard.steady()
    old = yard.tasks()
    updated = yard.update(taskDefinition="web:2")
    primary, active = updated["deployments"]
    assert (primary["status"], primary["rolloutState"], primary["desiredCount"]) == ("PRIMARY", "IN_PROGRESS", 1)
    assert primary["taskDefinition"] == updated["taskDefinition"] == second
    assert (active["status"], active["id"]) == ("ACTIVE", first_deployment["id"])
    assert active["rolloutState"] == "COMPLETED"
    assert primary["id"] != first_deployment["id"]
    service = yard.steady()
    assert [each["id"] for each in service["deployments"]] == [primary["id"]]
    new = yard.tasks()
    assert yard.messages() == [
        started(*old), *completed(first_deployment), started(*new), stopped(*old), *completed(primary)
    ]  # fmt: skip
    assert len({event["id"] for event in service["events"]}) == 7
    times = [event["createdAt"] for event in service["events"]]
    assert times == sorted(times, reverse=True), "the newest first"
    task = yard.describe(old[0]["taskArn"])
    assert task["stopCode"] == "ServiceSchedulerInitiated"
    assert task["stoppedReason"] == f"Scaling activity initiated by (deployment {first_deployment['id']})"


@pytest.mark.parametrize("minimum, maximum, lower, upper", [
    (100, 200, 4, 8), (50, 100, 2, 4), (75, 125, 3, 5), (0, 100, 0, 4), (100, 125, 4, 5),
])  # fmt: skip
def test_a_roll_out_stays_within_its_percentages(
    yard: Yard, emulator: EmulatorProcess, minimum: int, maximum: int, lower: int, upper: int
) -> None:
    """Looked at while it happens; a process for each task that is counted."""
    _, old = yard.sleeper()
    _, new = yard.sleeper()
    percentages = {"minimumHealthyPercent": minimum, "maximumPercent": maximum}
    yard.create("web:1", 4, deploymentConfiguration=percentages)
    yard.steady(running=4)
    emulator.get("/_drydock/clock", {"account": yard.account, "speed": 40})  # so that every step can be seen
    yard.update(taskDefinition="web:2")
    seen: set[tuple[int, int]] = set()

    def look() -> bool:
        service = yard.service()
        running, pending = service["runningCount"], service["pendingCount"]
        seen.add((running, pending))
        assert running >= lower, "fewer than the minimum run"
        assert running + pending <= upper, "more than the maximum"
        return len(service["deployments"]) == 1 and service["deployments"][0]["rolloutState"] == "COMPLETED"

    wait_until(look, "the deployment has completed", lambda: seen)
    assert max(running + pending for running, pending in seen) == upper, "it goes to the maximum"
    if minimum < 100:
        assert min(running for running, _ in seen) < 4, "it makes use of the minimum"
    assert len(processes(new)) == 4
    wait_until(lambda: processes(old) == [], "nothing of the old one is left")
    reasons = [task["stopCode"] for task in yard.tasks(desiredStatus="STOPPED")]
    assert reasons == ["ServiceSchedulerInitiated"] * 4, "each is replaced once"


def test_percentages_that_block_a_deployment(yard: Yard) -> None:
    _, old = yard.sleeper()
    yard.sleeper()
    yard.create("web:1", 1, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 150})
    yard.steady()
    yard.update(taskDefinition="web:2")
    words = (
        "(service web) was unable to stop or start tasks during a deployment because of the service deployment configuration. "
        "Update the minimumHealthyPercent or maximumPercent value and try again."
    )
    wait_until(lambda: yard.messages()[-1] == words, "the event", yard.messages)
    assert len(processes(old)) == 1
    yard.update(deploymentConfiguration={"maximumPercent": 200})
    yard.steady()
    assert yard.messages().count(words) == 1, "told once"


def test_a_deployment_by_force(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    yard.create(definition, 2)
    before = yard.steady()
    old = {task["taskArn"] for task in yard.tasks()}
    answer = yard.update(forceNewDeployment=True)
    assert [each["taskDefinition"] for each in answer["deployments"]] == [definition, definition]
    after = yard.steady(running=2)
    assert after["deployments"][0]["id"] != before["deployments"][0]["id"]
    assert not old & {task["taskArn"] for task in yard.tasks()}
    wait_until(lambda: len(processes(marker)) == 2, "two processes")
    assert len(yard.records()) == 2


def test_two_updates_in_quick_succession(yard: Yard) -> None:
    markers = [yard.sleeper()[1] for _ in range(3)]
    yard.create("web:1", 2)
    yard.steady()
    yard.update(taskDefinition="web:2")
    third = yard.update(taskDefinition="web:3")
    assert [each["status"] for each in third["deployments"]] == ["PRIMARY", "ACTIVE", "ACTIVE"]
    assert [each["taskDefinition"].rpartition(":")[2] for each in third["deployments"]] == ["3", "2", "1"]

    def look() -> bool:
        service = yard.service()
        assert service["runningCount"] >= 2, "fewer than the minimum run"
        assert service["runningCount"] + service["pendingCount"] <= 4, "more than the maximum"
        return len(service["deployments"]) == 1

    wait_until(look, "one deployment is left", yard.service)
    service = yard.steady(running=2)
    assert service["deployments"][0]["id"] == third["deployments"][0]["id"]
    assert len(processes(markers[2])) == 2
    wait_until(lambda: not processes(markers[0]) and not processes(markers[1]), "nothing of the others is left")
    assert [each["status"] for each in yard.records()] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]


def test_an_update_in_the_middle_of_a_deployment(yard: Yard) -> None:
    """When a task of the second deployment runs already."""
    markers = [yard.sleeper()[1] for _ in range(3)]
    yard.create("web:1", 2)
    yard.steady()
    yard.update(taskDefinition="web:2")
    wait_until(lambda: processes(markers[1]), "the second deployment has a process")
    yard.update(taskDefinition="web:3")
    yard.steady(running=2)
    assert len(processes(markers[2])) == 2
    wait_until(lambda: not processes(markers[0]) and not processes(markers[1]), "nothing of the others is left")


def test_scaled_during_a_deployment(yard: Yard) -> None:
    yard.sleeper()
    _, marker = yard.sleeper()
    yard.create("web:1", 2)
    yard.steady()
    answer = yard.update(taskDefinition="web:2", desiredCount=4)
    assert answer["desiredCount"] == 4
    yard.steady(running=4)
    assert len(processes(marker)) == 4


# -- the circuit breaker
def test_the_breaker_without_roll_back(yard: Yard) -> None:
    _, old = yard.sleeper()
    _, good = yard.sleeper(family="good")
    failing(yard)
    yard.create("web:1", 1, deploymentConfiguration=BREAKER)
    first = yard.steady()["deployments"][0]
    yard.update(taskDefinition="web:2")
    service = yard.until_service(is_failed, "the deployment has failed")
    primary, active = service["deployments"]
    assert (primary["status"], primary["failedTasks"], primary["desiredCount"]) == ("PRIMARY", 3, 0)
    assert primary["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert (active["id"], active["status"], active["runningCount"]) == (first["id"], "ACTIVE", 1)
    assert yard.messages()[-1] == (
        f"(service web) (deployment {primary['id']}) deployment failed: tasks failed to start."
    )
    assert len(processes(old)) == 1, "what ran runs on"
    record = yard.records()[0]
    assert record["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert record["status"] == "STOPPED"
    failed = [task for task in yard.tasks(desiredStatus="STOPPED") if task["startedBy"] == primary["id"]]
    assert [task["stopCode"] for task in failed] == ["TaskFailedToStart"] * 3, "no more than the threshold are tried"
    assert all(task["stoppedReason"].startswith("CannotPullContainerError: ") for task in failed)
    yard.update(taskDefinition="good")
    yard.steady(running=1)
    assert len(processes(good)) == 1
    wait_until(lambda: processes(old) == [], "the first has gone")


def test_the_breaker_with_roll_back(yard: Yard, emulator: EmulatorProcess) -> None:
    _, marker = yard.sleeper()
    failing(yard)
    yard.create("web:1", 1, deploymentConfiguration=ROLLBACK)
    first = yard.steady()["deployments"][0]
    old = yard.tasks()
    pid = processes(marker)
    failed_id = yard.update(taskDefinition="web:2")["deployments"][0]["id"]
    yard.until_service(lambda service: service["deployments"][0]["failedTasks"] == 2, "two tasks have failed")
    emulator.get("/_drydock/clock", {"account": yard.account, "speed": 20})  # so that the roll-back can be seen
    seen: dict[str, list[dict[str, Any]]] = {}

    def look() -> bool:
        service = yard.service()
        primary = service["deployments"][0]
        if primary["id"] == first["id"]:
            seen.setdefault(primary["rolloutState"], service["deployments"])
        return primary["id"] == first["id"] and primary["rolloutState"] == "COMPLETED"

    wait_until(look, "it is rolled back", yard.service)
    service = yard.steady(running=1)
    assert [each["id"] for each in service["deployments"]] == [first["id"]], "the id is used again"
    assert service["taskDefinition"].endswith(":1")
    assert (processes(marker), [task["taskArn"] for task in yard.tasks()]) == (pid, [old[0]["taskArn"]]), "it ran on"
    back, failed = seen["IN_PROGRESS"]
    assert back["rolloutStateReason"] == (
        f"ECS deployment circuit breaker: rolling back to deploymentId {first['id']}."
    )
    assert (failed["id"], failed["status"], failed["rolloutState"]) == (failed_id, "ACTIVE", "FAILED")
    assert failed["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert (failed["desiredCount"], failed["runningCount"]) == (0, 0)
    failed_tasks = [task for task in yard.tasks(desiredStatus="STOPPED") if task["startedBy"] == failed_id]
    failed_tasks.sort(key=lambda task: task["createdAt"])
    throttled = "(service web) is unable to consistently start tasks successfully."
    told = [message for message in yard.messages() if not message.startswith(throttled)]
    assert told == [
        started(*old), *completed(first), *(started(task) for task in failed_tasks),
        f"(service web) (deployment {failed_id}) deployment failed: tasks failed to start.",
        f"(service web) rolling back to deployment {first['id']}.", *completed(first),
    ]  # fmt: skip
    record = yard.records()[0]
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    assert record["rollback"]["serviceRevisionArn"] == record["sourceServiceRevisions"][0]["arn"]
    assert len(yard.records()) == 2


def test_there_is_nothing_to_roll_back_to(yard: Yard) -> None:
    failing(yard)
    deployment = yard.create("web:1", 1, deploymentConfiguration=ROLLBACK)["deployments"][0]
    service = yard.until_service(is_failed, "the deployment has failed")
    assert [each["id"] for each in service["deployments"]] == [deployment["id"]]
    assert (service["runningCount"], service["pendingCount"]) == (0, 0), "it is stalled"
    assert len(yard.tasks(desiredStatus="STOPPED")) == 3
    assert yard.records()[0]["status"] == "ROLLBACK_FAILED"
    _, marker = yard.sleeper()
    yard.update(taskDefinition="web:2")
    yard.steady(running=1)
    assert len(processes(marker)) == 1


EXIT = ["sh", "-c", "exit 1"]
CRASHES: list[tuple[str, dict[str, Any]]] = [
    ("exits at once", {"image": IMAGE, "command": EXIT}),
    ("no such command", {"image": IMAGE, "command": ["/there/is/none"]}),
    ("never healthy", {"image": IMAGE, "command": SLEEP, "stopTimeout": 2, "healthCheck": {
        "command": ["CMD-SHELL", "exit 1"], "interval": 5, "retries": 1, "timeout": 2}}),
]  # fmt: skip


@pytest.mark.parametrize("given", [row[1] for row in CRASHES], ids=[row[0] for row in CRASHES])
def test_what_opens_the_breaker(yard: Yard, given: dict[str, Any]) -> None:
    _, marker = yard.sleeper()
    failing(yard, **given)
    yard.create("web:1", 1, deploymentConfiguration=ROLLBACK)
    first = yard.steady()["deployments"][0]
    pids = processes(marker)
    yard.update(taskDefinition="web:2")
    yard.told(rf"\(service web\) rolling back to deployment {first['id']}\.")
    service = yard.steady(running=1)
    assert service["deployments"][0]["id"] == first["id"]
    assert len(processes(marker)) == 1
    if given["command"] != EXIT:  # this one comes to RUNNING, so that it may have replaced the first for a moment
        assert processes(marker) == pids, "it ran on"
    assert yard.records()[0]["status"] == "ROLLBACK_SUCCESSFUL"


def test_what_users_stop_does_not_open_the_breaker(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    yard.create(definition, 1, deploymentConfiguration=BREAKER)
    for number in range(4):

        def there() -> Any:
            return [task for task in yard.tasks() if task["lastStatus"] in ("PROVISIONING", "PENDING", "RUNNING")]

        task = wait_until(there, f"task {number}", yard.messages)[0]
        yard.ecs.stop_task(cluster="yard", task=task["taskArn"])
    service = yard.steady(running=1)
    assert service["deployments"][0]["failedTasks"] == 0


# -- service deployments and revisions
def test_stop_a_service_deployment(yard: Yard) -> None:
    _, marker = yard.sleeper()
    failing(yard)
    yard.create("web:1", 1)
    first = yard.steady()
    pids = processes(marker)
    updated = yard.update(taskDefinition="web:2")
    arn = updated["currentServiceDeployment"]
    assert arn != first["currentServiceDeployment"]
    yard.until_service(lambda service: service["pendingCount"] == 1, "the new task is on its way")
    assert yard.ecs.stop_service_deployment(serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    service = yard.steady(running=1)
    assert [each["id"] for each in service["deployments"]] == [first["deployments"][0]["id"]]
    assert processes(marker) == pids
    wait_until(lambda: len(yard.tasks()) == 1, "the failing tasks have gone")
    record = yard.record(arn)
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["rollback"]["serviceRevisionArn"] == record["sourceServiceRevisions"][0]["arn"]
    assert refused(yard.ecs.stop_service_deployment, serviceDeploymentArn=arn)[0] == "ConflictException"
    assert refused(yard.ecs.stop_service_deployment, serviceDeploymentArn=arn + "x")[0] == (
        "ServiceDeploymentNotFoundException"
    )  # fmt: skip


def test_the_history_of_a_service(yard: Yard) -> None:
    first, _ = yard.sleeper()
    second, _ = yard.sleeper()
    made = yard.create(first, 1, deploymentConfiguration=BREAKER)
    pending = yard.record(made["currentServiceDeployment"])
    assert pending["status"] in ("PENDING", "IN_PROGRESS")
    assert pending["sourceServiceRevisions"] == []
    yard.steady()
    updated = yard.update(taskDefinition=second)
    on_its_way = yard.records(status=["PENDING", "IN_PROGRESS"])
    assert [each["serviceDeploymentArn"] for each in on_its_way] == [updated["currentServiceDeployment"]]
    service = yard.steady()
    newest, oldest = yard.records()
    assert newest["serviceDeploymentArn"] == service["currentServiceDeployment"] == updated["currentServiceDeployment"]
    assert oldest["serviceDeploymentArn"] == made["currentServiceDeployment"]
    for record in (newest, oldest):
        assert record["status"] == "SUCCESSFUL"
        times = [record[name] for name in ("createdAt", "startedAt", "finishedAt")]
        assert times == sorted(times)
        assert record["deploymentCircuitBreaker"] == {
            "status": "MONITORING_COMPLETE",
            "failureCount": 0,
            "threshold": 3,
        }
        assert record["deploymentConfiguration"]["deploymentCircuitBreaker"]["enable"] is True
        assert (record["serviceArn"], record["clusterArn"]) == (service["serviceArn"], service["clusterArn"])
    assert [each["arn"] for each in newest["sourceServiceRevisions"]] == [oldest["targetServiceRevision"]["arn"]]
    assert newest["targetServiceRevision"] == {
        "arn": service["currentServiceRevisions"][0]["arn"], "requestedTaskCount": 1, "runningTaskCount": 1,
        "pendingTaskCount": 0,
    }  # fmt: skip
    prefix = f"arn:aws:ecs:us-east-1:{yard.account}"
    assert newest["serviceDeploymentArn"].startswith(f"{prefix}:service-deployment/yard/web/")
    assert newest["targetServiceRevision"]["arn"].startswith(f"{prefix}:service-revision/yard/web/")
    assert id_of(newest["targetServiceRevision"]["arn"]).isdigit()


def test_lists_of_service_deployments(yard: Yard, emulator: EmulatorProcess) -> None:
    """With a slow clock none of the first four is completed before the next one begins."""
    definition, _ = yard.sleeper()
    emulator.get("/_drydock/clock", {"account": yard.account, "speed": 0.1})
    made = yard.create(definition, 0)
    for _ in range(4):
        yard.update(forceNewDeployment=True)
    emulator.get("/_drydock/clock", {"account": yard.account, "speed": 100})
    yard.steady()
    listing = yard.ecs.list_service_deployments
    everything = listing(cluster="yard", service="web")["serviceDeployments"]
    assert [each["status"] for each in everything] == ["SUCCESSFUL", "STOPPED", "STOPPED", "STOPPED", "STOPPED"]
    assert listing(cluster="yard", service=made["serviceArn"])["serviceDeployments"] == everything
    times = [each["createdAt"] for each in everything]
    assert times == sorted(times, reverse=True)
    found, token = [], {}
    while True:
        page = listing(cluster="yard", service="web", maxResults=2, **token)
        found += page["serviceDeployments"]
        assert len(page["serviceDeployments"]) <= 2
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert found == everything
    assert len(listing(cluster="yard", service="web", status=["SUCCESSFUL"])["serviceDeployments"]) == 1
    later = {"after": times[0] + timedelta(seconds=1)}
    assert listing(cluster="yard", service="web", createdAt=later)["serviceDeployments"] == []
    earlier = {"before": times[0] + timedelta(seconds=1)}
    assert listing(cluster="yard", service="web", createdAt=earlier)["serviceDeployments"] == everything


def test_revisions(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    made = yard.create(definition, 1)
    arn = made["currentServiceRevisions"][0]["arn"]
    yard.steady()
    missing = arn[:-1] + ("0" if arn[-1] != "0" else "1")
    answer = yard.ecs.describe_service_revisions(serviceRevisionArns=[arn, missing])
    assert answer["failures"] == [{"arn": missing, "reason": "MISSING"}]
    (revision,) = answer["serviceRevisions"]
    assert (revision["serviceArn"], revision["clusterArn"]) == (made["serviceArn"], made["clusterArn"])
    assert (revision["taskDefinition"], revision["launchType"]) == (definition, "FARGATE")
    assert revision["networkConfiguration"] == made["networkConfiguration"]
    (image,) = revision["containerImages"]
    assert (image["containerName"], image["image"]) == ("c0", IMAGE)
    assert image.get("imageDigest") == yard.tasks()[0]["containers"][0].get("imageDigest"), "what its tasks run"
    yard.update(desiredCount=0)
    yard.steady()
    assert yard.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"][0] == revision
    yard.delete()
    assert yard.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"][0] == revision


def test_the_definition_of_a_service_may_be_deregistered(yard: Yard) -> None:
    """It goes on with it: tasks are replaced, and it can be scaled."""
    definition, marker = yard.sleeper()
    yard.create(definition, 1)
    yard.steady()
    yard.ecs.deregister_task_definition(taskDefinition=definition)
    yard.update(desiredCount=2)
    yard.steady(running=2)
    assert len(processes(marker)) == 2


def test_events_of_several_tasks_name_them_all(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    yard.create(definition, 3)
    yard.steady(running=3)
    assert normal(yard.messages()[0]) == normal(started(*yard.tasks()))
