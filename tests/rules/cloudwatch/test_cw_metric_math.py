"""Metric math against the tables and examples of "Using metric math", and SEARCH against those of its own pages."""

from __future__ import annotations

import math
from typing import Any

import pytest
from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.cloudwatch import queries
from drydock.services.cloudwatch.expressions import Wrong, parse
from drydock.services.cloudwatch.model import Metric, metric
from drydock.services.cloudwatch.searching import compiled
from hypothesis import given
from hypothesis import strategies as st

T = 1_800_000_000.0  # a full hour, 15 January 2027 08:00:00, a Friday


class Shelf:
    """A reader of what is given: a value for each minute from T on, None where there is none."""

    account, region = "1" * 12, "eu-west-1"

    def __init__(self, minutes: int = 5, **values: list[float | None]) -> None:
        self.start, self.end, self.now = T, T + 60 * minutes, T + 3600
        self.known = {metric("App", name.split("__")[0], dict([name.split("__")[1:]] if "__" in name else [])): found
                      for name, found in values.items()}  # fmt: skip

    def statistic(self, metric: Metric, stat: str, period: int, unit: str | None) -> list[tuple[float, float]]:
        values = self.known.get(metric, [])
        return [(T + period * n, float(value)) for n, value in enumerate(values) if value is not None]

    def metrics(self) -> list[Metric]:
        return list(self.known)


def stat(name: str, period: int = 60, **more: Any) -> dict[str, Any]:
    found = {"Namespace": "App", "MetricName": name}
    return {"Id": name, "MetricStat": {"Metric": found, "Period": period, "Stat": "Sum"}, "ReturnData": False, **more}


def results(expression: str, minutes: int = 5, **values: list[float | None]) -> list[queries.Result]:
    shelf = Shelf(minutes, **values)
    asked = [*(stat(name) for name in values if "__" not in name), {"Id": "e", "Expression": expression}]
    return queries.evaluate(asked, shelf)["e"]


def shown(result: queries.Result, minutes: int = 5) -> list[float | None]:
    points = dict(result.points)
    return [points.get(T + 60 * n) for n in range(minutes)]


def one(expression: str, minutes: int = 5, **values: list[float | None]) -> list[float | None]:
    (found,) = results(expression, minutes, **values)
    return shown(found, minutes)


_ = None
A: list[float | None] = [30, 20, 0, 0, _]
B: list[float | None] = [20, _, 20, _, _]


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("(a < b)", [0, 0, 1, 0, _]),
        ("(a >= 30)", [1, 0, 0, 0, _]),
        ("(a > 15 AND b > 15)", [1, 0, 0, 0, _]),
        ("a > 15 && b > 15", [1, 0, 0, 0, _]),
        ("a > 15 OR b > 15", [1, 1, 1, 0, _]),
        ("a == 0 || b == 0", [0, 0, 1, 1, _]),
        ("a != 0", [1, 1, 0, 0, _]),
        ("a + b", [50, 20, 20, 0, _]),
        ("a - b * 2", [-10, 20, -40, 0, _]),
        ("a / b", [1.5, _, 0, _, _]),
        ("100 / a", [100 / 30, 5, _, _, _]),
        ("-a", [-30, -20, 0, 0, _]),
        ("-2*a", [-60, -40, 0, 0, _]),
        ("2 ^ 3 ^ 2 + b*0", [512, _, 512, _, _]),
        ("-2^2 + b*0", [-4, _, -4, _, _]),
        ("(-8 - a*0)^0.5", [_, _, _, _, _]),
        ("a*1e-1", [3, 2, 0, 0, _]),
        ("a-AVG(a)", [17.5, 7.5, -12.5, -12.5, _]),
        ("a/MAX(a)", [1, 20 / 30, 0, 0, _]),
        ("a*0+STDDEV(b)", [0, 0, 0, 0, _]),
        ("a*0+DATAPOINT_COUNT(b)", [2, 2, 2, 2, _]),
        ("a/PERIOD(a)", [0.5, 20 / 60, 0, 0, _]),
        ("SUM([a,b])", [50, 20, 20, 0, _]),
        ("AVG([a, b])", [25, 10, 10, 0, _]),
        ("AVG(METRICS())", [25, 10, 10, 0, _]),
        ("MIN([a,b])", [20, 20, 0, 0, _]),
        ("MAX([a,b])", [30, 20, 20, 0, _]),
        ("STDDEV([a,b])", [5, 0, 10, 0, _]),
        ("DATAPOINT_COUNT([a,b])", [2, 1, 2, 1, _]),
        ("SUM(METRICS(\"b\"))", [20, _, 20, _, _]),
        ("SUM(-[a, b])", [-50, -20, -20, 0, _]),
        ("SUM(100/[a, b])", [100 / 30 + 5, 5, 5, _, _]),
        ("a/METRIC_COUNT(METRICS())", [15, 10, 0, 0, _]),
        ("ABS(b-a)", [10, 20, 20, 0, _]),
        ("CEIL(a/7)", [5, 3, 0, 0, _]), ("FLOOR(a/7)", [4, 2, 0, 0, _]),
        ("LOG10(a*10/3)", [2, math.log10(200 / 3), _, _, _]), ("LOG(a)", [math.log(30), math.log(20), _, _, _]),
        ("DIFF(a)", [_, -10, -20, 0, _]), ("DIFF(b)", [_, _, 0, _, _]), ("DIFF_TIME(b)", [_, _, 120, _, _]),
        ("RATE(a)", [_, -10 / 60, -20 / 60, 0, _]),
        ("RUNNING_SUM(b)", [20, _, 40, _, _]),
        ("FILL(b, 7)", [20, 7, 20, 7, 7]), ("FILL(b, REPEAT)", [20, 20, 20, 20, 20]), ("FILL(b, a)", [20, 20, 20, 0, _]),
        ("FILL(a - 10*b/b*0, MIN(a))", [30, 20, 0, 0, 0]),
        ("FILL(IF(b, b+a), LINEAR)", [50, 35, 20, _, _]),
        ("IF(a, b, 5)", [20, 0, 5, 5, _]),
        ("IF(a<25, a)", [_, 20, 0, 0, _]), ("IF(a<25, 10, 2)", [2, 10, 10, 10, _]),
        ("IF(1, b, a)", [20, _, 20, _, _]), ("IF(0, b, a)", A), ("IF(0, b)", [_] * 5),
        ("IF(FIRST(SORT(METRICS(), AVG, DESC))>15, 1, 0)", [1, _, 1, _, _]),
        ("LAST(SORT(METRICS(), SUM, ASC, 1))", [20, _, 20, _, _]),
        ("FIRST(SLICE([a, b, a+b], 2))", [50, 20, 20, 0, _]), ("LAST(SLICE([a, b, a+b], 0, 2))", B),
        ("TIME_SERIES(MAX(a))", [30] * 5), ("TIME_SERIES(10)", [10] * 5),
        ("MINUTE(b)", [0, 1, 2, 3, 4]), ("HOUR(b)", [8] * 5), ("DAY(b)", [5] * 5), ("DATE(b)", [15] * 5),
        ("MONTH(b)", [1] * 5), ("YEAR(b)", [2027] * 5), ("EPOCH(b)-EPOCH(a)+MINUTE(a)", [0, 1, 2, 3, 4]),
        ("IF(DAY(a)<6, a)", [30, 20, 0, 0, 0]),
        (" + ".join(["a"] * 600), [18000, 12000, 0, 0, _]),
    ],
)  # fmt: skip
def test_expressions(expression: str, values: list[float | None]) -> None:
    assert one(expression, a=A, b=B) == [value if value is None else pytest.approx(value) for value in values]


@pytest.mark.parametrize(
    ("first", "second", "third", "values"),
    [
        ("a", "b", ", c", [30, 0, 20, _, _]),
        ("a", "5", ", c", [5, 5, 20, _, _]),
        ("a", "b", ", 5", [30, 0, 5, 5, _]),
    ],
)
def test_if_as_in_its_tables(first: str, second: str, third: str, values: list[float | None]) -> None:
    expression = f"IF({first}, {second}{third})"
    assert one(expression, a=[1, 1, 0, 0, _], b=[30, _, 0, 0, 30], c=[0, 0, 20, _, 20]) == values


def test_arrays() -> None:
    found = results("METRICS()/10", a=A, b=B)
    assert [(each.label, shown(each)) for each in found] == [("a", [3, 2, 0, 0, _]), ("b", [2, _, 2, _, _])]
    assert [shown(each) for each in results("FILL(METRICS(), 0)", a=A, b=B)][1] == [20, 0, 20, 0, 0]
    assert len(results("REMOVE_EMPTY(METRICS())", a=A, b=[])) == 1
    assert [each.label for each in results("SLICE(SORT(METRICS(), MAX, ASC), 1)", a=A, b=B)] == ["a"]
    assert results("[]", a=A) == []
    assert shown(results("METRICS()-a", a=A, b=B)[1]) == [-10, -20, 20, 0, _]


def test_expressions_use_each_other_in_any_order() -> None:
    shelf = Shelf(a=A, b=B)
    asked = [
        {"Id": "twice", "Expression": "rate * 2"},
        stat("a"),
        {"Id": "rate", "Expression": "a + total", "ReturnData": False},
        {"Id": "total", "Expression": "SUM(a)", "ReturnData": False},
    ]
    assert [round(value) for _, value in queries.evaluate(asked, shelf)["twice"][0].points] == [160, 140, 100, 100]
    assert list(queries.single_series(queries.evaluate(asked, shelf), asked)) == ["twice", "a", "rate"]


def test_periods_differ() -> None:
    asked = [stat("a"), stat("b", period=120), {"Id": "e", "Expression": "a+b"}]
    (found,) = queries.evaluate(asked, Shelf(a=A, b=[1, 2, _, _, _]))["e"]
    assert found.period == 60 and [value for _, value in found.points] == [31, 20, 2, 0]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("a +", "Invalid syntax"), ("", "Invalid syntax"), ("(a", "Invalid syntax"), ("a b", "Invalid syntax"), ("a;b", "Invalid syntax"),
        ("[a,", "Invalid syntax"), ("SUM(a", "Invalid syntax"), ("__import__('os')", "Function '__import__' not found"),
        ("ANOMALY_DETECTOR(a)", "Function 'ANOMALY_DETECTOR' not found"), ("sum(a)", "Function 'sum' not found"),
        ("a + nothing", "Undefined identifier 'nothing'"), ("e + 1", "The expression refers to itself"),
        ("[a] + [a]", "Unsupported operand type(s) for +: '[Array[TimeSeries], Array[TimeSeries]]'"),
        ("a + 'x'", "Unsupported operand type(s) for +: '[TimeSeries, String]'"),
        ("AVG(a)", "The expression must return a time series, and returns a Scalar"), ("5", "The expression must return"),
        ("FILL(a)", "Invalid number of arguments for function FILL"), ("FILL(a, MAYBE)", "Unsupported argument type(s)"),
        ("SORT(METRICS(), MEDIAN, ASC)", "Unsupported argument type(s)"), ("IF([a], 1, 0)", "Unsupported argument type(s)"),
        ("PERIOD(a*2)", "Unsupported argument type(s) for function PERIOD"), ("MINUTE(5)", "Unsupported argument type(s)"),
        ("SEARCH('x', 'Most', 60)", "Invalid search expression"), ("SEARCH('{App', 'Sum', 60)", "Invalid search expression"),
        ("SEARCH('', 'Sum', 60)", "Invalid search expression"), ("(" * 300 + "a" + ")" * 300, "Invalid syntax"),
        ("-" * 400 + "a", "Invalid syntax"), ("a" + "^a" * 400, "Invalid syntax"),
    ],
)  # fmt: skip
def test_what_is_wrong(expression: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        results(expression or " ", a=A)
    assert caught.value.code == "ValidationError"
    assert f"Error in expression 'e': {message}" in caught.value.message


def test_circles_are_refused() -> None:
    asked = [{"Id": "x", "Expression": "y+1"}, {"Id": "y", "Expression": "z"}, {"Id": "z", "Expression": "x"}]
    with pytest.raises(AwsError, match="refers to itself"):
        queries.evaluate(asked, Shelf())


@pytest.mark.parametrize(
    "expression",
    ["ANOMALY_DETECTION_BAND(a)", "INSIGHT_RULE_METRIC('r', 'Sum')", "SERVICE_QUOTA(a)", "select AVG(x) from y"],
)
def test_what_is_not_here_says_so(expression: str) -> None:
    with pytest.raises(NotImplementedByDrydock):
        results(expression, a=A)


def test_an_alarm_reads_one_series() -> None:
    asked = [stat("a"), {"Id": "e", "Expression": "METRICS()"}]
    with pytest.raises(AwsError, match="multi time series"):
        queries.single_series(queries.evaluate(asked, Shelf(a=A)), asked)


@given(st.text("abAVGSUMFILIF()[]+-*/^<>=!&|,.0123456789'\" eE", max_size=60))
def test_whatever_is_written_it_is_a_tree_or_wrong(text: str) -> None:
    try:
        parse(text)
    except Wrong as wrong:
        assert str(wrong) == "Invalid syntax"


FOUND: list[tuple[str, set[str]]] = [
    ('{AWS/EC2,InstanceId} MetricName="CPUUtilization"', {"cpu1", "cpu2"}),
    ("{AWS/EC2, InstanceId}", {"cpu1", "cpu2", "net1"}),
    ("{AWS/EC2}", {"cpu1", "cpu2", "net1", "type"}),
    ('{AWS/EC2, InstanceId}, "CPUUtilization"', {"cpu1", "cpu2"}),
    ("{AWS/EC2,InstanceId} network AND packets", {"net1"}),
    ("{AWS/EC2,InstanceId} network packets", {"net1"}),
    ('{AWS/EC2,InstanceId} MetricName="CPUUtilization" NOT i-1', {"cpu2"}),
    ("NOT Namespace=AWS", {"custom", "errors", "space"}),
    ("count", {"custom"}), ("COUNT", {"custom"}), ("couNT", set()), ("Count1", {"custom"}), ("CustomCount", {"custom"}),
    ("customcount", set()), ("count1", set()), ("customcount1", {"custom"}), ('"CustomCount1"', {"custom"}), ('"customcount1"', set()),
    ("network/errors", {"errors"}), ("Network_Errors", {"errors"}), ('"Network-Errors-2"', {"errors"}), ('"Network_Errors_2"', set()),
    ('InstanceType="t2.micro" Namespace="AWS/EC2"', {"type"}), ("InstanceType=micro", {"type"}),
    ("(custom OR errors) AND NOT 2", {"custom", "space"}),
    ('MetricName="CPUUtilization" AND (i-1 OR t2)', {"cpu1", "type"}),
    ('{"My Namespace", "Dimension@Name"}, "Custom:Name[Special \\(x\\)"', {"space"}),
]  # fmt: skip
METRICS = {
    "cpu1": metric("AWS/EC2", "CPUUtilization", {"InstanceId": "i-1"}),
    "cpu2": metric("AWS/EC2", "CPUUtilization", {"InstanceId": "i-2"}),
    "net1": metric("AWS/EC2", "NetworkPacketsIn", {"InstanceId": "i-1"}),
    "type": metric("AWS/EC2", "CPUUtilization", {"InstanceType": "t2.micro"}),
    "custom": metric("App", "CustomCount1"),
    "errors": metric("App", "Network-Errors-2"),
    "space": metric("My Namespace", "Custom:Name[Special (x)", {"Dimension@Name": "d"}),
}


@pytest.mark.parametrize(("text", "names"), FOUND)
def test_searches(text: str, names: set[str]) -> None:
    matches = compiled(text)
    assert {name for name, each in METRICS.items() if matches(each)} == names


@pytest.mark.parametrize(
    "text", ["AND", "a OR", "(a", "a)", "=b", "a=", "{", "{}", "{,a}", "NOT", '"a', "a" * 1025, "(" * 99, "-"]
)
def test_what_is_no_search(text: str) -> None:
    with pytest.raises(Wrong):
        compiled(text)


def test_what_a_search_finds_is_named_by_what_sets_it_apart() -> None:
    values: Any = {"Errors__Host__one": [1], "Errors__Host__two": [2], "Other__Host__one": [3]}
    found = results("SEARCH('{App,Host} MetricName=\"Errors\"', 'Sum', 60)", **values)
    assert [(each.label, each.points[0][1]) for each in found] == [("one", 1), ("two", 2)]
    assert shown(results("SUM(SEARCH('Errors', 'Sum', 60))", **values)[0])[0] == 3
    assert [each.label for each in results("SEARCH('one', 'Sum', 60)", **values)] == ["Errors", "Other"]
