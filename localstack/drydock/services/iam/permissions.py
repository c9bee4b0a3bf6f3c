"""What a principal may do: its policies gathered and compiled, kept until the account's revision changes; and the two
checks that other services make: may the caller pass this role, and may this service assume it?
"""

from __future__ import annotations

from typing import NamedTuple

from drydock.errors import AccessDenied
from drydock.request import Principal
from drydock.services.iam.base import IamOperations
from drydock.services.iam.directory import Directory, scope_of
from drydock.services.iam.evaluation import (
    Caller,
    Decision,
    Permissions,
    PolicySet,
    evaluate,
    evaluate_trust,
)
from drydock.services.iam.model import Entity, Role, Session, User
from drydock.services.iam.patterns import ContextValue

_KEPT = 4096
_PRINCIPAL_TYPES = {"root": "Account", "user": "User", "role": "AssumedRole"}


class _Compiled(NamedTuple):
    revision: int
    entity: Entity
    permissions: Permissions


class PermissionsOf:
    """Compiled permissions of users and role sessions."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._kept: dict[tuple[str, str, str], _Compiled] = {}

    def principal(self, principal: Principal) -> Permissions:
        """All that bounds a user or a role session. One that is gone may do nothing."""
        directory, scope = self._directory, scope_of(principal.account)
        session = directory.sessions.get(scope, principal.access_key) if principal.access_key else None
        entity: User | Role | None
        if principal.kind == "user":
            entity = directory.users.get(scope, principal.name.lower())
        else:
            entity = directory.roles.get(scope, principal.name.lower())
        if entity is None or entity.id != principal.user_id.partition(":")[0]:
            return Permissions(PolicySet([]))
        revision = directory.revision(principal.account)
        key = (principal.account, entity.arn, session.access_key_id if session and session.policies else "")
        kept = self._kept.get(key)
        if kept is None or kept.revision != revision or kept.entity is not entity:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            kept = _Compiled(revision, entity, self._compile(principal.account, entity, session))
            self._kept[key] = kept
        return kept.permissions

    def _compile(self, account: str, entity: User | Role, session: Session | None) -> Permissions:
        holders: list[Entity] = [entity]
        if isinstance(entity, User):
            holders += [self._directory.group(account, name) for name in entity.groups]
        documents = []
        for holder in holders:
            documents += list(holder.inline.items())
            for arn in holder.attached:
                documents.append((arn, self._directory.policy(account, arn).document))
        boundary = None
        if entity.boundary:
            boundary = PolicySet([(entity.boundary, self._directory.policy(account, entity.boundary).document)])
        narrowed = None
        if session and session.policies:
            narrowed = PolicySet([("session policy", text) for text in session.policies])
        return Permissions(PolicySet(documents), boundary, narrowed, dict(entity.tags))


class PermissionChecks(IamOperations):
    """Checks that the gateway and other services make; no operations of AWS's."""

    permissions: PermissionsOf

    def decide(self, principal: Principal, action: str, resource: str, context: dict[str, ContextValue]) -> Decision:
        """May the principal do it? Root and services may do all."""
        if principal.kind in ("root", "service"):
            return Decision(True, policy=principal.kind)
        return evaluate(self.permissions.principal(principal), action, resource, context)

    def check_pass_role(self, caller: Principal, role_arn: str, service_principal: str) -> None:
        """``iam:PassRole``: may the caller hand this role to a service (``ecs-tasks.amazonaws.com``)?

        Raises AccessDenied with AWS's words. Whether the role exists and trusts the service is :meth:`check_assumable`.
        """
        if caller.kind in ("root", "service"):
            return
        context = self.principal_context(caller)
        context["iam:passedtoservice"] = service_principal
        decision = self.decide(caller, "iam:PassRole", role_arn, context)
        if not decision.allowed:
            raise AccessDenied(denial(caller, "iam:PassRole", role_arn, decision))

    def check_assumable(self, role_arn: str, service_principal: str, source_arn: str = "") -> str:
        """Why a service cannot assume a role; empty if it can. ``source_arn`` is for what the service acts (a task, a
        project), which a trust policy may ask for as ``aws:SourceArn``."""
        role = self.directory.role_by_arn(role_arn)
        if role is None:
            return f"The role {role_arn} does not exist."
        account = role_arn.split(":")[4]
        context: dict[str, ContextValue] = {"aws:sourceaccount": account}
        if source_arn:
            context["aws:sourcearn"] = source_arn
        caller = Caller(account, service=service_principal)
        decision, _ = evaluate_trust(role.trust, "sts:AssumeRole", caller, context)
        if decision.allowed:
            return ""
        return f"The role {role_arn} cannot be assumed by {service_principal}: its trust policy does not allow it."

    def principal_context(self, principal: Principal) -> dict[str, ContextValue]:
        """The condition keys that say who asks (names in lower case)."""
        context: dict[str, ContextValue] = {
            "aws:principalarn": principal.arn,
            "aws:principalaccount": principal.account,
            "aws:userid": principal.user_id,
            "aws:principaltype": _PRINCIPAL_TYPES.get(principal.kind, "Service"),
            "aws:principalisawsservice": "true" if principal.kind == "service" else "false",
            "aws:viaawsservice": "false",
        }
        if principal.kind == "user":
            context["aws:username"] = principal.name
        elif principal.kind == "role":
            role = self.directory.roles.get(scope_of(principal.account), principal.name.lower())
            context["aws:principalarn"] = role.arn if role else principal.arn
        if principal.kind in ("user", "role"):
            tags = dict(self.permissions.principal(principal).tags)
            session = self.directory.sessions.get(scope_of(principal.account), principal.access_key)
            if session is not None:
                tags |= session.tags
                context["aws:multifactorauthpresent"] = "false"
            context.update({f"aws:principaltag/{key.lower()}": value for key, value in tags.items()})
        return context


def denial(principal: Principal, action: str, resource: str, decision: Decision) -> str:
    """AWS's words. Source: "Troubleshoot access denied error messages"."""
    return f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource} {decision.reason}"
