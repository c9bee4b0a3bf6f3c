"""``draw_dashboard``: a CloudWatch dashboard as one picture, by what CloudWatch itself draws and describes."""

from __future__ import annotations

import base64
import html
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from labkit.audience import ipython
from labkit.clocks import now
from labkit.drawing import WIDEST, size
from labkit.errors import LabError
from labkit.sessions import client, session
from labkit.showing import as_html

COLUMNS = 24
COLUMN, ROW, EDGE = WIDEST // COLUMNS, 50, 4
"""Pixels of a place in the dashboard's grid, and around a widget"""
STATES = {"OK": "#2e7d32", "ALARM": "#c62828", "INSUFFICIENT_DATA": "#616161"}
AT_ONCE = 2
"""Pictures asked for at the same time"""
_DURATION = re.compile(r"-?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@dataclass
class Tile:
    """A widget in its place, in units of the grid, and what is known of it."""

    kind: str
    title: str
    x: int
    y: int
    width: int
    height: int
    given: dict[str, Any]
    image: bytes = b""
    series: list[tuple[str, list[float]]] = field(default_factory=list)
    """(label, values in the order of time)"""
    alarms: list[tuple[str, str]] = field(default_factory=list)
    """(name, state)"""
    problem: str = ""
    """What CloudWatch says why it does not draw this"""


def draw_dashboard(name: str, minutes: float | None = None) -> None:
    """Draw a dashboard as it is now, and print what it shows as a table. ``minutes``: how far back in lab time; without
    it, as far as the dashboard itself says, or three hours."""
    tiles = read_dashboard(name, minutes)
    title = f"dashboard {name}"
    if ipython() is not None:
        from IPython.display import display

        display({"image/svg+xml": svg(tiles, title), "text/plain": title}, raw=True)  # type: ignore[no-untyped-call]
    print(text_twin(tiles, title))


def read_dashboard(name: str, minutes: float | None = None) -> list[Tile]:
    """All widgets with their pictures and values. Raises LabError if there is no such dashboard."""
    cw = client("cloudwatch")
    try:
        body = json.loads(cw.get_dashboard(DashboardName=name)["DashboardBody"])
    except cw.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFound":
            raise
        raise LabError(f"There is no dashboard called {name}.", "Make it with put_dashboard first.") from None
    end = now()
    start = end - (before(body.get("start", "-PT3H")) if minutes is None else timedelta(minutes=minutes))
    tiles = list(placed(body["widgets"]))
    clients = {region: cw if not region else session().client("cloudwatch", region_name=region)
               for region in {tile.given.get("region", "") for tile in tiles}}  # fmt: skip
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda tile: _fill(tile, start, end, clients[tile.given.get("region", "")]), tiles))
    return tiles


def before(duration: str) -> timedelta:
    """An ISO 8601 duration such as ``-PT6H``; three hours for what is none."""
    found = _DURATION.fullmatch(duration)
    if found is None or not any(found.groups()):
        return timedelta(hours=3)
    weeks, days, hours, mins, seconds = (int(part or 0) for part in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=mins, seconds=seconds)


def placed(widgets: Sequence[dict[str, Any]]) -> Iterator[Tile]:
    """Widgets where they say they are; one without a place goes below all before it."""
    bottom = 0
    for widget in widgets:
        kind, given = widget["type"], widget.get("properties", {})
        wide, high = widget.get("width", 6), widget.get("height", 6)
        x, y = (widget["x"], widget["y"]) if "x" in widget and "y" in widget else (0, bottom)
        bottom = max(bottom, y + high)
        yield Tile(kind, given.get("title", "") or kind, x, y, min(wide, COLUMNS - x), high, given)


def _fill(tile: Tile, start: datetime, end: datetime, cw: Any) -> None:
    """Ask CloudWatch for what a tile shows."""
    if tile.kind == "alarm":
        names = [arn.rpartition(":alarm:")[2] for arn in tile.given["alarms"]]
        found = cw.describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        known = {one["AlarmName"]: one["StateValue"] for one in [*found["MetricAlarms"], *found["CompositeAlarms"]]}
        tile.alarms = [(name, known.get(name, "gone")) for name in names]
    if tile.kind != "metric":
        return
    given = {name: value for name, value in tile.given.items() if name != "region"}
    given |= {"metrics": given.get("metrics") or _of_alarms(given, cw)}
    times = {
        "start": given.get("start", f"{start:%Y-%m-%dT%H:%M:%S}Z"),
        "end": given.get("end", f"{end:%Y-%m-%dT%H:%M:%S}Z"),
    }
    asked = {**given, **times, "width": tile.width * COLUMN - 2 * EDGE, "height": tile.height * ROW - 2 * EDGE}
    try:
        tile.image = cw.get_metric_widget_image(MetricWidget=json.dumps(asked))["MetricWidgetImage"]
        if queries := queries_of(given):
            found = cw.get_metric_data(
                MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
            )
            tile.series = [(one["Label"], one["Values"]) for one in found["MetricDataResults"]]
    except cw.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        tile.problem = " ".join(error.response["Error"]["Message"].split())  # the other widgets can be drawn


def _of_alarms(given: dict[str, Any], cw: Any) -> list[list[Any]]:
    """The rows of a widget that shows nothing but an alarm, as the console makes it: what the alarm looks at."""
    names = [arn.rpartition(":alarm:")[2] for arn in given.get("annotations", {}).get("alarms", [])]
    found = cw.describe_alarms(AlarmNames=names)["MetricAlarms"] if names else []
    return [row for alarm in found for row in rows_of(alarm)]


def rows_of(alarm: dict[str, Any]) -> list[list[Any]]:
    """An alarm's metric as a row of a widget, or the parts of its expression."""

    def row(metric: dict[str, Any], options: dict[str, Any]) -> list[Any]:
        pairs = [part for one in metric.get("Dimensions", []) for part in (one["Name"], one["Value"])]
        return [metric["Namespace"], metric["MetricName"], *pairs, options]

    if "MetricName" in alarm:
        return [row(alarm, {"stat": alarm.get("Statistic") or alarm["ExtendedStatistic"], "period": alarm["Period"]})]
    rows = []
    for query in alarm.get("Metrics", []):
        options = {"id": query["Id"], "visible": query.get("ReturnData", True)}
        options |= {"label": query["Label"]} if "Label" in query else {}
        if stat := query.get("MetricStat"):
            rows.append(row(stat["Metric"], options | {"stat": stat["Stat"], "period": stat["Period"]}))
        else:
            rows.append([options | {"expression": query["Expression"], "period": query.get("Period", 60)}])
    return rows


def queries_of(given: dict[str, Any]) -> list[dict[str, Any]]:
    """A metric widget's metrics as GetMetricData wants them (``.`` and ``...`` stand for what the row before has)."""
    queries: list[dict[str, Any]] = []
    last: list[str] = []
    for number, row in enumerate(given.get("metrics", [])):
        options = row[-1] if isinstance(row[-1], dict) else {}
        parts = row[:-1] if options else row
        query = {"Id": options.get("id", f"row{number}"), "ReturnData": options.get("visible", True)}
        if options.get("label"):
            query["Label"] = options["label"]
        period = options.get("period", given.get("period", 300))
        if "expression" in options:
            queries.append({**query, "Expression": options["expression"], "Period": period})
            continue
        if "..." in parts:
            at = parts.index("...")
            rest = parts[at + 1 :]
            parts = [*parts[:at], *last[at : len(last) - len(rest)], *rest]
        last = [last[place] if part == "." else part for place, part in enumerate(parts)]
        pairs = zip(last[2::2], last[3::2], strict=False)
        metric = {
            "Namespace": last[0], "MetricName": last[1], "Dimensions": [{"Name": key, "Value": value} for key, value in pairs],
        }  # fmt: skip
        stat = options.get("stat", given.get("stat", "Average"))
        queries.append({**query, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}})
    return queries


# --- the text twin ---


def text_twin(tiles: Sequence[Tile], title: str) -> str:
    """A table of what each widget shows; texts are left out but for their first line."""
    rows = []
    for tile in tiles:
        for label, values in tile.series:
            rows.append(_row(tile.title, label, *(_number(pick(values)) for pick in (_last, _least, _most))))
        for name, state in tile.alarms:
            rows.append(_row(tile.title, name, state, "", ""))
        if tile.kind == "text":
            rows.append(_row("text", next(iter(lines_of(tile.given.get("markdown", ""))), ("", ""))[1], "", "", ""))
        elif tile.problem:
            rows.append(_row(tile.title, tile.problem, "", "", ""))
        elif tile.kind == "metric" and not tile.series:
            rows.append(_row(tile.title, "-", "no data", "", ""))
        elif tile.kind not in ("metric", "alarm"):
            rows.append(_row(tile.title, f"a widget of type {tile.kind} is not drawn", "", "", ""))
    return as_html(rows, title)[1]


def _row(title: str, metric: str, last: str, least: str, most: str) -> dict[str, str]:
    return {"title": title, "metric": metric, "last": last, "min": least, "max": most}


def _last(values: list[float]) -> float | None:
    return values[-1] if values else None


def _least(values: list[float]) -> float | None:
    return min(values, default=None)


def _most(values: list[float]) -> float | None:
    return max(values, default=None)


def _number(value: float | None) -> str:
    return "no data" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def lines_of(markdown: str) -> list[tuple[str, str]]:
    """(kind, text) of each line: ``h1`` to ``h3``, ``li`` or ``p``, without the signs of Markdown."""
    found = []
    for line in markdown.splitlines():
        heading = re.match(r"(#{1,6})\s+(.*)", line)
        item = re.match(r"\s*[-*+]\s+(.*)", line)
        kind = f"h{min(len(heading[1]), 3)}" if heading else "li" if item else "p"
        text = heading[2] if heading else item[1] if item else line
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
        found.append((kind, re.sub(r"[*_`]{1,3}(\S(?:.*?\S)?)[*_`]{1,3}", r"\1", text).strip()))
    return [pair for pair in found if pair[1]]


# --- the picture ---


def svg(tiles: Sequence[Tile], title: str) -> str:
    """All tiles in their places."""
    height = max((tile.y + tile.height for tile in tiles), default=1) * ROW
    described = html.escape(text_twin(tiles, title), quote=True)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * COLUMN} {height}" '
        f'{size(COLUMNS * COLUMN, height)} role="img" aria-label="{described}" style="max-width:100%;height:auto" '
        'font-family="sans-serif" font-size="13">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{COLUMNS * COLUMN}" height="{height}" fill="#f2f3f3"/>',
    ]
    for tile in tiles:
        parts += _drawn(tile)
    return "\n".join([*parts, "</svg>"])


def _drawn(tile: Tile) -> list[str]:
    x, y = tile.x * COLUMN + EDGE, tile.y * ROW + EDGE
    wide, high = tile.width * COLUMN - 2 * EDGE, tile.height * ROW - 2 * EDGE
    parts = [f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="4" fill="#fff" stroke="#d5dbdb"/>']
    if tile.image:
        code = base64.b64encode(tile.image).decode()
        parts.append(f'<image x="{x}" y="{y}" width="{wide}" height="{high}" href="data:image/png;base64,{code}"/>')
    elif tile.kind == "text":
        parts += _text(tile, x, y, wide, high)
    elif tile.kind == "alarm":
        parts += _alarms(tile, x, y, wide, high)
    else:
        said = textwrap.wrap(tile.problem or f"a widget of type {tile.kind} is not drawn", max((wide - 20) // 7, 4))
        parts += [_line(x + 10, y + 22 + 18 * number, line, "#616161") for number, line in enumerate(said)]
    return parts


def _text(tile: Tile, x: int, y: int, wide: int, high: int) -> list[str]:
    parts: list[str] = []
    at = y + 8
    for kind, text in lines_of(tile.given.get("markdown", "")):
        large = {"h1": 19, "h2": 16, "h3": 14}.get(kind, 13)
        shown = f"• {text}" if kind == "li" else text
        for line in textwrap.wrap(shown, max(int((wide - 20) / (large * 0.56)), 4)):
            at += large + 5
            if at > y + high - 4:
                return parts
            weight = ' font-weight="bold"' if kind.startswith("h") else ""
            parts.append(_line(x + 10, at, line, "#16191f", f' font-size="{large}"{weight}'))
    return parts


def _alarms(tile: Tile, x: int, y: int, wide: int, high: int) -> list[str]:
    parts = [_line(x + 10, y + 20, tile.title, "#16191f", ' font-weight="bold"')]
    across = max(wide // 200, 1)
    box = (wide - 10) // across
    for number, (name, state) in enumerate(tile.alarms):
        left, top = x + 6 + number % across * box, y + 30 + number // across * 46
        if top + 40 > y + high:
            break
        color = STATES.get(state, STATES["INSUFFICIENT_DATA"])
        parts += [
            f'<rect x="{left}" y="{top}" width="{box - 6}" height="40" rx="3" fill="{color}"/>',
            _line(
                left + 8,
                top + 17,
                textwrap.shorten(name, max(box // 8, 8), placeholder="..."),
                "#fff",
                ' font-weight="bold"',
            ),
            _line(left + 8, top + 33, state.replace("_", " ").capitalize() if state != "OK" else "OK", "#fff"),
        ]
    return parts


def _line(x: float, y: float, text: str, color: str, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" fill="{color}"{more}>{html.escape(text)}</text>'
