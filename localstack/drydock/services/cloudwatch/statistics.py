"""Statistics by name: ``Average``, ``p99``, ``tm90``, ``TM(10%:90%)``, ``PR(:300)``, ... Pure.

Source: "CloudWatch statistics definitions". A percentile between two samples is interpolated between them (?).
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable

from drydock.services.cloudwatch.samples import Bucket

PLAIN: dict[str, Callable[[Bucket], float]] = {
    "SampleCount": lambda bucket: bucket.count,
    "Sum": lambda bucket: bucket.total,
    "Average": lambda bucket: bucket.total / bucket.count,
    "Minimum": lambda bucket: bucket.smallest,
    "Maximum": lambda bucket: bucket.largest,
}
_SHORT = re.compile(r"(p|tm|wm|tc|ts)([0-9]{1,3}(?:\.[0-9]{1,10})?)", re.IGNORECASE)
_NUMBER = r"-?[0-9]+(?:\.[0-9]{1,10})?"
_RANGE = re.compile(rf"(TM|WM|TC|TS|PR)\(({_NUMBER}%?)?:({_NUMBER}%?)?\)", re.IGNORECASE)
Seen = list[tuple[float, float]]
"""(value, how often), sorted by value"""


@functools.lru_cache(1024)
def is_statistic(name: str) -> bool:
    """Whether AWS knows a statistic of this name."""
    return name in PLAIN or is_extended(name)


@functools.lru_cache(1024)
def is_extended(name: str) -> bool:
    """Whether it is one that needs raw data."""
    return _parsed(name) is not None


def needs_raw(name: str) -> bool:
    """Whether the four numbers of a statistic set do not suffice."""
    return name not in PLAIN


def compute(name: str, bucket: Bucket) -> float | None:
    """The statistic of a bucket with samples; None where it is not available. ``name`` is one that ``is_statistic``."""
    if (plain := PLAIN.get(name)) is not None:
        return plain(bucket)
    parsed = _parsed(name)
    if parsed is None or bucket.seen is None:
        return None
    kind, low, high = parsed
    seen = sorted(bucket.seen.items())
    if kind == "p":
        return None if bucket.smallest < 0 else _percentile(seen, (high or (0.0, True))[0])
    return _trimmed(kind, seen, low, high)


_Bound = tuple[float, bool]
"""A number, and whether it is a percentage"""


@functools.lru_cache(1024)
def _parsed(name: str) -> tuple[str, _Bound | None, _Bound | None] | None:
    if name.lower() == "iqm":
        return "tm", (25.0, True), (75.0, True)
    if short := _SHORT.fullmatch(name):
        share = float(short[2])
        return (short[1].lower(), None, (share, True)) if share <= 100 else None
    ranged = _RANGE.fullmatch(name)
    if ranged is None or (ranged[2] is None and ranged[3] is None):
        return None
    low, high = _bound(ranged[2]), _bound(ranged[3])
    kind = ranged[1].lower()
    for bound in (low, high):
        if bound is not None and bound[1] and (kind == "pr" or not 0 <= bound[0] <= 100):
            return None  # a percentile rank is of values
    if low is not None and high is not None and (low[1] != high[1] or low[0] >= high[0]):
        return None
    return kind, low, high


def _bound(text: str | None) -> _Bound | None:
    return None if text is None else (float(text.removesuffix("%")), text.endswith("%"))


def _percentile(seen: Seen, share: float) -> float:
    """Linear between the two samples next to the rank, each value counted as often as it was seen."""
    total = sum(count for _, count in seen)
    rank = share / 100 * max(total - 1, 0)
    passed = 0.0
    for index, (value, count) in enumerate(seen):
        last = passed + count - 1  # the rank of the last sample with this value
        if rank <= last or index == len(seen) - 1:
            return value
        if rank < last + 1:
            return value + (rank - last) * (seen[index + 1][0] - value)
        passed += count
    return seen[-1][0]


def _trimmed(kind: str, seen: Seen, low: _Bound | None, high: _Bound | None) -> float | None:
    total = sum(count for _, count in seen)
    by_share = (low or high or (0.0, True))[1]
    kept = _by_share(seen, total, low, high) if by_share else _by_value(seen, low, high)
    count = math.fsum(often for _, often in kept)
    if kind == "tc":
        return count
    if kind == "ts":
        return math.fsum(value * often for value, often in kept)
    if kind == "pr":
        return 100 * count / total
    if not kept:
        return None
    if kind == "tm":
        return math.fsum(value * often for value, often in kept) / count
    return _winsorized(seen, kept, low, high, total)


def _by_share(seen: Seen, total: float, low: _Bound | None, high: _Bound | None) -> Seen:
    """Without the lowest and the highest share of samples; whole samples only."""
    first = math.floor(total * (low[0] if low else 0.0) / 100 + 1e-9)
    last = total - math.floor(total * (100 - (high[0] if high else 100.0)) / 100 + 1e-9)
    kept, passed = [], 0.0
    for value, count in seen:
        often = min(passed + count, last) - max(passed, first)
        if often > 0:
            kept.append((value, often))
        passed += count
    return kept


def _by_value(seen: Seen, low: _Bound | None, high: _Bound | None) -> Seen:
    """Higher than the lower bound, and not higher than the upper."""
    least = low[0] if low else -math.inf
    most = high[0] if high else math.inf
    return [(value, count) for value, count in seen if least < value <= most]


def _winsorized(seen: Seen, kept: Seen, low: _Bound | None, high: _Bound | None, total: float) -> float:
    """What was cut off counts as the value at the edge."""
    by_share = (low or high or (0.0, True))[1]
    bottom = kept[0][0] if by_share or low is None else low[0]
    top = kept[-1][0] if by_share or high is None else high[0]
    return math.fsum(min(max(value, bottom), top) * count for value, count in seen) / total
