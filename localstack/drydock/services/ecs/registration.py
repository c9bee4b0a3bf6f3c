"""What RegisterTaskDefinition checks and fills in. Pure.

Sources: "Amazon ECS task definition parameters for Fargate", the API reference of RegisterTaskDefinition, and the
messages AWS answers with; those marked with (?) are to be compared with AWS.
"""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.services.ecs import attributes, container_checks, placement_rules, rules
from drydock.services.ecs.rules import client_error

_LACKING = {
    "firelensConfiguration": "FireLens", "repositoryCredentials": "private registries",
    "resourceRequirements": "GPUs", "systemControls": "system controls", "extraHosts": "extra hosts",
    "dnsServers": "DNS servers", "links": "links", "dnsSearchDomains": "DNS search domains", "hostname": "host names",
    "disableNetworking": "networking turned off", "privileged": "privileged containers", "interactive": "interactive",
    "pseudoTerminal": "pseudo terminals", "dockerSecurityOptions": "Docker security options",
    "credentialSpecs": "credential specs",
}  # fmt: skip
"""Parameters of a container that AWS has and we would not act on: refused, never ignored"""
_LACKING_OF_TASK = {
    "proxyConfiguration": "proxies", "inferenceAccelerators": "inference accelerators",
    "pidMode": "pid modes", "ipcMode": "ipc modes",
    "trustedExecutionConfiguration": "trusted execution", "enableFaultInjection": "fault injection",
}  # fmt: skip
_CHOICES = {
    "networkMode": ("bridge", "host", "awsvpc", "none"), "cpuArchitecture": ("X86_64", "ARM64"),
    "requiresCompatibilities": ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"),
}  # fmt: skip
SMALLEST_STORAGE, LARGEST_STORAGE = 21, 200
"""GiB of ephemeral storage that can be asked for on Fargate"""


def check(params: dict[str, Any]) -> None:
    """Raises AwsError for what AWS refuses, NotImplemented (501) for what we do not do."""
    if not rules.NAME.fullmatch(params["family"]):
        raise client_error("Family contains invalid characters.")
    for member, name in _LACKING_OF_TASK.items():
        if params.get(member):
            raise _lacking(f"{name} of a task definition")
    _check_choices(params)
    placement_rules.check_of_definition(params.get("placementConstraints", []))
    if params.get("runtimePlatform", {}).get("operatingSystemFamily", "LINUX") != "LINUX":
        raise _lacking("operating systems other than LINUX of a task definition")
    containers = params["containerDefinitions"]
    if not containers:
        raise client_error("Container list cannot be empty.")
    names = [container.get("name") for container in containers]
    for name in names:
        if not name:
            raise client_error("Container.name should not be null or empty.")
        if not rules.NAME.fullmatch(name):
            raise client_error("Container.name contains invalid characters.")
        if names.count(name) > 1:
            raise client_error(f"Duplicate container name: {name}.")
    if not any(container.get("essential", True) for container in containers):
        raise client_error("Task definition doesn't have any essential container.")
    fargate = "FARGATE" in params.get("requiresCompatibilities", [])
    if fargate:
        _check_fargate(params)
    else:
        _check_size(params)
    for container in containers:
        _check_container(container, params, fargate)
    container_checks.check_all(params, fargate)


def _check_choices(params: dict[str, Any]) -> None:
    chosen = [("networkMode", mode) for mode in [params.get("networkMode")] if mode is not None]
    chosen += [("requiresCompatibilities", each) for each in params.get("requiresCompatibilities", [])]
    architecture = params.get("runtimePlatform", {}).get("cpuArchitecture")
    chosen += [("cpuArchitecture", architecture)] if architecture is not None else []
    for member, value in chosen:
        if value not in _CHOICES[member]:
            raise client_error(f"'{value}' is not a valid value of '{member}': {', '.join(_CHOICES[member])}.")  # (?)


def _check_size(params: dict[str, Any]) -> None:
    """Outside Fargate the task's size is optional, but what is given must be a size."""
    for member, parse in (("cpu", rules.parse_cpu), ("memory", rules.parse_memory)):
        if params.get(member) and not parse(params[member]):
            raise client_error(
                f"Invalid '{member}' setting for task. For more information, see the Troubleshooting section of the "
                "Amazon ECS Developer Guide."
            )


def _lacking(what: str) -> AwsError:
    return AwsError("NotImplemented", f"Drydock does not implement {what} yet.", status=501)


def _check_fargate(params: dict[str, Any]) -> None:
    if params.get("networkMode") != "awsvpc":
        raise client_error("Fargate only supports network mode ‘awsvpc’.")
    rules.check_fargate_size(params.get("cpu"), params.get("memory"))
    storage = params.get("ephemeralStorage", {}).get("sizeInGiB")
    if storage is not None and not SMALLEST_STORAGE <= storage <= LARGEST_STORAGE:
        raise client_error(
            f"The ephemeral storage must be between {SMALLEST_STORAGE} and {LARGEST_STORAGE} GiB."  # (?)
        )


def _check_container(container: dict[str, Any], params: dict[str, Any], fargate: bool) -> None:
    if not container.get("image"):
        raise client_error("Container.image should not be null or empty.")
    for member, what in _LACKING.items():
        if container.get(member):
            raise _lacking(f"{what} of a container")
    if params.get("networkMode", "bridge") == "bridge":
        for mapping in container.get("portMappings", []):
            if mapping.get("protocol") == "udp":
                raise _lacking("UDP ports of containers in bridge mode")
    for member, value in container.get("linuxParameters", {}).items():
        if value and member != "initProcessEnabled":
            raise _lacking(f"{member} among the Linux parameters of a container")
    _check_log_configuration(container, params, fargate)


def _check_log_configuration(container: dict[str, Any], params: dict[str, Any], fargate: bool) -> None:
    configuration = container.get("logConfiguration")
    if not configuration:
        return
    driver, options = configuration["logDriver"], configuration.get("options", {})
    if driver != "awslogs":
        raise _lacking(f"the log driver {driver}")
    for option in ("awslogs-datetime-format", "awslogs-multiline-pattern"):
        if options.get(option):
            raise _lacking(f"the log option {option}")
    if configuration.get("secretOptions"):
        raise _lacking("secret options of a log configuration")
    if fargate and not params.get("executionRoleArn"):
        raise client_error("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
    missing = [option for option in ("awslogs-region", "awslogs-group") if not options.get(option)]
    if missing:
        raise client_error(f"Log driver awslogs requires options: {', '.join(missing)}")
    if fargate and not options.get("awslogs-stream-prefix"):
        raise client_error("Log driver awslogs requires options: awslogs-stream-prefix")


def document(params: dict[str, Any]) -> dict[str, Any]:
    """What describe shows of the definition, with AWS's defaults filled in."""
    kept = {
        key: value
        for key, value in params.items()
        if key not in ("tags", "containerDefinitions", "family") and value is not None
    }
    mode = params.get("networkMode", "bridge")
    if params.get("cpu") and (units := rules.parse_cpu(params["cpu"])) is not None:
        kept["cpu"] = str(units)
    if params.get("memory") and (mib := rules.parse_memory(params["memory"])) is not None:
        kept["memory"] = str(mib)
    fits_fargate = mode == "awsvpc" and _is_fargate_size(params)
    return {
        **kept,
        "networkMode": mode,
        "containerDefinitions": [_container(container, mode) for container in params["containerDefinitions"]],
        "volumes": [{"host": {}, **volume} for volume in params.get("volumes", [])],
        "placementConstraints": params.get("placementConstraints", []),
        "requiresAttributes": [{"name": name} for name in attributes.required(params)],
        "compatibilities": ["EC2", "FARGATE"] if fits_fargate else ["EC2"],
    }


def _is_fargate_size(params: dict[str, Any]) -> bool:
    try:
        rules.check_fargate_size(params.get("cpu"), params.get("memory"))
    except AwsError:
        return False
    return True


def _container(container: dict[str, Any], mode: str) -> dict[str, Any]:
    ports = []
    for mapping in container.get("portMappings", []):
        host_port = mapping.get("hostPort", mapping["containerPort"] if mode in ("awsvpc", "host") else 0)
        ports.append({**mapping, "hostPort": host_port, "protocol": mapping.get("protocol", "tcp")})
    return {
        "cpu": 0,
        "essential": True,
        "environment": [],
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
        **container,
        "portMappings": ports,
    }
