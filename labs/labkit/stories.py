"""``story``: what a service's scheduler did and why, from the events that DescribeServices returns, as a picture (SVG) with
a text twin."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from labkit.audience import ipython

Event = dict[str, Any]

_WIDTH, _CHAR, _LINE, _GAP, _PAD = 96, 6.9, 17, 9, 12
_COLOURS = (
    (("unable", "failed", "rolling back", "is unhealthy"), "#b3261e"),
    (("has started",), "#2e7d32"),
    (("stopped",), "#6b6f76"),
)
_OTHERWISE = "#3b6ea5"


def story(events: Sequence[Event], times: bool = False) -> None:
    """``events`` as AWS returns them, the newest first; they are told from the oldest on.

    ``times`` puts before each the seconds of lab time since the first. Ids are cut to eight characters, as in pictures of
    a cluster.
    """
    lines = told(events, times)
    if ipython() is None:
        print(text_twin(lines))
        return
    from IPython.display import display

    display({"image/svg+xml": svg(lines), "text/plain": text_twin(lines)}, raw=True)  # type: ignore[no-untyped-call]


def told(events: Sequence[Event], times: bool) -> list[tuple[str, str]]:
    """(when, what) of each, the oldest first."""
    oldest_first = list(reversed(events))
    found = []
    for event in oldest_first:
        since = event["createdAt"] - oldest_first[0]["createdAt"]
        found.append((f"+{since.total_seconds():.0f} s" if times else "", shortened(event["message"])))
    return found


def shortened(message: str) -> str:
    """Ids of tasks and deployments cut to eight characters, ARNs of target groups to their names."""
    message = re.sub(r"arn:[\w-]+:elasticloadbalancing:[^ /]*:targetgroup/([^/]+)/\w+", r"\1", message)
    return re.sub(r"\b([0-9a-f]{32}|\d{19})\b\.?", lambda found: f"{found[0][:8]}...", message)


def text_twin(lines: Sequence[tuple[str, str]]) -> str:
    """One paragraph for each event."""
    if not lines:
        return "(no events)"
    wide = max(len(when) for when, _ in lines)
    told = []
    for when, what in lines:
        start = f"{when:>{wide}}  " if wide else ""
        told.append("\n".join(_wrapped(what, start, " " * len(start) + "  ")))
    return "\n".join(told)


def _wrapped(text: str, start: str = "", indent: str = "") -> list[str]:
    """Lines; what is in brackets, such as ``(task 0123abcd...)``, stays together."""
    kept = re.sub(r"\(\w+ [^ ]+\)", lambda found: found[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(
        kept, _WIDTH, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
    return [line.replace("\0", " ") for line in lines]


def svg(lines: Sequence[tuple[str, str]]) -> str:
    """A line of time from top to bottom, with a dot for each event. It depends on its arguments only."""
    left = max((len(when) for when, _ in lines), default=0) * _CHAR + 2 * _PAD
    y, last = float(_PAD), float(_PAD)
    drawn, dots = [], []
    for when, what in lines:
        last = y
        dots.append(f'<circle cx="{left:.0f}" cy="{y + 9:.0f}" r="5" fill="{_colour(what)}"/>')
        drawn.append(_text(left - _PAD, y, when, "#555", ' text-anchor="end"'))
        for line in _wrapped(what):
            drawn.append(_text(left + _PAD, y, line, "#111"))
            y += _LINE
        y += _GAP
    width, height = left + (_WIDTH + 2) * _CHAR, y + _PAD - _GAP
    described = html.escape(text_twin(lines), quote=True)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" role="img" aria-label="{described}" style="max-width:100%;height:auto" '
            'font-family="sans-serif" font-size="13">',
            "<title>events of a service</title>",
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
            f'<path d="M{left:.0f} {_PAD + 9} V{last + 9:.0f}" stroke="#c3cad3"/>',
            *dots,
            *drawn,
            "</svg>",
        ]
    )


def _text(x: float, y: float, text: str, colour: str, more: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y + 13:.0f}" fill="{colour}"{more}>{html.escape(text)}</text>'


def _colour(message: str) -> str:
    return next((colour for words, colour in _COLOURS if any(word in message for word in words)), _OTHERWISE)
