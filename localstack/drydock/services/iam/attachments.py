"""Policies of users, groups and roles: managed ones attached, inline ones put. The same for all three."""

from __future__ import annotations

from typing import Any

from drydock.request import Request
from drydock.services.iam import policy as documents
from drydock.services.iam import rules
from drydock.services.iam.base import IamOperations, Params, listing
from drydock.services.iam.model import Entity, Group, Role, User, encoded
from drydock.services.iam.roles import check_changeable

Holder = User | Group | Role


def kind_of(entity: Entity) -> str:
    """``user``, ``group`` or ``role``."""
    return type(entity).__name__.lower()


class Attachments(IamOperations):
    """Attach, detach and list managed policies."""

    def _attach(self, request: Request, entity: Holder, arn: str) -> None:
        policy = self.directory.attachable(request.account, arn)
        if policy.arn in entity.attached:
            return
        if len(entity.attached) >= rules.POLICIES_ATTACHED:
            raise rules.quota(f"PoliciesPer{type(entity).__name__}", rules.POLICIES_ATTACHED)
        entity.attached.append(policy.arn)
        self.directory.put(request.account, entity)

    def _detach(self, request: Request, entity: Holder, arn: str) -> None:
        if arn not in entity.attached:
            raise rules.no_such(f"Policy {arn} was not found.")
        entity.attached.remove(arn)
        self.directory.put(request.account, entity)

    def _attached(self, entity: Holder, params: Params) -> dict[str, Any]:
        prefix = params.get("PathPrefix") or "/"
        arns = [arn for arn in entity.attached if arn.partition(":policy")[2].startswith(prefix)]

        def shape(arn: str) -> dict[str, str]:
            return {"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn}

        return listing(arns, params, "AttachedPolicies", shape)

    def attach_user_policy(self, request: Request, params: Params) -> None:
        """AttachUserPolicy."""
        self._attach(request, self.directory.user(request.account, params["UserName"]), params["PolicyArn"])

    def attach_group_policy(self, request: Request, params: Params) -> None:
        """AttachGroupPolicy."""
        self._attach(request, self.directory.group(request.account, params["GroupName"]), params["PolicyArn"])

    def attach_role_policy(self, request: Request, params: Params) -> None:
        """AttachRolePolicy."""
        role = self.directory.role(request.account, params["RoleName"])
        check_changeable(role)
        self._attach(request, role, params["PolicyArn"])

    def detach_user_policy(self, request: Request, params: Params) -> None:
        """DetachUserPolicy."""
        self._detach(request, self.directory.user(request.account, params["UserName"]), params["PolicyArn"])

    def detach_group_policy(self, request: Request, params: Params) -> None:
        """DetachGroupPolicy."""
        self._detach(request, self.directory.group(request.account, params["GroupName"]), params["PolicyArn"])

    def detach_role_policy(self, request: Request, params: Params) -> None:
        """DetachRolePolicy."""
        role = self.directory.role(request.account, params["RoleName"])
        check_changeable(role)
        self._detach(request, role, params["PolicyArn"])

    def list_attached_user_policies(self, request: Request, params: Params) -> dict[str, Any]:
        """ListAttachedUserPolicies."""
        return self._attached(self.directory.user(request.account, params["UserName"]), params)

    def list_attached_group_policies(self, request: Request, params: Params) -> dict[str, Any]:
        """ListAttachedGroupPolicies."""
        return self._attached(self.directory.group(request.account, params["GroupName"]), params)

    def list_attached_role_policies(self, request: Request, params: Params) -> dict[str, Any]:
        """ListAttachedRolePolicies."""
        return self._attached(self.directory.role(request.account, params["RoleName"]), params)


class InlinePolicies(IamOperations):
    """Put, get, list and delete inline policies."""

    def _put(self, request: Request, entity: Holder, params: Params) -> None:
        name = rules.check_name("policyName", params["PolicyName"])
        document, kind = params["PolicyDocument"], kind_of(entity)
        documents.check(document, "identity")
        sizes = sum(documents.size(text) for other, text in entity.inline.items() if other != name)
        if sizes + documents.size(document) > rules.INLINE_SIZE[kind]:
            raise rules.limit(
                f"Maximum policy size of {rules.INLINE_SIZE[kind]} bytes exceeded for {kind} {entity.name}"
            )
        entity.inline[name] = document
        self.directory.put(request.account, entity)

    def _inline(self, entity: Holder, name: str) -> str:
        if name not in entity.inline:
            raise rules.no_such(f"The {kind_of(entity)} policy with name {name} cannot be found.")
        return entity.inline[name]

    def _get(self, entity: Holder, params: Params) -> dict[str, Any]:
        document = self._inline(entity, params["PolicyName"])
        return {
            f"{type(entity).__name__}Name": entity.name,
            "PolicyName": params["PolicyName"],
            "PolicyDocument": encoded(document),
        }

    def _delete(self, request: Request, entity: Holder, name: str) -> None:
        self._inline(entity, name)
        del entity.inline[name]
        self.directory.put(request.account, entity)

    def _names(self, entity: Holder, params: Params) -> dict[str, Any]:
        return listing(sorted(entity.inline), params, "PolicyNames", str)

    def put_user_policy(self, request: Request, params: Params) -> None:
        """PutUserPolicy."""
        self._put(request, self.directory.user(request.account, params["UserName"]), params)

    def put_group_policy(self, request: Request, params: Params) -> None:
        """PutGroupPolicy."""
        self._put(request, self.directory.group(request.account, params["GroupName"]), params)

    def put_role_policy(self, request: Request, params: Params) -> None:
        """PutRolePolicy."""
        role = self.directory.role(request.account, params["RoleName"])
        check_changeable(role)
        self._put(request, role, params)

    def get_user_policy(self, request: Request, params: Params) -> dict[str, Any]:
        """GetUserPolicy."""
        return self._get(self.directory.user(request.account, params["UserName"]), params)

    def get_group_policy(self, request: Request, params: Params) -> dict[str, Any]:
        """GetGroupPolicy."""
        return self._get(self.directory.group(request.account, params["GroupName"]), params)

    def get_role_policy(self, request: Request, params: Params) -> dict[str, Any]:
        """GetRolePolicy."""
        return self._get(self.directory.role(request.account, params["RoleName"]), params)

    def delete_user_policy(self, request: Request, params: Params) -> None:
        """DeleteUserPolicy."""
        self._delete(request, self.directory.user(request.account, params["UserName"]), params["PolicyName"])

    def delete_group_policy(self, request: Request, params: Params) -> None:
        """DeleteGroupPolicy."""
        self._delete(request, self.directory.group(request.account, params["GroupName"]), params["PolicyName"])

    def delete_role_policy(self, request: Request, params: Params) -> None:
        """DeleteRolePolicy."""
        role = self.directory.role(request.account, params["RoleName"])
        check_changeable(role)
        self._delete(request, role, params["PolicyName"])

    def list_user_policies(self, request: Request, params: Params) -> dict[str, Any]:
        """ListUserPolicies."""
        return self._names(self.directory.user(request.account, params["UserName"]), params)

    def list_group_policies(self, request: Request, params: Params) -> dict[str, Any]:
        """ListGroupPolicies."""
        return self._names(self.directory.group(request.account, params["GroupName"]), params)

    def list_role_policies(self, request: Request, params: Params) -> dict[str, Any]:
        """ListRolePolicies."""
        return self._names(self.directory.role(request.account, params["RoleName"]), params)
