"""ECS's pure decisions: identifiers, sizes, what a container runs, when a task ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.ecs import awslogs, registration, rules
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("text, units", [
    ("256", 256), ("1024", 1024), (".25 vCPU", 256), ("0.5vcpu", 512), ("1 VCPU", 1024), ("16 vCPU", 16384),
    ("", None), ("many", None), ("-256", None), ("1.5", None), ("1 GB", None), ("vCPU", None), ("1e3", None),
])  # fmt: skip
def test_cpu(text: str, units: int | None) -> None:
    assert rules.parse_cpu(text) == units


@pytest.mark.parametrize("text, mib", [
    ("512", 512), ("1 GB", 1024), (".5GB", 512), ("30gb", 30720), ("0.5 Gb", 512),
    ("", None), ("much", None), ("-1", None), ("1 MB", None), ("512.5", None), ("1 vCPU", None),
])  # fmt: skip
def test_memory(text: str, mib: int | None) -> None:
    assert rules.parse_memory(text) == mib


def test_fargate_sizes_are_those_of_the_documentation() -> None:
    """Counted from the table of "Amazon ECS task definition parameters for Fargate"."""
    assert {units: (len(sizes), sizes[0], sizes[-1]) for units, sizes in rules.FARGATE_SIZES.items()} == {
        256: (3, 512, 2048),
        512: (4, 1024, 4096),
        1024: (7, 2048, 8192),
        2048: (13, 4096, 16384),
        4096: (23, 8192, 30720),
        8192: (12, 16384, 61440),
        16384: (12, 32768, 122880),
    }


@pytest.mark.parametrize("cpu, memory", [(c, m) for c, sizes in rules.FARGATE_SIZES.items() for m in sizes])
def test_every_fargate_size_is_taken_in_both_spellings(cpu: int, memory: int) -> None:
    rules.check_fargate_size(str(cpu), str(memory))
    rules.check_fargate_size(f"{cpu / 1024} vCPU", f"{memory / 1024} GB")


@given(st.integers(1, 20000), st.integers(1, 130000))
def test_every_other_size_is_refused(cpu: int, memory: int) -> None:
    if memory in rules.FARGATE_SIZES.get(cpu, []):
        return
    with pytest.raises(AwsError) as caught:
        rules.check_fargate_size(str(cpu), str(memory))
    assert caught.value.code == "ClientException"
    assert f"{cpu} CPU, {memory} memory" in caught.value.message


@pytest.mark.parametrize(
    "cpu, memory, word", [(None, "512", "'cpu'"), ("256", None, "'memory'"), ("a", "512", "a CPU")]
)
def test_sizes_that_are_lacking_or_no_numbers(cpu: str | None, memory: str | None, word: str) -> None:
    with pytest.raises(AwsError) as caught:
        rules.check_fargate_size(cpu, memory)
    assert word in caught.value.message


@pytest.mark.parametrize("identifier, name", [
    (None, "default"), ("", "default"), ("yard", "yard"), ("arn:aws:ecs:us-east-1:123456789012:cluster/yard", "yard"),
])  # fmt: skip
def test_cluster_names(identifier: str | None, name: str) -> None:
    assert rules.cluster_name(identifier) == name


@pytest.mark.parametrize("identifier, family, revision", [
    ("web", "web", None), ("web:3", "web", 3), ("a-b_c:12", "a-b_c", 12),
    ("arn:aws:ecs:us-east-1:123456789012:task-definition/web:7", "web", 7),
    ("arn:aws:ecs:us-east-1:123456789012:task-definition/web", "web", None),
])  # fmt: skip
def test_definition_names(identifier: str, family: str, revision: int | None) -> None:
    assert rules.definition_name(identifier) == rules.DefinitionName(family, revision)


@pytest.mark.parametrize(
    "identifier", ["", ":", "web:", ":1", "web:x", "web:-1", "we b", "web:1:2", "x" * 256, "web:1\n"]
)
def test_what_names_no_definition(identifier: str) -> None:
    assert rules.definition_name(identifier) is None


def test_definitions_are_ordered_by_number() -> None:
    arns = [f"arn:aws:ecs:r:a:task-definition/{name}" for name in ("b:1", "a:10", "a:9")]
    assert [arn.rpartition("/")[2] for arn in sorted(arns, key=rules.definition_order)] == ["a:9", "a:10", "b:1"]


def test_task_ids() -> None:
    for identifier in ("abc", "arn:aws:ecs:r:1:task/abc", "arn:aws:ecs:r:1:task/yard/abc"):
        assert rules.task_id(identifier) == "abc"


IMAGE = (("/entry",), ("default",))


@pytest.mark.parametrize("definition, override, expected", [
    ({}, {}, ("/entry", "default")),
    ({"command": ["a", "b"]}, {}, ("/entry", "a", "b")),
    ({"command": ["a"]}, {"command": ["c"]}, ("/entry", "c")),
    ({}, {"command": ["c"]}, ("/entry", "c")),
    ({"entryPoint": ["sh"]}, {}, ("sh",)),
    ({"entryPoint": ["sh", "-c"], "command": ["a"]}, {}, ("sh", "-c", "a")),
    ({"entryPoint": ["sh", "-c"], "command": ["a"]}, {"command": ["b"]}, ("sh", "-c", "b")),
    ({"entryPoint": [], "command": []}, {"command": []}, ("/entry", "default")),
])  # fmt: skip
def test_what_a_container_runs(definition: dict[str, Any], override: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert rules.command(definition, override, *IMAGE) == expected


def test_environments_are_laid_over_one_another() -> None:
    definition = {"environment": [{"name": "A", "value": "definition"}, {"name": "B", "value": "definition"}]}
    override = {"environment": [{"name": "B", "value": "override"}, {"name": "D"}, {"value": "nameless"}]}
    assert rules.environment(definition, override) == {"A": "definition", "B": "override", "D": ""}
    assert rules.environment({}, {}) == {}


@pytest.mark.parametrize("definition, override, task, mib", [
    ({"memory": 64}, {}, "512", 64), ({}, {}, "512", 512), ({}, {}, "1 GB", 1024), ({}, {}, None, 0),
    ({"memory": 64}, {"memory": 32}, "512", 32), ({}, {}, "", 0),
])  # fmt: skip
def test_memory_of_a_container(definition: Any, override: Any, task: str | None, mib: int) -> None:
    assert rules.container_memory(definition, override, task) == mib << 20


@dataclass
class Piece:
    essential: bool
    status: str


@pytest.mark.parametrize("pieces, ended", [
    ([], False), ([(True, "RUNNING")], False), ([(True, "STOPPED")], True), ([(False, "STOPPED")], False),
    ([(True, "RUNNING"), (True, "STOPPED")], True), ([(True, "PENDING"), (False, "STOPPED")], False),
])  # fmt: skip
def test_when_a_task_ends(pieces: list[tuple[bool, str]], ended: bool) -> None:
    assert rules.essential_ended([Piece(*piece) for piece in pieces]) is ended


def test_a_document_does_not_touch_what_was_given() -> None:
    container = {"name": "a", "image": "x", "portMappings": [{"containerPort": 1}]}
    params = {"family": "f", "containerDefinitions": [container], "networkMode": "awsvpc", "tags": [{"key": "a"}]}
    shown = registration.document(params)
    assert container == {"name": "a", "image": "x", "portMappings": [{"containerPort": 1}]}
    assert "tags" not in shown
    assert shown["containerDefinitions"][0]["portMappings"][0]["hostPort"] == 1


def test_the_reason_names_the_error() -> None:
    reason = awslogs.failure_reason(AwsError("AccessDeniedException", "User: x is not authorized"))
    assert reason.startswith("ResourceInitializationError: ")
    assert "AccessDeniedException: User: x is not authorized" in reason
