"""Frames between the emulator and moto's child: a JSON head and a raw body, each with its length before it."""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import dataclass
from typing import Any, Protocol

_LENGTHS = struct.Struct(">II")

Head = dict[str, Any]


class Readable(Protocol):
    """A buffered stream: ``read`` gives fewer bytes than asked for only at its end."""

    def read(self, size: int, /) -> bytes: ...


def pack(head: Head, body: bytes = b"") -> bytes:
    """One frame, ready to be written."""
    encoded = json.dumps(head, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(encoded), len(body)) + encoded + body


async def read_frame(reader: asyncio.StreamReader) -> tuple[Head, bytes]:
    """The next frame. Raises asyncio.IncompleteReadError when the other side is gone."""
    head_length, body_length = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    head = json.loads(await reader.readexactly(head_length))
    return head, await reader.readexactly(body_length) if body_length else b""


def read_frame_blocking(stream: Readable) -> tuple[Head, bytes] | None:
    """The next frame, None when the other side is gone."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_length, body_length = _LENGTHS.unpack(lengths)
    head, body = stream.read(head_length), stream.read(body_length) if body_length else b""
    if len(head) < head_length or len(body) < body_length:
        return None
    return json.loads(head), body


@dataclass
class MotoRequest:
    """A request as AWS's endpoint would get it. ``url`` is whole, its path as the client sent it; ``now``: lab time.

    The host matters to S3 (``s3.<region>.amazonaws.com`` or the bucket before it); SQS makes its queues' URLs of it.
    """

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    account: str
    region: str
    service: str
    operation: str
    now: float


@dataclass
class MotoResponse:
    """What moto answered, AWS's errors included."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
