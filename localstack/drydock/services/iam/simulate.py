"""The policy simulator: what the decision would be, and which statements made it.

Source: API reference of SimulatePrincipalPolicy and SimulateCustomPolicy. It is the same evaluation that real requests
meet; the caller gives the condition keys.
"""

from __future__ import annotations

from typing import Any

from drydock.errors import NotImplementedByDrydock
from drydock.request import Request
from drydock.services.iam import policy as documents
from drydock.services.iam import rules
from drydock.services.iam.base import IamOperations, Params
from drydock.services.iam.evaluation import Decision, PolicySet, compile_policy
from drydock.services.iam.model import Group, Role, User
from drydock.services.iam.patterns import Context, ContextValue

Document = tuple[str, str, str]
"""Id, sort (as PolicySourceType) and text"""
_LACKING = ("ResourcePolicy", "ResourceOwner", "ResourceHandlingOption", "OrderedOrganizationPolicyInputList",
            "PolicyExclusionList")  # fmt: skip


class Simulator(IamOperations):
    """SimulateCustomPolicy and SimulatePrincipalPolicy."""

    def simulate_custom_policy(self, request: Request, params: Params) -> dict[str, Any]:
        """SimulateCustomPolicy: documents of the caller's."""
        return _simulate("SimulateCustomPolicy", params, _given(params), [])

    def simulate_principal_policy(self, request: Request, params: Params) -> dict[str, Any]:
        """SimulatePrincipalPolicy: a user's, group's or role's policies, and further documents."""
        entity = self._entity(request, params["PolicySourceArn"])
        holders: list[User | Group | Role] = [entity]
        if isinstance(entity, User):
            holders += [self.directory.group(request.account, name) for name in entity.groups]
        found: list[Document] = []
        for holder in holders:
            sort = type(holder).__name__.lower()
            found += [(f"{sort}_{holder.name}_{name}", sort, text) for name, text in holder.inline.items()]
            for arn in holder.attached:
                sort = "aws-managed" if arn.startswith("arn:aws:iam::aws:") else "user-managed"
                policy = self.directory.policy(request.account, arn)
                found.append((policy.name, sort, policy.document))
        boundary = "" if isinstance(entity, Group) else entity.boundary
        bounds = [self.directory.policy(request.account, boundary).document] if boundary else []
        return _simulate("SimulatePrincipalPolicy", params, found + _given(params), bounds)

    def _entity(self, request: Request, arn: str) -> User | Group | Role:
        for entity in self.directory.entities(request.account):
            if entity.arn == arn:
                return entity
        raise rules.no_such(f"The entity {arn} cannot be found.")


def _given(params: Params) -> list[Document]:
    texts = params.get("PolicyInputList") or []
    return [(f"PolicyInputList.{number}", "none", _checked(text)) for number, text in enumerate(texts, 1)]


def _checked(text: str) -> str:
    documents.check(text, "identity")
    return text


def _simulate(operation: str, params: Params, found: list[Document], bounds: list[str]) -> dict[str, Any]:
    for name in _LACKING:
        if params.get(name):
            raise NotImplementedByDrydock("iam", operation, f"It does not know {name}; leave it out.")
    bounds = [_checked(text) for text in params.get("PermissionsBoundaryPolicyInputList") or bounds]
    context: dict[str, ContextValue] = {}
    for entry in params.get("ContextEntries") or []:
        values = [str(value) for value in entry.get("ContextKeyValues") or []]
        several = str(entry.get("ContextKeyType", "")).endswith("List")
        if values:
            context[str(entry.get("ContextKeyName", "")).lower()] = values if several else values[0]
    asked = [(action, resource) for action in params["ActionNames"] for resource in params.get("ResourceArns") or ["*"]]
    page, rest = rules.page(asked, params, lambda pair: _result(found, bounds, pair[0], pair[1], context))
    return {"EvaluationResults": page, **rest}


def _result(found: list[Document], bounds: list[str], action: str, resource: str, context: Context) -> dict[str, Any]:
    decisions = {name: PolicySet([(name, text)]).decide(action, resource, context) for name, _, text in found}
    decision = _together(list(decisions.values()))
    matched = [
        {"SourcePolicyId": name, "SourcePolicyType": sort}
        for name, sort, _ in found
        if (decisions[name].explicit_deny if decision.explicit_deny else decisions[name].allowed)
    ]
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "MatchedStatements": matched,
        "MissingContextValues": _missing([text for _, _, text in found] + bounds, action, context),
    }
    if bounds:
        bounded = PolicySet([("boundary", text) for text in bounds]).decide(action, resource, context)
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": bounded.allowed}
        if bounded.explicit_deny or decision.explicit_deny:
            decision = Decision(False, True)
        elif not bounded.allowed:
            decision = Decision(False)
    names = {(True, False): "allowed", (False, True): "explicitDeny", (False, False): "implicitDeny"}
    result["EvalDecision"] = names[decision.allowed, decision.explicit_deny]
    return result


def _together(decisions: list[Decision]) -> Decision:
    denied = next((one for one in decisions if one.explicit_deny), None)
    return denied or next((one for one in decisions if one.allowed), Decision(False))


def _missing(texts: list[str], action: str, context: Context) -> list[str]:
    """Condition keys that statements on this action ask for and the request does not give."""
    keys = {
        condition.key
        for text in texts
        for statement in compile_policy(text)
        if statement.speaks_of(action)
        for condition in statement.conditions
    }
    return sorted(key for key in keys if key not in context)
