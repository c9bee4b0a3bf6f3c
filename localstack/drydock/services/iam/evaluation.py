"""The policy decision: may this caller do this action on this resource? Pure: documents and facts in, a decision out.

Source: "Policy evaluation logic" and "How AWS enforcement code logic evaluates requests", in this order:

1. An explicit deny in any policy denies.
2. An identity-based policy must allow (of the user and its groups, or of the role).
3. A permissions boundary, where there is one, must allow too.
4. A session policy, where there is one, must allow too.

Documents are compiled once (:func:`compile_policy` keeps them by their text); a :class:`PolicySet` remembers which of
its statements speak of an action, so the second request for it looks at those alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from drydock.services.iam.conditions import Condition, compile_condition
from drydock.services.iam.patterns import Context, Names, Resources

CURRENT_VERSION = "2012-10-17"
_REMEMBERED_ACTIONS = 1024


@dataclass(frozen=True, slots=True)
class Decision:
    """``reason`` is how AWS ends its message; ``policy`` and ``statement`` name what decided, if something did."""

    allowed: bool
    explicit_deny: bool = False
    reason: str = ""
    policy: str = ""
    statement: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as a Principal element sees it: a user, a role session (``arns``: the role's and the session's), an
    account's root, or an AWS service."""

    account: str
    arns: tuple[str, ...] = ()
    service: str = ""


@dataclass(frozen=True, slots=True)
class Principals:
    """A Principal or NotPrincipal element."""

    anyone: bool
    aws: frozenset[str]
    services: frozenset[str]
    negated: bool = False

    def match(self, caller: Caller) -> str:
        """``direct`` if the caller itself is named, ``account`` if only its account is (then its own policies must
        allow as well), else nothing."""
        found = self._named(caller)
        if self.negated:
            return "" if found else "direct"
        return found

    def _named(self, caller: Caller) -> str:
        if caller.service:
            return "direct" if caller.service in self.services or self.anyone else ""
        if self.anyone or any(arn in self.aws for arn in caller.arns if not arn.endswith(":root")):
            return "direct"
        whole = (caller.account, f"arn:aws:iam::{caller.account}:root")
        return "account" if any(name in self.aws for name in whole) else ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, ready to be asked."""

    name: str
    allow: bool
    actions: Names
    actions_negated: bool
    resources: Resources | None
    resources_negated: bool
    principals: Principals | None
    conditions: tuple[Condition, ...]

    def speaks_of(self, action: str) -> bool:
        """Is the action one of this statement's?"""
        return self.actions.match(action) is not self.actions_negated

    def applies(self, resource: str, context: Context) -> bool:
        """Given that it speaks of the action: does it of the resource, and do its conditions hold?"""
        if self.resources is not None and self.resources.match(resource, context) is self.resources_negated:
            return False
        return all(condition.holds(context) for condition in self.conditions)


@lru_cache(maxsize=2048)
def compile_policy(document: str) -> tuple[Statement, ...]:
    """The statements of a valid policy document (JSON text)."""
    policy = json.loads(document)
    variables = policy.get("Version") == CURRENT_VERSION
    statements = policy.get("Statement", [])
    return tuple(
        _statement(one, index, variables)
        for index, one in enumerate(statements if isinstance(statements, list) else [statements])
    )


def listed(value: Any) -> list[Any]:
    """A policy may write one thing or a list of things."""
    return value if isinstance(value, list) else [value]


def _statement(raw: dict[str, Any], index: int, variables: bool) -> Statement:
    resources = listed(raw.get("Resource", raw.get("NotResource", [])))
    return Statement(
        name=raw.get("Sid") or f"#{index + 1}",
        allow=raw["Effect"] == "Allow",
        actions=Names(listed(raw.get("Action", raw.get("NotAction", [])))),
        actions_negated="NotAction" in raw,
        resources=Resources(resources, variables) if "Resource" in raw or "NotResource" in raw else None,
        resources_negated="NotResource" in raw,
        principals=_principals(raw),
        conditions=tuple(
            compile_condition(operator, key, [as_text(value) for value in listed(values)], variables)
            for operator, keys in raw.get("Condition", {}).items()
            for key, values in keys.items()
        ),
    )


def as_text(value: Any) -> str:
    """A condition's value may be a JSON boolean or number; policies mean its text."""
    return json.dumps(value) if isinstance(value, bool | int | float) else str(value)


def _principals(raw: dict[str, Any]) -> Principals | None:
    negated = "NotPrincipal" in raw
    element = raw.get("NotPrincipal" if negated else "Principal")
    if element is None:
        return None
    if element == "*":
        return Principals(True, frozenset(), frozenset(), negated)
    aws = frozenset(listed(element.get("AWS", [])))
    return Principals("*" in aws, aws, frozenset(listed(element.get("Service", []))), negated)


class PolicySet:
    """Policies of one sort (all identity-based ones of a role, say), asked together."""

    def __init__(self, documents: Iterable[tuple[str, str]]) -> None:
        """``documents``: name and JSON text of each."""
        self._statements = tuple(
            (name, statement) for name, document in documents for statement in compile_policy(document)
        )
        self._by_action: dict[str, tuple[tuple[str, Statement], ...]] = {}

    def decide(self, action: str, resource: str, context: Context) -> Decision:
        """What these policies alone say; not allowed without an explicit deny means that they are silent."""
        speaking = self._by_action.get(action)
        if speaking is None:
            speaking = self._remember(action)
        allowed: Decision | None = None
        for name, statement in speaking:
            if allowed is not None and statement.allow:
                continue
            if statement.applies(resource, context):
                if not statement.allow:
                    return Decision(False, True, policy=name, statement=statement.name)
                allowed = Decision(True, policy=name, statement=statement.name)
        return allowed or Decision(False)

    def _remember(self, action: str) -> tuple[tuple[str, Statement], ...]:
        if len(self._by_action) >= _REMEMBERED_ACTIONS:
            self._by_action.clear()
        found = tuple(pair for pair in self._statements if pair[1].speaks_of(action))
        self._by_action[action] = found
        return found


@dataclass(frozen=True, slots=True)
class Permissions:
    """All that bounds what a caller may do."""

    identity: PolicySet
    boundary: PolicySet | None = None
    session: PolicySet | None = None
    tags: dict[str, str] = field(default_factory=dict)
    """The principal's tags, for ``aws:PrincipalTag``"""


KINDS = ("identity-based policy", "permissions boundary", "session policy")


def evaluate(permissions: Permissions, action: str, resource: str, context: Context) -> Decision:
    """The decision for one action on one resource (an ARN or ``*``)."""
    sets = (permissions.identity, permissions.boundary, permissions.session)
    silent = ""
    granted = Decision(False)
    for kind, policies in zip(KINDS, sets, strict=True):
        if policies is None:
            continue
        decision = policies.decide(action, resource, context)
        if decision.explicit_deny:
            article = "an" if kind[0] in "aeiou" else "a"
            reason = f"with an explicit deny in {article} {kind}"
            return Decision(False, True, reason, decision.policy, decision.statement)
        if decision.allowed:
            granted = granted if granted.allowed else decision
        else:
            silent = silent or f"because no {kind} allows the {action} action"
    return Decision(False, reason=silent) if silent else granted


def evaluate_trust(document: str, action: str, caller: Caller, context: Context) -> tuple[Decision, str]:
    """What a role's trust policy says of a caller, and how it names it (see :meth:`Principals.match`)."""
    allowed, how = Decision(False, reason=f"because no role trust policy allows the {action} action"), ""
    for statement in compile_policy(document):
        named = statement.principals.match(caller) if statement.principals else ""
        if not named or not statement.speaks_of(action) or not statement.applies("", context):
            continue
        if not statement.allow:
            reason = "with an explicit deny in the role trust policy"
            return Decision(False, True, reason, "trust policy", statement.name), named
        if how != "direct":
            allowed, how = Decision(True, policy="trust policy", statement=statement.name), named
    return allowed, how


def lets_service(document: str, action: str, resource: str, caller: Caller, context: Context) -> bool:
    """Whether a resource's policy lets an AWS service do something with it: somebody must allow and nobody deny."""
    try:
        speaking = [
            statement
            for statement in compile_policy(document)
            if statement.principals is not None
            and statement.principals.match(caller)
            and statement.speaks_of(action)
            and statement.applies(resource, context)
        ]
    except (ValueError, KeyError, TypeError, AttributeError):  # moto takes any text for a policy
        return False
    return bool(speaking) and all(statement.allow for statement in speaking)
