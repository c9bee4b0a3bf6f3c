"""Policy documents: is this text one? AWS's checks at the time a policy is written, with its messages.

Source: "Grammar of the IAM JSON policy language" and what IAM answers (``MalformedPolicyDocument``). Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from drydock.errors import AwsError
from drydock.services.iam.conditions import UnknownOperator, compile_condition
from drydock.services.iam.evaluation import CURRENT_VERSION, as_text, listed

Kind = Literal["identity", "trust"]
VERSIONS = (CURRENT_VERSION, "2008-10-17")
SYNTAX = "Syntax errors in policy."
_DOCUMENT = {"Version", "Id", "Statement"}
_STATEMENT = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
}
_SID = re.compile(r"[0-9A-Za-z]*")
_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9*?_-]+")
_VENDOR = re.compile(r"[a-z0-9-]+", re.IGNORECASE)
_PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b")
_TRUST_ACTIONS = re.compile(
    r"sts:(assumerole|assumerolewithsaml|assumerolewithwebidentity|tagsession|setsourceidentity|setcontext|\*|assumerole\*)",
    re.IGNORECASE,
)
_PRINCIPAL_KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
_AWS_PRINCIPAL = re.compile(
    r"\d{12}|arn:[\w-]+:(iam|sts)::\d{12}:(root|user/.+|role/.+|assumed-role/.+/.+|federated-user/.+)"
)
_SERVICE_PRINCIPAL = re.compile(r"[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|aws\.internal|amazon\.com)")


def malformed(message: str) -> AwsError:
    """IAM's error for a document that is no policy."""
    return AwsError("MalformedPolicyDocument", message, status=400)


def check(document: str, kind: Kind) -> dict[str, Any]:
    """The parsed document. Raises MalformedPolicyDocument."""
    policy = _parse(document)
    statements = _statements(policy)
    sids = [one["Sid"] for one in statements if one.get("Sid")]
    for statement in statements:
        _check_common(statement)
        if kind == "identity":
            _check_identity(statement)
        else:
            _check_trust(statement)
    if len(sids) != len(set(sids)):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    if kind == "identity" and policy.get("Version") is None:
        raise malformed("Policy document must be version 2012-10-17 or greater.")
    return policy


def _parse(document: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise malformed(SYNTAX)
        return dict(pairs)

    try:
        policy = json.loads(document, object_pairs_hook=unique)
    except (ValueError, RecursionError):
        raise malformed("This policy contains invalid Json") from None
    if not isinstance(policy, dict) or not set(policy) <= _DOCUMENT:
        raise malformed(SYNTAX)
    if policy.get("Version", CURRENT_VERSION) not in VERSIONS:
        raise malformed(SYNTAX)
    return policy


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    statements = listed(policy.get("Statement", []))
    if not statements or not all(isinstance(one, dict) and set(one) <= _STATEMENT for one in statements):
        raise malformed(SYNTAX)
    return statements


def _check_common(statement: dict[str, Any]) -> None:
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        raise malformed(SYNTAX)
    if not _SID.fullmatch(sid):
        raise malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression"
            " [0-9A-Za-z]*"
        )
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise malformed(SYNTAX)
    for element in ("Action", "Resource"):
        if element in statement and f"Not{element}" in statement:
            raise malformed(SYNTAX)
    actions = statement.get("Action", statement.get("NotAction"))
    if actions is None or actions == []:
        raise malformed("Policy statement must contain actions.")
    if not all(isinstance(action, str) for action in listed(actions)):
        raise malformed(SYNTAX)
    for action in listed(actions):
        _check_action(action)
    _check_condition(statement.get("Condition", {}))


def _check_action(action: str) -> None:
    if action == "*":
        return
    vendor, colon, _ = action.partition(":")
    if not colon:
        raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if not _VENDOR.fullmatch(vendor):
        raise malformed(f"Vendor {vendor} is not valid")
    if not _ACTION.fullmatch(action):
        raise malformed(SYNTAX)


def _check_condition(condition: Any) -> None:
    if not isinstance(condition, dict):
        raise malformed(SYNTAX)
    for operator, keys in condition.items():
        if not isinstance(keys, dict):
            raise malformed(SYNTAX)
        for key, values in keys.items():
            if not key or not all(isinstance(value, str | bool | int | float) for value in listed(values)):
                raise malformed(SYNTAX)
            if ":" not in key:
                raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
            try:
                compile_condition(operator, key, [as_text(value) for value in listed(values)], True)
            except UnknownOperator:
                raise malformed(SYNTAX) from None


def _check_identity(statement: dict[str, Any]) -> None:
    if "Principal" in statement or "NotPrincipal" in statement:
        raise malformed("Policy document should not specify a principal.")
    resources = statement.get("Resource", statement.get("NotResource"))
    if resources is None or resources == []:
        raise malformed("Policy statement must contain resources.")
    for resource in listed(resources):
        if not isinstance(resource, str):
            raise malformed(SYNTAX)
        _check_resource(resource)


def _check_resource(resource: str) -> None:
    """``*`` or an ARN with its parts; wildcards may stand for parts."""
    if resource == "*" or resource.startswith("${"):
        return
    parts = resource.split(":", 5)
    if parts[0] not in ("arn", "*") or (len(parts) == 1 and not resource.startswith("*")):
        raise malformed(f'Resource {resource} must be in ARN format or "*".')
    if len(parts) == 1:
        return
    if parts[1] not in _PARTITIONS and not set("*?$") & set(parts[1]):
        raise malformed(
            f'Partition "{parts[1]}" is not valid for resource "arn:{parts[1]}:{":".join(_filled(parts[2:]))}".'
        )
    if len(parts) < 6 and not parts[-1].endswith("*"):
        raise malformed("The policy failed legacy parsing")


def _filled(parts: list[str]) -> list[str]:
    return [*parts, *["*"] * (4 - len(parts))]


def _check_trust(statement: dict[str, Any]) -> None:
    for element in ("Resource", "NotResource"):
        if element in statement:
            raise malformed(f"Has prohibited field {element}")
    if "Principal" not in statement and "NotPrincipal" not in statement:
        raise malformed("Missing required field Principal")
    if "NotPrincipal" in statement and statement["Effect"] == "Allow":
        raise malformed("Allow with NotPrincipal is not allowed.")
    for action in listed(statement.get("Action", statement.get("NotAction"))):
        if not _TRUST_ACTIONS.fullmatch(action):
            raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    for kind, name in principals(statement):
        _check_principal(kind, name)


def principals(statement: dict[str, Any]) -> list[tuple[str, str]]:
    """Whom a trust statement names: (``AWS``, ARN or account), (``Service``, name). Raises MalformedPolicyDocument."""
    element = statement.get("Principal", statement.get("NotPrincipal"))
    if element == "*":
        return [("AWS", "*")]
    if not isinstance(element, dict) or not element:
        raise malformed(SYNTAX)
    named = [(kind, name) for kind, names in element.items() for name in listed(names)]
    if not named or not all(isinstance(name, str) and name for _, name in named):
        raise malformed(SYNTAX)
    return named


def _check_principal(kind: str, name: str) -> None:
    if kind not in _PRINCIPAL_KINDS:
        raise malformed(f'Invalid principal in policy: "{kind.upper()}":"{name}"')
    valid = True
    if kind == "AWS":
        valid = name == "*" or (_AWS_PRINCIPAL.fullmatch(name) is not None and "*" not in name)
    elif kind == "Service":
        valid = _SERVICE_PRINCIPAL.fullmatch(name) is not None
    if not valid:
        raise malformed(f'Invalid principal in policy: "{kind.upper()}":"{name}"')


def size(document: str) -> int:
    """Characters that count against IAM's quotas: white space does not."""
    return sum(not character.isspace() for character in document)
