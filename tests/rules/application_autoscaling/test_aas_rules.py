"""Cooldowns, target tracking, bounds: the documentation's examples, and what must hold of any signals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drydock.services.application_autoscaling import rules
from drydock.services.application_autoscaling.model import Policy
from drydock.services.application_autoscaling.policy_rules import Signal, asked_by
from drydock.services.application_autoscaling.rules import Cooldowns, Decision, Situation, decide
from hypothesis import given
from hypothesis import strategies as st

FREE = Cooldowns()


def situation(current: int, least: int = 1, most: int = 10, cooldowns: Cooldowns = FREE) -> Situation:
    return Situation(current, least, most, cooldowns)


def change(here: Situation, by: int) -> Decision:
    """A policy that asks for so many more."""
    return decide(here, max(here.base + by, 0), max(here.current + by, 0))


# -- the documentation's examples
def test_a_larger_scale_out_in_the_cooldown_adds_the_difference() -> None:
    first = change(situation(4), 2)
    assert first.capacity == 6
    cooling = FREE.began(4, 6).completed(100, 300)
    assert change(situation(6, cooldowns=cooling.at(200)), 2) == Decision()
    assert change(situation(6, cooldowns=cooling.at(200)), 3).capacity == 7
    assert change(situation(6, cooldowns=cooling.at(400)), 2).capacity == 8


def test_the_cooldown_lasts_while_the_activity_is_in_progress() -> None:
    cooling = FREE.began(4, 6)
    assert change(situation(6, cooldowns=cooling.at(10**9)), 2) == Decision()


def test_a_further_scale_out_counts_from_the_same_base() -> None:
    cooling = FREE.began(4, 6).completed(100, 300).began(6, 7)
    assert change(situation(7, cooldowns=cooling.at(150)), 3) == Decision()
    assert change(situation(7, cooldowns=cooling.at(150)), 5).capacity == 9


def test_scale_in_is_blocked_until_its_cooldown_has_expired() -> None:
    cooling = FREE.began(6, 5)
    assert change(situation(5, cooldowns=cooling.at(500)), -1) == Decision()
    cooling = cooling.completed(500, 300)
    assert change(situation(5, cooldowns=cooling.at(799)), -1) == Decision()
    assert change(situation(5, cooldowns=cooling.at(800)), -1).capacity == 4


def test_a_scale_out_ends_the_cooldown_of_a_scale_in() -> None:
    cooling = FREE.began(6, 5).completed(500, 300)
    assert change(situation(5, cooldowns=cooling.at(510)), 2).capacity == 7
    assert not cooling.began(5, 7).in_effect


def test_no_scale_in_during_a_deployment_but_scale_out() -> None:
    here = replace(situation(5), deploying=True)
    assert change(here, -1) == Decision(reason="TargetServicePutResourceAsUnscalable")
    assert change(here, 1).capacity == 6


def test_suspended() -> None:
    here = replace(situation(5), in_suspended=True)
    assert (change(here, -1), change(here, 1).capacity) == (Decision(), 6)
    here = replace(situation(5), out_suspended=True)
    assert (change(here, 1), change(here, -1).capacity) == (Decision(), 4)


@pytest.mark.parametrize(
    ("here", "by", "decision"),
    [
        (situation(10), 1, Decision(reason="AlreadyAtMaxCapacity")),
        (situation(12), 1, Decision(reason="AlreadyAtMaxCapacity")),
        (situation(1), -1, Decision(reason="AlreadyAtMinCapacity")),
        (situation(0), -1, Decision(reason="AlreadyAtDesiredCapacity")),
        (situation(5), 0, Decision(reason="AlreadyAtDesiredCapacity")),
        (situation(9), 5, Decision(10)),
        (situation(3), -5, Decision(1)),
        (situation(12), -1, Decision(10)),
        (situation(0, least=2), 1, Decision(2)),
    ],
)
def test_bounds(here: Situation, by: int, decision: Decision) -> None:
    assert change(here, by) == decision


# -- target tracking
@pytest.mark.parametrize(
    ("capacity", "metric", "wanted"),
    [
        (1, 51, 2),
        (1, 100, 2),
        (1, 101, 3),
        (4, 75, 6),
        (10, 50.1, 11),
        (3, 50, 3),
        (0, 80, 2),
        (0, 51, 2),
        (7, 100, 14),
    ],
)
def test_out_in_proportion_and_rounded_up(capacity: int, metric: float, wanted: int) -> None:
    assert rules.tracked_out(capacity, metric, 50) == wanted


@pytest.mark.parametrize(
    ("capacity", "metric", "left"),
    [(10, 0, 9), (10, 44, 9), (10, 46, 10), (3, 0, 2), (1, 0, 0), (30, 0, 27), (30, 44.9, 27), (2, 26, 2), (2, 25, 1)],
)
def test_in_gradually_and_rounded_up(capacity: int, metric: float, left: int) -> None:
    assert rules.tracked_in(capacity, metric, 50) == left


def tracker(**given: object) -> Policy:
    return Policy("arn", "p", "service/c/s", "TargetTrackingScaling", {"TargetValue": 50.0, **given}, 0.0)


@pytest.mark.parametrize(
    ("which", "value", "wanted"),
    [(0, 80.0, 7), (0, 50.0, None), (0, 20.0, None), (1, 80.0, None), (1, 45.0, None), (1, 44.9, 4 - 0), (1, 0.0, 3)],
)
def test_each_alarm_asks_for_its_own_direction(which: int, value: float, wanted: int | None) -> None:
    asked = asked_by(tracker(), situation(4), Signal((value,), 50.0, 60, which == 0, which))
    assert (asked.from_current if asked else None) == wanted


def test_what_ecs_tracks_scales_in_as_soon_as_an_instance_is_free() -> None:
    free = Signal((95.0,), 100.0, 60, False, 1)
    assert asked_by(tracker(TargetValue=100.0), situation(20), free) is None
    managed = {"Namespace": "AWS/ECS/ManagedScaling", "MetricName": "CapacityProviderReservation"}
    asked = asked_by(tracker(TargetValue=100.0, CustomizedMetricSpecification=managed), situation(20), free)
    assert asked is not None
    assert asked.from_current == 19


def test_tracking_does_nothing_without_data_or_where_scale_in_is_disabled() -> None:
    assert asked_by(tracker(), situation(4), Signal((), 50.0, 60, True, 0)) is None
    assert asked_by(tracker(DisableScaleIn=True), situation(4), Signal((0.0,), 45.0, 60, False, -1)) is None


# -- what must hold
COUNTS = st.integers(0, 50)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.none() | COUNTS, st.booleans(), st.booleans())
def test_a_capacity_is_always_within_the_bounds(
    current: int, low: int, high: int, wanted: int, now_wanted: int, base: int | None, cooling: bool, deploying: bool
) -> None:
    least, most = min(low, high), max(low, high)
    cooldowns = Cooldowns(out_base=base, in_effect=cooling)
    decision = decide(Situation(current, least, most, cooldowns, deploying), wanted, now_wanted)
    if decision.capacity is not None:
        assert least <= decision.capacity <= most
        assert decision.capacity != current


@given(st.integers(1, 20), st.integers(1, 8), st.lists(st.floats(1, 299), min_size=1, max_size=30))
def test_the_same_signal_again_within_the_cooldown_never_runs_away(current: int, by: int, pauses: list[float]) -> None:
    cooldowns, capacity, now = Cooldowns(), current, 0.0
    for pause in pauses:
        decision = change(situation(capacity, most=1000, cooldowns=cooldowns.at(now)), by)
        if decision.capacity is not None:
            cooldowns = cooldowns.at(now).began(capacity, decision.capacity).completed(now, 300)
            capacity = decision.capacity
        now = min(now + pause, 299)
    assert capacity == current + by


@given(st.integers(1, 30), st.floats(50.1, 100), st.integers(1, 20))
def test_a_metric_that_stays_is_answered_once(current: int, metric: float, often: int) -> None:
    cooldowns, capacity = Cooldowns(), current
    for _ in range(often):
        here = situation(capacity, most=10_000, cooldowns=cooldowns)
        asked = asked_by(tracker(), here, Signal((metric,), 50.0, 60, True, 0))
        assert asked is not None
        decision = decide(here, asked.wanted, asked.from_current)
        if decision.capacity is not None:
            cooldowns = cooldowns.began(capacity, decision.capacity)
            capacity = decision.capacity
    assert capacity == rules.tracked_out(current, metric, 50.0)


@given(st.integers(0, 1000), st.floats(0, 44.9))
def test_scale_in_never_leaves_too_little_for_the_load(capacity: int, metric: float) -> None:
    left = rules.tracked_in(capacity, metric, 50.0)
    assert 0 <= left <= max(capacity, 1)
    if left < capacity:
        assert metric * capacity / left <= 50.0001 if left else metric * capacity < 0.001
