"""``draw_instances``: the machines of a cluster, what is free on each, and the tasks on them, drawn from what ECS describes."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from labkit import machines
from labkit.audience import ipython
from labkit.drawing import size
from labkit.sessions import client

_WIDE, _GAP, _PAD, _LINE, _BAR = 248, 16, 12, 17, 14
"""Pixels: an instance, between two, around text, a line, a bar"""
_MOST_TASKS = 100


@dataclass(frozen=True)
class Placed:
    """A task on an instance. ``ports`` are lines such as ``port 32768 -> web:80``."""

    name: str
    definition: str
    status: str
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """A container instance. CPU in units of 1/1024 vCPU, memory in MiB: what is free, and what it registered."""

    name: str
    zone: str
    kind: str
    status: str
    cpu: tuple[int, int]
    memory: tuple[int, int]
    ports: tuple[str, ...] = ()
    """Reserved or taken by a fixed host port"""
    tasks: tuple[Placed, ...] = ()


def draw_instances(cluster: str) -> None:
    """Draw the cluster's instances with what is free on each and the tasks there; and print the same as text."""
    found = read_instances(cluster)
    if ipython() is not None:
        from IPython.display import display

        display({"image/svg+xml": svg(found, cluster), "text/plain": _title(found, cluster)}, raw=True)  # type: ignore[no-untyped-call]
    print(text_twin(found, cluster))


def read_instances(cluster: str) -> list[Machine]:
    """By zone and then in the order in which they joined; tasks in the order in which they were made."""
    ecs = client("ecs")
    there = machines.described(ecs, cluster)
    names = _names([instance["ec2InstanceId"] for instance in there])
    tasks = _tasks(ecs, cluster)
    return [_machine(instance, names, tasks) for instance in there]


def _machine(instance: dict[str, Any], names: dict[str, str], tasks: list[dict[str, Any]]) -> Machine:
    left, all_of_it = (
        {each["name"]: each for each in instance[f"{kind}Resources"]} for kind in ("remaining", "registered")
    )
    mine = [task for task in tasks if task.get("containerInstanceArn") == instance["containerInstanceArn"]]
    status = instance["status"] if instance["agentConnected"] else f"{instance['status']}, agent not connected"
    return Machine(
        names.get(instance["ec2InstanceId"], instance["ec2InstanceId"]),
        machines.attribute(instance, "ecs.availability-zone"),
        machines.attribute(instance, "ecs.instance-type"),
        status,
        (left["CPU"]["integerValue"], all_of_it["CPU"]["integerValue"]),
        (left["MEMORY"]["integerValue"], all_of_it["MEMORY"]["integerValue"]),
        tuple(sorted(left["PORTS"]["stringSetValue"], key=int)),
        tuple(_placed(task) for task in mine),
    )


def _placed(task: dict[str, Any]) -> Placed:
    ports = tuple(
        f"port {binding['hostPort']} -> {container['name']}:{binding['containerPort']}"
        for container in task["containers"]
        for binding in container.get("networkBindings", [])
    )
    return Placed(
        f"task {task['taskArn'].rpartition('/')[2][:8]}...",
        task["taskDefinitionArn"].rpartition("/")[2],
        task["lastStatus"],
        ports,
    )


def _names(ids: list[str]) -> dict[str, str]:
    """EC2 instances by the name that their tag gives them."""
    if not ids:
        return {}
    found = client("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    return {one["InstanceId"]: machines.name_of(one) for each in found for one in each["Instances"]}


def _tasks(ecs: Any, cluster: str) -> list[dict[str, Any]]:
    arns = [arn for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster) for arn in page["taskArns"]]
    found = [
        task
        for first in range(0, len(arns), _MOST_TASKS)
        for task in ecs.describe_tasks(cluster=cluster, tasks=arns[first : first + _MOST_TASKS])["tasks"]
    ]
    return sorted(found, key=lambda task: (task["createdAt"], task["taskArn"]))


def _facts(machine: Machine) -> list[str]:
    return [f"{machine.kind} in {machine.zone}, {machine.status}"]


def _free(machine: Machine) -> list[tuple[str, int, int]]:
    return [("CPU units", *machine.cpu), ("MiB", *machine.memory)]


def _ports(machine: Machine) -> str:
    return "host ports taken: " + (", ".join(machine.ports) or "none")


def _title(found: list[Machine], cluster: str) -> str:
    tasks = sum(len(machine.tasks) for machine in found)
    return f"cluster {cluster} (instances: {len(found)}, tasks on them: {tasks})"


def text_twin(found: list[Machine], cluster: str) -> str:
    """The same in words."""
    lines = [_title(found, cluster)]
    for machine in found:
        free = "; ".join(f"{left} of {whole} {what} free" for what, left, whole in _free(machine))
        lines += [f"  {machine.name} ({_facts(machine)[0]})", f"    {free}", f"    {_ports(machine)}"]
        lines += [
            f"    {task.name} ({', '.join([task.definition, task.status, *task.ports])})" for task in machine.tasks
        ]
    return "\n".join(lines)


def _lines(text: str, most: int) -> list[str]:
    """Broken at spaces."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def svg(found: list[Machine], cluster: str) -> str:
    """The cluster is a frame around its instances, three in a row, each with bars for what is taken of it. It depends on
    its arguments only, so that it repeats."""
    rows = [found[first : first + 3] for first in range(0, len(found), 3)] or [[]]
    width = max(2, *(len(row) for row in rows)) * (_WIDE + _GAP) + _GAP
    drawn: list[str] = []
    y = 2.0 * _GAP + _LINE
    for row in rows:
        tall = max((_height(machine) for machine in row), default=2.0 * _LINE)
        for number, machine in enumerate(row):
            drawn += _draw(machine, _GAP + number * (_WIDE + _GAP), y, tall)
        y += tall + _GAP
    told = html.escape(text_twin(found, cluster), quote=True)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {y:.0f}" {size(width, y)} '
            f'role="img" aria-label="{told}" style="max-width:100%;height:auto" font-family="sans-serif" font-size="12">',
            f"<title>{html.escape(_title(found, cluster))}</title>",
            f'<rect width="{width:.0f}" height="{y:.0f}" fill="#fff"/>',
            _rect(1, 1, width - 2, y - 2, "#f4f6f8", "#3b6ea5"),
            _text(_GAP, _GAP + 9, _title(found, cluster), bold=True),
            *drawn,
            "</svg>",
        ]
    )


def _height(machine: Machine) -> float:
    ports = len(_lines(_ports(machine), 38))
    tasks = sum(_task_height(task) + 8 for task in machine.tasks)
    return _PAD + 2 * _LINE + 2 * (_LINE + _BAR + 6) + ports * _LINE + 6 + tasks + _PAD / 2


def _task_height(task: Placed) -> float:
    return _PAD + (2 + len(task.ports)) * _LINE


def _draw(machine: Machine, x: float, y: float, tall: float) -> list[str]:
    grey = machine.status != "ACTIVE"
    fill, edge = ("#f1f1f1", "#888") if grey else ("#eef4fb", "#3b6ea5")
    parts = [_rect(x, y, _WIDE, tall, fill, edge)]
    line = y + _PAD + 9
    parts.append(_text(x + _PAD, line, machine.name, bold=True))
    line += _LINE
    for fact in _facts(machine):
        parts.append(_text(x + _PAD, line, fact))
        line += _LINE
    for what, left, whole in _free(machine):
        parts.append(_text(x + _PAD, line, f"{left} of {whole} {what} free"))
        inner = _WIDE - 2 * _PAD
        used = inner * (whole - left) / whole if whole else 0.0
        parts.append(_rect(x + _PAD, line + 5, inner, _BAR - 4, "#fff", "#9ab", 2))
        if used:
            parts.append(_rect(x + _PAD, line + 5, used, _BAR - 4, "#3b6ea5", "#3b6ea5", 2))
        line += _LINE + _BAR + 6
    for words in _lines(_ports(machine), 38):
        parts.append(_text(x + _PAD, line, words))
        line += _LINE
    top = line - 9
    for task in machine.tasks:
        high = _task_height(task)
        parts.append(_rect(x + _PAD, top, _WIDE - 2 * _PAD, high, "#fff", "#3b6ea5"))
        for number, words in enumerate([task.name, f"{task.definition}, {task.status}", *task.ports]):
            parts.append(_text(x + 2 * _PAD - 2, top + _PAD + 6 + number * _LINE, words, bold=number == 0))
        top += high + 8
    return parts


def _rect(x: float, y: float, width: float, height: float, fill: str, edge: str, round_by: int = 6) -> str:
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="{round_by}" fill="{fill}" '
        f'stroke="{edge}"/>'
    )


def _text(x: float, y: float, text: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="#111"{weight}>{html.escape(text)}</text>'
