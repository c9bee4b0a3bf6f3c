"""Making a task's record, for whoever wants one: RunTask, StartTask, a service."""

from __future__ import annotations

import platform as machine
from dataclasses import dataclass, field
from typing import Any

from drydock.services.ecs import overrides
from drydock.services.ecs.balancing import targets_of
from drydock.services.ecs.model import Cluster, Container, Interface, Task, TaskDefinition
from drydock.services.ecs.placement import Constraint, Host, Need, Strategy
from drydock.services.service import Platform
from drydock.store import Scope

DEFAULT_STORAGE = 20
"""GiB"""


@dataclass(frozen=True)
class Order:
    """What a new task is to be. ``host`` is the container instance it was placed on; ``network`` the
    awsvpcConfiguration, ``subnet`` the one of it that this task gets."""

    cluster: Cluster
    definition: TaskDefinition
    group: str
    launch_type: str = "FARGATE"
    network: dict[str, Any] = field(default_factory=dict)
    subnet: str = ""
    zone: str = ""
    host: Host | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    execution_role: str = ""
    task_role: str = ""
    started_by: str = ""
    capacity_provider: str = ""
    platform_version: str = ""
    tags: list[dict[str, str]] = field(default_factory=list)
    client_token: str = ""
    request_digest: str = ""
    load_balancers: list[dict[str, Any]] = field(default_factory=list)
    execute_command: bool = False
    waiting: bool = False
    """For an instance of its capacity provider, by these constraints and strategies"""
    constraints: tuple[Constraint, ...] = ()
    strategies: tuple[Strategy, ...] = ()


def make(platform: Platform, scope: Scope, order: Order) -> Task:
    """The task as it is before anything was done for it; whoever asked for it keeps and drives it."""
    ids, cluster, definition = platform.ids, order.cluster, order.definition
    task_id = ids.hexadecimal(scope, "task", cluster.arn)
    prefix = f"arn:aws:ecs:{scope.region}:{scope.account}"
    arn = f"{prefix}:task/{cluster.name}/{task_id}"
    changed = order.overrides.get("containerOverrides", [])
    cpu, memory = overrides.size(order.overrides, definition)
    containers = []
    for document in definition.containers:
        container_id = ids.uuid(scope, "container", arn)
        number_id = int.from_bytes(ids.digest(scope, "runtime-id", arn)[:4], "big")
        limits = overrides.limits(document, overrides.override_of(changed, document["name"]))
        containers.append(
            Container(
                arn=f"{prefix}:container/{cluster.name}/{task_id}/{container_id}",
                name=document["name"],
                image=document["image"],
                essential=document["essential"],
                runtime_id=f"{task_id}-{number_id}",
                limits={name: str(value) for name, value in limits.items()},
                read_only=bool(document.get("readonlyRootFilesystem")),
            )
        )
    mode = definition.document["networkMode"]
    task = Task(
        arn=arn,
        id=task_id,
        cluster_arn=cluster.arn,
        task_definition_arn=definition.arn,
        group=order.group,
        launch_type=order.launch_type,
        created_at=platform.clock(scope.account).now(),
        cpu=cpu,
        memory=memory,
        network=order.network,
        containers=containers,
        last_status="PROVISIONING" if mode == "awsvpc" or order.waiting else "PENDING",
        started_by=order.started_by,
        overrides={"containerOverrides": [], "inferenceAcceleratorOverrides": [], **order.overrides},
        interfaces=[Interface(ids.uuid(scope, "attachment", arn), order.subnet)] if mode == "awsvpc" else [],
        availability_zone=order.zone,
        execution_role_arn=order.execution_role,
        task_role_arn=order.task_role,
        ephemeral_storage=storage(order.overrides, definition) or DEFAULT_STORAGE,
        tags=order.tags,
        client_token=order.client_token,
        request_digest=order.request_digest,
        platform_version=order.platform_version,
        architecture={"x86_64": "X86_64", "aarch64": "ARM64"}.get(machine.machine(), machine.machine()),
        capacity_provider=order.capacity_provider,
        network_mode=mode,
        targets=targets_of(order.load_balancers),
        execute_command=order.execute_command,
    )
    if order.host is not None:
        place(task, order.host, need_of(order.definition, order.overrides, order.group))
    elif order.waiting:
        task.waiting = True
        task.constraints = [{"type": each.kind, "expression": each.expression} for each in order.constraints]
        task.strategies = [{"type": each.kind, "field": each.field} for each in order.strategies]
    return task


def place(task: Task, host: Host, need: Need) -> None:
    """On a container instance, of which it takes what it needs."""
    task.waiting, task.constraints, task.strategies = False, [], []
    task.container_instance_arn, task.ec2_instance_id = host.arn, host.ec2_instance_id
    task.availability_zone = host.attributes.get("ecs.availability-zone", "")
    task.taken_cpu, task.taken_memory = need.cpu, need.memory
    task.taken_ports = [(port, "tcp") for port in sorted(need.tcp)] + [(port, "udp") for port in sorted(need.udp)]


def need_of(
    definition: TaskDefinition,
    given: dict[str, Any],
    group: str,
    constraints: tuple[Constraint, ...] = (),
) -> Need:
    """What a task takes of a container instance: the task's size, else the sum of its containers' (of memory the soft
    limit, if there is one)."""
    changed = given.get("containerOverrides", [])
    cpu, memory = (int(text or 0) for text in overrides.size(given, definition))
    limits = [overrides.limits(d, overrides.override_of(changed, d["name"])) for d in definition.containers]
    of_definition = tuple(
        Constraint(each["type"], each.get("expression", ""))
        for each in definition.document.get("placementConstraints", [])
    )
    ports: dict[str, set[int]] = {"tcp": set(), "udp": set()}
    if definition.document["networkMode"] in ("bridge", "host"):
        for document in definition.containers:
            for mapping in document["portMappings"]:
                if mapping["hostPort"]:
                    ports[mapping["protocol"]].add(mapping["hostPort"])
    return Need(
        group=group,
        cpu=cpu or sum(each.get("cpu", 0) for each in limits),
        memory=memory or sum(each.get("memoryReservation") or each.get("memory") or 0 for each in limits),
        tcp=frozenset(ports["tcp"]),
        udp=frozenset(ports["udp"]),
        attributes=tuple(each["name"] for each in definition.document.get("requiresAttributes", [])),
        interfaces=1 if definition.document["networkMode"] == "awsvpc" else 0,
        constraints=(*of_definition, *constraints),
    )


def storage(given: dict[str, Any], definition: TaskDefinition) -> int | None:
    """GiB of ephemeral storage, if any were asked for."""
    for source in (given, definition.document):
        if size := source.get("ephemeralStorage", {}).get("sizeInGiB"):
            return int(size)
    return None


def tags(
    cluster: Cluster, given: list[dict[str, str]], inherited: list[dict[str, str]], managed: bool, service: str = ""
) -> list[dict[str, str]]:
    """A task's: those given, what it inherits, and the ones that ECS manages ("Tag your resources for billing")."""
    keys = {tag["key"] for tag in given}
    found = given + [tag for tag in inherited if tag["key"] not in keys]
    if managed:
        found.append({"key": "aws:ecs:clusterName", "value": cluster.name})
        if service:
            found.append({"key": "aws:ecs:serviceName", "value": service})
    return found


def group_of(definition: TaskDefinition, given: str) -> str:
    """Where none is given, the family's."""
    return given or f"family:{definition.family}"
