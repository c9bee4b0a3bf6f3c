"""StartTask without container instances, and RunTask's further parameters: overrides, tags, lengths, launch types."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.ecs.story import Story

SLEEP = {"command": ["sleep", "300"], "stopTimeout": 2}
INVALID = "InvalidParameterException"
NO_INSTANCES = (INVALID, "No Container Instances were found in your cluster.")


def refused(call: Callable[..., Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_container_instances_that_are_not_there(story: Story) -> None:
    definition = story.register(SLEEP)
    arn = f"arn:aws:ecs:us-east-1:{story.account}:container-instance/yard/{'1' * 32}"
    network = {"awsvpcConfiguration": {"subnets": [story.subnet]}}
    answer = story.ecs.start_task(
        cluster="yard", taskDefinition=definition, containerInstances=["0" * 32, arn], networkConfiguration=network
    )
    prefix = f"arn:aws:ecs:us-east-1:{story.account}:container-instance/yard/"
    assert answer["tasks"] == []
    assert answer["failures"] == [{"arn": prefix + "0" * 32, "reason": "MISSING"}, {"arn": arn, "reason": "MISSING"}]
    assert story.ecs.list_tasks(cluster="yard")["taskArns"] == []


@pytest.mark.parametrize("given, code, words", [
    ({"containerInstances": []}, INVALID, "Container instances cannot be empty."),
    ({"containerInstances": [f"{n:032}" for n in range(11)]}, INVALID, "at most 10"),
    ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found."),
    ({"taskDefinition": "nobody"}, "ClientException", "TaskDefinition not found."),
    ({"startedBy": "x" * 129}, INVALID, "startedBy longer than 128."),
    ({"overrides": {"containerOverrides": [{"name": "x"}]}}, INVALID, "not a container in the TaskDefinition."),
    ({"enableExecuteCommand": True}, INVALID, "a valid taskRoleArn is not being used."),
])  # fmt: skip
def test_what_start_task_refuses(story: Story, given: dict[str, Any], code: str, words: str) -> None:
    base = {"cluster": "yard", "taskDefinition": story.register(SLEEP), "containerInstances": ["0" * 32]}
    found, message = refused(story.ecs.start_task, **(base | given))
    assert found == code
    assert words in message


def test_launch_types_that_need_instances(story: Story) -> None:
    story.ecs.register_task_definition(
        family="bridge", containerDefinitions=[{"name": "a", "image": "busybox", "memory": 64}]
    )
    run = story.ecs.run_task
    for given in ({}, {"launchType": "EC2"}, {"launchType": "EXTERNAL"}):
        assert refused(run, cluster="yard", taskDefinition="bridge", **given) == NO_INSTANCES
    spread = [{"type": "spread", "field": "instanceId"}]
    assert refused(run, cluster="yard", taskDefinition="bridge", placementStrategy=spread) == NO_INSTANCES
    assert refused(run, cluster="yard", taskDefinition="bridge", platformVersion="LATEST") == (
        INVALID, "The platform version must be null when specifying an EC2 launch type."
    )  # fmt: skip
    assert refused(run, cluster="yard", taskDefinition="bridge", launchType="OTHER")[0] == INVALID
    managed = refused(run, cluster="yard", taskDefinition="bridge", launchType="MANAGED_INSTANCES")
    assert managed[0] == "NotImplemented"
    assert story.ecs.list_tasks(cluster="yard")["taskArns"] == []


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("started by", {"startedBy": "x" * 129}, INVALID, "startedBy longer than 128."),
    ("started by whom", {"startedBy": "a b"}, INVALID, "startedBy"),
    ("token", {"clientToken": "x" * 65}, INVALID, "clientToken longer than 64."),
    ("reference", {"referenceId": "x" * 1025}, INVALID, "referenceId longer than 1024."),
    ("tags", {"tags": [{"key": "aws:x", "value": "1"}]}, INVALID, "aws:"),
    ("strategy", {"placementStrategy": [{"type": "random"}]}, INVALID,
     "Placement strategies are not supported with FARGATE launch type."),
    ("container memory", {"overrides": {"containerOverrides": [{"name": "c0", "memory": 513}]}}, INVALID,
     "'memory' setting for container 'c0' is greater than for task."),
    ("length", {"overrides": {"containerOverrides": [{"name": "c0", "command": ["x" * 8192]}]}}, INVALID,
     "Container Overrides length must be at most 8192"),
    ("old platform", {"platformVersion": "1.3.0", "overrides": {"ephemeralStorage": {"sizeInGiB": 30}}},
     "PlatformTaskDefinitionIncompatibilityException", "One or more of the requested capabilities are not supported."),
]  # fmt: skip


@pytest.mark.parametrize("given, code, words", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused_runs_nothing(story: Story, given: dict[str, Any], code: str, words: str) -> None:
    base = {"cluster": "yard", "launchType": "FARGATE", "networkConfiguration": story.network}
    found, message = refused(story.ecs.run_task, taskDefinition=story.register(SLEEP), **base, **given)
    assert (found, words in message) == (code, True), message
    assert story.ecs.list_tasks(cluster="yard")["taskArns"] == []


def test_overrides_of_sizes_are_shown_and_hold(story: Story) -> None:
    story.aws("logs").create_log_group(logGroupName="/yard")
    execution, task_role = story.execution_role(), story.role("task")
    container = {"command": ["sh", "-c", "echo $COLOUR"], "logConfiguration": story.logging(),
                 "environment": [{"name": "COLOUR", "value": "red"}], "memory": 128}  # fmt: skip
    definition = story.register(container, executionRoleArn=story.execution_role("other"))
    changed = {"name": "c0", "environment": [{"name": "COLOUR", "value": "blue"}], "memory": 200, "memoryReservation": 64,
               "cpu": 100}  # fmt: skip
    overrides = {"cpu": ".5 vCPU", "memory": "1 GB", "executionRoleArn": execution, "taskRoleArn": task_role,
                 "ephemeralStorage": {"sizeInGiB": 50}, "containerOverrides": [changed]}  # fmt: skip
    made = story.run_tasks(definition, overrides=overrides, startedBy="x/" * 64, referenceId="r" * 1024)[0]
    task = story.stopped(made["taskArn"])
    assert (task["cpu"], task["memory"]) == ("512", "1024")
    assert task["ephemeralStorage"] == {"sizeInGiB": 50}
    assert {name: task["overrides"][name] for name in overrides} == overrides
    shown = task["containers"][0]
    assert (shown["cpu"], shown["memory"], shown["memoryReservation"], shown["exitCode"]) == ("100", "200", "64", 0)
    assert story.lines(f"p/c0/{made['taskArn'].rpartition('/')[2]}") == ["blue"]


def test_storage_of_the_definition(story: Story) -> None:
    arn = story.run(story.register({"command": ["true"]}, ephemeralStorage={"sizeInGiB": 21}))
    assert story.stopped(arn)["ephemeralStorage"] == {"sizeInGiB": 21}


def test_filters_that_find_nothing(story: Story) -> None:
    arn = story.run(story.register({"command": ["true"]}))
    ecs = story.ecs
    assert ecs.list_tasks(cluster="yard", desiredStatus="PENDING")["taskArns"] == [], "as on AWS, never"
    assert refused(ecs.list_tasks, cluster="yard", containerInstance="0" * 32)[0] == INVALID
    assert refused(ecs.list_tasks, cluster="yard", launchType="OTHER")[0] == INVALID
    assert refused(ecs.list_tasks, cluster="yard", daemonName="d")[0] == "NotImplemented"
    assert refused(ecs.describe_tasks, cluster="yard", tasks=["0" * 32] * 101) == (
        INVALID, "taskIds can have at most 100 items."
    )  # fmt: skip
    story.stopped(arn)
    assert ecs.list_tasks(cluster="yard", family="nobody", desiredStatus="STOPPED")["taskArns"] == []


def test_awss_own_tags_stay(story: Story) -> None:
    arn = story.run(story.register({"command": ["true"]}), enableECSManagedTags=True)
    assert refused(story.ecs.untag_resource, resourceArn=arn, tagKeys=["aws:ecs:clusterName"])[0] == INVALID
    assert refused(story.ecs.tag_resource, resourceArn=arn, tags=[{"key": "AWS:x", "value": "1"}])[0] == INVALID
    story.stopped(arn)
    assert story.describe(arn, include=["TAGS"])["tags"] == [{"key": "aws:ecs:clusterName", "value": "yard"}]


def test_the_same_client_token_at_the_same_time(story: Story) -> None:
    """Two that come together, as when a client gives up waiting and sends its request again, run one task."""
    definition, subnet = story.register(SLEEP), story.subnet
    assert subnet
    with ThreadPoolExecutor(4) as pool:
        arns = {one.result() for one in [pool.submit(story.run, definition, clientToken="t") for _ in range(4)]}
    assert len(arns) == 1
    assert story.ecs.list_tasks(cluster="yard")["taskArns"] == list(arns)
    (arn,) = arns
    story.until(arn)
    story.stop(arn)
