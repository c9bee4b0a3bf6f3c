"""Container instances, and what is left of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drydock.clock import as_datetime
from drydock.services.ecs.model import Task
from drydock.services.ecs.placement import Host

MOST_INTERFACES = 15
"""That an instance of unknown type may bear beside its own"""


@dataclass
class ContainerInstance:
    """An instance that registered. CPU in units, memory in MiB; ports are those that its agent reserves."""

    arn: str
    cluster_arn: str
    ec2_instance_id: str
    registered_at: float
    cpu: int
    memory: int
    tcp: list[int] = field(default_factory=list)
    udp: list[int] = field(default_factory=list)
    interfaces: int = MOST_INTERFACES
    """Network interfaces of tasks that its type bears"""
    attributes: dict[str, str] = field(default_factory=dict)
    """Those without a value have an empty one"""
    version_info: dict[str, str] = field(default_factory=dict)
    status: str = "ACTIVE"
    connected: bool = False
    capacity_provider: str = ""
    tags: list[dict[str, str]] = field(default_factory=list)
    version: int = 1

    @property
    def id(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition("/")[2]

    def host(self, tasks: list[Task]) -> Host:
        """For the scheduler; ``tasks`` are those on it that take resources."""
        host = Host(
            arn=self.arn,
            ec2_instance_id=self.ec2_instance_id,
            cpu=self.cpu - sum(task.taken_cpu for task in tasks),
            memory=self.memory - sum(task.taken_memory for task in tasks),
            attributes=self.attributes,
            tcp=set(self.tcp),
            udp=set(self.udp),
            interfaces=self.interfaces - sum(len(task.interfaces) for task in tasks),
            connected=self.connected,
            groups=[task.group for task in tasks],
            leaving=[task.group for task in tasks if task.desired_status == "STOPPED"],
            agent_version=self.version_info.get("agentVersion", ""),
            registered_at=as_datetime(self.registered_at).isoformat(),
            provider=self.capacity_provider,
        )
        for task in tasks:
            for port, protocol in used_ports(task):
                (host.udp if protocol == "udp" else host.tcp).add(port)
        return host

    def describe(self, tasks: list[Task], include: set[str]) -> dict[str, Any]:
        """AWS's form."""
        host = self.host(tasks)
        shown: dict[str, Any] = {
            "containerInstanceArn": self.arn,
            "ec2InstanceId": self.ec2_instance_id,
            "version": self.version,
            "versionInfo": self.version_info,
            "remainingResources": _resources(host.cpu, host.memory, sorted(host.tcp), sorted(host.udp)),
            "registeredResources": _resources(self.cpu, self.memory, self.tcp, self.udp),
            "status": self.status,
            "agentConnected": self.connected,
            "runningTasksCount": sum(task.last_status == "RUNNING" for task in tasks),
            "pendingTasksCount": sum(task.last_status in ("PROVISIONING", "PENDING", "ACTIVATING") for task in tasks),
            "attributes": self.describe_attributes(),
            "registeredAt": as_datetime(self.registered_at),
            "attachments": [],
            "tags": self.tags if "TAGS" in include else [],
        }
        if self.capacity_provider:
            shown["capacityProviderName"] = self.capacity_provider
        if "CONTAINER_INSTANCE_HEALTH" in include:
            status = "OK" if self.connected else "IMPAIRED"
            details = [{"type": "CONTAINER_RUNTIME", "status": status}]
            shown["healthStatus"] = {"overallStatus": status, "details": details}
        return shown

    def describe_attributes(self) -> list[dict[str, str]]:
        """By name, the value only where there is one."""
        return [
            {"name": name, **({"value": value} if value else {})} for name, value in sorted(self.attributes.items())
        ]


def used_ports(task: Task) -> list[tuple[int, str]]:
    """(port, protocol) of its container instance that a task uses: named ones, and those found for it."""
    found = [(binding.host_port, binding.protocol) for c in task.containers for binding in c.bindings]
    return list(dict.fromkeys([*((port, protocol) for port, protocol in task.taken_ports), *found]))


def _resources(cpu: int, memory: int, tcp: list[int], udp: list[int]) -> list[dict[str, Any]]:
    none = {"doubleValue": 0.0, "longValue": 0}
    return [
        {"name": "CPU", "type": "INTEGER", **none, "integerValue": cpu},
        {"name": "MEMORY", "type": "INTEGER", **none, "integerValue": memory},
        {"name": "PORTS", "type": "STRINGSET", **none, "integerValue": 0, "stringSetValue": [str(p) for p in tcp]},
        {"name": "PORTS_UDP", "type": "STRINGSET", **none, "integerValue": 0, "stringSetValue": [str(p) for p in udp]},
    ]
