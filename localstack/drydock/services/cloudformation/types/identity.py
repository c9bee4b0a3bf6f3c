"""IAM's types."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.types.base import NotFound, Params, ResourceType, Work, picked, unless

NO_ENTITY = ("NoSuchEntity",)


def document(value: Any) -> str:
    """A policy document as text."""
    return value if isinstance(value, str) else json.dumps(value)


class IamType(ResourceType):
    """One with a name that is known beforehand."""

    service = "iam"
    member: ClassVar[str]
    """The property with the name, and the API's parameter"""
    longest: ClassVar[int] = 64
    whole = False

    def called(self, work: Work) -> str:
        """The name."""
        return work.name(self.member, self.longest)


class _Principal(IamType):
    """Roles and users: inline and managed policies, a boundary, tags."""

    kind: ClassVar[str]

    def _me(self, work: Work) -> Params:
        return {self.member: work.physical_id}

    async def find(self, work: Work) -> str:
        name = self.called(work)
        there = await unless(NO_ENTITY, work.call("iam", f"Get{self.kind}", **{self.member: name}))
        return name if there else ""

    async def _policies(self, work: Work, old: Params) -> None:
        me = self._me(work)
        new_inline = {
            one["PolicyName"]: document(one["PolicyDocument"]) for one in work.properties.get("Policies") or []
        }
        old_inline = {one["PolicyName"]: document(one["PolicyDocument"]) for one in old.get("Policies") or []}
        for name in old_inline:
            if name not in new_inline:
                await unless(NO_ENTITY, work.call("iam", f"Delete{self.kind}Policy", **me, PolicyName=name))
        for name, text in new_inline.items():
            if old_inline.get(name) != text:
                await work.call("iam", f"Put{self.kind}Policy", **me, PolicyName=name, PolicyDocument=text)
        new, was = work.properties.get("ManagedPolicyArns") or [], old.get("ManagedPolicyArns") or []
        for arn in was:
            if arn not in new:
                await unless(NO_ENTITY, work.call("iam", f"Detach{self.kind}Policy", **me, PolicyArn=arn))
        for arn in new:
            if arn not in was:
                await work.call("iam", f"Attach{self.kind}Policy", **me, PolicyArn=arn)

    async def _retag(self, work: Work) -> None:
        gone = work.gone_tags
        if gone:
            await work.call("iam", f"Untag{self.kind}", **self._me(work), TagKeys=gone)
        if work.user_tags:
            await work.call("iam", f"Tag{self.kind}", **self._me(work), Tags=work.user_tags)

    async def _boundary(self, work: Work) -> None:
        if not work.changed("PermissionsBoundary"):
            return
        arn = work.properties.get("PermissionsBoundary")
        if arn:
            await work.call("iam", f"Put{self.kind}PermissionsBoundary", **self._me(work), PermissionsBoundary=arn)
        else:
            await work.call("iam", f"Delete{self.kind}PermissionsBoundary", **self._me(work))

    async def _strip(self, work: Work) -> None:
        """What must be gone before the principal can go: what the template put on it."""
        me = self._me(work)
        for one in work.properties.get("Policies") or []:
            await unless(NO_ENTITY, work.call("iam", f"Delete{self.kind}Policy", **me, PolicyName=one["PolicyName"]))
        for arn in work.properties.get("ManagedPolicyArns") or []:
            await unless(NO_ENTITY, work.call("iam", f"Detach{self.kind}Policy", **me, PolicyArn=arn))


class Role(_Principal):
    name = "AWS::IAM::Role"
    kind, member = "Role", "RoleName"
    passes = (
        "RoleName", "AssumeRolePolicyDocument", "Path", "Description", "MaxSessionDuration", "PermissionsBoundary",
        "ManagedPolicyArns", "Policies", "Tags",
    )  # fmt: skip

    async def create(self, work: Work) -> None:
        name = self.called(work)
        await work.call(
            "iam",
            "CreateRole",
            RoleName=name,
            AssumeRolePolicyDocument=document(work.properties["AssumeRolePolicyDocument"]),
            **picked(work.properties, "Path", "Description", "MaxSessionDuration", "PermissionsBoundary"),
            **({"Tags": work.user_tags} if work.user_tags else {}),
        )
        work.made(name)
        await self._policies(work, {})

    async def read(self, work: Work) -> Params:
        role = (await work.call("iam", "GetRole", RoleName=work.physical_id))["Role"]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}

    async def update(self, work: Work) -> None:
        name = work.physical_id
        if work.changed("AssumeRolePolicyDocument"):
            text = document(work.properties["AssumeRolePolicyDocument"])
            await work.call("iam", "UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=text)
        if work.changed("Description") or work.changed("MaxSessionDuration"):
            await work.call(
                "iam",
                "UpdateRole",
                RoleName=name,
                Description=work.properties.get("Description", ""),
                MaxSessionDuration=work.properties.get("MaxSessionDuration", 3600),
            )
        await self._boundary(work)
        await self._policies(work, work.old)
        if work.changed("Tags"):
            await self._retag(work)

    async def delete(self, work: Work) -> None:
        await self._strip(work)
        if not await unless(NO_ENTITY, work.call("iam", "DeleteRole", RoleName=work.physical_id)):
            raise NotFound


class User(_Principal):
    name = "AWS::IAM::User"
    kind, member = "User", "UserName"
    passes = ("UserName", "Path", "PermissionsBoundary", "ManagedPolicyArns", "Policies", "Groups", "Tags")

    async def create(self, work: Work) -> None:
        name = self.called(work)
        await work.call(
            "iam",
            "CreateUser",
            UserName=name,
            **picked(work.properties, "Path", "PermissionsBoundary"),
            **({"Tags": work.user_tags} if work.user_tags else {}),
        )
        work.made(name)
        await self._policies(work, {})
        await self._groups(work, [])

    async def _groups(self, work: Work, old: list[str]) -> None:
        new = work.properties.get("Groups") or []
        for group in old:
            if group not in new:
                call = work.call("iam", "RemoveUserFromGroup", GroupName=group, UserName=work.physical_id)
                await unless(NO_ENTITY, call)
        for group in new:
            if group not in old:
                await work.call("iam", "AddUserToGroup", GroupName=group, UserName=work.physical_id)

    async def read(self, work: Work) -> Params:
        user = (await work.call("iam", "GetUser", UserName=work.physical_id))["User"]
        return {"Arn": user["Arn"]}

    async def update(self, work: Work) -> None:
        await self._boundary(work)
        await self._policies(work, work.old)
        await self._groups(work, work.old.get("Groups") or [])
        if work.changed("Path"):
            await work.call("iam", "UpdateUser", UserName=work.physical_id, NewPath=work.properties.get("Path", "/"))
        if work.changed("Tags"):
            await self._retag(work)

    async def delete(self, work: Work) -> None:
        await self._strip(work)
        for group in work.properties.get("Groups") or []:
            await unless(NO_ENTITY, work.call("iam", "RemoveUserFromGroup", GroupName=group, UserName=work.physical_id))
        if not await unless(NO_ENTITY, work.call("iam", "DeleteUser", UserName=work.physical_id)):
            raise NotFound


_HOLDERS = (("Roles", "Role"), ("Users", "User"), ("Groups", "Group"))


class Policy(ResourceType):
    """An inline policy of roles, users and groups."""

    name = "AWS::IAM::Policy"
    service = "iam"
    passes = ("PolicyName", "PolicyDocument", "Roles", "Users", "Groups")
    whole = False

    async def create(self, work: Work) -> None:
        if not any(work.properties.get(member) for member, _ in _HOLDERS):
            raise Failed("At least one of [Groups,Roles,Users] must be non-empty.")
        work.made(f"{work.stack_name[:4]}-{work.logical_id[:4]}-{work.token}")
        await self._put(work, {})

    async def _put(self, work: Work, old: Params) -> None:
        name, text = work.properties["PolicyName"], document(work.properties["PolicyDocument"])
        renamed = bool(old) and old.get("PolicyName") != name
        for member, kind in _HOLDERS:
            new, was = work.properties.get(member) or [], old.get(member) or []
            for holder in was:
                if renamed or holder not in new:
                    given = {f"{kind}Name": holder, "PolicyName": old["PolicyName"]}
                    await unless(NO_ENTITY, work.call("iam", f"Delete{kind}Policy", **given))
            for holder in new:
                given = {f"{kind}Name": holder, "PolicyName": name, "PolicyDocument": text}
                await work.call("iam", f"Put{kind}Policy", **given)

    async def read(self, work: Work) -> Params:
        return {"Id": work.physical_id}

    async def update(self, work: Work) -> None:
        await self._put(work, work.old)

    async def delete(self, work: Work) -> None:
        for member, kind in _HOLDERS:
            for holder in work.properties.get(member) or []:
                given = {f"{kind}Name": holder, "PolicyName": work.properties["PolicyName"]}
                await unless(NO_ENTITY, work.call("iam", f"Delete{kind}Policy", **given))


class ManagedPolicy(IamType):
    name = "AWS::IAM::ManagedPolicy"
    member = "ManagedPolicyName"
    longest = 128
    passes = ("ManagedPolicyName", "PolicyDocument", "Path", "Description", "Roles", "Users", "Groups")

    def _arn(self, work: Work) -> str:
        path = work.properties.get("Path") or "/"
        return f"arn:aws:iam::{work.account}:policy{path}{self.called(work)}"

    async def create(self, work: Work) -> None:
        given = picked(work.properties, "Path", "Description")
        answer = await work.call(
            "iam",
            "CreatePolicy",
            PolicyName=self.called(work),
            PolicyDocument=document(work.properties["PolicyDocument"]),
            **given,
            **({"Tags": work.user_tags} if work.user_tags else {}),
        )
        work.made(answer["Policy"]["Arn"])
        await self._attach(work, {})

    async def find(self, work: Work) -> str:
        arn = self._arn(work)
        return arn if await unless(NO_ENTITY, work.call("iam", "GetPolicy", PolicyArn=arn)) else ""

    async def _attach(self, work: Work, old: Params) -> None:
        arn = work.physical_id
        for member, kind in _HOLDERS:
            new, was = work.properties.get(member) or [], old.get(member) or []
            for holder in was:
                if holder not in new:
                    given = {f"{kind}Name": holder, "PolicyArn": arn}
                    await unless(NO_ENTITY, work.call("iam", f"Detach{kind}Policy", **given))
            for holder in new:
                if holder not in was:
                    await work.call("iam", f"Attach{kind}Policy", **{f"{kind}Name": holder, "PolicyArn": arn})

    async def read(self, work: Work) -> Params:
        policy = (await work.call("iam", "GetPolicy", PolicyArn=work.physical_id))["Policy"]
        shown = {
            name: policy[name]
            for name in ("DefaultVersionId", "AttachmentCount", "PermissionsBoundaryUsageCount", "IsAttachable")
        }
        dates = {name: policy[name].strftime("%Y-%m-%dT%H:%M:%SZ") for name in ("CreateDate", "UpdateDate")}
        return {"PolicyArn": policy["Arn"], "PolicyId": policy["PolicyId"], **shown, **dates}

    async def update(self, work: Work) -> None:
        arn = work.physical_id
        if work.changed("PolicyDocument"):
            versions = (await work.call("iam", "ListPolicyVersions", PolicyArn=arn))["Versions"]
            spare = [one["VersionId"] for one in versions if not one["IsDefaultVersion"]]
            if len(versions) >= 5:
                await work.call("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=spare[-1])
            text = document(work.properties["PolicyDocument"])
            await work.call("iam", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
        await self._attach(work, work.old)

    async def delete(self, work: Work) -> None:
        arn = work.physical_id
        for member, kind in _HOLDERS:
            for holder in work.properties.get(member) or []:
                given = {f"{kind}Name": holder, "PolicyArn": arn}
                await unless(NO_ENTITY, work.call("iam", f"Detach{kind}Policy", **given))
        found: Params = {}

        async def look() -> None:
            found.update(await work.call("iam", "ListPolicyVersions", PolicyArn=arn))

        if not await unless(NO_ENTITY, look()):
            raise NotFound
        for one in found["Versions"]:
            if not one["IsDefaultVersion"]:
                await work.call("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=one["VersionId"])
        await work.call("iam", "DeletePolicy", PolicyArn=arn)


class InstanceProfile(IamType):
    name = "AWS::IAM::InstanceProfile"
    member = "InstanceProfileName"
    longest = 128
    passes = ("InstanceProfileName", "Path", "Roles")

    async def create(self, work: Work) -> None:
        name = self.called(work)
        given = picked(work.properties, "Path")
        await work.call("iam", "CreateInstanceProfile", InstanceProfileName=name, **given)
        work.made(name)
        for role in work.properties.get("Roles") or []:
            await work.call("iam", "AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=role)

    async def find(self, work: Work) -> str:
        name = self.called(work)
        there = await unless(NO_ENTITY, work.call("iam", "GetInstanceProfile", InstanceProfileName=name))
        return name if there else ""

    async def read(self, work: Work) -> Params:
        answer = await work.call("iam", "GetInstanceProfile", InstanceProfileName=work.physical_id)
        return {"Arn": answer["InstanceProfile"]["Arn"]}

    async def update(self, work: Work) -> None:
        name, new, old = work.physical_id, work.properties.get("Roles") or [], work.old.get("Roles") or []
        for role in old:
            if role not in new:
                call = work.call("iam", "RemoveRoleFromInstanceProfile", InstanceProfileName=name, RoleName=role)
                await unless(NO_ENTITY, call)
        for role in new:
            if role not in old:
                await work.call("iam", "AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=role)

    async def delete(self, work: Work) -> None:
        name = work.physical_id
        for role in work.properties.get("Roles") or []:
            call = work.call("iam", "RemoveRoleFromInstanceProfile", InstanceProfileName=name, RoleName=role)
            await unless(NO_ENTITY, call)
        if not await unless(NO_ENTITY, work.call("iam", "DeleteInstanceProfile", InstanceProfileName=name)):
            raise NotFound


class AccessKey(ResourceType):
    name = "AWS::IAM::AccessKey"
    service = "iam"
    passes = ("UserName", "Status", "Serial")
    whole, unique = False, False

    async def create(self, work: Work) -> None:
        key = (await work.call("iam", "CreateAccessKey", UserName=work.properties["UserName"]))["AccessKey"]
        work.attributes = {"SecretAccessKey": key["SecretAccessKey"], "Id": key["AccessKeyId"]}
        work.made(key["AccessKeyId"])
        if work.properties.get("Status") == "Inactive":
            await self.update(work)

    async def find(self, work: Work) -> str:
        """A key whose secret nobody has seen is of no use: it is found in order to be deleted."""
        answer = await work.call("iam", "ListAccessKeys", UserName=work.properties["UserName"])
        keys = [one for one in answer["AccessKeyMetadata"] if one["AccessKeyId"] not in work.others]
        return next((str(one["AccessKeyId"]) for one in keys if one["CreateDate"].timestamp() >= work.began - 1), "")

    async def read(self, work: Work) -> Params:
        return work.attributes

    async def update(self, work: Work) -> None:
        status = work.properties.get("Status", "Active")
        given = {"UserName": work.properties["UserName"], "AccessKeyId": work.physical_id, "Status": status}
        await work.call("iam", "UpdateAccessKey", **given)

    async def delete(self, work: Work) -> None:
        given = {"UserName": work.properties["UserName"], "AccessKeyId": work.physical_id}
        if not await unless(NO_ENTITY, work.call("iam", "DeleteAccessKey", **given)):
            raise NotFound


TYPES: tuple[type[ResourceType], ...] = (Role, User, Policy, ManagedPolicy, InstanceProfile, AccessKey)
