"""The role of an instance profile: who a machine is to AWS's API, and the keys that its programs get."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from drydock.request import Principal
from drydock.services.ec2.model import Machine
from drydock.services.iam.api import Iam
from drydock.services.iam.directory import scope_of
from drydock.services.iam.model import Credential, Role
from drydock.store import Scope

EC2 = "ec2.amazonaws.com"
SESSION_LASTS = 6 * 3600.0
"""Real seconds"""
REFRESHED_BEFORE = 3600.0
"""Real seconds before the end of a session from which a new one is given out"""


class InstanceRoles:
    """Sessions are real ones of our IAM; :meth:`forget` revokes them."""

    def __init__(self, iam: Iam) -> None:
        self._iam = iam
        self._given: dict[str, list[tuple[str, Credential]]] = {}
        """By machine: (role's ARN, session), the latest last; an earlier one works until it expires or the machine goes"""

    def role(self, scope: Scope, machine: Machine) -> Role | None:
        """The role of its profile; None if it has no profile, or the profile no role."""
        name = machine.profile.rpartition("/")[2].lower()
        profile = self._iam.directory.profiles.get(scope_of(scope.account), name) if name else None
        if profile is None or not profile.role:
            return None
        return self._iam.directory.roles.get(scope_of(scope.account), profile.role.lower())

    def refusal(self, role: Role) -> str:
        """Why EC2 may not assume it; empty if it may."""
        return self._iam.check_assumable(role.arn, EC2)

    def principal(self, scope: Scope, machine: Machine) -> Principal | None:
        """Who the machine's own programs are (its ECS agent); None if there is nobody it could be."""
        role = self.role(scope, machine)
        if role is None or self.refusal(role):
            return None
        arn = f"arn:aws:sts::{scope.account}:assumed-role/{role.name}/{machine.id}"
        return Principal(scope.account, arn, "role", f"{role.id}:{machine.id}", role.name)

    def credentials(self, scope: Scope, machine: Machine, role: Role) -> dict[str, Any]:
        """The document of ``iam/security-credentials/ROLE``."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.refusal(role):
            link = "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html"
            return {
                "Code": "AssumeRoleUnauthorizedAccess",
                "Message": f"EC2 cannot assume the role {role.name}. Please see documentation at "
                f"{link}#troubleshoot_iam-ec2_errors-info-doc.",
                "LastUpdated": now,
            }
        given = self._given.setdefault(machine.id, [])
        latest = given[-1] if given else None
        if latest is None or latest[0] != role.arn or (latest[1].expires or 0) < time.time() + REFRESHED_BEFORE:
            session = self._iam.issue_session(scope.account, role.arn, machine.id, SESSION_LASTS)
            given.append((role.arn, session))
        credential = given[-1][1]
        expires = datetime.fromtimestamp(credential.expires or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "Code": "Success",
            "LastUpdated": now,
            "Type": "AWS-HMAC",
            "AccessKeyId": credential.access_key_id,
            "SecretAccessKey": credential.secret,
            "Token": credential.session_token,
            "Expiration": expires,
        }

    def forget(self, machine_id: str) -> None:
        """Its keys do not work any more."""
        for _, credential in self._given.pop(machine_id, []):
            self._iam.revoke_session(credential.access_key_id)
