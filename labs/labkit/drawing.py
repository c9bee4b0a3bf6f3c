"""Pictures of how resources belong together, drawn from what AWS describes: SVG, with the same as text below it."""

from __future__ import annotations

import html
from collections.abc import Sequence

from labkit.audience import ipython

Edge = tuple[str, str, str]
"""From, what the arrow says, to"""
Box = tuple[float, float, float, float]
"""x, y, width, height"""

_CHAR, _LINE, _PAD, _GAP_Y = 7.4, 17, 12, 22
_VERB, _AROUND, _LEAST_GAP = 6.2, 30, 70
"""Between two columns: a letter on an arrow, what is around the word, and never less than"""
WIDEST = 840
"""Pixels that a picture may take: a notebook in a window of 1280 has them, and cuts off what is wider"""


def diagram(edges: Sequence[Edge], title: str = "") -> None:
    """Draw boxes and arrows, from left to right, and print the text twin. A box's text may have several lines."""
    if ipython() is not None:
        from IPython.display import display

        display({"image/svg+xml": svg(edges, title), "text/plain": title or "diagram"}, raw=True)  # type: ignore[no-untyped-call]
    print(text_twin(edges))


def text_twin(edges: Sequence[Edge]) -> str:
    """The same as sentences."""
    return "\n".join(f"{_one_line(a)} --{verb}--> {_one_line(b)}" for a, verb, b in edges)


def _one_line(name: str) -> str:
    return name.replace("\n", " ")


def columns(edges: Sequence[Edge]) -> list[list[str]]:
    """The boxes, each one column to the right of what points to it; in the order of their first mention.

    Raises ValueError for a circle, which has no left and right.
    """
    names = list(dict.fromkeys(name for a, _, b in edges for name in (a, b)))
    depth = dict.fromkeys(names, 0)
    for _ in names:
        changed = False
        for a, _, b in edges:
            if depth[b] < depth[a] + 1:
                depth[b] = depth[a] + 1
                changed = True
        if not changed:
            break
    else:
        raise ValueError("the arrows of a diagram run in a circle")
    return [[name for name in names if depth[name] == level] for level in range(max(depth.values(), default=0) + 1)]


def svg(edges: Sequence[Edge], title: str) -> str:
    """The picture. It depends on nothing but its arguments, so that it repeats."""
    placed = columns(edges)
    levels = {name: number for number, level in enumerate(placed) for name in level}
    gaps = [_LEAST_GAP] * len(placed)
    for a, verb, b in edges:
        if levels[b] == levels[a] + 1:
            gaps[levels[a]] = max(gaps[levels[a]], round(len(verb) * _VERB + _AROUND))
    boxes, width, height = _place(placed, gaps)
    described = html.escape(text_twin(edges), quote=True)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" {size(width, height)} '
        f'role="img" aria-label="{described}" style="max-width:100%;height:auto" '
        'font-family="sans-serif" font-size="13">',
        f"<title>{html.escape(title or 'diagram')}</title>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L10 5 L0 10 z" fill="#444"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
    ]
    for a, verb, b in edges:
        parts += _arrow(boxes[a], verb, boxes[b], farther=levels[b] > levels[a] + 1)
    for name, (x, y, w, h) in boxes.items():
        parts.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{w:.0f}" height="{h:.0f}" rx="6" fill="#eef4fb" stroke="#3b6ea5"/>'
        )
        for number, line in enumerate(name.split("\n")):
            weight = ' font-weight="bold"' if number == 0 else ""
            parts.append(
                f'<text x="{x + _PAD:.0f}" y="{y + _PAD + 9 + number * _LINE:.0f}" fill="#111"{weight}>'
                f"{html.escape(line)}</text>"
            )
    return "\n".join([*parts, "</svg>"])


def size(width: float, height: float) -> str:
    """The attributes by which a picture is shown: as large as it is, or as large as may be."""
    scale = min(1.0, WIDEST / width)
    return f'width="{width * scale:.0f}" height="{height * scale:.0f}"'


def _arrow(a: Box, verb: str, b: Box, farther: bool) -> list[str]:
    """To the next column straight; farther, below the boxes between and up into the box from underneath."""
    x1, y1 = a[0] + a[2], a[1] + a[3] / 2
    x2, y2 = b[0] - 2, b[1] + b[3] / 2
    line, middle = f"M{x1:.0f} {y1:.0f} L{x2:.0f} {y2:.0f}", ((x1 + x2) / 2, (y1 + y2) / 2 - 5)
    if farther and y1 > b[1] + b[3]:
        x2, y2 = b[0] + b[2] / 2, b[1] + b[3] + 2
        line, middle = f"M{x1:.0f} {y1:.0f} Q{x2:.0f} {y1:.0f} {x2:.0f} {y2:.0f}", ((x1 + x2) / 2, y1 - 12)
    return [
        f'<path d="{line}" stroke="#444" fill="none" marker-end="url(#tip)"/>',
        f'<text x="{middle[0]:.0f}" y="{middle[1]:.0f}" text-anchor="middle" fill="#333" font-size="11" '
        f'stroke="#fff" stroke-width="4" paint-order="stroke">{html.escape(verb)}</text>',
    ]


def _place(levels: list[list[str]], gaps: Sequence[float]) -> tuple[dict[str, Box], float, float]:
    """x, y, width and height of each box, and the size of the whole. ``gaps`` are those to the right of each column."""
    boxes: dict[str, Box] = {}
    x, height = 10.0, 0.0
    for level, gap in zip(levels, gaps, strict=True):
        wide = max(max(len(line) for line in name.split("\n")) for name in level) * _CHAR + 2 * _PAD
        y = 10.0
        for name in level:
            tall = (name.count("\n") + 1) * _LINE + _PAD
            boxes[name] = (x, y, wide, tall)
            y += tall + _GAP_Y
        height = max(height, y - _GAP_Y + 10)
        x += wide + gap
    return boxes, x - (gaps[-1] if gaps else 0) + 10, height
