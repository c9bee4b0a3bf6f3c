"""How finely data is kept and for how long, and where a period begins. All in seconds of lab time. Pure.

Source: the reference of GetMetricStatistics and GetMetricData. What was measured with a resolution of a second is kept
so for 3 hours, then by the minute for 15 days, by five minutes for 63 days, by the hour for 455 days.
"""

from __future__ import annotations

import math

HOUR, DAY = 3600, 86400
KEPT = {1: 3 * HOUR, 60: 15 * DAY, 300: 63 * DAY, 3600: 455 * DAY}
"""Resolution, and for how long data is kept in it"""
COARSER = {1: 60, 60: 300, 300: 3600}
BELOW_A_MINUTE = (1, 5, 10, 20, 30)


def is_period(period: int) -> bool:
    """1, 5, 10, 20, 30, or a multiple of 60, up to the seven days that an alarm may take (?)."""
    return period in BELOW_A_MINUTE or (period % 60 == 0 and 0 < period <= 7 * DAY)


def resolution_at(age: float, finest: int) -> int | None:
    """In which resolution data of this age is kept, None if it is not any more."""
    for resolution, kept in KEPT.items():
        if resolution >= finest and age < kept:
            return resolution
    return None


def overdue(now: float, resolution: int) -> float:
    """Buckets that begin before this are too old for their resolution. Whole buckets of the next one move on."""
    into = COARSER.get(resolution, resolution)
    return math.floor((now - KEPT[resolution]) / into) * into


def due(at: float, resolution: int) -> float:
    """When the bucket that begins at ``at`` becomes overdue."""
    into = COARSER.get(resolution, resolution)
    return (math.floor(at / into) + 1) * into + KEPT[resolution]


def readable(period: int) -> tuple[int, ...]:
    """From which resolutions a period can be made. Data by the minute is given as it is where less is asked for (?)."""
    return tuple(kept for kept in KEPT if period % kept == 0 or (period < 60 and kept == 60))


def aligned(start: float, period: int, now: float) -> float:
    """``start`` rounded down as CloudWatch rounds it; periods are counted from there."""
    if period < 60:
        return math.floor(start / period) * period
    age = now - start
    step = 60 if age < 15 * DAY else 300 if age < 63 * DAY else HOUR
    return math.floor(start / step) * step


def least_visible(period: int, now: float) -> float:
    """Data before this is not to be had in a period below a minute."""
    return now - KEPT[1] if period < 60 else -math.inf
