"""Access keys of users, and temporary credentials (sessions): who is behind an access key id."""

from __future__ import annotations

import time
from typing import Any

from drydock.clock import as_datetime
from drydock.errors import AwsError
from drydock.request import Principal, Request
from drydock.services.iam import rules, secrets
from drydock.services.iam.base import IamOperations, Params, listing
from drydock.services.iam.directory import scope_of
from drydock.services.iam.model import AccessKey, Credential, Role, Session

KEPT_AFTER_EXPIRY = 3600.0
"""Real seconds for which an expired session is remembered, so that the answer is ExpiredToken and not an unknown key"""
SWEEP_EVERY = 60.0
USE_GRANULARITY = 60.0
"""Lab seconds: "last used" is written down no more often than this"""


class KeyIds(IamOperations):
    """New access key ids."""

    def new_key(self, account: str, prefix: str, parent: str) -> tuple[str, bytes]:
        """An access key id that nobody has, and the bytes of which its secret is made.

        Only some 39 bits of an id are free (the account takes the others), so another is taken if it is in use.
        """
        while True:
            digest = self.platform.ids.digest(scope_of(account), prefix, parent)
            key_id = secrets.key_id(prefix, account, digest)
            if self.directory.owner(key_id) is None:
                return key_id, digest


class AccessKeys(KeyIds):
    """Operations on access keys."""

    def create_access_key(self, request: Request, params: Params) -> dict[str, Any]:
        """CreateAccessKey; at most two for a user."""
        user = self.named_user(request, params)
        if len(self._keys_of(request.account, user.name)) >= rules.KEYS_PER_USER:
            raise rules.quota("AccessKeysPerUser", rules.KEYS_PER_USER)
        key_id, digest = self.new_key(request.account, "AKIA", user.arn)
        key = AccessKey(
            access_key_id=key_id,
            secret=secrets.secret(digest),
            user=user.name,
            created=self.now(request),
        )
        self.directory.put_key(request.account, key)
        return {"AccessKey": {**_metadata(key), "SecretAccessKey": key.secret}}

    def _keys_of(self, account: str, user: str) -> list[AccessKey]:
        return [key for key in self.directory.keys.of(scope_of(account)) if key.user == user]

    def _key(self, request: Request, params: Params) -> AccessKey:
        user, key_id = self.named_user(request, params), params["AccessKeyId"]
        key = self.directory.keys.get(request.global_scope, key_id)
        if key is None or key.user != user.name:
            raise rules.no_such(f"The Access Key with id {key_id} cannot be found.")
        return key

    def list_access_keys(self, request: Request, params: Params) -> dict[str, Any]:
        """ListAccessKeys."""
        user = self.named_user(request, params)
        return listing(self._keys_of(request.account, user.name), params, "AccessKeyMetadata", _metadata)

    def update_access_key(self, request: Request, params: Params) -> None:
        """UpdateAccessKey: make it active or inactive."""
        key = self._key(request, params)
        if params["Status"] not in ("Active", "Inactive"):
            raise rules.validation(
                f"1 validation error detected: Value '{params['Status']}' at 'status' failed to satisfy constraint:"
                " Member must satisfy enum value set: [Active, Inactive]"
            )
        key.status = params["Status"]
        self.directory.put_key(request.account, key)

    def delete_access_key(self, request: Request, params: Params) -> None:
        """DeleteAccessKey."""
        self.directory.drop_key(self._key(request, params).access_key_id)

    def get_access_key_last_used(self, request: Request, params: Params) -> dict[str, Any]:
        """GetAccessKeyLastUsed."""
        key = self.directory.keys.get(request.global_scope, params["AccessKeyId"])
        if key is None:
            raise rules.access_denied(
                f"User: {request.principal.arn} is not authorized to perform: iam:GetAccessKeyLastUsed on resource:"
                f" access key {params['AccessKeyId']}"
            )
        used: dict[str, Any] = {"ServiceName": key.last_service or "N/A", "Region": key.last_region or "N/A"}
        if key.last_used is not None:
            used["LastUsedDate"] = as_datetime(key.last_used)
        return {"UserName": key.user, "AccessKeyLastUsed": used}

    def note_use(self, request: Request) -> None:
        """Remember when, where and for which service a key or a role was used last."""
        now, scope = self.now(request), request.global_scope
        key = self.directory.keys.get(scope, request.principal.access_key)
        if key is not None:
            if _is_news(key.last_used, now) or (key.last_service, key.last_region) != (request.service, request.region):
                key.last_used, key.last_service, key.last_region = now, request.service, request.region
                self.directory.put_key(request.account, key)
        elif request.principal.kind == "role":
            role = self.directory.roles.get(scope, request.principal.name.lower())
            if role is not None and _is_news(role.last_used, now):
                role.last_used, role.last_region = now, request.region
                self.directory.roles.put(scope, role.name.lower(), role)


def _is_news(last: float | None, now: float) -> bool:
    return last is None or not 0 <= now - last < USE_GRANULARITY


def _metadata(key: AccessKey) -> dict[str, Any]:
    return {
        "UserName": key.user,
        "AccessKeyId": key.access_key_id,
        "Status": key.status,
        "CreateDate": as_datetime(key.created),
    }


class Credentials(KeyIds):
    """What the gateway, STS and other services ask about access keys; no operations of AWS's."""

    _swept = 0.0

    def find_credential(self, access_key_id: str) -> Credential | None:
        """The credential of an access key id, long-term or temporary, of any account; None if there is none.

        A session is found for an hour after it expired (``expires`` tells); one whose role or user is gone is not.
        """
        account = self.directory.owner(access_key_id)
        if account is None:
            return None
        scope = scope_of(account)
        key = self.directory.keys.get(scope, access_key_id)
        if key is not None:
            user = self.directory.users.get(scope, key.user.lower())
            if user is None:
                return None
            principal = Principal(account, user.arn, "user", user.id, user.name, access_key_id)
            return Credential(access_key_id, key.secret, "", None, principal, key.status == "Active")
        session = self.directory.sessions.get(scope, access_key_id)
        return None if session is None else self._of_session(account, session)

    def _of_session(self, account: str, session: Session) -> Credential | None:
        scope, key = scope_of(account), session.name.lower()
        if session.kind == "role":
            role = self.directory.roles.get(scope, key)
            if role is None or role.id != session.user_id.partition(":")[0]:
                return None
            principal = Principal(account, session.arn, "role", session.user_id, role.name, session.access_key_id)
        elif session.kind == "user":
            user = self.directory.users.get(scope, key)
            if user is None or user.id != session.user_id:
                return None
            principal = Principal(account, user.arn, "user", user.id, user.name, session.access_key_id)
        else:
            principal = Principal.root(account, session.access_key_id)
        return Credential(session.access_key_id, session.secret, session.token, session.expires, principal, active=True)

    def issue_session(
        self,
        account: str,
        role_arn: str,
        session_name: str,
        duration_real_seconds: float,
        session_policy: str | None = None,
    ) -> Credential:
        """Temporary credentials for a role of the account, for so many *real* seconds. Trust is the caller's to check.

        Raises NoSuchEntity if there is no such role.
        """
        role = self.directory.role_by_arn(role_arn)
        if role is None or role_arn.split(":")[4] != account:
            raise rules.no_such(f"The role with name {role_arn.rsplit('/', 1)[-1]} cannot be found.")
        policies = [session_policy] if session_policy else []
        return self.issue_role_session(account, role, session_name, duration_real_seconds, policies, {})

    def issue_role_session(
        self,
        account: str,
        role: Role,
        session_name: str,
        duration_real_seconds: float,
        policies: list[str],
        tags: dict[str, str],
    ) -> Credential:
        """The same with everything that AssumeRole may say of a session."""
        return self._issue(
            account,
            "role",
            arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{session_name}",
            user_id=f"{role.id}:{session_name}",
            name=role.name,
            seconds=duration_real_seconds,
            policies=policies,
            tags=tags,
        )

    def issue_own_session(self, principal: Principal, duration_real_seconds: float) -> Credential:
        """Temporary credentials for a user or root itself (GetSessionToken)."""
        return self._issue(
            principal.account,
            principal.kind,
            arn=principal.arn,
            user_id=principal.user_id,
            name=principal.name,
            seconds=duration_real_seconds,
            policies=[],
            tags={},
        )

    def _issue(
        self,
        account: str,
        kind: str,
        *,
        arn: str,
        user_id: str,
        name: str,
        seconds: float,
        policies: list[str],
        tags: dict[str, str],
    ) -> Credential:
        issued = time.time()
        self._sweep(issued)
        key_id, digest = self.new_key(account, "ASIA", arn)
        session = Session(
            access_key_id=key_id,
            secret=secrets.secret(digest),
            token=secrets.session_token(digest),
            issued=issued,
            expires=issued + seconds,
            kind=kind,
            arn=arn,
            user_id=user_id,
            name=name,
            policies=policies,
            tags=tags,
        )
        self.directory.put_session(account, session)
        credential = self._of_session(account, session)
        if credential is None:
            raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", status=403)
        return credential

    def revoke_session(self, access_key_id: str) -> None:
        """Forget a session; nothing happens if there is none."""
        if access_key_id.startswith("ASIA"):
            self.directory.drop_key(access_key_id)

    def _sweep(self, real: float) -> None:
        if real < self._swept + SWEEP_EVERY:
            return
        self._swept = real
        for _, key_id, session in self.directory.sessions.all():
            if session.expires + KEPT_AFTER_EXPIRY < real:
                self.directory.drop_key(key_id)
