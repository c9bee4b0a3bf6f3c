"""A metric widget, read: its metrics as MetricDataQueries, its stretch of time, and what its picture is to show. Pure.

Source: "GetMetricWidgetImage: Metric Widget Structure and Syntax".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drydock.services.cloudwatch.dashboard_body import COLOR, Findings, check_metric_widget
from drydock.services.cloudwatch.errors import failed
from drydock.services.cloudwatch.periods import DAY, HOUR

MOST_METRICS = 100
LONGEST = 100 * 1024
WIDEST = 2000
_DURATION = re.compile(
    r"-?P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,8})S)?)?"
)
_LENGTHS = (365 * DAY, 30 * DAY, 7 * DAY, DAY, HOUR, 60, 1)


@dataclass(frozen=True)
class Widget:
    """What is to be drawn. ``lines`` are the options of each query by id: label, color, axis."""

    given: dict[str, Any]
    queries: list[dict[str, Any]]
    lines: dict[str, dict[str, Any]]
    start: float
    end: float
    width: int
    height: int


def widget_of(text: str, now: float, extra: list[list[Any]] | None = None) -> Widget:
    """``extra`` metrics come first (an alarm's). Raises ValidationError."""
    given = given_of(text)
    rows = [*(extra or []), *(given.get("metrics") or [])]
    if not 1 <= len(rows) <= MOST_METRICS:
        raise failed(f"The field metrics must have between 1 and {MOST_METRICS} items")  # (?)
    end = moment(given.get("end", "-PT0H"), now, "end")
    start = moment(given.get("start", "-PT3H"), now, "start")
    if start >= end:
        raise failed("The parameter EndTime must be greater than StartTime.")
    queries, lines = _queries(rows, given, start, end)
    return Widget(given, queries, lines, start, end, _size(given, "width", 600), _size(given, "height", 400))


def given_of(text: str) -> dict[str, Any]:
    """The widget as JSON. Raises ValidationError."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or len(text) > LONGEST:
        raise failed("The field MetricWidget must be a valid JSON object")  # (?)
    findings = Findings()
    check_metric_widget(given, "", findings)
    if findings.errors:
        listed = [{"dataPath": path, "message": message} for path, message in findings.errors]
        raise failed(f"Invalid widget definition. Validation errors:\n{json.dumps(listed, indent=2)}")  # (?)
    if given.get("view") == "table":
        raise failed("The view table cannot be drawn as a picture.")  # (?)
    return given


def moment(text: str, now: float, name: str) -> float:
    """An ISO 8601 time, or a duration before now (``-PT3H``), as lab seconds. Raises ValidationError."""
    if (found := _DURATION.fullmatch(text)) and text.lstrip("-") not in ("P", "PT"):
        ago = sum(int(part or 0) * length for part, length in zip(found.groups(), _LENGTHS, strict=True))
        return now - ago
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise failed(f"The value {text} for field {name} is not a valid time.") from None  # (?)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _size(given: dict[str, Any], name: str, default: int) -> int:
    size = given.get(name, default)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= WIDEST:
        raise failed(f"The field {name} must be an integer between 1 and {WIDEST}")  # (?)
    return size


def _queries(
    rows: list[list[Any]], given: dict[str, Any], start: float, end: float
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    queries: list[dict[str, Any]] = []
    lines: dict[str, dict[str, Any]] = {}
    before: list[str] = []
    taken = {row[-1]["id"] for row in rows if row and isinstance(row[-1], dict) and "id" in row[-1]}
    for number, row in enumerate(rows, 1):
        options = row[-1] if row and isinstance(row[-1], dict) else {}
        parts = row[:-1] if options else row
        name = options.get("id") or next(
            one for one in (f"m{number}", *(f"auto{n}" for n in range(200))) if one not in taken
        )
        taken.add(name)
        query: dict[str, Any] = {"Id": str(name), "ReturnData": bool(options.get("visible", True))}
        if options.get("label"):
            query["Label"] = str(options["label"])
        period = _period(options, given, start, end)
        if "expression" in options:
            query |= {"Expression": options["expression"], "Period": period}
        else:
            before = spelled_out(parts, before)
            query["MetricStat"] = {
                "Metric": {
                    "Namespace": before[0],
                    "MetricName": before[1],
                    "Dimensions": [
                        {"Name": one, "Value": value} for one, value in zip(before[2::2], before[3::2], strict=False)
                    ],
                },
                "Period": period,
                "Stat": options.get("stat") or given.get("stat") or "Average",
            }
        queries.append(query)
        lines[query["Id"]] = options
    return queries, lines


def _period(options: dict[str, Any], given: dict[str, Any], start: float, end: float) -> int:
    if given.get("setPeriodToTimeRange") and given.get("view") in ("singleValue", "bar", "pie", "gauge"):
        return min(max(int((end - start) // 60 * 60), 60), DAY)
    period = options.get("period") or given.get("period") or 300
    if not isinstance(period, int) or isinstance(period, bool):
        raise failed(f"The value {period} for field period is invalid.")  # (?)
    return period


def spelled_out(parts: list[str], before: list[str]) -> list[str]:
    """A row without its abbreviations: ``.`` stands for what the row before has in this place, ``...`` for as many places
    as there is need of. Raises ValidationError."""
    if "..." in parts:
        at = parts.index("...")
        rest = parts[at + 1 :]
        parts = [*parts[:at], *(["."] * max(len(before) - len(rest) - at, 0)), *rest]
    found = []
    for number, part in enumerate(parts):
        if part == "." and number >= len(before):
            raise failed("A metric refers to one before it that is not there.")  # (?)
        found.append(before[number] if part == "." else part)
    if len(found) < 2 or len(found) % 2:
        raise failed("A metric must have a namespace, a name, and names and values of dimensions.")  # (?)
    return found


def rows_of(alarm: dict[str, Any]) -> list[list[Any]]:
    """What an alarm looks at, as DescribeAlarms tells it, as a widget's rows: of metric math only the result is to be seen."""
    if alarm.get("MetricName"):
        options = {"stat": alarm.get("Statistic") or alarm.get("ExtendedStatistic"), "period": alarm["Period"]}
        return [[alarm["Namespace"], alarm["MetricName"], *_pairs(alarm), options]]
    rows: list[list[Any]] = []
    for query in alarm.get("Metrics", []):
        options = {"id": query["Id"], "visible": query.get("ReturnData", True)}
        options |= {"label": query["Label"]} if query.get("Label") else {}
        if stat := query.get("MetricStat"):
            metric = stat["Metric"]
            options |= {"stat": stat["Stat"], "period": stat["Period"]}
            rows.append([metric["Namespace"], metric["MetricName"], *_pairs(metric), options])
        else:
            options |= {"period": query["Period"]} if query.get("Period") else {}
            rows.append([options | {"expression": query["Expression"]}])
    return rows


def _pairs(metric: dict[str, Any]) -> list[str]:
    return [part for one in metric.get("Dimensions", []) for part in (one["Name"], one["Value"])]


def picture(widget: Widget, series: list[dict[str, Any]], thresholds: list[dict[str, Any]]) -> dict[str, Any]:
    """What the drawing process is told: all texts and numbers, and nothing of CloudWatch."""
    given = widget.given
    axes = given.get("yAxis") or {}
    annotations = given.get("annotations") or {}
    return {
        "width": widget.width, "height": widget.height, "title": given.get("title", ""), "view": given.get("view", "timeSeries"),
        "stacked": bool(given.get("stacked")), "start": widget.start, "end": widget.end, "theme": given.get("theme", "light"),
        "legend": (given.get("legend") or {}).get("position", "bottom"), "sparkline": given.get("sparkline", False),
        "left": axes.get("left") or {}, "right": axes.get("right") or {}, "offset": _offset(given.get("timezone")),
        "horizontal": [*thresholds, *_bands(annotations.get("horizontal") or [])],
        "vertical": [
            [one | {"value": moment(one["value"], widget.end, "value")} for one in band]
            for band in _bands(annotations.get("vertical") or [])
        ],
        "series": series,
    }  # fmt: skip


def _bands(annotations: list[Any]) -> list[list[dict[str, Any]]]:
    """Each as a list of its one or two ends."""
    return [one if isinstance(one, list) else [one] for one in annotations]


def _offset(zone: str | None) -> int:
    """Seconds east of UTC."""
    found = re.fullmatch(r"([+-])(\d\d):?(\d\d)", zone or "")
    return 0 if found is None else (int(found[2]) * 3600 + int(found[3]) * 60) * (-1 if found[1] == "-" else 1)


def color_of(options: dict[str, Any]) -> str | None:
    """A line's own colour."""
    color = options.get("color")
    return color if isinstance(color, str) and COLOR.fullmatch(color) else None
