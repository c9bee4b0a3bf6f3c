"""What a dashboard's body must look like, and what AWS says of one that does not. Pure.

Source: "Dashboard Body Structure and Syntax". Errors refuse the body; warnings are given back, and the body is taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from drydock.errors import AwsError
from drydock.services.cloudwatch.errors import invalid
from drydock.services.cloudwatch.statistics import is_statistic

MOST_WIDGETS, MOST_METRICS = 500, 500
TYPES = ("alarm", "chart", "custom", "explorer", "log", "metric", "text")
VIEWS = ("timeSeries", "singleValue", "gauge", "bar", "pie", "table")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
COLOR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
ONE_OF = "Should be equal to one of the allowed values"


@dataclass
class Findings:
    """(path, message) of each error and each warning."""

    errors: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)

    def wrong(self, path: str, message: str) -> None:
        """An error."""
        self.errors.append((path, message))

    def shape(self, value: Any, kind: type | tuple[type, ...], path: str, name: str) -> bool:
        """Whether a value is of a JSON type; else an error."""
        fits = isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)
        if not fits:
            self.wrong(path, f"Should be {name}")
        return fits

    def choice(self, value: Any, allowed: tuple[str, ...], path: str) -> None:
        """An error for what is not allowed."""
        if value not in allowed:
            self.wrong(path, ONE_OF)

    def number(self, value: Any, path: str, low: int, high: int | None) -> None:
        """A whole number in its bounds."""
        if not self.shape(value, int, path, "integer"):
            return
        if value < low:
            self.wrong(path, f"Should be >= {low}")
        elif high is not None and value > high:
            self.wrong(path, f"Should be <= {high}")

    def needs(self, value: dict[str, Any], name: str, path: str) -> bool:
        """Whether a required property is there; else an error."""
        if name not in value:
            self.wrong(path, f"Should have required property '{name}'")
        return name in value

    def expects(self, value: dict[str, Any], names: frozenset[str], path: str, of: str = "") -> None:
        """A warning for each property that is not known."""
        for name in value.keys() - names:
            self.warnings.append((path, f'The "{name}" property is not expected{of}, will be ignored'))


def checked_name(name: str) -> str:
    """Raises InvalidParameterValue."""
    if not _NAME.fullmatch(name):
        raise invalid(
            f"The value {name} for field DashboardName contains invalid characters. "
            "It can only contain alphanumerics, dash (-) and underscore (_).\n"
        )
    return name


def warnings_of(body: str) -> list[dict[str, str]]:
    """DashboardValidationMessages of a body that is taken. Raises DashboardInvalidInputError."""
    try:
        root = json.loads(body)
    except (ValueError, RecursionError):
        root = None
    if not isinstance(root, dict):
        raise AwsError("DashboardInvalidInputError", "The field DashboardBody must be a valid JSON object")
    findings = Findings()
    _root(root, findings)
    if findings.errors:
        listed = _listed(findings.errors, "dataPath", "message")
        count = len(listed)
        plural = ("is", "error") if count == 1 else ("are", "errors")
        raise AwsError(
            "DashboardInvalidInputError",
            f"The dashboard body is invalid, there {plural[0]} {count} validation {plural[1]}:\n{json.dumps(listed, indent=2)}",
            dashboardValidationMessages=_listed(findings.errors),
        )
    return _listed(findings.warnings)


def _listed(found: list[tuple[str, str]], path: str = "DataPath", message: str = "Message") -> list[dict[str, str]]:
    return [{path: one, message: other} for one, other in found]


def _root(root: dict[str, Any], findings: Findings) -> None:
    findings.expects(root, frozenset(("widgets", "start", "end", "periodOverride", "variables")), "")
    for name in ("start", "end"):
        if name in root:
            findings.shape(root[name], str, f"/{name}", "string")
    if "periodOverride" in root:
        findings.choice(root["periodOverride"], ("auto", "inherit"), "/periodOverride")
    if "variables" in root:
        findings.shape(root["variables"], list, "/variables", "array")
    if not findings.needs(root, "widgets", "") or not findings.shape(root["widgets"], list, "/widgets", "array"):
        return
    if len(root["widgets"]) > MOST_WIDGETS:
        findings.wrong("/widgets", f"Should NOT have more than {MOST_WIDGETS} items")
    for number, widget in enumerate(root["widgets"][:MOST_WIDGETS]):
        if findings.shape(widget, dict, f"/widgets/{number}", "object"):
            _widget(widget, f"/widgets/{number}", findings)


def _widget(widget: dict[str, Any], path: str, findings: Findings) -> None:
    of = " to be part of a widget definition"
    findings.expects(widget, frozenset(("type", "x", "y", "width", "height", "properties")), path, of)
    for name, low, high in (("x", 0, 23), ("y", 0, None), ("width", 1, 24), ("height", 1, 1000)):
        if name in widget:
            findings.number(widget[name], f"{path}/{name}", low, high)
    if not findings.needs(widget, "type", path):
        return
    if widget["type"] not in TYPES:
        findings.wrong(f"{path}/type", ONE_OF)
        return
    if not findings.needs(widget, "properties", path):
        return
    properties = widget["properties"]
    if findings.shape(properties, dict, f"{path}/properties", "object"):
        check = _CHECKS.get(widget["type"])
        if check is not None:
            check(properties, f"{path}/properties", findings)


def _text(properties: dict[str, Any], path: str, findings: Findings) -> None:
    findings.expects(properties, frozenset(("markdown", "background")), path)
    if findings.needs(properties, "markdown", path):
        findings.shape(properties["markdown"], str, f"{path}/markdown", "string")
    if "background" in properties:
        findings.choice(properties["background"], ("transparent", "solid"), f"{path}/background")


def _log(properties: dict[str, Any], path: str, findings: Findings) -> None:
    for name in ("region", "query"):
        if findings.needs(properties, name, path):
            findings.shape(properties[name], str, f"{path}/{name}", "string")


def _alarm(properties: dict[str, Any], path: str, findings: Findings) -> None:
    findings.expects(properties, frozenset(("alarms", "sortBy", "states", "title")), path)
    if findings.needs(properties, "alarms", path) and findings.shape(
        properties["alarms"], list, f"{path}/alarms", "array"
    ):
        for number, arn in enumerate(properties["alarms"]):
            findings.shape(arn, str, f"{path}/alarms/{number}", "string")
    if "sortBy" in properties:
        findings.choice(properties["sortBy"], ("default", "stateUpdatedTimestamp", "timestamp"), f"{path}/sortBy")
    for number, state in enumerate(properties.get("states") or []):
        findings.choice(state, ("ALARM", "INSUFFICIENT_DATA", "OK"), f"{path}/states/{number}")


_METRIC = frozenset((
    "accountId", "annotations", "end", "legend", "liveData", "metrics", "period", "region", "setPeriodToTimeRange",
    "singleValueFullPrecision",
    "sparkline", "stacked", "start", "stat", "table", "timezone", "title", "trend", "view", "yAxis", "labels",
))  # fmt: skip


def _metric(properties: dict[str, Any], path: str, findings: Findings) -> None:
    findings.expects(properties, _METRIC, path)
    has_source = "metrics" in properties or "annotations" in properties
    if "region" not in properties:
        findings.wrong(path, "Should have required property 'region'")
    if not has_source:
        findings.wrong(path, "Should have required property 'metrics'")
    if "region" not in properties or not has_source:
        findings.wrong(
            path, "The metric widget should have specified a region and a data source or an alarm annotation"
        )
    if not has_source:
        findings.wrong(path, "Should have required property 'annotations'")
    check_metric_widget(properties, path, findings)


def check_metric_widget(properties: dict[str, Any], path: str, findings: Findings) -> None:
    """What a metric widget of a dashboard and one for GetMetricWidgetImage have in common."""
    for name, kind, called in (
        ("region", str, "string"), ("title", str, "string"), ("stat", str, "string"), ("start", str, "string"), ("end", str, "string"),
        ("timezone", str, "string"), ("stacked", bool, "boolean"), ("sparkline", bool, "boolean"), ("liveData", bool, "boolean"),
        ("setPeriodToTimeRange", bool, "boolean"),
    ):  # fmt: skip
        if name in properties:
            findings.shape(properties[name], kind, f"{path}/{name}", called)
    if isinstance(properties.get("stat"), str) and not is_statistic(properties["stat"]):
        findings.wrong(f"{path}/stat", ONE_OF)
    if "period" in properties:
        findings.number(properties["period"], f"{path}/period", 1, None)
    if "view" in properties:
        findings.choice(properties["view"], VIEWS, f"{path}/view")
    _axes(properties, path, findings)
    legend = properties.get("legend")
    if legend is not None and findings.shape(legend, dict, f"{path}/legend", "object") and "position" in legend:
        findings.choice(legend["position"], ("right", "bottom", "hidden"), f"{path}/legend/position")
    annotations = properties.get("annotations")
    if annotations is not None and findings.shape(annotations, dict, f"{path}/annotations", "object"):
        _annotations(annotations, f"{path}/annotations", findings)
    metrics = properties.get("metrics")
    if metrics is not None and findings.shape(metrics, list, f"{path}/metrics", "array"):
        if len(metrics) > MOST_METRICS:
            findings.wrong(f"{path}/metrics", f"Should NOT have more than {MOST_METRICS} items")
        for number, row in enumerate(metrics[:MOST_METRICS]):
            _row(row, f"{path}/metrics/{number}", findings)


def _axes(properties: dict[str, Any], path: str, findings: Findings) -> None:
    axes = properties.get("yAxis")
    sides = axes if isinstance(axes, dict) else {}
    if axes is not None:
        findings.shape(axes, dict, f"{path}/yAxis", "object")
    for side in ("left", "right"):
        if side in sides and findings.shape(sides[side], dict, f"{path}/yAxis/{side}", "object"):
            for name in ("min", "max"):
                if sides[side].get(name) is not None:
                    findings.shape(sides[side][name], (int, float), f"{path}/yAxis/{side}/{name}", "number")
    if properties.get("view") == "gauge":  # "you must specify values for min and max"
        left = sides.get("left") if isinstance(sides.get("left"), dict) else {}
        for name in ("min", "max"):
            findings.needs(left or {}, name, f"{path}/yAxis/left")


def _annotations(annotations: dict[str, Any], path: str, findings: Findings) -> None:
    for kind, types, called in (("horizontal", (int, float), "number"), ("vertical", (str,), "string")):
        listed = annotations.get(kind)
        if listed is None or not findings.shape(listed, list, f"{path}/{kind}", "array"):
            continue
        for number, one in enumerate(listed):
            ends = [(f"{path}/{kind}/{number}", one)]
            if isinstance(one, list):  # a band between two
                ends = [(f"{path}/{kind}/{number}/{n}", end) for n, end in enumerate(one)]
            for where, end in ends:
                if findings.shape(end, dict, where, "object") and findings.needs(end, "value", where):
                    findings.shape(end["value"], types, f"{where}/value", called)
                    _color(end, where, findings)
    alarms = annotations.get("alarms")
    if alarms is not None and findings.shape(alarms, list, f"{path}/alarms", "array"):
        if len(alarms) > 1:
            findings.wrong(f"{path}/alarms", "Should NOT have more than 1 items")
        for number, arn in enumerate(alarms):
            findings.shape(arn, str, f"{path}/alarms/{number}", "string")


def _color(value: dict[str, Any], path: str, findings: Findings) -> None:
    color = value.get("color")
    if color is not None and (not isinstance(color, str) or not COLOR.fullmatch(color)):
        findings.wrong(f"{path}/color", "Should be a valid hex color")  # (?)


def _row(row: Any, path: str, findings: Findings) -> None:
    if not isinstance(row, list):
        findings.wrong(path, "Should be array")
        findings.wrong(
            path,
            'Field "metrics" has to be an array of array of strings, with an optional metricRenderer object as last element',
        )
        return
    options = row[-1] if row and isinstance(row[-1], dict) else None
    parts = row[:-1] if options is not None else row
    for number, part in enumerate(parts):
        if not isinstance(part, str):
            findings.wrong(f"{path}/{number}", 'Invalid metric field type, only "String" type is allowed')
    if options is not None and "expression" in options:
        findings.shape(options["expression"], str, f"{path}/0/expression", "string")
        if parts:
            findings.wrong(path, "Should NOT have more than 1 items")
    elif len(parts) < 2 and parts != ["..."]:
        findings.wrong(path, "Should NOT have fewer than 2 items")  # (?)
    elif len(parts) % 2 and parts[-1] != "..." and parts[0] != "..." and parts[-2:-1] != ["..."]:
        findings.wrong(path, f"Should NOT have more than {len(parts) - 1} items")
    if options is not None:
        _color(options, path, findings)
        if "yAxis" in options:
            findings.choice(options["yAxis"], ("left", "right"), f"{path}/{len(parts)}/yAxis")


_CHECKS: dict[str, Callable[[dict[str, Any], str, Findings], None]] = {
    "text": _text,
    "log": _log,
    "alarm": _alarm,
    "metric": _metric,
}
