"""The values of metric math: scalars, time series and arrays of them, and the operators between them. Pure.

Source: "Metric math syntax and functions". A value missing in one of two series counts as 0; what cannot be computed (a
division by zero, the root of a negative number) is dropped.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field

from drydock.services.cloudwatch.expressions import Wrong
from drydock.services.cloudwatch.labels import Origin


@dataclass(frozen=True, slots=True)
class Series:
    """Values by the beginning of their period, in no order. ``label`` is the default one."""

    points: dict[float, float]
    period: int
    label: str = ""
    origin: Origin | None = field(default=None, compare=False)

    def ordered(self) -> list[tuple[float, float]]:
        """In the order of time."""
        return sorted(self.points.items())

    def mapped(self, change: Callable[[float], float]) -> Series:
        """Each value changed; one that cannot be is dropped."""
        found = {at: _tried(change, value) for at, value in self.points.items()}
        return self.having({at: value for at, value in found.items() if value is not None})

    def having(self, points: dict[float, float]) -> Series:
        """The same with other points."""
        return Series(points, self.period, self.label, self.origin)


Value = float | Series | list[Series] | str

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "&&": lambda a, b: bool(a) and bool(b), "||": lambda a, b: bool(a) or bool(b),
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "^": operator.pow,
}  # fmt: skip


def kind_of(value: Value) -> str:
    """As AWS names the type of a value in its messages."""
    if isinstance(value, Series):
        return "TimeSeries"
    if isinstance(value, list):
        return "Array[TimeSeries]"
    return "String" if isinstance(value, str) else "Scalar"


def operate(sign: str, left: Value, right: Value) -> Value:
    """Two operands. Raises Wrong for types that do not go together."""
    both_arrays = isinstance(left, list) and isinstance(right, list)
    if both_arrays or isinstance(left, str) or isinstance(right, str):
        raise Wrong(f"Unsupported operand type(s) for {sign}: '[{kind_of(left)}, {kind_of(right)}]'")
    compute = _computing(sign)
    if isinstance(left, list):
        return [_pair(compute, one, right) for one in left if not isinstance(right, list)]
    if isinstance(right, list):
        return [_labelled(_pair(compute, left, one), one) for one in right]
    if isinstance(left, Series) or isinstance(right, Series):
        return _pair(compute, left, right)
    found = _tried(compute, left, right)
    return math.nan if found is None else found


def negated(value: Value) -> Value:
    """Unary subtraction. Raises Wrong."""
    if isinstance(value, str):
        raise Wrong("Unsupported operand type(s) for -: '[String]'")
    if isinstance(value, list):
        return [one.mapped(operator.neg) for one in value]
    return value.mapped(operator.neg) if isinstance(value, Series) else -value


def _computing(sign: str) -> Callable[[float, float], float]:
    if sign in _ARITHMETIC:
        return _ARITHMETIC[sign]
    compare = _COMPARISONS[sign]
    return lambda a, b: float(compare(a, b))


def _pair(compute: Callable[[float, float], float], left: Series | float, right: Series | float) -> Series:
    """One series from two operands of which at least one is a series."""
    if not isinstance(left, Series):
        assert isinstance(right, Series)
        return right.mapped(lambda value: compute(left, value))
    if not isinstance(right, Series):
        return left.mapped(lambda value: compute(value, right))
    found = {}
    for at in left.points.keys() | right.points.keys():
        value = _tried(compute, left.points.get(at, 0.0), right.points.get(at, 0.0))
        if value is not None:
            found[at] = value
    return Series(found, min(left.period, right.period), left.label, left.origin)


def _labelled(series: Series, like: Series) -> Series:
    return Series(series.points, series.period, like.label, like.origin)


def _tried(compute: Callable[..., float], *operands: float) -> float | None:
    try:
        value = compute(*operands)
    except (ArithmeticError, ValueError):
        return None
    if isinstance(value, complex) or not math.isfinite(value):
        return None
    return float(value)
