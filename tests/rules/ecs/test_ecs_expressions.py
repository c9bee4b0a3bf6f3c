"""The cluster query language, from "Create expressions to define container instances for Amazon ECS tasks"."""

from __future__ import annotations

import contextlib

import pytest
from drydock.services.ecs.expressions import InvalidExpression, parse
from hypothesis import given
from hypothesis import strategies as st

INSTANCE = {
    "agentConnected": ["true"],
    "agentVersion": ["1.14.5"],
    "ec2InstanceId": ["i-abcd1234"],
    "registeredAt": ["2018-06-18T22:28:28+00:00"],
    "runningTasksCount": ["3"],
    "task:group": ["service:web", "family:batch"],
    "attribute:ecs.instance-type": ["g2.2xlarge"],
    "attribute:ecs.availability-zone": ["us-east-1a"],
    "attribute:stack": ["prod"],
    "attribute:my-org/rack_1": ["7"],
    "attribute:flag": [""],
}


def holds(text: str) -> bool:
    return parse(text)(lambda name: INSTANCE.get(name, []))


TRUE = [
    # AWS's own examples
    "attribute:ecs.instance-type == g2.2xlarge",
    "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]",
    "attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d",
    "task:group == service:web",
    "not(task:group == database)",
    "runningTasksCount >= 1",
    "ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']",
    "agentVersion < 1.14.6",
    "attribute:stack exists",
    # every operator in both spellings
    "attribute:stack == prod", "attribute:stack equals prod", "attribute:stack != test", "attribute:stack not_equals test",
    "runningTasksCount > 2", "runningTasksCount greater_than 2", "runningTasksCount >= 3",
    "runningTasksCount greater_than_equal 3", "runningTasksCount < 4", "runningTasksCount less_than 4",
    "runningTasksCount <= 3", "runningTasksCount less_than_equal 3", "attribute:nothing !exists",
    "attribute:nothing not_exists", "attribute:stack in [prod]", "attribute:stack !in [test, beta]",
    "attribute:stack not_in [test]", "attribute:stack =~ pr.*", "attribute:stack matches p.+d", "attribute:stack !~ te.*",
    "attribute:stack not_matches te.*", "attribute:stack == prod && runningTasksCount == 3",
    "attribute:stack == test || runningTasksCount == 3", "attribute:stack == test or runningTasksCount == 3",
    "!(attribute:stack == test)", "not (attribute:stack == test)",
    # quotes, brackets, blanks
    'attribute:stack == "prod"', "attribute:stack == 'prod'", 'attribute:stack in ["prod", test]',
    "  attribute:stack==prod  ", "attribute:stack in [ test ,prod ]", 'attribute:ecs.instance-type =~ "(g2|p3)[.].*"',
    "(attribute:stack == prod)", "((attribute:stack == prod) and (runningTasksCount == 3))",
    # attributes without a value, names with - / _
    "attribute:flag exists", "attribute:my-org/rack_1 == 7",
    # `and` binds closer than `or`
    "attribute:stack == prod or attribute:stack == prod and attribute:stack == test",
    "attribute:stack == test and attribute:stack == test or attribute:stack == prod",
    "not attribute:stack == test and attribute:stack == prod", "not not attribute:stack == prod",
    # an expression matches the whole value
    "attribute:ecs.instance-type =~ g2[.]2xlarge".replace("[.]", "."),
    # any task of the instance
    "task:group == family:batch", "task:group =~ service:.*", "task:group in [family:batch, x]",
    "agentConnected == true", "ec2InstanceId =~ i-ab.*", "ec2InstanceId != i-1",
    # versions are compared by their numbers
    "agentVersion > 1.9.0", "agentVersion > 1.9", "agentVersion >= 1.14", "agentVersion < 1.100.0", "agentVersion < 1.15",
    "agentVersion == 1.14.5", "agentVersion != 1.14.50", "agentVersion <= 1.14.5", "agentVersion < 2", "agentVersion > 1.2",
    # numbers by their size
    "runningTasksCount < 10", "runningTasksCount == 3", "runningTasksCount != 30",
    # times in each of the forms that AWS names, which mean the same
    "registeredAt == 2018-06-18T22:28:28+00:00", "registeredAt == 2018-06-18T22:28:28Z",
    "registeredAt == 2018-06-18T22:28:28", "registeredAt >= 2018-06-18T22:28:28Z", "registeredAt <= 2018-06-18T22:28:28Z",
    "registeredAt <= 2018-06-18T22:28:28", "registeredAt > 2018-06-18", "registeredAt < 2018-06-19",
    "registeredAt > 2017-12-31T23:59:59", "registeredAt != 2018-06-18T22:28:29Z",
    "registeredAt < 2018-06-18T22:28:28-02:00", "registeredAt > 2018-06-18T22:28:28+02:00",
]  # fmt: skip

FALSE = [
    "attribute:stack == test", "attribute:stack != prod", "attribute:stack == Prod", "runningTasksCount > 3",
    "runningTasksCount < 3", "runningTasksCount >= 4", "runningTasksCount <= 2", "attribute:stack !exists",
    "attribute:nothing exists", "attribute:nothing == prod", "attribute:nothing in [prod]", "attribute:nothing =~ .*",
    "attribute:nothing > 1", "attribute:nothing < 1", "attribute:stack in [test]", "attribute:stack !in [prod]",
    "attribute:stack =~ pro", "attribute:stack =~ rod", "attribute:stack !~ prod", "task:group == database",
    "not(task:group == service:web)", "task:group != service:web", "agentVersion < 1.14.5", "agentVersion > 1.14.5",
    "agentVersion >= 1.15", "agentVersion < 1.9.0", "agentVersion < 1.9", "agentVersion <= 1.14.4",
    "agentConnected == false", "(attribute:stack == test or attribute:stack == prod) and attribute:stack == test",
    "!(attribute:stack == prod)", "attribute:stack > 1", "registeredAt == 2018-06-18T22:28:29Z",
    "registeredAt > 2018-06-18T22:28:28Z", "registeredAt < 2018-06-18T22:28:28", "registeredAt < 2018-06-18",
    "registeredAt > 2018-06-19", "registeredAt != 2018-06-18T22:28:28Z", "runningTasksCount > 10",
]  # fmt: skip

WRONG = [
    "", " ", "attribute:stack", "attribute:stack ==", "== prod", "stack == prod", "attribute: == prod", "instanceId == i-1",
    "attribute:stack = prod", "attribute:stack === prod", "attribute:stack == prod and", "and attribute:stack == prod",
    "(attribute:stack == prod", "attribute:stack == prod)", "attribute:stack in prod", "attribute:stack in []",
    "attribute:stack in [prod", "attribute:stack in [prod,]", "attribute:stack in [,prod]", "attribute:stack in [prod test]",
    "attribute:stack == prod attribute:stack == prod", "attribute:stack == 'prod", 'attribute:stack == "prod',
    "attribute:stack exists prod", "not", "()", "!", "attribute:stack =~ '('", "attribute:stack =~ '['",
    "agentVersion > old", "runningTasksCount < many", "attribute:stack & prod", "attribute:stack == prod & true",
    "attribute:stack == prod | true", "task:family == x", "Attribute:stack == prod", "attribute:stack like prod",
    "(" * 200 + "attribute:stack exists" + ")" * 200, "!" * 200 + "attribute:stack exists",
]  # fmt: skip


@pytest.mark.parametrize("text", TRUE)
def test_expressions_that_hold(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize("text", FALSE)
def test_expressions_that_do_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize("text", WRONG)
def test_expressions_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidExpression):
        parse(text)


@pytest.mark.parametrize("text", [*TRUE, *FALSE])
def test_a_negation_turns_an_expression_round(text: str) -> None:
    assert holds(f"not ({text})") != holds(text)


@given(st.text(alphabet="attribute:sk exndo()[]!=<>~'\"&|,.0", max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidExpression):
        assert isinstance(holds(text), bool)


@given(
    st.lists(st.booleans(), min_size=1, max_size=6), st.lists(st.sampled_from(["and", "or", "&&", "||"]), max_size=5)
)
def test_long_expressions_mean_what_python_means(values: list[bool], words: list[str]) -> None:
    """`and` before `or`, from left to right."""
    terms = ["attribute:stack exists" if value else "attribute:nothing exists" for value in values]
    ours, python = terms[0], str(values[0])
    for term, value, word in zip(terms[1:], values[1:], words, strict=False):
        ours += f" {word} {term}"
        python += f" {'and' if word in ('and', '&&') else 'or'} {value}"
    assert holds(ours) == eval(python)  # noqa: S307


@given(st.tuples(*[st.integers(0, 200)] * 3), st.tuples(*[st.integers(0, 200)] * 3))
def test_versions_are_compared_number_by_number(mine: tuple[int, ...], other: tuple[int, ...]) -> None:
    seen, asked = (".".join(map(str, version)) for version in (mine, other))
    for operator, expected in ((">", mine > other), (">=", mine >= other), ("<", mine < other), ("<=", mine <= other)):
        found = parse(f"agentVersion {operator} {asked}")(lambda name: [seen] if name == "agentVersion" else [])
        assert found == expected, (seen, operator, asked)
