"""Scaling policies and scheduled actions of groups, and what is still in effect of the last one. Times are lab time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drydock.clock import as_datetime
from drydock.services.application_autoscaling.rules import Cooldowns

SIMPLE, STEP, TRACK = "SimpleScaling", "StepScaling", "TargetTrackingScaling"
DEFAULT_COOLDOWN = 300


@dataclass
class GroupPolicy:
    """``configuration`` holds the parameters of PutScalingPolicy that belong to its kind; for target tracking those of
    TargetTrackingConfiguration."""

    arn: str
    name: str
    group: str
    kind: str
    configuration: dict[str, Any]
    enabled: bool = True
    warmup: int | None = None
    alarms: list[str] = field(default_factory=list)
    """Its own: the high one, then the low one"""

    @property
    def key(self) -> str:
        """In the store."""
        return f"{self.group}|{self.name}"

    @property
    def tracks(self) -> bool:
        """Whether it is one of target tracking."""
        return self.kind == TRACK

    @property
    def scales_in(self) -> bool:
        """Whether a policy of target tracking takes instances away."""
        return self.tracks and not self.configuration.get("DisableScaleIn")

    def describe(self, alarms: list[dict[str, str]]) -> dict[str, Any]:
        """AWS's form."""
        own = {"TargetTrackingConfiguration": self.configuration} if self.tracks else self.configuration
        warmup = {} if self.warmup is None else {"EstimatedInstanceWarmup": self.warmup}
        return {
            "AutoScalingGroupName": self.group,
            "PolicyName": self.name,
            "PolicyARN": self.arn,
            "PolicyType": self.kind,
            "Alarms": alarms,
            "Enabled": self.enabled,
            **own,
            **warmup,
        }


@dataclass
class GroupSchedule:
    """``sizes``: MinSize, MaxSize, DesiredCapacity, those that it sets. Without ``recurrence`` it runs once."""

    arn: str
    name: str
    group: str
    sizes: dict[str, int]
    start: float | None = None
    end: float | None = None
    recurrence: str = ""
    timezone: str = ""
    done: float = 0.0

    @property
    def key(self) -> str:
        """In the store."""
        return f"{self.group}|{self.name}"

    def describe(self, upcoming: float | None) -> dict[str, Any]:
        """AWS's form; of one that recurs the start time is that of its next run."""
        start = self.start if upcoming is None else upcoming
        shown = {
            "AutoScalingGroupName": self.group,
            "ScheduledActionName": self.name,
            "ScheduledActionARN": self.arn,
            "Time": as_datetime(start) if start is not None else None,
            "StartTime": as_datetime(start) if start is not None else None,
            "EndTime": as_datetime(self.end) if self.end is not None else None,
            "Recurrence": self.recurrence or None,
            "TimeZone": self.timezone or None,
            **self.sizes,
        }
        return {name: value for name, value in shown.items() if value is not None}


@dataclass
class ScalingState:
    """Of a group. ``warmup`` and ``cooldown`` (seconds) count from when its instances are in service."""

    cooldowns: Cooldowns = field(default_factory=Cooldowns)
    began: float = 0.0
    warmup: float = 0.0
    simple_at: float | None = None
    cooldown: float = 0.0
