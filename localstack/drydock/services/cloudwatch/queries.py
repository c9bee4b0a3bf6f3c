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
from drydock.services.cloudwatch.expressions import (
    Array,
    Call,
    Name,
    Negated,
    Node,
    Number,
    Operation,
    Text,
    Word,
    Wrong,
    parse,
)
from drydock.services.cloudwatch.expressions import functions as functions_of
from drydock.services.cloudwatch.expressions import names as names_of
from drydock.services.cloudwatch.functions import KNOWN, Span, call
from drydock.services.cloudwatch.labels import Origin, default_labels, search_labels
from drydock.services.cloudwatch.model import Metric
from drydock.services.cloudwatch.periods import aligned, is_period
from drydock.services.cloudwatch.put_data import UNITS, dimensions_of
from drydock.services.cloudwatch.searching import compiled
from drydock.services.cloudwatch.series import Series, Value, kind_of, negated, operate
from drydock.services.cloudwatch.statistics import is_statistic

MOST_QUERIES = 500
MOST_FOUND = 500
"""Series of one SEARCH"""
PERIOD = 300
"""Of an expression that reads no metric and gives none (?)"""
LACKING = {
    "ANOMALY_DETECTION_BAND": "Use a band of your own, such as AVG(m1)+2*STDDEV(m1).",
    "INSIGHT_RULE_METRIC": "There is no Contributor Insights here.",
    "SERVICE_QUOTA": "Write the quota down as a number.",
    "DB_PERF_INSIGHTS": "There are no databases here.",
    "LAMBDA": "There are no data source functions here.",
}
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
    """One series. ``label`` is its default one; ``member``: one of an array."""

    label: str
    points: Points
    period: int
    origin: Origin | None = None
    member: bool = False


def evaluate(queries: Sequence[dict[str, Any]], reader: Reader) -> dict[str, list[Result]]:
    """The results of all queries by id, in the order of the queries; those that are scalars have none. Raises
    ValidationError."""
    trees = check(queries)
    request = _Request(queries, reader)
    for name in _in_order(trees):
        try:
            request.values[name] = request.value(trees[name], name)
        except Wrong as wrong:
            raise failed(f"Error in expression '{name}': {wrong}") from None
    return {query["Id"]: _results(query, request.values[query["Id"]], trees.get(query["Id"])) for query in queries}


def _results(query: dict[str, Any], value: Value, tree: Node | None) -> list[Result]:
    if isinstance(value, list):
        return [Result(one.label, one.ordered(), one.period, one.origin, member=True) for one in value]
    if not isinstance(value, Series):
        if query.get("ReturnData", True):
            raise failed(
                f"Error in expression '{query['Id']}': The expression must return a time series, and returns a {kind_of(value)}"
            )  # (?)
        return []
    if tree is None:
        return [Result(value.label, value.ordered(), value.period, value.origin)]
    return [Result(query["Id"], value.ordered(), value.period)]


def single_series(results: dict[str, list[Result]], queries: Sequence[dict[str, Any]]) -> dict[str, Points]:
    """The points of each id that is one series. Raises ValidationError for one to be returned that is not."""
    for query in queries:
        found = results[query["Id"]]
        if query.get("ReturnData", True) and any(one.member for one in found):
            raise failed(
                "Metrics expression that return multi time series are only allowed for MetricsInsights expression with an "
                "ORDER BY clause"
            )
    return {name: found[0].points for name, found in results.items() if len(found) == 1 and not found[0].member}


class _Request:
    """The metrics of one request, and the values of its ids as far as they are known."""

    def __init__(self, queries: Sequence[dict[str, Any]], reader: Reader) -> None:
        self._reader = reader
        self._own_period = {query["Id"]: query.get("Period") for query in queries}
        stats = [query for query in queries if query.get("MetricStat")]
        origins = [origin_of(query["MetricStat"]) for query in stats]
        self.metrics: dict[str, Series] = {}
        for query, origin, label in zip(stats, origins, default_labels(origins), strict=True):
            points = reader.statistic(origin.metric, origin.stat, origin.period, query["MetricStat"].get("Unit"))
            self.metrics[query["Id"]] = Series(dict(points), origin.period, label, origin)
        self._finest = min((origin.period for origin in origins), default=PERIOD)
        self.values: dict[str, Value] = dict(self.metrics)

    def value(self, node: Node, of: str) -> Value:
        """Of a part of the expression ``of``. Raises Wrong."""
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Text | Word):
            return node.value
        if isinstance(node, Name):
            return self.values[node.value]
        if isinstance(node, Negated):
            return negated(self.value(node.operand, of))
        if isinstance(node, Operation):
            return self._chain(node, of)
        if isinstance(node, Array):
            return self._array(node, of)
        return self._call(node, of)

    def _chain(self, node: Operation, of: str) -> Value:
        """A sum of many is a tree that leans to the left: not to be climbed down by calls."""
        waiting: list[Operation] = []
        left: Node = node
        while isinstance(left, Operation):
            waiting.append(left)
            left = left.left
        value = self.value(left, of)
        while waiting:
            operation = waiting.pop()
            value = operate(operation.operator, value, self.value(operation.right, of))
        return value

    def _array(self, node: Array, of: str) -> list[Series]:
        found: list[Series] = []
        for item in node.items:
            value = self.value(item, of)
            if isinstance(value, Series):
                found.append(value)
            elif isinstance(value, list):
                found += value
            else:
                raise Wrong("Invalid syntax")
        if len(found) > MOST_FOUND:
            raise Wrong(f"An array can have {MOST_FOUND} time series at most")  # (?)
        return found

    def _call(self, node: Call, of: str) -> Value:
        arguments = [self.value(one, of) for one in node.arguments]
        if node.function == "METRICS":
            return self._metrics(arguments)
        if node.function == "SEARCH":
            return self._search(arguments, of)
        if node.function == "PERIOD":
            return self._period(node)
        period = self._own_period[of] or self._finest
        return call(node.function, arguments, Span(self._start(period), self._reader.end, period))

    def _start(self, period: int) -> float:
        return aligned(self._reader.start, period, self._reader.now)

    def _metrics(self, arguments: list[Value]) -> Value:
        part = arguments[0] if arguments else ""
        if len(arguments) > 1 or not isinstance(part, str):
            raise Wrong("Invalid number of arguments for function METRICS")  # (?)
        return [series for name, series in self.metrics.items() if part in name]

    def _period(self, node: Call) -> Value:
        (first, *more) = node.arguments or (None,)
        if more or not isinstance(first, Name) or first.value not in self.metrics:
            raise Wrong("Unsupported argument type(s) for function PERIOD")  # (?)
        return float(self.metrics[first.value].period)

    def _search(self, arguments: list[Value], of: str) -> Value:
        if not 2 <= len(arguments) <= 3:
            raise Wrong("Invalid number of arguments for function SEARCH")  # (?)
        text, stat = arguments[:2]
        given = arguments[2] if len(arguments) == 3 else float(self._own_period[of] or PERIOD)
        if not isinstance(text, str) or not isinstance(stat, str) or not isinstance(given, float):
            raise Wrong("Invalid search expression")
        period = int(given)
        if not is_statistic(stat) or period != given or not is_period(period):
            raise Wrong("Invalid search expression")
        matches = compiled(text)
        found = [Origin(metric, stat, period) for metric in self._reader.metrics() if matches(metric)]
        found = sorted(found, key=lambda one: (one.metric.namespace, one.metric.name, one.metric.dimensions))[
            :MOST_FOUND
        ]
        labels = zip(found, search_labels(found), strict=True)
        return [
            Series(dict(self._reader.statistic(one.metric, stat, period, None)), period, label, one)
            for one, label in labels
        ]


def _in_order(trees: dict[str, Node]) -> list[str]:
    """The expressions, each after those it needs; there are no circles."""
    order: dict[str, None] = {}

    def need(name: str) -> None:
        if name in trees and name not in order:
            for other in sorted(names_of(trees[name])):
                need(other)
            order[name] = None

    for name in trees:
        need(name)
    return list(order)


def _circle(trees: dict[str, Node]) -> str | None:
    """An id that needs itself, if there is one."""
    needs = {name: names_of(tree) & trees.keys() for name, tree in trees.items()}
    while free := [name for name, needed in needs.items() if not needed & needs.keys()]:
        for name in free:
            del needs[name]
    return min(needs, default=None)


def _parsed(queries: Sequence[dict[str, Any]]) -> dict[str, Node]:
    """The trees of all expressions. Raises ValidationError, or NotImplementedByDrydock for what is not here."""
    ids = {query["Id"] for query in queries}
    trees: dict[str, Node] = {}
    for query in queries:
        if not (text := query.get("Expression")):
            continue
        name = query["Id"]
        if re.match(r"\s*SELECT\s", text, re.IGNORECASE):
            raise NotImplementedByDrydock(
                "cloudwatch", "GetMetricData", "Metrics Insights queries: use SEARCH instead."
            )
        try:
            trees[name] = parse(text)
        except Wrong as wrong:
            raise failed(f"Error in expression '{name}': {wrong}") from None
        for function in sorted(functions_of(trees[name])):
            if function in LACKING:
                raise NotImplementedByDrydock("cloudwatch", "GetMetricData", f"{function}: {LACKING[function]}")
            if function not in KNOWN:
                raise failed(f"Error in expression '{name}': Function '{function}' not found")
        if unknown := sorted(names_of(trees[name]) - ids):
            raise failed(f"Error in expression '{name}': Undefined identifier '{unknown[0]}'")  # (?)
    if (name := _circle(trees)) is not None:
        raise failed(f"Error in expression '{name}': The expression refers to itself")  # (?)
    return trees


def origin_of(stat: dict[str, Any]) -> Origin:
    """A MetricStat that has been checked."""
    metric = stat["Metric"]
    dimensions = tuple(sorted((one["Name"], one["Value"]) for one in metric.get("Dimensions") or []))
    return Origin(Metric(metric["Namespace"], metric["MetricName"], dimensions), stat["Stat"], stat["Period"])


def check(queries: Sequence[dict[str, Any]]) -> dict[str, Node]:
    """The trees of the expressions by id. Raises ValidationError with all that is wrong, a sentence a line."""
    if not queries:
        raise failed("The collection MetricDataQueries must have a size greater than or equal to 1.")  # (?)
    if len(queries) > MOST_QUERIES:
        raise failed(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
    if faults := metric_faults(queries):
        raise failed("\n".join(faults))
    return _parsed(queries)


def metric_faults(queries: Sequence[dict[str, Any]]) -> list[str]:
    """What is wrong with queries but for their expressions, a sentence each."""
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
        if query.get("Period") is not None and not is_period(query["Period"]):
            faults.append(f"The value {query['Period']} for parameter {path}.Period is invalid.")
    names = [query["Id"] for query in queries]
    if len(set(names)) < len(names):
        faults.append("The values for parameter id in MetricDataQueries are not unique.")
    return faults


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
