"""AWS Identity and Access Management: the whole service, put together of its topics."""

from __future__ import annotations

from drydock.services.iam.account import Account
from drydock.services.iam.attachments import Attachments, InlinePolicies
from drydock.services.iam.certificates import ServerCertificates
from drydock.services.iam.keys import AccessKeys, Credentials
from drydock.services.iam.linked import ServiceLinkedRoles
from drydock.services.iam.permissions import PermissionChecks, PermissionsOf
from drydock.services.iam.roles import InstanceProfiles, Roles
from drydock.services.iam.simulate import Simulator
from drydock.services.iam.tags import Tags
from drydock.services.iam.users import Groups, Users
from drydock.services.service import Platform


class Iam(
    Users,
    Groups,
    Roles,
    InstanceProfiles,
    ServerCertificates,
    Account,
    Attachments,
    InlinePolicies,
    AccessKeys,
    Tags,
    ServiceLinkedRoles,
    Credentials,
    PermissionChecks,
    Simulator,
):
    """IAM. For other services: :meth:`issue_session`, :meth:`check_pass_role`, :meth:`check_assumable`,
    :meth:`ensure_service_linked_role`; for the gateway: :meth:`find_credential`, :meth:`decide`."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.permissions = PermissionsOf(self.directory)

    async def reset(self, account: str | None) -> None:
        """The index of access keys and compiled permissions are all that the store does not know of."""
        self.directory.reset(account)

    def validate(self) -> list[str]:
        """Invariants: what is attached exists, groups and profiles' roles exist, no entity is over its quota."""
        faults = []
        directory = self.directory
        for collection in (directory.users, directory.groups, directory.roles):
            for scope, _, entity in collection.all():
                for arn in entity.attached:
                    if directory.find_policy(scope.account, arn) is None:
                        faults.append(f"{entity.arn} has {arn} attached, which does not exist.")
        for scope, _, user in directory.users.all():
            for group in user.groups:
                if directory.groups.get(scope, group.lower()) is None:
                    faults.append(f"{user.arn} is in the group {group}, which does not exist.")
        for scope, _, profile in directory.profiles.all():
            if profile.role and directory.roles.get(scope, profile.role.lower()) is None:
                faults.append(f"{profile.arn} holds the role {profile.role}, which does not exist.")
        for scope, _, key in directory.keys.all():
            if directory.users.get(scope, key.user.lower()) is None:
                faults.append(f"The access key {key.access_key_id} belongs to {key.user}, who does not exist.")
        return faults
