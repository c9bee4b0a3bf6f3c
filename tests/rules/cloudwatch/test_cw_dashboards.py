"""Dashboards' bodies and metric widgets, without a service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.cloudwatch import widgets
from drydock.services.cloudwatch.dashboard_body import checked_name, warnings_of
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_800_000_000.0
METRIC = {"metrics": [["AWS/ECS", "CPUUtilization", "ClusterName", "c"]], "region": "eu-west-1"}
LAST = 'Field "metrics" has to be an array of array of strings, with an optional metricRenderer object as last element'


def body(kind: str = "metric", properties: Any = METRIC, **more: Any) -> str:
    return json.dumps(
        {"widgets": [{"type": kind, "x": 0, "y": 0, "width": 6, "height": 6, "properties": properties, **more}]}
    )


def faults(text: str) -> list[tuple[str, str]]:
    with pytest.raises(AwsError) as caught:
        warnings_of(text)
    assert caught.value.code == "DashboardInvalidInputError"
    listed = caught.value.members["dashboardValidationMessages"]
    assert f"{len(listed)} validation error" in caught.value.message
    shown = json.loads(caught.value.message.partition("\n")[2])
    assert shown == [{"dataPath": one["DataPath"], "message": one["Message"]} for one in listed]
    return [(one["DataPath"], one["Message"]) for one in listed]


@pytest.mark.parametrize(
    "text",
    [
        '{"widgets": []}', body(), body("text", {"markdown": "# Hello"}), body("alarm", {"alarms": ["arn:aws:cloudwatch:x"]}),
        body("log", {"query": "SOURCE 'g'", "region": "eu-west-1"}), body("explorer", {"anything": 1}),
        body(properties={**METRIC, "metrics": [["A", "m"], ["...", "x"], [".", ".", "Host", "a", {"color": "#ff0000", "yAxis": "right"}],
                                               [{"expression": "m1*2", "id": "e1"}]]}),
        body(properties={"region": "eu-west-1", "annotations": {"alarms": ["arn:aws:cloudwatch:x"]}}),
        body(properties={**METRIC, "view": "gauge", "yAxis": {"left": {"min": 0, "max": 100}}}),
        body(properties={**METRIC, "annotations": {"horizontal": [{"value": 1}, [{"value": 1}, {"value": 2.5}]],
                                                   "vertical": [{"value": "2027-01-15T08:00:00Z", "label": "x"}]}}),
        json.dumps({"start": "-PT6H", "periodOverride": "inherit", "widgets": []}),
    ],
)  # fmt: skip
def test_bodies_that_are_taken(text: str) -> None:
    assert warnings_of(text) == []


NO_SOURCE = "The metric widget should have specified a region and a data source or an alarm annotation"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{}", [("", "Should have required property 'widgets'")]),
        ('{"widgets": {}}', [("/widgets", "Should be array")]),
        (body("picture"), [("/widgets/0/type", "Should be equal to one of the allowed values")]),
        (body(width=25), [("/widgets/0/width", "Should be <= 24")]), (body(height=0), [("/widgets/0/height", "Should be >= 1")]),
        (body(x="0"), [("/widgets/0/x", "Should be integer")]), (body(y=True), [("/widgets/0/y", "Should be integer")]),
        (body(properties=[]), [("/widgets/0/properties", "Should be object")]),
        (body(properties={"region": "r"}), [
            ("/widgets/0/properties", "Should have required property 'metrics'"), ("/widgets/0/properties", NO_SOURCE),
            ("/widgets/0/properties", "Should have required property 'annotations'"),
        ]),
        (body(properties={"metrics": []}), [
            ("/widgets/0/properties", "Should have required property 'region'"), ("/widgets/0/properties", NO_SOURCE),
        ]),
        (body(properties={**METRIC, "metrics": ["m"]}), [
            ("/widgets/0/properties/metrics/0", "Should be array"), ("/widgets/0/properties/metrics/0", LAST),
        ]),
        (body(properties={**METRIC, "metrics": [["A", "m", {"Host": "a"}, {"stat": "Sum"}]]}), [
            ("/widgets/0/properties/metrics/0/2", 'Invalid metric field type, only "String" type is allowed'),
            ("/widgets/0/properties/metrics/0", "Should NOT have more than 2 items"),
        ]),
        (body(properties={**METRIC, "view": "lines"}), [("/widgets/0/properties/view", "Should be equal to one of the allowed values")]),
        (body(properties={**METRIC, "stat": "Most"}), [("/widgets/0/properties/stat", "Should be equal to one of the allowed values")]),
        (body(properties={**METRIC, "view": "gauge"}), [
            ("/widgets/0/properties/yAxis/left", "Should have required property 'min'"),
            ("/widgets/0/properties/yAxis/left", "Should have required property 'max'"),
        ]),
        (body(properties={**METRIC, "annotations": {"horizontal": [{"label": "x"}]}}), [
            ("/widgets/0/properties/annotations/horizontal/0", "Should have required property 'value'"),
        ]),
        (body("text", {}), [("/widgets/0/properties", "Should have required property 'markdown'")]),
        (body("alarm", {"alarms": [1]}), [("/widgets/0/properties/alarms/0", "Should be string")]),
        (json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "x"}}] * 501}),
         [("/widgets", "Should NOT have more than 500 items")]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_body(text: str, found: list[tuple[str, str]]) -> None:
    assert faults(text) == found


def test_what_is_not_expected_is_only_warned_of() -> None:
    assert warnings_of(body(colour="red")) == [
        {
            "DataPath": "/widgets/0",
            "Message": 'The "colour" property is not expected to be part of a widget definition, will be ignored',
        }
    ]


@pytest.mark.parametrize("text", ["", "[]", "nonsense", "[" * 5000])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(AwsError, match="The field DashboardBody must be a valid JSON object"):
        warnings_of(text)


def test_names() -> None:
    assert checked_name("A-b_1") == "A-b_1"
    for name in ("", "a b", "a.b", "é", "x" * 256):
        with pytest.raises(AwsError, match="for field DashboardName contains invalid characters"):
            checked_name(name)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["metrics", "expression", "view", "yAxis", "left", "min", "annotations", "horizontal", "value",
                                       "alarms", "markdown", "region", "legend", "position", "color", "id", "stat"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from(["metric", "text", "alarm", "log"]), JSON)
def test_whatever_the_properties_are_they_are_judged(kind: str, properties: Any) -> None:
    try:
        warnings_of(body(kind, properties))
    except AwsError as error:
        assert error.code == "DashboardInvalidInputError"
    try:
        widgets.widget_of(json.dumps(properties), NOW)
    except AwsError as error:
        assert error.code == "ValidationError"


def widget(**given: Any) -> widgets.Widget:
    return widgets.widget_of(json.dumps({"metrics": [["A", "m"]], **given}), NOW)


def test_metrics_become_queries() -> None:
    found = widget(
        metrics=[
            ["AWS/ECS", "CPUUtilization", "ClusterName", "c", "ServiceName", "s", {"stat": "p99", "label": "cpu"}],
            [".", "MemoryUtilization", ".", ".", ".", "."],
            ["...", "other", {"visible": False, "id": "m1", "period": 60}],
            [{"expression": "SUM(METRICS())", "id": "e1"}],
        ],
        stat="Maximum", period=300,
    )  # fmt: skip
    assert [query["Id"] for query in found.queries] == ["auto0", "m2", "m1", "e1"]
    first, second, third, fourth = found.queries
    cluster = {"Name": "ClusterName", "Value": "c"}
    assert first["MetricStat"] == {
        "Metric": {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Dimensions": [cluster, {"Name": "ServiceName", "Value": "s"}]},
        "Period": 300, "Stat": "p99",
    }  # fmt: skip
    assert first["Label"] == "cpu" and second["MetricStat"]["Metric"]["MetricName"] == "MemoryUtilization"
    assert second["MetricStat"]["Stat"] == "Maximum"
    assert third["MetricStat"]["Metric"]["Dimensions"][1]["Value"] == "other" and third["ReturnData"] is False
    assert fourth == {"Id": "e1", "ReturnData": True, "Expression": "SUM(METRICS())", "Period": 300}


def test_times() -> None:
    assert (widget().start, widget().end) == (NOW - 3 * 3600, NOW)
    found = widget(start="-P1DT6H", end="2027-01-15T08:00:00.000Z")
    assert (found.start, found.end) == (NOW - 30 * 3600, NOW)
    assert widget(start="-P1W").start == NOW - 7 * 86400


@pytest.mark.parametrize(
    "given",
    [
        {"metrics": []}, {"metrics": [["A", "m"]] * 101}, {"width": 0}, {"width": 2001}, {"height": "tall"}, {"start": "yesterday"},
        {"start": "-PT1H", "end": "-PT2H"}, {"start": "-P"}, {"view": "table"}, {"metrics": [[".", "m"]]}, {"metrics": [["..."]]},
        {"metrics": [["A", "m", "only a name"]]}, {"period": 1.5}, {"title": 5},
    ],
)  # fmt: skip
def test_widgets_that_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(AwsError) as caught:
        widget(**given)
    assert caught.value.code == "ValidationError"


def test_what_an_alarm_on_an_expression_looks_at() -> None:
    metric = {"Namespace": "App", "MetricName": "Errors", "Dimensions": [{"Name": "Page", "Value": "home"}]}
    alarm = {
        "AlarmName": "errors",
        "Threshold": 5.0,
        "Metrics": [
            {"Id": "e", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
            {"Id": "share", "Expression": "100 * e", "Label": "errors, %", "ReturnData": True},
        ],
    }
    rows = widgets.rows_of(alarm)
    assert rows[0] == ["App", "Errors", "Page", "home", {"id": "e", "visible": False, "stat": "Sum", "period": 60}]
    found = widgets.widget_of('{"annotations": {"alarms": ["arn"]}}', 1_000_000.0, rows)
    assert [(one["Id"], one["ReturnData"], one.get("Expression")) for one in found.queries] == [
        ("e", False, None),
        ("share", True, "100 * e"),
    ]
