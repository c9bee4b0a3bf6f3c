"""Step adjustments: which of a policy's steps an alarm's metric is in, and what it makes of a capacity. Pure.

Sources: API reference of StepAdjustment and StepScalingPolicyConfiguration; "How step scaling for Application Auto Scaling
works". Amazon EC2 Auto Scaling has the same steps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from drydock.errors import AwsError

CHANGE, EXACT, PERCENT = "ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"
ADJUSTMENT_TYPES = (CHANGE, PERCENT, EXACT)
MOST_STEPS = 20
Steps = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Adjustment:
    """How a number is meant. ``least`` is MinAdjustmentMagnitude, 0 if there is none."""

    kind: str
    by: int
    least: int = 0


def faults(kind: str | None, steps: Steps, least: int | None) -> str:
    """What is wrong with a policy's steps, in AWS's words; empty if nothing is."""
    if not kind:
        return "Adjustment type must be specified"
    if not steps:
        return "At least one step adjustment must be specified"  # (?)
    if len(steps) > MOST_STEPS:
        return f"There can be at most {MOST_STEPS} step adjustments per scaling policy"
    if least is not None and kind != PERCENT:
        return f"Minimum adjustment magnitude is only allowed for adjustment type {PERCENT}"
    if least is not None and least < 1:
        return "Minimum adjustment magnitude must be greater than 0"  # (?)
    for step in steps:
        lower, upper = bounds(step)
        if lower == -math.inf and upper == math.inf:
            return "Both lower and upper bounds of a step adjustment cannot be left unspecified"
        if lower >= upper:
            return "Lower bound must be less than upper bound for a step adjustment"
        if kind == EXACT and step["ScalingAdjustment"] < 0:
            return f"Scaling adjustment cannot be less than 0 when adjustment type is {EXACT}"
    return _interval_faults([bounds(step) for step in steps])


def _interval_faults(intervals: list[tuple[float, float]]) -> str:
    if sum(lower == -math.inf for lower, _ in intervals) > 1:
        return "At most one step adjustment may have an unspecified lower bound"
    if sum(upper == math.inf for _, upper in intervals) > 1:
        return "At most one step adjustment may have an unspecified upper bound"
    if any(lower < 0 for lower, _ in intervals) and all(lower > -math.inf for lower, _ in intervals):
        return (
            "There must be a step adjustment with an unspecified lower bound when one step adjustment has a negative lower "
            "bound"
        )
    if any(upper > 0 for _, upper in intervals) and all(upper < math.inf for _, upper in intervals):
        return (
            "There must be a step adjustment with an unspecified upper bound when one step adjustment has a positive upper "
            "bound"
        )
    ordered = sorted(intervals)
    for (_, end), (begin, _) in itertools.pairwise(ordered):
        if begin < end:
            return "Step adjustment intervals cannot overlap"
        if begin > end:
            return "Step adjustment intervals cannot have gaps between them"
    return ""


def bounds(step: dict[str, Any]) -> tuple[float, float]:
    """Of a step, relative to the alarm's threshold; one that is left out is infinite."""
    lower, upper = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
    return (-math.inf if lower is None else float(lower)), (math.inf if upper is None else float(upper))


def step_for(steps: Steps, above: float, rising: bool) -> dict[str, Any] | None:
    """The step for a metric that is ``above`` the threshold (negative: below it); None if there is none. Above the
    threshold a lower bound belongs to its step and an upper bound does not; below it is the reverse. On the threshold
    it depends on whether the alarm looks for values above it (``rising``)."""
    closed_below = above > 0 or (above == 0 and rising)
    for step in steps:
        lower, upper = bounds(step)
        if lower <= above < upper if closed_below else lower < above <= upper:
            return step
    return None


def adjusted(capacity: int, adjustment: Adjustment) -> int:
    """The capacity that an adjustment asks for, never below 0. A percentage is rounded towards zero, but to no less
    than one in its direction, and moves at least by MinAdjustmentMagnitude."""
    if adjustment.kind == EXACT:
        return max(adjustment.by, 0)
    change = adjustment.by
    if adjustment.kind == PERCENT:
        exact = capacity * adjustment.by / 100
        size = max(math.floor(abs(exact)), 1 if exact else 0)
        if adjustment.by and adjustment.least:
            size = max(size, adjustment.least)
        change = size if adjustment.by > 0 else -size
    return max(capacity + change, 0)


def metric_value(values: Sequence[float], period: float, kind: str) -> float | None:
    """The metric's value for a policy: of a high-resolution metric all of the last minute's (``values``: the latest
    first) are aggregated by ``kind`` (Average, Minimum, Maximum); None if there is none."""
    recent = [value for value in values[: max(1, int(60 // period) if period else 1)] if not math.isnan(value)]
    if not recent:
        return None
    if kind == "Minimum":
        return min(recent)
    return max(recent) if kind == "Maximum" else sum(recent) / len(recent)


def check(kind: str | None, steps: Steps, least: int | None, code: str = "ValidationException") -> None:
    """Raises AwsError for steps that AWS does not take."""
    if wrong := faults(kind, steps, least):
        raise AwsError(code, wrong)
