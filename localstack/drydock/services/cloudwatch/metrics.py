"""Operations on metrics."""

from __future__ import annotations

import base64
import binascii
import json
import math
from datetime import UTC, datetime, timezone
from typing import TYPE_CHECKING, Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.cloudwatch import periods
from drydock.services.cloudwatch.errors import combination, failed, invalid, missing
from drydock.services.cloudwatch.labels import checked_zone, filled
from drydock.services.cloudwatch.measurements import MetricStore
from drydock.services.cloudwatch.model import Metric
from drydock.services.cloudwatch.put_data import checked_unit, data_of, dimensions_of
from drydock.services.cloudwatch.samples import Bucket
from drydock.services.cloudwatch.statistics import PLAIN, compute, is_extended
from drydock.services.service import Service

if TYPE_CHECKING:
    from drydock.services.cloudwatch.queries import Result

MOST_STATISTICS_POINTS = 1_440
MOST_POINTS = 100_800
PAGE_OF_METRICS = 500
RECENT = {"PT3H": 3 * periods.HOUR}
LISTED_FOR = 14 * periods.DAY


class MetricOperations(Service):
    """Mixed into :class:`~drydock.services.cloudwatch.api.CloudWatch`."""

    metrics: MetricStore

    def put_metric_data(self, request: Request, params: dict[str, Any]) -> None:
        now = self.platform.clock(request.account).now()
        self.metrics.record(request.scope, data_of(params, now))
        self.metrics.write()

    def get_metric_statistics(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        names = [*params.get("Statistics", []), *params.get("ExtendedStatistics", [])]
        dimensions = dimensions_of(params.get("Dimensions"), "Dimensions")
        start, end, period = _checked_statistics(params, names)
        unit = checked_unit(params.get("Unit"))
        metric = Metric(params["Namespace"], params["MetricName"], dimensions)
        raw = bool(params.get("ExtendedStatistics"))
        found = self.metrics.buckets(request.scope, metric, period, start, end, unit, raw)
        points = [_datapoint(at, unit, bucket, names) for (at, unit), bucket in found.items()]
        return {"Label": params["MetricName"], "Datapoints": [point for point in points if len(point) > 2]}

    def list_metrics(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("IncludeLinkedAccounts") or params.get("OwningAccount"):
            raise NotImplementedByDrydock(
                "cloudwatch", "ListMetrics", "IncludeLinkedAccounts: an account sees its own."
            )
        recent = params.get("RecentlyActive")
        if recent is not None and recent not in RECENT:
            raise invalid(f"The value {recent} for parameter RecentlyActive is invalid.")
        least = self.platform.clock(request.account).now() - RECENT.get(recent or "", LISTED_FOR)
        wanted = {one["Name"]: one.get("Value") for one in params.get("Dimensions", [])}
        found = sorted(
            (
                metric
                for metric, known in self.metrics.metrics(request.scope).items()
                if known.active >= least
                and params.get("Namespace") in (None, metric.namespace)
                and params.get("MetricName") in (None, metric.name)
                and _has(metric, wanted)
            ),
            key=lambda metric: (metric.namespace, metric.name, metric.dimensions),
        )
        start = 0
        if (token := params.get("NextToken")) is not None:
            start = opened(token, "metrics", invalid("Request parameter NextToken is invalid"))
        page = found[start : start + PAGE_OF_METRICS]
        answer: dict[str, Any] = {"Metrics": [_described(metric) for metric in page]}
        if start + PAGE_OF_METRICS < len(found):
            answer["NextToken"] = sealed("metrics", start + PAGE_OF_METRICS)
        return answer

    def get_metric_data(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        start, end = _checked_range(params)
        queries = params["MetricDataQueries"]
        if any(query.get("AccountId") not in (None, request.account) for query in queries):
            raise NotImplementedByDrydock("cloudwatch", "GetMetricData", "AccountId: an account sees its own metrics.")
        zone = checked_zone((params.get("LabelOptions") or {}).get("Timezone"))
        results = self.metrics.evaluated(request.scope, queries, start, end)
        now = self.platform.clock(request.account).now()
        shown = []
        for query in queries:
            if query.get("ReturnData", True):
                for result in results[query["Id"]]:
                    label = label_of(query, result, request.scope, now, zone)
                    shown.append((query["Id"], label, result))
        return _page(shown, params)


def label_of(query: dict[str, Any], result: Result, place: tuple[str, str], now: float, zone: timezone) -> str:
    """What a series is called; one of an array by the expression's label and its own."""
    given = query.get("Label") or result.label
    if query.get("Label") and result.member and "${" not in given:
        given = f"{given} {result.label}"
    return filled(given, result.label, result.points, result.origin, place, now, zone)


def _checked_statistics(params: dict[str, Any], names: list[str]) -> tuple[float, float, int]:
    """Start, end, period. Raises AwsError."""
    if not names:
        raise missing("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
    if params.get("Statistics") and params.get("ExtendedStatistics"):
        raise combination(
            "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both."
        )
    for number, name in enumerate(params.get("Statistics", []), 1):
        if name not in PLAIN:
            raise invalid(f"The value {name} for parameter Statistics.member.{number} is invalid.")
    for number, name in enumerate(params.get("ExtendedStatistics", []), 1):
        if not is_extended(name):
            raise invalid(f"The value {name} for parameter ExtendedStatistics.member.{number} is invalid.")
    start, end, period = params["StartTime"].timestamp(), params["EndTime"].timestamp(), params["Period"]
    if start >= end:
        raise invalid("The parameter StartTime must be less than the parameter EndTime.")
    if not periods.is_period(period):
        raise invalid(f"The value {period} for parameter Period is invalid.")
    asked = math.ceil((end - start) / period)
    if asked > MOST_STATISTICS_POINTS:
        raise combination(
            f"You have requested up to {asked} datapoints, which exceeds the limit of {MOST_STATISTICS_POINTS}. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
    return start, end, period


def _checked_range(params: dict[str, Any]) -> tuple[float, float]:
    start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
    if start > end:
        raise failed("The parameter EndTime must be greater than StartTime.")
    if start == end:
        raise failed("The parameter StartTime must not equal parameter EndTime.")
    order = params.get("ScanBy")
    if order not in (None, "TimestampDescending", "TimestampAscending"):
        raise failed(
            f"1 validation error detected: Value '{order}' at 'scanBy' failed to satisfy constraint: "
            "Member must satisfy enum value set: [TimestampDescending, TimestampAscending]"
        )
    most = params.get("MaxDatapoints")
    if most is not None and not 1 <= most <= MOST_POINTS:
        raise failed(f"The value {most} for parameter MaxDatapoints is invalid.")  # (?)
    return start, end


def _datapoint(at: float, unit: str, bucket: Bucket, names: list[str]) -> dict[str, Any]:
    point: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": unit}
    for name in names:
        value = compute(name, bucket)
        if value is None:
            continue
        if name in PLAIN:
            point[name] = value
        else:
            point.setdefault("ExtendedStatistics", {})[name] = value
    return point


def _page(shown: list[tuple[str, str, Result]], params: dict[str, Any]) -> dict[str, Any]:
    """A page of points, those of the first result first. A result of which points are to come is PartialData."""
    passed = 0
    if (token := params.get("NextToken")) is not None:
        passed = opened(token, "data", AwsError("InvalidNextToken", "The next token specified is invalid."))
    until = passed + params.get("MaxDatapoints", MOST_POINTS)
    answer, seen = [], 0
    for name, label, result in shown:
        points = result.points if params.get("ScanBy") == "TimestampAscending" else result.points[::-1]
        part = points[max(passed - seen, 0) : max(until - seen, 0)]
        seen += len(points)
        answer.append(
            {
                "Id": name,
                "Label": label,
                "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in part],
                "Values": [value for _, value in part],
                "StatusCode": "Complete" if seen <= until else "PartialData",
            }
        )
    more = {"NextToken": sealed("data", until)} if seen > until else {}
    return {"MetricDataResults": answer, "Messages": [], **more}


def _has(metric: Metric, wanted: dict[str, str | None]) -> bool:
    dimensions = dict(metric.dimensions)
    return all(name in dimensions and value in (None, dimensions[name]) for name, value in wanted.items())


def _described(metric: Metric) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    return {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}


def sealed(kind: str, offset: int) -> str:
    """An opaque NextToken."""
    return base64.urlsafe_b64encode(json.dumps([kind, offset]).encode()).decode()


def opened(token: str, kind: str, error: AwsError) -> int:
    """Where a token goes on. Raises ``error`` if it is not one of this kind."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, binascii.Error, RecursionError):
        raise error from None
    if not isinstance(parts, list) or len(parts) != 2 or parts[0] != kind or type(parts[1]) is not int or parts[1] < 0:
        raise error
    return parts[1]
