"""Alarms evaluated: AWS's tables row by row, texts as seen on AWS, properties."""

from __future__ import annotations

import pytest
from drydock.services.cloudwatch.alarm_rules import (
    ALARM,
    COMPARISONS,
    INSUFFICIENT_DATA,
    OK,
    TREATMENTS,
    Rule,
    evaluate,
    in_range,
    number,
    samples_needed,
    window,
)
from hypothesis import given
from hypothesis import strategies as st

KEEPS = None
START = 1_795_780_800.0  # 27 November 2026, 12:00:00
THRESHOLD = 70.0
VALUES = {"0": 40.0, "X": 92.5, "-": None}


def points(text: str, period: int = 60) -> list[tuple[float, float | None]]:
    """``0 X -``: fine, breaching, missing; the latest on the right."""
    return [(START + n * period, VALUES[sign]) for n, sign in enumerate(text.split())]


def state(text: str, periods: int, least: int | None, treatment: str) -> str | None:
    return evaluate(Rule("GreaterThanThreshold", THRESHOLD, periods, least, treatment), points(text)).state


# "Configuring how CloudWatch alarms treat missing data": missing, ignore, breaching, notBreaching.
THREE_OF_THREE = {
    "0 - X - X": (OK, OK, OK, OK),
    "0 - - - -": (OK, OK, OK, OK),
    "- - - - -": (INSUFFICIENT_DATA, KEEPS, ALARM, OK),
    "0 X X - X": (ALARM, ALARM, ALARM, ALARM),
    "- - X - -": (ALARM, KEEPS, ALARM, OK),
    # the text below the tables, "Avoiding premature transitions to alarm state"; the states are in the tables of 2019
    "- - - - X": (INSUFFICIENT_DATA, KEEPS, ALARM, OK),
    "X - - - -": (ALARM, KEEPS, ALARM, OK),
    "- - - X -": (INSUFFICIENT_DATA, KEEPS, ALARM, OK),
    "- - - X 0": (OK, OK, OK, OK),
    "- - X - 0": (OK, OK, OK, OK),
}
TWO_OF_THREE = {
    "0 - X - X": (ALARM, ALARM, ALARM, ALARM),
    "0 0 X 0 X": (ALARM, ALARM, ALARM, ALARM),
    "0 - X - -": (OK, OK, ALARM, OK),
    "- - - - 0": (OK, OK, ALARM, OK),
    "- - - X -": (ALARM, KEEPS, ALARM, OK),
    "- - - - X": (INSUFFICIENT_DATA, KEEPS, ALARM, OK),
    "- - - X X": (ALARM, ALARM, ALARM, ALARM),
}
ORDER = ("missing", "ignore", "breaching", "notBreaching")


@pytest.mark.parametrize("treatment", ORDER)
@pytest.mark.parametrize(("least", "row"), [(3, row) for row in THREE_OF_THREE] + [(2, row) for row in TWO_OF_THREE])
def test_the_tables_of_the_user_guide(least: int, row: str, treatment: str) -> None:
    table = THREE_OF_THREE if least == 3 else TWO_OF_THREE
    assert state(row, 3, least, treatment) == table[row][ORDER.index(treatment)]


@pytest.mark.parametrize(
    ("row", "least", "filled"),
    [
        ("0 - X - X", 3, 0), ("0 - - - -", 3, 2), ("- - - - -", 3, 3), ("0 X X - X", 3, 0), ("- - X - -", 3, 2),
        ("0 0 X 0 X", 2, 0), ("0 - X - -", 2, 1), ("- - - - 0", 2, 2), ("- - - X -", 2, 2),
    ],
)  # fmt: skip
def test_as_few_points_as_possible_are_filled_in(row: str, least: int, filled: int) -> None:
    """The second column of the tables."""
    verdict = evaluate(Rule("GreaterThanThreshold", THRESHOLD, 3, least, "breaching"), points(row))
    assert sum(value is None for _, value in verdict.evaluated) == filled
    assert len(verdict.evaluated) == 3


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("GreaterThanOrEqualToThreshold", False, True, True),
        ("GreaterThanThreshold", False, False, True),
        ("LessThanThreshold", True, False, False),
        ("LessThanOrEqualToThreshold", True, True, False),
    ],
)
def test_comparisons(comparison: str, below: bool, equal: bool, above: bool) -> None:
    rule = Rule(comparison, 5.0, 1)
    assert [rule.breaches(value) for value in (4.0, 5.0, 6.0)] == [below, equal, above]


def reason(text: str, periods: int, least: int | None = None, treatment: str = "missing", **given: object) -> str:
    rule = Rule(str(given.get("comparison", "GreaterThanThreshold")), THRESHOLD, periods, least, treatment)
    return evaluate(rule, points(text)).reason


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (reason("- - X", 1, 1), "Threshold Crossed: 1 out of the last 1 datapoints [92.5 (27/11/26 12:02:00)] was greater "
            "than the threshold (70.0) (minimum 1 datapoint for OK -> ALARM transition)."),
        (reason("X X 0", 2, 2), "Threshold Crossed: 1 out of the last 2 datapoints [40.0 (27/11/26 12:02:00)] was not "
            "greater than the threshold (70.0) (minimum 1 datapoint for ALARM -> OK transition)."),
        (reason("0 0 0 0 0", 3, 2), "Threshold Crossed: 3 out of the last 3 datapoints [40.0 (27/11/26 12:04:00), 40.0 "
            "(27/11/26 12:03:00), 40.0 (27/11/26 12:02:00)] were not greater than the threshold (70.0) (minimum 2 "
            "datapoints for ALARM -> OK transition)."),
        (reason("- - X", 1), "Threshold Crossed: 1 datapoint [92.5 (27/11/26 12:02:00)] was greater than the threshold "
            "(70.0)."),
        (reason("X X", 2, comparison="GreaterThanOrEqualToThreshold"), "Threshold Crossed: 2 datapoints [92.5 (27/11/26 "
            "12:01:00), 92.5 (27/11/26 12:00:00)] were greater than or equal to the threshold (70.0)."),
        (reason("X X X X X X X", 6, 6), "Threshold Crossed: 6 out of the last 6 datapoints were greater than the threshold "
            "(70.0). The most recent datapoints which crossed the threshold: [92.5 (27/11/26 12:06:00), 92.5 (27/11/26 "
            "12:05:00), 92.5 (27/11/26 12:04:00), 92.5 (27/11/26 12:03:00), 92.5 (27/11/26 12:02:00)] (minimum 6 "
            "datapoints for OK -> ALARM transition)."),
        (reason("- - -", 1), "Insufficient Data: 1 datapoint was unknown."),
        (reason("- - - -", 2), "Insufficient Data: 2 datapoints were unknown."),
        (reason("- - -", 1, treatment="breaching"), "Threshold Crossed: no datapoints were received for 1 period and 1 "
            "missing datapoint was treated as [Breaching]."),
        (reason("- - - -", 2, treatment="notBreaching"), "Threshold Crossed: no datapoints were received for 2 periods and "
            "2 missing datapoints were treated as [NonBreaching]."),
        (reason("- - - - 0", 3, 2, "breaching"), "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing "
            "datapoints were treated as [Breaching]."),
    ],
)  # fmt: skip
def test_reasons_are_aws_s(told: str, expected: str) -> None:
    assert told == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (70, "70.0"), (0.005, "0.005"), (5368709120, "5.36870912E9"), (1e7, "1.0E7"), (9999999.0, "9999999.0"),
        (0.0001, "1.0E-4"), (-12345678.5, "-1.23456785E7"), (0, "0.0"), (12.34, "12.34"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_aws_writes_them(value: float, text: str) -> None:
    assert number(value) == text


def test_the_range_ends_with_the_last_whole_minute_and_slides() -> None:
    assert window(START + 61, 60, 3) == (START - 4 * 60, START + 60)
    assert window(START + 361, 300, 1) == (START + 360 - 900, START + 360), "minutes 2 to 6, not 1 to 5"
    assert window(START + 29, 10, 2) == (START - 20, START + 20)
    assert window(START + 3700, 86400, 3)[1] == START + 3600, "more than a day is looked at each hour"


def test_values_are_put_into_their_periods() -> None:
    series = {START: 1.0, START + 120: 3.0}
    assert in_range(series, START, START + 180, 60) == [(START, 1.0), (START + 60, None), (START + 120, 3.0)]


@pytest.mark.parametrize(
    ("statistic", "least"), [("p99", 1000), ("p50", 20), ("p10", 100), ("Average", 0), ("p100", 0)]
)
def test_samples_that_a_percentile_needs(statistic: str, least: int) -> None:
    assert samples_needed(statistic) == pytest.approx(least)


SIGNS = st.sampled_from("0X-")


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, int, int]:
    periods = draw(st.integers(1, 8))
    signs = draw(st.lists(SIGNS, min_size=periods + 2, max_size=periods + 2))
    return " ".join(signs), periods, draw(st.integers(1, periods))


@given(cases())
def test_never_alarm_with_fewer_than_m_breaching_where_missing_is_not(case: tuple[str, int, int]) -> None:
    text, periods, least = case
    if text.count("X") < least:
        assert state(text, periods, least, "notBreaching") == OK


@given(cases(), st.sampled_from(TREATMENTS))
def test_enough_real_points_decide_alone(case: tuple[str, int, int], treatment: str) -> None:
    text, periods, least = case
    real = [sign for sign in text.split() if sign != "-"]
    if len(real) >= periods:
        expected = ALARM if real[-periods:].count("X") >= least else OK
        assert state(text, periods, least, treatment) == expected


@given(cases(), st.sampled_from(TREATMENTS))
def test_a_point_more_that_breaches_never_ends_an_alarm(case: tuple[str, int, int], treatment: str) -> None:
    text, periods, least = case
    if state(text, periods, least, treatment) == ALARM:
        for n, sign in enumerate(text.split()):
            if sign == "0":
                worse = text.split()
                worse[n] = "X"
                assert state(" ".join(worse), periods, least, treatment) == ALARM


@given(cases())
def test_insufficient_data_only_where_it_is_asked_for(case: tuple[str, int, int]) -> None:
    text, periods, least = case
    for treatment in ("ignore", "breaching", "notBreaching"):
        assert state(text, periods, least, treatment) != INSUFFICIENT_DATA
    assert state(text, periods, least, "missing") is not None
    if "0" in text:
        assert state(text, periods, least, "missing") != INSUFFICIENT_DATA


@given(cases(), st.sampled_from(sorted(COMPARISONS)), st.sampled_from(TREATMENTS))
def test_each_verdict_has_a_reason(case: tuple[str, int, int], comparison: str, treatment: str) -> None:
    text, periods, least = case
    verdict = evaluate(Rule(comparison, THRESHOLD, periods, least, treatment), points(text))
    assert bool(verdict.reason) == (verdict.state is not None)
    assert len(verdict.reason) <= 1023
    assert len(verdict.evaluated) == periods
    assert list(verdict.evaluated) == sorted(verdict.evaluated, key=lambda point: -point[0])
