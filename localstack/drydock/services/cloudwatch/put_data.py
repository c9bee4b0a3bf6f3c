"""What PutMetricData takes: its parameters as data, or AWS's error. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from drydock.errors import NotImplementedByDrydock
from drydock.services.cloudwatch.errors import combination, invalid, missing
from drydock.services.cloudwatch.model import Datum, Metric, StatisticSet
from drydock.services.cloudwatch.periods import DAY, HOUR

MOST_DATA, MOST_VALUES, MOST_DIMENSIONS = 1_000, 150, 30
LARGEST = 2.0**360
UNITS = frozenset((
    "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits",
    "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second", "Megabytes/Second",
    "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second",
    "Terabits/Second", "Count/Second", "None",
))  # fmt: skip
_ASCII = re.compile(r"[\x20-\x7e]*")


def data_of(params: dict[str, Any], now: float) -> list[Datum]:
    """All data of a request. Raises AwsError for the first that is wrong."""
    namespace = checked_namespace(params["Namespace"])
    given = params.get("MetricData") or []
    if params.get("EntityMetricData"):
        raise NotImplementedByDrydock(
            "cloudwatch", "PutMetricData", "EntityMetricData: send the same data as MetricData."
        )
    if not given:
        raise missing("The parameter MetricData is required.")
    if len(given) > MOST_DATA:
        raise invalid(f"The collection MetricData must not have a size greater than {MOST_DATA}.")
    return [_datum(namespace, one, f"MetricData.member.{n}", now) for n, one in enumerate(given, 1)]


def checked_namespace(namespace: str) -> str:
    """Raises InvalidParameterValue."""
    if namespace.startswith(("AWS/", ":")) or not namespace.strip() or not _ASCII.fullmatch(namespace):
        raise invalid(f"The value {namespace} for parameter Namespace is invalid.")
    return namespace


def dimensions_of(given: list[dict[str, str]] | None, path: str) -> tuple[tuple[str, str], ...]:
    """Sorted by name. Raises InvalidParameterValue."""
    dimensions: dict[str, str] = {}
    if len(given or []) > MOST_DIMENSIONS:
        raise invalid(f"The collection {path} must not have a size greater than {MOST_DIMENSIONS}.")
    for number, one in enumerate(given or [], 1):
        name, value = one["Name"], one["Value"]
        for part, text in (("Name", name), ("Value", value)):
            if not text.strip() or not _ASCII.fullmatch(text) or (part == "Name" and text.startswith(":")):
                raise invalid(f"The value {text} for parameter {path}.member.{number}.{part} is invalid.")
        if name in dimensions:
            raise invalid(f"No Metric can be specified with more than one dimension of the same name: {name}.")  # (?)
        dimensions[name] = value
    return tuple(sorted(dimensions.items()))


def checked_unit(unit: str | None, path: str = "Unit") -> str | None:
    """Raises InvalidParameterValue."""
    if unit is not None and unit not in UNITS:
        raise invalid(f"The value {unit} for parameter {path} is invalid.")
    return unit


def _datum(namespace: str, given: dict[str, Any], path: str, now: float) -> Datum:
    name = given["MetricName"]
    if not name.strip() or not _ASCII.fullmatch(name):
        raise invalid(f"The value {name} for parameter {path}.MetricName is invalid.")
    dimensions = dimensions_of(given.get("Dimensions"), f"{path}.Dimensions")
    unit = checked_unit(given.get("Unit"), f"{path}.Unit") or "None"
    resolution = given.get("StorageResolution", 60)
    if resolution not in (1, 60):
        raise invalid(f"The value {resolution} for parameter {path}.StorageResolution is invalid.")
    at = _timestamp(given.get("Timestamp"), path, now)
    forms = [form for form in ("Value", "Values", "StatisticValues") if given.get(form) not in (None, [])]
    if not forms:
        raise missing(
            f"At least one of the parameters {path}.Value, {path}.Values or {path}.StatisticValues must be specified."
        )
    if len(forms) > 1:
        one, other = (f"{path}.{form}" for form in forms[:2])
        raise combination(f"The parameters {one} and {other} are mutually exclusive and you have specified both.")
    samples, summed = _FORMS[forms[0]](given, path)
    return Datum(Metric(namespace, name, dimensions), at, samples, summed, unit, resolution)


_Read = tuple[tuple[tuple[float, float], ...], StatisticSet | None]


def _value(given: dict[str, Any], path: str) -> _Read:
    if given.get("Counts"):
        raise combination(
            f"The parameters {path}.Value and {path}.Counts are mutually exclusive and you have specified both."
        )
    return ((_number(given["Value"], f"{path}.Value"), 1.0),), None


def _values(given: dict[str, Any], path: str) -> _Read:
    values, counts = given["Values"], given.get("Counts")
    if len(values) > MOST_VALUES:
        raise invalid(f"The collection {path}.Values must not have a size greater than {MOST_VALUES}.")
    if counts is None:
        counts = [1.0] * len(values)
    if len(counts) != len(values):
        raise invalid(f"The parameters {path}.Values and {path}.Counts must be of the same size.")
    pairs = []
    for number, (value, count) in enumerate(zip(values, counts, strict=True), 1):
        _number(value, f"{path}.Values.member.{number}")
        if _number(count, f"{path}.Counts.member.{number}") < 0:
            raise invalid(f"The value {count:g} for parameter {path}.Counts.member.{number} is invalid.")
        pairs.append((float(value), float(count)))
    return tuple(pairs), None


def _set(given: dict[str, Any], path: str) -> _Read:
    path = f"{path}.StatisticValues"
    known = given["StatisticValues"]
    count, total, smallest, largest = (
        _number(known[name], f"{path}.{name}") for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if largest < smallest:
        raise invalid(f"The parameter {path}.Maximum must be greater than {path}.Minimum.")
    if count <= 0:
        raise invalid(f"The parameter {path}.SampleCount must be greater than 0.")
    return (), StatisticSet(count, total, smallest, largest)


_FORMS: dict[str, Callable[[dict[str, Any], str], _Read]] = {
    "Value": _value,
    "Values": _values,
    "StatisticValues": _set,
}


def _number(value: float, path: str) -> float:
    if math.isnan(value) or math.isinf(value):
        shown = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        raise invalid(f"The value {shown} for parameter {path} is invalid.")
    if abs(value) > LARGEST:
        raise invalid(f"The value {value:.17g} for parameter {path} is invalid.")
    return float(value)


def _timestamp(given: datetime | None, path: str, now: float) -> float:
    if given is None:
        return now
    at = given.timestamp()
    if not now - 14 * DAY - 2 * HOUR <= at <= now + 2 * HOUR:
        raise invalid(f"The parameter {path}.Timestamp must specify a time within the past two weeks.")
    return at
