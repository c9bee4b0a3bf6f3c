"""The functions of metric math. Pure.

Source: "Functions supported for metric math". Each takes evaluated arguments and says with Wrong what it cannot take.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from drydock.services.cloudwatch.expressions import Wrong
from drydock.services.cloudwatch.series import Series, Value, kind_of

MOST_POINTS = 100_800


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch of time that is asked for, and the period of what has none of its own."""

    start: float
    end: float
    period: int

    def grid(self, period: int, like: Iterable[float] = ()) -> list[float]:
        """The beginnings of all periods, in step with the points of ``like``."""
        first = next(iter(like), self.start)
        start = self.start + (first - self.start) % period
        count = max(math.ceil((self.end - start) / period), 0)
        if count > MOST_POINTS:
            raise Wrong("The expression has too many data points")  # (?)
        return [start + number * period for number in range(count)]


def call(name: str, arguments: Sequence[Value], span: Span) -> Value:
    """Any function but METRICS, SEARCH and PERIOD, which look at the request. Raises Wrong."""
    function = _TABLE.get(name)
    if function is None:
        raise Wrong(f"Function '{name}' not found")
    return function(name, arguments, span)


# --- what arguments are ---


def _count(name: str, arguments: Sequence[Value], least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        raise Wrong(f"Invalid number of arguments for function {name}")  # (?)


def _unfit(name: str, arguments: Sequence[Value]) -> Wrong:
    kinds = ", ".join(kind_of(one) for one in arguments)
    return Wrong(f"Unsupported argument type(s) for function {name}: '[{kinds}]'")  # (?)


def _array(name: str, arguments: Sequence[Value]) -> list[Series]:
    first = arguments[0]
    if isinstance(first, list):
        return first
    raise _unfit(name, arguments)


def _number(name: str, arguments: Sequence[Value], index: int) -> float:
    value = arguments[index]
    if isinstance(value, float):
        return value
    raise _unfit(name, arguments)


def _each(name: str, arguments: Sequence[Value], change: Callable[[Series], Series]) -> Value:
    """A series or each of an array."""
    first = arguments[0]
    if isinstance(first, Series):
        return change(first)
    if isinstance(first, list):
        return [change(one) for one in first]
    raise _unfit(name, arguments)


# --- point by point ---


def _pointwise(change: Callable[[float], float]) -> Callable[[str, Sequence[Value], Span], Value]:
    def function(name: str, arguments: Sequence[Value], _: Span) -> Value:
        _count(name, arguments, 1, 1)
        first = arguments[0]
        if isinstance(first, float):
            return Series({0.0: first}, 1).mapped(change).points.get(0.0, math.nan)
        return _each(name, arguments, lambda series: series.mapped(change))

    return function


def _stepwise(change: Callable[[float, float], float]) -> Callable[[str, Sequence[Value], Span], Value]:
    """From one point to the next: (difference of values, difference of seconds)."""

    def stepped(series: Series) -> Series:
        points = series.ordered()
        pairs = pairwise(points)
        return series.having({at: change(value - old, at - then) for (then, old), (at, value) in pairs})

    def function(name: str, arguments: Sequence[Value], _: Span) -> Value:
        _count(name, arguments, 1, 1)
        return _each(name, arguments, stepped)

    return function


def _running_sum(name: str, arguments: Sequence[Value], _: Span) -> Value:
    _count(name, arguments, 1, 1)

    def summed(series: Series) -> Series:
        total, found = 0.0, {}
        for at, value in series.ordered():
            total += value
            found[at] = total
        return series.having(found)

    return _each(name, arguments, summed)


# --- many values into one ---


def _average(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _deviation(values: Sequence[float]) -> float:
    """Of the whole, not of a sample (?)."""
    middle = _average(values)
    return math.sqrt(_average([(value - middle) ** 2 for value in values]))


_FOLDS: dict[str, Callable[[Sequence[float]], float]] = {
    "AVG": _average,
    "SUM": math.fsum,
    "MIN": lambda values: min(values, default=math.nan),
    "MAX": lambda values: max(values, default=math.nan),
    "STDDEV": _deviation,
    "DATAPOINT_COUNT": lambda values: float(len(values)),
}


def _fold(name: str, arguments: Sequence[Value], _: Span) -> Value:
    """Of one series a scalar; of an array a series."""
    _count(name, arguments, 1, 1)
    first = arguments[0]
    if isinstance(first, Series):
        return _FOLDS[name](list(first.points.values()))
    array = _array(name, arguments)
    gathered: dict[float, list[float]] = {}
    for series in array:
        for at, value in series.points.items():
            gathered.setdefault(at, []).append(value)
    if name == "AVG":  # "Missing values are treated as 0"
        points = {at: math.fsum(values) / len(array) for at, values in gathered.items()}
    else:
        points = {at: _FOLDS[name](values) for at, values in gathered.items()}
    return Series(points, min((one.period for one in array), default=60), "")


def _metric_count(name: str, arguments: Sequence[Value], _: Span) -> Value:
    _count(name, arguments, 1, 1)
    return float(len(_array(name, arguments)))


# --- what is missing ---


def _fill(name: str, arguments: Sequence[Value], span: Span) -> Value:
    _count(name, arguments, 2, 2)
    filler = arguments[1]
    if isinstance(filler, list) or (isinstance(filler, str) and filler not in ("REPEAT", "LINEAR")):
        raise _unfit(name, arguments)

    def filled(series: Series) -> Series:
        found = dict(series.points)
        known = series.ordered()
        behind = -1  # the last known point before ``at``
        for at in span.grid(series.period, series.points):
            while behind + 1 < len(known) and known[behind + 1][0] <= at:
                behind += 1
            if at in found:
                continue
            value = _filler(filler, at, known, behind)
            if value is not None and not math.isnan(value):
                found[at] = value
        return series.having(found)

    return _each(name, arguments, filled)


def _filler(filler: Value, at: float, known: list[tuple[float, float]], behind: int) -> float | None:
    if isinstance(filler, Series):
        return filler.points.get(at)
    if isinstance(filler, float):
        return filler
    if behind < 0:
        return None
    if filler == "REPEAT":
        return known[behind][1]
    if behind + 1 == len(known):
        return None
    (before, low), (after, high) = known[behind], known[behind + 1]
    return low + (high - low) * (at - before) / (after - before)


def _remove_empty(name: str, arguments: Sequence[Value], _: Span) -> Value:
    _count(name, arguments, 1, 1)
    return [one for one in _array(name, arguments) if one.points]


# --- arrays ---


def _end(index: int) -> Callable[[str, Sequence[Value], Span], Value]:
    def function(name: str, arguments: Sequence[Value], _: Span) -> Value:
        _count(name, arguments, 1, 1)
        array = _array(name, arguments)
        return array[index] if array else Series({}, 60)

    return function


def _slice(name: str, arguments: Sequence[Value], _: Span) -> Value:
    _count(name, arguments, 2, 3)
    bounds = [int(_number(name, arguments, index)) for index in range(1, len(arguments))]
    if any(bound < 0 for bound in bounds):
        raise _unfit(name, arguments)
    return _array(name, arguments)[bounds[0] : bounds[1] if len(bounds) > 1 else None]


def _sort(name: str, arguments: Sequence[Value], _: Span) -> Value:
    _count(name, arguments, 3, 4)
    by, order = arguments[1], arguments[2]
    if by not in ("AVG", "MIN", "MAX", "SUM") or order not in ("ASC", "DESC"):
        raise _unfit(name, arguments)
    limit = int(_number(name, arguments, 3)) if len(arguments) == 4 else None
    if limit is not None and limit < 0:
        raise _unfit(name, arguments)
    array = [(one, _FOLDS[str(by)](list(one.points.values()))) for one in _array(name, arguments)]
    full = sorted((pair for pair in array if pair[0].points), key=lambda pair: pair[1], reverse=order == "DESC")
    empty = [pair for pair in array if not pair[0].points]
    return [one for one, _ in [*full, *empty]][:limit]


# --- conditions ---


def _if(name: str, arguments: Sequence[Value], _: Span) -> Value:
    _count(name, arguments, 2, 3)
    condition, yes = arguments[0], arguments[1]
    no = arguments[2] if len(arguments) == 3 else None
    if any(isinstance(one, list | str) for one in arguments):
        raise _unfit(name, arguments)
    if isinstance(condition, float):
        chosen = yes if condition else no
        if isinstance(yes, Series) or isinstance(no, Series):
            like = yes if isinstance(yes, Series) else no
            assert isinstance(like, Series)
            if isinstance(chosen, float):
                return like.mapped(lambda _: chosen)
            return like.having({}) if chosen is None else chosen
        return math.nan if chosen is None else chosen
    assert isinstance(condition, Series)
    found = {}
    for at, value in condition.points.items():
        picked = _at(yes, at, 0.0) if value else _at(no, at, None)
        if picked is not None:
            found[at] = picked
    shown = yes if isinstance(yes, Series) else condition
    return Series(found, condition.period, shown.label, shown.origin)


def _at(value: Value | None, at: float, missing: float | None) -> float | None:
    if isinstance(value, Series):
        return value.points.get(at, missing)
    return value if isinstance(value, float) else None


# --- time ---


def _time_series(name: str, arguments: Sequence[Value], span: Span) -> Value:
    _count(name, arguments, 1, 1)
    value = _number(name, arguments, 0)
    return Series({} if math.isnan(value) else dict.fromkeys(span.grid(span.period), value), span.period)


_CALENDAR: dict[str, Callable[[datetime], float]] = {
    "MINUTE": lambda at: at.minute,
    "HOUR": lambda at: at.hour,
    "DAY": lambda at: at.isoweekday(),
    "DATE": lambda at: at.day,
    "MONTH": lambda at: at.month,
    "YEAR": lambda at: at.year,
    "EPOCH": lambda at: at.timestamp(),
}


def _calendar(name: str, arguments: Sequence[Value], span: Span) -> Value:
    _count(name, arguments, 1, 1)
    series = arguments[0]
    if not isinstance(series, Series):
        raise _unfit(name, arguments)
    read = _CALENDAR[name]
    grid = span.grid(series.period, series.points)
    return series.having({at: float(read(datetime.fromtimestamp(at, UTC))) for at in grid})


_TABLE: dict[str, Callable[[str, Sequence[Value], Span], Value]] = {
    "ABS": _pointwise(abs),
    "CEIL": _pointwise(math.ceil),
    "FLOOR": _pointwise(math.floor),
    "LOG": _pointwise(math.log),
    "LOG10": _pointwise(math.log10),
    "DIFF": _stepwise(lambda value, _: value),
    "DIFF_TIME": _stepwise(lambda _, seconds: seconds),
    "RATE": _stepwise(lambda value, seconds: value / seconds),
    "RUNNING_SUM": _running_sum,
    **dict.fromkeys(_FOLDS, _fold),
    "METRIC_COUNT": _metric_count,
    "FILL": _fill,
    "REMOVE_EMPTY": _remove_empty,
    "FIRST": _end(0),
    "LAST": _end(-1),
    "SLICE": _slice,
    "SORT": _sort,
    "IF": _if,
    "TIME_SERIES": _time_series,
    **dict.fromkeys(_CALENDAR, _calendar),
}
KNOWN = frozenset(_TABLE) | {"METRICS", "SEARCH", "PERIOD"}
