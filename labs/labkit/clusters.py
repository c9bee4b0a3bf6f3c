"""``draw_cluster``: what is in a cluster, and by which recipes, drawn from what ECS describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from labkit.audience import ipython
from labkit.nesting import Arrow, Box, outline, svg
from labkit.sessions import client

NOT_IMPLEMENTED = "NotImplemented"
"""What the emulator answers (with status 501) to operations that it does not have; AWS has no such code in ECS"""
_MOST_TASKS, _MOST_SERVICES = 100, 10
"""In one describe call"""


def draw_cluster(*clusters: str, containers: bool = True) -> None:
    """Draw clusters with their services, tasks and containers, and the task definitions that these are made of; and print
    the same as text. Stopped tasks are not drawn. ``containers=False``: neither containers nor definitions, for many
    tasks."""
    boxes: list[Box] = []
    definitions: list[Box] = []
    arrows: list[Arrow] = []
    for name in clusters:
        box, recipes, lead = read_cluster(name)
        boxes.append(box)
        definitions += [recipe for recipe in recipes if recipe not in definitions]
        arrows += lead
    columns = [definitions, boxes]
    if not containers:
        boxes, definitions, arrows = [_without_containers(box) for box in boxes], [], []
        columns = [[box] for box in boxes]
    title = f"cluster {', '.join(clusters)}"
    if ipython() is not None:
        from IPython.display import display

        picture = svg(columns, arrows, title)
        display({"image/svg+xml": picture, "text/plain": title}, raw=True)  # type: ignore[no-untyped-call]
    print(outline([*boxes, *definitions], arrows))


def _without_containers(box: Box) -> Box:
    inside = tuple(_without_containers(each) for each in box.inside if not each.name.startswith("container "))
    return Box(box.name, box.facts, inside, across=any(each.name.startswith("service ") for each in inside))


def read_cluster(name: str) -> tuple[Box, list[Box], list[Arrow]]:
    """The cluster's box, the boxes of the task definitions, and the arrows from these to tasks and services."""
    ecs = client("ecs")
    cluster = ecs.describe_clusters(clusters=[name])["clusters"][0]
    tasks = _tasks(ecs, name)
    services, said = _services(ecs, name)
    used = [*(service["taskDefinition"] for service in services), *(task["taskDefinitionArn"] for task in tasks)]
    described = {arn: ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"] for arn in dict.fromkeys(used)}
    definitions = [definition_box(definition) for definition in described.values()]
    inside: list[Box] = []
    arrows: list[Arrow] = []
    for service in services:
        own = [task for task in tasks if task.get("group") == f"service:{service['serviceName']}"]
        tasks = [task for task in tasks if task not in own]
        counts = f"{service['runningCount']} of {service['desiredCount']} running"
        box = Box(f"service {service['serviceName']}", (service["status"], counts), tuple(_in_order(own, described)))
        inside.append(box)
        arrows.append(Arrow(f"task definition {_last(service['taskDefinition'])}", "is the recipe of", box.name))
    for task, box in zip(tasks, _in_order(tasks, described), strict=True):
        inside.append(box)
        arrows.append(Arrow(f"task definition {_last(task['taskDefinitionArn'])}", "is the recipe of", box.name))
    facts = (cluster["status"], f"running tasks: {cluster['runningTasksCount']}", said)
    return Box(f"cluster {cluster['clusterName']}", facts, tuple(inside)), definitions, arrows


def _in_order(tasks: list[dict[str, Any]], definitions: dict[str, Any]) -> list[Box]:
    """Containers in the order of their definitions; DescribeTasks has none."""
    return [
        task_box(task, [each["name"] for each in definitions[task["taskDefinitionArn"]]["containerDefinitions"]])
        for task in tasks
    ]


def task_box(task: dict[str, Any], order: Sequence[str]) -> Box:
    """A task and its containers, from DescribeTasks."""
    facts = [task["lastStatus"]]
    if task.get("healthStatus", "UNKNOWN") != "UNKNOWN":
        facts.append(task["healthStatus"])
    inside = []
    for container in sorted(task["containers"], key=lambda container: order.index(container["name"])):
        told = [container["lastStatus"]]
        if "exitCode" in container:
            told.append(f"exit code {container['exitCode']}")
        inside.append(Box(f"container {container['name']}", (", ".join(told),)))
    return Box(f"task {_last(task['taskArn'])[:8]}...", (", ".join(facts),), tuple(inside))


def definition_box(definition: dict[str, Any]) -> Box:
    """A task definition and its container definitions, from DescribeTaskDefinition."""
    name = f"{definition['family']}:{definition['revision']}"
    facts = [
        f"{definition.get('cpu', '-')} CPU units, {definition.get('memory', '-')} MiB, {definition['networkMode']}"
    ]
    inside = tuple(
        Box(f"container definition {container['name']}", (_limits(container),))
        for container in definition["containerDefinitions"]
    )
    return Box(f"task definition {name}", tuple(facts), inside)


def _limits(container: dict[str, Any]) -> str:
    hard, soft = container.get("memory"), container.get("memoryReservation")
    limits = f", hard {hard} MiB" * bool(hard) + f", soft {soft} MiB" * bool(soft)
    return str(container["image"]).rpartition("/")[2] + limits


def _tasks(ecs: Any, cluster: str) -> list[dict[str, Any]]:
    """Those that run, the oldest first."""
    arns = [arn for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster) for arn in page["taskArns"]]
    found = [
        task
        for some in _portions(arns, _MOST_TASKS)
        for task in ecs.describe_tasks(cluster=cluster, tasks=some)["tasks"]
    ]
    return sorted(found, key=lambda task: (task["createdAt"], task["taskArn"]))


def _services(ecs: Any, cluster: str) -> tuple[list[dict[str, Any]], str]:
    """The services, and what to say of them."""
    try:
        pages = ecs.get_paginator("list_services").paginate(cluster=cluster)
        arns = [arn for page in pages for arn in page["serviceArns"]]
    except ClientError as error:
        if error.response["Error"]["Code"] != NOT_IMPLEMENTED:
            raise
        return [], "services: not implemented on this target"
    found = [
        service
        for some in _portions(arns, _MOST_SERVICES)
        for service in ecs.describe_services(cluster=cluster, services=some)["services"]
    ]
    return found, f"services: {len(found)}"


def _portions(arns: Sequence[str], most: int) -> list[list[str]]:
    return [list(arns[first : first + most]) for first in range(0, len(arns), most)]


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]
