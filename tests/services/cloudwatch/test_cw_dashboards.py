"""Dashboards by boto3, and pictures of widgets."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from .test_cw_metrics import now, put, refused  # noqa: F401

BODY = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "# Hello"}}]})


@pytest.fixture
def cw(aws: Callable[..., Any]) -> Any:
    return aws("cloudwatch")


def test_a_dashboard_is_put_read_listed_and_deleted(cw: Any, account: str, aws: Callable[..., Any]) -> None:
    assert cw.put_dashboard(DashboardName="web", DashboardBody=BODY)["DashboardValidationMessages"] == []
    cw.put_dashboard(DashboardName="wide", DashboardBody='{"widgets": []}')
    found = cw.get_dashboard(DashboardName="web")
    assert (found["DashboardBody"], found["DashboardArn"]) == (BODY, f"arn:aws:cloudwatch::{account}:dashboard/web")
    elsewhere = aws("cloudwatch", region="eu-west-1")
    assert elsewhere.get_dashboard(DashboardName="web")["DashboardBody"] == BODY  # dashboards are global
    entries = cw.list_dashboards()["DashboardEntries"]
    assert [(one["DashboardName"], one["Size"]) for one in entries] == [("web", len(BODY)), ("wide", 15)]
    assert [one["DashboardName"] for one in cw.list_dashboards(DashboardNamePrefix="wi")["DashboardEntries"]] == [
        "wide"
    ]
    assert refused(cw.delete_dashboards, DashboardNames=["web", "none"])[0] == "ResourceNotFound"
    assert [one["DashboardName"] for one in cw.list_dashboards()["DashboardEntries"]] == ["wide"]
    told = refused(cw.get_dashboard, DashboardName="web")
    assert told == ("ResourceNotFound", "Dashboard web does not exist")


def test_what_is_refused_changes_nothing(cw: Any) -> None:
    with pytest.raises(cw.exceptions.DashboardInvalidInputError) as caught:
        cw.put_dashboard(DashboardName="web", DashboardBody='{"widgets": [{"type": "text", "properties": {}}]}')
    error = caught.value.response
    assert error["Error"]["Code"] == "InvalidParameterInput"
    assert error["Error"]["Message"].startswith("The dashboard body is invalid, there is 1 validation error:\n")
    told = error["dashboardValidationMessages"]
    assert told == [{"DataPath": "/widgets/0/properties", "Message": "Should have required property 'markdown'"}]
    assert refused(cw.put_dashboard, DashboardName="a b", DashboardBody=BODY)[0] == "InvalidParameterValue"
    assert cw.list_dashboards()["DashboardEntries"] == []


def size(image: bytes) -> tuple[int, int]:
    assert image.startswith(b"\x89PNG\r\n\x1a\n") and image.endswith(b"IEND\xaeB`\x82")
    return struct.unpack(">II", image[16:24])  # type: ignore[return-value]


def picture(cw: Any, **widget: Any) -> bytes:
    given = {"metrics": [["App", "Latency", {"stat": "Maximum", "period": 60}]], "width": 300, "height": 200, **widget}
    return cw.get_metric_widget_image(MetricWidget=json.dumps(given))["MetricWidgetImage"]  # type: ignore[no-any-return]


def test_pictures(cw: Any, now: datetime) -> None:  # noqa: F811
    empty = picture(cw)
    put(cw, *({"Timestamp": now - timedelta(minutes=n), "Value": n % 7} for n in range(60)))
    lines = picture(cw)
    assert size(empty) == size(lines) == (300, 200) and empty != lines
    whole = picture(
        cw, title="Latency $x$", stacked=True, start="-PT1H", legend={"position": "right"}, yAxis={"left": {"min": 0, "label": "s"}},
        metrics=[["App", "Latency", {"id": "m1", "color": "#123456"}], [{"expression": "m1*2", "label": "twice", "id": "e1"}]],
        annotations={"horizontal": [{"value": 5, "label": "most", "fill": "above"}, [{"value": 1}, {"value": 2}]],
                     "vertical": [{"value": now.isoformat(), "label": "now"}]},
    )  # fmt: skip
    assert size(whole) == (300, 200)


@pytest.mark.parametrize("view", ["singleValue", "bar", "pie", "gauge"])
def test_each_view(cw: Any, now: datetime, view: str) -> None:  # noqa: F811
    put(cw, {"Timestamp": now, "Value": 42})
    axes = {"yAxis": {"left": {"min": 0, "max": 100}}}
    with_data, without = picture(cw, view=view, **axes), picture(cw, view=view, end="-PT2H", **axes)
    assert size(with_data) == size(without) == (300, 200) and with_data != without


def test_widgets_that_are_refused(cw: Any) -> None:
    for widget in ("", "[]", "{}", '{"metrics": [["A"]]}', '{"metrics": [["A", "b"]], "view": "table"}'):
        assert refused(cw.get_metric_widget_image, MetricWidget=widget)[0] == "ValidationError"
    told = refused(picture, cw, metrics=[[{"expression": "NONE(m1)", "id": "e1"}]])
    assert told == ("ValidationError", "Error in expression 'e1': Function 'NONE' not found")
    assert refused(cw.get_metric_widget_image, MetricWidget="{}", OutputFormat="gif")[0] == "ValidationError"
    assert refused(cw.get_metric_widget_image, MetricWidget="{}", OutputFormat="image/png")[0] == "NotImplemented"
