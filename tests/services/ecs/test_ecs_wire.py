"""The answers as bytes: JSON whose members are those of AWS's model and no others (botocore would hide what is wrong)."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest

from tests.emulator_process import EmulatorProcess
from tests.services.ecs.story import Story

MODEL = botocore.session.get_session().get_service_model("ecs")
KINDS: dict[str, Any] = {
    "string": str, "integer": int, "long": int, "boolean": bool, "double": (int, float), "float": (int, float),
    "timestamp": (int, float),
}  # fmt: skip


def post(emulator: EmulatorProcess, account: str, operation: str, body: bytes) -> tuple[int, dict[str, str], Any]:
    day = datetime.now(UTC).strftime("%Y%m%d")
    signature = f"Credential={account}/{day}/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature={'0' * 64}"
    headers = {
        "X-Amz-Target": f"AmazonEC2ContainerServiceV20141113.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 {signature}",
    }
    request = urllib.request.Request(emulator.url + "/", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, lowered(answer.headers), json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, lowered(error.headers), json.load(error)


def lowered(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def departures(shape: Any, value: Any, path: str) -> list[str]:
    """Where ``value`` is not of its shape."""
    if shape.type_name == "structure":
        wrong = [f"{path}.{key} is no member" for key in value if key not in shape.members]
        for key in set(value) & set(shape.members):
            wrong += departures(shape.members[key], value[key], f"{path}.{key}")
        return wrong
    if shape.type_name == "list":
        return [fault for each in value for fault in departures(shape.member, each, f"{path}[]")]
    if shape.type_name == "map":
        return [fault for each in value.values() for fault in departures(shape.value, each, f"{path}{{}}")]
    right = isinstance(value, KINDS[shape.type_name]) and isinstance(value, bool) == (shape.type_name == "boolean")
    return [] if right else [f"{path} is {value!r}"]


def test_every_answer_has_the_members_of_the_model(story: Story, emulator: EmulatorProcess) -> None:
    story.aws("logs").create_log_group(logGroupName="/yard")
    container = {"command": ["sleep", "300"], "stopTimeout": 2, "logConfiguration": story.logging(),
                 "portMappings": [{"containerPort": 80}]}  # fmt: skip
    definition = story.register(container, family="web", executionRoleArn=story.execution_role())
    arn = story.run(definition)
    story.until(arn)
    extra = {"name": "x", "image": "busybox", "memory": 64}
    run = {"cluster": "yard", "taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": story.network}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("CreateCluster", {"clusterName": "other"}), ("ListClusters", {}),
        ("DescribeClusters", {"clusters": ["yard", "none"], "include": ["TAGS", "STATISTICS", "SETTINGS"]}),
        ("RegisterTaskDefinition", {"family": "more", "containerDefinitions": [extra]}),
        ("DescribeTaskDefinition", {"taskDefinition": "web", "include": ["TAGS"]}), ("ListTaskDefinitions", {}),
        ("ListTaskDefinitionFamilies", {}), ("RunTask", run), ("ListTasks", {"cluster": "yard"}),
        ("DescribeTasks", {"cluster": "yard", "tasks": [arn, "0" * 32], "include": ["TAGS"]}),
        ("TagResource", {"resourceArn": arn, "tags": [{"key": "a", "value": "b"}]}),
        ("ListTagsForResource", {"resourceArn": arn}),
        ("UntagResource", {"resourceArn": arn, "tagKeys": ["a"]}),
        ("StopTask", {"cluster": "yard", "task": arn}), ("DeleteCluster", {"cluster": "other"}),
        ("DeregisterTaskDefinition", {"taskDefinition": "more:1"}),
        ("DeleteTaskDefinitions", {"taskDefinitions": ["more:1", "none:1"]}),
    ]  # fmt: skip
    for operation, params in calls:
        status, headers, answer = post(emulator, story.account, operation, json.dumps(params).encode())
        assert status == 200, (operation, answer)
        assert headers["content-type"] == "application/x-amz-json-1.1"
        assert headers["x-amzn-requestid"]
        assert departures(MODEL.operation_model(operation).output_shape, answer, operation) == []
    for left in story.ecs.list_tasks(cluster="yard")["taskArns"]:
        story.ecs.stop_task(cluster="yard", task=left)
    for left in story.ecs.list_tasks(cluster="yard", desiredStatus="STOPPED")["taskArns"]:
        story.stopped(left)


@pytest.mark.parametrize("operation, body, status, code", [
    ("RunTask", b"{}", 400, "InvalidParameterException"),
    ("RunTask", b"{", 400, "SerializationException"),
    ("RunTask", b"[]", 400, "SerializationException"),
    ("DescribeTasks", b'{"tasks": "not a list"}', 400, "SerializationException"),
    ("NoSuchOperation", b"{}", 400, "UnknownOperationException"),
    ("ListServicesByNamespace", b'{"namespace": "n"}', 501, "NotImplemented"),
    ("DescribeTaskDefinition", b'{"taskDefinition": "x"}', 400, "ClientException"),
])  # fmt: skip
def test_errors_in_the_protocols_form(
    emulator: EmulatorProcess, account: str, operation: str, body: bytes, status: int, code: str
) -> None:
    found, headers, answer = post(emulator, account, operation, body)
    assert (found, answer["__type"].rpartition("#")[2]) == (status, code), answer
    assert headers["x-amzn-requestid"]
    assert "Traceback" not in json.dumps(answer)
