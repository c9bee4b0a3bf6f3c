"""Where IAM keeps its resources, and finds them: by name within an account, and access keys over all accounts.

Names are kept in lower case, because "names are not distinguished by case". Whatever changes what a principal may do
raises the account's revision, which is how compiled permissions notice that they are out of date.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TypeVar

from drydock.ids import Ids
from drydock.services.iam import managed, rules
from drydock.services.iam.model import (
    AccessKey,
    AccountNames,
    Entity,
    Group,
    InstanceProfile,
    ManagedPolicy,
    Role,
    ServerCertificate,
    Session,
    User,
)
from drydock.store import GLOBAL, Collection, Scope, Store

R = TypeVar("R")


def scope_of(account: str) -> Scope:
    """IAM is global."""
    return Scope(account, GLOBAL)


class Directory:
    """All IAM resources. The finders take AWS's names and raise NoSuchEntity with AWS's words."""

    def __init__(self, store: Store, ids: Ids) -> None:
        self.ids = ids
        self.users: Collection[User] = store.collection(User, "iam", "user")
        self.groups: Collection[Group] = store.collection(Group, "iam", "group")
        self.roles: Collection[Role] = store.collection(Role, "iam", "role")
        self.policies: Collection[ManagedPolicy] = store.collection(ManagedPolicy, "iam", "policy")
        self.profiles: Collection[InstanceProfile] = store.collection(InstanceProfile, "iam", "instance-profile")
        self.certificates: Collection[ServerCertificate] = store.collection(
            ServerCertificate, "iam", "server-certificate"
        )
        self.keys: Collection[AccessKey] = store.collection(AccessKey, "iam", "access-key")
        self.sessions: Collection[Session] = store.collection(Session, "sts", "session")
        self.accounts: Collection[AccountNames] = store.collection(AccountNames, "iam", "account")
        self._revisions: dict[str, int] = defaultdict(int)
        self._owners: dict[str, str] = {}
        for collection in (self.keys, self.sessions):
            for scope, key_id, _ in collection.all():
                self._owners[key_id] = scope.account

    def revision(self, account: str) -> int:
        """A number that grows with every change to the account's permissions."""
        return self._revisions[account]

    def changed(self, account: str) -> None:
        """Something was changed in a way that may change permissions."""
        self._revisions[account] += 1

    def put(self, account: str, resource: Entity | ManagedPolicy | InstanceProfile | ServerCertificate) -> None:
        """Keep a user, group, role, policy, instance profile or server certificate, new or changed."""
        scope, key = scope_of(account), resource.name.lower()
        if isinstance(resource, User):
            self.users.put(scope, key, resource)
        elif isinstance(resource, Group):
            self.groups.put(scope, key, resource)
        elif isinstance(resource, Role):
            self.roles.put(scope, key, resource)
        elif isinstance(resource, ManagedPolicy):
            self.policies.put(scope, key, resource)
        elif isinstance(resource, InstanceProfile):
            self.profiles.put(scope, key, resource)
        elif isinstance(resource, ServerCertificate):
            self.certificates.put(scope, key, resource)
        self.changed(account)

    def forget(self, account: str, collection: Collection[R], name: str) -> None:
        """Delete a resource by its name."""
        collection.delete(scope_of(account), name.lower())
        self.changed(account)

    def unique_id(self, account: str, prefix: str, arn: str) -> str:
        """A new unique id: ``AROA`` and so on with 17 characters after it."""
        return prefix + self.ids.alphanumeric(scope_of(account), "iam-id", arn, 17)

    def certificate(self, account: str, name: str) -> ServerCertificate:
        """The server certificate. Raises NoSuchEntity."""
        found = self.certificates.get(scope_of(account), name.lower())
        if found is None:
            raise rules.no_such(f"The Server Certificate with name {name} cannot be found.")
        return found

    def user(self, account: str, name: str) -> User:
        """The user. Raises NoSuchEntity."""
        found = self.users.get(scope_of(account), name.lower())
        if found is None:
            raise rules.no_such(f"The user with name {name} cannot be found.")
        return found

    def group(self, account: str, name: str) -> Group:
        """The group. Raises NoSuchEntity."""
        found = self.groups.get(scope_of(account), name.lower())
        if found is None:
            raise rules.no_such(f"The group with name {name} cannot be found.")
        return found

    def role(self, account: str, name: str) -> Role:
        """The role. Raises NoSuchEntity."""
        found = self.roles.get(scope_of(account), name.lower())
        if found is None:
            raise rules.no_such(f"The role with name {name} cannot be found.")
        return found

    def profile(self, account: str, name: str) -> InstanceProfile:
        """The instance profile. Raises NoSuchEntity."""
        found = self.profiles.get(scope_of(account), name.lower())
        if found is None:
            raise rules.no_such(f"Instance Profile {name} cannot be found.")
        return found

    def role_by_arn(self, arn: str) -> Role | None:
        """The role of any account, None if there is none of that ARN (path and all)."""
        head, _, resource = arn.partition(":role/")
        account = head.rpartition(":")[2]
        found = self.roles.get(scope_of(account), resource.rsplit("/", 1)[-1].lower())
        return found if found is not None and found.arn == arn else None

    def user_by_arn(self, arn: str) -> User | None:
        """The user of any account, None if there is none of that ARN."""
        head, _, resource = arn.partition(":user/")
        found = self.users.get(scope_of(head.rpartition(":")[2]), resource.rsplit("/", 1)[-1].lower())
        return found if found is not None and found.arn == arn else None

    def find_policy(self, account: str, arn: str) -> ManagedPolicy | None:
        """The account's or AWS's managed policy."""
        if arn.startswith(managed.PREFIX + "/"):
            return managed.by_arn(arn)
        found = self.policies.get(scope_of(account), arn.rsplit("/", 1)[-1].lower())
        return found if found is not None and found.arn == arn else None

    def policy(self, account: str, arn: str) -> ManagedPolicy:
        """The same. Raises NoSuchEntity, or InvalidInput for what is no policy's ARN."""
        check_policy_arn(arn)
        found = self.find_policy(account, arn)
        if found is None:
            raise rules.no_such(f"Policy {arn} was not found.")
        return found

    def attachable(self, account: str, arn: str) -> ManagedPolicy:
        """The same, for attaching it: the words differ."""
        check_policy_arn(arn)
        found = self.find_policy(account, arn)
        if found is None:
            raise rules.no_such(f"Policy {arn} does not exist or is not attachable.")
        return found

    def own_policy(self, account: str, arn: str) -> ManagedPolicy:
        """A policy that may be changed: not one of AWS's. Raises AccessDenied for those."""
        found = self.policy(account, arn)
        if arn.startswith(managed.PREFIX + "/"):
            raise rules.access_denied(f"Policy is outside your own account: {arn}")
        return found

    def entities(self, account: str) -> list[User | Group | Role]:
        """All that a policy can be attached to."""
        scope = scope_of(account)
        return [*self.users.of(scope), *self.groups.of(scope), *self.roles.of(scope)]

    def members(self, account: str, group: Group) -> list[User]:
        """Who is in a group."""
        return [user for user in self.users.of(scope_of(account)) if group.name in user.groups]

    def put_key(self, account: str, key: AccessKey) -> None:
        """Keep a user's access key."""
        self.keys.put(scope_of(account), key.access_key_id, key)
        self._owners[key.access_key_id] = account

    def put_session(self, account: str, session: Session) -> None:
        """Keep temporary credentials."""
        self.sessions.put(scope_of(account), session.access_key_id, session)
        self._owners[session.access_key_id] = account

    def owner(self, access_key_id: str) -> str | None:
        """The account of an access key of either sort."""
        return self._owners.get(access_key_id)

    def drop_key(self, access_key_id: str) -> None:
        """Forget an access key of either sort."""
        account = self._owners.pop(access_key_id, None)
        if account is not None:
            self.keys.delete(scope_of(account), access_key_id)
            self.sessions.delete(scope_of(account), access_key_id)

    def reset(self, account: str | None) -> None:
        """An account, or all, is about to be forgotten."""
        for key_id in [key for key, owner in self._owners.items() if account in (None, owner)]:
            del self._owners[key_id]
        for name in [account] if account else list(self._revisions):
            self.changed(name)


def check_policy_arn(arn: str) -> None:
    """Raises InvalidInput if it cannot be a policy's ARN."""
    if not arn.startswith("arn:") or len(arn) < 20:
        raise rules.validation(f"Invalid ARN:  Could not be parsed: {arn}")
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[2] != "iam" or not parts[5].startswith("policy/"):
        raise rules.invalid_input(f"ARN {arn} is not valid.")
