"""What the task metadata endpoint (version 4) tells a container about itself, its task and their resource use.

Source: "Amazon ECS task metadata endpoint version 4" and its response format for tasks on Fargate.
"""

from __future__ import annotations

from typing import Any

from drydock.clock import as_datetime
from drydock.runtime.interface import Usage
from drydock.services.ecs.model import Container, Task, TaskDefinition


def container_document(
    task: Task, definition: TaskDefinition, container: Container, addresses: tuple[str, ...]
) -> dict[str, Any]:
    """``${ECS_CONTAINER_METADATA_URI_V4}``; ``addresses`` are the task's, inside."""
    document = definition.container(container.name)
    logs = document.get("logConfiguration", {})
    shown: dict[str, Any] = {
        "DockerId": container.runtime_id,
        "Name": container.name,
        "DockerName": container.name,
        "Image": container.image,
        "ImageID": container.image_digest,
        "Labels": {
            **document.get("dockerLabels", {}),
            "com.amazonaws.ecs.cluster": task.cluster_arn,
            "com.amazonaws.ecs.container-name": container.name,
            "com.amazonaws.ecs.task-arn": task.arn,
            "com.amazonaws.ecs.task-definition-family": definition.family,
            "com.amazonaws.ecs.task-definition-version": str(definition.revision),
        },
        "DesiredStatus": task.desired_status,
        "KnownStatus": container.status,
        "ExitCode": container.exit_code,
        "Limits": {
            "CPU": int(container.limits.get("cpu", 0)),
            "Memory": int(container.limits["memory"]) if "memory" in container.limits else None,
        },
        "CreatedAt": _shown(task.times.get("pullStoppedAt")),
        "StartedAt": _shown(container.started_at),
        "Type": "NORMAL",
        "LogDriver": logs.get("logDriver"),
        "LogOptions": {**logs.get("options", {}), "awslogs-stream": container.log_stream} if logs else None,
        "ContainerARN": container.arn,
        "Networks": _networks(task, addresses),
    }
    if container.bindings:
        shown["Ports"] = [
            {
                "ContainerPort": each.container_port,
                "Protocol": each.protocol,
                "HostPort": each.host_port,
                "HostIp": each.describe()["bindIP"],
            }
            for each in container.bindings
        ]
    if document.get("restartPolicy", {}).get("enabled"):
        shown["RestartCount"] = container.restarts
    if "healthCheck" in document:
        shown["Health"] = {"status": container.health}
    return {name: value for name, value in shown.items() if value is not None}


def _networks(task: Task, addresses: tuple[str, ...]) -> list[dict[str, Any]]:
    if not task.interfaces:
        return [{"NetworkMode": task.network_mode, "IPv4Addresses": list(addresses)}]
    return [
        {
            "NetworkMode": "awsvpc",
            "IPv4Addresses": [interface.address],
            "AttachmentIndex": index,
            "MACAddress": interface.mac,
            "PrivateDNSName": interface.dns_name,
        }
        for index, interface in enumerate(task.interfaces)
    ]


def task_document(
    task: Task, definition: TaskDefinition, addresses: tuple[str, ...], with_tags: bool
) -> dict[str, Any]:
    """``.../task`` and ``.../taskWithTags``"""
    shown: dict[str, Any] = {
        "Cluster": task.cluster_arn,
        "TaskARN": task.arn,
        "Family": definition.family,
        "Revision": str(definition.revision),
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.last_status,
        "Limits": {
            "CPU": int(task.cpu) / 1024 if task.cpu else None,
            "Memory": int(task.memory) if task.memory else None,
        },
        "PullStartedAt": _shown(task.times.get("pullStartedAt")),
        "PullStoppedAt": _shown(task.times.get("pullStoppedAt")),
        "AvailabilityZone": task.availability_zone,
        "LaunchType": task.launch_type,
        "Containers": [container_document(task, definition, c, addresses) for c in task.containers],
    }
    if with_tags:
        shown["TaskTags"] = {tag["key"]: tag.get("value", "") for tag in task.tags}
    return {name: value for name, value in shown.items() if value is not None}


def stats_document(container: Container, usage: Usage | None, now: float, limit: int) -> dict[str, Any] | None:
    """``.../stats``, in the form of Docker's; None for a container that does not run. ``limit`` is in bytes."""
    if usage is None:
        return None
    return {
        "read": _shown(now),
        "id": container.runtime_id,
        "name": container.name,
        "num_procs": usage.processes,
        "pids_stats": {"current": usage.processes},
        "cpu_stats": {"cpu_usage": {"total_usage": int(usage.cpu * 1e9)}},
        "memory_stats": {"usage": usage.memory, "limit": limit},
    }


def _shown(lab: float | None) -> str | None:
    return None if lab is None else as_datetime(lab).isoformat().replace("+00:00", "Z")
