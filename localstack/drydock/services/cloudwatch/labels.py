"""What a series is called: the default where no label is given, and dynamic labels (``${MAX}``, ``${PROP('Stat')}``).

Source: "Use dynamic labels", LabelOptions in the reference of GetMetricData. How a number and a time are written is not
documented (?). Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from drydock.services.cloudwatch.errors import failed
from drydock.services.cloudwatch.model import Metric

_DYNAMIC = re.compile(r"\$\{(?:(?P<word>[A-Z_]+)|PROP\('(?P<prop>[^']+)'\))\}")
_ZONE = re.compile(r"[+-](\d\d)([0-5]\d)")
MOST_DYNAMIC = 6
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Which metric a series shows, where it shows one."""

    metric: Metric
    stat: str
    period: int


def default_labels(origins: Sequence[Origin]) -> list[str]:
    """Of the metrics of one request: each its name, and what sets it apart from the others."""
    stats = len({one.stat for one in origins}) > 1
    lengths = len({one.period for one in origins}) > 1
    differing = _differing_dimensions([one.metric for one in origins])
    return [
        " ".join([
            *(value for name, value in one.metric.dimensions if name in differing),
            one.metric.name,
            *([one.stat] if stats else []),
            *([str(one.period)] if lengths else []),
        ])
        for one in origins
    ]  # fmt: skip


def search_labels(origins: Sequence[Origin]) -> list[str]:
    """Of what one SEARCH has found: only what sets them apart; one alone has its metric's name."""
    metrics = [one.metric for one in origins]
    differing = _differing_dimensions(metrics)
    names = len({metric.name for metric in metrics}) > 1 or not differing
    return [
        " ".join(
            [*(value for name, value in metric.dimensions if name in differing), *([metric.name] if names else [])]
        )
        for metric in metrics
    ]


def _differing_dimensions(metrics: Sequence[Metric]) -> set[str]:
    """Names of dimensions whose value is not the same in all."""
    values: dict[str, set[str | None]] = {}
    by_metric = [dict(metric.dimensions) for metric in metrics]
    for name in {name for dimensions in by_metric for name in dimensions}:
        values[name] = {dimensions.get(name) for dimensions in by_metric}
    return {name for name, found in values.items() if len(found) > 1}


def checked_zone(zone: str | None) -> timezone:
    """LabelOptions.Timezone. Raises ValidationError."""
    if zone is None:
        return UTC
    found = _ZONE.fullmatch(zone)
    if found is None or int(found[1]) > 23:
        raise failed(f"The value {zone} for parameter LabelOptions.Timezone is invalid.")  # (?)
    offset = timedelta(hours=int(found[1]), minutes=int(found[2]))
    return timezone(-offset if zone.startswith("-") else offset)


def filled(
    label: str, default: str, points: Points, origin: Origin | None, place: tuple[str, str], now: float, zone: timezone
) -> str:
    """A label with its dynamic parts. ``place`` is (account, region); ``points`` are in the order of time. What is no
    dynamic part stays as it is written."""
    if "${" not in label:
        return label
    seen = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        if seen > MOST_DYNAMIC:
            return match[0]
        if match["prop"]:
            return _property(match["prop"], origin, place) or match[0]
        if match["word"] == "LABEL":
            return default
        return _word(match["word"], points, now, zone) or match[0]

    return _DYNAMIC.sub(replaced, label)


def _property(name: str, origin: Origin | None, place: tuple[str, str]) -> str | None:
    account, region = place
    if name in ("AccountId", "AccountLabel", "Region"):
        return region if name == "Region" else account
    if origin is None:
        return None
    if name.startswith("Dim."):
        return dict(origin.metric.dimensions).get(name[4:])
    found = {
        "MetricName": origin.metric.name,
        "Namespace": origin.metric.namespace,
        "Period": str(origin.period),
        "Stat": origin.stat,
    }
    return found.get(name)


_PICKED: dict[str, Callable[[Points], tuple[float, float]]] = {
    "FIRST": lambda points: points[0],
    "LAST": lambda points: points[-1],
    "MAX": lambda points: max(points, key=lambda one: one[1]),
    "MIN": lambda points: min(points, key=lambda one: one[1]),
}


def _word(word: str, points: Points, now: float, zone: timezone) -> str | None:
    if word == "DATAPOINT_COUNT":
        return str(len(points))
    if word in ("AVG", "SUM"):
        if not points:
            return "--"
        total = math.fsum(value for _, value in points)
        return number(total / len(points) if word == "AVG" else total)
    base, _, kind = word.partition("_")
    if base not in _PICKED:
        return None
    if kind in ("", "TIME", "TIME_RELATIVE"):
        if not points:
            return "--"
        at, value = _PICKED[base](points)
        return number(value) if kind == "" else shown(at, zone) if kind == "TIME" else lasting(now - at)
    ends = {"FIRST_LAST": ("FIRST", "LAST"), "MIN_MAX": ("MIN", "MAX")}
    for pair, (one, other) in ends.items():
        if word in (f"{pair}_RANGE", f"{pair}_TIME_RANGE"):
            if not points:
                return "--"
            first, last = _PICKED[one](points), _PICKED[other](points)
            return number(last[1] - first[1]) if word == f"{pair}_RANGE" else lasting(last[0] - first[0])
    return None


def number(value: float) -> str:
    """At most three decimals."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"


def shown(at: float, zone: timezone = UTC) -> str:
    """A moment."""
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def lasting(seconds: float) -> str:
    """A length of time, in its two largest units."""
    seconds = abs(seconds)
    parts = []
    for length, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds >= length:
            parts.append(f"{seconds // length:.0f}{unit}")
            seconds %= length
    return " ".join(parts[:2]) or "0s"
