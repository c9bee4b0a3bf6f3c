"""What RunTask and StartTask may override of a task definition. Pure.

Source: API reference of TaskOverride and ContainerOverride. The messages marked with (?) say the same in our words and
are to be compared with AWS.
"""

from __future__ import annotations

import json
from typing import Any

from drydock.errors import AwsError
from drydock.services.ecs import rules
from drydock.services.ecs.injected import LONGEST_FILES, BadReference, file_location
from drydock.services.ecs.model import TaskDefinition
from drydock.services.ecs.registration import LARGEST_STORAGE, SMALLEST_STORAGE
from drydock.services.ecs.rules import invalid

LONGEST = 8192
"""Characters of all container overrides, written as JSON"""
SMALLEST_MEMORY = 6
"""MiB of a container"""
_LACKING = ("resourceRequirements",)
"""Of a container's override: parameters that AWS has and we would not act on"""

Overrides = dict[str, Any]


def check(overrides: Overrides, definition: TaskDefinition, fargate: bool) -> None:
    """Raises AwsError for what AWS refuses, NotImplemented (501) for what we do not do."""
    if overrides.get("inferenceAcceleratorOverrides"):
        raise _lacking("inferenceAcceleratorOverrides")
    containers: list[dict[str, Any]] = overrides.get("containerOverrides", [])
    if len(json.dumps(containers, separators=(",", ":"))) > LONGEST:
        raise invalid(f"Container Overrides length must be at most {LONGEST}")
    names = {container["name"] for container in definition.containers}
    for override in containers:
        if not override.get("name"):
            raise invalid("Override for container must specify a container name.")  # (?)
        if override["name"] not in names:
            raise invalid(f"Override for container named {override['name']} is not a container in the TaskDefinition.")
        for member in _LACKING:
            if override.get(member):
                raise _lacking(member)
        _check_files(override)
    cpu, memory = size(overrides, definition)
    if fargate and (overrides.get("cpu") or overrides.get("memory")):
        rules.check_fargate_size(cpu, memory)
    _check_sizes(containers, definition, int(cpu or 0), int(memory or 0))
    storage = overrides.get("ephemeralStorage", {}).get("sizeInGiB")
    if storage is not None and not SMALLEST_STORAGE <= storage <= LARGEST_STORAGE:
        raise invalid(f"The ephemeral storage must be between {SMALLEST_STORAGE} and {LARGEST_STORAGE} GiB.")  # (?)


def _check_sizes(containers: list[dict[str, Any]], definition: TaskDefinition, cpu: int, memory: int) -> None:
    """``cpu`` in units and ``memory`` in MiB are the task's; 0 where it has none."""
    together = 0
    for document in definition.containers:
        name = document["name"]
        shown = limits(document, override_of(containers, name))
        hard, soft = shown.get("memory"), shown.get("memoryReservation")
        if any(value is not None and value < SMALLEST_MEMORY for value in (hard, soft)):
            raise invalid(f"Memory for container '{name}' must be at least {SMALLEST_MEMORY} MiB.")  # (?)
        if hard and soft and soft > hard:
            raise invalid(f"'memoryReservation' setting for container '{name}' is greater than its 'memory'.")  # (?)
        for member, value in (("memory", hard), ("memoryReservation", soft)):
            if memory and value and value > memory:
                raise invalid(f"'{member}' setting for container '{name}' is greater than for task.")
        if shown.get("cpu", 0) < 0:
            raise invalid(f"Invalid 'cpu' setting for container '{name}'.")  # (?)
        together += shown.get("cpu", 0)
    if cpu and together > cpu:
        raise invalid("The total of the containers' 'cpu' settings is greater than for task.")  # (?)


def _check_files(override: dict[str, Any]) -> None:
    files = override.get("environmentFiles", [])
    if len(files) > LONGEST_FILES:
        raise invalid(f"There can be at most {LONGEST_FILES} environment files.")  # (?)
    for file in files:
        try:
            file_location(file["value"])
        except BadReference as error:
            raise invalid(f"Invalid environment file for container '{override['name']}': {error}") from error  # (?)


def with_files(document: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """A container's definition with the environment files that it really gets: the override's replace all others."""
    files = override.get("environmentFiles")
    return {**document, "environmentFiles": files} if files else document


def override_of(containers: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """That of one container; empty where it has none."""
    return next((override for override in containers if override.get("name") == name), {})


def limits(document: dict[str, Any], override: dict[str, Any]) -> dict[str, int]:
    """A container's cpu (units), memory and memoryReservation (MiB), as far as they are set."""
    found = {name: override.get(name, document.get(name)) for name in ("cpu", "memory", "memoryReservation")}
    return {name: value for name, value in found.items() if value is not None}


def size(overrides: Overrides, definition: TaskDefinition) -> tuple[str, str]:
    """The task's cpu in units and memory in MiB, as text; empty where it has none. Raises InvalidParameterException."""
    found = []
    for member, parse in (("cpu", rules.parse_cpu), ("memory", rules.parse_memory)):
        text = overrides.get(member) or definition.document.get(member) or ""
        number = parse(text) if text else None
        if text and number is None:
            raise invalid(f"Invalid '{member}' setting for task.")
        found.append("" if number is None else str(number))
    return found[0], found[1]


def _lacking(member: str) -> AwsError:
    return AwsError("NotImplemented", f"Drydock does not implement {member} of an override yet.", status=501)
