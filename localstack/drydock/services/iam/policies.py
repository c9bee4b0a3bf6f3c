"""Managed policies and their versions."""

from __future__ import annotations

from typing import Any

from drydock.request import Request
from drydock.services.iam import managed, rules
from drydock.services.iam import policy as documents
from drydock.services.iam.base import IamOperations, Params, listing, under
from drydock.services.iam.model import (
    Group,
    ManagedPolicy,
    PolicyVersion,
    Role,
    User,
    policy_shape,
    tag_list,
    version_shape,
)


def check_managed(document: str) -> None:
    """Raises MalformedPolicyDocument, or LimitExceeded if it is too long."""
    documents.check(document, "identity")
    if documents.size(document) > rules.MANAGED_POLICY_SIZE:
        raise rules.quota("PolicySize", rules.MANAGED_POLICY_SIZE)


class Policies(IamOperations):
    """Operations on managed policies."""

    def create_policy(self, request: Request, params: Params) -> dict[str, Any]:
        """CreatePolicy."""
        name = rules.check_name("policyName", params["PolicyName"])
        path = rules.check_path(params.get("Path"))
        document = params["PolicyDocument"]
        check_managed(document)
        tags = rules.merged_tags({}, params.get("Tags") or [])
        if self.directory.policies.get(request.global_scope, name.lower()):
            raise rules.exists(f"A policy called {name} already exists. Duplicate names are not allowed.")
        self.check_quota(request, self.directory.policies, "Policies")
        arn, now = self.arn(request, "policy", path, name), self.now(request)
        policy = ManagedPolicy(
            name=name,
            path=path,
            id=self.directory.unique_id(request.account, "ANPA", arn),
            arn=arn,
            created=now,
            updated=now,
            description=params.get("Description"),
            tags=tags,
            versions=[PolicyVersion(id="v1", document=document, created=now)],
        )
        self.directory.put(request.account, policy)
        shape = self.summary(request.account, policy)
        return {"Policy": {**shape, "Tags": tag_list(tags)} if tags else shape}

    def summary(self, account: str, policy: ManagedPolicy) -> dict[str, Any]:
        """The policy as lists show it, with how often it is used."""
        entities = self.directory.entities(account)
        attachments = sum(policy.arn in entity.attached for entity in entities)
        boundaries = sum(not isinstance(one, Group) and one.boundary == policy.arn for one in entities)
        return policy_shape(policy, attachments, boundaries)

    def get_policy(self, request: Request, params: Params) -> dict[str, Any]:
        """GetPolicy."""
        policy = self.directory.policy(request.account, params["PolicyArn"])
        shape = self.summary(request.account, policy)
        if policy.description is not None:
            shape["Description"] = policy.description
        shape["Tags"] = tag_list(policy.tags)
        return {"Policy": shape}

    def list_policies(self, request: Request, params: Params) -> dict[str, Any]:
        """ListPolicies: the account's, AWS's, or both."""
        scope, usage = params.get("Scope") or "All", params.get("PolicyUsageFilter")
        only_attached = params.get("OnlyAttached") in (True, "true")
        found: list[ManagedPolicy] = [] if scope == "AWS" else self.directory.policies.of(request.global_scope)
        if scope != "Local":
            found = [*found, *managed.every()]
        attached, boundaries = self._uses(request.account)
        wanted = [
            policy
            for policy in found
            if under(params, policy.path)
            and (not only_attached or policy.arn in attached or policy.arn in boundaries)
            and (usage != "PermissionsPolicy" or policy.arn in attached)
            and (usage != "PermissionsBoundary" or policy.arn in boundaries)
        ]

        def shape(policy: ManagedPolicy) -> dict[str, Any]:
            return policy_shape(policy, attached.get(policy.arn, 0), boundaries.get(policy.arn, 0))

        return listing(wanted, params, "Policies", shape)

    def _uses(self, account: str) -> tuple[dict[str, int], dict[str, int]]:
        """How often each policy is attached, and how often it is a boundary."""
        attached: dict[str, int] = {}
        boundaries: dict[str, int] = {}
        for entity in self.directory.entities(account):
            for arn in entity.attached:
                attached[arn] = attached.get(arn, 0) + 1
            if isinstance(entity, User | Role) and entity.boundary:
                boundaries[entity.boundary] = boundaries.get(entity.boundary, 0) + 1
        return attached, boundaries

    def delete_policy(self, request: Request, params: Params) -> None:
        """DeletePolicy: only one that nobody has, with no version but the default one."""
        policy = self.directory.own_policy(request.account, params["PolicyArn"])
        attached, boundaries = self._uses(request.account)
        if policy.arn in attached or policy.arn in boundaries:
            raise rules.conflict("Cannot delete a policy attached to entities.")
        if len(policy.versions) > 1:
            raise rules.conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's"
                " versions. The default version is deleted with the policy."
            )
        self.directory.forget(request.account, self.directory.policies, policy.name)

    def create_policy_version(self, request: Request, params: Params) -> dict[str, Any]:
        """CreatePolicyVersion; at most five are kept."""
        policy = self.directory.own_policy(request.account, params["PolicyArn"])
        check_managed(params["PolicyDocument"])
        if len(policy.versions) >= rules.POLICY_VERSIONS:
            raise rules.limit(
                f"A managed policy can have up to {rules.POLICY_VERSIONS} versions. Before you create a new version,"
                " you must delete an existing version."
            )
        policy.made += 1
        now = self.now(request)
        version = PolicyVersion(id=f"v{policy.made}", document=params["PolicyDocument"], created=now)
        policy.versions.insert(0, version)
        policy.updated = now
        if params.get("SetAsDefault") in (True, "true"):
            policy.default = version.id
        self.directory.put(request.account, policy)
        return {"PolicyVersion": version_shape(policy, version, False)}

    def _version(self, policy: ManagedPolicy, version_id: str) -> PolicyVersion:
        version = policy.version(version_id)
        if version is None:
            raise rules.no_such(f"Policy {policy.arn} version {version_id} does not exist or is not attachable.")
        return version

    def get_policy_version(self, request: Request, params: Params) -> dict[str, Any]:
        """GetPolicyVersion."""
        policy = self.directory.policy(request.account, params["PolicyArn"])
        return {"PolicyVersion": version_shape(policy, self._version(policy, params["VersionId"]), True)}

    def list_policy_versions(self, request: Request, params: Params) -> dict[str, Any]:
        """ListPolicyVersions, newest first."""
        policy = self.directory.policy(request.account, params["PolicyArn"])

        def shape(version: PolicyVersion) -> dict[str, Any]:
            return version_shape(policy, version, False)

        return listing(policy.versions, params, "Versions", shape)

    def set_default_policy_version(self, request: Request, params: Params) -> None:
        """SetDefaultPolicyVersion."""
        policy = self.directory.own_policy(request.account, params["PolicyArn"])
        policy.default = self._version(policy, params["VersionId"]).id
        policy.updated = self.now(request)
        self.directory.put(request.account, policy)

    def delete_policy_version(self, request: Request, params: Params) -> None:
        """DeletePolicyVersion; not the default one."""
        policy = self.directory.own_policy(request.account, params["PolicyArn"])
        version = self._version(policy, params["VersionId"])
        if version.id == policy.default:
            raise rules.conflict("Cannot delete the default version of a policy.")
        policy.versions.remove(version)
        self.directory.put(request.account, policy)

    def list_entities_for_policy(self, request: Request, params: Params) -> dict[str, Any]:
        """ListEntitiesForPolicy: who has it attached or as a boundary."""
        policy = self.directory.policy(request.account, params["PolicyArn"])
        only, usage = params.get("EntityFilter"), params.get("PolicyUsageFilter")
        kinds: dict[type[User | Group | Role], tuple[str, str]] = {
            Group: ("Group", "PolicyGroups"),
            User: ("User", "PolicyUsers"),
            Role: ("Role", "PolicyRoles"),
        }
        found = []
        for entity in self.directory.entities(request.account):
            is_boundary = not isinstance(entity, Group) and entity.boundary == policy.arn
            uses = (usage != "PermissionsBoundary" and policy.arn in entity.attached) or (
                usage != "PermissionsPolicy" and is_boundary
            )
            if uses and under(params, entity.path) and only in (None, kinds[type(entity)][0]):
                found.append(entity)
        page, rest = rules.page(found, params, lambda entity: entity)
        answer: dict[str, Any] = {member: [] for _, member in kinds.values()}
        for entity in page:
            kind, member = kinds[type(entity)]
            answer[member].append({f"{kind}Name": entity.name, f"{kind}Id": entity.id})
        return {**answer, **rest}
