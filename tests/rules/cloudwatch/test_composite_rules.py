"""Rules of composite alarms, and when their actions are held back."""

from __future__ import annotations

import pytest
from drydock.services.cloudwatch.composite_rules import BadRule, Suppression, in_cycle, on_change, on_time, parse
from hypothesis import given
from hypothesis import strategies as st

ARN = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"


def holds(text: str, **states: str) -> bool:
    return parse(text, lambda one: one.removeprefix(ARN)).holds(states.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALARM(a)", True),
        ('ALARM("a")', True),
        (f'ALARM("{ARN}a")', True),
        (f"ALARM({ARN}a)", True),
        ("OK(a)", False),
        ("OK(b) AND ALARM(a)", True),
        ("OK(a) OR ALARM(b)", False),
        ("NOT OK(a)", True),
        ("NOT ALARM(a) OR TRUE", True),
        ("FALSE", False),
        ("TRUE AND FALSE", False),
        ("INSUFFICIENT_DATA(c)", True),
        ("ALARM(a) OR ALARM(b) AND FALSE", True),  # AND binds more tightly
        ("(ALARM(a) OR ALARM(b)) AND FALSE", False),
        ("NOT (ALARM(a) AND OK(b))", False),
        ("NOT NOT ALARM(a)", True),
        ("alarm(a) and ok(b)", True),
        ("ALARM( a )", True),
        ("(ALARM(a))", True),
        ("AT_LEAST(1, ALARM, (a, b, c))", True),
        ("AT_LEAST(2, ALARM, (a, b, c))", False),
        ("AT_LEAST(2,NOT ALARM,(a,b,c)) AND ALARM(a)", True),
        ('AT_LEAST("50%", OK, (b, "c"))', True),
        ('AT_LEAST("51%", OK, (b, "c"))', False),
        ("NOT AT_LEAST(3, OK, (a, b, c)) OR FALSE", True),
    ],
)
def test_rules(text: str, expected: bool) -> None:
    assert holds(text, a="ALARM", b="OK", c="INSUFFICIENT_DATA") is expected


def test_names_in_quotes_may_have_any_characters() -> None:
    rule = parse(r'ALARM("CPU (too high) \"web\"") OR OK("AND")', str)
    assert rule.children == ['CPU (too high) "web"', "AND"]


@pytest.mark.parametrize(
    "text",
    ["", "ALARM", "ALARM()", "ALARM(a", "ALARM(a))", "a", "ALARM(a) AND", "AND ALARM(a)", "NOT", "ALARM(a) ALARM(b)",
     "AT_LEAST(0, OK, (a))", "AT_LEAST(2, OK, (a))", "AT_LEAST(1, OK, ())", "AT_LEAST(1, a, (b))", "AT_LEAST(1 OK (b))",
     'AT_LEAST("101%", OK, (a))', "AT_LEAST(x, OK, (a))", "BROKEN(a)", "()", 'ALARM("a)', "ALARM(a b)", "ALARM(a) XOR OK(b)"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(BadRule):
        parse(text, str)


def test_deep_nesting_is_refused_and_no_crash() -> None:
    with pytest.raises(BadRule):
        parse("(" * 4000 + "TRUE" + ")" * 4000, str)


@given(st.text(alphabet='ALRMOKNDTES_ (),1%"\\abx', max_size=40))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    try:
        rule = parse(text, str)
    except BadRule:
        return
    assert rule.holds(lambda name: "ALARM") in (True, False)


def test_cycles() -> None:
    children = {"a": ["b"], "b": ["c", "m"], "c": ["a"], "d": ["a"], "e": ["e"]}
    assert [in_cycle(name, children) for name in "abcdem"] == [True, True, True, False, True, False]


def test_a_suppressor_in_alarm_holds_actions_back() -> None:
    held, fire = on_change(Suppression(), "ALARM", "ALARM", 100.0, wait=60)
    assert (held.by, held.reason, fire) == ("Alarm", "Actions suppressed by Alarm", False)
    held, fire = on_time(held, "ALARM", 500.0, extension=30)
    assert (held.by, fire) == ("Alarm", False)
    held, fire = on_time(held, "OK", 510.0, extension=30)
    assert (held.by, held.until, fire) == ("ExtensionPeriod", 540.0, False)
    assert on_time(held, "OK", 539.0, extension=30) == (held, False)
    assert on_time(held, "OK", 540.0, extension=30) == (Suppression(), True)


def test_going_to_alarm_waits_for_the_suppressor() -> None:
    held, fire = on_change(Suppression(), "ALARM", "OK", 100.0, wait=60)
    assert (held.by, held.until, fire) == ("WaitPeriod", 160.0, False)
    assert on_time(held, "OK", 159.0, extension=30) == (held, False)
    assert on_time(held, "OK", 160.0, extension=30) == (Suppression(), True)
    followed, fire = on_time(held, "ALARM", 150.0, extension=30)
    assert (followed.by, followed.pending, fire) == ("Alarm", True, False)
    assert on_change(Suppression(), "ALARM", "OK", 100.0, wait=0) == (Suppression(), True)
    assert on_change(Suppression(), "OK", "OK", 100.0, wait=60) == (Suppression(), True)


def test_nothing_is_done_at_the_end_where_nothing_has_changed() -> None:
    held, _ = on_time(Suppression(), "ALARM", 100.0, extension=30)
    held, fire = on_time(held, "OK", 200.0, extension=30)
    assert not fire
    assert on_time(held, "OK", 230.0, extension=30) == (Suppression(), False)
