"""The Condition element: operators over the keys of a request.

Source: "IAM JSON policy elements: Condition operators" and "Multivalued context keys". All conditions of a statement
must hold; of several values one must match (for negated operators: none may). What a missing key means:

1. ``...IfExists``: the condition holds.
2. ``ForAllValues``: it holds; ``ForAnyValue``: it does not.
3. Negated operators (``StringNotEquals``): it holds; all others: it does not.
4. ``Null`` asks for just that.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drydock.services.iam.patterns import Context, Kind, Piece, arn_like, compiled, cut, fill, plain_expression

Test = Callable[[str, Context], bool]
"""Does one value of the request match one value of the policy?"""


class UnknownOperator(ValueError):
    """A condition operator that AWS does not have, or a value that the operator cannot take."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key. ``tests`` are the policy's values."""

    key: str
    tests: tuple[Test, ...]
    negated: bool = False
    if_exists: bool = False
    quantifier: str = ""
    """``all``, ``any`` or nothing"""
    null: bool | None = None
    """For ``Null``: must the key be absent?"""

    def holds(self, context: Context) -> bool:
        """Does the request meet it?"""
        given = context.get(self.key)
        values = [] if given is None else [given] if isinstance(given, str) else given
        if self.null is not None:
            return self.null is (not values)
        if not values:
            if self.quantifier == "all" or self.if_exists:
                return True
            return False if self.quantifier == "any" else self.negated
        if self.quantifier == "all":
            return all(self._meets(value, context) for value in values)
        if self.quantifier == "any" or not self.negated:
            return any(self._meets(value, context) for value in values)
        return all(self._meets(value, context) for value in values)

    def _meets(self, value: str, context: Context) -> bool:
        return any(test(value, context) for test in self.tests) is not self.negated


def compile_condition(name: str, key: str, values: list[str], variables: bool) -> Condition:
    """``name`` is the operator as the policy writes it. Raises UnknownOperator."""
    quantifier, bare = "", name
    prefix, colon, rest = name.partition(":")
    if colon:
        quantifier = {"forallvalues": "all", "foranyvalue": "any"}.get(prefix.lower(), "")
        if not quantifier:
            raise UnknownOperator(name)
        bare = rest
    lowered = bare.lower()
    if lowered == "null":
        return Condition(key.lower(), (), null=_null(values))
    if_exists = lowered.endswith("ifexists")
    lowered = lowered.removesuffix("ifexists")
    if lowered not in OPERATORS:
        raise UnknownOperator(name)
    negated, make = OPERATORS[lowered]
    tests = tuple(make(value, variables) for value in values)
    return Condition(key.lower(), tests, negated, if_exists, quantifier)


def _null(values: list[str]) -> bool:
    if len(values) != 1 or values[0].lower() not in ("true", "false"):
        raise UnknownOperator("Null")
    return values[0].lower() == "true"


def _text(ignore_case: bool, wildcards: bool) -> Callable[[str, bool], Test]:
    def make(value: str, variables: bool) -> Test:
        pieces = cut(value, wildcards=wildcards, variables=variables)
        if not any(piece.kind is Kind.VARIABLE for piece in pieces):
            match = compiled(plain_expression(pieces), ignore_case).fullmatch
            return lambda given, _: match(given) is not None

        def test(given: str, context: Context) -> bool:
            filled = fill(pieces, context)
            return filled is not None and compiled(plain_expression(filled), ignore_case).fullmatch(given) is not None

        return test

    return make


def _arn(value: str, variables: bool) -> Test:
    pieces: list[Piece] = cut(value, wildcards=True, variables=variables)

    def test(given: str, context: Context) -> bool:
        filled = fill(pieces, context)
        return filled is not None and arn_like(filled, given)

    return test


def _numeric(compare: Callable[[Any, Any], bool]) -> Callable[[str, bool], Test]:
    def make(value: str, variables: bool) -> Test:
        try:
            expected = float(value)
        except ValueError:
            raise UnknownOperator(value) from None

        def test(given: str, context: Context) -> bool:
            try:
                return compare(float(given), expected)
            except ValueError:
                return False

        return test

    return make


def parse_date(text: str) -> float:
    """Seconds since 1970 of a date in a policy: ISO 8601 (W3C profile) or seconds. Raises ValueError."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _date(compare: Callable[[Any, Any], bool]) -> Callable[[str, bool], Test]:
    def make(value: str, variables: bool) -> Test:
        try:
            expected = parse_date(value)
        except ValueError:
            raise UnknownOperator(value) from None

        def test(given: str, context: Context) -> bool:
            try:
                return compare(parse_date(given), expected)
            except ValueError:
                return False

        return test

    return make


def _bool(value: str, variables: bool) -> Test:
    pieces = cut(value, wildcards=False, variables=variables)

    def test(given: str, context: Context) -> bool:
        filled = fill(pieces, context)
        return filled is not None and "".join(piece.text for piece in filled).lower() == given.lower()

    return test


def _binary(value: str, variables: bool) -> Test:
    try:
        expected = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise UnknownOperator(value) from None

    def test(given: str, context: Context) -> bool:
        try:
            return base64.b64decode(given, validate=True) == expected
        except (binascii.Error, ValueError):
            return False

    return test


def _address(value: str, variables: bool) -> Test:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise UnknownOperator(value) from None

    def test(given: str, context: Context) -> bool:
        try:
            return ipaddress.ip_address(given) in network
        except ValueError:
            return False

    return test


OPERATORS: dict[str, tuple[bool, Callable[[str, bool], Test]]] = {
    "stringequals": (False, _text(False, False)),
    "stringnotequals": (True, _text(False, False)),
    "stringequalsignorecase": (False, _text(True, False)),
    "stringnotequalsignorecase": (True, _text(True, False)),
    "stringlike": (False, _text(False, True)),
    "stringnotlike": (True, _text(False, True)),
    "numericequals": (False, _numeric(operator.eq)),
    "numericnotequals": (True, _numeric(operator.eq)),
    "numericlessthan": (False, _numeric(operator.lt)),
    "numericlessthanequals": (False, _numeric(operator.le)),
    "numericgreaterthan": (False, _numeric(operator.gt)),
    "numericgreaterthanequals": (False, _numeric(operator.ge)),
    "dateequals": (False, _date(operator.eq)),
    "datenotequals": (True, _date(operator.eq)),
    "datelessthan": (False, _date(operator.lt)),
    "datelessthanequals": (False, _date(operator.le)),
    "dategreaterthan": (False, _date(operator.gt)),
    "dategreaterthanequals": (False, _date(operator.ge)),
    "bool": (False, _bool),
    "binaryequals": (False, _binary),
    "ipaddress": (False, _address),
    "notipaddress": (True, _address),
    "arnequals": (False, _arn),
    "arnlike": (False, _arn),
    "arnnotequals": (True, _arn),
    "arnnotlike": (True, _arn),
}
"""Operator in lower case: is it a negated one, and what makes the test for a value"""
