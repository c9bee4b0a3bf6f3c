"""Task definitions: what is filled in, what is refused, revisions and their end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.ecs.story import Story, marked_sleep

Aws = Callable[..., Any]
CONTAINER = {"name": "app", "image": "busybox"}
FARGATE = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}


def register(aws: Aws, *containers: dict[str, Any], family: str = "web", **given: Any) -> dict[str, Any]:
    answer = aws("ecs").register_task_definition(
        **({**FARGATE, "family": family, "containerDefinitions": list(containers) or [CONTAINER]} | given)
    )
    return dict(answer["taskDefinition"])


def refused(call: Callable[..., Any], *given: Any, **named: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(*given, **named)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_defaults_are_filled_in(aws: Aws, account: str) -> None:
    shown = register(aws, {**CONTAINER, "portMappings": [{"containerPort": 80}]})
    assert shown["taskDefinitionArn"] == f"arn:aws:ecs:us-east-1:{account}:task-definition/web:1"
    assert (shown["family"], shown["revision"], shown["status"]) == ("web", 1, "ACTIVE")
    assert shown["compatibilities"] == ["EC2", "FARGATE"]
    assert shown["requiresCompatibilities"] == ["FARGATE"]
    assert shown["volumes"] == shown["placementConstraints"] == []
    assert isinstance(shown["registeredAt"], datetime)
    assert shown["registeredBy"] == f"arn:aws:iam::{account}:root"
    assert shown["containerDefinitions"] == [
        {
            "name": "app", "image": "busybox", "cpu": 0, "essential": True, "environment": [], "mountPoints": [],
            "volumesFrom": [], "systemControls": [],
            "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
        }
    ]  # fmt: skip
    described = aws("ecs").describe_task_definition(taskDefinition="web")["taskDefinition"]
    assert described == shown


def test_sizes_are_normalised(aws: Aws) -> None:
    shown = register(aws, cpu=".5 vCPU", memory="1GB")
    assert (shown["cpu"], shown["memory"]) == ("512", "1024")


def test_the_ec2_form_is_registered_too(aws: Aws) -> None:
    shown = aws("ecs").register_task_definition(
        family="ec2", containerDefinitions=[{**CONTAINER, "memory": 128, "portMappings": [{"containerPort": 80}]}]
    )["taskDefinition"]
    assert shown["compatibilities"] == ["EC2"]
    assert shown["networkMode"] == "bridge"
    assert shown["containerDefinitions"][0]["portMappings"] == [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]


def test_revisions(aws: Aws) -> None:
    ecs = aws("ecs")
    for number in (1, 2, 3):
        assert register(aws)["revision"] == number
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["revision"] == 3
    assert ecs.describe_task_definition(taskDefinition="web:2")["taskDefinition"]["revision"] == 2
    gone = ecs.deregister_task_definition(taskDefinition="web:3")["taskDefinition"]
    assert gone["status"] == "INACTIVE"
    assert isinstance(gone["deregisteredAt"], datetime)
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["revision"] == 2
    assert ecs.describe_task_definition(taskDefinition="web:3")["taskDefinition"]["status"] == "INACTIVE"
    assert register(aws)["revision"] == 4


def test_a_deleted_revision_is_never_given_again(aws: Aws) -> None:
    """As the API reference of DeleteTaskDefinitions says: "the revision is incremented the next time"."""
    ecs = aws("ecs")
    register(aws)
    arn = register(aws)["taskDefinitionArn"]
    ecs.deregister_task_definition(taskDefinition=arn)
    deleted = ecs.delete_task_definitions(taskDefinitions=[arn])
    assert [one["status"] for one in deleted["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert deleted["failures"] == []
    assert refused(ecs.describe_task_definition, taskDefinition=arn)[0] == "ClientException"
    assert register(aws)["revision"] == 3


def test_only_what_is_inactive_is_deleted(aws: Aws) -> None:
    ecs = aws("ecs")
    arn = register(aws)["taskDefinitionArn"]
    answer = ecs.delete_task_definitions(taskDefinitions=["web:1", "web:9"])
    assert answer["taskDefinitions"] == []
    assert [failure["arn"] for failure in answer["failures"]] == [arn, "web:9"]
    assert "still in ACTIVE status" in answer["failures"][0]["reason"]
    assert ecs.describe_task_definition(taskDefinition="web:1")["taskDefinition"]["status"] == "ACTIVE"
    assert refused(ecs.delete_task_definitions, taskDefinitions=["web:1"] * 11)[0] == "InvalidParameterException"


def test_a_task_keeps_its_deleted_definition_until_it_has_stopped(story: Story) -> None:
    command, _ = marked_sleep()
    definition = story.register({"command": command, "stopTimeout": 2})
    arn = story.run(definition)
    story.until(arn)
    story.ecs.deregister_task_definition(taskDefinition=definition)
    story.ecs.delete_task_definitions(taskDefinitions=[definition])
    shown = story.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert shown["status"] == "DELETE_IN_PROGRESS"
    assert story.describe(arn)["lastStatus"] == "RUNNING"
    assert refused(story.run, definition) == ("ClientException", "TaskDefinition is inactive")
    assert story.stop(arn)["taskDefinitionArn"] == definition
    assert refused(story.ecs.describe_task_definition, taskDefinition=definition)[0] == "ClientException"


def test_deregister_wants_a_revision(aws: Aws) -> None:
    register(aws)
    assert refused(aws("ecs").deregister_task_definition, taskDefinition="web")[0] == "ClientException"
    assert refused(aws("ecs").deregister_task_definition, taskDefinition="web:7")[0] == "ClientException"
    assert refused(aws("ecs").describe_task_definition, taskDefinition="other") == (
        "ClientException", "Unable to describe task definition."
    )  # fmt: skip


def test_lists_are_in_the_order_of_family_and_revision(aws: Aws) -> None:
    ecs = aws("ecs")
    for family in ("b", "a"):
        for _ in range(11):
            register(aws, family=family)

    def names(**given: Any) -> list[str]:
        return [arn.rpartition("/")[2] for arn in ecs.list_task_definitions(**given)["taskDefinitionArns"]]

    expected = [f"{family}:{number}" for family in "ab" for number in range(1, 12)]
    assert names() == expected, "the tenth revision comes after the ninth"
    assert names(sort="DESC") == expected[::-1]
    assert names(familyPrefix="a") == expected[:11]
    assert names(status="INACTIVE") == []
    for sort in ("ASC", "DESC"):
        pages = ecs.get_paginator("list_task_definitions").paginate(sort=sort, PaginationConfig={"PageSize": 4})
        found = [arn.rpartition("/")[2] for page in pages for arn in page["taskDefinitionArns"]]
        assert found == (expected if sort == "ASC" else expected[::-1])


def test_deregistering_page_by_page_leaves_none_out(aws: Aws) -> None:
    """How everybody cleans up."""
    ecs = aws("ecs")
    for _ in range(7):
        register(aws)
    for page in ecs.get_paginator("list_task_definitions").paginate(PaginationConfig={"PageSize": 3}):
        for arn in page["taskDefinitionArns"]:
            ecs.deregister_task_definition(taskDefinition=arn)
    assert ecs.list_task_definitions()["taskDefinitionArns"] == []


def test_families(aws: Aws) -> None:
    ecs = aws("ecs")
    for family in ("web-a", "web-b", "batch"):
        register(aws, family=family)
    ecs.deregister_task_definition(taskDefinition="web-b:1")
    assert ecs.list_task_definition_families()["families"] == ["batch", "web-a", "web-b"]
    assert ecs.list_task_definition_families(status="ACTIVE", familyPrefix="web")["families"] == ["web-a"]
    assert ecs.list_task_definition_families(status="INACTIVE")["families"] == ["web-b"]


def test_tags(aws: Aws) -> None:
    ecs = aws("ecs")
    arn = register(aws, tags=[{"key": "a", "value": "1"}])["taskDefinitionArn"]
    assert "tags" not in ecs.describe_task_definition(taskDefinition=arn)
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    found = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])["tags"]
    assert {tag["key"]: tag["value"] for tag in found} == {"a": "1", "b": "2"}


AWSLOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "us-east-1",
                                               "awslogs-stream-prefix": "p"}}  # fmt: skip
BAD: list[tuple[str, list[dict[str, Any]], dict[str, Any], str]] = [
    ("no container", [], {"containerDefinitions": []}, "Container list cannot be empty."),
    ("no name", [{"image": "x"}], {}, "Container.name should not be null or empty."),
    ("no image", [{"name": "x"}], {}, "Container.image should not be null or empty."),
    ("bad name", [{"name": "a b", "image": "x"}], {}, "Container.name contains invalid characters."),
    ("same name", [CONTAINER, CONTAINER], {}, "app"),
    ("none essential", [{**CONTAINER, "essential": False}], {}, "essential"),
    ("bad family", [], {"family": "a b"}, "Family contains invalid characters."),
    ("bridge on Fargate", [], {"networkMode": "bridge"}, "Fargate only supports network mode ‘awsvpc’."),
    ("no cpu", [], {"cpu": ""}, "Fargate requires that 'cpu' be defined at the task level."),
    ("no memory", [], {"memory": ""}, "Fargate requires that 'memory' be defined at the task level."),
    ("no such size", [], {"cpu": "256", "memory": "4096"},
     "No Fargate configuration exists for given values: 256 CPU, 4096 memory."),
    ("container over task", [{**CONTAINER, "memory": 1024}], {}, "app"),
    ("reservation over limit", [{**CONTAINER, "memory": 128, "memoryReservation": 256}], {}, "memoryReservation"),
    ("log without role", [{**CONTAINER, "logConfiguration": AWSLOGS}], {},
     "Fargate requires task definition to have execution role ARN to support log driver awslogs."),
]  # fmt: skip


@pytest.mark.parametrize("containers, given, words", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_aws_refuses(aws: Aws, containers: list[Any], given: dict[str, Any], words: str) -> None:
    code, message = refused(register, aws, *containers, **given)
    assert code == "ClientException"
    assert words in message
    assert aws("ecs").list_task_definitions()["taskDefinitionArns"] == []


def test_log_options_are_checked(aws: Aws, account: str) -> None:
    role = f"arn:aws:iam::{account}:role/any"
    for missing in AWSLOGS["options"]:
        options = {name: value for name, value in AWSLOGS["options"].items() if name != missing}  # type: ignore[attr-defined]
        container = {**CONTAINER, "logConfiguration": {"logDriver": "awslogs", "options": options}}
        assert missing in refused(register, aws, container, executionRoleArn=role)[1]


LACKING_OF_CONTAINER: dict[str, Any] = {
    "privileged": True, "hostname": "h", "disableNetworking": True, "interactive": True, "pseudoTerminal": True,
    "dnsSearchDomains": ["x"], "linuxParameters": {"sharedMemorySize": 64}, "logConfiguration": {"logDriver": "splunk"},
    "resourceRequirements": [{"type": "GPU", "value": "1"}], "dockerSecurityOptions": ["no-new-privileges"],
}  # fmt: skip
LACKING_OF_TASK: dict[str, Any] = {
    "pidMode": "task", "enableFaultInjection": True, "proxyConfiguration": {"containerName": "p"},
    "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},
}  # fmt: skip


@pytest.mark.parametrize("member", LACKING_OF_CONTAINER)
def test_parameters_of_a_container_that_are_lacking_are_not_ignored(aws: Aws, member: str) -> None:
    code, message = refused(register, aws, {**CONTAINER, member: LACKING_OF_CONTAINER[member]})
    assert code == "NotImplemented"
    assert "Drydock does not implement" in message
    assert aws("ecs").list_task_definitions()["taskDefinitionArns"] == []


@pytest.mark.parametrize("member", LACKING_OF_TASK)
def test_parameters_of_a_task_that_are_lacking_are_not_ignored(aws: Aws, member: str) -> None:
    assert refused(register, aws, **{member: LACKING_OF_TASK[member]})[0] == "NotImplemented"
