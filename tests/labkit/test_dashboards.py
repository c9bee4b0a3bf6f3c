"""A dashboard drawn: the places of its widgets, its pictures, its text twin."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import timedelta
from typing import Any

import labkit as lab
import pytest
from labkit.dashboards import STATES, Tile, before, lines_of, placed, queries_of, read_dashboard, svg, text_twin

_SVG = "{http://www.w3.org/2000/svg}"


def test_rows_are_spelled_out() -> None:
    found = queries_of(
        {
            "metrics": [
                ["A", "m", "Host", "a", {"stat": "Sum"}],
                ["...", "b", {"id": "x", "visible": False}],
                [".", "n", ".", "."],
                [{"expression": "x*2", "label": "twice"}],
            ],
            "period": 60,
        }
    )
    metrics = [one["MetricStat"]["Metric"] for one in found[:3]]
    assert [one["MetricName"] for one in metrics] == ["m", "m", "n"]
    assert [one["Dimensions"][0]["Value"] for one in metrics] == ["a", "b", "b"]
    assert [one["Id"] for one in found] == ["row0", "x", "row2", "row3"]
    assert found[3] == {"Id": "row3", "ReturnData": True, "Label": "twice", "Expression": "x*2", "Period": 60}
    assert found[1]["ReturnData"] is False


def test_how_far_back() -> None:
    assert before("-PT6H") == timedelta(hours=6) and before("-P1DT30M") == timedelta(days=1, minutes=30)
    assert before("2027-01-01T00:00:00Z") == timedelta(hours=3)


def test_widgets_without_a_place_go_below() -> None:
    tiles = list(
        placed([{"type": "text", "x": 6, "y": 0, "width": 24, "height": 3}, {"type": "text"}, {"type": "text"}])
    )
    assert [(tile.x, tile.y, tile.width, tile.height) for tile in tiles] == [(6, 0, 18, 3), (0, 3, 6, 6), (0, 9, 6, 6)]


def test_markdown_becomes_lines() -> None:
    text = "# Web\n\nSee **CPU** and [the page](http://x).\n* one\n- `two`"
    assert lines_of(text) == [("h1", "Web"), ("p", "See CPU and the page."), ("li", "one"), ("li", "two")]


def test_the_picture_and_its_twin_tell_the_same() -> None:
    tiles = [
        Tile("alarm", "alarms", 0, 0, 12, 3, {}, alarms=[("cpu-high", "ALARM"), ("cpu-low", "INSUFFICIENT_DATA")]),
        Tile("text", "text", 12, 0, 12, 3, {"markdown": "# Hello <you>"}),
        Tile("metric", "load", 0, 3, 12, 6, {}, b"png", [("cpu", [1.0, 3.456, 2.5]), ("none", [])]),
        Tile("log", "log", 12, 3, 12, 6, {}),
    ]
    text = text_twin(tiles, "dashboard web")
    assert [line.split("  ")[0] for line in text.splitlines()] == [
        "dashboard web", "title", "------", "alarms", "alarms", "text", "load", "load", "log",
    ]  # fmt: skip
    row = next(line for line in text.splitlines() if "cpu " in line and line.startswith("load"))
    assert row.split() == ["load", "cpu", "2.5", "1", "3.46"]
    root = ET.fromstring(svg(tiles, "dashboard web"))  # noqa: S314
    shown = [found.text for found in root.iter(f"{_SVG}text")]
    assert {"cpu-high", "Alarm", "cpu-low", "Insufficient data", "Hello <you>"} <= set(shown)
    assert STATES["ALARM"] in {found.get("fill") for found in root.iter(f"{_SVG}rect")}
    (image,) = root.iter(f"{_SVG}image")
    assert image.get("href") == "data:image/png;base64,cG5n"
    assert (image.get("x"), image.get("y")) == ("4", "154")


@pytest.mark.usefixtures("lab_environment")
def test_a_dashboard_is_drawn_by_what_cloudwatch_draws(aws: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cw = aws("cloudwatch")
    cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Load", "Values": [2.0, 6.0]}])
    widgets = [
        {"type": "metric", "x": 0, "y": 0, "width": 12, "height": 4,
         "properties": {"metrics": [["App", "Load", {"stat": "Maximum", "period": 60}]], "region": "us-east-1", "title": "Load of app"}},
        {"type": "text", "x": 12, "y": 0, "width": 6, "height": 4, "properties": {"markdown": "## Read me"}},
    ]  # fmt: skip
    cw.put_dashboard(DashboardName="web", DashboardBody=json.dumps({"widgets": widgets}))
    lab.draw_dashboard("web", minutes=120)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dashboard web"
    assert lines[3].split() == ["Load", "of", "app", "Load", "6", "6", "6"] and "Read me" in lines[4]
    tiles = read_dashboard("web", 120)
    assert tiles[0].image.startswith(b"\x89PNG")
    assert len(list(ET.fromstring(svg(tiles, "web")).iter(f"{_SVG}image"))) == 1  # noqa: S314


@pytest.mark.usefixtures("lab_environment")
def test_widgets_of_alarms_and_one_that_cloudwatch_does_not_draw(aws: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cw = aws("cloudwatch")
    cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Load", "Value": 4.0}])
    metric = {"Namespace": "App", "MetricName": "Load"}
    same = {"EvaluationPeriods": 1, "Threshold": 3, "ComparisonOperator": "GreaterThanThreshold"}
    cw.put_metric_alarm(AlarmName="plain", Statistic="Sum", Period=60, **metric, **same)
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    parts = [{"Id": "m", "MetricStat": stat, "ReturnData": False}, {"Id": "e", "Expression": "m * 2", "Label": "twice"}]
    cw.put_metric_alarm(AlarmName="double", Metrics=parts, **same)
    arns = [one["AlarmArn"] for one in cw.describe_alarms(AlarmNames=["plain", "double"])["MetricAlarms"]]
    properties = [{"title": "of alarm", "annotations": {"alarms": [arn]}} for arn in arns]
    properties.append({"title": "bad", "metrics": [[{"expression": "m1 +"}]]})
    widgets = [{"type": "metric", "properties": {"region": "us-east-1", **one}} for one in properties]
    cw.put_dashboard(DashboardName="alarms", DashboardBody=json.dumps({"widgets": widgets}))
    lab.draw_dashboard("alarms", minutes=60)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2:4] for line in lines[3:5]] == [["twice", "8"], ["Load", "4"]]
    assert lines[5].startswith("bad") and "Invalid syntax" in lines[5]
    tiles = read_dashboard("alarms", 60)
    assert [bool(tile.image) for tile in tiles] == [True, True, False]
    assert "Invalid syntax" in svg(tiles, "alarms")


@pytest.mark.usefixtures("lab_environment")
def test_a_dashboard_that_is_not_there() -> None:
    with pytest.raises(lab.LabError, match="There is no dashboard called none"):
        lab.draw_dashboard("none")
