"""``/etc/ecs/ecs.config`` and what follows from it for the registration. Pure.

Source: "Amazon ECS container agent configuration" and the agent's own documentation of its variables.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from drydock.services.ec2.model import Machine
from drydock.services.ec2.types import TYPES

AGENT_VERSION, AGENT_HASH, DOCKER_VERSION = "1.107.0", "drydock0", "DockerVersion: 25.0.16"
"""What the agent says it is: Drydock's stand-in for that release"""
RESERVED_PORTS = ("22", "2375", "2376", "51678", "51679")
_PLAIN_CAPABILITIES = (
    *(f"docker-remote-api.1.{number}" for number in range(17, 45)),
    *("logging-driver.awslogs", "logging-driver.json-file", "logging-driver.none"),
    *("task-iam-role", "task-iam-role-network-host", "ecr-auth", "privileged-container"),
)
_CAPABILITIES = (
    *("execution-role-awslogs", "execution-role-ecr-pull", "container-health-check", "container-ordering"),
    *("secrets.asm.environment-variables", "secrets.ssm.environment-variables", "env-files.s3", "task-eni"),
    *("task-cpu-mem-limit", "docker-plugin.local", "aws-appmesh", "container-restart-policy"),
)


@dataclass(frozen=True)
class AgentConfig:
    """What the file says. ``warnings`` are the agent's own, for its log."""

    cluster: str = ""
    """Empty: ``default``, which the agent makes if it is missing"""
    attributes: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    tags_from_instance: bool = False
    reserved_memory: int = 0
    """MiB"""
    ports: tuple[str, ...] = RESERVED_PORTS
    udp_ports: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def variables(text: str) -> dict[str, str]:
    """``NAME=value`` lines, the last of a name counts; what begins with ``#`` is left out, nothing is unquoted."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = value.strip()
    return found


def parse(text: str) -> AgentConfig:
    """Whatever stands in the file: what the agent cannot use is a warning, and counts as not given."""
    given, warnings = variables(text), list[str]()

    def of_json(name: str, kind: type, what: str) -> Any:
        value = given.get(name, "")
        if not value:
            return None
        try:
            found = json.loads(value)
        except (ValueError, RecursionError) as error:
            warnings.append(f"Invalid format for {name}. Expected a json {what}: {error}")
            return None
        if not isinstance(found, kind):
            warnings.append(f"Invalid format for {name}. Expected a json {what}: {value}")
            return None
        return found

    def hash_of(name: str) -> dict[str, str]:
        return {str(key): str(value) for key, value in (of_json(name, dict, "hash") or {}).items()}

    def ports_of(name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        found = of_json(name, list, "array")
        return default if found is None else tuple(str(port) for port in found)

    reserved = given.get("ECS_RESERVED_MEMORY", "")
    if reserved and not reserved.isdigit():
        warnings.append(f"Invalid format for ECS_RESERVED_MEMORY, expected unsigned integer: {reserved}")
    return AgentConfig(
        given.get("ECS_CLUSTER", ""),
        hash_of("ECS_INSTANCE_ATTRIBUTES"),
        hash_of("ECS_CONTAINER_INSTANCE_TAGS"),
        given.get("ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM", "").lower() == "ec2_instance",
        int(reserved) if reserved.isdigit() else 0,
        ports_of("ECS_RESERVED_PORTS", RESERVED_PORTS),
        ports_of("ECS_RESERVED_PORTS_UDP", ()),
        tuple(warnings),
    )


def registration(config: AgentConfig, machine: Machine, document: dict[str, Any]) -> dict[str, Any]:
    """RegisterContainerInstance's parameters. ``document`` is the instance identity document."""
    has = TYPES.get(machine.instance_type)
    vcpus, memory = (has.vcpus, has.seen_memory) if has else (1, 512)
    tags = {
        **({k: v for k, v in machine.tags.items() if not k.startswith("aws:")} if config.tags_from_instance else {})
    }
    tags |= config.tags
    params: dict[str, Any] = {
        "cluster": config.cluster or "default",
        "instanceIdentityDocument": json.dumps(document, indent=2),
        "instanceIdentityDocumentSignature": "drydock",
        "totalResources": [
            {"name": "CPU", "type": "INTEGER", "integerValue": vcpus * 1024},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": max(memory - config.reserved_memory, 0)},
            {"name": "PORTS", "type": "STRINGSET", "stringSetValue": list(config.ports)},
            {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": list(config.udp_ports)},
        ],
        "versionInfo": {"agentVersion": AGENT_VERSION, "agentHash": AGENT_HASH, "dockerVersion": DOCKER_VERSION},
        "attributes": attributes(config, machine),
    }
    if machine.container_instance_arn:
        params["containerInstanceArn"] = machine.container_instance_arn
    if tags:
        params["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
    return params


def attributes(config: AgentConfig, machine: Machine) -> list[dict[str, str]]:
    """What the instance can do, where it is, and what the file adds."""
    found: list[dict[str, str]] = [{"name": f"com.amazonaws.ecs.capability.{each}"} for each in _PLAIN_CAPABILITIES]
    found += [{"name": f"ecs.capability.{each}"} for each in _CAPABILITIES]
    facts = {
        "ecs.ami-id": machine.image_id,
        "ecs.availability-zone": machine.availability_zone,
        "ecs.instance-type": machine.instance_type,
        "ecs.vpc-id": machine.vpc_id,
        "ecs.subnet-id": machine.subnet_id,
        "ecs.os-type": "linux",
        "ecs.os-family": "LINUX",
        "ecs.cpu-architecture": machine.architecture,
        **config.attributes,
    }
    return found + [{"name": name, "value": value} for name, value in facts.items()]
