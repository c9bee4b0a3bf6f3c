"""A client's end of a Session Manager data channel, as the AWS CLI's plug-in is one: it works against AWS as it does against
the emulator.

The messages and their order are those of aws/session-manager-plugin, which is open source. Encryption with a KMS key is not
there; a session that asks for it is refused.
"""

from __future__ import annotations

import hashlib
import json
import select
import struct
import time
import uuid
from typing import Any

import websocket

from labkit.errors import LabError

_HEADER = struct.Struct(">I32sIQqQ8s8s32sII")
_HEADER_LENGTH = _HEADER.size - 4
"""The length of the payload, which follows, is not counted"""
OUTPUT, SIZE, FLAG = 1, 3, 10
HANDSHAKE_REQUEST, HANDSHAKE_RESPONSE, HANDSHAKE_COMPLETE = 5, 6, 7
TERMINATE = (2).to_bytes(4, "big")
SESSION_TYPES = ("Standard_Stream", "InteractiveCommands", "NonInteractiveCommands")
LARGEST_INPUT = 1024
REPEATED_AFTER = 1.0
"""Seconds after which input that was not acknowledged is sent again"""


class DataChannel:
    """``session`` is what ExecuteCommand and StartSession answer. ``receive`` gives the output until ``ended``; ``told`` is
    what the other side says about the end."""

    def __init__(self, session: dict[str, str]) -> None:
        self.session_id = session["sessionId"]
        self.ended = False
        self.told = ""
        self.begun = False
        self._expected = self._next = 0
        self._early: dict[int, tuple[int, bytes]] = {}
        self._sent: dict[int, tuple[bytes, float]] = {}
        self._kept: list[bytes] = []
        self._socket = websocket.create_connection(session["streamUrl"], timeout=30, enable_multithread=False)
        opening = {
            "MessageSchemaVersion": "1.0",
            "RequestId": str(uuid.uuid4()),
            "TokenValue": session["tokenValue"],
            "ClientId": str(uuid.uuid4()),
            "ClientVersion": "1.2.0.0",
        }
        self._socket.send(json.dumps(opening))

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def close(self) -> None:
        """Without ending the session, which AWS keeps for a while."""
        self._socket.close(timeout=1)

    # -- what we send
    def type(self, text: bytes) -> None:
        """Keys for the program. The handshake must be over (``begun``)."""
        for start in range(0, len(text), LARGEST_INPUT):
            self._send_data(OUTPUT, text[start : start + LARGEST_INPUT])

    def resize(self, columns: int, rows: int) -> None:
        """The terminal's size."""
        self._send_data(SIZE, json.dumps({"cols": columns, "rows": rows}).encode())

    def terminate(self) -> None:
        """End the session, and its program with it."""
        self._send_data(FLAG, TERMINATE)

    def _send_data(self, kind: int, payload: bytes) -> None:
        data = _packed("input_stream_data", payload, kind, self._next)
        self._sent[self._next] = data, time.monotonic()
        self._next += 1
        self._socket.send_binary(data)

    def _repeat(self) -> None:
        for number, (data, at) in list(self._sent.items())[:1]:
            if time.monotonic() - at > REPEATED_AFTER:
                self._sent[number] = data, time.monotonic()
                self._socket.send_binary(data)

    # -- what comes
    def receive(self, seconds: float) -> bytes:
        """Output, as soon as there is some; empty after so many seconds, or when the session has ended. Raises LabError."""
        end = time.monotonic() + seconds
        while not self._kept and not self.ended:
            self._repeat()
            if not self._is_readable(min(max(end - time.monotonic(), 0.0), REPEATED_AFTER)):
                if time.monotonic() >= end:
                    break
                continue
            kind, data = self._socket.recv_data()
            if kind == websocket.ABNF.OPCODE_CLOSE:
                self.ended = True
            elif kind == websocket.ABNF.OPCODE_BINARY:
                self._handle(data)
        output = b"".join(self._kept)
        self._kept.clear()
        return output

    def _is_readable(self, seconds: float) -> bool:
        pending = getattr(self._socket.sock, "pending", None)  # what TLS has taken from the socket already
        return bool(pending and pending()) or bool(select.select([self], [], [], seconds)[0])

    def _handle(self, data: bytes) -> None:
        size, kind, _, _, number, _, low, high, digest, payload_type, _ = _HEADER.unpack_from(data)
        payload, name = data[size + 4 :], kind.decode().strip("\0 ")
        if payload and hashlib.sha256(payload).digest() != digest:
            return  # it was damaged on the way: not acknowledged, so it comes again
        if name == "acknowledge":
            self._sent.pop(json.loads(payload)["AcknowledgedMessageSequenceNumber"], None)
        elif name == "channel_closed":
            self.ended, self.told = True, json.loads(payload).get("Output") or ""
        elif name == "output_stream_data":
            self._acknowledge(name, str(uuid.UUID(bytes=high + low)), number)
            if number >= self._expected:
                self._early[number] = payload_type, payload
            while self._expected in self._early:
                self._use(*self._early.pop(self._expected))
                self._expected += 1

    def _acknowledge(self, name: str, identifier: str, number: int) -> None:
        content = {
            "AcknowledgedMessageType": name,
            "AcknowledgedMessageId": identifier,
            "AcknowledgedMessageSequenceNumber": number,
            "IsSequentialMessage": True,
        }
        self._socket.send_binary(_packed("acknowledge", json.dumps(content).encode(), 0, 0, flags=3))

    def _use(self, kind: int, payload: bytes) -> None:
        if kind == HANDSHAKE_REQUEST:
            actions = [_processed(action) for action in json.loads(payload)["RequestedClientActions"]]
            errors = [action["Error"] for action in actions if action["Error"]]
            answer = {"ClientVersion": "1.2.0.0", "ProcessedClientActions": actions, "Errors": errors}
            self._send_data(HANDSHAKE_RESPONSE, json.dumps(answer).encode())
            if errors:
                raise LabError(
                    f"The session cannot be used: {errors[0]}.", "Use the AWS CLI with its Session Manager plug-in."
                )
        elif kind == HANDSHAKE_COMPLETE:
            self.begun = True
        else:
            self.begun = True  # agents without a handshake begin at once
            self._kept.append(payload)


def _processed(action: dict[str, Any]) -> dict[str, Any]:
    kind, error = action["ActionType"], ""
    if kind != "SessionType":
        error = f"Unsupported action {kind}"
    elif action["ActionParameters"].get("SessionType") not in SESSION_TYPES:
        error = f"Unknown session type {action['ActionParameters'].get('SessionType')}"
    return {"ActionType": kind, "ActionStatus": 2 if error else 1, "ActionResult": None, "Error": error}


def _packed(name: str, payload: bytes, kind: int, number: int, flags: int = 0) -> bytes:
    identifier, now = uuid.uuid4().bytes, int(time.time() * 1000)
    header = _HEADER.pack(
        _HEADER_LENGTH, name.encode().ljust(32), 1, now, number, flags, identifier[8:], identifier[:8],
        hashlib.sha256(payload).digest(), kind, len(payload),
    )  # fmt: skip
    return header + payload
