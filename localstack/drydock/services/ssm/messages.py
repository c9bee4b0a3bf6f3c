"""The messages of Session Manager's data channel, byte for byte. Pure.

A message is a header of 116 bytes (all numbers big-endian), the length of its payload, and the payload::

    header length 4 | type 32, padded with blanks | schema 4 | created 8 (ms since 1970) | sequence 8 | flags 8
    id 16 | SHA-256 of the payload 32 | payload type 4 || payload length 4 | payload

The id is a UUID whose two halves are swapped: the least significant 8 bytes come first.

Source: aws/session-manager-plugin (``message``) and aws/amazon-ssm-agent (``agent/session/contracts``), both open source.
"""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
from dataclasses import dataclass
from typing import Any

INPUT, OUTPUT = "input_stream_data", "output_stream_data"
ACKNOWLEDGE, CHANNEL_CLOSED = "acknowledge", "channel_closed"
START_PUBLICATION, PAUSE_PUBLICATION = "start_publication", "pause_publication"

DATA, ERROR, SIZE, PARAMETER = 1, 2, 3, 4
HANDSHAKE_REQUEST, HANDSHAKE_RESPONSE, HANDSHAKE_COMPLETE = 5, 6, 7
FLAG = 10
TERMINATE_SESSION = 2
"""The payload, four bytes, of a FLAG with which a client ends its session"""
SYN_AND_FIN = 3
"""Flags of an acknowledgement: first and last of its own sequence"""
SUCCESS = 1
"""Of an action that was asked for in the handshake"""

_HEADER = struct.Struct(">I32sIQqQ16s32sI")
_LENGTH = struct.Struct(">I")
LARGEST = 64 << 10
"""Bytes of a message that are taken; the plug-in's have at most 1,024 of payload"""


class BadMessage(ValueError):
    """What came is no message of the data channel."""


@dataclass(frozen=True)
class Message:
    """One message. ``created`` is in milliseconds since 1970, real time."""

    type: str
    payload: bytes
    id: uuid.UUID
    created: int
    payload_type: int = 0
    sequence: int = 0
    flags: int = 0
    schema: int = 1


def encode(message: Message) -> bytes:
    """As it goes over the wire."""
    header = _HEADER.pack(
        _HEADER.size,
        message.type.encode().ljust(32),
        message.schema,
        message.created,
        message.sequence,
        message.flags,
        message.id.bytes[8:] + message.id.bytes[:8],
        hashlib.sha256(message.payload).digest(),
        message.payload_type,
    )
    return header + _LENGTH.pack(len(message.payload)) + message.payload


def decode(data: bytes) -> Message:
    """Raises BadMessage: too short, lengths that do not fit, a type that is no text, a digest that is not the payload's."""
    if len(data) < _HEADER.size + _LENGTH.size:
        raise BadMessage("It is shorter than a header.")
    size, kind, schema, created, sequence, flags, swapped, digest, payload_type = _HEADER.unpack_from(data)
    if not _HEADER.size <= size <= len(data) - _LENGTH.size:
        raise BadMessage(f"There is no header of {size} bytes.")
    payload = data[size + _LENGTH.size :]
    if _LENGTH.unpack_from(data, size)[0] != len(payload):
        raise BadMessage("The payload has not the length that it says.")
    try:
        name = kind.decode("ascii").strip("\0 ")
    except UnicodeDecodeError as error:
        raise BadMessage("The type of the message is no text.") from error
    if not name:
        raise BadMessage("MessageType is missing")
    if payload and hashlib.sha256(payload).digest() != digest:
        raise BadMessage("payload Hash is not valid")
    identifier = uuid.UUID(bytes=swapped[8:] + swapped[:8])
    return Message(name, payload, identifier, created, payload_type, sequence, flags, schema)


def acknowledgement(of: Message) -> bytes:
    """The payload with which the receipt of a data message is told."""
    return _json(
        {
            "AcknowledgedMessageType": of.type,
            "AcknowledgedMessageId": str(of.id),
            "AcknowledgedMessageSequenceNumber": of.sequence,
            "IsSequentialMessage": True,
        }
    )


def acknowledged(message: Message) -> int:
    """The sequence number that an acknowledgement is about. Raises BadMessage."""
    number = _document(message.payload).get("AcknowledgedMessageSequenceNumber")
    if not isinstance(number, int):
        raise BadMessage("An acknowledgement without a sequence number.")
    return number


def handshake_request(agent_version: str, session_type: str, properties: dict[str, Any]) -> bytes:
    """What the agent asks of the client before anything else."""
    parameters = {"SessionType": session_type, "Properties": properties}
    action = {"ActionType": "SessionType", "ActionParameters": parameters}
    return _json({"AgentVersion": agent_version, "RequestedClientActions": [action]})


def refused_actions(payload: bytes) -> list[str]:
    """What the client could not do of what the handshake asked for, as the agent words it. Raises BadMessage."""
    actions = _document(payload).get("ProcessedClientActions")
    if not isinstance(actions, list) or not all(isinstance(action, dict) for action in actions):
        raise BadMessage("A handshake response without its actions.")
    return [
        f"{action.get('ActionType')} failed on client with status {action.get('ActionStatus')} error: {action.get('Error')}"
        for action in actions
        if action.get("ActionStatus") != SUCCESS
    ]


def handshake_complete(seconds: float, customer_message: str = "") -> bytes:
    """That the session begins. The time is in nanoseconds, as Go writes a duration."""
    return _json({"HandshakeTimeToComplete": int(seconds * 1e9), "CustomerMessage": customer_message})


def channel_closed(session_id: str, message_id: uuid.UUID, created: int, output: str) -> bytes:
    """The last message; ``output`` says why, if there is something to say."""
    return _json(
        {
            "MessageType": CHANNEL_CLOSED,
            "MessageId": str(message_id),
            "DestinationId": session_id,
            "SessionId": session_id,
            "SchemaVersion": 1,
            "CreatedDate": str(created),
            "Output": output,
        }
    )


def terminal_size(payload: bytes) -> tuple[int, int]:
    """Columns and rows, each as many as a terminal can have. Raises BadMessage."""
    document = _document(payload)
    columns, rows = document.get("cols"), document.get("rows")
    if not isinstance(columns, int) or not isinstance(rows, int):
        raise BadMessage("A size without columns and rows.")
    return max(0, min(columns, 0xFFFF)), max(0, min(rows, 0xFFFF))


def opening(text: str) -> tuple[str, str]:
    """Token and client of the text message with which a client opens its channel (OpenDataChannelInput). Raises
    BadMessage."""
    document = _document(text)
    token, client = document.get("TokenValue"), document.get("ClientId", "")
    if not isinstance(token, str) or not isinstance(client, str):
        raise BadMessage("A channel is opened with a token.")
    return token, client


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _document(text: bytes | str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage("It is no JSON.") from error
    if not isinstance(found, dict):
        raise BadMessage("It is no JSON object.")
    return found
