"""The agent's end of a data channel: handshake, data, acknowledgements, the end.

It belongs to a session and outlives its connections: while there is none, or the client is slow, ``write`` waits, and so
does the program whose output it is. Nothing grows without bound: a window of messages is on its way, and as many wait
for a program that does not read; of what comes beyond that nothing is acknowledged, so the client sends it again.

Real time: the retransmission is about this network, not about the lab.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from typing import Protocol

from drydock.services.ssm import messages
from drydock.services.ssm.messages import BadMessage, Message
from drydock.services.ssm.streams import LONGEST_TIMEOUT, Incoming, Outgoing

log = logging.getLogger(__name__)
AGENT_VERSION = "3.3.859.0"
"""Shown in the handshake; clients ask it what the agent can do"""
LARGEST_OUTPUT = 1024
"""Bytes of the payload of an output message"""
HANDSHAKE_TIMEOUT = 15.0
FLUSH_TIMEOUT = 10.0
"""Real seconds that the last output of a session may need to be acknowledged"""
TOO_OLD = "Handshake timed out. Please ensure that you have the latest version of the session manager plugin."


class Connection(Protocol):
    """A client's WebSocket."""

    async def send(self, data: bytes) -> None:
        """Returns when there is room for more. Raises ConnectionError."""

    async def close(self) -> None: ...


class ChannelEnded(Exception):
    """The session has ended; the message is what the client is told."""


class DataChannel:
    """``on_input`` and ``on_size`` are called with what the client types and how large its terminal is; ``has_room`` says
    whether input can be taken: after the handshake not before somebody says so. Whoever makes room calls ``take_input``."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.on_input: Callable[[bytes], None] = lambda data: None
        self.on_size: Callable[[int, int], None] = lambda columns, rows: None
        self.has_room: Callable[[], bool] = lambda: not self._shaken
        self.on_activity: Callable[[], None] = lambda: None
        self.ended = asyncio.get_running_loop().create_future()
        """Why it is over before the program is: the client or an operator ended it, or it does not answer any more"""
        self._connection: Connection | None = None
        self._outgoing, self._incoming = Outgoing(), Incoming()
        self._response: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._changed = asyncio.Event()
        self._repeating: asyncio.Task[None] | None = None
        self._paused = False
        self._shaken = False

    # -- connections
    async def attach(self, connection: Connection) -> None:
        """A client has opened it, for the first time or again. The earlier connection is closed."""
        earlier, self._connection, self._paused = self._connection, connection, False
        if earlier is not None:
            await earlier.close()
        for data in self._outgoing.restart(time.monotonic()):
            await self._send(data)
        self._changed.set()

    def detach(self, connection: Connection) -> None:
        """That connection has gone."""
        if self._connection is connection:
            self._connection = None

    # -- what comes
    async def receive(self, data: bytes) -> None:
        """A message of the client. Raises BadMessage."""
        message = messages.decode(data)
        if message.type == messages.ACKNOWLEDGE:
            self._outgoing.acknowledge(messages.acknowledged(message), time.monotonic())
            self._paused = False
            self._changed.set()
        elif message.type == messages.INPUT:
            self._paused = False
            if self._incoming.receive(message):
                await self._send(
                    self._packed(messages.ACKNOWLEDGE, messages.acknowledgement(message), flags=messages.SYN_AND_FIN)
                )
                self.take_input()
        elif message.type == messages.PAUSE_PUBLICATION:
            self._paused = True
        elif message.type == messages.START_PUBLICATION:
            self._paused = False
            self._changed.set()
        elif message.type == messages.CHANNEL_CLOSED:
            self.end("")

    def take_input(self) -> None:
        """Hand on what has come, in its order, as long as there is room."""
        while self.has_room():
            message = self._incoming.next()
            if message is None:
                return
            try:
                self._take(message)
            except BadMessage as error:
                log.info("session %s: a bad message was passed over: %s", self.session_id, error)

    def _take(self, message: Message) -> None:
        kind, payload = message.payload_type, message.payload
        if kind == messages.HANDSHAKE_RESPONSE:
            if not self._response.done():
                self._response.set_result(messages.refused_actions(payload))
        elif kind == messages.SIZE:
            self.on_size(*messages.terminal_size(payload))
        elif kind == messages.FLAG:
            if int.from_bytes(payload, "big") == messages.TERMINATE_SESSION:
                self.end("")
        elif kind == messages.DATA and self._shaken:
            self.on_activity()
            self.on_input(payload)

    # -- what goes
    async def shake_hands(self, session_type: str) -> None:
        """Raises ChannelEnded if the client does not answer, or cannot do what it is asked for."""
        begun = time.monotonic()
        await self._output(messages.HANDSHAKE_REQUEST, messages.handshake_request(AGENT_VERSION, session_type, {}))
        try:
            refused = await asyncio.wait_for(self._response, HANDSHAKE_TIMEOUT)
        except TimeoutError:
            raise ChannelEnded(TOO_OLD) from None
        if refused:
            raise ChannelEnded(refused[0])
        await self._output(messages.HANDSHAKE_COMPLETE, messages.handshake_complete(time.monotonic() - begun))
        self._shaken = True

    async def write(self, data: bytes) -> None:
        """Output of the program; returns when it is on its way."""
        for start in range(0, len(data), LARGEST_OUTPUT):
            await self._output(messages.DATA, data[start : start + LARGEST_OUTPUT])
        self.on_activity()

    async def close(self, output: str) -> None:
        """Let what was written arrive, then tell the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_TIMEOUT):
                while not self._outgoing.is_empty and self._connection is not None and not self.ended.done():
                    await self._wait()
        if self._repeating is not None:
            self._repeating.cancel()
        connection = self._connection
        if connection is not None:
            now = _milliseconds()
            payload = messages.channel_closed(self.session_id, uuid.uuid4(), now, output)
            await self._send(self._packed(messages.CHANNEL_CLOSED, payload))
            await connection.close()

    def end(self, output: str) -> None:
        """From outside: the client, an operator, the end of what it belongs to."""
        if not self.ended.done():
            self.ended.set_result(output)
        self._changed.set()

    async def _output(self, kind: int, payload: bytes) -> None:
        while self._connection is None or self._paused or not self._outgoing.has_room:
            await self._wait()
        data = self._packed(messages.OUTPUT, payload, kind, self._outgoing.next)
        self._outgoing.sent(data, time.monotonic())
        if self._repeating is None or self._repeating.done():
            self._repeating = asyncio.get_running_loop().create_task(
                self._repeat(), name=f"data channel {self.session_id}"
            )
        await self._send(data)

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _repeat(self) -> None:
        """As long as something is not acknowledged."""
        while (due := self._outgoing.due()) is not None:
            now = time.monotonic()
            if self._connection is None or self._paused:
                await asyncio.sleep(LONGEST_TIMEOUT)
                continue
            if now < due:
                await asyncio.sleep(due - now)
                continue
            try:
                data = self._outgoing.again(now)
            except TimeoutError:
                self.end("")
                return
            if data is not None:
                await self._send(data)

    def _packed(self, kind: str, payload: bytes, payload_type: int = 0, sequence: int = 0, flags: int = 0) -> bytes:
        return messages.encode(Message(kind, payload, uuid.uuid4(), _milliseconds(), payload_type, sequence, flags))

    async def _send(self, data: bytes) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            await connection.send(data)
        except ConnectionError:
            self.detach(connection)


def _milliseconds() -> int:
    return int(time.time() * 1000)
