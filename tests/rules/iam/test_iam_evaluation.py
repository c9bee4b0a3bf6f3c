"""The policy decision."""

import json
from typing import Any

import pytest
from drydock.services.iam.evaluation import Caller, Decision, Permissions, PolicySet, evaluate, evaluate_trust
from hypothesis import given
from hypothesis import strategies as st

ARN = "arn:aws:s3:::bucket/key"


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def policies(*documents: str) -> PolicySet:
    return PolicySet([(f"p{index}", text) for index, text in enumerate(documents)])


def decide(
    *statements: dict[str, Any],
    action: str = "s3:GetObject",
    resource: str = ARN,
    boundary: list[dict[str, Any]] | None = None,
    session: list[dict[str, Any]] | None = None,
    **context: Any,
) -> Decision:
    permissions = Permissions(
        policies(document(*statements)) if statements else policies(),
        policies(document(*boundary)) if boundary is not None else None,
        policies(document(*session)) if session is not None else None,
    )
    return evaluate(permissions, action, resource, {key.replace("__", ":"): value for key, value in context.items()})


def test_nothing_is_allowed_without_a_policy() -> None:
    decision = decide()
    assert not decision.allowed and not decision.explicit_deny
    assert decision.reason == "because no identity-based policy allows the s3:GetObject action"


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (allow("s3:GetObject", ARN), True),
        (allow(["s3:Put*", "s3:Get*"], [ARN, "arn:aws:s3:::x"]), True),
        (allow("s3:getobject"), True),
        (allow("s3:Get?bject"), True),
        (allow("ec2:*"), False),
        (allow("s3:GetObject", "arn:aws:s3:::bucket"), False),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::other/*"}, True),
        ({"Effect": "Allow", "Action": "*", "NotResource": ["arn:aws:s3:::bucket/*"]}, False),
        (allow(Condition={"StringEquals": {"aws:username": "ann"}}), False),
    ],
)
def test_one_statement(statement: dict[str, Any], allowed: bool) -> None:
    assert decide(statement).allowed is allowed


def test_all_conditions_must_hold() -> None:
    statement = allow(
        Condition={
            "StringEquals": {"aws:username": "ann", "aws:requestedregion": ["us-east-1", "eu-west-1"]},
            "Bool": {"aws:securetransport": True},
        }
    )
    met: dict[str, Any] = {"aws__username": "ann", "aws__requestedregion": "eu-west-1", "aws__securetransport": "true"}
    assert decide(statement, **met).allowed
    for key in met:
        assert not decide(statement, **{**met, key: "other"}).allowed


def test_an_unmet_deny_does_not_deny() -> None:
    unmet = deny(Condition={"StringEquals": {"aws:requestedregion": "eu-west-1"}})
    assert decide(allow(), unmet, aws__requestedregion="us-east-1").allowed
    assert decide(allow(), unmet, aws__requestedregion="eu-west-1").explicit_deny


def test_explicit_deny_says_where() -> None:
    decision = decide(allow(Sid="Yes"), deny("s3:Get*", Sid="No"))
    assert (decision.allowed, decision.explicit_deny) == (False, True)
    assert decision.reason == "with an explicit deny in an identity-based policy"
    assert (decision.policy, decision.statement) == ("p0", "No")


def test_an_allow_says_which() -> None:
    decision = decide(allow("ec2:*"), allow("s3:*", Sid="Second"))
    assert (decision.allowed, decision.policy, decision.statement) == (True, "p0", "Second")


def test_a_boundary_bounds_and_grants_nothing() -> None:
    assert decide(allow("s3:*"), boundary=[allow("s3:*")]).allowed
    outside = decide(allow("s3:*"), boundary=[allow("ec2:*")])
    assert outside.reason == "because no permissions boundary allows the s3:GetObject action"
    assert not decide(boundary=[allow()]).allowed
    denied = decide(allow(), boundary=[allow(), deny("s3:*")])
    assert denied.reason == "with an explicit deny in a permissions boundary"


def test_a_session_policy_bounds_and_grants_nothing() -> None:
    assert decide(allow("s3:*"), session=[allow("s3:GetObject")]).allowed
    outside = decide(allow("s3:*"), session=[allow("s3:PutObject")])
    assert outside.reason == "because no session policy allows the s3:GetObject action"
    assert not decide(session=[allow()]).allowed
    assert decide(allow(), session=[deny()]).reason == "with an explicit deny in a session policy"


def test_boundary_and_session_policy_intersect() -> None:
    assert decide(allow(), boundary=[allow("s3:*")], session=[allow("*")]).allowed
    assert not decide(allow(), boundary=[allow("s3:*")], session=[allow("ec2:*")]).allowed


def test_the_identity_policy_is_named_first() -> None:
    decision = decide(boundary=[], session=[])
    assert "identity-based" in decision.reason


def test_old_version_knows_no_variables() -> None:
    old = PolicySet([("p", document(allow("*", "arn:aws:s3:::${aws:username}"), version="2008-10-17"))])
    assert not evaluate(Permissions(old), "s3:x", "arn:aws:s3:::ann", {"aws:username": "ann"}).allowed


def test_a_single_statement_need_not_be_a_list() -> None:
    assert (
        PolicySet([("p", json.dumps({"Version": "2012-10-17", "Statement": allow()}))]).decide("a:b", "*", {}).allowed
    )


ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "ec2:RunInstances", "iam:PassRole"])
PATTERNS = st.sampled_from(["*", "s3:*", "s3:Get*", "ec2:Run?nstances", "iam:PassRole", "*:*Object"])
RESOURCES = st.sampled_from(["*", "arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/key", "arn:aws:s3:::other"])
STATEMENTS = st.builds(
    lambda effect, action, resource: {"Effect": effect, "Action": action, "Resource": resource},
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.lists(PATTERNS, min_size=1, max_size=2),
    st.lists(RESOURCES, min_size=1, max_size=2),
)


@given(st.lists(STATEMENTS, max_size=6), ACTIONS)
def test_explicit_deny_always_wins(statements: list[dict[str, Any]], action: str) -> None:
    assert decide(*statements, deny(action), action=action).explicit_deny


@given(st.lists(STATEMENTS, max_size=6), STATEMENTS, ACTIONS)
def test_adding_an_allow_never_takes_anything_away(
    statements: list[dict[str, Any]], more: dict[str, Any], action: str
) -> None:
    before = decide(*statements, action=action)
    after = decide(*statements, {**more, "Effect": "Allow"}, action=action)
    assert after.allowed >= before.allowed
    assert after.explicit_deny == before.explicit_deny


@given(st.lists(STATEMENTS, max_size=6), ACTIONS, st.randoms())
def test_the_order_of_statements_does_not_matter(statements: list[dict[str, Any]], action: str, random: Any) -> None:
    shuffled = list(statements)
    random.shuffle(shuffled)
    assert decide(*statements, action=action).allowed == decide(*shuffled, action=action).allowed


@given(st.lists(STATEMENTS, max_size=4), st.lists(STATEMENTS, max_size=4), ACTIONS)
def test_a_boundary_only_takes_away(
    statements: list[dict[str, Any]], boundary: list[dict[str, Any]], action: str
) -> None:
    bounded = decide(*statements, boundary=boundary, action=action).allowed
    assert bounded == (decide(*statements, action=action).allowed and decide(*boundary, action=action).allowed)


ACCOUNT = "123456789012"
USER = Caller(ACCOUNT, (f"arn:aws:iam::{ACCOUNT}:user/ann",))
ROLE = Caller(ACCOUNT, (f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", f"arn:aws:iam::{ACCOUNT}:role/r"))
SERVICE = Caller(ACCOUNT, service="ecs-tasks.amazonaws.com")


def trust(principal: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole", **more}


@pytest.mark.parametrize(
    ("principal", "caller", "how"),
    [
        ("*", USER, "direct"),
        ({"AWS": "*"}, USER, "direct"),
        ({"AWS": ACCOUNT}, USER, "account"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, USER, "account"),
        ({"AWS": ["arn:aws:iam::999999999999:root", USER.arns[0]]}, USER, "direct"),
        ({"AWS": "arn:aws:iam::999999999999:root"}, USER, ""),
        ({"AWS": ROLE.arns[1]}, ROLE, "direct"),
        ({"AWS": ROLE.arns[0]}, ROLE, "direct"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, ROLE, ""),
        ({"Service": "ecs-tasks.amazonaws.com"}, SERVICE, "direct"),
        ({"Service": ["ec2.amazonaws.com"]}, SERVICE, ""),
        ({"AWS": ACCOUNT}, SERVICE, ""),
        ({"Service": "ecs-tasks.amazonaws.com"}, USER, ""),
    ],
)
def test_trust_names_the_caller(principal: Any, caller: Caller, how: str) -> None:
    decision, named = evaluate_trust(document(trust(principal)), "sts:AssumeRole", caller, {})
    assert named == how
    assert decision.allowed is bool(how)


def test_trust_deny_and_conditions() -> None:
    both = document(trust({"AWS": ACCOUNT}), trust({"AWS": USER.arns[0]}, "Deny"))
    assert evaluate_trust(both, "sts:AssumeRole", USER, {})[0].explicit_deny
    external = document(trust({"AWS": ACCOUNT}, Condition={"StringEquals": {"sts:ExternalId": "x"}}))
    assert evaluate_trust(external, "sts:AssumeRole", USER, {"sts:externalid": "x"})[0].allowed
    assert not evaluate_trust(external, "sts:AssumeRole", USER, {})[0].allowed


def test_trust_of_another_action_says_nothing() -> None:
    assert not evaluate_trust(document(trust("*")), "sts:TagSession", USER, {})[0].allowed
