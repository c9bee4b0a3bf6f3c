"""Buckets, statistics, periods."""

from __future__ import annotations

import math

import pytest
from drydock.services.cloudwatch import periods
from drydock.services.cloudwatch.model import Datum, StatisticSet, metric
from drydock.services.cloudwatch.samples import MOST_VALUES, Bucket, bucket_from, bucket_of, gathered
from drydock.services.cloudwatch.statistics import compute, is_extended, is_statistic
from hypothesis import given
from hypothesis import strategies as st

M = metric("n", "m")


def raw(*values: float) -> Bucket:
    return bucket_of(Datum(M, 0, tuple((value, 1.0) for value in values)))


def summed(count: float, total: float, smallest: float, largest: float) -> Bucket:
    return bucket_of(Datum(M, 0, (), StatisticSet(count, total, smallest, largest)))


HUNDRED = raw(*range(1, 101))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SampleCount", 100), ("Sum", 5050), ("Average", 50.5), ("Minimum", 1), ("Maximum", 100),
        ("p0", 1), ("p100", 100), ("p50", 50.5), ("p99.0", 99.01),
        ("tm90", 45.5), ("TM(10%:90%)", 50.5), ("TM(:90%)", 45.5), ("TM(90%:)", 95.5), ("TM(10:20)", 15.5), ("IQM", 50.5),
        ("tc90", 90), ("TC(10:20)", 10), ("TC(200:)", 0), ("ts10", 55), ("TS(98:)", 199), ("TS(:3)", 6),
        ("PR(:30)", 30), ("PR(30:)", 70), ("PR(10:30)", 20),
        ("wm90", (sum(range(1, 91)) + 10 * 90) / 100), ("WM(:50)", (sum(range(1, 51)) + 50 * 50) / 100),
    ],
)  # fmt: skip
def test_statistics(name: str, value: float) -> None:
    assert is_statistic(name)
    assert compute(name, HUNDRED) == pytest.approx(value)


@pytest.mark.parametrize(
    "name",
    ["", "sum", "p", "p101", "p-1", "px", "tm", "TM()", "TM(:)", "TM(90%:10%)", "TM(1%:5)", "TM(1%:101%)", "PR(1%:5%)", "PR(:3%)",
     "p99x", "p1.12345678901", "p٣"],
)  # fmt: skip
def test_what_is_no_statistic(name: str) -> None:
    assert not is_statistic(name) and not is_extended(name)


def test_raw_values_are_needed() -> None:
    """As "Requirements for percentiles, trimmed mean, and some other statistics" lists the exceptions."""
    assert compute("p50", summed(2, 3, 1, 2)) is None and compute("tm90", summed(2, 3, 1, 2)) is None
    assert compute("p50", summed(1, 7, 7, 7)) == 7
    assert compute("p50", summed(3, 21, 7, 7)) == 7
    assert compute("p50", summed(3, 99, 7, 7)) is None
    assert compute("p50", gathered([raw(1), summed(2, 3, 1, 2)])) is None
    assert compute("Average", gathered([raw(1), summed(2, 3, 1, 2)])) == pytest.approx(4 / 3)
    assert compute("p50", raw(-1, 2)) is None
    assert compute("TM(50:60)", raw(1, 2)) is None


@given(st.lists(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=400), min_size=1, max_size=6))
def test_percentiles_of_many_values_are_within_a_class(groups: list[list[float]]) -> None:
    bucket = gathered(raw(*group) for group in groups)
    everything = sorted(value for group in groups for value in group)
    assert bucket.count == len(everything) and bucket.total == pytest.approx(math.fsum(everything))
    assert (bucket.smallest, bucket.largest) == (everything[0], everything[-1])
    assert bucket.seen is not None and len(bucket.seen) <= max(MOST_VALUES, 4200)
    for share in (0, 50, 99, 100):
        found = compute(f"p{share}", bucket)
        assert found is not None
        rank = share / 100 * (len(everything) - 1)
        low, high = everything[math.floor(rank)], everything[math.ceil(rank)]
        assert low / 1.006 <= found <= high * 1.006


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50))
def test_a_bucket_comes_back_as_it_was_kept(values: list[float]) -> None:
    bucket = raw(*values)
    kept = bucket_from(bucket.count, bucket.total, bucket.smallest, bucket.largest, bucket.spread)
    assert kept == bucket


def test_counts() -> None:
    bucket = bucket_of(Datum(M, 0, ((1.0, 3.0), (5.0, 0.0), (9.0, 1.0))))
    assert (bucket.count, bucket.total, bucket.largest) == (4, 12, 9)
    assert compute("p50", bucket) == 1
    assert bucket_of(Datum(M, 0, ((5.0, 0.0),))).count == 0


def test_resolutions() -> None:
    day = 86400
    assert [periods.resolution_at(age, 1) for age in (-60, 0, 3 * 3600 - 1, 3 * 3600, 15 * day, 63 * day, 455 * day)] == [
        1, 1, 1, 60, 300, 3600, None,
    ]  # fmt: skip
    assert periods.resolution_at(0, 60) == 60
    assert (
        periods.readable(300) == (1, 60, 300) and periods.readable(5) == (1, 60) and periods.readable(3600)[-1] == 3600
    )
    assert [one for one in (0, 1, 2, 5, 10, 20, 30, 59, 60, 90, 120, 86400, 604800, 604860) if periods.is_period(one)] == [
        1, 5, 10, 20, 30, 60, 120, 86400, 604800,
    ]  # fmt: skip


def test_the_start_is_rounded_down() -> None:
    """The example of the reference: 12:32:34."""
    at = 12 * 3600 + 32 * 60 + 34.0
    day = 86400
    assert periods.aligned(at, 60, at + 10) == at - 34
    assert periods.aligned(at, 300, at + 20 * day) == 12 * 3600 + 30 * 60
    assert periods.aligned(at, 3600, at + 70 * day) == 12 * 3600
    assert periods.aligned(3923.0, 10, 3930.0) == 3920
    assert periods.aligned(3923.0, 1, 3930.0) == 3923


@given(st.floats(0, 1e10), st.sampled_from([1, 60, 300, 3600]))
def test_what_is_due_is_overdue_then_and_not_before(at: float, resolution: int) -> None:
    begins = at // resolution * resolution
    when = periods.due(begins, resolution)
    assert periods.overdue(when, resolution) > begins
    assert periods.overdue(when - 1, resolution) <= begins
