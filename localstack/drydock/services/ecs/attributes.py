"""Attributes of container instances, and which of them a task definition requires. Pure.

Sources: "Amazon ECS container instance attributes", the agent's capabilities, and task definitions as
DescribeTaskDefinition shows them. The messages marked with (?) say the same in our words.
"""

from __future__ import annotations

import re
from typing import Any

from drydock.services.ecs.rules import invalid

LONGEST = 128
AGENT_ATTRIBUTES: dict[str, str] = {
    "ecs.cpu-architecture": "x86_64",
    "ecs.os-type": "linux",
    "ecs.os-family": "LINUX",
    "ecs.capability.task-eni": "",
    "ecs.capability.task-cpu-mem-limit": "",
    "ecs.capability.container-health-check": "",
    "ecs.capability.container-ordering": "",
    "ecs.capability.container-restart-policy": "",
    "ecs.capability.env-files.s3": "",
    "ecs.capability.execution-role-awslogs": "",
    "ecs.capability.execution-role-ecr-pull": "",
    "ecs.capability.secrets.asm.environment-variables": "",
    "ecs.capability.secrets.ssm.environment-variables": "",
    "com.amazonaws.ecs.capability.ecr-auth": "",
    "com.amazonaws.ecs.capability.logging-driver.awslogs": "",
    "com.amazonaws.ecs.capability.task-iam-role": "",
    "com.amazonaws.ecs.capability.task-iam-role-network-host": "",
    **{f"com.amazonaws.ecs.capability.docker-remote-api.1.{minor}": "" for minor in range(17, 45)},
}
"""What an agent of ours can do"""


def check_attribute(attribute: dict[str, Any]) -> None:
    """Raises InvalidParameterException."""
    if not re.fullmatch(r"[A-Za-z0-9_.\-/\\]{1,128}", attribute["name"]):
        raise invalid(f"Invalid attribute name '{attribute['name']}'.")  # (?)
    value = attribute.get("value", "")
    if len(value) > LONGEST or not re.fullmatch(r"[A-Za-z0-9_.\-/\\@: ]*", value):
        raise invalid(f"Invalid value of the attribute '{attribute['name']}'.")  # (?)


def required(params: dict[str, Any]) -> list[str]:
    """By a task definition, in the order in which they are first needed."""
    found: list[str] = []
    containers = params["containerDefinitions"]
    execution = bool(params.get("executionRoleArn"))
    if any((c.get("logConfiguration") or {}).get("logDriver") == "awslogs" for c in containers):
        found += ["com.amazonaws.ecs.capability.logging-driver.awslogs"]
        found += ["ecs.capability.execution-role-awslogs"] if execution else []
        found += ["com.amazonaws.ecs.capability.docker-remote-api.1.19"]
    if any(".dkr.ecr." in c.get("image", "") for c in containers):
        found += ["com.amazonaws.ecs.capability.ecr-auth", "com.amazonaws.ecs.capability.docker-remote-api.1.19"]
        found += ["ecs.capability.execution-role-ecr-pull"] if execution else []
    if any(c.get("memoryReservation") for c in containers):
        found.append("com.amazonaws.ecs.capability.docker-remote-api.1.21")
    if params.get("taskRoleArn"):
        found.append("com.amazonaws.ecs.capability.task-iam-role")
        if params.get("networkMode") == "host":
            found.append("com.amazonaws.ecs.capability.task-iam-role-network-host")
    found.append("com.amazonaws.ecs.capability.docker-remote-api.1.18")
    if params.get("networkMode") == "awsvpc":
        found.append("ecs.capability.task-eni")
    if params.get("cpu") or params.get("memory"):
        found.append("ecs.capability.task-cpu-mem-limit")
    for member, name in (
        ("healthCheck", "container-health-check"),
        ("dependsOn", "container-ordering"),
        ("environmentFiles", "env-files.s3"),
        ("restartPolicy", "container-restart-policy"),
    ):
        if any(c.get(member) for c in containers):
            found.append(f"ecs.capability.{name}")
    for secret in (secret for c in containers for secret in c.get("secrets", [])):
        kind = "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"
        found.append(f"ecs.capability.secrets.{kind}.environment-variables")
    return list(dict.fromkeys(found))
