"""Conditions and rules of a template: decided once, of parameters and mappings alone. Pure.

Source: "Conditions" and "Rules" of the CloudFormation User Guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from drydock.services.cloudformation.faults import format_error, invalid, template_error
from drydock.services.cloudformation.intrinsics import UNKNOWN, Context, evaluate, function_of, text_of

_AND = "every {} object requires a list of at least 2 and at most 10 boolean parameters."
_MOST_DEEP = 100


def conditions_of(definitions: dict[str, Any], context: Context) -> dict[str, bool]:
    """Every condition decided. Raises ValidationError."""
    decided: dict[str, bool] = {}
    for name in definitions:
        _decide(name, definitions, context, decided, [])
    return decided


def _decide(
    name: str, definitions: dict[str, Any], context: Context, decided: dict[str, bool], under: list[str]
) -> bool:
    if name in decided:
        return decided[name]
    if name not in definitions:
        raise format_error(f"Unresolved condition dependency {name} in the Conditions block of the template")
    if name in under or len(under) > _MOST_DEEP:
        raise format_error(f"Circular dependency between conditions: [{', '.join(sorted({*under, name}))}]")  # (?)

    def other(inner: str) -> bool:
        return _decide(inner, definitions, context, decided, [*under, name])

    decided[name] = truth(definitions[name], context, other)
    return decided[name]


def truth(node: Any, context: Context, other: Any) -> bool:
    """Of a condition function; ``other`` decides a condition by its name. Raises ValidationError."""
    name = function_of(node)
    given = node[name] if name else None
    if name == "Condition":
        return bool(other(given))
    if name == "Fn::Equals":
        if not isinstance(given, list) or len(given) != 2:
            raise template_error("every Fn::Equals object requires a list of 2 string parameters.")
        left, right = (_plain(part, context) for part in given)
        return _same(left, right)
    if name == "Fn::Not":
        if not isinstance(given, list) or len(given) != 1:
            raise template_error("every Fn::Not object requires one boolean parameter.")
        return not truth(given[0], context, other)
    if name in ("Fn::And", "Fn::Or"):
        if not isinstance(given, list) or not 2 <= len(given) <= 10:
            raise template_error(_AND.format(name))
        decisions = [truth(part, context, other) for part in given]
        return all(decisions) if name == "Fn::And" else any(decisions)
    if name in ("Fn::Contains", "Fn::EachMemberIn", "Fn::EachMemberEquals"):
        return _of_rule(name, given, context)
    if isinstance(node, bool) or node in ("true", "false"):
        return node in (True, "true")
    raise format_error("Conditions can only be boolean operations on parameters and other conditions")


def _plain(node: Any, context: Context) -> Any:
    value = evaluate(node, context)
    if value is UNKNOWN:
        raise format_error("Conditions can only be boolean operations on parameters and other conditions")
    return value


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, list | dict) or isinstance(right, list | dict):
        return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    return text_of(left) == text_of(right)


def _of_rule(name: str, given: Any, context: Context) -> bool:
    if not isinstance(given, list) or len(given) != 2:
        raise template_error(f"every {name} object requires two parameters.")  # (?)
    left, right = (_plain(part, context) for part in given)
    members = [text_of(one) for one in (left if isinstance(left, list) else [left])]
    if name == "Fn::Contains":
        return text_of(right) in members
    if name == "Fn::EachMemberEquals":
        return all(one == text_of(right) for one in members)
    allowed = {text_of(one) for one in (right if isinstance(right, list) else [right])}
    return all(one in allowed for one in members)


def check_rules(rules: dict[str, Any], context: Context) -> None:
    """The template's Rules. Raises ValidationError with the descriptions of the assertions that fail."""
    for name, rule in rules.items():
        if not isinstance(rule, dict) or not isinstance(rule.get("Assertions"), list):
            raise format_error(f"Rule {name} must have Assertions.")  # (?)
        for told in _failed(rule, context):
            raise invalid(f"Template validation error: Rule {name} failed: {told}")  # (?)


def _failed(rule: dict[str, Any], context: Context) -> Iterator[str]:
    def none(name: str) -> bool:
        raise format_error("Rules cannot refer to conditions")  # (?)

    if "RuleCondition" in rule and not truth(rule["RuleCondition"], context, none):
        return
    for assertion in rule["Assertions"]:
        if not isinstance(assertion, dict) or not truth(assertion.get("Assert"), context, none):
            yield str(assertion.get("AssertDescription") or "an assertion does not hold.")
