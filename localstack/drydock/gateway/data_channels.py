"""The WebSocket of a Session Manager data channel: ``/v1/data-channel/<session>?role=publish_subscribe``.

A client's first message is a text with its token; after it all are binary (``services/ssm/messages.py``). One message is
read at a time and none before the last one is dealt with, and nothing is sent to who does not read: so a session costs
the emulator a bounded amount of memory, and slows down nobody but itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from drydock.services.ssm import messages
from drydock.services.ssm.messages import BadMessage
from drydock.services.ssm.sessions import Sessions

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
log = logging.getLogger(__name__)

PREFIX = "/v1/data-channel/"
OPENING_TIMEOUT = 10.0
"""Real seconds that a client has to show its token"""
NOT_ADMITTED, NORMAL = 1008, 1000


class _Connection:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._open = True

    async def send(self, data: bytes) -> None:
        if self._open:
            await self._pass({"type": "websocket.send", "bytes": data})

    async def close(self, code: int = NORMAL) -> None:
        if self._open:
            self._open = False
            await self._pass({"type": "websocket.close", "code": code})

    async def _pass(self, event: dict[str, Any]) -> None:
        try:
            await self._send(event)
        except OSError as error:  # uvicorn's ClientDisconnected is one
            self._open = False
            raise ConnectionError("the client is gone") from error


async def serve(sessions: Sessions, scope: Scope, receive: Receive, send: Send) -> None:
    """One connection, to its end. A session that is not there is refused with 403."""
    name = str(scope["path"]).removeprefix(PREFIX)
    await receive()
    if not str(scope["path"]).startswith(PREFIX) or sessions.find(name) is None:
        await send({"type": "websocket.close", "code": NOT_ADMITTED})
        return
    await send({"type": "websocket.accept"})
    connection = _Connection(send)
    try:
        async with asyncio.timeout(OPENING_TIMEOUT):
            first = await receive()
        token, _ = messages.opening(first.get("text") or "")
        channel = await sessions.open(name, token, connection)
    except (TimeoutError, BadMessage, ConnectionError):
        channel = None
    if channel is None:
        log.info("a data channel of session %s was not opened: no valid token", name)
        await _close(connection, NOT_ADMITTED)
        return
    try:
        while (event := await receive())["type"] == "websocket.receive":
            try:
                await channel.receive(event.get("bytes") or b"")
            except BadMessage as error:
                log.info("session %s: a bad message was passed over: %s", name, error)
    finally:
        channel.detach(connection)
        await _close(connection, NORMAL)


async def _close(connection: _Connection, code: int) -> None:
    try:
        await connection.close(code)
    except ConnectionError:
        return
