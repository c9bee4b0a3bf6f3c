"""Dynamic references: ``{{resolve:ssm:...}}``, ``{{resolve:ssm-secure:...}}``, ``{{resolve:secretsmanager:...}}``.

They are resolved when a resource is made or changed, and what they hold is kept nowhere. Source: "Get values stored in
other services using dynamic references".
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from drydock.errors import AwsError
from drydock.services.cloudformation.faults import Failed

Ask = Callable[..., Awaitable[dict[str, Any]]]
_REFERENCE = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^{}]+)\}\}")


def names_any(value: Any) -> bool:
    """Whether a value, or anything within it, is a dynamic reference."""
    if isinstance(value, dict):
        return any(names_any(one) for one in value.values())
    if isinstance(value, list):
        return any(names_any(one) for one in value)
    return isinstance(value, str) and _REFERENCE.search(value) is not None


async def resolved(value: Any, ask: Ask) -> Any:
    """The value with its references replaced. ``ask(service, operation, **params)``. Raises Failed."""
    if isinstance(value, dict):
        return {key: await resolved(one, ask) for key, one in value.items()}
    if isinstance(value, list):
        return [await resolved(one, ask) for one in value]
    if not isinstance(value, str):
        return value
    parts, at = [], 0
    for match in _REFERENCE.finditer(value):
        parts += [value[at : match.start()], await _held(match[1], match[2], ask)]
        at = match.end()
    return "".join((*parts, value[at:]))


async def _held(kind: str, name: str, ask: Ask) -> str:
    try:
        return await (_secret(name, ask) if kind == "secretsmanager" else _parameter(name, kind == "ssm-secure", ask))
    except AwsError as error:
        if error.code in ("ParameterNotFound", "ParameterVersionNotFound"):
            raise Failed(f"Parameters: [{kind}:{name}] cannot be found.") from None  # (?)
        if error.code == "ResourceNotFoundException":
            raise Failed("Secrets Manager can't find the specified secret.") from None
        raise Failed(f"Could not resolve {{{{resolve:{kind}:{name}}}}}: {error.message}") from None  # (?)


async def _parameter(name: str, secure: bool, ask: Ask) -> str:
    answer = (await ask("ssm", "GetParameter", Name=name, WithDecryption=secure))["Parameter"]
    if (answer["Type"] == "SecureString") != secure:
        if not secure:
            raise Failed(f"SSM Secure reference is required for SecureString parameter {name}: use ssm-secure.")  # (?)
        raise Failed(f"Parameter {name} is not a SecureString: use ssm.")  # (?)
    return str(answer["Value"])


async def _secret(name: str, ask: Ask) -> str:
    pieces = name.split(":")
    if pieces[0] == "arn":
        secret, rest = ":".join(pieces[:7]), pieces[7:]
    else:
        secret, rest = pieces[0], pieces[1:]
    kind, key, stage, version = [*rest, "", "", "", ""][:4]
    if kind not in ("", "SecretString"):
        raise Failed(f"Only SecretString can be referred to, not {kind}.")  # (?)
    given = {name: value for name, value in (("VersionStage", stage), ("VersionId", version)) if value}
    text = str((await ask("secretsmanager", "GetSecretValue", SecretId=secret, **given)).get("SecretString", ""))
    if not key:
        return text
    try:
        return str(json.loads(text)[key])
    except (ValueError, KeyError, TypeError):
        raise Failed(f"Could not find a value associated with JSONKey in SecretString: {key}") from None
