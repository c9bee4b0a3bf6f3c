"""Cron expressions: AWS's of six fields, and the five of Unix that EC2 Auto Scaling takes. Pure.

Source: Application Auto Scaling User Guide, "Schedule recurring scaling actions using cron expressions"; crontab(5).
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

MONTHS = {name: number for number, name in enumerate(
    ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), 1)}  # fmt: skip
DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
FIRST_YEAR, LAST_YEAR = 1970, 2199
HORIZON = 366 * 9
"""Days to look ahead: from one 29th of February to the next it can be eight years"""


@dataclass(frozen=True)
class Cron:
    """When it runs. The days are sets of AWS's numbers (Sunday is 1); None for ``?`` and for what the specials say."""

    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    month_days: frozenset[int] | None = None
    week_days: frozenset[int] | None = None
    last: bool = False
    """``L`` in the day of the month"""
    nearest: int = 0
    """``<n>W``: the weekday nearest to the n-th; -1 for LW, the last weekday"""
    last_of: int = 0
    """``<d>L``: the last such day of the month"""
    nth: tuple[int, int] | None = None
    """``<d>#<n>``: the n-th such day of the month"""
    either: bool = field(default=False)
    """Unix: where both days are given, one of them is enough"""

    def runs_on(self, day: date) -> bool:
        """Whether it runs on a day at all."""
        if day.month not in self.months or day.year not in self.years:
            return False
        weekday = day.isoweekday() % 7 + 1
        length = calendar.monthrange(day.year, day.month)[1]
        if self.last:
            return day.day == length
        if self.nearest:
            return day == _nearest(day, length if self.nearest < 0 else self.nearest, length)
        if self.last_of:
            return weekday == self.last_of and day.day > length - 7
        if self.nth:
            return weekday == self.nth[0] and (day.day - 1) // 7 + 1 == self.nth[1]
        by_month = self.month_days is None or day.day in self.month_days
        by_week = self.week_days is None or weekday in self.week_days
        if self.either and self.month_days is not None and self.week_days is not None:
            return by_month or by_week
        return by_month and by_week

    def after(self, moment: datetime) -> datetime | None:
        """The first time (of the same clock) later than ``moment``; None if there is none."""
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for ahead in range(HORIZON):
            day = start.date() + timedelta(days=ahead)
            if day.year > max(self.years):
                return None
            if not self.runs_on(day):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    found = datetime(day.year, day.month, day.day, hour, minute)
                    if found >= start:
                        return found
        return None


def _nearest(day: date, wanted: int, length: int) -> date | None:
    """The weekday nearest to a day of the month, within the month."""
    if wanted > length:
        return None
    found = date(day.year, day.month, wanted)
    if found.isoweekday() == 6:
        return found - timedelta(days=1) if wanted > 1 else found + timedelta(days=2)
    if found.isoweekday() == 7:
        return found + timedelta(days=1) if wanted < length else found - timedelta(days=2)
    return found


def aws(text: str) -> Cron:
    """Of six fields. Raises ValueError."""
    fields = text.upper().split()
    if len(fields) != 6:
        raise ValueError(text)
    minutes, hours, month_day, months, week_day, years = fields
    if (month_day == "?") == (week_day == "?"):
        raise ValueError("one of the day fields must be a question mark")
    given: dict[str, Any] = {
        "minutes": numbers(minutes, 0, 59),
        "hours": numbers(hours, 0, 23),
        "months": numbers(months, 1, 12, MONTHS),
        "years": numbers(years, FIRST_YEAR, LAST_YEAR),
    }
    if week_day == "?":
        if month_day == "L":
            return Cron(**given, last=True)
        if month_day == "LW":
            return Cron(**given, nearest=-1)
        if found := re.fullmatch(r"(\d{1,2})W", month_day):
            return Cron(**given, nearest=_within(int(found[1]), 1, 31))
        return Cron(**given, month_days=numbers(month_day, 1, 31))
    if week_day == "L":
        return Cron(**given, week_days=frozenset({7}))
    if found := re.fullmatch(r"(\w+)L", week_day):
        return Cron(**given, last_of=_number(found[1], 1, 7, DAYS))
    if found := re.fullmatch(r"(\w+)#([1-5])", week_day):
        return Cron(**given, nth=(_number(found[1], 1, 7, DAYS), int(found[2])))
    return Cron(**given, week_days=numbers(week_day, 1, 7, DAYS))


def unix(text: str) -> Cron:
    """Of five fields. Raises ValueError."""
    fields = text.upper().split()
    if len(fields) != 5:
        raise ValueError(text)
    minutes, hours, month_day, months, week_day = fields
    names = {name: number - 1 for name, number in DAYS.items()}
    return Cron(
        minutes=numbers(minutes, 0, 59),
        hours=numbers(hours, 0, 23),
        months=numbers(months, 1, 12, MONTHS),
        years=frozenset(range(FIRST_YEAR, LAST_YEAR + 1)),
        month_days=None if month_day == "*" else numbers(month_day, 1, 31),
        week_days=None if week_day == "*" else frozenset(number % 7 + 1 for number in numbers(week_day, 0, 7, names)),
        either=True,
    )


def numbers(text: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    """``*``, numbers, names, ranges, lists and increments (``*/15``, ``10-20/2``, ``5/10``). Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if "/" in part and (not step.isdecimal() or int(step) == 0):
            raise ValueError(part)
        if span == "*":
            first, last = low, high
        elif "-" in span:
            one, _, other = span.partition("-")
            first, last = _number(one, low, high, names), _number(other, low, high, names)
        else:
            first = _number(span, low, high, names)
            last = high if step else first
        values = range(first, last + 1) if first <= last else [*range(first, high + 1), *range(low, last + 1)]
        found.update(list(values)[:: int(step or 1)])
    return frozenset(found)


def _number(text: str, low: int, high: int, names: dict[str, int] | None = None) -> int:
    if names and text in names:
        return names[text]
    if not text.isdecimal():
        raise ValueError(text)
    return _within(int(text), low, high)


def _within(number: int, low: int, high: int) -> int:
    if not low <= number <= high:
        raise ValueError(str(number))
    return number
