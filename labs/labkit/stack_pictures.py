"""``draw_stack``: a template's resources, drawn in the order in which they can be made; ``watch_stack``: a stack's operation
as it goes."""

from __future__ import annotations

import html
from typing import Any

from labkit.audience import ipython, person_is_there
from labkit.drawing import size
from labkit.sessions import client
from labkit.showing import as_html, show
from labkit.templates import Resource, direct, resources, steps
from labkit.waiting import wait

_CHAR, _SMALL, _TALL, _PAD, _GAP_X, _GAP_Y, _TOP = 7.6, 5.6, 40, 8, 34, 12, 26
_FILLS = {"EC2": "#e3edf8", "IAM": "#fbe9d9", "AutoScaling": "#e3edf8", "ECS": "#e2f3e4", "Logs": "#f0e8f7"}
_OTHER = "#f4f6f8"


def draw_stack(template: str) -> None:
    """Draw the resources of a template (its text), each to the right of what it needs; and print the same as text."""
    found = resources(template)
    if ipython() is not None:
        from IPython.display import display

        picture = svg(found, "the resources of the template")
        display({"image/svg+xml": picture, "text/plain": "the resources of the template"}, raw=True)  # type: ignore[no-untyped-call]
    print(text_twin(found))


def text_twin(found: list[Resource]) -> str:
    """Step by step, with what each waits for."""
    arrows = direct(found)
    lines = []
    for number, step in enumerate(steps(found), 1):
        lines.append(f"step {number}")
        for one in step:
            after = f" after {', '.join(arrows[one.name])}" if one.needs else ""
            lines.append(f"  {one.name} ({one.type.removeprefix('AWS::')}){after}")
    return "\n".join(lines)


def svg(found: list[Resource], title: str) -> str:
    """A column for each step; an arrow from what is needed to what needs it, without those that others imply. It depends on
    its arguments only, so that it repeats."""
    columns = steps(found)
    places: dict[str, tuple[float, float, float]] = {}
    x, bottom = float(_PAD), 0.0
    parts, boxes = [], []
    for number, column in enumerate(columns, 1):
        wide = max(max(len(one.name) * _CHAR, len(one.type) * _SMALL - 5 * _SMALL) for one in column) + 2 * _PAD
        boxes.append(_text(x + wide / 2, 16, f"step {number}", 11, "#555", "middle"))
        for row, one in enumerate(column):
            y = _TOP + row * (_TALL + _GAP_Y)
            places[one.name] = (x, y, wide)
            short = one.type.removeprefix("AWS::")
            fill = _FILLS.get(short.partition("::")[0], _OTHER)
            boxes.append(
                f'<rect x="{x:.0f}" y="{y}" width="{wide:.0f}" height="{_TALL}" rx="6" fill="{fill}" stroke="#3b6ea5"/>'
            )
            boxes.append(_text(x + _PAD, y + 17, one.name, 13, "#111", weight="bold"))
            boxes.append(_text(x + _PAD, y + 32, short, 10, "#444"))
            bottom = max(bottom, y + _TALL)
        x += wide + _GAP_X
    for name, needs in direct(found).items():
        parts += [_arrow(places[need], places[name]) for need in needs]
    width, height = x - _GAP_X + _PAD, bottom + _PAD
    told = html.escape(text_twin(found), quote=True)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" {size(width, height)} '
            f'role="img" aria-label="{told}" style="max-width:100%;height:auto" font-family="sans-serif">',
            f"<title>{html.escape(title)}</title>",
            '<defs><marker id="stack-tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="#777"/></marker></defs>',
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
            *parts,
            *boxes,
            "</svg>",
        ]
    )


def _arrow(start: tuple[float, float, float], end: tuple[float, float, float]) -> str:
    x1, y1 = start[0] + start[2], start[1] + _TALL / 2
    x2, y2 = end[0] - 2, end[1] + _TALL / 2
    bend = max(18.0, (x2 - x1) / 2)
    path = f"M{x1:.0f} {y1:.0f} C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return f'<path d="{path}" stroke="#777" fill="none" marker-end="url(#stack-tip)"/>'


def _text(
    x: float, y: float, text: str, height: int, colour: str, anchor: str = "start", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{height}" fill="{colour}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{html.escape(text)}</text>'
    )


def watch_stack(name: str, timeout: float = 3600) -> dict[str, Any]:
    """Wait until nothing of the stack's operation is in progress any more; the stack. A person sees a table of its resources
    that changes meanwhile; what stays is how it ended, sorted by name. ``timeout`` in seconds of lab time."""
    cloudformation = client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    live: Any = None
    if ipython() is not None and person_is_there():
        from IPython.display import display

        live = display({"text/plain": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def rows() -> list[dict[str, str]]:
        found = cloudformation.describe_stack_resources(StackName=stack_id)["StackResources"]
        return [
            {
                "resource": one["LogicalResourceId"],
                "type": one["ResourceType"].removeprefix("AWS::"),
                "status": one["ResourceStatus"],
            }
            for one in sorted(found, key=lambda one: one["LogicalResourceId"])
        ]

    def look() -> dict[str, Any]:
        stack = dict(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0])
        if live is not None:
            table, text = as_html(rows(), f"stack {stack['StackName']}: {stack['StackStatus']}")
            live.update({"text/html": table, "text/plain": text}, raw=True)
        return stack

    ended = wait(
        look,
        until=lambda stack: not stack["StackStatus"].endswith("_IN_PROGRESS"),
        timeout=timeout,
        name=f"stack {name}",
    )
    if live is None:
        show(rows(), title=f"stack {ended['StackName']}: {ended['StackStatus']}")
    return ended
