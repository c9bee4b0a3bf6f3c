"""/etc/ecs/ecs.config, and the registration that follows from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drydock.services.ec2.agent_config import RESERVED_PORTS, parse, registration, variables
from drydock.services.ec2.identity_document import identity_document
from drydock.services.ec2.model import Machine, is_ecs_optimized
from drydock.store import Scope

SCOPE = Scope("123456789012", "eu-west-1")


def machine(**given: Any) -> Machine:
    base: dict[str, Any] = {"image_id": "ami-1", "instance_type": "t3.medium", "private_address": "10.0.0.5",
                            "availability_zone": "eu-west-1a", "vpc_id": "vpc-1", "subnet_id": "subnet-1"}  # fmt: skip
    return Machine("i-1", **(base | given))


def params(text: str, **given: Any) -> dict[str, Any]:
    it = machine(**given)
    return registration(parse(text), it, identity_document(SCOPE, it))


def total(found: dict[str, Any], name: str) -> Any:
    entry = next(each for each in found["totalResources"] if each["name"] == name)
    return entry.get("integerValue", entry.get("stringSetValue"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("ECS_CLUSTER=web", {"ECS_CLUSTER": "web"}),
        ("ECS_CLUSTER=a\nECS_CLUSTER=b\n", {"ECS_CLUSTER": "b"}),
        ("# ECS_CLUSTER=x\n\n  ECS_CLUSTER = web  \r\n", {"ECS_CLUSTER": "web"}),
        ("no equals\n=nothing\n", {"": "nothing"}),
        ('ECS_INSTANCE_ATTRIBUTES={"a": "b=c"}', {"ECS_INSTANCE_ATTRIBUTES": '{"a": "b=c"}'}),
        ('ECS_CLUSTER="web"', {"ECS_CLUSTER": '"web"'}),
    ],
)
def test_lines(text: str, found: dict[str, str]) -> None:
    assert variables(text) == found


def test_nothing_given_is_the_default_cluster() -> None:
    found = params("")
    assert parse("").cluster == ""
    assert found["cluster"] == "default"
    assert total(found, "PORTS") == list(RESERVED_PORTS)
    assert total(found, "PORTS_UDP") == []
    assert "tags" not in found and "containerInstanceArn" not in found


def test_resources_are_the_type_s_as_linux_sees_them() -> None:
    found = params("ECS_CLUSTER=web")
    assert total(found, "CPU") == 2048
    assert 3600 < total(found, "MEMORY") < 4096


def test_memory_that_is_kept_back() -> None:
    assert total(params(""), "MEMORY") - total(params("ECS_RESERVED_MEMORY=256"), "MEMORY") == 256
    assert total(params("ECS_RESERVED_MEMORY=999999"), "MEMORY") == 0


def test_ports_that_are_kept_back() -> None:
    found = params("ECS_RESERVED_PORTS=[22, 8080]\nECS_RESERVED_PORTS_UDP=[53]")
    assert total(found, "PORTS") == ["22", "8080"]
    assert total(found, "PORTS_UDP") == ["53"]


def test_attributes_of_the_file_are_beside_those_of_the_instance() -> None:
    found = params('ECS_INSTANCE_ATTRIBUTES={"stack": "prod", "n": 1}')
    given = {each["name"]: each.get("value") for each in found["attributes"]}
    assert (given["stack"], given["n"]) == ("prod", "1")
    assert given["ecs.ami-id"] == "ami-1" and given["ecs.os-type"] == "linux"
    assert "com.amazonaws.ecs.capability.docker-remote-api.1.24" in given


def test_tags_of_the_file_and_of_the_instance() -> None:
    tags = {"Name": "web", "aws:autoscaling:groupName": "g"}
    assert params('ECS_CONTAINER_INSTANCE_TAGS={"a": "b"}', tags=tags)["tags"] == [{"key": "a", "value": "b"}]
    both = params("ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM=ec2_instance", tags=tags)
    assert both["tags"] == [{"key": "Name", "value": "web"}]


@pytest.mark.parametrize("name", ["ECS_INSTANCE_ATTRIBUTES", "ECS_CONTAINER_INSTANCE_TAGS", "ECS_RESERVED_PORTS"])
@pytest.mark.parametrize("value", ["{", "nonsense", "5", '"text"'])
def test_what_is_no_json_is_a_warning_and_not_there(name: str, value: str) -> None:
    config = parse(f"ECS_CLUSTER=web\n{name}={value}")
    assert config.cluster == "web"
    assert len(config.warnings) == 1 and config.warnings[0].startswith(f"Invalid format for {name}. Expected a json ")
    assert (config.attributes, config.tags, config.ports) == ({}, {}, RESERVED_PORTS)


@pytest.mark.parametrize("value", ["-5", "lots", "1.5"])
def test_memory_that_is_no_number(value: str) -> None:
    config = parse(f"ECS_RESERVED_MEMORY={value}")
    assert config.reserved_memory == 0 and len(config.warnings) == 1


def test_who_registered_before_says_so() -> None:
    assert params("", container_instance_arn="arn:x")["containerInstanceArn"] == "arn:x"


def test_the_identity_document() -> None:
    document = json.loads(params("")["instanceIdentityDocument"])
    assert document["instanceId"] == "i-1" and document["accountId"] == SCOPE.account
    assert document["privateIp"] == "10.0.0.5" and document["region"] == SCOPE.region


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("al2023-ami-ecs-hvm-2023.0.20260922-kernel-6.1-x86_64", True),
        ("amzn2-ami-ecs-hvm-2.0.20260924-x86_64-ebs", True),
        ("amzn-ami-2018.03.20250224-amazon-ecs-optimized", True),
        ("al2023-ami-2023.12.20260930.0-kernel-6.1-x86_64", False),
        ("", False),
    ],
)
def test_which_images_have_an_agent(name: str, answer: bool) -> None:
    assert is_ecs_optimized(name) is answer
