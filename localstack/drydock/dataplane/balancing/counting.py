"""What CloudWatch has of load balancers, counted where it happens and handed over when the emulator asks.

Source: "CloudWatch metrics for your Application Load Balancer".
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

_BITS = 5
"""Of a response time in microseconds that are kept in the distribution, so that a percentile is right within 3%"""


def _middle(step: int) -> float:
    """Seconds that stand for a step of the distribution: from its lowest number of microseconds to the next step's."""
    return (step + (1 << max(step.bit_length() - _BITS, 0)) / 2) / 1e6


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
        step = int(seconds * 1e6)
        less = step.bit_length() - _BITS
        if less > 0:
            step = step >> less << less
        self.times[step] = self.times.get(step, 0) + 1
        self.total += seconds
        self.smallest = min(self.smallest, seconds)
        self.largest = max(self.largest, seconds)

    def take(self) -> dict[str, Any] | None:
        """What was counted since the last time; None if nothing was."""
        if not (self.requests or self.connection_errors or self.times):
            return None
        found = {
            "requests": self.requests,
            "connection_errors": self.connection_errors,
            "codes": self.codes[:],
            "times": [[_middle(step), count] for step, count in self.times.items()],
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
