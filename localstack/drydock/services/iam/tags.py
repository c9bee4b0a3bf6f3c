"""Tags of users, roles, policies and instance profiles."""

from __future__ import annotations

from typing import Any

from drydock.request import Request
from drydock.services.iam import rules
from drydock.services.iam.base import IamOperations, Params, listing
from drydock.services.iam.model import InstanceProfile, ManagedPolicy, Role, User, tag_list

Tagged = User | Role | ManagedPolicy | InstanceProfile


class Tags(IamOperations):
    """Tag, untag and list, for each of the four."""

    def _tag(self, request: Request, resource: Tagged, params: Params) -> None:
        resource.tags = rules.merged_tags(resource.tags, params["Tags"])
        self.directory.put(request.account, resource)

    def _untag(self, request: Request, resource: Tagged, params: Params) -> None:
        resource.tags = rules.without_tags(resource.tags, params["TagKeys"])
        self.directory.put(request.account, resource)

    def _tags(self, resource: Tagged, params: Params) -> dict[str, Any]:
        return listing(tag_list(resource.tags), params, "Tags", dict, lambda tag: tag["Key"])

    def tag_user(self, request: Request, params: Params) -> None:
        """TagUser."""
        self._tag(request, self.directory.user(request.account, params["UserName"]), params)

    def untag_user(self, request: Request, params: Params) -> None:
        """UntagUser."""
        self._untag(request, self.directory.user(request.account, params["UserName"]), params)

    def list_user_tags(self, request: Request, params: Params) -> dict[str, Any]:
        """ListUserTags."""
        return self._tags(self.directory.user(request.account, params["UserName"]), params)

    def tag_role(self, request: Request, params: Params) -> None:
        """TagRole."""
        self._tag(request, self.directory.role(request.account, params["RoleName"]), params)

    def untag_role(self, request: Request, params: Params) -> None:
        """UntagRole."""
        self._untag(request, self.directory.role(request.account, params["RoleName"]), params)

    def list_role_tags(self, request: Request, params: Params) -> dict[str, Any]:
        """ListRoleTags."""
        return self._tags(self.directory.role(request.account, params["RoleName"]), params)

    def tag_policy(self, request: Request, params: Params) -> None:
        """TagPolicy."""
        self._tag(request, self.directory.own_policy(request.account, params["PolicyArn"]), params)

    def untag_policy(self, request: Request, params: Params) -> None:
        """UntagPolicy."""
        self._untag(request, self.directory.own_policy(request.account, params["PolicyArn"]), params)

    def list_policy_tags(self, request: Request, params: Params) -> dict[str, Any]:
        """ListPolicyTags."""
        return self._tags(self.directory.policy(request.account, params["PolicyArn"]), params)

    def tag_instance_profile(self, request: Request, params: Params) -> None:
        """TagInstanceProfile."""
        self._tag(request, self.directory.profile(request.account, params["InstanceProfileName"]), params)

    def untag_instance_profile(self, request: Request, params: Params) -> None:
        """UntagInstanceProfile."""
        self._untag(request, self.directory.profile(request.account, params["InstanceProfileName"]), params)

    def list_instance_profile_tags(self, request: Request, params: Params) -> dict[str, Any]:
        """ListInstanceProfileTags."""
        return self._tags(self.directory.profile(request.account, params["InstanceProfileName"]), params)
