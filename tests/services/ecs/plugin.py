"""A Session Manager client for the tests, after the description in aws/session-manager-plugin, field by field; it shares no
line with the emulator's or labkit's."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from typing import Any

import websocket

PATIENCE = 20.0


class Plugin:
    """Opens a session's data channel and speaks for the client. ``acknowledging``: it says what it has received."""

    def __init__(self, session: dict[str, str], acknowledging: bool = True, token: str = "", **given: Any) -> None:
        self.session = session
        self.acknowledging = acknowledging
        self.output = b""
        self.closed: dict[str, Any] | None = None
        self.ready = False
        self.acknowledged: list[int] = []
        self.received: list[tuple[int, int]] = []
        """(sequence number, payload type) of what came"""
        self.sequence = self.expected = 0
        self.socket = websocket.create_connection(session["streamUrl"], timeout=PATIENCE, **given)
        opening = {
            "MessageSchemaVersion": "1.0",
            "RequestId": str(uuid.uuid4()),
            "TokenValue": token or session["tokenValue"],
            "ClientId": str(uuid.uuid4()),
            "ClientVersion": "1.2.0.0",
        }
        self.socket.send(json.dumps(opening))

    def shaken(self) -> Plugin:
        """After the handshake."""
        self.pump(lambda: self.ready)
        return self

    def type(self, text: bytes, kind: int = 1) -> None:
        self.socket.send_binary(framed("input_stream_data", text, kind, self.sequence))
        self.sequence += 1

    def resize(self, columns: int, rows: int) -> None:
        self.type(json.dumps({"cols": columns, "rows": rows}).encode(), 3)

    def until(self, pattern: str) -> str:
        """Reads until the output has it; what it has matched."""
        self.pump(lambda: re.search(pattern, self.text))
        found = re.search(pattern, self.text)
        assert found is not None
        return found[0]

    def to_end(self) -> str:
        """The whole output, when the channel was closed."""
        self.pump(lambda: self.closed is not None)
        return self.text

    @property
    def text(self) -> str:
        return self.output.decode("utf-8", "replace").replace("\r\n", "\n")

    def pump(self, done: Any) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, f"not within {PATIENCE:g} s; output: {self.text[-2000:]!r}"
            self.take(self.receive())

    def receive(self) -> dict[str, Any]:
        kind, data = self.socket.recv_data()
        assert kind == websocket.ABNF.OPCODE_BINARY, f"closed: {data!r}; output: {self.text[-2000:]!r}"
        return taken_apart(data)

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "acknowledge":
            self.acknowledged.append(json.loads(message["payload"])["AcknowledgedMessageSequenceNumber"])
        elif message["type"] == "channel_closed":
            self.closed = json.loads(message["payload"])
        elif message["type"] == "output_stream_data":
            self.received.append((message["sequence"], message["payload_type"]))
            if self.acknowledging:
                self.acknowledge(message)
            if message["sequence"] == self.expected:
                self.expected += 1
                self.use(message)

    def use(self, message: dict[str, Any]) -> None:
        kind, payload = message["payload_type"], message["payload"]
        if kind == 5:
            asked = json.loads(payload)["RequestedClientActions"]
            done = [
                {"ActionType": action["ActionType"], "ActionStatus": 1, "ActionResult": None, "Error": ""}
                for action in asked
            ]
            self.type(
                json.dumps({"ClientVersion": "1.2.0.0", "ProcessedClientActions": done, "Errors": None}).encode(), 6
            )
        elif kind == 7:
            self.ready = True
        elif kind == 1:
            self.output += payload

    def acknowledge(self, message: dict[str, Any]) -> None:
        content = {
            "AcknowledgedMessageType": message["type"],
            "AcknowledgedMessageId": str(message["id"]),
            "AcknowledgedMessageSequenceNumber": message["sequence"],
            "IsSequentialMessage": True,
        }
        self.socket.send_binary(framed("acknowledge", json.dumps(content).encode(), 0, 0, flags=3))


def framed(kind: str, payload: bytes, payload_type: int, sequence: int, flags: int = 0) -> bytes:
    """A message, field after field."""
    identifier = uuid.uuid4().bytes
    fields = [
        (116).to_bytes(4, "big"),
        kind.encode() + b" " * (32 - len(kind)),
        (1).to_bytes(4, "big"),
        int(time.time() * 1000).to_bytes(8, "big"),
        sequence.to_bytes(8, "big", signed=True),
        flags.to_bytes(8, "big"),
        identifier[8:16],
        identifier[0:8],
        hashlib.sha256(payload).digest(),
        payload_type.to_bytes(4, "big"),
        len(payload).to_bytes(4, "big"),
        payload,
    ]
    return b"".join(fields)


def taken_apart(data: bytes) -> dict[str, Any]:
    """A message's fields; the digest and the lengths are checked."""
    assert int.from_bytes(data[0:4], "big") == 116
    payload = data[120:]
    assert len(data[4:36]) == 32 and data[4:36].rstrip(b" ").isascii()
    assert int.from_bytes(data[36:40], "big") == 1
    assert abs(int.from_bytes(data[40:48], "big") / 1000 - time.time()) < 600
    assert data[80:112] == hashlib.sha256(payload).digest()
    assert int.from_bytes(data[116:120], "big") == len(payload)
    return {
        "type": data[4:36].decode().rstrip(" "),
        "sequence": int.from_bytes(data[48:56], "big", signed=True),
        "flags": int.from_bytes(data[56:64], "big"),
        "id": uuid.UUID(bytes=data[72:80] + data[64:72]),
        "payload_type": int.from_bytes(data[112:116], "big"),
        "payload": payload,
    }
