"""Attributes of container instances, and which of them a task definition requires."""

from __future__ import annotations

from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.ecs.attributes import AGENT_ATTRIBUTES, check_attribute, required

ECR = "000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1"
AWSLOGS = {"logDriver": "awslogs", "options": {}}
REMOTE = "com.amazonaws.ecs.capability.docker-remote-api.1."


def container(**given: Any) -> dict[str, Any]:
    return {"name": "a", "image": "busybox", **given}


def needed(*containers: dict[str, Any], **given: Any) -> list[str]:
    return required({"containerDefinitions": list(containers or [container()]), **given})


@pytest.mark.parametrize("name, value", [
    ("stack", "prod"), ("ecs.custom_1-2", "a b"), ("org/rack", "x/y:z@1.0\\2"), ("n" * 128, "v" * 128), ("flag", ""),
])  # fmt: skip
def test_attributes_that_are_taken(name: str, value: str) -> None:
    check_attribute({"name": name, "value": value})


@pytest.mark.parametrize("name, value", [
    ("", "x"), ("a b", "x"), ("n" * 129, "x"), ("a:b", "x"), ("a", "v" * 129), ("a", "ü"), ("a", "x\n"), ("a\n", "x"),
    ("a", "x$"),
])  # fmt: skip
def test_attributes_that_are_refused(name: str, value: str) -> None:
    with pytest.raises(AwsError) as caught:
        check_attribute({"name": name, "value": value})
    assert caught.value.code == "InvalidParameterException"


def test_an_attribute_may_have_no_value() -> None:
    check_attribute({"name": "flag"})


@pytest.mark.parametrize("containers, given, expected", [
    ([], {}, {REMOTE + "18"}),
    ([container(logConfiguration=AWSLOGS)], {}, {"com.amazonaws.ecs.capability.logging-driver.awslogs", REMOTE + "19"}),
    ([container(logConfiguration=AWSLOGS)], {"executionRoleArn": "r"}, {"ecs.capability.execution-role-awslogs"}),
    ([container(image=ECR)], {}, {"com.amazonaws.ecs.capability.ecr-auth", REMOTE + "19"}),
    ([container(image=ECR)], {"executionRoleArn": "r"}, {"ecs.capability.execution-role-ecr-pull"}),
    ([container(memoryReservation=64)], {}, {REMOTE + "21"}),
    ([], {"taskRoleArn": "r"}, {"com.amazonaws.ecs.capability.task-iam-role"}),
    ([], {"taskRoleArn": "r", "networkMode": "host"}, {"com.amazonaws.ecs.capability.task-iam-role-network-host"}),
    ([], {"networkMode": "awsvpc"}, {"ecs.capability.task-eni"}),
    ([], {"cpu": "256"}, {"ecs.capability.task-cpu-mem-limit"}),
    ([container(healthCheck={"command": ["CMD", "true"]})], {}, {"ecs.capability.container-health-check"}),
    ([container(), container(dependsOn=[{"containerName": "a", "condition": "START"}])], {},
     {"ecs.capability.container-ordering"}),
    ([container(environmentFiles=[{"type": "s3", "value": "x"}])], {}, {"ecs.capability.env-files.s3"}),
    ([container(secrets=[{"name": "n", "valueFrom": "arn:aws:secretsmanager:us-east-1:0:secret:x"}])], {},
     {"ecs.capability.secrets.asm.environment-variables"}),
    ([container(secrets=[{"name": "n", "valueFrom": "param"}])], {}, {"ecs.capability.secrets.ssm.environment-variables"}),
])  # fmt: skip
def test_what_a_definition_requires(
    containers: list[dict[str, Any]], given: dict[str, Any], expected: set[str]
) -> None:
    found = needed(*containers, **given)
    assert expected <= set(found)
    assert len(found) == len(set(found)), "each once"
    assert set(found) <= set(AGENT_ATTRIBUTES), "an agent of ours has it all"


def test_the_order_that_aws_shows() -> None:
    """As in DescribeTaskDefinition of an awsvpc definition with logs and an image of ECR."""
    found = needed(
        container(image=ECR, logConfiguration=AWSLOGS), executionRoleArn="r", taskRoleArn="t", networkMode="awsvpc"
    )
    assert found == [
        "com.amazonaws.ecs.capability.logging-driver.awslogs", "ecs.capability.execution-role-awslogs", REMOTE + "19",
        "com.amazonaws.ecs.capability.ecr-auth", "ecs.capability.execution-role-ecr-pull",
        "com.amazonaws.ecs.capability.task-iam-role", REMOTE + "18", "ecs.capability.task-eni",
    ]  # fmt: skip
