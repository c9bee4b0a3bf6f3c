"""When an alarm changes its state: data points in, a verdict and its reason in AWS's words out.

An alarm looks at more data points than its evaluation periods (N): the *evaluation range*. Points that are there are
used first, the newest N of them; only where there are fewer than N are missing ones filled in, as the alarm treats
missing data, and as few as possible. At least M (datapoints to alarm) of the N must breach.

Filled in as ``missing`` or ``ignore``, a point neither breaches nor clears. Then a point that does not breach makes it
OK (unless M others breach), and where all that are there breach but are fewer than M, ``ignore`` keeps the state;
``missing`` goes to ALARM once the oldest of them is M periods old ("premature alarm state": nothing has contradicted it
since), and to INSUFFICIENT_DATA before.

Source: CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data", "Evaluating an alarm",
"Percentile-based CloudWatch alarms and low data samples". That ``- - - - X`` is INSUFFICIENT_DATA is in its older tables
("AlarmThatSendsEmail", 2019). The texts are those of alarms seen on AWS.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
STATES = (OK, ALARM, INSUFFICIENT_DATA)
BREACHING, NOT_BREACHING, IGNORE, MISSING = "breaching", "notBreaching", "ignore", "missing"
TREATMENTS = (BREACHING, NOT_BREACHING, IGNORE, MISSING)
DAY, HOUR, MINUTE, TICK = 86400, 3600, 60, 10
FURTHER_POINTS = 2
"""The evaluation range beyond the evaluation periods: 5 points for 3 in AWS's tables; AWS does not tell it for others"""
FEW = 5
"""From so many data points on a reason shows the newest of them in a sentence of its own"""

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
ANOMALY_COMPARISONS = (
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
)
_TREATED_AS = {BREACHING: "Breaching", NOT_BREACHING: "NonBreaching"}

Point = tuple[float, float | None]
"""Beginning of a period in lab seconds, and the metric's value in it: None if there is none"""


@dataclass(frozen=True, slots=True)
class Rule:
    """How an alarm judges. ``counted`` is M, or None where the alarm was made without it (then it is N)."""

    comparison: str
    threshold: float
    periods: int
    counted: int | None = None
    treatment: str = MISSING

    @property
    def least(self) -> int:
        """M"""
        return self.counted or self.periods

    def breaches(self, value: float) -> bool:
        """Whether a data point does."""
        return COMPARISONS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``state`` is None where the alarm keeps the one it has. ``evaluated`` are the points that were looked at, the
    latest first; those with None were filled in."""

    state: str | None
    evaluated: tuple[Point, ...]
    reason: str

    @property
    def values(self) -> tuple[float, ...]:
        """Of those that were there, the latest first."""
        return tuple(value for _, value in self.evaluated if value is not None)


def window(now: float, period: int, periods: int) -> tuple[float, float]:
    """Beginning and end of the evaluation range: whole periods that have ended. The window slides: it moves each minute,
    each ten seconds for periods below a minute, and each hour where the evaluation periods exceed a day."""
    step = HOUR if period * periods > DAY else MINUTE if period >= MINUTE else TICK
    end = now // step * step
    return end - (periods + FURTHER_POINTS) * period, end


def in_range(series: Mapping[float, float], start: float, end: float, period: int) -> list[Point]:
    """The points of a range, oldest first, with None for periods without a value."""
    found = {int((at - start) // period): (at, value) for at, value in sorted(series.items())}
    return [found.get(n, (start + n * period, None)) for n in range(round((end - start) / period))]


def evaluate(rule: Rule, points: Sequence[Point]) -> Verdict:
    """What an alarm makes of the points of its evaluation range, oldest first."""
    newest = list(reversed(points))
    real = [point for point in newest if point[1] is not None][: rule.periods]
    filled = rule.periods - len(real)
    gaps = [point for point in newest if point[1] is None][:filled]
    evaluated = tuple(sorted([*real, *gaps], reverse=True, key=lambda point: point[0]))
    breaching = sum(value is not None and rule.breaches(value) for _, value in real)
    age = next((n for n in range(len(newest), 0, -1) if newest[n - 1][1] is not None), 0)
    state = _state(rule, breaching, len(real), filled, age)
    return Verdict(state, evaluated, _reason(rule, state, evaluated, filled))


def _state(rule: Rule, breaching: int, real: int, filled: int, age: int) -> str | None:
    """``age``: how many periods ago the oldest point is that is there."""
    if filled and rule.treatment == BREACHING:
        return ALARM if breaching + filled >= rule.least else OK
    if breaching >= rule.least:
        return ALARM
    if not filled or rule.treatment == NOT_BREACHING or breaching < real:
        return OK
    if rule.treatment == IGNORE:
        return None
    return ALARM if real and age >= rule.least else INSUFFICIENT_DATA


def _reason(rule: Rule, state: str | None, evaluated: tuple[Point, ...], filled: int) -> str:
    if state is None:
        return ""
    real = [(at, value) for at, value in evaluated if value is not None]
    if state == INSUFFICIENT_DATA:
        return f"Insufficient Data: {_counted(filled, 'datapoint')} {_be(filled)} unknown."
    if filled and rule.treatment in _TREATED_AS:
        received = _counted(len(real), "datapoint") if real else "no datapoints"
        return (
            f"Threshold Crossed: {received} {_be(len(real))} received for {_counted(rule.periods, 'period')} and "
            f"{_counted(filled, 'missing datapoint')} {_be(filled)} treated as [{_TREATED_AS[rule.treatment]}]."
        )
    crossed = [(at, value) for at, value in real if rule.breaches(value) == (state == ALARM)]
    count = len(crossed)
    verb = f"{_be(count)} {'' if state == ALARM else 'not '}{COMPARISONS[rule.comparison][1]} the threshold"
    verb += f" ({number(rule.threshold)})"
    shown = ", ".join(f"{number(value)} ({_short(at)})" for at, value in crossed[:FEW])
    who = _counted(count, "datapoint")
    ends = ""
    if rule.counted is not None:
        who = f"{count} out of the last {len(real)} datapoints"
        needed, way = (rule.least, "OK -> ALARM") if state == ALARM else (rule.periods - rule.least + 1, "ALARM -> OK")
        ends = f" (minimum {_counted(needed, 'datapoint')} for {way} transition)"
    if count < FEW:
        return f"Threshold Crossed: {who} [{shown}] {verb}{ends}."
    return f"Threshold Crossed: {who} {verb}. The most recent datapoints which crossed the threshold: [{shown}]{ends}."


def is_percentile(statistic: str) -> bool:
    """p99 and the like."""
    return re.fullmatch(r"p\d+(\.\d+)?", statistic) is not None


def samples_needed(statistic: str) -> float:
    """Below how many samples a percentile is not significant; 0 for what is no percentile."""
    if not is_percentile(statistic):
        return 0
    percentile = float(statistic[1:]) / 100
    if percentile >= 0.5:
        return 10 / (1 - percentile) if percentile < 1 else 0
    return 10 / percentile if percentile > 0 else 0


def number(value: float) -> str:
    """As AWS writes numbers in texts: 70.0, 5.36870912E9, 1.0E-4."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    sign, digits, exponent = Decimal(repr(float(value))).as_tuple()
    if not isinstance(exponent, int):
        return {"F": "Infinity", "n": "NaN"}.get(exponent, "NaN")
    text = "".join(map(str, digits))
    exponent += len(text) - 1
    text = text.rstrip("0")
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{exponent}"


def stamp(at: float) -> str:
    """2026-11-27T12:03:00.000+0000, as in JSON documents."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def long_date(at: float) -> str:
    """Friday 27 November, 2026 12:03:00 UTC"""
    return f"{datetime.fromtimestamp(at, UTC):%A %d %B, %Y %H:%M:%S} UTC"


def _short(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%d/%m/%y %H:%M:%S}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _be(count: int) -> str:
    return "was" if count == 1 else "were"
