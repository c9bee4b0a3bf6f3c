"""``chart``: what was measured over time, panels one below the other on one time axis (SVG), with a text twin."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from labkit.audience import ipython

Series = Sequence[tuple[datetime, Any]]
"""(when, a number), or (when, the name of a state that begins then)"""
_COLOURS = ("#3b6ea5", "#c98a1b", "#5aa469", "#7a5ba8")
_STATES = {"ALARM": "#b3261e", "OK": "#5aa469", "INSUFFICIENT_DATA": "#c0c4c9"}
_LEFT, _WIDE, _PAD, _TITLE, _TALL, _BAND = 60, 760, 12, 20, 90, 18
_SPARKS = "▁▂▃▄▅▆▇█"
_SPARKS_WIDE = 40


def chart(
    panels: Mapping[str, Mapping[str, Series]],
    limits: Mapping[str, Mapping[str, float]] | None = None,
    steps: Sequence[str] = (),
    title: str = "",
) -> None:
    """Draw ``{panel: {name: [(when, value), ...]}}``, and print the same as text. ``limits`` are {panel: {name: value}}, drawn as
    dashed lines; series of the panels in ``steps`` keep a value until the next one. A series of states is a band."""
    found = {
        panel: {name: sorted(points, key=lambda point: point[0]) for name, points in series.items()}
        for panel, series in panels.items()
    }
    told = text_twin(found, title)
    if ipython() is not None:
        from IPython.display import display

        picture = svg(found, limits or {}, steps, title)
        display({"image/svg+xml": picture, "text/plain": title or "chart"}, raw=True)  # type: ignore[no-untyped-call]
    print(told)


def _is_band(points: Series) -> bool:
    return any(isinstance(value, str) for _, value in points)


def _bounds(panels: Mapping[str, Mapping[str, Series]]) -> tuple[datetime, datetime] | None:
    times = [when for series in panels.values() for points in series.values() for when, _ in points]
    return (min(times), max(times)) if times else None


# ------------------------------------------------------------------ as text


def text_twin(panels: Mapping[str, Mapping[str, Series]], title: str) -> str:
    """A line for each series: its course in little bars, from the beginning to the end of all; the smallest, largest and last value."""
    bounds = _bounds(panels)
    lines = [title] if title else []
    if bounds is None:
        return "\n".join([*lines, "nothing was measured"])
    first, last = bounds
    lines.append(f"from {first:%H:%M} to {last:%H:%M}")
    wide = max(len(name) for series in panels.values() for name in series)
    for panel, series in panels.items():
        lines.append(f"{panel}:")
        for name, points in series.items():
            lines.append(f"  {name:<{wide}}  {_band_as_text(points) if _is_band(points) else _sparks(points, bounds)}")
    return "\n".join(lines)


def _band_as_text(points: Series) -> str:
    return " -> ".join(f"{state} {when:%H:%M}" for when, state in points)


def _sparks(points: Series, bounds: tuple[datetime, datetime]) -> str:
    if not points:
        return "nothing"
    first, span = bounds[0], (bounds[1] - bounds[0]).total_seconds() or 1.0
    most = max(value for _, value in points)
    slots: list[float | None] = [None] * _SPARKS_WIDE
    for when, value in points:
        slot = min(int((when - first).total_seconds() / span * _SPARKS_WIDE), _SPARKS_WIDE - 1)
        slots[slot] = max(value, slots[slot] or 0.0)
    drawn = "".join(" " if v is None else _SPARKS[min(int(v / (most or 1) * 8), 7)] for v in slots)
    low = min(value for _, value in points)
    return f"|{drawn}|  {low:.4g} to {most:.4g}, at last {points[-1][1]:.4g}"


# ------------------------------------------------------------------ as a picture


def svg(
    panels: Mapping[str, Mapping[str, Series]],
    limits: Mapping[str, Mapping[str, float]],
    steps: Sequence[str],
    title: str,
) -> str:
    """It depends on its arguments only."""
    bounds = _bounds(panels)
    drawn: list[str] = [_text(_PAD, 16, title, bold=True)] if title else []
    top = 28.0 if title else 6.0
    for panel, series in panels.items():
        drawn.append(_text(_PAD, top + 13, panel, bold=True))
        drawn += _legend(series, limits.get(panel, {}), _PAD + 8.0 * len(panel) + 24, top + 13)
        top += _TITLE
        if bounds is None:
            drawn.append(_text(_LEFT, top + 14, "nothing was measured"))
            top += _BAND + _PAD
        elif any(_is_band(points) for points in series.values()):
            for name, points in series.items():
                drawn += _band(name, points, bounds, top)
                top += _BAND + 4
        else:
            drawn += _curves(series, limits.get(panel, {}), bounds, top, panel in steps)
            top += _TALL
        top += _PAD
    if bounds is not None:
        drawn += _axis(bounds, top - _PAD / 2)
    told = html.escape(text_twin(panels, title), quote=True)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE + 20} {top + 20:.0f}" width="{_WIDE + 20}" '
            f'height="{top + 20:.0f}" role="img" aria-label="{told}" style="max-width:100%;height:auto" '
            'font-family="sans-serif" font-size="12">',
            f"<title>{html.escape(title or 'chart')}</title>",
            f'<rect width="{_WIDE + 20}" height="{top + 20:.0f}" fill="#fff"/>',
            *drawn,
            "</svg>",
        ]
    )


def _x(when: datetime, bounds: tuple[datetime, datetime]) -> float:
    span = (bounds[1] - bounds[0]).total_seconds() or 1.0
    return _LEFT + (when - bounds[0]).total_seconds() / span * (_WIDE - _LEFT)


def _legend(series: Mapping[str, Series], limits: Mapping[str, float], x: float, y: float) -> Iterator[str]:
    for (name, points), colour in zip(series.items(), _COLOURS * len(series), strict=False):
        if not _is_band(points):
            yield f'<rect x="{x:.0f}" y="{y - 9:.0f}" width="12" height="10" fill="{colour}"/>'
            yield _text(x + 16, y, name)
            x += 16 + 7.0 * len(name) + 16
    for name, value in limits.items():
        yield f'<path d="M{x:.0f} {y - 4:.0f} h14" stroke="#b3261e" stroke-dasharray="4 3"/>'
        yield _text(x + 18, y, f"{name} {value:g}")
        x += 18 + 7.0 * len(f"{name} {value:g}") + 16


def _band(name: str, points: Series, bounds: tuple[datetime, datetime], top: float) -> Iterator[str]:
    ends = [*(when for when, _ in points[1:]), bounds[1]]
    for (when, state), end in zip(points, ends, strict=True):
        x, x2 = _x(when, bounds), _x(end, bounds)
        colour = _STATES.get(state, "#3b6ea5")
        yield f'<rect x="{x:.1f}" y="{top:.0f}" width="{max(x2 - x, 1):.1f}" height="{_BAND}" fill="{colour}"/>'
        if x2 - x > 8.0 * len(state):
            yield _text(x + 4, top + 13, state, fill="#fff" if state != "INSUFFICIENT_DATA" else "#333")
    yield _text(_LEFT - 6, top + 13, name, anchor="end")


def _curves(
    series: Mapping[str, Series],
    limits: Mapping[str, float],
    bounds: tuple[datetime, datetime],
    top: float,
    in_steps: bool,
) -> Iterator[str]:
    most = max([*(v for points in series.values() for _, v in points), *limits.values()], default=0) or 1
    base = top + _TALL

    def y(value: float) -> float:
        return base - value / (most * 1.08) * _TALL

    yield f'<path d="M{_LEFT} {top:.0f} V{base:.0f} H{_WIDE}" stroke="#888" fill="none"/>'
    yield _text(_LEFT - 6, y(most) + 4, f"{most:.4g}", anchor="end")
    yield _text(_LEFT - 6, base, "0", anchor="end")
    for value in limits.values():
        yield f'<path d="M{_LEFT} {y(value):.1f} H{_WIDE}" stroke="#b3261e" stroke-dasharray="4 3"/>'
    for points, colour in zip(series.values(), _COLOURS * len(series), strict=False):
        path = ""
        for number, (when, value) in enumerate(points):
            x = _x(when, bounds)
            path += f"M{x:.1f} {y(value):.1f}" if number == 0 else ""
            path += (f" H{x:.1f} V{y(value):.1f}" if in_steps else f" L{x:.1f} {y(value):.1f}") if number else ""
        if path and in_steps:
            path += f" H{_WIDE}"
        if path:
            yield f'<path d="{path}" stroke="{colour}" stroke-width="2" fill="none" stroke-linejoin="round"/>'
        if len(points) == 1:
            yield f'<circle cx="{_x(points[0][0], bounds):.1f}" cy="{y(points[0][1]):.1f}" r="3" fill="{colour}"/>'


def _axis(bounds: tuple[datetime, datetime], y: float) -> Iterator[str]:
    span = bounds[1] - bounds[0]
    for number in range(5):
        when = bounds[0] + span * number / 4
        yield _text(_x(when, bounds), y + 14, f"{when:%H:%M}", anchor="middle" if number < 4 else "end")


def _text(x: float, y: float, text: str, bold: bool = False, anchor: str = "start", fill: str = "#111") -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{fill}" text-anchor="{anchor}"{weight}>{html.escape(text)}</text>'
