"""What CloudWatch has of clusters, services and tasks, from what the tasks use. Pure.

Sources: "Amazon ECS CloudWatch metrics" (used through reserved; a service's sample count is the number of its running tasks),
"Amazon ECS Container Insights metrics" (units and dimensions). What is not measured here (network, storage) is not recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drydock.services.cloudwatch.model import Datum, metric
from drydock.services.ecs.instance_model import ContainerInstance
from drydock.services.ecs.model import Cluster, Task
from drydock.services.ecs.service_model import Service
from drydock.services.usage import Rate

UNITS = 1024
"""CPU units of a vCPU"""
MIB = 1 << 20
INSIGHTS = "ECS/ContainerInsights"
STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")
Samples = list[tuple[float, float]]


@dataclass(frozen=True)
class Used:
    """By a running task. ``cpu`` in units, None where it is not known yet; ``memory`` in MiB. Reserved is what its
    definition says, 0 for nothing."""

    task: Task
    cpu: float | None
    memory: float
    reserved_cpu: int
    reserved_memory: int


def used(task: Task, rates: dict[str, Rate]) -> Used | None:
    """By a task, None if none of its containers runs."""
    found = [rates[container.runtime_id] for container in task.containers if container.runtime_id in rates]
    if not found:
        return None
    known = [rate.cpu for rate in found if rate.cpu is not None]
    cpu, memory = (int(task.cpu), int(task.memory)) if task.on_fargate else (task.taken_cpu, task.taken_memory)
    return Used(task, sum(known) * UNITS if known else None, sum(rate.memory for rate in found) / MIB, cpu, memory)


def of_services(at: float, cluster: str, tasks: Sequence[Used]) -> Iterator[Datum]:
    """AWS/ECS of each service: a sample for every running task."""
    for service, mine in _by_service(tasks).items():
        dimensions = {"ClusterName": cluster, "ServiceName": service}
        cpu = [100 * one.cpu / one.reserved_cpu for one in mine if one.cpu is not None and one.reserved_cpu]
        memory = [100 * one.memory / one.reserved_memory for one in mine if one.reserved_memory]
        for name, values in (("CPUUtilization", cpu), ("MemoryUtilization", memory)):
            if values:
                samples = tuple((value, 1.0) for value in values)
                yield Datum(metric("AWS/ECS", name, dimensions), at, samples, unit="Percent")


def of_instances(
    at: float, cluster: str, instances: Sequence[ContainerInstance], tasks: Sequence[Used], all_tasks: Sequence[Task]
) -> Iterator[Datum]:
    """AWS/ECS of a cluster with container instances: used and reserved through what they have registered. Nothing as long as no
    task of it runs."""
    cpu, memory = sum(one.cpu for one in instances), sum(one.memory for one in instances)
    mine = [one for one in tasks if not one.task.on_fargate]
    if not (cpu and memory and tasks):
        return
    taking = [task for task in all_tasks if task.is_active and task.container_instance_arn]
    found = {
        "CPUReservation": 100 * sum(task.taken_cpu for task in taking) / cpu,
        "MemoryReservation": 100 * sum(task.taken_memory for task in taking) / memory,
        "MemoryUtilization": 100 * sum(one.memory for one in mine) / memory,
    }
    if all(one.cpu is not None for one in mine):
        found["CPUUtilization"] = 100 * sum(one.cpu or 0.0 for one in mine) / cpu
    for name, value in found.items():
        yield Datum(metric("AWS/ECS", name, {"ClusterName": cluster}), at, ((value, 1.0),), unit="Percent")


def insights(cluster: Cluster) -> str:
    """``disabled``, ``enabled`` or ``enhanced``."""
    return next((one["value"] for one in cluster.settings if one["name"] == "containerInsights"), "disabled")


def of_insights(
    at: float,
    cluster: str,
    instances: int,
    services: Sequence[Service],
    tasks: Sequence[Used],
    all_tasks: Sequence[Task],
) -> Iterator[Datum]:
    """ECS/ContainerInsights of a cluster, its services and its task definition families."""
    here = {"ClusterName": cluster}
    running = [task for task in all_tasks if task.last_status == "RUNNING"]
    counts = {"TaskCount": len(running), "ServiceCount": len(services), "ContainerInstanceCount": instances}
    yield from _counts(at, here, counts)
    yield from _insights(at, here, tasks)
    for name, mine in _by_service(tasks).items():
        yield from _insights(at, {**here, "ServiceName": name}, mine)
    for service in services:
        mine_all = [task for task in all_tasks if task.group == service.group]
        counts = {
            "DesiredTaskCount": service.desired_count,
            "RunningTaskCount": sum(task.last_status == "RUNNING" for task in mine_all),
            "PendingTaskCount": sum(task.last_status in STARTING for task in mine_all),
            "DeploymentCount": len(service.deployments),
            "TaskSetCount": len(service.task_sets),
        }
        yield from _counts(at, {**here, "ServiceName": service.name}, counts)
    families: dict[str, list[Used]] = {}
    for one in tasks:
        families.setdefault(family_of(one.task), []).append(one)
    for family, mine in families.items():
        yield from _insights(at, {**here, "TaskDefinitionFamily": family}, mine)


def of_single_tasks(at: float, cluster: str, tasks: Sequence[Used]) -> Iterator[Datum]:
    """What enhanced observability has besides: the utilisation of each task, also by its service, its family and the cluster.
    That of single containers is not recorded."""
    for one in tasks:
        kind, _, service = one.task.group.partition(":")
        family = {"ClusterName": cluster, "TaskDefinitionFamily": family_of(one.task)}
        owners = [family, {"ClusterName": cluster, "ServiceName": service}] if kind == "service" else [family]
        found = {
            "TaskCpuUtilization": (one.cpu, one.reserved_cpu),
            "TaskMemoryUtilization": (one.memory, one.reserved_memory),
        }
        for name, (used_of_it, reserved) in found.items():
            if used_of_it is None or not reserved:
                continue
            samples = ((100 * used_of_it / reserved, 1.0),)
            for where in ({"ClusterName": cluster}, *owners, *({**owner, "TaskId": one.task.id} for owner in owners)):
                yield Datum(metric(INSIGHTS, name, where), at, samples, unit="Percent")


def family_of(task: Task) -> str:
    """Of its task definition."""
    return task.task_definition_arn.rpartition("/")[2].partition(":")[0]


def _by_service(tasks: Sequence[Used]) -> dict[str, list[Used]]:
    found: dict[str, list[Used]] = {}
    for one in tasks:
        kind, _, name = one.task.group.partition(":")
        if kind == "service":
            found.setdefault(name, []).append(one)
    return found


def _insights(at: float, dimensions: dict[str, str], tasks: Sequence[Used]) -> Iterator[Datum]:
    found: dict[tuple[str, str], list[float]] = {
        ("CpuUtilized", "None"): [one.cpu for one in tasks if one.cpu is not None],
        ("CpuReserved", "None"): [float(one.reserved_cpu) for one in tasks],
        ("MemoryUtilized", "Megabytes"): [one.memory for one in tasks],
        ("MemoryReserved", "Megabytes"): [float(one.reserved_memory) for one in tasks],
    }
    for (name, unit), values in found.items():
        if values:
            yield Datum(metric(INSIGHTS, name, dimensions), at, tuple((value, 1.0) for value in values), unit=unit)


def _counts(at: float, dimensions: dict[str, str], counts: dict[str, int]) -> Iterator[Datum]:
    for name, value in counts.items():
        yield Datum(metric(INSIGHTS, name, dimensions), at, ((float(value), 1.0),), unit="Count")
