"""Tables, a task's timeline and log lines: HTML for a person, and always the same as text."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from labkit.audience import display

TASK_STORY = (
    ("createdAt", "PROVISIONING"),
    ("pullStartedAt", "PENDING"),
    ("pullStoppedAt", "ACTIVATING"),
    ("startedAt", "RUNNING"),
    ("stoppingAt", "STOPPING"),
    ("executionStoppedAt", "DEPROVISIONING"),
    ("stoppedAt", "STOPPED"),
)
"""The timestamps of DescribeTasks, and the state that each begins ("Amazon ECS task lifecycle")"""


def show(rows: Any, columns: Sequence[str] | None = None, title: str = "") -> None:
    """A table of a list of dicts, or of one dict's members. ``columns`` chooses and orders them."""
    if isinstance(rows, dict):
        shown = {key: rows.get(key) for key in columns} if columns else rows
        rows, columns = [{"": key, " ": value} for key, value in shown.items()], ["", " "]
    listed = list(rows)
    names = list(columns) if columns else list(dict.fromkeys(key for row in listed for key in row))
    cells = [[_text(row.get(name)) for name in names] for row in listed]
    display(_as_html(names, cells, title), _as_text(names, cells, title))


def as_html(rows: Sequence[dict[str, Any]], title: str = "") -> tuple[str, str]:
    """The table that :func:`show` makes, as HTML and as text, for a display that changes."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_text(row.get(name)) for name in names] for row in rows]
    return _as_html(names, cells, title), _as_text(names, cells, title)


def timeline(task: dict[str, Any], times: bool = True) -> None:
    """The life of a task as DescribeTasks tells it. Without ``times`` only the order of the states, which repeats."""
    known = [(state, task[stamp]) for stamp, state in TASK_STORY if stamp in task]
    known.sort(key=lambda step: step[1])
    if not times:
        text = " -> ".join(state for state, _ in known)
        display(f"<p>{html.escape(text)}</p>", text)
        return
    rows = []
    for number, (state, at) in enumerate(known):
        ended = known[number + 1][1] if number + 1 < len(known) else None
        lasted = f"{(ended - at).total_seconds():.1f} s" if ended else ""
        rows.append({"state": state, "began": f"{at.astimezone(UTC):%H:%M:%S}", "lasted": lasted})
    show(rows)


def log_lines(events: Iterable[dict[str, Any]], times: bool = False) -> None:
    """The messages of log events; ``times`` puts the lab time before each."""
    lines = []
    for event in events:
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        lines.append((f"{at:%H:%M:%S}  " if times else "") + str(event["message"]).rstrip("\n"))
    text = "\n".join(lines) or "(no lines)"
    display(f"<pre>{html.escape(text)}</pre>", text)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list | tuple | set):
        return ", ".join(_text(entry) for entry in value)
    return str(value)


def _as_text(names: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> str:
    if not cells:
        return f"{title}: none" if title else "(none)"
    widths = [max(len(name), *(len(row[i]) for row in cells)) for i, name in enumerate(names)]
    lines = [title] if title else []
    if any(name.strip() for name in names):
        lines.append("  ".join(name.ljust(width) for name, width in zip(names, widths, strict=True)).rstrip())
        lines.append("  ".join("-" * width for width in widths))
    lines += ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


def _as_html(names: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> str:
    caption = f"<caption>{html.escape(title)}</caption>" if title else ""
    if not cells:
        return f"<p>{html.escape(_as_text(names, cells, title))}</p>"
    left = ' style="text-align:left"'
    head = "".join(f"<th{left}>{html.escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td{left}>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in cells)
    heading = f"<thead><tr>{head}</tr></thead>" if any(name.strip() for name in names) else ""
    return f"<table>{caption}{heading}<tbody>{body}</tbody></table>"
