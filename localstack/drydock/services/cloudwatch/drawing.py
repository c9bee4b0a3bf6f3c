"""Draws pictures, in a process of its own: lines of JSON come in, PNGs go out.

matplotlib takes half a second and 60 MB to load, which is why it never is in the emulator itself. This file imports
nothing of the emulator: it is run by its path.
"""

from __future__ import annotations

import io
import json
import math
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

DPI = 100
COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")
THEMES = {"light": ("#ffffff", "#16191f", "#d5dbdb"), "dark": ("#2a2e33", "#d1d1d1", "#545b64")}


def draw(told: dict[str, Any], to: Any) -> None:
    """``told`` is what ``widgets.picture`` makes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    paper, ink, _ = THEMES.get(told["theme"], THEMES["light"])
    figure = Figure(figsize=(max(told["width"], 8) / DPI, max(told["height"], 8) / DPI), dpi=DPI, facecolor=paper)
    FigureCanvasAgg(figure)
    for number, series in enumerate(told["series"]):
        series["color"] = series.get("color") or COLORS[number % len(COLORS)]
    if told["title"]:
        figure.suptitle(plain(told["title"]), fontsize=11, color=ink, x=0.02, ha="left", fontweight="bold")
    if told["width"] >= 80 and told["height"] >= 60:
        VIEWS[told["view"]](figure, told)
    figure.savefig(to, format="png")


def plain(text: str) -> str:
    """Without the signs by which matplotlib knows formulas."""
    return text.replace("$", r"\$")


def last(series: dict[str, Any]) -> float | None:
    """The latest value."""
    return series["points"][-1][1] if series["points"] else None


def number(value: float | None) -> str:
    """As CloudWatch shortens numbers."""
    if value is None:
        return "--"
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.4g}"


def axes_of(figure: Any, told: dict[str, Any]) -> Any:
    """One plot, with room for title, legend and labels."""
    _, ink, grid = THEMES.get(told["theme"], THEMES["light"])
    height = told["height"]
    rows = 0 if told["legend"] != "bottom" else min(len(told["series"]), max(1, height // 90))
    bottom = min((34 + 16 * rows) / height, 0.6)
    top = 1 - (34 if told["title"] else 12) / height
    right = 0.68 if told["legend"] == "right" else 1 - 18 / told["width"]
    if told["view"] == "timeSeries" and any(one.get("axis") == "right" for one in told["series"]):
        right -= 36 / told["width"]
    left = min(56 / told["width"], 0.3)
    axes = figure.add_axes((left, bottom, max(right - left, 0.1), max(top - bottom, 0.1)))
    axes.set_facecolor("none")
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(grid)
    axes.tick_params(labelsize=8, colors=ink, length=0)
    axes.grid(axis="y", color=grid, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def legend(figure: Any, axes: Any, told: dict[str, Any], handles: list[Any], labels: list[str]) -> None:
    """Below, at the right, or none."""
    _, ink, _ = THEMES.get(told["theme"], THEMES["light"])
    if told["legend"] == "hidden" or not handles:
        return
    where: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.01, 0.0)}
    if told["legend"] == "right":
        where = {"loc": "upper left", "bbox_to_anchor": (0.69, 0.93)}
    most = max(1, told["height"] // 90) if told["legend"] == "bottom" else len(labels)
    columns = math.ceil(len(labels) / most)
    figure.legend(
        handles, [plain(label)[:60] for label in labels], fontsize=8, frameon=False, ncols=columns, labelcolor=ink, **where,
        handlelength=1.0, columnspacing=1.2,
    )  # fmt: skip


def over_time(figure: Any, told: dict[str, Any]) -> None:
    """Lines, or areas on top of each other."""
    from matplotlib import dates

    zone = timezone(timedelta(seconds=told["offset"]))
    axes = axes_of(figure, told)
    axes.set_xlim(date(told["start"], zone), date(told["end"], zone))
    right = axes.twinx() if any(one.get("axis") == "right" for one in told["series"]) else None
    handles: list[Any] = []
    labels: list[str] = []
    if told["stacked"]:
        handles, labels = stacked(axes, told, zone)
    else:
        for series in told["series"]:
            on = right if series.get("axis") == "right" and right is not None else axes
            handles += curve(on, series, zone)
            labels.append(series["label"])
    locator = dates.AutoDateLocator(  # type: ignore[no-untyped-call]
        minticks=3, maxticks=max(told["width"] // 90, 4), tz=zone
    )
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]
    axes.xaxis.get_offset_text().set_fontsize(8)
    bound(axes, "left", told)
    if right is not None:
        bound(right, "right", told)
        right.spines[:].set_visible(False)
        right.tick_params(labelsize=8, length=0)
    annotate(axes, right, told, zone)
    legend(figure, axes, told, handles, labels)


def date(at: float, zone: timezone) -> datetime:
    return datetime.fromtimestamp(at, zone)


def curve(axes: Any, series: dict[str, Any], zone: timezone) -> Any:
    """A line that is broken where a period has no data; a point alone is a dot."""
    xs: list[Any] = []
    ys: list[float] = []
    before = None
    for at, value in series["points"]:
        if before is not None and at - before > series["period"] * 1.5:
            xs.append(date((at + before) / 2, zone))
            ys.append(math.nan)
        xs.append(date(at, zone))
        ys.append(value)
        before = at
    marker = "o" if len(series["points"]) < 3 else None
    return axes.plot(xs, ys, color=series["color"], linewidth=1.6, marker=marker, markersize=4, solid_capstyle="round")


def stacked(axes: Any, told: dict[str, Any], zone: timezone) -> tuple[list[Any], list[str]]:
    """Values missing in one are 0 there."""
    times = sorted({at for series in told["series"] for at, _ in series["points"]})
    if not times:
        return [], []
    values = [[dict(map(tuple, series["points"])).get(at, 0.0) for at in times] for series in told["series"]]
    colors = [series["color"] for series in told["series"]]
    areas = axes.stackplot([date(at, zone) for at in times], values, colors=colors, alpha=0.75)
    return list(areas), [series["label"] for series in told["series"]]


def bound(axes: Any, side: str, told: dict[str, Any]) -> None:
    """The limits and the label of an axis; without limits it has a little air."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = axes.get_ylim()
    given = told[side]
    values = [value for series in told["series"] if series.get("axis", "left") == side for _, value in series["points"]]
    bands = [
        band for band in told["horizontal"] if band[0].get("yAxis", "left") == side and told["view"] == "timeSeries"
    ]
    values += [end["value"] for band in bands for end in band]
    if values and not told["stacked"] and axes.get_lines():
        low, high = min(0.0, low), max(high, max(values) * 1.08)
    low = given["min"] if given.get("min") is not None else low
    high = given["max"] if given.get("max") is not None else high
    axes.set_ylim(low, high if high > low else low + 1)
    axes.yaxis.set_major_locator(MaxNLocator(max(told["height"] // 60, 3)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    if given.get("label"):
        axes.set_ylabel(plain(str(given["label"])), fontsize=8)


def annotate(axes: Any, right: Any, told: dict[str, Any], zone: timezone) -> None:
    """Lines and bands across and up."""
    for upright, bands in ((False, told["horizontal"]), (True, told["vertical"])):
        for band in bands:
            ends = [date(end["value"], zone) if upright else end["value"] for end in band]
            on = right if right is not None and band[0].get("yAxis") == "right" else axes
            color, label = band[0].get("color") or "#d13212", plain(str(band[0].get("label", "")))
            across, line = (on.axvspan, on.axvline) if upright else (on.axhspan, on.axhline)
            if len(ends) > 1:
                across(ends[0], ends[1], color=color, alpha=0.15, linewidth=0)
            for end in ends:
                line(end, color=color, linewidth=1.0, linestyle=(0, (4, 3)))
            fill = band[0].get("fill")
            low, high = on.get_xlim() if upright else on.get_ylim()
            if len(ends) == 1 and fill in ("above", "after"):
                across(ends[0], date(told["end"], zone) if upright else high, color=color, alpha=0.12, linewidth=0)
            elif len(ends) == 1 and fill in ("below", "before"):
                across(date(told["start"], zone) if upright else low, ends[0], color=color, alpha=0.12, linewidth=0)
            if label:
                at = {"x": ends[0], "y": 0.99} if upright else {"x": 0.995, "y": ends[0]}
                transform = on.get_xaxis_transform() if upright else on.get_yaxis_transform()
                on.text(
                    at["x"], at["y"], f" {label}", transform=transform, fontsize=8, color=color, va="top" if upright else "bottom",
                    ha="left" if upright else "right",
                )  # fmt: skip


def single_values(figure: Any, told: dict[str, Any]) -> None:
    """The latest value of each, large."""
    _, ink, _ = THEMES.get(told["theme"], THEMES["light"])
    count = max(len(told["series"]), 1)
    columns = min(count, max(told["width"] // 140, 1))
    rows = math.ceil(count / columns)
    top = 1 - (30 if told["title"] else 6) / told["height"]
    for index, series in enumerate(told["series"]):
        column, row = index % columns, index // columns
        x, y = (column + 0.04) / columns, top - (row + (0.3 if told["sparkline"] else 0.42)) * top / rows
        size = max(min(told["height"] / rows / 5.5, told["width"] / columns / 6.5, 40), 8)
        figure.text(x, y, number(last(series)), fontsize=size, color=ink, va="center")
        figure.text(
            x, y - top / rows * 0.3, plain(series["label"])[:50], fontsize=8.5, color=series["color"], va="center"
        )
        if told["sparkline"] and series["points"]:
            axes = figure.add_axes((x, max(y - top / rows * 0.56, 0), 0.85 / columns, top / rows * 0.25))
            axes.plot(*zip(*series["points"], strict=True), color=series["color"], linewidth=1.2)
            axes.axis("off")


def bars(figure: Any, told: dict[str, Any]) -> None:
    """A bar for the latest value of each."""
    axes = axes_of(figure, told | {"legend": "hidden"})
    labels = [plain(series["label"])[:30] for series in told["series"]]
    found = axes.bar(range(len(labels)), [last(series) or 0 for series in told["series"]],
                     color=[series["color"] for series in told["series"]], width=0.6)  # fmt: skip
    axes.bar_label(found, [number(last(series)) for series in told["series"]], fontsize=8, padding=2)
    axes.set_xticks(range(len(labels)), labels)
    axes.margins(y=0.12)
    bound(axes, "left", told)


def pie(figure: Any, told: dict[str, Any]) -> None:
    """A slice for the latest value of each."""
    axes = axes_of(figure, told)
    shown = [series for series in told["series"] if (last(series) or 0) > 0]
    axes.axis("off")
    if not shown:
        return
    slices = axes.pie(
        [last(series) for series in shown], colors=[series["color"] for series in shown], wedgeprops={"width": 0.45},
        startangle=90, counterclock=False,
    )[0]  # fmt: skip
    legend(figure, axes, told, list(slices), [f"{series['label']}  {number(last(series))}" for series in shown])


def gauges(figure: Any, told: dict[str, Any]) -> None:
    """An arc from the least to the most, for each."""
    from matplotlib.patches import Wedge

    _, ink, grid = THEMES.get(told["theme"], THEMES["light"])
    low, high = told["left"].get("min", 0), told["left"].get("max", 100)
    count = max(len(told["series"]), 1)
    top = 1 - (30 if told["title"] else 6) / told["height"]
    for index, series in enumerate(told["series"]):
        axes = figure.add_axes((index / count + 0.02, 0.06, 1 / count - 0.04, max(top - 0.08, 0.1)))
        axes.set_xlim(-1.15, 1.15)
        axes.set_ylim(-0.35, 1.15)
        axes.set_aspect("equal")
        axes.axis("off")
        axes.add_patch(Wedge((0, 0), 1, 0, 180, width=0.28, facecolor=grid))
        value = last(series)
        share = 0.0 if value is None or high <= low else min(max((value - low) / (high - low), 0), 1)
        axes.add_patch(Wedge((0, 0), 1, 180 - 180 * share, 180, width=0.28, facecolor=series["color"]))
        for band in told["horizontal"]:
            at = math.radians(180 - 180 * min(max((band[0]["value"] - low) / ((high - low) or 1), 0), 1))
            axes.plot([0.7 * math.cos(at), 1.03 * math.cos(at)], [0.7 * math.sin(at), 1.03 * math.sin(at)],
                      color=band[0].get("color") or "#d13212", linewidth=2)  # fmt: skip
        axes.text(0, 0.12, number(value), ha="center", va="center", fontsize=18, color=ink)
        axes.text(0, -0.14, plain(series["label"])[:40], ha="center", va="center", fontsize=8.5, color=ink)
        axes.text(-0.86, -0.1, number(low), ha="center", fontsize=7.5, color=ink)
        axes.text(0.86, -0.1, number(high), ha="center", fontsize=7.5, color=ink)


VIEWS = {"timeSeries": over_time, "singleValue": single_values, "bar": bars, "pie": pie, "gauge": gauges}


def serve() -> None:
    """A picture for each line that comes in, until there are no more: first a line with its size, or with what is wrong."""
    for line in sys.stdin.buffer:
        image = io.BytesIO()
        try:
            draw(json.loads(line), image)
            answer: dict[str, Any] = {"size": image.tell()}
        except Exception as error:  # told to the emulator, which logs it
            image = io.BytesIO()
            answer = {"size": 0, "wrong": repr(error)}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + image.getvalue())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve()
