"""Condition operators, as "IAM JSON policy elements: Condition operators" tells them."""

from typing import Any

import pytest
from drydock.services.iam.conditions import OPERATORS, UnknownOperator, compile_condition


def holds(operator: str, key: str, values: list[str], context: dict[str, Any]) -> bool:
    return compile_condition(operator, key, values, True).holds(
        {name.lower(): value for name, value in context.items()}
    )


CASES: list[tuple[str, list[str], dict[str, Any], bool]] = [
    ("StringEquals", ["a"], {"k": "a"}, True),
    ("StringEquals", ["a", "b"], {"k": "b"}, True),
    ("StringEquals", ["a"], {"k": "A"}, False),
    ("StringEquals", ["a*"], {"k": "ab"}, False),
    ("StringEquals", ["a*"], {"k": "a*"}, True),
    ("stringequals", ["a"], {"k": "a"}, True),
    ("StringNotEquals", ["a", "b"], {"k": "b"}, False),
    ("StringNotEquals", ["a", "b"], {"k": "c"}, True),
    ("StringEqualsIgnoreCase", ["a"], {"k": "A"}, True),
    ("StringNotEqualsIgnoreCase", ["a"], {"k": "A"}, False),
    ("StringLike", ["a*c?"], {"k": "abbcd"}, True),
    ("StringLike", ["a*"], {"k": "A1"}, False),
    ("StringNotLike", ["a*"], {"k": "b"}, True),
    ("StringLike", ["${aws:username}/*"], {"k": "ann/x", "aws:username": "ann"}, True),
    ("StringLike", ["${aws:username}/*"], {"k": "ann/x"}, False),
    ("NumericEquals", ["10"], {"k": "10.0"}, True),
    ("NumericNotEquals", ["10"], {"k": "11"}, True),
    ("NumericLessThan", ["10"], {"k": "9"}, True),
    ("NumericLessThan", ["10"], {"k": "10"}, False),
    ("NumericLessThanEquals", ["10"], {"k": "10"}, True),
    ("NumericGreaterThan", ["10"], {"k": "9"}, False),
    ("NumericGreaterThanEquals", ["10"], {"k": "10"}, True),
    ("NumericEquals", ["10"], {"k": "ten"}, False),
    ("DateGreaterThan", ["2026-01-01T00:00:00Z"], {"k": "2026-06-01T00:00:00Z"}, True),
    ("DateLessThan", ["2026-01-01T00:00:00Z"], {"k": "2026-06-01T00:00:00Z"}, False),
    ("DateEquals", ["1767225600"], {"k": "2026-01-01T00:00:00Z"}, True),
    ("DateLessThanEquals", ["2026-01-01"], {"k": "2026-01-01T00:00:00Z"}, True),
    ("DateNotEquals", ["2026-01-01"], {"k": "2026-01-02T00:00:00Z"}, True),
    ("Bool", ["true"], {"k": "true"}, True),
    ("Bool", ["True"], {"k": "true"}, True),
    ("Bool", ["false"], {"k": "true"}, False),
    ("BinaryEquals", ["QmluYXJ5"], {"k": "QmluYXJ5"}, True),
    ("BinaryEquals", ["QmluYXJ5"], {"k": "QmluYXJ6"}, False),
    ("IpAddress", ["203.0.113.0/24"], {"k": "203.0.113.7"}, True),
    ("IpAddress", ["203.0.113.0/24"], {"k": "203.0.114.7"}, False),
    ("IpAddress", ["2001:db8::/32"], {"k": "2001:db8::1"}, True),
    ("IpAddress", ["203.0.113.7"], {"k": "203.0.113.7"}, True),
    ("NotIpAddress", ["203.0.113.0/24", "10.0.0.0/8"], {"k": "10.1.2.3"}, False),
    ("NotIpAddress", ["203.0.113.0/24"], {"k": "10.1.2.3"}, True),
    ("ArnEquals", ["arn:aws:sns:*:1:t"], {"k": "arn:aws:sns:us-east-1:1:t"}, True),
    ("ArnLike", ["arn:aws:sns:*:1:t?"], {"k": "arn:aws:sns:us-east-1:1:t"}, False),
    ("ArnNotLike", ["arn:aws:sns:*:1:t"], {"k": "arn:aws:sns:us-east-1:1:t"}, False),
    ("ArnNotEquals", ["arn:aws:sns:*:2:t"], {"k": "arn:aws:sns:us-east-1:1:t"}, True),
    ("Null", ["true"], {}, True),
    ("Null", ["true"], {"k": "x"}, False),
    ("Null", ["false"], {"k": "x"}, True),
    ("Null", ["false"], {}, False),
    ("Null", ["true"], {"k": []}, True),
    # a key that is not there
    ("StringEquals", ["a"], {}, False),
    ("StringLike", ["*"], {}, False),
    ("StringNotEquals", ["a"], {}, True),
    ("NotIpAddress", ["10.0.0.0/8"], {}, True),
    ("Bool", ["false"], {}, False),
    ("ArnNotLike", ["arn:aws:sns:*:1:t"], {}, True),
    ("StringEqualsIfExists", ["a"], {}, True),
    ("StringEqualsIfExists", ["a"], {"k": "b"}, False),
    ("BoolIfExists", ["true"], {}, True),
    ("StringNotEqualsIfExists", ["a"], {"k": "a"}, False),
    # several values
    ("ForAllValues:StringEquals", ["a", "b"], {"k": ["a", "b"]}, True),
    ("ForAllValues:StringEquals", ["a", "b"], {"k": ["a", "c"]}, False),
    ("ForAllValues:StringEquals", ["a"], {}, True),
    ("ForAllValues:StringLike", ["a*"], {"k": ["a1", "a2"]}, True),
    ("ForAllValues:StringNotEquals", ["a"], {"k": ["b", "c"]}, True),
    ("ForAllValues:StringNotEquals", ["a"], {"k": ["b", "a"]}, False),
    ("ForAnyValue:StringEquals", ["a"], {"k": ["b", "a"]}, True),
    ("ForAnyValue:StringEquals", ["a"], {"k": ["b"]}, False),
    ("ForAnyValue:StringEquals", ["a"], {}, False),
    ("ForAnyValue:StringNotEquals", ["a"], {"k": ["a", "b"]}, True),
    ("ForAnyValue:StringNotEquals", ["a"], {}, False),
    ("ForAnyValue:StringEqualsIfExists", ["a"], {}, True),
    ("foranyvalue:stringlike", ["a*"], {"k": "ab"}, True),
]


@pytest.mark.parametrize(("operator", "values", "context", "expected"), CASES)
def test_operators(operator: str, values: list[str], context: dict[str, Any], expected: bool) -> None:
    assert holds(operator, "K", values, context) is expected


@pytest.mark.parametrize("operator", [name for name, (negated, _) in OPERATORS.items() if negated])
def test_a_negated_operator_is_the_other_one_turned_round(operator: str) -> None:
    positive = "ipaddress" if operator == "notipaddress" else operator.replace("not", "")
    values = {"numeric": "1", "date": "2026-01-01", "notipa": "10.0.0.0/8", "arn": "arn:aws:a:b:c:d", "string": "v"}
    value = next(text for prefix, text in values.items() if operator.startswith(prefix))
    for given in (value.removesuffix("/8"), "2", "arn:aws:a:b:c:e", "10.9.9.9"):
        assert holds(operator, "k", [value], {"k": given}) is not holds(positive, "k", [value], {"k": given})


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("StringSame", "a"),
        ("ForSomeValues:StringEquals", "a"),
        ("NumericEquals", "many"),
        ("DateEquals", "yesterday"),
        ("IpAddress", "10.0.0.0/99"),
        ("BinaryEquals", "%%%"),
        ("Null", "maybe"),
    ],
)
def test_what_is_no_condition_is_refused(operator: str, value: str) -> None:
    with pytest.raises(UnknownOperator):
        compile_condition(operator, "k", [value], True)
