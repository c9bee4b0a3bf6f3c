"""Services whose deployments a third party controls (EXTERNAL): task sets, their scale, the primary one, their end."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import processes
from tests.services.ecs.test_ecs_wire import MODEL, departures, post
from tests.services.ecs.yard import INVALID, NO_IMAGE, Yard, refused, started

EXTERNAL = {"deploymentController": {"type": "EXTERNAL"}}
WHICH = {"cluster": "yard", "service": "web"}


def external(yard: Yard, count: int | None = 4, **given: Any) -> dict[str, Any]:
    """A service that has no tasks of its own."""
    base = {"cluster": "yard", "serviceName": "web", **EXTERNAL}
    return dict(
        yard.ecs.create_service(**base, **({} if count is None else {"desiredCount": count}), **given)["service"]
    )


def add(yard: Yard, definition: str, scale: float | None = None, **given: Any) -> dict[str, Any]:
    """A task set on Fargate."""
    base: dict[str, Any] = {**WHICH, "taskDefinition": definition, "launchType": "FARGATE",
                            "networkConfiguration": yard.network}  # fmt: skip
    if scale is not None:
        base["scale"] = {"value": scale, "unit": "PERCENT"}
    return dict(yard.ecs.create_task_set(**base, **given)["taskSet"])


def described(yard: Yard, *ids: str) -> list[dict[str, Any]]:
    answer = yard.ecs.describe_task_sets(**WHICH, **({"taskSets": list(ids)} if ids else {}))
    assert answer["failures"] == []
    return list(answer["taskSets"])


def settled(yard: Yard, id: str, running: int) -> dict[str, Any]:
    """The task set when it is steady with so many tasks."""
    last: dict[str, Any] = {}

    def there() -> bool:
        last.update(described(yard, id)[0])
        counts = (last["runningCount"], last["pendingCount"], last["computedDesiredCount"])
        return counts == (running, 0, running) and last["stabilityStatus"] == "STEADY_STATE"

    wait_until(there, f"the task set is steady with {running}", lambda: (last, yard.messages()))
    return last


def test_task_sets_share_the_desired_count(yard: Yard) -> None:
    blue, blue_marker = yard.sleeper("blue")
    green, green_marker = yard.sleeper("green")
    made = external(yard)
    assert made["deploymentController"] == {"type": "EXTERNAL"}
    assert (made["status"], made["desiredCount"], made["taskSets"], made["deployments"]) == ("ACTIVE", 4, [], [])
    assert "taskDefinition" not in made
    assert yard.tasks() == [], "a service without task sets has no tasks"
    first = add(yard, blue, 100, externalId="release-1")
    assert re.fullmatch(r"ecs-svc/\d{19}", first["id"])
    assert first["taskSetArn"] == f"arn:aws:ecs:us-east-1:{yard.account}:task-set/yard/web/{first['id']}"
    assert {"status": "ACTIVE", "externalId": "release-1", "taskDefinition": blue, "launchType": "FARGATE",
            "platformVersion": "LATEST", "scale": {"value": 100.0, "unit": "PERCENT"}, "computedDesiredCount": 4,
            "pendingCount": 0, "runningCount": 0, "stabilityStatus": "STABILIZING", "loadBalancers": [],
            "serviceRegistries": [], "tags": [], "serviceArn": made["serviceArn"],
            "clusterArn": made["clusterArn"]}.items() <= first.items()  # fmt: skip
    settled(yard, first["id"], 4)
    assert len(processes(blue_marker)) == 4
    tasks = yard.tasks()
    assert {(task["startedBy"], task["group"]) for task in tasks} == {(first["id"], "service:web")}
    second = add(yard, green, 50)
    assert second["computedDesiredCount"] == 2
    settled(yard, second["id"], 2)
    assert (len(processes(blue_marker)), len(processes(green_marker))) == (4, 2)
    service = yard.service()
    assert service["runningCount"] == 6
    assert [each["id"] for each in service["taskSets"]] == [first["id"], second["id"]]
    yard.ecs.update_task_set(**WHICH, taskSet=first["id"], scale={"value": 25, "unit": "PERCENT"})
    settled(yard, first["id"], 1)
    wait_until(lambda: len(processes(blue_marker)) == 1, "one blue process is left")
    yard.update(desiredCount=8)
    settled(yard, first["id"], 2)
    settled(yard, second["id"], 4)
    assert len(processes(green_marker)) == 4


def test_the_events_name_the_task_set(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    external(yard, 1)
    made = add(yard, definition, 100)
    settled(yard, made["id"], 1)
    (task,) = yard.tasks()
    assert yard.messages()[0] == started(task, task_set=f", taskSet {made['id']}")


def test_a_share_is_rounded_up(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    external(yard, 3)
    assert add(yard, definition, 50)["computedDesiredCount"] == 2
    assert add(yard, definition, 1)["computedDesiredCount"] == 1
    assert add(yard, definition, 0)["computedDesiredCount"] == 0


def test_a_task_set_keeps_its_count(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    external(yard, 2)
    made = add(yard, definition, 100)
    settled(yard, made["id"], 2)
    old = {task["taskArn"] for task in yard.tasks()}
    os.kill(processes(marker)[0], signal.SIGKILL)
    wait_until(lambda: {task["taskArn"] for task in yard.tasks()} - old, "a new task", yard.messages)
    settled(yard, made["id"], 2)
    assert len(processes(marker)) == 2


def test_a_task_set_that_cannot_be_started(yard: Yard) -> None:
    definition = yard.register({"image": NO_IMAGE, "command": ["sleep", "300"]}, family="web")
    external(yard, 1)
    made = add(yard, definition, 100)

    def look() -> bool:
        now = described(yard, made["id"])[0]
        assert (now["runningCount"], now["stabilityStatus"]) == (0, "STABILIZING")
        return any("is unable to consistently start tasks successfully." in message for message in yard.messages())

    wait_until(look, "it is throttled", yard.messages)


def test_the_primary_task_set(yard: Yard) -> None:
    """DescribeServices answers with what the primary task set runs."""
    blue, _ = yard.sleeper("blue")
    green, _ = yard.sleeper("green")
    external(yard, 0)
    first, second = add(yard, blue, 100), add(yard, green, 100)
    answer = yard.ecs.update_service_primary_task_set(**WHICH, primaryTaskSet=first["id"])["taskSet"]
    assert (answer["id"], answer["status"]) == (first["id"], "PRIMARY")
    service = yard.service()
    assert (service["taskDefinition"], service["launchType"]) == (blue, "FARGATE")
    assert service["networkConfiguration"] == {"awsvpcConfiguration": yard.network["awsvpcConfiguration"]}
    yard.ecs.update_service_primary_task_set(**WHICH, primaryTaskSet=second["taskSetArn"])
    assert [each["status"] for each in described(yard)] == ["ACTIVE", "PRIMARY"]
    assert yard.service()["taskDefinition"] == green


def test_a_task_set_is_deleted(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    external(yard, 2)
    made = add(yard, definition, 100)
    settled(yard, made["id"], 2)
    delete = yard.ecs.delete_task_set
    assert refused(delete, **WHICH, taskSet=made["id"])[0] == INVALID, "it is not scaled to zero"
    answer = delete(**WHICH, taskSet=made["id"], force=True)["taskSet"]
    assert (answer["id"], answer["status"]) == (made["id"], "DRAINING")
    assert described(yard) == [] or refused(
        yard.ecs.update_service_primary_task_set, **WHICH, primaryTaskSet=made["id"]
    )[0] in (INVALID, "TaskSetNotFoundException"), "it does not come back"
    wait_until(lambda: described(yard) == [], "it has gone", lambda: described(yard))
    assert processes(marker) == []
    assert refused(delete, **WHICH, taskSet=made["id"])[0] == "TaskSetNotFoundException"
    second = add(yard, definition, 0)
    delete(**WHICH, taskSet=second["taskSetArn"])
    wait_until(lambda: described(yard) == [], "it has gone")


def test_a_service_with_task_sets_is_deleted_by_force(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    external(yard, 2)
    made = add(yard, definition, 100)
    settled(yard, made["id"], 2)
    assert refused(yard.ecs.delete_service, **WHICH)[0] == INVALID
    yard.delete()
    assert processes(marker) == []


def test_five_task_sets_at_most(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    external(yard, 0)
    for _ in range(5):
        add(yard, definition, 100)
    given = {**WHICH, "taskDefinition": definition, "launchType": "FARGATE", "networkConfiguration": yard.network}
    assert refused(yard.ecs.create_task_set, **given) == (
        INVALID, "5 deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit."
    )  # fmt: skip


def test_created_again_with_the_same_token(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    external(yard, 0)
    first = add(yard, definition, 100, clientToken="one")
    assert add(yard, definition, 100, clientToken="one")["id"] == first["id"]
    assert len(described(yard)) == 1


def test_the_desired_count_of_an_external_service_is_optional(yard: Yard) -> None:
    assert external(yard, None)["desiredCount"] == 0


def test_tags_of_a_task_set(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    external(yard, 0)
    tags = [{"key": "a", "value": "b"}]
    assert add(yard, definition, 100, tags=tags)["tags"] == tags
    assert yard.ecs.describe_task_sets(**WHICH, include=["TAGS"])["taskSets"][0]["tags"] == tags
    assert described(yard)[0].get("tags", []) == []


def test_what_is_refused(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    create = yard.ecs.create_service
    assert refused(create, cluster="yard", serviceName="x", desiredCount=1, taskDefinition=definition, **EXTERNAL) == (
        INVALID, "TaskDefinition must be blank"
    )  # fmt: skip
    assert refused(create, cluster="yard", serviceName="x", schedulingStrategy="DAEMON", **EXTERNAL)[0] == INVALID
    external(yard, 1)
    base = {**WHICH, "taskDefinition": definition, "launchType": "FARGATE", "networkConfiguration": yard.network}
    make = yard.ecs.create_task_set
    assert refused(make, **(base | {"taskDefinition": "none"})) == ("ClientException", "TaskDefinition not found.")
    assert refused(make, **(base | {"service": "none"}))[0] == "ServiceNotFoundException"
    assert refused(make, **(base | {"cluster": "none"}))[0] == "ClusterNotFoundException"
    for value in (-1.0, 101.0):
        assert refused(make, **base, scale={"value": value, "unit": "PERCENT"})[0] == INVALID
    assert refused(make, **base, loadBalancers=[{"targetGroupArn": "x"}])[0] == INVALID
    del base["networkConfiguration"]
    assert refused(make, **base)[1] == "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    for call in (yard.ecs.delete_task_set, yard.ecs.update_task_set):
        more = {"scale": {"value": 1, "unit": "PERCENT"}} if call == yard.ecs.update_task_set else {}
        assert refused(call, **WHICH, taskSet="ecs-svc/1", **more)[0] == "TaskSetNotFoundException"
    assert refused(yard.ecs.update_service_primary_task_set, **WHICH, primaryTaskSet="ecs-svc/1")[0] == (
        "TaskSetNotFoundException"
    )  # fmt: skip
    answer = yard.ecs.describe_task_sets(**WHICH, taskSets=["ecs-svc/1"])
    assert (answer["taskSets"], [each["reason"] for each in answer["failures"]]) == ([], ["MISSING"])
    assert refused(yard.ecs.update_service, **WHICH, taskDefinition=definition)[0] == INVALID
    assert refused(yard.ecs.update_service, **WHICH, forceNewDeployment=True)[0] == INVALID
    assert described(yard) == []
    yard.create(definition, 0, "own")
    code, _ = refused(make, cluster="yard", service="own", taskDefinition=definition, launchType="FARGATE",
                      networkConfiguration=yard.network)  # fmt: skip
    assert code == INVALID, "a service with the controller ECS has no task sets"


def test_the_waiters(yard: Yard) -> None:
    """As on AWS, services_stable waits in vain for a service without deployments of its own."""
    external(yard, 0)
    which = {"cluster": "yard", "services": ["web"]}
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        yard.ecs.get_waiter("services_stable").wait(**which, WaiterConfig={"Delay": 0, "MaxAttempts": 2})
    yard.ecs.delete_service(**WHICH)
    yard.ecs.get_waiter("services_inactive").wait(**which, WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def test_every_answer_has_the_members_of_the_model(yard: Yard, emulator: EmulatorProcess) -> None:
    definition, _ = yard.sleeper()

    def call(operation: str, **params: Any) -> Any:
        status, _, answer = post(emulator, yard.account, operation, json.dumps(params).encode())
        assert status == 200, (operation, answer)
        assert departures(MODEL.operation_model(operation).output_shape, answer, operation) == []
        return answer

    call("CreateService", cluster="yard", serviceName="web", desiredCount=1, **EXTERNAL)
    made = call("CreateTaskSet", **WHICH, taskDefinition=definition, launchType="FARGATE", externalId="x",
                networkConfiguration=yard.network, scale={"value": 100, "unit": "PERCENT"})["taskSet"]  # fmt: skip
    settled(yard, made["id"], 1)
    call("UpdateTaskSet", **WHICH, taskSet=made["id"], scale={"value": 50, "unit": "PERCENT"})
    call("UpdateServicePrimaryTaskSet", **WHICH, primaryTaskSet=made["id"])
    call("DescribeTaskSets", **WHICH, taskSets=[made["id"], "none"], include=["TAGS"])
    call("DescribeServices", cluster="yard", services=["web"])
    call("DeleteTaskSet", **WHICH, taskSet=made["id"], force=True)
