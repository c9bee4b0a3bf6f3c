"""What CloudWatch Logs accepts and refuses, and how it numbers and pages. Pure: no I/O, no clock, no store.

Sources: "Amazon CloudWatch Logs API Reference" (each operation's page), the service model's constraints, and
"CloudWatch Logs quotas".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from drydock.errors import AwsError

DAY = 86_400_000
HOUR = 3_600_000
EVENT_OVERHEAD = 26
BATCH_BYTES = 1_048_576
EVENT_BYTES = 1_048_576
PAGE_BYTES = 1_048_576
PAGE_EVENTS = 10_000
RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
LOG_CLASSES = ("STANDARD", "INFREQUENT_ACCESS", "DELIVERY", "ESSENTIALS")
DESCRIBE_FROM_TAIL_SINCE = 1_704_067_200_000
"""1 January 2024: FilterLogEvents reads backwards only from there on"""
LAST_MOMENT = 1 << 62


class Constraint(NamedTuple):
    """What the service model says of a member: length of a string, list or map, or the range of a number."""

    least: int | None = None
    most: int | None = None
    pattern: str | None = None
    values: tuple[Any, ...] = ()


_GROUP_NAME = Constraint(1, 512, r"[\.\-_/#A-Za-z0-9]+")
_STREAM_NAME = Constraint(1, 512, r"[^:*]*")
_METRIC_NAME = Constraint(None, 255, r"[^:*$]*")
CONSTRAINTS: dict[str, Constraint] = {
    "logGroupName": _GROUP_NAME,
    "logGroupNamePrefix": _GROUP_NAME,
    "logGroupIdentifier": Constraint(1, 2048, r"[\w#+=/:,.@-]*"),
    "logGroupIdentifiers": Constraint(1, 50),
    "logGroupClass": Constraint(values=LOG_CLASSES),
    "logStreamName": _STREAM_NAME,
    "logStreamNamePrefix": _STREAM_NAME,
    "logStreamNames": Constraint(1, 100),
    "filterName": _STREAM_NAME,
    "filterNamePrefix": _STREAM_NAME,
    "filterPattern": Constraint(0, 1024),
    "metricName": _METRIC_NAME,
    "metricNamespace": _METRIC_NAME,
    "metricTransformations": Constraint(1, 1),
    "logEventMessages": Constraint(1, 50),
    "logEvents": Constraint(1, 10_000),
    "nextToken": Constraint(1, None),
    "sequenceToken": Constraint(1, None),
    "orderBy": Constraint(values=("LogStreamName", "LastEventTime")),
    "retentionInDays": Constraint(values=RETENTION_DAYS),
    "resourceArn": Constraint(1, 1011, r"[\w+=/:,.@-]*"),
    "tags": Constraint(1, 50),
    "tagKeys": Constraint(0, 50),
    "startTime": Constraint(0, None),
    "endTime": Constraint(0, None),
    "kmsKeyId": Constraint(None, 256),
}


def invalid(message: str) -> AwsError:
    """InvalidParameterException."""
    return AwsError("InvalidParameterException", message)


def no_group() -> AwsError:
    """ResourceNotFoundException for a group."""
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def no_stream() -> AwsError:
    """ResourceNotFoundException for a stream."""
    return AwsError("ResourceNotFoundException", "The specified log stream does not exist.")


def violations(constraint: Constraint, value: Any, path: str) -> list[str]:
    """What is wrong with a value, in AWS's words."""
    found = []
    measure = value if isinstance(value, int) else len(value)
    noun = "value" if isinstance(value, int) else "length"
    if constraint.values and value not in constraint.values:
        found.append(f"Member must satisfy enum value set: [{', '.join(map(str, constraint.values))}]")
    if constraint.least is not None and measure < constraint.least:
        found.append(f"Member must have {noun} greater than or equal to {constraint.least}")
    if constraint.most is not None and measure > constraint.most:
        found.append(f"Member must have {noun} less than or equal to {constraint.most}")
    if constraint.pattern is not None and not re.fullmatch(constraint.pattern, value, re.ASCII):
        found.append(f"Member must satisfy regular expression pattern: {constraint.pattern}")
    return [f"Value '{value}' at '{path}' failed to satisfy constraint: {what}" for what in found]


def refuse(found: Sequence[str]) -> None:
    """Raises InvalidParameterException if anything was found."""
    if found:
        noun = "error" if len(found) == 1 else "errors"
        raise invalid(f"{len(found)} validation {noun} detected: {'; '.join(found)}")


def check(params: Mapping[str, Any], limit: int = 50) -> None:
    """The constraints of a request's members; ``limit`` is the largest page. Raises InvalidParameterException."""
    found: list[str] = []
    for name, value in params.items():
        if name == "limit":
            found += violations(Constraint(1, limit), value, name)
        elif (constraint := CONSTRAINTS.get(name)) is not None and value is not None:
            if isinstance(value, (list, dict)):
                found += violations(constraint, value, name) if not _fits(constraint, value) else []
            else:
                found += violations(constraint, value, name)
    refuse(found)


def _fits(constraint: Constraint, value: Collection[Any]) -> bool:
    """Whether a list is within its bounds; asked first, because a violation's text shows the whole list."""
    return (constraint.least or 0) <= len(value) and (constraint.most is None or len(value) <= constraint.most)


def group_name_of(identifier: str, account: str, region: str) -> str:
    """The group's name in a ``logGroupIdentifier`` (name or ARN). Another account's or region's is not found."""
    if not identifier.startswith("arn:"):
        return identifier
    match = re.fullmatch(r"arn:[^:]+:logs:([^:]*):([^:]*):log-group:([^:]+)(:\*)?", identifier)
    if match is None:
        raise invalid("Invalid log group ARN")
    if (match[1], match[2]) != (region, account):
        raise no_group()
    return match[3]


def tagged_group_name(arn: str, account: str, region: str) -> str:
    """The group's name in a ``resourceArn``, which must come without the trailing ``:*``."""
    match = re.fullmatch(r"arn:[^:]+:logs:([^:]*):([^:]*):log-group:([^:]+)", arn)
    if match is None or not re.fullmatch(str(_GROUP_NAME.pattern), match[3]):
        raise invalid(f"Invalid resourceArn: {arn}")
    if (match[1], match[2]) != (region, account):
        raise AwsError("ResourceNotFoundException", "The specified resource does not exist.")
    return match[3]


def with_tags(tags: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Both together. Raises InvalidParameterException, TooManyTagsException (50)."""
    found: list[str] = []
    for key, value in added.items():
        found += violations(Constraint(1, 128), key, "tags")
        found += violations(Constraint(0, 256), value, "tags")
        if not all(c.isalnum() or c.isspace() or c in "_.:/=+-@" for c in key + value):
            found.append(
                f"Value '{{{key}={value}}}' at 'tags' failed to satisfy constraint: Map keys and values must satisfy "
                r"regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]+)$"
            )
    refuse(found)
    if any(key.lower().startswith("aws:") for key in added):
        raise invalid("aws: prefixed tag key names are not allowed for external use.")
    together = {**tags, **added}
    if len(together) > 50:
        raise AwsError("TooManyTagsException", "The number of tags exceeds the limit of 50 per resource.")
    return together


# --- PutLogEvents -----------------------------------------------------------------------------------------------------


class NewEvent(NamedTuple):
    """An event to be stored: milliseconds, bytes with overhead, text."""

    timestamp: int
    size: int
    message: str


class Judgement(NamedTuple):
    """Which events of a batch are taken, and what PutLogEvents says of the others."""

    accepted: list[NewEvent]
    rejected: dict[str, int]


def measured(event: Mapping[str, Any]) -> NewEvent:
    """An event and its size. Half a surrogate pair, which UTF-8 cannot hold, becomes a question mark."""
    message = event["message"]
    if message.isascii():
        return NewEvent(event["timestamp"], len(message) + EVENT_OVERHEAD, message)
    body = message.encode("utf-8", "replace")
    return NewEvent(event["timestamp"], len(body) + EVENT_OVERHEAD, body.decode())


def judge(events: Sequence[Mapping[str, Any]], now: int, kept_days: int | None) -> Judgement:
    """The rules of PutLogEvents for a batch that arrives at ``now`` (lab milliseconds) in a group that keeps its events
    for so many days. Raises InvalidParameterException if the batch as a whole is refused."""
    refuse(
        [
            fault
            for index, event in enumerate(events, 1)
            if not event["message"] or event["timestamp"] < 0
            for fault in (
                violations(Constraint(1), event["message"], f"logEvents.{index}.member.message")
                + violations(Constraint(0), event["timestamp"], f"logEvents.{index}.member.timestamp")
            )
        ]
    )
    batch = [measured(event) for event in events]
    largest = max(event.size for event in batch)
    if largest > EVENT_BYTES:
        raise invalid(f"Log event too large: {largest} bytes exceeds limit of {EVENT_BYTES}")
    total = sum(event.size for event in batch)
    if total > BATCH_BYTES:
        raise invalid(f"Upload too large: {total} bytes exceeds limit of {BATCH_BYTES}")
    times = [event.timestamp for event in batch]
    if any(earlier > later for earlier, later in pairwise(times)):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
    too_old = bisect_left(times, now - 14 * DAY)
    expired = bisect_left(times, now - kept_days * DAY) if kept_days is not None else 0
    first, end = max(too_old, expired), bisect_right(times, now + 2 * HOUR)
    if end > first and times[end - 1] - times[first] > DAY:
        raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    rejected = {}
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired > too_old:
        rejected["expiredLogEventEndIndex"] = expired
    if end < len(times):
        rejected["tooNewLogEventStartIndex"] = end
    return Judgement(batch[first:end], rejected)


# --- numbers and tokens -----------------------------------------------------------------------------------------------


class Position(NamedTuple):
    """A place between events, in the order (timestamp, number). ``number`` is the event's, so an interval that begins
    after ``(t, n)`` and ends before ``(u, m)`` holds the events strictly between the two."""

    timestamp: int
    number: int


def event_id(timestamp: int, stream: int, number: int) -> str:
    """56 digits, the time in front as in AWS's, so that ids sort as events do."""
    return f"{timestamp << 144 | stream << 64 | number:056d}"


def place_of_event(identifier: str) -> tuple[int, Position]:
    """The stream and position that an event's id names. Raises InvalidParameterException."""
    if not re.fullmatch(r"\d{56}", identifier):
        raise invalid("Invalid log record pointer")
    value = int(identifier)
    stream, place = value >> 64 & (1 << 80) - 1, Position(value >> 144, value & (1 << 64) - 1)
    if max(stream, *place) >> 63:
        raise invalid("Invalid log record pointer")
    return stream, place


def stream_token(direction: str, place: Position, after: bool) -> str:
    """A token of GetLogEvents, ``f/...`` or ``b/...``. It names the gap before an event or the gap ``after`` it, so
    that turning round at the end of a stream shows its last event again."""
    return f"{direction}/{place.timestamp << 144 | place.number << 1 | after:056d}/s"


def parse_stream_token(token: str) -> tuple[str, Position, bool]:
    """What :func:`stream_token` put in. Raises InvalidParameterException."""
    match = re.fullmatch(r"([fb])/(\d{56})(?:/s)?", token)
    if match is None:
        raise invalid("The specified nextToken is invalid.")
    value = int(match[2])
    gap = value & (1 << 64) - 1
    if value >> 144 > LAST_MOMENT:
        raise invalid("The specified nextToken is invalid.")
    return match[1], Position(value >> 144, gap >> 1), bool(gap & 1)


def sealed(kind: str, *parts: Any) -> str:
    """An opaque ``nextToken`` of the operation ``kind``."""
    return base64.urlsafe_b64encode(json.dumps([kind, *parts]).encode()).decode()


def opened(kind: str, token: str, *types: type) -> list[Any]:
    """The parts of a token. Raises InvalidParameterException if it is not one of this operation's."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, binascii.Error, RecursionError):
        raise invalid("The specified nextToken is invalid.") from None
    fits = isinstance(parts, list) and len(parts) == len(types) + 1 and parts[0] == kind
    if not fits or not all(type(part) is kind_ for part, kind_ in zip(parts[1:], types, strict=True)):
        raise invalid("The specified nextToken is invalid.")
    return list(parts[1:])
