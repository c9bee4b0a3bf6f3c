"""MetricDataQueries: checked, put in the order in which they need each other, evaluated. Pure but for the reader given.

Used by GetMetricData, by alarms and by pictures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from drydock.errors import NotImplementedByDrydock
from drydock.services.cloudwatch.errors import failed
from drydock.services.cloudwatch.labels import Origin, default_labels
from drydock.services.cloudwatch.model import Metric
from drydock.services.cloudwatch.periods import is_period
from drydock.services.cloudwatch.put_data import UNITS, dimensions_of
from drydock.services.cloudwatch.statistics import is_statistic

MOST_QUERIES = 500
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
Points = list[tuple[float, float]]


class Reader(Protocol):
    """What is asked for data: one account and region, one stretch of time."""

    account: str
    region: str
    start: float
    end: float
    now: float

    def statistic(self, metric: Metric, stat: str, period: int, unit: str | None) -> Points:
        """(beginning of the period, value) in the order of time."""

    def metrics(self) -> list[Metric]:
        """Those that SEARCH may find."""


@dataclass(frozen=True, slots=True)
class Result:
    """One series. ``label`` is its default one."""

    label: str
    points: Points
    period: int
    origin: Origin | None = None


def evaluate(queries: Sequence[dict[str, Any]], reader: Reader) -> dict[str, list[Result]]:
    """The results of all queries by id, in the order of the queries. Raises ValidationError."""
    check(queries)
    stats = [query for query in queries if query.get("MetricStat")]
    origins = [origin_of(query["MetricStat"]) for query in stats]
    labels = dict(zip((query["Id"] for query in stats), default_labels(origins), strict=True))
    found: dict[str, list[Result]] = {}
    for query, origin in zip(stats, origins, strict=True):
        points = reader.statistic(origin.metric, origin.stat, origin.period, query["MetricStat"].get("Unit"))
        found[query["Id"]] = [Result(labels[query["Id"]], points, origin.period, origin)]
    return {query["Id"]: found[query["Id"]] for query in queries}


def single_series(results: dict[str, list[Result]], queries: Sequence[dict[str, Any]]) -> dict[str, Points]:
    """The points of each id that is one series. Raises ValidationError for one to be returned that is not."""
    for query in queries:
        if query.get("ReturnData", True) and len(results[query["Id"]]) != 1:
            raise failed(f"The expression of {query['Id']} must evaluate to a single time series.")  # (?)
    return {name: found[0].points for name, found in results.items() if len(found) == 1}


def origin_of(stat: dict[str, Any]) -> Origin:
    """A MetricStat that has been checked."""
    metric = stat["Metric"]
    dimensions = tuple(sorted((one["Name"], one["Value"]) for one in metric.get("Dimensions") or []))
    return Origin(Metric(metric["Namespace"], metric["MetricName"], dimensions), stat["Stat"], stat["Period"])


def check(queries: Sequence[dict[str, Any]]) -> None:
    """Raises ValidationError with all that is wrong, a sentence a line."""
    if not queries:
        raise failed("The collection MetricDataQueries must have a size greater than or equal to 1.")  # (?)
    if len(queries) > MOST_QUERIES:
        raise failed(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
    faults: list[str] = []
    for number, query in enumerate(queries, 1):
        path = f"MetricDataQueries.member.{number}"
        if not _ID.fullmatch(query["Id"]):
            faults.append(
                f"The value {query['Id']} for parameter {path}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
            )
        if query.get("Expression") and query.get("MetricStat"):
            faults.append(
                f"The parameters {path}.Expression and {path}.MetricStat are mutually exclusive and you have specified both."
            )
        elif query.get("MetricStat"):
            faults += _stat_faults(query["MetricStat"], f"{path}.MetricStat")
        elif not query.get("Expression"):
            faults.append(f"The parameter {path}.MetricStat is required.\n")  # AWS's empty line
        else:
            raise NotImplementedByDrydock("cloudwatch", "GetMetricData", f"{path}.Expression")
        if query.get("Period") is not None and not is_period(query["Period"]):
            faults.append(f"The value {query['Period']} for parameter {path}.Period is invalid.")
    names = [query["Id"] for query in queries]
    if len(set(names)) < len(names):
        faults.append("The values for parameter id in MetricDataQueries are not unique.")
    if faults:
        raise failed("\n".join(faults))


def _stat_faults(stat: dict[str, Any], path: str) -> list[str]:
    faults = []
    for name in ("Namespace", "MetricName"):
        if not stat["Metric"].get(name):
            faults.append(f"The parameter {path}.Metric.{name} is required.")
    dimensions_of(stat["Metric"].get("Dimensions"), f"{path}.Metric.Dimensions")
    if not is_period(stat["Period"]):
        faults.append(f"The value {stat['Period']} for parameter {path}.Period is invalid.")
    if not is_statistic(stat["Stat"]):
        faults.append(f"The value for parameter {path}.Stat is not a valid statistic.")
    if stat.get("Unit") is not None and stat["Unit"] not in UNITS:
        faults.append(f"The value {stat['Unit']} for parameter {path}.Unit is invalid.")
    return faults
