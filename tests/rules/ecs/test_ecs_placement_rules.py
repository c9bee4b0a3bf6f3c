"""Which placement constraints and strategies are taken: API reference of PlacementConstraint and PlacementStrategy."""

from __future__ import annotations

from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.ecs import placement_rules
from drydock.services.ecs.placement import Constraint, Strategy

TYPE = "attribute:ecs.instance-type == t3.small"


def refusal(call: Any, given: list[dict[str, Any]]) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        call(given)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize("given, expected", [
    ([], ()),
    ([{"type": "distinctInstance"}], (Constraint("distinctInstance"),)),
    ([{"type": "memberOf", "expression": TYPE}], (Constraint("memberOf", TYPE),)),
    ([{"type": "memberOf", "expression": TYPE}, {"type": "distinctInstance"}],
     (Constraint("memberOf", TYPE), Constraint("distinctInstance"))),
    ([{"type": "distinctInstance"}] * 10, (Constraint("distinctInstance"),) * 10),
])  # fmt: skip
def test_constraints(given: list[dict[str, Any]], expected: tuple[Constraint, ...]) -> None:
    assert placement_rules.constraints(given) == expected


LONG = "attribute:x == " + "y" * 2000


@pytest.mark.parametrize("given, words", [
    ([{"type": "distinctInstance", "expression": TYPE}], "distinctInstance expression should not be specified."),
    ([{"type": "distinctInstance"}] * 11, "at most 10"),
    ([{"type": "memberOf"}], "expression"),
    ([{"type": "memberOf", "expression": ""}], "expression"),
    ([{"type": "memberOf", "expression": "nonsense"}], "nvalid expression"),
    ([{"type": "memberOf", "expression": LONG}], "2000"),
    ([{"type": "sameInstance"}], "sameInstance"),
    ([{}], "not supported"),
    ([{"type": "distinctInstance"}, {"type": "memberOf", "expression": "("}], "nvalid expression"),
])  # fmt: skip
def test_constraints_that_are_refused(given: list[dict[str, Any]], words: str) -> None:
    code, message = refusal(placement_rules.constraints, given)
    assert code == "InvalidParameterException"
    assert words in message


def test_an_expression_may_have_2000_characters() -> None:
    text = "attribute:x == " + "y" * (2000 - len("attribute:x == "))
    placement_rules.constraints([{"type": "memberOf", "expression": text}])


def test_constraints_of_a_task_definition() -> None:
    placement_rules.check_of_definition([{"type": "memberOf", "expression": TYPE}])
    assert refusal(placement_rules.check_of_definition, [{"type": "distinctInstance"}]) == (
        "ClientException", "constraint.type 'distinctInstance' is not supported."
    )  # fmt: skip
    assert (
        refusal(placement_rules.check_of_definition, [{"type": "memberOf", "expression": TYPE}] * 11)[0]
        == "ClientException"
    )


@pytest.mark.parametrize("given, expected", [
    ([], ()),
    ([{"type": "random"}], (Strategy("random"),)),
    ([{"type": "binpack", "field": "cpu"}], (Strategy("binpack", "cpu"),)),
    ([{"type": "binpack", "field": "MEMORY"}], (Strategy("binpack", "memory"),)),
    ([{"type": "spread", "field": "instanceId"}], (Strategy("spread", "instanceId"),)),
    ([{"type": "spread", "field": "host"}], (Strategy("spread", "instanceId"),)),
    ([{"type": "spread", "field": "attribute:ecs.availability-zone"}],
     (Strategy("spread", "attribute:ecs.availability-zone"),)),
    ([{"type": "spread", "field": "attribute:rack"}, {"type": "binpack", "field": "memory"}],
     (Strategy("spread", "attribute:rack"), Strategy("binpack", "memory"))),
    ([{"type": "random"}] * 5, (Strategy("random"),) * 5),
])  # fmt: skip
def test_strategies(given: list[dict[str, Any]], expected: tuple[Strategy, ...]) -> None:
    assert placement_rules.strategies(given) == expected


@pytest.mark.parametrize("given, words", [
    ([{"type": "random"}] * 6, "Maximum number of strategies is 5"),
    ([{"type": "random", "field": "cpu"}], "random field should not be specified"),
    ([{"type": "binpack", "field": "disk"}], "binpack field 'disk' is invalid"),
    ([{"type": "binpack"}], "binpack field '' is invalid"),
    ([{"type": "spread", "field": "zone"}], "zone"),
    ([{"type": "spread", "field": "attribute:"}], "attribute:"),
    ([{"type": "spread"}], "spread"),
    ([{"type": "even"}], "even"),
    ([{}], "not supported"),
])  # fmt: skip
def test_strategies_that_are_refused(given: list[dict[str, Any]], words: str) -> None:
    code, message = refusal(placement_rules.strategies, given)
    assert code == "InvalidParameterException"
    assert words in message


def test_how_strategies_are_shown() -> None:
    given = [{"type": "binpack", "field": "memory"}, {"type": "spread", "field": "host"}, {"type": "random"}]
    assert placement_rules.shown(placement_rules.strategies(given)) == [
        {"type": "binpack", "field": "MEMORY"}, {"type": "spread", "field": "instanceId"}, {"type": "random"}
    ]  # fmt: skip
