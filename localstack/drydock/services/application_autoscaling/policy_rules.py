"""What a policy asks for when an alarm triggers it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

from drydock.services.application_autoscaling import rules, steps, tracking
from drydock.services.application_autoscaling.rules import Situation
from drydock.services.cloudwatch.model import AlarmSignal


class Scaler(Protocol):
    """A policy of steps or of target tracking, of either service."""

    configuration: dict[str, Any]

    @property
    def tracks(self) -> bool: ...

    @property
    def scales_in(self) -> bool: ...


@dataclass(frozen=True)
class Signal:
    """Of an alarm, what matters here. ``which`` of the policy's own alarms it is: 0 the high one, 1 the low one, -1 none."""

    values: tuple[float, ...]
    threshold: float | None
    period: float
    rising: bool
    which: int = -1

    @classmethod
    def of(cls, signal: AlarmSignal, own: list[str]) -> Signal:
        """Without values, those that its reason tells."""
        alarm = signal.alarm
        told: list[Any] = [] if signal.values else list((signal.reason_data or {}).get("recentDatapoints") or [])
        values = signal.values or tuple(float(value) for value in reversed(told) if value is not None)
        return cls(
            values=values,
            threshold=alarm.get("Threshold"),
            period=float(alarm.get("Period") or 60),
            rising=str(alarm.get("ComparisonOperator", "")).startswith("Greater"),
            which=own.index(signal.name) if signal.name in own else -1,
        )


@dataclass(frozen=True)
class Asked:
    """The capacity that a policy asks for, from the base of a cooldown and from the capacity as it is; the metric's
    ``value``."""

    wanted: int
    from_current: int
    value: float

    def at_least(self, capacity: int) -> Asked:
        """What others ask for, if it is more."""
        return replace(self, wanted=max(self.wanted, capacity), from_current=max(self.from_current, capacity))


def asked_by(policy: Scaler, here: Situation, signal: Signal) -> Asked | None:
    """None if it asks for nothing: no step is for the metric's value, there is none, or it is on the other side of the
    target."""
    return _tracking(policy, here, signal) if policy.tracks else _step(policy, here, signal)


def _step(policy: Scaler, here: Situation, signal: Signal) -> Asked | None:
    """An alarm that tells no value (its state was set by hand, missing data is breaching) is taken to be on its
    threshold (?)."""
    given = policy.configuration
    value = steps.metric_value(signal.values, signal.period, given.get("MetricAggregationType", "Average"))
    above = 0.0 if value is None or signal.threshold is None else value - signal.threshold
    step = steps.step_for(given["StepAdjustments"], above, signal.rising)
    if step is None:
        return None
    least = given.get("MinAdjustmentMagnitude", 0)
    adjustment = steps.Adjustment(given["AdjustmentType"], step["ScalingAdjustment"], least)
    return Asked(steps.adjusted(here.base, adjustment), steps.adjusted(here.current, adjustment), value or 0.0)


def _tracking(policy: Scaler, here: Situation, signal: Signal) -> Asked | None:
    target = policy.configuration["TargetValue"]
    value = steps.metric_value(signal.values, signal.period, "Average")
    if value is None:  # "does not perform scaling when the specified metric has insufficient data"
        return None
    if value > target and signal.which != 1:
        return Asked(rules.tracked_out(here.base, value, target), rules.tracked_out(here.current, value, target), value)
    namespace = policy.configuration.get("CustomizedMetricSpecification", {}).get("Namespace", "")
    if value < tracking.low_threshold(target, namespace) and signal.which != 0 and policy.scales_in:
        left = rules.tracked_in(here.current, value, target)
        return Asked(left, left, value)
    return None


def cooldown_of(policy: Scaler, grows: bool) -> float:
    """Seconds after a change by a policy."""
    member = ("ScaleOutCooldown" if grows else "ScaleInCooldown") if policy.tracks else "Cooldown"
    return float(policy.configuration.get(member, rules.DEFAULT_COOLDOWN))
