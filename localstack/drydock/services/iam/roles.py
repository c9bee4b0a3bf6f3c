"""Roles, and the instance profiles through which EC2 instances get them."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.iam import policy as documents
from drydock.services.iam import rules
from drydock.services.iam.base import IamOperations, Params, listing, under
from drydock.services.iam.evaluation import listed
from drydock.services.iam.model import InstanceProfile, Role, listed_role_shape, profile_shape, role_shape
from drydock.services.iam.users import check_deletable

LINKED_PATH = "/aws-service-role/"


def check_changeable(role: Role) -> None:
    """Raises UnmodifiableEntity for a service-linked role: only its service may change it."""
    if role.service:
        raise AwsError(
            "UnmodifiableEntity",
            f"Cannot perform the operation on the protected role '{role.name}' - this role is only modifiable by AWS",
            status=400,
        )


class Roles(IamOperations):
    """Operations on roles."""

    def create_role(self, request: Request, params: Params) -> dict[str, Any]:
        """CreateRole."""
        name = rules.check_name("roleName", params["RoleName"])
        path = rules.check_path(params.get("Path"))
        if path.startswith(LINKED_PATH):
            raise rules.validation("Roles in /aws-service-role/ path can only be created by AWS services.")
        trust = params["AssumeRolePolicyDocument"]
        self.check_trust(trust)
        tags = rules.merged_tags({}, params.get("Tags") or [])
        max_session = rules.check_session_duration(params.get("MaxSessionDuration") or 3600)
        boundary = self.check_boundary(request, params.get("PermissionsBoundary"))
        if self.directory.roles.get(request.global_scope, name.lower()):
            raise rules.exists(f"Role with name {name} already exists.")
        self.check_quota(request, self.directory.roles, "Roles")
        arn = self.arn(request, "role", path, name)
        role = Role(
            name=name,
            path=path,
            id=self.directory.unique_id(request.account, "AROA", arn),
            arn=arn,
            created=self.now(request),
            trust=trust,
            description=params.get("Description"),
            max_session=max_session,
            boundary=boundary,
            tags=tags,
        )
        self.directory.put(request.account, role)
        shape = role_shape(role)
        del shape["RoleLastUsed"]
        return {"Role": shape}

    def check_trust(self, document: str) -> None:
        """A valid trust policy whose principals are there. Raises MalformedPolicyDocument or LimitExceeded."""
        parsed = documents.check(document, "trust")
        for statement in listed(parsed["Statement"]):
            for kind, name in documents.principals(statement):
                if kind == "AWS" and not self._is_there(name):
                    raise documents.malformed(f'Invalid principal in policy: "AWS":"{name}"')
        if documents.size(document) > rules.TRUST_POLICY_SIZE:
            raise rules.quota("ACLSizePerRole", rules.TRUST_POLICY_SIZE)

    def _is_there(self, principal: str) -> bool:
        """Users and roles must exist; every account does, and sessions need not exist yet."""
        if ":user/" in principal:
            return self.directory.user_by_arn(principal) is not None
        return ":role/" not in principal or self.directory.role_by_arn(principal) is not None

    def get_role(self, request: Request, params: Params) -> dict[str, Any]:
        """GetRole."""
        return {"Role": role_shape(self.directory.role(request.account, params["RoleName"]))}

    def list_roles(self, request: Request, params: Params) -> dict[str, Any]:
        """ListRoles."""
        roles = [role for role in self.directory.roles.of(request.global_scope) if under(params, role.path)]
        return listing(roles, params, "Roles", listed_role_shape, lambda role: role.name)

    def update_role(self, request: Request, params: Params) -> dict[str, Any]:
        """UpdateRole: description and longest session."""
        role = self.directory.role(request.account, params["RoleName"])
        check_changeable(role)
        seconds = params.get("MaxSessionDuration")
        if seconds is not None:
            role.max_session = rules.check_session_duration(seconds)
        if params.get("Description") is not None:
            role.description = params["Description"]
        self.directory.put(request.account, role)
        return {}

    def update_role_description(self, request: Request, params: Params) -> dict[str, Any]:
        """UpdateRoleDescription."""
        role = self.directory.role(request.account, params["RoleName"])
        role.description = params["Description"]
        self.directory.put(request.account, role)
        return {"Role": role_shape(role)}

    def update_assume_role_policy(self, request: Request, params: Params) -> None:
        """UpdateAssumeRolePolicy."""
        role = self.directory.role(request.account, params["RoleName"])
        check_changeable(role)
        self.check_trust(params["PolicyDocument"])
        role.trust = params["PolicyDocument"]
        self.directory.put(request.account, role)

    def delete_role(self, request: Request, params: Params) -> None:
        """DeleteRole."""
        role = self.directory.role(request.account, params["RoleName"])
        check_changeable(role)
        if any(profile.role == role.name for profile in self.directory.profiles.of(request.global_scope)):
            raise rules.conflict("Cannot delete entity, must remove roles from instance profile first.")
        check_deletable(role)
        self.directory.forget(request.account, self.directory.roles, role.name)

    def put_role_permissions_boundary(self, request: Request, params: Params) -> None:
        """PutRolePermissionsBoundary."""
        role = self.directory.role(request.account, params["RoleName"])
        check_changeable(role)
        role.boundary = self.check_boundary(request, params["PermissionsBoundary"])
        self.directory.put(request.account, role)

    def delete_role_permissions_boundary(self, request: Request, params: Params) -> None:
        """DeleteRolePermissionsBoundary."""
        role = self.directory.role(request.account, params["RoleName"])
        check_changeable(role)
        if not role.boundary:
            raise rules.no_such(f"The permissions boundary for role {role.name} cannot be found.")
        role.boundary = ""
        self.directory.put(request.account, role)


class InstanceProfiles(IamOperations):
    """Operations on instance profiles."""

    def create_instance_profile(self, request: Request, params: Params) -> dict[str, Any]:
        """CreateInstanceProfile."""
        name = rules.check_name("instanceProfileName", params["InstanceProfileName"])
        path = rules.check_path(params.get("Path"))
        tags = rules.merged_tags({}, params.get("Tags") or [])
        if self.directory.profiles.get(request.global_scope, name.lower()):
            raise rules.exists(f"Instance Profile {name} already exists.")
        self.check_quota(request, self.directory.profiles, "InstanceProfiles")
        arn = self.arn(request, "instance-profile", path, name)
        unique_id = self.directory.unique_id(request.account, "AIPA", arn)
        profile = InstanceProfile(name=name, path=path, id=unique_id, arn=arn, created=self.now(request), tags=tags)
        self.directory.put(request.account, profile)
        return {"InstanceProfile": self._shape(request, profile, True)}

    def _shape(self, request: Request, profile: InstanceProfile, with_tags: bool) -> dict[str, Any]:
        role = self.directory.role(request.account, profile.role) if profile.role else None
        return profile_shape(profile, role, with_tags)

    def get_instance_profile(self, request: Request, params: Params) -> dict[str, Any]:
        """GetInstanceProfile."""
        profile = self.directory.profile(request.account, params["InstanceProfileName"])
        return {"InstanceProfile": self._shape(request, profile, True)}

    def list_instance_profiles(self, request: Request, params: Params) -> dict[str, Any]:
        """ListInstanceProfiles."""
        profiles = [one for one in self.directory.profiles.of(request.global_scope) if under(params, one.path)]
        return self._listing(request, params, profiles)

    def list_instance_profiles_for_role(self, request: Request, params: Params) -> dict[str, Any]:
        """ListInstanceProfilesForRole."""
        role = self.directory.role(request.account, params["RoleName"])
        profiles = [one for one in self.directory.profiles.of(request.global_scope) if one.role == role.name]
        return self._listing(request, params, profiles)

    def _listing(self, request: Request, params: Params, profiles: list[InstanceProfile]) -> dict[str, Any]:
        def shape(profile: InstanceProfile) -> dict[str, Any]:
            return self._shape(request, profile, False)

        return listing(profiles, params, "InstanceProfiles", shape, lambda profile: profile.name)

    def delete_instance_profile(self, request: Request, params: Params) -> None:
        """DeleteInstanceProfile."""
        profile = self.directory.profile(request.account, params["InstanceProfileName"])
        if profile.role:
            raise rules.conflict("Cannot delete entity, must remove roles from instance profile first.")
        self.directory.forget(request.account, self.directory.profiles, profile.name)

    def add_role_to_instance_profile(self, request: Request, params: Params) -> None:
        """AddRoleToInstanceProfile: one role at most."""
        profile = self.directory.profile(request.account, params["InstanceProfileName"])
        role = self.directory.role(request.account, params["RoleName"])
        check_changeable(role)
        if profile.role:
            raise rules.quota("InstanceSessionsPerInstanceProfile", 1)
        profile.role = role.name
        self.directory.put(request.account, profile)

    def remove_role_from_instance_profile(self, request: Request, params: Params) -> None:
        """RemoveRoleFromInstanceProfile."""
        profile = self.directory.profile(request.account, params["InstanceProfileName"])
        role = self.directory.role(request.account, params["RoleName"])
        if profile.role != role.name:
            raise rules.no_such(f"The role with name {params['RoleName']} cannot be found.")
        profile.role = ""
        self.directory.put(request.account, profile)
