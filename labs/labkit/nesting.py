"""Boxes within boxes, as a picture (SVG) and as an outline in text. It knows nothing of AWS."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.drawing import size

Place = tuple[float, float, float, float]
"""x, y, width, height"""
_CHAR, _BOLD, _LINE, _PAD, _GAP, _BETWEEN = 6.6, 7.6, 16, 10, 10, 130
"""``_BETWEEN`` columns there is room for what the arrows say"""
_FILLS = ("#f4f6f8", "#e3edf8", "#ffffff", "#f4f6f8")
"""By depth"""


@dataclass(frozen=True)
class Box:
    """``name`` is its first line and must be unique in a picture's arrows; ``facts`` are the lines below it. What is
    ``inside`` is drawn one below the other, or ``across``."""

    name: str
    facts: tuple[str, ...] = ()
    inside: tuple[Box, ...] = ()
    across: bool = False


@dataclass(frozen=True)
class Arrow:
    """From one box to another, by name; ``verb`` is written on it."""

    start: str
    verb: str
    end: str


def outline(boxes: Sequence[Box], arrows: Sequence[Arrow] = ()) -> str:
    """The text twin: what is inside is indented; the arrows are sentences."""
    lines = [line for box in boxes for line in _outlined(box, 0)]
    return "\n".join([*lines, *(f"{arrow.start} --{arrow.verb}--> {arrow.end}" for arrow in arrows)])


def _outlined(box: Box, depth: int) -> Iterator[str]:
    yield "  " * depth + box.name + (f" ({', '.join(box.facts)})" if box.facts else "")
    for inner in box.inside:
        yield from _outlined(inner, depth + 1)


def svg(columns: Sequence[Sequence[Box]], arrows: Sequence[Arrow], title: str) -> str:
    """Columns from left to right, each a stack of boxes. It depends on its arguments only, so that it repeats."""
    places: dict[str, Place] = {}
    drawn: list[str] = []
    x, tallest, between = float(_PAD), 0.0, _BETWEEN if arrows else 2 * _GAP
    for column in columns:
        y, widest = float(_PAD), max((_size(box)[0] for box in column), default=0.0)
        for box in column:
            height = _size(box)[1]
            drawn += _draw(box, (x, y, widest, height), 0, places)
            y += height + _GAP
        tallest = max(tallest, y)
        x += widest + between
    width = x - between + _PAD
    told = html.escape(outline([box for column in columns for box in column], arrows), quote=True)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {tallest:.0f}" {size(width, tallest)} '
            f'role="img" aria-label="{told}" style="max-width:100%;height:auto" '
            'font-family="sans-serif" font-size="12">',
            f"<title>{html.escape(title)}</title>",
            '<defs><marker id="nested-tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="#444"/></marker></defs>',
            f'<rect width="{width:.0f}" height="{tallest:.0f}" fill="#fff"/>',
            *drawn,
            *(line for arrow in arrows for line in _arrow(places[arrow.start], arrow.verb, places[arrow.end])),
            "</svg>",
        ]
    )


def _size(box: Box) -> tuple[float, float]:
    inner = [_size(each) for each in box.inside]
    lines = [len(box.name) * _BOLD, *(len(fact) * _CHAR for fact in box.facts), *(width for width, _ in inner)]
    below = sum(tall + _GAP for _, tall in inner)
    if box.across:
        lines.append(sum(width + _GAP for width, _ in inner) - _GAP)
        below = max((tall for _, tall in inner), default=-_GAP) + _GAP
    return max(lines) + 2 * _PAD, _PAD + (1 + len(box.facts)) * _LINE + below + _PAD / 2


def _draw(box: Box, place: Place, depth: int, places: dict[str, Place]) -> list[str]:
    x, y, width, height = place
    places.setdefault(box.name, place)
    parts = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6" '
        f'fill="{_FILLS[min(depth, len(_FILLS) - 1)]}" stroke="#3b6ea5"/>'
    ]
    for number, line in enumerate((box.name, *box.facts)):
        weight = ' font-weight="bold"' if number == 0 else ""
        parts.append(
            f'<text x="{x + _PAD:.0f}" y="{y + _PAD + 8 + number * _LINE:.0f}" fill="#111"{weight}>'
            f"{html.escape(line)}</text>"
        )
    left, below = x + _PAD, y + _PAD + (1 + len(box.facts)) * _LINE
    for inner in box.inside:
        wide, tall = _size(inner)
        parts += _draw(inner, (left, below, wide if box.across else width - 2 * _PAD, tall), depth + 1, places)
        if box.across:
            left += wide + _GAP
        else:
            below += tall + _GAP
    return parts


def _arrow(start: Place, verb: str, end: Place) -> list[str]:
    """From the right edge of one to the left edge of the other, at the height of their first lines."""
    x1, y1 = start[0] + start[2], start[1] + _PAD + 4
    x2, y2 = end[0] - 2, end[1] + _PAD + 4
    return [
        f'<path d="M{x1:.0f} {y1:.0f} L{x2:.0f} {y2:.0f}" stroke="#444" fill="none" marker-end="url(#nested-tip)"/>',
        f'<text x="{(x1 + x2) / 2:.0f}" y="{(y1 + y2) / 2 - 4:.0f}" text-anchor="middle" fill="#333" font-size="11" '
        f'stroke="#fff" stroke-width="4" paint-order="stroke">{html.escape(verb)}</text>',
    ]
