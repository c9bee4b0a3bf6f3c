"""ECS Exec: who may, which task, which container, and what becomes of enableExecuteCommand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.ecs.exec_room import SLEEP, SSM, Room
from tests.services.ecs.yard import INVALID, Yard, refused

NOT_ENABLED = (
    "The execute command failed because execute command was not enabled when the task was run or the execute command agent "
    "isn't running. Wait and try again or run a new task with execute command enabled and try again."
)
NO_ROLE = (
    "because a valid taskRoleArn is not being used. Specify a valid task role in your task definition and try again."
)
NOT_CONNECTED = (
    "TargetNotConnectedException",
    "The execute command failed due to an internal error. Try again later.",
)


def test_what_is_refused(room: Room) -> None:
    task = room.task(SLEEP, {**SLEEP, "essential": False})
    for given, told in (
        ({"interactive": False}, (INVALID, "Interactive is the only mode supported currently.")),
        ({"cluster": "nowhere"}, ("ClusterNotFoundException", "Cluster not found.")),
        ({"task": "0" * 32}, (INVALID, "The referenced task was not found.")),
        ({"task": task.replace("/yard/", "/other/")}, (INVALID, "The referenced task was not found.")),
        ({}, (INVALID, "Container name is required when the task has more than one container.")),
        ({"container": "c7"}, (INVALID, "The container was not found in the task.")),
    ):
        assert room.refusal(**({"task": task} | given)) == told
    room.ask(task.rpartition("/")[2], container="c1")
    room.stop(task)
    assert room.refusal(task, container="c0") == (INVALID, NOT_ENABLED)


def test_a_container_that_has_ended(room: Room) -> None:
    task = room.task(SLEEP, {"command": ["true"], "essential": False})
    while room.describe(task)["containers"][1]["lastStatus"] != "STOPPED":
        pass
    assert room.refusal(task, container="c1") == (INVALID, NOT_ENABLED)


def test_a_task_that_was_run_without_it(room: Room) -> None:
    role = room.role("tasks", Action=SSM, Resource="*")
    task = room.run(room.register(SLEEP, taskRoleArn=role))
    shown = room.until(task)
    assert not shown["enableExecuteCommand"] and "managedAgents" not in shown["containers"][0]
    assert room.refusal(task) == (INVALID, NOT_ENABLED)


def test_a_task_that_does_not_run_yet(room: Room) -> None:
    role = room.role("tasks", Action=SSM, Resource="*")
    (task,) = room.run_tasks(room.register(SLEEP, taskRoleArn=role), enableExecuteCommand=True)
    assert task["containers"][0]["managedAgents"] == [{"name": "ExecuteCommandAgent", "lastStatus": "PENDING"}]
    assert room.refusal(task["taskArn"]) == (INVALID, NOT_ENABLED)


def test_a_read_only_root(room: Room) -> None:
    task = room.task({**SLEEP, "readonlyRootFilesystem": True})
    (agent,) = room.describe(task)["containers"][0]["managedAgents"]
    assert agent["lastStatus"] == "STOPPED" and "read-only" in agent["reason"]
    assert room.refusal(task) == (INVALID, NOT_ENABLED)


@pytest.mark.parametrize("lacking", SSM)
def test_a_task_role_without_one_of_the_permissions(room: Room, lacking: str) -> None:
    task = room.task(actions=[each for each in SSM if each != lacking])
    assert room.refusal(task) == NOT_CONNECTED
    room.aws("iam").put_role_policy(
        RoleName="tasks", PolicyName="more",
        PolicyDocument='{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ssmmessages:*", "Resource": "*"}}',
    )  # fmt: skip
    room.ask(task)


def test_users_need_the_permission(room: Room) -> None:
    task = room.task()
    one = room.user(
        "one", {"Action": "ecs:ExecuteCommand", "Resource": [task, f"{task.split(':task/')[0]}:cluster/yard"]}
    )
    for clients, ok in ((one, True), (room.user("two", {"Action": "ecs:DescribeTasks", "Resource": "*"}), False)):
        given: dict[str, Any] = {"cluster": "yard", "task": task, "command": "ls", "interactive": True}
        if ok:
            clients("ecs").execute_command(**given)
        else:
            code, message = refused(clients("ecs").execute_command, **given)
            assert code == "AccessDeniedException"
            assert "is not authorized to perform: ecs:ExecuteCommand on resource: " in message


def test_users_may_be_held_to_a_container(room: Room) -> None:
    task = room.task(SLEEP, {**SLEEP, "essential": False})
    ecs = room.user("one", {
        "Action": "ecs:ExecuteCommand", "Resource": "*", "Condition": {"StringEquals": {"ecs:container-name": "c0"}},
    })("ecs")  # fmt: skip
    given: dict[str, Any] = {"cluster": "yard", "task": task, "command": "ls", "interactive": True}
    ecs.execute_command(**given, container="c0")
    assert refused(ecs.execute_command, **given, container="c1")[0] == "AccessDeniedException"


def test_there_must_be_a_task_role(room: Room) -> None:
    definition = room.register(SLEEP)
    given: dict[str, Any] = {"cluster": "yard", "taskDefinition": definition, "networkConfiguration": room.network}
    given |= {"launchType": "FARGATE", "enableExecuteCommand": True}
    assert refused(room.ecs.run_task, **given) == (INVALID, f"The task couldn't be started {NO_ROLE}")
    service = {**given, "serviceName": "web", "desiredCount": 0}
    assert refused(room.ecs.create_service, **service) == (INVALID, f"The service couldn't be created {NO_ROLE}")
    room.ecs.create_service(**{**service, "enableExecuteCommand": False})
    told = refused(room.ecs.update_service, cluster="yard", service="web", enableExecuteCommand=True)
    assert told == (INVALID, f"The service couldn't be updated {NO_ROLE}")
    shown = room.ecs.describe_services(cluster="yard", services=["web"])["services"][0]
    assert not shown["enableExecuteCommand"]


def test_the_platform_must_have_it(room: Room) -> None:
    definition = room.register(SLEEP, taskRoleArn=room.role("tasks"))
    given: dict[str, Any] = {"cluster": "yard", "taskDefinition": definition, "networkConfiguration": room.network}
    given |= {"launchType": "FARGATE", "platformVersion": "1.3.0", "enableExecuteCommand": True}
    assert refused(room.ecs.run_task, **given)[0] == "PlatformTaskDefinitionIncompatibilityException"


def test_a_service_gives_it_to_the_tasks_that_it_starts_from_then_on(yard: Yard, room: Room) -> None:
    definition = yard.register(SLEEP, family="web", taskRoleArn=yard.role("tasks", Action=SSM, Resource="*"))
    yard.create(definition)
    yard.steady()
    (before,) = yard.tasks()
    updated = yard.update(enableExecuteCommand=True)
    assert updated["enableExecuteCommand"] and len(updated["deployments"]) == 1, "no deployment of its own"
    assert yard.update(desiredCount=1)["enableExecuteCommand"], "what is not given stays"
    assert not yard.describe(before["taskArn"])["enableExecuteCommand"]
    yard.update(forceNewDeployment=True)
    yard.steady()
    (after,) = yard.tasks()
    assert after["enableExecuteCommand"]
    assert room.said(after["taskArn"], "echo it works") == "it works\n"
