"""What an alarm's signal makes of a scalable target. Pure: what is in, a decision out. Times are lab time.

The cooldown of Application Auto Scaling: while that of a scale-out lasts, what was added counts as part of what is asked for
next (a policy asks from the capacity before it), so only a larger scale-out adds the difference. While that of a scale-in
lasts there is no other scale-in; a scale-out comes at once, and ends it. A cooldown begins when its activity has completed;
until then it is in effect, too.

Sources: Application Auto Scaling User Guide, "Step scaling policies" and "Target tracking scaling policies" (how they work,
cooldown period, multiple policies), "Suspending and resuming scaling", "Scaling activities" (not scaled reasons); Amazon ECS
Developer Guide, "Troubleshooting service auto scaling" (no scale-in during a deployment).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

AT_MAX, AT_MIN, AT_DESIRED = "AlreadyAtMaxCapacity", "AlreadyAtMinCapacity", "AlreadyAtDesiredCapacity"
FLAPPING, UNSCALABLE = "AutoScalingAnticipatedFlapping", "TargetServicePutResourceAsUnscalable"
DEFAULT_COOLDOWN = 300
"""Seconds, of policies for ECS services that name none"""
LOW_SHARE = 0.9
"""A target-tracking policy scales in when its metric is below this part of the target"""
GRADUAL = 0.1
"""The part of the capacity that target tracking takes away at a time, at least 1. AWS says "scales in more gradually" and
gives no figure (?)"""


@dataclass
class Cooldowns:
    """What still has an effect of the latest activities. ``out_until`` and ``in_until`` are None while the activity is in
    progress, and of no meaning without ``out_base`` or ``in_effect``."""

    out_base: int | None = None
    """The capacity before the scale-out that began the cooldown"""
    out_until: float | None = None
    in_effect: bool = False
    in_until: float | None = None

    def at(self, now: float) -> Cooldowns:
        """Without those that have ended."""
        left = replace(self)
        if left.out_base is not None and left.out_until is not None and left.out_until <= now:
            left.out_base, left.out_until = None, None
        if left.in_effect and left.in_until is not None and left.in_until <= now:
            left.in_effect, left.in_until = False, None
        return left

    def began(self, current: int, wanted: int) -> Cooldowns:
        """After the start of an activity. A scale-out within the cooldown of another goes on from the same base."""
        if wanted > current:
            base = current if self.out_base is None else min(self.out_base, current)
            return Cooldowns(out_base=base)
        return Cooldowns(in_effect=True)

    def completed(self, now: float, cooldown: float) -> Cooldowns:
        """After the activity has completed."""
        done = replace(self)
        if done.out_base is not None and done.out_until is None:
            done.out_until = now + cooldown
        if done.in_effect and done.in_until is None:
            done.in_until = now + cooldown
        return done


@dataclass(frozen=True)
class Situation:
    """A scalable target when a policy is triggered. ``current`` is its desired capacity."""

    current: int
    least: int
    most: int
    cooldowns: Cooldowns
    deploying: bool = False
    in_suspended: bool = False
    out_suspended: bool = False

    @property
    def base(self) -> int:
        """From where a policy computes."""
        return self.current if self.cooldowns.out_base is None else min(self.cooldowns.out_base, self.current)


@dataclass(frozen=True)
class Decision:
    """``capacity``: None leaves it as it is, ``reason`` then says why, if AWS has a word for it."""

    capacity: int | None = None
    reason: str = ""


LEAVE = Decision()


def decide(here: Situation, wanted: int, from_current: int) -> Decision:
    """From what a policy asks for: ``wanted`` of the base of a cooldown, ``from_current`` of the capacity as it is
    (they are the same where no scale-out's cooldown is in effect)."""
    if from_current < here.current:
        return _scale_in(here, from_current)
    capacity = max(min(wanted, here.most), here.least)
    if capacity > here.current < from_current:
        return LEAVE if here.out_suspended else Decision(capacity)
    if from_current > here.current and here.current >= here.most:
        return Decision(reason=AT_MAX)
    if from_current == here.current:
        return Decision(reason=AT_DESIRED)
    return LEAVE  # what was added in the cooldown is enough for this


def _scale_in(here: Situation, wanted: int) -> Decision:
    capacity = min(max(wanted, here.least), here.most)
    if capacity >= here.current:
        return Decision(reason=AT_MIN)
    if here.in_suspended or here.cooldowns.in_effect:
        return LEAVE
    if here.deploying:
        return Decision(reason=UNSCALABLE)
    return Decision(capacity)


def tracked_out(capacity: int, metric: float, target: float) -> int:
    """What target tracking asks for above the target: in proportion to the metric, rounded up. A capacity of 0 has no
    proportion; one is asked for."""
    if metric <= target:
        return capacity
    return max(math.ceil(round(max(capacity, 1) * metric / target, 6)), capacity + (capacity == 0))


def tracked_in(capacity: int, metric: float, target: float) -> int:
    """What it asks for below: no less than the proportion, rounded up, and gradually."""
    share = math.ceil(round(capacity * max(metric, 0.0) / target, 6))
    step = max(1, math.floor(capacity * GRADUAL))
    return max(share, capacity - step, 0)


def in_bounds(current: int, least: int, most: int) -> int:
    """The capacity within a scalable target's bounds."""
    return min(max(current, least), most)


def bounds_cause(current: int, wanted: int) -> str:
    """Why bounds changed a capacity."""
    return f"{'minimum' if wanted > current else 'maximum'} capacity was set to {wanted}"


def alarm_cause(alarm: str, state: str, policy: str) -> str:
    """Why a policy changed it."""
    return f"monitor alarm {alarm} in state {state} triggered policy {policy}"


def not_scaled(reason: str, here: Situation) -> dict[str, Any]:
    """A NotScaledReason: with the capacities that explain it."""
    found: dict[str, Any] = {"Code": reason}
    if reason == AT_MAX:
        found["MaxCapacity"] = here.most
    elif reason == AT_MIN:
        found["MinCapacity"] = here.least
    elif reason in (AT_DESIRED, FLAPPING):
        found["CurrentCapacity"] = here.current
    return found
