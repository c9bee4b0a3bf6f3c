"""ECS's resources, and what describe returns of them.

What a user registered is kept in AWS's own form (dicts with AWS's names), since it is shown again as it is; what has a
life here is a dataclass. All times are lab time in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drydock.clock import as_datetime

READ_ONLY = "The agent cannot be started: the container's root file system is read-only."  # (?)


@dataclass
class Cluster:
    """Name is unique in account and region; a deleted one stays INACTIVE."""

    arn: str
    name: str
    status: str = "ACTIVE"
    settings: list[dict[str, str]] = field(default_factory=lambda: [{"name": "containerInsights", "value": "disabled"}])
    configuration: dict[str, Any] | None = None
    capacity_providers: list[str] = field(default_factory=list)
    default_strategy: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, str]] = field(default_factory=list)


@dataclass
class AccountSetting:
    """What a principal has set; the root user's applies to all that have set nothing."""

    name: str
    value: str
    principal_arn: str

    def describe(self) -> dict[str, str]:
        """AWS's form."""
        return {"name": self.name, "value": self.value, "principalArn": self.principal_arn, "type": "user"}


@dataclass
class Family:
    """Of task definitions; it remembers its revisions longer than they live."""

    last_revision: int = 0


@dataclass
class TaskDefinition:
    """A revision of a family. ``document`` is what describe shows, but for arn, revision and status."""

    arn: str
    family: str
    revision: int
    document: dict[str, Any]
    registered_at: float
    registered_by: str
    status: str = "ACTIVE"
    deregistered_at: float | None = None
    delete_requested_at: float | None = None
    tags: list[dict[str, str]] = field(default_factory=list)

    @property
    def containers(self) -> list[dict[str, Any]]:
        """The container definitions, defaults filled in."""
        return self.document["containerDefinitions"]

    def container(self, name: str) -> dict[str, Any]:
        """The definition of one container. Raises KeyError."""
        for definition in self.containers:
            if definition["name"] == name:
                return definition
        raise KeyError(name)

    def describe(self) -> dict[str, Any]:
        """AWS's form."""
        shown = {
            **self.document,
            "taskDefinitionArn": self.arn,
            "family": self.family,
            "revision": self.revision,
            "status": self.status,
            "registeredAt": as_datetime(self.registered_at),
            "registeredBy": self.registered_by,
        }
        if self.deregistered_at is not None:
            shown["deregisteredAt"] = as_datetime(self.deregistered_at)
        if self.delete_requested_at is not None:
            shown["deleteRequestedAt"] = as_datetime(self.delete_requested_at)
        return shown


@dataclass
class Binding:
    """A port of a container instance through which a container's port is reached."""

    container_port: int
    host_port: int
    protocol: str = "tcp"

    def describe(self) -> dict[str, Any]:
        """AWS's form."""
        return {
            "bindIP": "0.0.0.0",  # noqa: S104 (what it is called on the instance)
            "containerPort": self.container_port,
            "hostPort": self.host_port,
            "protocol": self.protocol,
        }


@dataclass
class Target:
    """A task in a target group. ``state`` is ``registered`` or ``deregistered``; ``told``: what of it the service's events
    have said."""

    group_arn: str
    container_name: str
    container_port: int
    id: str = ""
    port: int = 0
    state: str = ""
    told: str = ""


@dataclass
class Container:
    """One container of a task. ``status`` follows the process: RUNNING means that there is one."""

    arn: str
    name: str
    image: str
    essential: bool
    runtime_id: str
    status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    image_digest: str | None = None
    pid: int | None = None
    """Of its first process on this machine while it runs; not shown by AWS's API"""
    log_stream: str | None = None
    health: str = "UNKNOWN"
    started_at: float | None = None
    restarts: int = 0
    """How often its restart policy started it again"""
    limits: dict[str, str] = field(default_factory=dict)
    """cpu, memory, memoryReservation as describe shows them"""
    bindings: list[Binding] = field(default_factory=list)
    """Ports of its container instance that lead to its own"""
    read_only: bool = False
    """Its root file system is, so that ECS Exec's agent cannot run in it"""

    @property
    def agent_status(self) -> str:
        """Of ECS Exec's agent, which lives as long as the container."""
        return "STOPPED" if self.read_only and self.status == "RUNNING" else self.status

    def _agent(self) -> dict[str, Any]:
        reason = READ_ONLY if self.status == "RUNNING" else "Received Container Stopped event"
        shown: dict[str, Any] = {"name": "ExecuteCommandAgent", "lastStatus": self.agent_status}
        if self.started_at is not None and not self.read_only:
            shown["lastStartedAt"] = as_datetime(self.started_at)
        return shown | ({"reason": reason} if self.agent_status == "STOPPED" else {})

    def describe(self, task: Task) -> dict[str, Any]:
        """AWS's form."""
        shown: dict[str, Any] = {
            "containerArn": self.arn,
            "taskArn": task.arn,
            "name": self.name,
            "image": self.image,
            "imageDigest": self.image_digest,
            "runtimeId": self.runtime_id if self.status != "PENDING" else None,
            "lastStatus": self.status,
            "exitCode": self.exit_code,
            "reason": self.reason,
            "networkBindings": [binding.describe() for binding in self.bindings],
            "networkInterfaces": [
                {"attachmentId": eni.attachment_id, "privateIpv4Address": eni.address} for eni in task.interfaces
            ],
            "managedAgents": [self._agent()] if task.execute_command else None,
            "healthStatus": self.health,
            **self.limits,
        }
        return {key: value for key, value in shown.items() if value is not None}


@dataclass
class Interface:
    """The task's elastic network interface."""

    attachment_id: str
    subnet_id: str
    status: str = "PRECREATED"
    eni_id: str = ""
    mac: str = ""
    address: str = ""
    public_address: str = ""
    """Shown by EC2 only, as on AWS"""
    dns_name: str = ""
    vpc_id: str = ""
    groups: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """AWS's form, an attachment."""
        details = {
            "subnetId": self.subnet_id,
            "networkInterfaceId": self.eni_id,
            "macAddress": self.mac,
            "privateDnsName": self.dns_name,
            "privateIPv4Address": self.address,
        }
        return {
            "id": self.attachment_id,
            "type": "ElasticNetworkInterface",
            "status": self.status,
            "details": [{"name": name, "value": value} for name, value in details.items() if value],
        }


@dataclass
class Task:
    """A running copy of a task definition; its life is in ``lifecycle.py``."""

    arn: str
    id: str
    cluster_arn: str
    task_definition_arn: str
    group: str
    launch_type: str
    created_at: float
    cpu: str
    memory: str
    network: dict[str, Any]
    """awsvpcConfiguration as it was given"""
    containers: list[Container]
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    started_by: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    interfaces: list[Interface] = field(default_factory=list)
    availability_zone: str = ""
    execution_role_arn: str = ""
    task_role_arn: str = ""
    tags: list[dict[str, str]] = field(default_factory=list)
    stop_code: str | None = None
    stopped_reason: str | None = None
    version: int = 1
    times: dict[str, float] = field(default_factory=dict)
    """createdAt, pullStartedAt, ... as in AWS's answer"""
    platform_version: str = ""
    client_token: str = ""
    request_digest: str = ""
    """Of the RunTask request that made it, to be compared with another one of the same ``clientToken``"""
    architecture: str = "X86_64"
    health: str = "UNKNOWN"
    ephemeral_storage: int = 20
    """GiB, as it was asked for; a task may use the machine's disk, and no limit is enforced"""
    capacity_provider: str = ""
    network_mode: str = "awsvpc"
    container_instance_arn: str = ""
    ec2_instance_id: str = ""
    taken_cpu: int = 0
    """Units of its container instance"""
    taken_memory: int = 0
    """MiB of its container instance"""
    taken_ports: list[tuple[int, str]] = field(default_factory=list)
    """(port, protocol) of its container instance that its definition names; those that were found free are bindings"""
    targets: list[Target] = field(default_factory=list)
    """In the target groups of its service"""
    accounted: bool = False
    """Its end was counted by the scheduler of its service"""
    failed_checks: bool = False
    """The scheduler stops it because its health checks fail"""
    protected_until: float | None = None
    """Lab time until which neither a scale-in nor a deployment stops it"""
    execute_command: bool = False
    """ECS Exec is on"""
    waiting: bool = False
    """For an instance of its capacity provider"""
    constraints: list[dict[str, str]] = field(default_factory=list)
    """Of its placement, in AWS's form, where it waits for it"""
    strategies: list[dict[str, str]] = field(default_factory=list)

    @property
    def on_fargate(self) -> bool:
        """Or on a container instance."""
        return self.launch_type == "FARGATE"

    @property
    def is_active(self) -> bool:
        """It takes resources: all but STOPPED."""
        return self.last_status != "STOPPED"

    def describe(self, with_tags: bool = False) -> dict[str, Any]:
        """AWS's form."""
        shown: dict[str, Any] = {
            "attachments": [interface.describe() for interface in self.interfaces],
            "attributes": [{"name": "ecs.cpu-architecture", "value": self.architecture.lower()}],
            "availabilityZone": self.availability_zone or None,
            "clusterArn": self.cluster_arn,
            "containerInstanceArn": self.container_instance_arn or None,
            "connectivity": "CONNECTED" if "connectivityAt" in self.times else None,
            "containers": [container.describe(self) for container in self.containers],
            "cpu": self.cpu or None,
            "memory": self.memory or None,
            "desiredStatus": self.desired_status,
            "enableExecuteCommand": self.execute_command,
            "group": self.group,
            "healthStatus": self.health,
            "lastStatus": self.last_status,
            "launchType": self.launch_type,
            "overrides": self.overrides,
            "platformVersion": self.platform_version or None,
            "platformFamily": "Linux" if self.platform_version else None,
            "startedBy": self.started_by or None,
            "stopCode": self.stop_code,
            "stoppedReason": self.stopped_reason,
            "tags": self.tags if with_tags else [],
            "taskArn": self.arn,
            "taskDefinitionArn": self.task_definition_arn,
            "version": self.version,
            "ephemeralStorage": {"sizeInGiB": self.ephemeral_storage} if self.launch_type == "FARGATE" else None,
            "capacityProviderName": self.capacity_provider or None,
            "createdAt": as_datetime(self.created_at),
            **{name: as_datetime(at) for name, at in self.times.items()},
        }
        return {key: value for key, value in shown.items() if value is not None}
