"""When a scheduled action runs: ``at(...)``, ``rate(...)`` and ``cron(...)``, in a time zone. Pure. Times are lab time.

Source: API reference of PutScheduledAction; Application Auto Scaling User Guide, "Schedule recurring scaling actions".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from drydock.errors import AwsError
from drydock.services.application_autoscaling import cron

UNITS = {"minute": 60, "minutes": 60, "hour": 3600, "hours": 3600, "day": 86400, "days": 86400}
_SHAPE = re.compile(r"(at|rate|cron)\((.*)\)")
_AT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?")


@dataclass(frozen=True)
class Schedule:
    """One of the three is set: a moment, seconds, a cron expression with its time zone."""

    at: float | None = None
    rate: int | None = None
    cron: cron.Cron | None = None
    zone: str = "UTC"


def invalid(message: str) -> AwsError:
    """ValidationException."""
    return AwsError("ValidationException", message)


@lru_cache(maxsize=256)
def parse(text: str, timezone: str = "UTC") -> Schedule:
    """Raises ValidationException."""
    zone = time_zone(timezone)
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise _bad_expression()
    kind, inside = found[1], found[2].strip()
    if kind == "at":
        return Schedule(at=_moment(inside, zone), zone=timezone)
    if kind == "rate":
        rate = re.fullmatch(r"(\d+) ?([a-z]+)", inside)
        if rate is None or rate[2] not in UNITS:
            raise _bad_expression()
        if int(rate[1]) == 0:
            raise invalid("Invalid schedule frequency. Runs are less than 60 seconds apart")  # (?)
        return Schedule(rate=int(rate[1]) * UNITS[rate[2]], zone=timezone)
    try:
        return Schedule(cron=cron.aws(inside), zone=timezone)
    except ValueError:
        raise _bad_expression() from None


def _bad_expression() -> AwsError:
    return invalid(
        "Invalid schedule expression. Schedule expressions must have the following syntax: "
        "rate(<number>\\s?(minutes?|hours?|days?)), cron(<cron_expression>) or at(yyyy-MM-dd'T'HH:mm:ss)."
    )


def time_zone(name: str) -> tzinfo:
    """One of the IANA's. Raises ValidationException."""
    if name == "UTC":
        return UTC
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid(f"Invalid timezone: {name}") from None  # (?)


def _moment(text: str, zone: tzinfo) -> float:
    try:
        if not _AT.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
    except ValueError:
        raise invalid(f"Invalid schedule at DateTime expression: {text}") from None  # (?) after the colon


def next_run(
    schedule: Schedule, after: float, created: float, start: float | None = None, end: float | None = None
) -> float | None:
    """The first run later than ``after`` and within ``start`` and ``end``; None if there is none. A rate counts from the
    start time, or from when the action was made."""
    if schedule.at is not None:
        found: float | None = schedule.at if schedule.at > after else None
    elif schedule.rate is not None:
        found = _next_of_rate(schedule.rate, after, created, start)
    else:
        found = _next_of_cron(schedule, max(after, start - 1 if start is not None else after))
    if found is None or (end is not None and found > end) or (start is not None and found < start):
        return None
    return found


def _next_of_rate(rate: int, after: float, created: float, start: float | None) -> float:
    origin = created + rate if start is None else start
    return origin if after < origin else origin + ((after - origin) // rate + 1) * rate


def _next_of_cron(schedule: Schedule, after: float) -> float | None:
    """In local time. A time that the change to summer time skips is passed over; of the two that the change back makes
    the first one counts."""
    assert schedule.cron is not None
    zone = time_zone(schedule.zone)
    return next_of(schedule.cron, after, zone)


def next_of(expression: cron.Cron, after: float, zone: tzinfo) -> float | None:
    """The first moment later than ``after`` at which a cron expression runs in a time zone."""
    local = datetime.fromtimestamp(after, zone).replace(tzinfo=None)
    for _ in range(5):
        found = expression.after(local)
        if found is None:
            return None
        moment = found.replace(tzinfo=zone).timestamp()
        exists = datetime.fromtimestamp(moment, zone).replace(tzinfo=None) == found
        if exists and moment > after:
            return moment
        local = found
    return expression.after(local + timedelta(days=1)).replace(tzinfo=zone).timestamp()  # type: ignore[union-attr]
