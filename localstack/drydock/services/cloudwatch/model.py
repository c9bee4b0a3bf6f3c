"""What CloudWatch speaks of: metrics, what is recorded of them, what an alarm tells those who act on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drydock.store import Scope


@dataclass(frozen=True, slots=True)
class Metric:
    """Which one. Two metrics that differ in one dimension are different ones."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()
    """(name, value), sorted by name"""


def metric(namespace: str, name: str, dimensions: Mapping[str, str] | None = None) -> Metric:
    """A metric from dimensions in any order."""
    return Metric(namespace, name, tuple(sorted((dimensions or {}).items())))


@dataclass(frozen=True, slots=True)
class StatisticSet:
    """Samples that somebody else has summed up."""

    count: float
    total: float
    smallest: float
    largest: float


@dataclass(frozen=True, slots=True)
class Datum:
    """What was measured of a metric at ``at`` (lab seconds since 1970)."""

    metric: Metric
    at: float
    samples: tuple[tuple[float, float], ...] = ()
    """(value, how often it was seen)"""
    summed: StatisticSet | None = None
    """Instead of samples"""
    unit: str = "None"
    resolution: int = 60
    """Seconds: 60, or 1 for high resolution"""


Record = Callable[[Scope, Sequence[Datum]], None]
"""Where services put what they measure"""


@dataclass(frozen=True, slots=True)
class AlarmSignal:
    """What an alarm tells an action: that its state has changed, or (``repeated``) that it is still so."""

    scope: Scope
    name: str
    arn: str
    state: str
    """``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``"""
    old_state: str
    at: float
    """Lab seconds since 1970"""
    reason: str
    reason_data: dict[str, Any] | None
    values: tuple[float, ...]
    """The data points that decided, the latest first; none for a composite alarm or one without data"""
    alarm: dict[str, Any]
    """As DescribeAlarms shows it: Threshold, ComparisonOperator, Period, MetricName, ..."""
    repeated: bool = False
    before: dict[str, Any] = field(default_factory=dict)
    """Of the old state: ``reason``, ``reason_data`` and since when (``at``), as far as it is known"""
