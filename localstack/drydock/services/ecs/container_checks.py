"""What RegisterTaskDefinition checks of containers: limits, ports, dependencies, health checks, volumes, secrets. Pure.

Source: the API reference of RegisterTaskDefinition and its types. AWS's messages where they are known; those marked with
(?) say the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.services.ecs import rules
from drydock.services.ecs.injected import BadReference, file_location, reference
from drydock.services.ecs.rules import client_error
from drydock.services.ecs.startup import CONDITIONS, find_cycle

_RANGES = {"interval": (5, 300), "timeout": (2, 120), "retries": (1, 10), "startPeriod": (0, 300)}
"""Of a health check ("HealthCheck")"""
_ULIMITS = frozenset(
    [
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    ]
)
LONGEST_STOP, SHORTEST_START = 120, 2


def check_all(params: dict[str, Any], fargate: bool) -> None:
    """Raises AwsError."""
    containers = params["containerDefinitions"]
    volumes = check_volumes(params)
    for container in containers:
        check_limits(container, params)
        check_ports(container, params)
        check_health(container)
        check_timeouts(container, fargate)
        check_ulimits(container, fargate)
        check_restart_policy(container)
        check_mounts(container, volumes, [c["name"] for c in containers])
        check_injected(container, params, fargate)
    check_dependencies(containers)


def invalid_setting(name: str, why: str) -> AwsError:
    """The form of many of ECS's messages."""
    return client_error(f"Invalid setting for container '{name}'. {why}")


def check_limits(container: dict[str, Any], params: dict[str, Any]) -> None:
    """Memory at one level, soft below hard, hard below the task's."""
    name, hard, soft = container["name"], container.get("memory"), container.get("memoryReservation")
    if not hard and not soft and not params.get("memory"):
        raise invalid_setting(name, "At least one of 'memory' or 'memoryReservation' must be specified.")
    for value, member in ((hard, "memory"), (soft, "memoryReservation")):
        if value is not None and value < 6:
            raise invalid_setting(name, f"'{member}' must be at least 6 MiB.")  # (?)
    if hard and soft and soft > hard:
        raise invalid_setting(name, "'memory' must be greater than or equal to 'memoryReservation'.")  # (?)
    total = rules.parse_memory(params["memory"]) if params.get("memory") else None
    if total and max(hard or 0, soft or 0) > total:
        raise invalid_setting(name, f"Its memory is larger than the task's memory of {total} MiB.")  # (?)
    units = rules.parse_cpu(params["cpu"]) if params.get("cpu") else None
    if units and sum(c.get("cpu", 0) for c in params["containerDefinitions"]) > units:
        raise client_error("The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.")


def check_ports(container: dict[str, Any], params: dict[str, Any]) -> None:
    """In awsvpc the host port is the container's; no host port twice within a task (a host port 0 is chosen later)."""
    mode = params.get("networkMode", "bridge")
    mappings = container.get("portMappings", [])
    if mappings and mode == "none":
        raise invalid_setting(container["name"], "Port mappings are not allowed when networkMode=none.")  # (?)
    for mapping in mappings:
        for member in ("containerPortRange", "appProtocol"):
            if mapping.get(member):
                raise AwsError("NotImplemented", f"Drydock does not implement {member} yet.", status=501)
        inside, outside = mapping.get("containerPort"), mapping.get("hostPort")
        if inside is None or not 0 < inside <= 65535:
            raise invalid_setting(container["name"], "'containerPort' must be between 1 and 65535.")  # (?)
        if outside is not None and not 0 <= outside <= 65535:
            raise invalid_setting(container["name"], "'hostPort' must be between 0 and 65535.")  # (?)
        if mode in ("awsvpc", "host") and outside not in (None, inside):
            raise client_error(
                f"When networkMode={mode}, the host ports and container ports in port mappings must match."
            )
        if mapping.get("protocol", "tcp") not in ("tcp", "udp"):
            raise invalid_setting(container["name"], "The protocol of a port mapping must be tcp or udp.")  # (?)
    used = [
        (mapping.get("hostPort") or (mapping["containerPort"] if mode in ("awsvpc", "host") else 0), protocol)
        for other in params["containerDefinitions"]
        for mapping in other.get("portMappings", [])
        if "containerPort" in mapping and (protocol := mapping.get("protocol", "tcp"))
    ]
    for port, protocol in used:
        if port and used.count((port, protocol)) > 1:
            raise client_error(f"{protocol.upper()} host port '{port}' is mapped multiple times in task.")


def check_health(container: dict[str, Any]) -> None:
    """A command, and numbers within their ranges."""
    document = container.get("healthCheck")
    if not document:
        return
    command = document.get("command") or []
    if not command or (command[0] in ("CMD", "CMD-SHELL") and len(command) < 2):
        raise invalid_setting(container["name"], "The health check has no command.")  # (?)
    for member, (low, high) in _RANGES.items():
        value = document.get(member)
        if value is not None and not low <= value <= high:
            raise invalid_setting(
                container["name"], f"The health check's {member} must be between {low} and {high}."
            )  # (?)


def check_timeouts(container: dict[str, Any], fargate: bool) -> None:
    """``stopTimeout`` (at most 120 s on Fargate) and ``startTimeout`` (at least 2 s)."""
    stop, start = container.get("stopTimeout"), container.get("startTimeout")
    if stop is not None and (stop < 0 or (fargate and stop > LONGEST_STOP)):
        raise invalid_setting(container["name"], f"'stopTimeout' must be between 0 and {LONGEST_STOP} seconds.")  # (?)
    if start is not None and (start < SHORTEST_START or (fargate and start > LONGEST_STOP)):
        raise invalid_setting(
            container["name"], f"'startTimeout' must be between {SHORTEST_START} and {LONGEST_STOP} seconds."
        )  # (?)


def check_ulimits(container: dict[str, Any], fargate: bool) -> None:
    """On Fargate only ``nofile`` may be set."""
    for limit in container.get("ulimits", []):
        name = limit["name"]
        if name not in _ULIMITS:
            raise invalid_setting(container["name"], f"Unknown ulimit {name}.")  # (?)
        if fargate and name != "nofile":
            raise invalid_setting(container["name"], "Fargate only supports the ulimit nofile.")  # (?)
        if limit["softLimit"] > limit["hardLimit"]:
            raise invalid_setting(container["name"], f"The soft limit of {name} is above the hard limit.")  # (?)


def check_restart_policy(container: dict[str, Any]) -> None:
    """``restartAttemptPeriod`` from 60 to 1800 s, at most 50 ignored exit codes ("ContainerRestartPolicy")."""
    policy = container.get("restartPolicy")
    if not policy:
        return
    period = policy.get("restartAttemptPeriod", 300)
    if not 60 <= period <= 1800:
        raise invalid_setting(container["name"], "'restartAttemptPeriod' must be between 60 and 1800 seconds.")  # (?)
    if len(policy.get("ignoredExitCodes", [])) > 50:
        raise invalid_setting(container["name"], "There can be at most 50 'ignoredExitCodes'.")  # (?)


def check_volumes(params: dict[str, Any]) -> set[str]:
    """The names of the task's volumes. Those that live outside the task are lacking, and said so."""
    names: list[str] = []
    for volume in params.get("volumes", []):
        name = volume.get("name", "")
        if not rules.NAME.fullmatch(name):
            raise client_error(f"Invalid volume name: {name}.")  # (?)
        if name in names:
            raise client_error(f"Duplicate volume name: {name}.")  # (?)
        for member in (
            "efsVolumeConfiguration",
            "fsxWindowsFileServerVolumeConfiguration",
            "dockerVolumeConfiguration",
        ):
            if volume.get(member):
                raise AwsError("NotImplemented", f"Drydock does not implement {member} yet.", status=501)
        if volume.get("configuredAtLaunch"):
            raise AwsError("NotImplemented", "Drydock does not implement volumes configured at launch yet.", status=501)
        if volume.get("host", {}).get("sourcePath"):
            if "FARGATE" in params.get("requiresCompatibilities", []):
                raise client_error("host.sourcePath should not be set for volumes in Fargate.")
            raise AwsError("NotImplemented", "Drydock does not implement host.sourcePath yet.", status=501)
        names.append(name)
    return set(names)


def check_mounts(container: dict[str, Any], volumes: set[str], containers: list[str]) -> None:
    """Mount points name volumes of the task, ``volumesFrom`` other containers of it."""
    for point in container.get("mountPoints", []):
        if point.get("sourceVolume") not in volumes:
            raise client_error(f"Unknown volume '{point.get('sourceVolume')}'.")
        if not str(point.get("containerPath", "")).startswith("/"):
            raise invalid_setting(
                container["name"], "'containerPath' of a mount point must be an absolute path."
            )  # (?)
    for source in container.get("volumesFrom", []):
        if source.get("sourceContainer") not in containers or source["sourceContainer"] == container["name"]:
            raise invalid_setting(container["name"], f"Unknown container '{source.get('sourceContainer')}'.")  # (?)


def check_injected(container: dict[str, Any], params: dict[str, Any], fargate: bool) -> None:
    """Secrets and environment files are read under the execution role, so there must be one."""
    secrets, files = container.get("secrets", []), container.get("environmentFiles", [])
    if secrets and fargate and not params.get("executionRoleArn"):
        raise client_error(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        )
    names = [entry["name"] for entry in container.get("environment", [])]
    for secret in secrets:
        if secret["name"] in names:
            raise client_error(
                f"The secret name must be unique and not shared with any new or existing environment variables set on the "
                f"container, such as '{secret['name']}'."
            )
        names.append(secret["name"])
        try:
            reference(secret["valueFrom"], "us-east-1")
        except BadReference as error:
            raise invalid_setting(container["name"], str(error)) from error  # (?)
    if len(files) > 10:
        raise invalid_setting(container["name"], "There can be at most 10 environment files.")  # (?)
    for file in files:
        if file.get("type") != "s3":
            raise invalid_setting(container["name"], "The type of an environment file must be s3.")  # (?)
        try:
            file_location(file["value"])
        except BadReference as error:
            raise invalid_setting(container["name"], str(error)) from error  # (?)


def check_dependencies(containers: list[dict[str, Any]]) -> None:
    """``dependsOn`` names containers of the task, in no circle, with conditions that can hold."""
    by_name = {container["name"]: container for container in containers}
    graph: dict[str, list[str]] = {}
    for container in containers:
        name = container["name"]
        for dependency in container.get("dependsOn", []):
            other, condition = dependency["containerName"], dependency["condition"]
            if other not in by_name:
                raise client_error(f"Cannot depend on container + '{other}' because it does not exist")
            if condition not in CONDITIONS:
                raise invalid_setting(name, f"Invalid condition '{condition}' of a container dependency.")  # (?)
            if condition in ("COMPLETE", "SUCCESS") and by_name[other].get("essential", True):
                raise client_error(
                    "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"
                )
            if condition == "HEALTHY" and not by_name[other].get("healthCheck"):
                raise invalid_setting(name, f"The container '{other}' has no health check to be HEALTHY by.")  # (?)
            graph.setdefault(name, []).append(other)
        for source in container.get("volumesFrom", []):
            graph.setdefault(name, []).append(source["sourceContainer"])
    cycle = find_cycle(graph)
    if cycle:
        raise client_error(f"The container dependencies form a cycle: {' -> '.join(cycle)}.")  # (?)
