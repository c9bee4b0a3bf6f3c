"""What was counted, minute by minute of lab time: here CloudWatch takes it from. Kept in memory only.

The names of the metrics are CloudWatch's; see "CloudWatch metrics for your Application Load Balancer".
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from drydock.store import Scope

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GroupMinute:
    """Of a target group in an availability zone. ``times`` are response times in seconds, each with how often."""

    group_arn: str
    zone: str
    requests: int
    connection_errors: int
    codes: tuple[int, ...]
    """By the first digit of the status"""
    times: tuple[tuple[float, int], ...]
    total_time: float
    smallest_time: float
    largest_time: float


@dataclass(frozen=True)
class Minute:
    """Of a load balancer. ``at`` is the beginning of the (latest) minute in lab time; at high speed it stands for several."""

    balancer_arn: str
    at: float
    own: dict[str, int]
    """What has no target: RequestCount, HTTPCode_ELB_5XX_Count, ..."""
    active_connections: int
    groups: tuple[GroupMinute, ...]
    hosts: dict[tuple[str, str], tuple[int, int]]
    """(HealthyHostCount, UnHealthyHostCount) by target group and zone"""


@dataclass
class Metrics:
    """``listeners`` are called with what was counted, and the minutes (lab time of their beginnings) in which it was."""

    listeners: list[Callable[[Scope, Minute, tuple[float, ...]], None]] = field(default_factory=list)
    totals: dict[str, Counter[str]] = field(default_factory=dict)
    """Since the emulator's start, by load balancer and CloudWatch's names"""

    def add(self, scope: Scope, minute: Minute, minutes: tuple[float, ...]) -> None:
        """They have passed."""
        totals = self.totals.setdefault(minute.balancer_arn, Counter())
        totals.update(minute.own)
        for group in minute.groups:
            totals["TargetConnectionErrorCount"] += group.connection_errors
            for digit in range(2, 6):
                if group.codes[digit]:
                    totals[f"HTTPCode_Target_{digit}XX_Count"] += group.codes[digit]
        for listener in self.listeners:
            listener(scope, minute, minutes)


def minute_of(
    arn: str, at: float, counted: dict[str, Any], active: int, hosts: dict[tuple[str, str], tuple[int, int]]
) -> Minute:
    """From what the data plane says."""
    groups = tuple(
        GroupMinute(
            group, zone, found["requests"], found["connection_errors"], tuple(found["codes"]),
            tuple((seconds, count) for seconds, count in found["times"]), *found["time"],
        )
        for group, zone, found in counted["groups"]
    )  # fmt: skip
    return Minute(arn, at, dict(counted["own"]), active, groups, hosts)
