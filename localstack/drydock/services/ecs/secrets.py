"""Reads secrets and environment files under the task execution role, before the containers start.

The wording of failures is that of "Viewing Amazon ECS stopped task errors" (ResourceInitializationError).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from drydock.errors import AwsError
from drydock.services.ecs.injected import (
    BadReference,
    ParameterReference,
    SecretReference,
    file_location,
    from_json,
    parse_file,
    reference,
)

Ask = Callable[[str, str, str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""(region, service, operation, params) under the execution role. Raises AwsError"""

_FROM_ASM = "unable to retrieve secret from asm: service call has been retried 1 time(s): "


class NotInjected(Exception):
    """A secret or a file could not be had; the message is the task's stoppedReason."""


async def secrets_of(container: dict[str, Any], region: str, ask: Ask) -> dict[str, str]:
    """Environment variables from the definition's ``secrets``. Raises NotInjected."""
    found = {}
    for secret in container.get("secrets", []):
        try:
            wanted = reference(secret["valueFrom"], region)
            if isinstance(wanted, SecretReference):
                found[secret["name"]] = await _secret(wanted, ask)
            else:
                found[secret["name"]] = await _parameter(wanted, ask)
        except BadReference as error:
            raise NotInjected(_cannot_pull(str(error))) from error
    return found


async def _secret(wanted: SecretReference, ask: Ask) -> str:
    params = {"SecretId": wanted.arn}
    if wanted.stage:
        params["VersionStage"] = wanted.stage
    if wanted.version:
        params["VersionId"] = wanted.version
    try:
        answer = await ask(wanted.region, "secretsmanager", "GetSecretValue", params)
    except AwsError as error:
        raise NotInjected(
            _cannot_pull(
                f"{_FROM_ASM}failed to fetch secret {wanted.arn} from secrets manager: {error.code}: {error.message}"
            )
        ) from error
    text = answer.get("SecretString")
    try:
        if text is None:
            raise BadReference(f"the secret {wanted.arn} has no text")
        return from_json(text, wanted.key) if wanted.key else str(text)
    except BadReference as error:
        raise NotInjected(_cannot_pull(f"{_FROM_ASM}{error}")) from error


async def _parameter(wanted: ParameterReference, ask: Ask) -> str:
    try:
        answer = await ask(wanted.region, "ssm", "GetParameters", {"Names": [wanted.name], "WithDecryption": True})
    except AwsError as error:
        raise NotInjected(
            _cannot_pull(
                "unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
                f"{error.code}: {error.message}"
            )
        ) from error
    if not answer.get("Parameters"):
        raise NotInjected(_cannot_pull(f"unable to retrieve secrets from ssm: invalid parameters: {wanted.name}"))
    return str(answer["Parameters"][0]["Value"])


async def files_of(container: dict[str, Any], region: str, ask: Ask) -> dict[str, str]:
    """Environment variables from the definition's ``environmentFiles``; of two files the earlier wins, as on AWS.

    Raises NotInjected.
    """
    found: dict[str, str] = {}
    for file in container.get("environmentFiles", []):
        try:
            bucket, key = file_location(file["value"])
            answer = await ask(region, "s3", "GetObject", {"Bucket": bucket, "Key": key})
        except (AwsError, BadReference) as error:
            why = f"{error.code}: {error.message}" if isinstance(error, AwsError) else str(error)
            raise NotInjected(
                "ResourceInitializationError: failed to download env files: file download command: non empty error "
                f"stream: {why}"
            ) from error
        body = answer["Body"]
        text = (body if isinstance(body, bytes) else body.read()).decode("utf-8", "replace")
        found = parse_file(text) | found
    return found


def _cannot_pull(why: str) -> str:
    return (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        + why
    )
