"""IAM's rules about names, paths, tags, quotas and pages. Pure.

Source: "IAM and AWS STS quotas" (name requirements, quotas, character limits) and the API reference.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drydock.errors import AwsError

T = TypeVar("T")
NAME_LENGTH = {"userName": 64, "roleName": 64, "groupName": 128, "policyName": 128, "instanceProfileName": 128,
    "serverCertificateName": 128, "newServerCertificateName": 128,
}  # fmt: skip
POLICIES_ATTACHED = 10
GROUPS_PER_USER = 10
KEYS_PER_USER = 2
POLICY_VERSIONS = 5
MANAGED_POLICY_SIZE = 6144
TRUST_POLICY_SIZE = 2048
INLINE_SIZE = {"user": 2048, "role": 10240, "group": 5120}
TAGS = 50
QUOTAS = {
    "Users": 5000,
    "Roles": 1000,
    "Groups": 300,
    "Policies": 1500,
    "InstanceProfiles": 1000,
    "ServerCertificates": 20,
}
_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_PATH = re.compile(r"/|/[\x21-\x7e]+/")
_TAG_KEY = re.compile(r"[\w\s+=,.@:/-]+")
_TAG_VALUE = re.compile(r"[\w\s+=,.@:/-]*")
_ALIAS = re.compile(r"[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]")
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


def validation(message: str) -> AwsError:
    """IAM's and STS's error for a parameter that is not of the right form."""
    return AwsError("ValidationError", message, status=400)


def no_such(message: str) -> AwsError:
    """NoSuchEntity."""
    return AwsError("NoSuchEntity", message, status=404)


def exists(message: str) -> AwsError:
    """EntityAlreadyExists."""
    return AwsError("EntityAlreadyExists", message, status=409)


def conflict(message: str) -> AwsError:
    """DeleteConflict."""
    return AwsError("DeleteConflict", message, status=409)


def limit(message: str) -> AwsError:
    """LimitExceeded."""
    return AwsError("LimitExceeded", message, status=409)


def invalid_input(message: str) -> AwsError:
    """InvalidInput."""
    return AwsError("InvalidInput", message, status=400)


def access_denied(message: str) -> AwsError:
    """AccessDenied, as the query protocol spells it."""
    return AwsError("AccessDenied", message, status=403)


def quota(name: str, most: int) -> AwsError:
    """LimitExceeded for a counted thing."""
    return limit(f"Cannot exceed quota for {name}: {most}")


def check_name(field: str, name: str) -> str:
    """``name`` if it may be one. ``field`` is AWS's parameter with a small first letter. Raises ValidationError."""
    most = NAME_LENGTH[field]
    if len(name) > most:
        raise validation(
            f"1 validation error detected: Value '{name}' at '{field}' failed to satisfy constraint: Member must have"
            f" length less than or equal to {most}"
        )
    if not _NAME.fullmatch(name):
        raise validation(
            f"The specified value for {field} is invalid. It must contain only alphanumeric characters and/or the"
            " following: +=,.@_-"
        )
    return name


def check_path(path: str | None) -> str:
    """A path that begins and ends with a slash; ``/`` for none. Raises ValidationError."""
    if path is None:
        return "/"
    if len(path) > 512 or not _PATH.fullmatch(path):
        raise validation(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric"
            " characters and/or / characters."
        )
    return path


def check_alias(alias: str) -> str:
    """An account alias. Raises ValidationError."""
    if not _ALIAS.fullmatch(alias):
        raise validation(
            "The specified value for accountAlias is invalid. It must contain only alphanumeric characters and/or the"
            " following: -"
        )
    return alias


def check_session_duration(seconds: int) -> int:
    """MaxSessionDuration, in seconds: one to twelve hours. Raises ValidationError."""
    if not 3600 <= seconds <= 43200:
        bound = ("greater than or equal to 3600", "less than or equal to 43200")[seconds > 43200]
        raise validation(
            f"1 validation error detected: Value '{seconds}' at 'maxSessionDuration' failed to satisfy constraint:"
            f" Member must have value {bound}"
        )
    return seconds


def merged_tags(existing: dict[str, str], added: Sequence[dict[str, str]]) -> dict[str, str]:
    """The tags afterwards; keys differ from each other regardless of case. Raises InvalidInput or LimitExceeded."""
    merged = dict(existing)
    seen: set[str] = set()
    for tag in added:
        key, value = tag["Key"], tag["Value"]
        if key.lower() in seen:
            raise invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        seen.add(key.lower())
        if key.lower().startswith("aws:"):
            raise invalid_input("The tag key starts with a reserved prefix: aws:")
        if not 1 <= len(key) <= 128 or not _TAG_KEY.fullmatch(key):
            raise validation(_bad_tag(key, "key", 128))
        if len(value) > 256 or not _TAG_VALUE.fullmatch(value):
            raise validation(_bad_tag(value, "value", 256))
        present = next((old for old in merged if old.lower() == key.lower()), key)
        merged.pop(present, None)
        merged[key] = value
    if len(merged) > TAGS:
        raise limit(f"The number of tags has reached the maximum limit of {TAGS}.")
    return merged


def _bad_tag(text: str, part: str, most: int) -> str:
    return (
        f"1 validation error detected: Value '{text}' at 'tags.1.member.{part}' failed to satisfy constraint: Member"
        f" must have length less than or equal to {most} and satisfy regular expression pattern:"
        r" [\p{L}\p{Z}\p{N}_.:/=+\-@]+"
    )


def without_tags(existing: dict[str, str], keys: Sequence[str]) -> dict[str, str]:
    """The tags that stay."""
    gone = {key.lower() for key in keys}
    return {key: value for key, value in existing.items() if key.lower() not in gone}


def page(items: Sequence[T], params: dict[str, Any], shape: Callable[[T], Any]) -> tuple[list[Any], dict[str, Any]]:
    """One page of ``items`` by Marker and MaxItems (100 if not given), and the answer's IsTruncated and Marker.

    Raises ValidationError for a Marker that was not given out.
    """
    start = _offset(params.get("Marker"))
    end = start + int(params.get("MaxItems") or 100)
    rest: dict[str, Any] = {"IsTruncated": end < len(items)}
    if end < len(items):
        rest["Marker"] = base64.urlsafe_b64encode(f"from:{end}".encode()).decode()
    return [shape(item) for item in items[start:end]], rest


def _offset(marker: str | None) -> int:
    if marker is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(marker.encode()).decode().partition(":")
        if word == "from" and number.isdigit():
            return int(number)
    except (binascii.Error, UnicodeError, ValueError):
        pass
    raise validation(f"Invalid Marker: {marker}")
