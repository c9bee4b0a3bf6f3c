"""What is known of a metric's samples within one bucket of time. Pure.

A bucket keeps the four numbers that any statistic set has, and how often each value was seen, which percentiles and
trimmed statistics need. Exactly, up to ``MOST_VALUES`` different ones; beyond that, values are gathered into classes of
half a percent's width, so that a bucket stays small whatever is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from drydock.services.cloudwatch.model import Datum

MOST_VALUES = 1_000
CLASS_WIDTH = 1.005
_SPREAD = msgspec.json.Decoder(list[tuple[float, float]])


@dataclass(slots=True)
class Bucket:
    """Samples of one metric in one unit."""

    count: float = 0.0
    total: float = 0.0
    smallest: float = math.inf
    largest: float = -math.inf
    seen: dict[float, float] | None = None
    """Value and how often; None where only a statistic set is known ("CloudWatch needs raw data points ...")"""

    def add(self, other: Bucket) -> None:
        """Take another's samples in."""
        if other.count == 0:
            return
        self.seen = _together(self.seen, other.seen) if self.count else dict(other.seen) if other.seen else None
        self.count += other.count
        self.total += other.total
        self.smallest = min(self.smallest, other.smallest)
        self.largest = max(self.largest, other.largest)

    @property
    def spread(self) -> str | None:
        """``seen`` as it is kept. None also for samples that are all alike: the four numbers say it all."""
        if self.seen is None or self.smallest == self.largest:
            return None
        return msgspec.json.encode([*self.seen.items()]).decode()


def bucket_of(datum: Datum) -> Bucket:
    """What a datum adds. A set whose samples must be alike is as good as raw data."""
    if datum.summed is not None:
        known = datum.summed
        alike = known.smallest == known.largest and math.isclose(known.total, known.smallest * known.count)
        seen = {known.smallest: known.count} if alike else None
        return Bucket(known.count, known.total, known.smallest, known.largest, seen)
    counts: dict[float, float] = {}
    for value, count in datum.samples:
        if count > 0:
            counts[value] = counts.get(value, 0.0) + count
    if not counts:
        return Bucket()
    total = math.fsum(value * count for value, count in counts.items())
    return Bucket(sum(counts.values()), total, min(counts), max(counts), _bounded(counts))


def bucket_from(count: float, total: float, smallest: float, largest: float, spread: str | None) -> Bucket:
    """As it was kept."""
    if spread is not None:
        seen: dict[float, float] | None = dict(_SPREAD.decode(spread))
    elif smallest == largest:
        seen = {smallest: count}
    else:
        seen = None
    return Bucket(count, total, smallest, largest, seen)


def gathered(buckets: Iterable[Bucket]) -> Bucket:
    """All samples of several in one."""
    whole = Bucket()
    for bucket in buckets:
        whole.add(bucket)
    return whole


def _together(one: dict[float, float] | None, other: dict[float, float] | None) -> dict[float, float] | None:
    if one is None or other is None:
        return None
    for value, count in other.items():
        one[value] = one.get(value, 0.0) + count
    return _bounded(one)


def _bounded(seen: dict[float, float]) -> dict[float, float]:
    if len(seen) <= MOST_VALUES:
        return seen
    classes: dict[float, float] = {}
    for value, count in seen.items():
        classes[_class_of(value)] = classes.get(_class_of(value), 0.0) + count
    return classes


def _class_of(value: float) -> float:
    """The middle of a value's class."""
    if value == 0:
        return 0.0
    power = round(math.log(abs(value), CLASS_WIDTH))
    return math.copysign(CLASS_WIDTH**power, value)
