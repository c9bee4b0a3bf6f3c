"""What placement constraints and strategies may be given. Pure.

Source: API reference of PlacementConstraint and PlacementStrategy. The messages marked with (?) say the same in our words
and are to be compared with AWS.
"""

from __future__ import annotations

import re
from typing import Any

from drydock.services.ecs.expressions import InvalidExpression, parse
from drydock.services.ecs.placement import Constraint, Strategy
from drydock.services.ecs.rules import client_error, invalid

MOST_CONSTRAINTS, MOST_STRATEGIES = 10, 5
LONGEST_EXPRESSION = 2000
_SPREAD_FIELD = re.compile(r"instanceId|host|attribute:[\w.\-/\\]+", re.IGNORECASE)


def constraints(given: list[dict[str, Any]]) -> tuple[Constraint, ...]:
    """Of RunTask and of services. Raises InvalidParameterException."""
    if len(given) > MOST_CONSTRAINTS:
        raise invalid(f"placement constraints can have at most {MOST_CONSTRAINTS} items.")  # (?)
    for each in given:
        kind, expression = each.get("type"), each.get("expression", "")
        if kind == "distinctInstance":
            if expression:
                raise invalid("distinctInstance expression should not be specified.")
        elif kind == "memberOf":
            _check_expression(expression)
        else:
            raise invalid(f"constraint.type '{kind}' is not supported.")  # (?)
    return tuple(Constraint(each["type"], each.get("expression", "")) for each in given)


def check_of_definition(given: list[dict[str, Any]]) -> None:
    """Of a task definition, which may have ``memberOf`` only. Raises ClientException."""
    if len(given) > MOST_CONSTRAINTS:
        raise client_error(f"placement constraints can have at most {MOST_CONSTRAINTS} items.")  # (?)
    for each in given:
        if each.get("type") != "memberOf":
            raise client_error(f"constraint.type '{each.get('type')}' is not supported.")
        _check_expression(each.get("expression", ""))


def _check_expression(text: str) -> None:
    if not text:
        raise invalid("memberOf expression should be specified.")  # (?)
    if len(text) > LONGEST_EXPRESSION:
        raise invalid(f"expression longer than {LONGEST_EXPRESSION}.")  # (?)
    try:
        parse(text)
    except InvalidExpression as error:
        raise invalid(f"Invalid expression '{text}': {error}.") from error  # (?)


def strategies(given: list[dict[str, Any]]) -> tuple[Strategy, ...]:
    """Raises InvalidParameterException. Field names are AWS's in their own spelling, as describe shows them."""
    if len(given) > MOST_STRATEGIES:
        raise invalid(f"Maximum number of strategies is {MOST_STRATEGIES}")
    found = []
    for each in given:
        kind, field = each.get("type"), each.get("field", "")
        if kind == "binpack":
            if field.lower() not in ("cpu", "memory"):
                raise invalid(f"binpack field '{field}' is invalid")
            field = field.lower()
        elif kind == "spread":
            if not _SPREAD_FIELD.fullmatch(field):
                raise invalid(f"spread field '{field}' is invalid")  # (?)
            field = "instanceId" if field.lower() in ("instanceid", "host") else field
        elif kind == "random":
            if field:
                raise invalid("random field should not be specified")
        else:
            raise invalid(f"strategy.type '{kind}' is not supported.")  # (?)
        found.append(Strategy(str(kind), field))
    return tuple(found)


def shown(found: tuple[Strategy, ...]) -> list[dict[str, str]]:
    """As describe has them: memory and CPU in capitals, as AWS answers."""
    return [
        {
            "type": each.kind,
            **({"field": each.field.upper() if each.kind == "binpack" else each.field} if each.field else {}),
        }
        for each in found
    ]
