"""Pure decisions about identifiers, task sizes and the end of tasks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from drydock.errors import AwsError

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")

FARGATE_SIZES: dict[int, list[int]] = {
    256: [512, 1024, 2048],
    512: list(range(1024, 4096 + 1, 1024)),
    1024: list(range(2048, 8192 + 1, 1024)),
    2048: list(range(4096, 16384 + 1, 1024)),
    4096: list(range(8192, 30720 + 1, 1024)),
    8192: list(range(16384, 61440 + 1, 4096)),
    16384: list(range(32768, 122880 + 1, 8192)),
}
"""CPU units -> MiB ("Amazon ECS task definition parameters for Fargate", task size)"""


def client_error(message: str) -> AwsError:
    """``ClientException``, what ECS answers to most bad input."""
    return AwsError("ClientException", message)


def invalid(message: str) -> AwsError:
    """``InvalidParameterException``"""
    return AwsError("InvalidParameterException", message)


def cluster_name(identifier: str | None) -> str:
    """From a name, an ARN, or nothing (``default``)."""
    if not identifier:
        return "default"
    return identifier.rpartition("cluster/")[2] if identifier.startswith("arn:") else identifier


def task_id(identifier: str) -> str:
    """From an id or an ARN (also the short form of before 2018)."""
    return identifier.rpartition("/")[2]


@dataclass(frozen=True)
class DefinitionName:
    """``family`` or ``family:revision``; revision None means the latest ACTIVE one."""

    family: str
    revision: int | None


def definition_name(identifier: str) -> DefinitionName | None:
    """From ``family``, ``family:revision`` or an ARN; None for what is none of them."""
    text = identifier.rpartition("task-definition/")[2] if identifier.startswith("arn:") else identifier
    family, colon, revision = text.partition(":")
    if not NAME.fullmatch(family) or (colon and not re.fullmatch(r"\d{1,9}", revision)):
        return None
    return DefinitionName(family, int(revision) if colon else None)


def definition_order(arn: str) -> tuple[str, int]:
    """The key by which lists of task definitions are sorted: family, then revision as a number."""
    name = definition_name(arn)
    return (name.family, name.revision or 0) if name else (arn, 0)


def parse_cpu(text: str) -> int | None:
    """CPU units from ``256``, ``.25 vCPU`` or ``1vcpu``; None for what is neither."""
    match = re.fullmatch(r"\s*(\d*\.?\d+)\s*vcpu\s*", text, re.IGNORECASE)
    if match:
        return int(float(match[1]) * 1024)
    return int(text) if re.fullmatch(r"\d{1,9}", text.strip()) else None


def parse_memory(text: str) -> int | None:
    """MiB from ``512``, ``1 GB`` or ``.5GB``; None for what is neither."""
    match = re.fullmatch(r"\s*(\d*\.?\d+)\s*gb\s*", text, re.IGNORECASE)
    if match:
        return int(float(match[1]) * 1024)
    return int(text) if re.fullmatch(r"\d{1,9}", text.strip()) else None


def check_fargate_size(cpu: str | None, memory: str | None) -> None:
    """Raises AwsError for a pair that Fargate does not have."""
    if not cpu:
        raise client_error("Fargate requires that 'cpu' be defined at the task level.")
    if not memory:
        raise client_error("Fargate requires that 'memory' be defined at the task level.")
    units, mib = parse_cpu(cpu), parse_memory(memory)
    if units is None or mib is None or mib not in FARGATE_SIZES.get(units, []):
        raise client_error(
            f"No Fargate configuration exists for given values: {units if units is not None else cpu} CPU, "
            f"{mib if mib is not None else memory} memory. See the Amazon ECS documentation for the valid values."
        )


def container_memory(definition: dict[str, Any], override: dict[str, Any], task_memory: str | None) -> int:
    """The hard limit of one container in bytes: its own ``memory`` or what overrides it, else the task's; 0 for none."""
    mib = override.get("memory") or definition.get("memory") or (parse_memory(task_memory) if task_memory else 0) or 0
    return int(mib) << 20


def command(definition: dict[str, Any], override: dict[str, Any], entrypoint: Any, default: Any) -> tuple[str, ...]:
    """What a container runs: the definition's entry point and command over the image's; a new entry point drops the
    image's command, as Docker does. An override replaces the command."""
    head = definition.get("entryPoint")
    tail = override.get("command") or definition.get("command")
    if head:
        return (*head, *(tail or ()))
    return (*entrypoint, *(tail or default))


def environment(definition: dict[str, Any], override: dict[str, Any]) -> dict[str, str]:
    """The definition's, then the override's."""
    env: dict[str, str] = {}
    for source in (definition, override):
        env |= {entry["name"]: entry.get("value", "") for entry in source.get("environment", []) if "name" in entry}
    return env


def essential_ended(containers: list[Any]) -> bool:
    """Whether the task must end because an essential container has."""
    return any(container.essential and container.status == "STOPPED" for container in containers)
