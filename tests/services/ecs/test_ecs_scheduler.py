"""The scheduler keeps the desired count whatever ends a task, is throttled when tasks cannot be started, and heeds
protection."""

from __future__ import annotations

import os
import re
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import id_of, marked_sleep, processes
from tests.services.ecs.yard import INVALID, NO_IMAGE, STEADY, Yard, refused, started, stopped

THROTTLED = (
    "(service web) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section "
    "of the Amazon ECS Developer Guide."
)
HELD = (
    "(service web) was unable to reach steady state because (taskSet {}) was unable to scale in due to (reason {} tasks under "
    "protection)"
)


def replaced(yard: Yard, old: dict[str, Any], before: list[dict[str, Any]], running: int = 1) -> dict[str, Any]:
    """The task that stands in for ``old``, when the service is steady again; the events say so. ``before``: all tasks that
    there were."""
    known = {task["taskArn"] for task in before}
    wait_until(lambda: {task["taskArn"] for task in yard.tasks()} - known, "there is a new task", yard.messages)
    yard.steady(running=running)
    (new,) = [task for task in yard.tasks() if task["taskArn"] not in known]
    assert old["taskArn"] not in {task["taskArn"] for task in yard.tasks()}
    assert new["startedBy"] == old["startedBy"]
    assert yard.messages()[-2:] == [started(new), STEADY.format("web")]
    return new


# -- whatever ends a task
def test_a_killed_process(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    yard.create(definition, 1)
    yard.steady()
    (old,), (pid,) = yard.tasks(), processes(marker)
    os.kill(pid, signal.SIGKILL)
    replaced(yard, old, [old])
    assert len(processes(marker)) == 1
    ended = yard.describe(old["taskArn"])
    assert (ended["stopCode"], ended["containers"][0]["exitCode"]) == ("EssentialContainerExited", 137)


def test_a_task_that_is_stopped(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    yard.create(definition, 2)
    yard.steady()
    old, other = yard.tasks()
    yard.ecs.stop_task(cluster="yard", task=old["taskArn"], reason="tidying")
    replaced(yard, old, [old, other], running=2)
    assert other["taskArn"] in {task["taskArn"] for task in yard.tasks()}
    wait_until(lambda: len(processes(marker)) == 2, "two processes")
    ended = yard.describe(old["taskArn"])
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "tidying")


def test_a_program_that_ends_by_itself(yard: Yard) -> None:
    """Also with the exit code 0; again and again, and it is not throttled, since it comes to RUNNING."""
    definition = yard.register({"command": ["sleep", "0.2"]}, family="web")
    yard.create(definition, 1)
    wait_until(lambda: len(yard.tasks(desiredStatus="STOPPED")) >= 6, "it has ended six times", yard.messages)
    for task in yard.tasks(desiredStatus="STOPPED"):
        assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 0)
    messages = yard.messages()
    assert all(message.startswith("(service web) has started 1 tasks: ") for message in messages), messages
    assert yard.service()["deployments"][0]["rolloutState"] == "IN_PROGRESS"


def test_a_failed_health_check(yard: Yard) -> None:
    _, marker = marked_sleep()
    script = "trap 'touch /tmp/sick' USR1; while :; do sleep 0.05; done"
    check = {"command": ["CMD-SHELL", "test ! -e /tmp/sick"], "interval": 10, "retries": 2, "timeout": 5}
    definition = yard.register(
        {"command": ["sh", "-c", script, marker], "stopTimeout": 2, "healthCheck": check}, family="web"
    )
    yard.create(definition, 1)
    yard.steady()
    (old,) = yard.tasks()
    assert old["healthStatus"] == "HEALTHY", "a task with a health check counts when it is healthy"
    os.kill(processes(marker)[0], signal.SIGUSR1)
    unhealthy = f"(service web) (task {id_of(old['taskArn'])}) failed container health checks."
    wait_until(lambda: unhealthy in yard.messages(), "the event", yard.messages)
    yard.steady(running=1)
    (new,) = yard.tasks()
    assert new["taskArn"] != old["taskArn"]
    assert new["healthStatus"] == "HEALTHY"
    ended = yard.stopped(old["taskArn"])
    assert (ended["stopCode"], ended["stoppedReason"]) == (
        "ServiceSchedulerInitiated", "Task failed container health checks"
    )  # fmt: skip
    messages = yard.messages()
    begun = next(
        n for n, text in enumerate(messages) if f"(task {id_of(new['taskArn'])})" in text and "started" in text
    )
    assert begun < messages.index(unhealthy), "the replacement is started first, as there is room for it"
    assert messages[-2:] == [stopped(old), STEADY.format("web")]


def test_many_at_once(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    yard.create(definition, 4)
    yard.steady(running=4)
    old = {task["taskArn"] for task in yard.tasks()}
    for pid in processes(marker):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len({task["taskArn"] for task in yard.tasks()} - old) == 4, "four new tasks", yard.messages)
    yard.steady(running=4)
    assert len(processes(marker)) == 4


# -- tasks that cannot be started
def test_an_image_that_is_not_there(yard: Yard) -> None:
    """Never ``running``; the service says so, and its attempts become rarer."""
    definition = yard.register({"image": NO_IMAGE, "command": ["sleep", "300"]}, family="web")
    yard.create(definition, 2)

    def look() -> bool:
        service = yard.service()
        assert service["runningCount"] == 0, "an image that is not there runs"
        assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
        return THROTTLED in yard.messages() and len(yard.tasks(desiredStatus="STOPPED")) >= 8

    wait_until(look, "it is throttled", yard.messages)
    messages = yard.messages()
    assert messages.count(THROTTLED) == 1, "told once"
    rest = [message for message in messages if message != THROTTLED]
    assert all(re.fullmatch(r"\(service web\) has started \d tasks: .*\.", message) for message in rest), rest
    ended = yard.tasks(desiredStatus="STOPPED")
    assert all(task["stopCode"] == "TaskFailedToStart" for task in ended)
    assert all(task["stoppedReason"].startswith("CannotPullContainerError: ") for task in ended)
    times = [event["createdAt"] for event in reversed(yard.service()["events"]) if "has started" in event["message"]]
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    assert gaps[-1] > gaps[0] + 15, f"delayed: {gaps}"
    assert yard.service()["deployments"][0]["failedTasks"] >= 6
    _, marker = yard.sleeper()
    yard.update(taskDefinition="web:2")
    yard.steady(running=2)
    assert len(processes(marker)) == 2, "a new deployment is not throttled"


def test_a_role_that_cannot_be_assumed(yard: Yard) -> None:
    """It is gone when tasks are to be started."""
    role = yard.execution_role()
    definition, _ = yard.sleeper(family="web")
    document = yard.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    yard.ecs.register_task_definition(
        family="web", executionRoleArn=role, containerDefinitions=document["containerDefinitions"], cpu="256", memory="512",
        networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
    )  # fmt: skip
    yard.create("web:2", 0)
    iam = yard.aws("iam")
    iam.delete_role_policy(RoleName="execution", PolicyName="its")
    iam.delete_role(RoleName="execution")
    yard.update(desiredCount=1)
    yard.told(
        rf"\(service web\) failed to launch a task with \(error ECS was unable to assume the role '{role}' .*\)\."
    )
    assert yard.tasks() == []
    assert yard.service()["runningCount"] == 0
    yard.update(taskDefinition="web:1")
    yard.steady(running=1)


# -- scaling
def test_up_and_down(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    yard.create(definition, 1)
    yard.steady()
    (first,) = yard.tasks()
    yard.update(desiredCount=3)
    yard.steady(running=3)
    assert len(processes(marker)) == 3
    yard.update(desiredCount=1)
    service = yard.steady(running=1)
    assert [task["taskArn"] for task in yard.tasks()] == [first["taskArn"]], "the newest go first"
    wait_until(lambda: len(processes(marker)) == 1, "one process is left")
    assert service["events"][1]["message"].startswith("(service web) has stopped 2 running tasks: ")


def test_down_while_tasks_are_pending(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    yard.create(definition, 3)
    yard.until_service(lambda service: service["pendingCount"] == 3, "three are pending")
    yard.update(desiredCount=0)
    yard.steady(running=0)
    assert "(service web) stopped 3 pending tasks." in yard.messages()
    assert processes(marker) == []


# -- protection
def protect(yard: Yard, *tasks: dict[str, Any], enabled: bool = True, **given: Any) -> Any:
    arns = [task["taskArn"] for task in tasks]
    return yard.ecs.update_task_protection(cluster="yard", tasks=arns, protectionEnabled=enabled, **given)


def protections(yard: Yard) -> dict[str, bool]:
    answer = yard.ecs.get_task_protection(cluster="yard")
    assert answer["failures"] == []
    return {each["taskArn"]: each["protectionEnabled"] for each in answer["protectedTasks"]}


def test_protection_keeps_a_task_from_a_scale_in(yard: Yard, emulator: EmulatorProcess) -> None:
    definition, _ = yard.sleeper()
    made = yard.create(definition, 3)
    yard.steady(running=3)
    oldest, middle, newest = yard.tasks()
    (answer,) = protect(yard, newest, expiresInMinutes=60)["protectedTasks"]
    assert (answer["taskArn"], answer["protectionEnabled"]) == (newest["taskArn"], True)
    assert 3500 < (answer["expirationDate"] - yard.service()["events"][0]["createdAt"]).total_seconds() < 5000
    assert protections(yard) == {oldest["taskArn"]: False, middle["taskArn"]: False, newest["taskArn"]: True}
    yard.update(desiredCount=1)
    yard.steady(running=1)
    assert [task["taskArn"] for task in yard.tasks()] == [newest["taskArn"]]
    yard.update(desiredCount=0)
    held = HELD.format(made["deployments"][0]["id"], 1)
    wait_until(lambda: yard.messages()[-1] == held, "the event", yard.messages)
    assert yard.service()["runningCount"] == 1
    assert processes_of(newest, yard) == 1
    emulator.get("/_drydock/clock", {"account": yard.account, "advance": 3600})
    yard.steady(running=0)
    assert protections(yard) == {}
    assert yard.messages().count(held) == 1


def processes_of(task: dict[str, Any], yard: Yard) -> int:
    """How many processes its definition's command has."""
    document = yard.ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    return len(processes(document["containerDefinitions"][0]["command"][-1]))


def test_protection_can_be_taken_back(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    yard.create(definition, 2)
    yard.steady(running=2)
    tasks = yard.tasks()
    protect(yard, *tasks)
    yard.update(desiredCount=0)
    wait_until(lambda: "2 tasks under protection" in yard.messages()[-1], "the event", yard.messages)
    assert len(processes(marker)) == 2
    (answer, _) = protect(yard, *tasks, enabled=False)["protectedTasks"]
    assert "expirationDate" not in answer
    yard.steady(running=0)
    assert processes(marker) == []


def test_protection_keeps_a_task_from_a_deployment(yard: Yard) -> None:
    _, old = yard.sleeper()
    _, new = yard.sleeper()
    yard.create("web:1", 2)
    yard.steady(running=2)
    kept, other = yard.tasks()
    protect(yard, kept)
    yard.update(taskDefinition="web:2")
    wait_until(lambda: len(processes(new)) == 2 and len(processes(old)) == 1, "all but one are replaced", yard.messages)
    yard.until(kept["taskArn"], "RUNNING")
    yard.stopped(other["taskArn"])
    service = yard.service()
    assert [each["rolloutState"] for each in service["deployments"]] == ["IN_PROGRESS", "COMPLETED"]
    protect(yard, kept, enabled=False)
    yard.steady(running=2)
    assert processes(old) == []


def test_protection_does_not_keep_a_user_or_a_delete_from_stopping(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    yard.create(definition, 2)
    yard.steady(running=2)
    first, second = yard.tasks()
    protect(yard, first, second)
    yard.ecs.stop_task(cluster="yard", task=first["taskArn"])
    replaced(yard, first, [first, second], running=2)
    yard.delete()
    assert processes(marker) == []


def test_what_cannot_be_protected(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    arn = yard.run(definition)
    yard.until(arn)
    missing = f"arn:aws:ecs:us-east-1:{yard.account}:task/yard/{'0' * 32}"
    answer = yard.ecs.update_task_protection(cluster="yard", tasks=[arn, missing, "1" * 32], protectionEnabled=True)
    assert answer["protectedTasks"] == []
    assert [(each["arn"], each["reason"]) for each in answer["failures"]] == [
        (arn, "TASK_NOT_VALID"), (missing, "MISSING"), (missing[:-32] + "1" * 32, "MISSING")
    ]  # fmt: skip
    update = yard.ecs.update_task_protection
    base = {"cluster": "yard", "tasks": [arn], "protectionEnabled": True}
    for minutes in (0, -1, 2881):
        assert refused(update, **base, expiresInMinutes=minutes)[0] == INVALID
    assert refused(update, **(base | {"tasks": [f"{n:032}" for n in range(11)]}))[0] == INVALID
    assert refused(update, **(base | {"tasks": []}))[0] == INVALID
    assert refused(update, **(base | {"cluster": "none"}))[0] == "ClusterNotFoundException"
    yard.stop(arn)


# -- kill -9
@pytest.mark.parametrize("tier", ["auto", "plain"])
def test_services_go_on_after_kill_9(tmp_path: Path, tier: str) -> None:
    """One that was steady, one in the middle of a deployment, one that was on its way, one that was being deleted."""
    emulator = EmulatorProcess(tmp_path / "state", "--speed", "100", "--runtime-tier", tier)
    with emulator:
        yard = Yard(emulator.client, "000000000000")
        markers = {}
        for name in ("steady", "rolling", "coming", "going"):
            _, markers[name] = yard.sleeper(name)
            if name != "coming":
                yard.create(name, 2, name)
        for name in ("steady", "rolling", "going"):
            yard.steady(name, running=2)
        ids = {name: yard.service(name)["deployments"][0]["id"] for name in ("steady", "rolling")}
        _, newer = yard.sleeper("rolling")
        made = yard.create("coming", 2, "coming")
        updated = yard.update("rolling", taskDefinition="rolling")
        yard.ecs.delete_service(cluster="yard", service="going", force=True)
        old = {task["taskArn"] for task in yard.tasks("steady")}
        emulator.kill()
        wait_until(
            lambda: not any(processes(marker) for marker in [*markers.values(), newer]),
            "no container outlives the emulator",
        )
        emulator.start()
        yard.ecs = emulator.client("ecs")
        for name in ("steady", "coming", "rolling"):
            yard.steady(name, running=2)
        yard.until_service(lambda service: service["status"] == "INACTIVE", "it is INACTIVE", "going")
        assert yard.service("steady")["deployments"][0]["id"] == ids["steady"]
        assert yard.service("coming")["deployments"][0]["id"] == made["deployments"][0]["id"]
        assert yard.service("rolling")["deployments"][0]["id"] == updated["deployments"][0]["id"] != ids["rolling"]
        assert not old & {task["taskArn"] for task in yard.tasks("steady")}
        assert {name: len(processes(marker)) for name, marker in markers.items()} == {
            "steady": 2, "rolling": 0, "coming": 2, "going": 0
        }  # fmt: skip
        assert len(processes(newer)) == 2
        assert emulator.faults() == []
