"""Operations on metric filters. They are evaluated when events come in (``measuring.py``)."""

from __future__ import annotations

import re
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.cloudwatch.put_data import UNITS
from drydock.services.logs import rules
from drydock.services.logs.model import MetricFilter
from drydock.services.logs.operands import as_number
from drydock.services.logs.patterns import Pattern, compiled
from drydock.services.logs.registry import LogsRegistry
from drydock.services.logs.searching import pattern_of

MOST_FILTERS = 100
MOST_REGEX_FILTERS = 5
UNSERVED = ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions")


class MetricFilterOperations(LogsRegistry):
    """Mixed into :class:`~drydock.services.logs.api.Logs`."""

    def put_metric_filter(self, request: Request, params: dict[str, Any]) -> None:
        rules.check(params)
        for name in UNSERVED:
            if params.get(name):
                raise NotImplementedByDrydock("logs", "PutMetricFilter", f"{name}: leave it out.")
        pattern = pattern_of(params["filterPattern"], "Invalid metric filter pattern")
        transformation = checked_transformation(params["metricTransformations"][0], params["filterPattern"])
        group = self.group(request, params["logGroupName"])
        if group.log_class != "STANDARD":
            raise AwsError(
                "InvalidOperationException", f"Metric filters are not supported for log class {group.log_class}."
            )
        key = f"{group.name}:{params['filterName']}"
        old = self.filters.get(request.scope, key)
        self._check_quotas(
            [f for f in self.filters.of(request.scope) if f.group == group.name and f is not old], pattern
        )
        created = self.now(request.account) if old is None else old.created
        made = MetricFilter(group.name, params["filterName"], params["filterPattern"], [transformation], created)
        self.filters.put(request.scope, key, made)

    def _check_quotas(self, others: list[MetricFilter], pattern: Pattern) -> None:
        with_regex = sum(compiled(other.pattern).regexes > 0 for other in others)
        if len(others) >= MOST_FILTERS or (pattern.regexes and with_regex >= MOST_REGEX_FILTERS):
            raise AwsError("LimitExceededException", "Resource limit exceeded.")

    def delete_metric_filter(self, request: Request, params: dict[str, Any]) -> None:
        rules.check(params)
        group = self.group(request, params["logGroupName"])
        key = f"{group.name}:{params['filterName']}"
        if self.filters.get(request.scope, key) is None:
            raise AwsError("ResourceNotFoundException", "The specified metric filter does not exist.")
        self.filters.delete(request.scope, key)

    def describe_metric_filters(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        rules.check(params)
        group, metric, namespace = (params.get(k) for k in ("logGroupName", "metricName", "metricNamespace"))
        if (metric is None) != (namespace is None):
            raise rules.invalid("metricName and metricNamespace must be specified together.")
        found = self.filters.of(request.scope)
        if group is not None:
            self.group(request, group)
            prefix = params.get("filterNamePrefix", "")  # "uses the value ... only if you also include logGroupName"
            found = [f for f in found if f.group == group and f.name.startswith(prefix)]
        if metric is not None:
            names = [(f, f.transformations[0]) for f in found]
            found = [f for f, t in names if (t["metricName"], t["metricNamespace"]) == (metric, namespace)]
        found.sort(key=lambda f: (f.name, f.group))
        if (token := params.get("nextToken")) is not None:
            last = tuple(rules.opened("metric-filters", token, str, str))
            found = [f for f in found if (f.name, f.group) > last]
        page = found[: params.get("limit", 50)]
        answer: dict[str, Any] = {"metricFilters": [f.described() for f in page]}
        if len(page) < len(found):
            answer["nextToken"] = rules.sealed("metric-filters", page[-1].name, page[-1].group)
        return answer

    def test_metric_filter(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        rules.check(params)
        for number, message in enumerate(params["logEventMessages"], 1):
            rules.refuse(rules.violations(rules.Constraint(1), message, f"logEventMessages.{number}.member"))
        pattern = pattern_of(params["filterPattern"])
        matches = []
        for number, message in enumerate(params["logEventMessages"], 1):
            if (values := pattern.extract(message)) is not None:
                matches.append({"eventNumber": number, "eventMessage": message, "extractedValues": values})
        return {"matches": matches}


def checked_transformation(given: dict[str, Any], pattern: str) -> dict[str, Any]:
    """A metric transformation if AWS takes it. Raises InvalidParameterException."""
    path = "metricTransformations.1.member"
    found: list[str] = []
    for name in ("metricName", "metricNamespace"):
        found += rules.violations(rules.CONSTRAINTS[name], given[name], f"{path}.{name}")
    found += rules.violations(rules.Constraint(None, 100), given["metricValue"], f"{path}.metricValue")
    if given.get("unit") is not None:
        found += rules.violations(rules.Constraint(values=tuple(sorted(UNITS))), given["unit"], f"{path}.unit")
    rules.refuse(found)
    if given["metricNamespace"].startswith("AWS/"):
        raise rules.invalid("The metric namespace cannot begin with 'AWS/'.")
    value = given["metricValue"]
    if as_number(value) is None and not re.fullmatch(r"\$\S+", value):
        raise rules.invalid(f"Invalid metric transformation: metricValue '{value}' is neither a number nor a field.")
    dimensions = given.get("dimensions") or {}
    structured = pattern.strip().startswith(("{", "["))
    if value.startswith("$") and not structured:
        raise rules.invalid(f"Invalid metric transformation: the filter pattern has no field '{value}'.")
    if dimensions and not structured:
        raise rules.invalid("The specified filter pattern does not support dimensions")
    if dimensions and given.get("defaultValue") is not None:
        raise rules.invalid(
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties."
        )
    if len(dimensions) > 3:
        raise rules.invalid("Invalid metric transformation: a metric filter can have at most 3 dimensions.")
    return {name: value for name, value in given.items() if value is not None}
