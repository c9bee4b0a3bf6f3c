"""Why the scheduler did that: a service's events in words, and its tasks as bars over time with the events beside them."""

from __future__ import annotations

import html
import re
import textwrap
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labkit.audience import ipython
from labkit.drawing import size
from labkit.sessions import client

_LONG_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24}\b")
WIDTH = 100
"""Characters of a line"""
_LEFT, _WIDE, _ROW, _PAD, _TOP, _APART = 200, 600, 24, 12, 30, 18
"""Pixels: the tasks' names, the bars, a task's row, around it all, above the bars, between two numbers"""


@dataclass(frozen=True)
class Bar:
    """A task of the service; times in seconds since the first. ``ran`` is None if it never ran, ``ended`` until it has
    stopped; ``why`` is empty while nobody has told it to stop."""

    name: str
    where: str
    made: float
    ran: float | None
    ended: float | None
    why: str = ""


@dataclass(frozen=True)
class Told:
    """An event of the service."""

    at: float
    text: str


def events(cluster: str, service: str, since: int = 0) -> None:
    """Print a service's events, the oldest first, leaving out the first ``since``; long ids are cut to eight letters."""
    told = told_by(client("ecs").describe_services(cluster=cluster, services=[service])["services"][0])
    for event in told[since:]:
        print(textwrap.fill(event["message"], WIDTH, subsequent_indent="    ", break_on_hyphens=False))


def told_by(service: dict[str, Any]) -> list[dict[str, Any]]:
    """The oldest first, ids cut."""
    return [{**event, "message": _shortened(event["message"])} for event in reversed(service["events"])]


def _shortened(text: str) -> str:
    return _LONG_ID.sub(r"\1...", text)


def draw_scheduler(cluster: str, service: str) -> None:
    """Draw a service's tasks over time, those of the last hour, with the scheduler's events; and print the same as text."""
    bars, told = read_story(cluster, service)
    if ipython() is not None:
        from IPython.display import display

        picture = svg(bars, told, f"what the scheduler did for {service}")
        display({"image/svg+xml": picture, "text/plain": f"what the scheduler did for {service}"}, raw=True)  # type: ignore[no-untyped-call]
    print(text_twin(bars, told))


def read_story(cluster: str, service: str) -> tuple[list[Bar], list[Told]]:
    """The tasks in the order in which they were made, and the events; on AWS the latest hundred."""
    ecs = client("ecs")
    tasks: list[dict[str, Any]] = []
    for status in ("RUNNING", "STOPPED"):
        arns = ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus=status)["taskArns"]
        tasks += ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    zones = {task["taskArn"]: task.get("availabilityZone", "") for task in tasks}
    described = ecs.describe_services(cluster=cluster, services=[service])["services"][0]
    told = told_by(described)
    start = min([task["createdAt"] for task in tasks] + [event["createdAt"] for event in told], default=None)
    if start is None:
        return [], []

    def since(at: datetime | None) -> float | None:
        return None if at is None else (at - start).total_seconds()

    bars = [
        Bar(
            f"task {task['taskArn'].rpartition('/')[2][:8]}...",
            zones[task["taskArn"]],
            since(task["createdAt"]) or 0.0,
            since(task.get("startedAt")),
            since(task.get("stoppedAt")),
            (task.get("stoppedReason") or "it was told to") if task["desiredStatus"] == "STOPPED" else "",
        )
        for task in sorted(tasks, key=lambda task: (task["createdAt"], task["taskArn"]))
    ]
    return bars, [Told(since(event["createdAt"]) or 0.0, _without_name(event["message"])) for event in told]


def _without_name(message: str) -> str:
    return re.sub(r"^\(service [^)]*\) ", "", message)


def text_twin(bars: list[Bar], told: list[Told]) -> str:
    """What happened, when (seconds since the first), and why; events with the numbers that they have in the picture."""
    story = [(event.at, f"{number:>3}", event.text) for number, event in enumerate(told, 1)]
    story += [(bar.ended, "", f"{bar.name} stopped: {_shortened(bar.why)}") for bar in bars if bar.ended is not None]
    lines = []
    for at, number, text in sorted(story, key=lambda each: each[0]):
        start = f"{number:3}  {at:5.0f} s  "
        lines.append(textwrap.fill(start + text, WIDTH, subsequent_indent=" " * len(start), break_on_hyphens=False))
    return "\n".join(lines)


def _marks(places: list[float]) -> list[tuple[float, str]]:
    """Where numbers stand, and which: those that would touch are one (``2-4``). ``places`` are pixels, in order."""
    groups: list[list[int]] = []
    for number, place in enumerate(places):
        if groups and place - places[groups[-1][0]] < _APART:
            groups[-1].append(number)
        else:
            groups.append([number])
    return [
        ((places[group[0]] + places[group[-1]]) / 2, "-".join(dict.fromkeys(str(n + 1) for n in (group[0], group[-1]))))
        for group in groups
    ]


def svg(bars: list[Bar], told: list[Told], title: str) -> str:
    """Each task is a bar: pale until it runs, a cross where it ended; each event is a line from top to bottom with the
    number that it has in the text twin. It depends on its arguments only."""
    last = max([0.0, *(event.at for event in told), *(bar.ended or bar.ran or bar.made for bar in bars)])
    scale = _WIDE / (last * 1.05 or 1.0)

    def x(at: float) -> float:
        return _PAD + _LEFT + at * scale

    bottom = _TOP + len(bars) * _ROW
    width, height = _PAD * 2 + _LEFT + _WIDE, bottom + _PAD
    places = [x(event.at) for event in told]
    drawn = [
        f'<path d="M{at:.0f} {_TOP - 6} L{at:.0f} {bottom}" stroke="#bbb" stroke-dasharray="3 3"/>' for at in places
    ]
    drawn += [_text(at, _TOP - 10, numbers, "middle") for at, numbers in _marks(places)]
    for row, bar in enumerate(bars):
        y = _TOP + row * _ROW
        drawn.append(_text(_PAD, y + 15, f"{bar.name} in {bar.where}"))
        end = bar.ended if bar.ended is not None else last * 1.05
        ran = bar.ran if bar.ran is not None else end
        drawn.append(_bar(x(bar.made), y + 5, x(ran) - x(bar.made), "#cfdeee"))
        drawn.append(_bar(x(ran), y + 5, x(end) - x(ran), "#8fb0d3" if bar.why else "#3b6ea5"))
        if bar.ended is not None:
            drawn.append(_text(x(end), y + 16, "×", "middle", "#b00020"))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size(width, height)} role="img" '
            f'aria-label="{html.escape(text_twin(bars, told), quote=True)}" style="max-width:100%;height:auto" '
            'font-family="sans-serif" font-size="12">',
            f"<title>{html.escape(title)}</title>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *drawn,
            "</svg>",
        ]
    )


def _bar(x: float, y: float, width: float, fill: str) -> str:
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{max(width, 1):.0f}" height="{_ROW - 10}" fill="{fill}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#111") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}">{html.escape(text)}</text>'
