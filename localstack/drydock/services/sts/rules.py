"""STS's rules about parameters. Pure.

Source: API reference of AssumeRole and GetSessionToken.
"""

from __future__ import annotations

import re

from drydock.services.iam.rules import SESSION_NAME, validation

LEAST_DURATION = 900
MOST_ROLE_DURATION = 43200
MOST_TOKEN_DURATION = 129600
MOST_ROOT_TOKEN_DURATION = 3600
CHAINED_DURATION = 3600
PACKED_SIZE = 2048
_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d{12}:role/[\x21-\x7e]+")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/\\-]{2,1224}", re.ASCII)


def _constraint(value: object, field: str, constraint: str) -> str:
    return f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: Member must {constraint}"


def check_role_arn(arn: str) -> None:
    """Raises ValidationError if it is not a role's ARN."""
    if not _ROLE_ARN.fullmatch(arn):
        raise validation(f"{arn} is invalid")


def check_session_name(name: str) -> None:
    """Raises ValidationError."""
    if SESSION_NAME.fullmatch(name):
        return
    if len(name) < 2:
        raise validation(_constraint(name, "roleSessionName", "have length greater than or equal to 2"))
    if len(name) > 64:
        raise validation(_constraint(name, "roleSessionName", "have length less than or equal to 64"))
    pattern = r"satisfy regular expression pattern: [\w+=,.@-]*"
    raise validation(_constraint(name, "roleSessionName", pattern))


def check_external_id(external_id: str) -> None:
    """Raises ValidationError."""
    if not _EXTERNAL_ID.fullmatch(external_id):
        pattern = r"satisfy regular expression pattern: [\w+=,.@:\/-]*"
        raise validation(_constraint(external_id, "externalId", pattern))


def check_duration(seconds: int, most: int) -> int:
    """``seconds`` if within AWS's bounds for the operation. Raises ValidationError."""
    if seconds < LEAST_DURATION:
        constraint = f"have value greater than or equal to {LEAST_DURATION}"
        raise validation(_constraint(seconds, "durationSeconds", constraint))
    if seconds > most:
        raise validation(_constraint(seconds, "durationSeconds", f"have value less than or equal to {most}"))
    return seconds


def role_duration(requested: int | None, max_session: int, chained: bool) -> int:
    """Seconds that a role's session may last. Raises ValidationError if more were asked for."""
    seconds = check_duration(3600 if requested is None else requested, MOST_ROLE_DURATION)
    if chained and seconds > CHAINED_DURATION:
        raise validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if seconds > max_session:
        raise validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return seconds
