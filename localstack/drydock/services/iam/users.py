"""Users and groups."""

from __future__ import annotations

from typing import Any

from drydock.request import Request
from drydock.services.iam import rules
from drydock.services.iam.base import IamOperations, Params, listing, under
from drydock.services.iam.model import Entity, Group, User, group_shape, user_shape


def check_deletable(entity: Entity) -> None:
    """Raises DeleteConflict while policies are attached or inline."""
    if entity.attached:
        raise rules.conflict("Cannot delete entity, must detach all policies first.")
    if entity.inline:
        raise rules.conflict("Cannot delete entity, must delete policies first.")


class Users(IamOperations):
    """Operations on users."""

    def create_user(self, request: Request, params: Params) -> dict[str, Any]:
        """CreateUser."""
        name = rules.check_name("userName", params["UserName"])
        path = rules.check_path(params.get("Path"))
        tags = rules.merged_tags({}, params.get("Tags") or [])
        boundary = self.check_boundary(request, params.get("PermissionsBoundary"))
        if self.directory.users.get(request.global_scope, name.lower()):
            raise rules.exists(f"User with name {name} already exists.")
        self.check_quota(request, self.directory.users, "Users")
        arn = self.arn(request, "user", path, name)
        user = User(
            name=name,
            path=path,
            id=self.directory.unique_id(request.account, "AIDA", arn),
            arn=arn,
            created=self.now(request),
            tags=tags,
            boundary=boundary,
        )
        self.directory.put(request.account, user)
        return {"User": user_shape(user)}

    def get_user(self, request: Request, params: Params) -> dict[str, Any]:
        """GetUser; without a name, the caller (root has one too)."""
        if params.get("UserName") is None and request.principal.kind == "root":
            account = request.account
            created = self.platform.clock(account).now()
            root = User(name=account, path="/", id=account, arn=f"arn:aws:iam::{account}:root", created=created)
            return {"User": user_shape(root)}
        return {"User": user_shape(self.named_user(request, params))}

    def list_users(self, request: Request, params: Params) -> dict[str, Any]:
        """ListUsers; as AWS's, without tags and boundary."""
        users = [user for user in self.directory.users.of(request.global_scope) if under(params, user.path)]

        def shape(user: User) -> dict[str, Any]:
            full = user_shape(user)
            return {key: value for key, value in full.items() if key not in ("Tags", "PermissionsBoundary")}

        return listing(users, params, "Users", shape, lambda user: user.name)

    def update_user(self, request: Request, params: Params) -> None:
        """UpdateUser: a new name or path; keys and groups go with it."""
        account = request.account
        user = self.directory.user(account, params["UserName"])
        name = rules.check_name("userName", params.get("NewUserName") or user.name)
        path = rules.check_path(params["NewPath"]) if params.get("NewPath") is not None else user.path
        if name.lower() != user.name.lower() and self.directory.users.get(request.global_scope, name.lower()):
            raise rules.exists(f"User with name {name} already exists.")
        keys = [key for key in self.directory.keys.of(request.global_scope) if key.user == user.name]
        self.directory.forget(account, self.directory.users, user.name)
        user.name, user.path, user.arn = name, path, self.arn(request, "user", path, name)
        self.directory.put(account, user)
        for key in keys:
            key.user = name
            self.directory.put_key(account, key)

    def delete_user(self, request: Request, params: Params) -> None:
        """DeleteUser: only one that has nothing any more."""
        account = request.account
        user = self.directory.user(account, params["UserName"])
        if any(key.user == user.name for key in self.directory.keys.of(request.global_scope)):
            raise rules.conflict("Cannot delete entity, must delete access keys first.")
        check_deletable(user)
        if user.groups:
            raise rules.conflict("Cannot delete entity, must remove users from group first.")
        self.directory.forget(account, self.directory.users, user.name)

    def put_user_permissions_boundary(self, request: Request, params: Params) -> None:
        """PutUserPermissionsBoundary."""
        user = self.directory.user(request.account, params["UserName"])
        user.boundary = self.check_boundary(request, params["PermissionsBoundary"])
        self.directory.put(request.account, user)

    def delete_user_permissions_boundary(self, request: Request, params: Params) -> None:
        """DeleteUserPermissionsBoundary."""
        user = self.directory.user(request.account, params["UserName"])
        if not user.boundary:
            raise rules.no_such(f"The permissions boundary for user {user.name} cannot be found.")
        user.boundary = ""
        self.directory.put(request.account, user)


class Groups(IamOperations):
    """Operations on groups and who is in them."""

    def create_group(self, request: Request, params: Params) -> dict[str, Any]:
        """CreateGroup."""
        name = rules.check_name("groupName", params["GroupName"])
        path = rules.check_path(params.get("Path"))
        if self.directory.groups.get(request.global_scope, name.lower()):
            raise rules.exists(f"Group with name {name} already exists.")
        self.check_quota(request, self.directory.groups, "Groups")
        arn = self.arn(request, "group", path, name)
        unique_id = self.directory.unique_id(request.account, "AGPA", arn)
        group = Group(name=name, path=path, id=unique_id, arn=arn, created=self.now(request))
        self.directory.put(request.account, group)
        return {"Group": group_shape(group)}

    def get_group(self, request: Request, params: Params) -> dict[str, Any]:
        """GetGroup: the group and its users."""
        group = self.directory.group(request.account, params["GroupName"])
        members = self.directory.members(request.account, group)
        return {"Group": group_shape(group), **listing(members, params, "Users", user_shape, lambda user: user.name)}

    def list_groups(self, request: Request, params: Params) -> dict[str, Any]:
        """ListGroups."""
        groups = [group for group in self.directory.groups.of(request.global_scope) if under(params, group.path)]
        return listing(groups, params, "Groups", group_shape, lambda group: group.name)

    def list_groups_for_user(self, request: Request, params: Params) -> dict[str, Any]:
        """ListGroupsForUser."""
        user = self.directory.user(request.account, params["UserName"])
        groups = [self.directory.group(request.account, name) for name in user.groups]
        return listing(groups, params, "Groups", group_shape, lambda group: group.name)

    def update_group(self, request: Request, params: Params) -> None:
        """UpdateGroup: a new name or path."""
        account = request.account
        group = self.directory.group(account, params["GroupName"])
        name = rules.check_name("groupName", params.get("NewGroupName") or group.name)
        path = rules.check_path(params["NewPath"]) if params.get("NewPath") is not None else group.path
        if name.lower() != group.name.lower() and self.directory.groups.get(request.global_scope, name.lower()):
            raise rules.exists(f"Group with name {name} already exists.")
        members = self.directory.members(account, group)
        self.directory.forget(account, self.directory.groups, group.name)
        old, group.name, group.path, group.arn = group.name, name, path, self.arn(request, "group", path, name)
        self.directory.put(account, group)
        for user in members:
            user.groups[user.groups.index(old)] = name
            self.directory.put(account, user)

    def delete_group(self, request: Request, params: Params) -> None:
        """DeleteGroup."""
        group = self.directory.group(request.account, params["GroupName"])
        if self.directory.members(request.account, group):
            raise rules.conflict("Cannot delete entity, must remove users from group first.")
        check_deletable(group)
        self.directory.forget(request.account, self.directory.groups, group.name)

    def add_user_to_group(self, request: Request, params: Params) -> None:
        """AddUserToGroup; nothing happens if it is in already."""
        group = self.directory.group(request.account, params["GroupName"])
        user = self.directory.user(request.account, params["UserName"])
        if group.name in user.groups:
            return
        if len(user.groups) >= rules.GROUPS_PER_USER:
            raise rules.quota("GroupsPerUser", rules.GROUPS_PER_USER)
        user.groups.append(group.name)
        self.directory.put(request.account, user)

    def remove_user_from_group(self, request: Request, params: Params) -> None:
        """RemoveUserFromGroup."""
        group = self.directory.group(request.account, params["GroupName"])
        user = self.directory.user(request.account, params["UserName"])
        if group.name not in user.groups:
            raise rules.no_such(f"The user with name {user.name} is not in the group {group.name}.")
        user.groups.remove(group.name)
        self.directory.put(request.account, user)
