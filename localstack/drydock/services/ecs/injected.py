"""What is put into a container's environment from elsewhere: secrets and environment files. The pure part.

Sources: "Pass sensitive data to an Amazon ECS container", "Pass Secrets Manager secrets through Amazon ECS environment
variables" (the forms of ``valueFrom``) and "Pass environment variables to an Amazon ECS container" (environment files).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_SECRET_ARN = re.compile(
    r"(arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:[^:]+)(?::([^:]*))?(?::([^:]*))?(?::([^:]*))?"
)
_PARAMETER_ARN = re.compile(r"arn:[a-z-]+:ssm:([a-z0-9-]+):(\d{12}):parameter/(.+)")
_FILE_ARN = re.compile(r"arn:[a-z-]+:s3:::([a-z0-9.-]{3,63})/(.+)")
_LINE = re.compile(r"([^=\s][^=]*)=(.*)")
LONGEST_FILES = 10


class BadReference(ValueError):
    """A ``valueFrom`` or an environment file's ARN that means nothing."""


@dataclass(frozen=True)
class SecretReference:
    """A secret of Secrets Manager, or one key of its JSON document."""

    arn: str
    region: str
    key: str = ""
    stage: str = ""
    version: str = ""


@dataclass(frozen=True)
class ParameterReference:
    """A parameter of Systems Manager."""

    name: str
    region: str


def reference(value_from: str, region: str) -> SecretReference | ParameterReference:
    """What a secret's ``valueFrom`` means: an ARN, or the name of a parameter in the task's region. Raises BadReference."""
    if match := _SECRET_ARN.fullmatch(value_from):
        arn, key, stage, version = match.groups()
        return SecretReference(arn, arn.split(":")[3], key or "", stage or "", version or "")
    if match := _PARAMETER_ARN.fullmatch(value_from):
        name = match[3]
        return ParameterReference(f"/{name}" if "/" in name else name, match[1])
    if value_from.startswith("arn:") or not re.fullmatch(r"[\w./-]{1,1011}", value_from):
        raise BadReference(f"invalid secret reference: {value_from}")
    return ParameterReference(value_from, region)


def from_json(text: str, key: str) -> str:
    """One key of a secret's JSON document; what is no string is given as JSON. Raises BadReference."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BadReference("the secret is not a JSON document") from error
    if not isinstance(document, dict) or key not in document:
        raise BadReference(f"retrieved secret from Secrets Manager did not contain json key {key}")
    value = document[key]
    return value if isinstance(value, str) else json.dumps(value)


def file_location(arn: str) -> tuple[str, str]:
    """Bucket and key of an environment file. Raises BadReference."""
    match = _FILE_ARN.fullmatch(arn)
    if not match or not match[2].endswith(".env"):
        raise BadReference(f"invalid environment file: {arn}")
    return match[1], match[2]


def parse_file(text: str) -> dict[str, str]:
    """``NAME=value`` lines; empty ones and those that begin with ``#`` are left out. Nothing is unquoted, as on AWS."""
    found = {}
    for line in re.split(r"\r?\n", text):
        if line.lstrip().startswith("#"):
            continue
        if match := _LINE.fullmatch(line):
            found[match[1].strip()] = match[2]
    return found
