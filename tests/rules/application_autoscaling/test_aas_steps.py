"""Step adjustments: AWS's own examples, intervals that it refuses, bounds that belong to a step or not."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from drydock.services.application_autoscaling.steps import Adjustment, adjusted, bounds, faults, metric_value, step_for
from hypothesis import given
from hypothesis import strategies as st


def step(lower: float | None, upper: float | None, by: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = {"ScalingAdjustment": by}
    if lower is not None:
        found["MetricIntervalLowerBound"] = lower
    if upper is not None:
        found["MetricIntervalUpperBound"] = upper
    return found


OUT = [step(0, 10, 0), step(10, 20, 10), step(20, None, 30)]
IN = [step(-10, 0, 0), step(-20, -10, -10), step(None, -20, -30)]
BOTH = "ChangeInCapacity"


@pytest.mark.parametrize(
    ("kind", "steps", "least", "wrong"),
    [
        (BOTH, OUT, None, ""),
        (BOTH, IN, None, ""),
        (BOTH, [*OUT, *IN], None, ""),
        (BOTH, [step(None, 0)], None, ""),
        (None, OUT, None, "Adjustment type must be specified"),
        (BOTH, [], None, "At least one step adjustment must be specified"),
        (BOTH, [step(None, None)], None, "Both lower and upper bounds of a step adjustment cannot be left unspecified"),
        (BOTH, [step(5, 5)], None, "Lower bound must be less than upper bound for a step adjustment"),
        (BOTH, [step(None, -5), step(None, 0)], None,
         "At most one step adjustment may have an unspecified lower bound"),
        (BOTH, [step(0, None), step(5, None)], None,
         "At most one step adjustment may have an unspecified upper bound"),
        (BOTH, [step(-5, 0)], None, "There must be a step adjustment with an unspecified lower bound when one step "
         "adjustment has a negative lower bound"),
        (BOTH, [step(0, 5)], None, "There must be a step adjustment with an unspecified upper bound when one step "
         "adjustment has a positive upper bound"),
        (BOTH, [step(0, 10), step(5, None)], None, "Step adjustment intervals cannot overlap"),
        (BOTH, [step(0, 10), step(15, None)], None, "Step adjustment intervals cannot have gaps between them"),
        (BOTH, [step(i, i + 1) for i in range(20)] + [step(20, None)], None,
         "There can be at most 20 step adjustments per scaling policy"),
        (BOTH, OUT, 2, "Minimum adjustment magnitude is only allowed for adjustment type PercentChangeInCapacity"),
        ("PercentChangeInCapacity", OUT, 2, ""),
        ("ExactCapacity", [step(0, None, -1)], None,
         "Scaling adjustment cannot be less than 0 when adjustment type is ExactCapacity"),
    ],
)  # fmt: skip
def test_what_aws_refuses(kind: str | None, steps: list[dict[str, Any]], least: int | None, wrong: str) -> None:
    assert faults(kind, steps, least) == wrong


@pytest.mark.parametrize(
    ("above", "rising", "by"),
    [
        (0, True, 0), (9.99, True, 0), (10, True, 10), (19.9, True, 10), (20, True, 30), (900, True, 30),
        (0, False, 0), (-9.99, False, 0), (-10, False, -10), (-19.9, False, -10), (-20, False, -30), (-900, False, -30),
    ],
)  # fmt: skip
def test_which_step_a_metric_is_in(above: float, rising: bool, by: int) -> None:
    found = step_for(OUT if rising else IN, above, rising)
    assert found is not None
    assert found["ScalingAdjustment"] == by


@pytest.mark.parametrize(("steps", "above", "rising"), [(OUT, -1, True), (IN, 1, False), ([step(5, None)], 4.9, True)])
def test_no_step_is_for_a_metric_outside_of_all(steps: list[dict[str, Any]], above: float, rising: bool) -> None:
    assert step_for(steps, above, rising) is None


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=8, unique=True), st.floats(-100, 100), st.booleans())
def test_intervals_that_are_taken_hold_a_value_once_at_most(edges: list[float], above: float, rising: bool) -> None:
    edges = sorted(edges)
    steps = [step(None, edges[0])]
    steps += [step(a, b) for a, b in itertools.pairwise(edges)]
    steps.append(step(edges[-1], None))
    assert faults(BOTH, steps, None) == ""
    holding = [one for one in steps if step_for([one], above, rising) is not None]
    assert len(holding) == 1


@pytest.mark.parametrize(
    ("capacity", "kind", "by", "least", "wanted"),
    [
        (3, "ChangeInCapacity", 5, 0, 8),
        (3, "ChangeInCapacity", -5, 0, 0),
        (3, "ExactCapacity", 5, 0, 5),
        (10, "PercentChangeInCapacity", 10, 0, 11),
        (4, "PercentChangeInCapacity", 25, 2, 6),  # the API reference's example
        (100, "PercentChangeInCapacity", 12, 0, 112),
        (106, "PercentChangeInCapacity", 12, 0, 118),  # 12.72 is rounded to 12
        (5, "PercentChangeInCapacity", 13, 0, 6),  # .65 is rounded to 1
        (5, "PercentChangeInCapacity", -13, 0, 4),  # -.65 to -1
        (46, "PercentChangeInCapacity", -14, 0, 40),  # -6.44 to -6
        (0, "PercentChangeInCapacity", 50, 0, 0),
        (0, "PercentChangeInCapacity", 50, 1, 1),
        (10, "PercentChangeInCapacity", -10, 3, 7),
        (10, "PercentChangeInCapacity", 0, 3, 10),
    ],
)
def test_adjustments(capacity: int, kind: str, by: int, least: int, wanted: int) -> None:
    assert adjusted(capacity, Adjustment(kind, by, least)) == wanted


def test_a_metric_of_high_resolution_is_aggregated_over_a_minute() -> None:
    values = (90.0, 60.0, 30.0, 0.0)
    assert metric_value(values, 60, "Average") == 90
    assert metric_value(values, 20, "Average") == 60
    assert metric_value(values, 20, "Minimum") == 30
    assert metric_value(values, 20, "Maximum") == 90
    assert metric_value((), 60, "Average") is None
    assert metric_value((math.nan,), 60, "Average") is None


def test_bounds_that_are_left_out_are_infinite() -> None:
    assert bounds({"ScalingAdjustment": 1}) == (-math.inf, math.inf)
