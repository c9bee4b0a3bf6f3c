"""AWS Security Token Service. ``Expiration`` is *real* time: SDKs compare it with their own clock.

Who may assume a role ("IAM roles: how to assume", "Cross-account policy evaluation logic"): the trust policy must allow
it; if it names the caller's account and not the caller itself, or the caller is of another account, the caller's own
policies must allow ``sts:AssumeRole`` too. AWS lets no root user assume roles; here the root key stands for whoever
administers the account, so it may where the trust policy admits its account.
"""

from __future__ import annotations

import binascii
import time
from datetime import UTC, datetime
from typing import Any

from drydock.errors import AccessDenied, AwsError, NotImplementedByDrydock
from drydock.request import Principal, Request
from drydock.services.iam import Iam, secrets
from drydock.services.iam import policy as documents
from drydock.services.iam import rules as iam_rules
from drydock.services.iam.evaluation import Caller, evaluate_trust
from drydock.services.iam.model import Credential, Role
from drydock.services.iam.patterns import ContextValue
from drydock.services.service import Platform, Service
from drydock.services.sts import rules

ASSUME = "sts:AssumeRole"
_OF_SESSION = "Cannot call GetSessionToken with session credentials"


class Sts(Service):
    """The operations; sessions themselves are kept by IAM."""

    name = "sts"

    def __init__(self, platform: Platform, iam: Iam) -> None:
        super().__init__(platform)
        self._iam = iam

    def instead_of(self, operation: str) -> str:
        """What to use for operations that are lacking."""
        if operation in ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetFederationToken"):
            return "Use AssumeRole."
        return ""

    def get_caller_identity(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """GetCallerIdentity."""
        principal = request.principal
        return {"UserId": principal.user_id, "Account": principal.account, "Arn": principal.arn}

    def get_access_key_info(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """GetAccessKeyInfo: the account that a key belongs to, whether or not it is still there."""
        key_id = params["AccessKeyId"]
        owner = self._iam.directory.owner(key_id)
        if owner is None:
            try:
                owner = secrets.account_of(key_id)
            except (binascii.Error, ValueError):
                raise iam_rules.validation(f"{key_id} is not a valid access key id") from None
        return {"Account": owner}

    def get_session_token(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """GetSessionToken: temporary credentials of the caller itself, a user or root."""
        principal = request.principal
        if principal.kind not in ("user", "root") or principal.access_key.startswith("ASIA"):
            raise _denied(_OF_SESSION)
        if params.get("SerialNumber") or params.get("TokenCode"):
            raise _denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
        requested = params.get("DurationSeconds")
        seconds = rules.check_duration(43200 if requested is None else requested, rules.MOST_TOKEN_DURATION)
        if principal.kind == "root":
            seconds = min(seconds, rules.MOST_ROOT_TOKEN_DURATION)
        return {"Credentials": _shape(self._iam.issue_own_session(principal, seconds))}

    def assume_role(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """AssumeRole."""
        role_arn, session_name = params["RoleArn"], params["RoleSessionName"]
        rules.check_role_arn(role_arn)
        rules.check_session_name(session_name)
        if params.get("ExternalId") is not None:
            rules.check_external_id(params["ExternalId"])
        if params.get("SourceIdentity") is not None:
            raise NotImplementedByDrydock("sts", "AssumeRole", "It knows no SourceIdentity; leave it out.")
        requested = params.get("DurationSeconds")
        rules.check_duration(3600 if requested is None else requested, rules.MOST_ROLE_DURATION)
        tags = iam_rules.merged_tags({}, params.get("Tags") or [])
        role = self._iam.directory.role_by_arn(role_arn)
        if role is None:
            raise self._refusal(request.principal, role_arn, "")
        account = role_arn.split(":")[4]
        self._check_allowed(request, role, account, params, tags)
        if params.get("SerialNumber") or params.get("TokenCode"):
            raise _denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
        chained = request.principal.kind == "role"
        seconds = rules.role_duration(requested, role.max_session, chained)
        policies, packed = self._session_policies(account, params, tags)
        credential = self._iam.issue_role_session(account, role, session_name, seconds, policies, tags)
        answer: dict[str, Any] = {
            "Credentials": _shape(credential),
            "AssumedRoleUser": {
                "AssumedRoleId": credential.principal.user_id,
                "Arn": credential.principal.arn,
            },
        }
        if packed:
            answer["PackedPolicySize"] = packed
        return answer

    def _check_allowed(
        self, request: Request, role: Role, account: str, params: dict[str, Any], tags: dict[str, str]
    ) -> None:
        """Raises AccessDenied unless the trust policy, and where needed the caller's own, allow it."""
        principal = request.principal
        context = self._context(request, params, tags)
        for action in [ASSUME, "sts:TagSession"] if tags else [ASSUME]:
            decision, named = evaluate_trust(role.trust, action, self._caller(principal), context)
            if not decision.allowed:
                reason = decision.reason if decision.explicit_deny else ""
                raise self._refusal(principal, role.arn, reason, action)
            own = self._iam.decide(principal, action, role.arn, context)
            suffices = named == "direct" and account == principal.account
            if own.explicit_deny or not (own.allowed or suffices):
                raise self._refusal(principal, role.arn, own.reason, action)

    def _caller(self, principal: Principal) -> Caller:
        if principal.kind == "service":
            return Caller(principal.account, service=principal.name)
        arns = [principal.arn]
        if principal.kind == "role":
            arns.append(str(self._iam.principal_context(principal)["aws:principalarn"]))
        return Caller(principal.account, tuple(arns))

    def _context(self, request: Request, params: dict[str, Any], tags: dict[str, str]) -> dict[str, ContextValue]:
        context = self._iam.principal_context(request.principal)
        now = self.platform.clock(request.account).now()
        context["aws:sourceip"] = request.source_ip
        context["aws:requestedregion"] = request.region
        context["aws:currenttime"] = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        context["aws:epochtime"] = str(int(now))
        context["sts:rolesessionname"] = params["RoleSessionName"]
        if params.get("ExternalId") is not None:
            context["sts:externalid"] = params["ExternalId"]
        if tags:
            context["aws:tagkeys"] = list(tags)
            context.update({f"aws:requesttag/{key.lower()}": value for key, value in tags.items()})
        if params.get("TransitiveTagKeys"):
            context["sts:transitivetagkeys"] = list(params["TransitiveTagKeys"])
        return context

    def _session_policies(self, account: str, params: dict[str, Any], tags: dict[str, str]) -> tuple[list[str], int]:
        """The documents that narrow the session, and how much of the allowed size they take (percent)."""
        policies: list[str] = []
        size = sum(len(key) + len(value) for key, value in tags.items())
        if params.get("Policy"):
            documents.check(params["Policy"], "identity")
            policies.append(params["Policy"])
            size += len(params["Policy"])
        arns = [one["arn"] for one in params.get("PolicyArns") or []]
        if len(arns) > 10:
            raise iam_rules.validation(
                "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have"
                " length less than or equal to 10"
            )
        for arn in arns:
            policies.append(self._iam.directory.attachable(account, arn).document)
            size += len(arn)
        packed = -(-size * 100 // rules.PACKED_SIZE)
        if packed > 100:
            raise AwsError(
                "PackedPolicyTooLarge",
                f"Serialized token too large for session, packed size is {packed}% of the allowed.",
                status=400,
            )
        return policies, packed

    def _refusal(self, principal: Principal, role_arn: str, reason: str, action: str = ASSUME) -> AccessDenied:
        message = f"User: {principal.arn} is not authorized to perform: {action} on resource: {role_arn}"
        return _denied(f"{message} {reason}".rstrip())


def _denied(message: str) -> AccessDenied:
    error = AccessDenied(message)
    error.code, error.status = "AccessDenied", 403
    return error


def _shape(credential: Credential) -> dict[str, Any]:
    expires = time.time() if credential.expires is None else credential.expires
    return {
        "AccessKeyId": credential.access_key_id,
        "SecretAccessKey": credential.secret,
        "SessionToken": credential.session_token,
        "Expiration": datetime.fromtimestamp(int(expires), UTC),
    }
