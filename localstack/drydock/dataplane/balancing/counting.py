"""What CloudWatch has of load balancers, counted where it happens and handed over when the emulator asks.

Source: "CloudWatch metrics for your Application Load Balancer".
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

_STEPS = 20
"""Of the distribution of response times in a factor of e, so that a percentile is right within 5%"""


class Tally:
    """Of one target group in one availability zone."""

    __slots__ = ("codes", "connection_errors", "largest", "requests", "smallest", "times", "total")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self.requests = 0
        self.connection_errors = 0
        self.codes = [0] * 6
        """By the first digit of the status"""
        self.times: dict[int, int] = {}
        self.total, self.smallest, self.largest = 0.0, math.inf, 0.0

    def answered(self, status: int, seconds: float) -> None:
        """A target's answer began so long after the request was sent."""
        self.codes[status // 100] += 1
        step = int(math.log(seconds) * _STEPS) if seconds > 1e-6 else int(math.log(1e-6) * _STEPS)
        self.times[step] = self.times.get(step, 0) + 1
        self.total += seconds
        self.smallest = min(self.smallest, seconds)
        self.largest = max(self.largest, seconds)

    def take(self) -> dict[str, Any] | None:
        """What was counted since the last time; None if nothing was."""
        if not (self.requests or self.connection_errors or self.total):
            return None
        found = {
            "requests": self.requests,
            "connection_errors": self.connection_errors,
            "codes": self.codes[:],
            "times": [[math.exp((step + 0.5) / _STEPS), count] for step, count in self.times.items()],
            "time": [self.total, self.smallest if self.times else 0.0, self.largest],
        }
        self.clear()
        return found


class Counts:
    """Of one load balancer."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        """By CloudWatch's names: what has no target"""
        self.tallies: dict[tuple[str, str], Tally] = {}

    def tally(self, group: str, zone: str) -> Tally:
        """Of a group's targets in a zone."""
        return self.tallies.setdefault((group, zone), Tally())

    def refused(self, status: int) -> None:
        """An answer of the load balancer's own."""
        self.own[f"HTTPCode_ELB_{status // 100}XX_Count"] += 1
        if status in (500, 502, 503, 504):
            self.own[f"HTTPCode_ELB_{status}_Count"] += 1

    def take(self) -> dict[str, Any]:
        """Everything since the last time."""
        own, self.own = dict(self.own), Counter()
        groups = [[*key, found] for key, tally in self.tallies.items() if (found := tally.take()) is not None]
        return {"own": own, "groups": groups}
