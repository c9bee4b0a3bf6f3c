"""What concerns the account as a whole: aliases, the summary, and everything at once."""

from __future__ import annotations

from typing import Any

from drydock.request import Request
from drydock.services.iam import managed, rules
from drydock.services.iam.base import Params, listing
from drydock.services.iam.model import (
    AccountNames,
    Entity,
    Group,
    ManagedPolicy,
    Role,
    User,
    encoded,
    group_shape,
    profile_shape,
    role_last_used,
    role_shape,
    tag_list,
    user_shape,
    version_shape,
)
from drydock.services.iam.policies import Policies

FILTERS = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")


class Account(Policies):
    """Operations on the account."""

    def create_account_alias(self, request: Request, params: Params) -> None:
        """CreateAccountAlias: it takes the place of the one there was; no two accounts may have the same."""
        alias = rules.check_alias(params["AccountAlias"])
        for scope, _, names in self.directory.accounts.all():
            if alias in names.aliases and scope != request.global_scope:
                raise rules.exists(f"The account alias {alias} already exists.")
        self.directory.accounts.put(request.global_scope, "account", AccountNames([alias]))

    def delete_account_alias(self, request: Request, params: Params) -> None:
        """DeleteAccountAlias."""
        names = self.directory.accounts.get(request.global_scope, "account")
        if names is None or params["AccountAlias"] not in names.aliases:
            raise rules.no_such(f"The account alias with name {params['AccountAlias']} cannot be found.")
        self.directory.accounts.delete(request.global_scope, "account")

    def list_account_aliases(self, request: Request, params: Params) -> dict[str, Any]:
        """ListAccountAliases."""
        names = self.directory.accounts.get(request.global_scope, "account")
        return listing(names.aliases if names else [], params, "AccountAliases", str)

    def get_account_summary(self, request: Request, params: Params) -> dict[str, Any]:
        """GetAccountSummary: what there is, and the quotas."""
        scope, directory = request.global_scope, self.directory
        policies = directory.policies.of(scope)
        return {
            "SummaryMap": {
                "Users": len(directory.users.names(scope)),
                "UsersQuota": rules.QUOTAS["Users"],
                "Groups": len(directory.groups.names(scope)),
                "GroupsQuota": rules.QUOTAS["Groups"],
                "Roles": len(directory.roles.names(scope)),
                "RolesQuota": rules.QUOTAS["Roles"],
                "InstanceProfiles": len(directory.profiles.names(scope)),
                "InstanceProfilesQuota": rules.QUOTAS["InstanceProfiles"],
                "Policies": len(policies),
                "PoliciesQuota": rules.QUOTAS["Policies"],
                "PolicySizeQuota": rules.MANAGED_POLICY_SIZE,
                "PolicyVersionsInUse": sum(len(policy.versions) for policy in policies),
                "PolicyVersionsInUseQuota": 10000,
                "VersionsPerPolicyQuota": rules.POLICY_VERSIONS,
                "AccessKeysPerUserQuota": rules.KEYS_PER_USER,
                "AttachedPoliciesPerGroupQuota": rules.POLICIES_ATTACHED,
                "AttachedPoliciesPerRoleQuota": rules.POLICIES_ATTACHED,
                "AttachedPoliciesPerUserQuota": rules.POLICIES_ATTACHED,
                "GroupsPerUserQuota": rules.GROUPS_PER_USER,
                "GroupPolicySizeQuota": rules.INLINE_SIZE["group"],
                "UserPolicySizeQuota": rules.INLINE_SIZE["user"],
                "RolePolicySizeQuota": rules.INLINE_SIZE["role"],
                "AssumeRolePolicySizeQuota": rules.TRUST_POLICY_SIZE,
                "ServerCertificates": len(directory.certificates.names(scope)),
                "ServerCertificatesQuota": rules.QUOTAS["ServerCertificates"],
                "SigningCertificatesPerUserQuota": 2,
                "MFADevices": 0,
                "MFADevicesInUse": 0,
                "AccountMFAEnabled": 0,
                "AccountAccessKeysPresent": 0,
                "AccountSigningCertificatesPresent": 0,
                "AccountPasswordPresent": 1,
                "Providers": 0,
                "GlobalEndpointTokenVersion": 1,
            }
        }

    def get_account_authorization_details(self, request: Request, params: Params) -> dict[str, Any]:
        """GetAccountAuthorizationDetails: users, groups, roles and policies with all that is in them."""
        wanted, scope = set(params.get("Filter") or FILTERS), request.global_scope
        items: list[User | Group | Role | ManagedPolicy] = []
        if "User" in wanted:
            items += self.directory.users.of(scope)
        if "Group" in wanted:
            items += self.directory.groups.of(scope)
        if "Role" in wanted:
            items += self.directory.roles.of(scope)
        if "LocalManagedPolicy" in wanted:
            items += self.directory.policies.of(scope)
        if "AWSManagedPolicy" in wanted:
            items += self._aws_policies_in_use(request.account)
        page, rest = rules.page(items, params, lambda item: item)
        answer: dict[str, Any] = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
        for item in page:
            if isinstance(item, User):
                answer["UserDetailList"].append(self._user_detail(item))
            elif isinstance(item, Group):
                answer["GroupDetailList"].append({**group_shape(item), **_policies_of(item, "GroupPolicyList")})
            elif isinstance(item, Role):
                answer["RoleDetailList"].append(self._role_detail(request, item))
            else:
                versions = [version_shape(item, version, True) for version in item.versions]
                answer["Policies"].append({**self.summary(request.account, item), "PolicyVersionList": versions})
        return {**answer, **rest}

    def _aws_policies_in_use(self, account: str) -> list[ManagedPolicy]:
        arns = {arn for entity in self.directory.entities(account) for arn in entity.attached}
        found = (managed.by_arn(arn) for arn in sorted(arns))
        return [policy for policy in found if policy is not None]

    def _user_detail(self, user: User) -> dict[str, Any]:
        return {**user_shape(user), "GroupList": list(user.groups), **_policies_of(user, "UserPolicyList")}

    def _role_detail(self, request: Request, role: Role) -> dict[str, Any]:
        detail = role_shape(role)
        del detail["MaxSessionDuration"]
        detail.pop("Description", None)
        profiles = [one for one in self.directory.profiles.of(request.global_scope) if one.role == role.name]
        return {
            **detail,
            "InstanceProfileList": [profile_shape(profile, role, False) for profile in profiles],
            "RoleLastUsed": role_last_used(role),
            "Tags": tag_list(role.tags),
            **_policies_of(role, "RolePolicyList"),
        }


def _policies_of(entity: Entity, inline_member: str) -> dict[str, Any]:
    return {
        inline_member: [
            {"PolicyName": name, "PolicyDocument": encoded(document)} for name, document in entity.inline.items()
        ],
        "AttachedManagedPolicies": [
            {"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn} for arn in entity.attached
        ],
    }
