"""at(), rate() and cron(): the documentation's examples, time zones, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from drydock.errors import AwsError
from drydock.services.application_autoscaling import cron
from drydock.services.application_autoscaling.schedules import next_run, parse
from hypothesis import given
from hypothesis import strategies as st


def stamp(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def runs(schedule: str, after: str, count: int = 3, zone: str = "UTC", **given: float) -> list[str]:
    at, found = stamp(after), list[str]()
    for _ in range(count):
        run = next_run(parse(schedule, zone), at, stamp("2026-01-01T00:00"), **given)
        if run is None:
            break
        at = run
        found.append(datetime.fromtimestamp(run, UTC).strftime("%Y-%m-%dT%H:%M"))
    return found


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("cron(0 10 * * ? *)", "2026-11-27T09:00", ["2026-11-27T10:00", "2026-11-28T10:00"]),
        ("cron(15 12 * * ? *)", "2026-11-27T12:15", ["2026-11-28T12:15", "2026-11-29T12:15"]),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-27T18:00", ["2026-11-30T18:00", "2026-12-01T18:00"]),
        ("cron(0 8 1 * ? *)", "2026-11-27T00:00", ["2026-12-01T08:00", "2027-01-01T08:00"]),
        ("cron(0/10 * ? * MON-FRI *)", "2026-11-27T23:45", ["2026-11-27T23:50", "2026-11-30T00:00"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-11-27T17:54", ["2026-11-27T17:55", "2026-11-30T08:00"]),
        ("cron(0 0 L * ? *)", "2026-02-01T00:00", ["2026-02-28T00:00", "2026-03-31T00:00"]),
        ("cron(0 0 LW * ? *)", "2026-02-01T00:00", ["2026-02-27T00:00", "2026-03-31T00:00"]),
        ("cron(0 9 1W * ? *)", "2026-07-31T00:00", ["2026-08-03T09:00", "2026-09-01T09:00"]),
        ("cron(0 9 ? * 2#1 *)", "2026-11-27T00:00", ["2026-12-07T09:00", "2027-01-04T09:00"]),
        ("cron(0 9 ? * 6L *)", "2026-11-01T00:00", ["2026-11-27T09:00", "2026-12-25T09:00"]),
        ("cron(0 0 29 2 ? *)", "2026-01-01T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(0 0 1 1 ? 2027)", "2026-01-01T00:00", ["2027-01-01T00:00"]),
        ("cron(0 0 30 2 ? *)", "2026-01-01T00:00", []),
        ("rate(5 minutes)", "2026-01-01T00:07", ["2026-01-01T00:10", "2026-01-01T00:15"]),
        ("rate(1 day)", "2026-01-01T00:07", ["2026-01-02T00:00", "2026-01-03T00:00"]),
        ("at(2026-11-27T22:30:00)", "2026-11-27T22:00", ["2026-11-27T22:30"]),
        ("at(2026-11-27T22:30:00)", "2026-11-27T22:30", []),
    ],
)
def test_when_they_run(schedule: str, after: str, expected: list[str]) -> None:
    assert runs(schedule, after, 2) == expected


def test_time_zones_and_the_change_of_the_clocks() -> None:
    assert runs("cron(0 9 * * ? *)", "2026-10-24T00:00", 3, "Europe/Berlin") == [
        "2026-10-24T07:00", "2026-10-25T08:00", "2026-10-26T08:00"]  # fmt: skip
    skipped = runs("cron(30 2 * * ? *)", "2026-03-28T00:00", 3, "Europe/Berlin")
    assert skipped == ["2026-03-28T01:30", "2026-03-30T00:30", "2026-03-31T00:30"]
    assert runs("at(2026-07-01T09:00:00)", "2026-01-01T00:00", 1, "America/New_York") == ["2026-07-01T13:00"]


def test_start_and_end_bound_a_schedule() -> None:
    start, end = stamp("2026-02-01T00:30"), stamp("2026-02-01T02:30")
    assert runs("rate(1 hour)", "2026-01-10T00:00", 9, start=start, end=end) == [
        "2026-02-01T00:30", "2026-02-01T01:30", "2026-02-01T02:30"]  # fmt: skip
    assert runs("cron(0 * * * ? *)", "2026-01-10T00:00", 9, start=start, end=end) == [
        "2026-02-01T01:00", "2026-02-01T02:00"]  # fmt: skip
    assert runs("cron(30 0 * * ? *)", "2026-01-10T00:00", 1, start=start) == ["2026-02-01T00:30"]


@pytest.mark.parametrize(
    "schedule",
    ["0 9 * * ? *", "cron(0 9 * * *)", "cron(0 9 * * * *)", "cron(0 9 ? * ? *)", "cron(60 9 * * ? *)", "rate(5 weeks)",
     "rate(x minutes)", "rate(0 minutes)", "at(2026-01-01)", "at(2026-01-01T00:00:00Z)", "at(2026-13-01T00:00:00)", "",
     "cron(0/0 * * * ? *)", "cron(0 9 ? * XYZ *)", "every day"],
)  # fmt: skip
def test_what_is_refused(schedule: str) -> None:
    with pytest.raises(AwsError) as caught:
        parse(schedule)
    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith("Invalid schedule")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "", "utc+1"])
def test_time_zones_that_are_none(zone: str) -> None:
    with pytest.raises(AwsError, match="Invalid timezone"):
        parse("rate(1 day)", zone)


def test_unix_cron_takes_either_day() -> None:
    either = cron.unix("0 0 13 * 5")
    assert either.after(datetime(2026, 11, 1)) == datetime(2026, 11, 6)
    assert either.after(datetime(2026, 11, 12)) == datetime(2026, 11, 13)
    assert cron.unix("0 9 * * 0").after(datetime(2026, 11, 27)) == datetime(2026, 11, 29, 9)
    assert cron.unix("0 9 * * SUN").after(datetime(2026, 11, 27)) == datetime(2026, 11, 29, 9)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)), st.integers(0, 59), st.integers(0, 23))
def test_the_next_daily_run_is_within_a_day(moment: datetime, minute: int, hour: int) -> None:
    found = cron.aws(f"{minute} {hour} * * ? *").after(moment)
    assert found is not None
    assert moment < found <= moment + timedelta(days=1)
    assert (found.hour, found.minute) == (hour, minute)
