"""Trying a target: one request of a health check, on a connection of its own.

Source: "Health checks for Application Load Balancer target groups".
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from drydock.dataplane.balancing.heads import LARGEST_ANSWER_HEAD, Refused, parse_answer

Reach = Callable[[], Awaitable[socket.socket]]
"""A connected socket. Raises OSError; hangs where nobody answers."""


async def attempt(reach: Reach, asked: dict[str, Any]) -> dict[str, Any]:
    """``{"status": 200}`` (``{"connected": True}`` if only a connection is wanted), or
    ``{"error": ...}``: ``timeout``, ``refused``, ``closed`` (before it has answered) or
    ``malformed``. ``asked["patience"]`` is in real seconds."""
    try:
        async with asyncio.timeout(asked["patience"]):
            return await _ask(reach, asked)
    except TimeoutError:
        return {"error": "timeout"}


async def _ask(reach: Reach, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        found = await reach()
    except OSError:
        return {"error": "refused"}
    if asked["method"] == "TCP":
        found.close()
        return {"connected": True}
    reader, writer = await asyncio.open_connection(sock=found, limit=2 * LARGEST_ANSWER_HEAD)
    try:
        request = (
            f"{asked['method']} {asked['path']} HTTP/1.1\r\nHost: {asked['host']}\r\nConnection: close\r\n"
            "User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n"
        )
        writer.write(request.encode("latin-1", "replace"))
        while True:
            head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
            status = parse_answer(head, True).status
            if status >= 200:
                return {"status": status}
    except Refused:
        return {"error": "malformed"}
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return {"error": "closed"}
    finally:
        writer.close()
