"""Signals that resources wait for: how many, and whether they have come. Pure.

Source: "CreationPolicy attribute", "AWS::CloudFormation::WaitCondition".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.intrinsics import text_of

WAIT_CONDITION = "AWS::CloudFormation::WaitCondition"
HANDLE = "AWS::CloudFormation::WaitConditionHandle"
LONGEST = 43200.0
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
Signals = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Wanted:
    """``percent``: of the signals of an Auto Scaling group that must be successes."""

    count: int
    seconds: float
    condition: bool
    percent: int = 100


def wanted(kind: str, policy: dict[str, Any], properties: dict[str, Any]) -> Wanted | None:
    """What a resource waits for; None if for nothing. Raises Failed for a duration that is none."""
    if kind == WAIT_CONDITION:
        if not properties.get("Handle"):
            return wanted("", policy, {})
        seconds = float(properties.get("Timeout", LONGEST))
        return Wanted(int(properties.get("Count", 1)), min(seconds, LONGEST), True)
    signal = policy.get("ResourceSignal")
    if signal is None:
        return None
    percent = (policy.get("AutoScalingCreationPolicy") or {}).get("MinSuccessfulInstancesPercent", 100)
    return Wanted(int(signal.get("Count", 1)), duration(text_of(signal.get("Timeout", "PT5M"))), False, int(percent))


def duration(text: str) -> float:
    """Seconds of an ISO 8601 duration. Raises Failed."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise Failed(f"Invalid timeout {text}: it must be of the form PT#H#M#S.")  # (?)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return min(float(hours * 3600 + minutes * 60 + seconds), LONGEST)


def enough(wanted: Wanted, signals: Signals) -> bool:
    """Whether all have come. Raises Failed when too many were failures."""
    failures = {unique: one for unique, one in signals.items() if one["status"] == "FAILURE"}
    successes = len(signals) - len(failures)
    if wanted.condition:
        if failures:
            unique, one = next(iter(failures.items()))
            raise Failed(f"WaitCondition received failed message: '{one.get('reason', '')}' for uniqueId: {unique}")
        return successes >= wanted.count
    needed = -(-wanted.count * wanted.percent // 100)
    if len(failures) > wanted.count - needed:
        count = len(failures)
        raise Failed(
            f"Received {count} FAILURE signal(s) out of {wanted.count}. Unable to satisfy"
            f" {wanted.percent}% MinSuccessfulInstancesPercent requirement"
        )
    return successes >= needed and len(signals) >= wanted.count


def too_few(wanted: Wanted, signals: Signals) -> str:
    """Why a resource failed whose time is over."""
    if wanted.condition:
        came = len(signals)
        return f"WaitCondition timed out. Received {came} conditions when expecting {wanted.count}"
    missing = wanted.count - len(signals)
    return f"Failed to receive {missing} resource signal(s) within the specified duration"


def data(signals: Signals) -> str:
    """The attribute Data of a wait condition."""
    return json.dumps({unique: one.get("data", "") for unique, one in signals.items()}, separators=(",", ":"))


def message(body: bytes) -> tuple[str, dict[str, str]]:
    """The unique id and the signal that a request to a wait condition handle brings. Raises ValueError."""
    try:
        told = json.loads(body)
        status, unique = told["Status"], str(told["UniqueId"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("A signal is a JSON object with Status, UniqueId, Data and Reason.") from None
    if status not in ("SUCCESS", "FAILURE"):
        raise ValueError("Status must be SUCCESS or FAILURE.")
    return unique, {"status": status, "reason": str(told.get("Reason", "")), "data": str(told.get("Data", ""))}


def replaced(document: Any, before: str, after: str) -> Any:
    """A document in all of whose texts, user data among them, ``before`` has become ``after``."""
    if isinstance(document, dict):
        return {
            key: _user_data(value, before, after) if key == "UserData" else replaced(value, before, after)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [replaced(each, before, after) for each in document]
    return document.replace(before, after) if isinstance(document, str) else document


def _user_data(value: Any, before: str, after: str) -> Any:
    if not isinstance(value, str):
        return replaced(value, before, after)
    try:
        text = base64.b64decode(value, validate=True)
    except binascii.Error:
        return value
    return (
        base64.b64encode(text.replace(before.encode(), after.encode())).decode() if before.encode() in text else value
    )
