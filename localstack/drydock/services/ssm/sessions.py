"""The sessions there are: who may open a channel to which, for how long, and what ends them.

A session is in memory only: its program does not outlive the emulator either. A token opens one channel, within a
minute of real time, and is compared in constant time. When a client goes away without a word, the session stays, for
ResumeSession, until it has been idle for 20 minutes of lab time ("ECS Exec: the idle timeout is 20 minutes and cannot be
changed"). Input and output both count as activity (?).
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from drydock.clock import Clock
from drydock.request import Request
from drydock.services.service import Platform
from drydock.services.ssm.channel import ChannelEnded, Connection, DataChannel
from drydock.store import Scope

log = logging.getLogger(__name__)
IDLE_TIMEOUT = 20 * 60.0
"""Lab seconds, never less than two real ones"""
TOKEN_LASTS = 60.0
"""Real seconds (?)"""
TIMED_OUT = "Session timed out due to inactivity."  # (?)

Run = Callable[[DataChannel], Awaitable[str]]
"""The session's work, after the handshake: what it answers is told to the client at the end. It is cancelled when the
session is ended from outside"""


class Session:
    """One session. It begins to run when its channel is opened for the first time."""

    def __init__(self, scope: Scope, name: str, clock: Clock, run: Run) -> None:
        self.scope = scope
        self.name = name
        self.channel = DataChannel(name)
        self.running: asyncio.Task[None] | None = None
        self.run = run
        self._clock = clock
        self._token = ""
        self._token_expires = 0.0
        self._last = clock.now()
        self.channel.on_activity = self.touch

    def fresh_token(self) -> str:
        """The earlier one is worth nothing any more."""
        self._token, self._token_expires = secrets.token_urlsafe(48), time.monotonic() + TOKEN_LASTS
        return self._token

    def admits(self, token: str) -> bool:
        """Once for each token."""
        same = hmac.compare_digest(self._token.encode(), token.encode())
        if not self._token or not same or time.monotonic() > self._token_expires:
            return False
        self._token = ""
        return True

    def touch(self) -> None:
        """Something was typed or shown."""
        self._last = self._clock.now()

    async def idle(self) -> None:
        """Returns when nothing has happened for too long."""
        while (left := self._last + IDLE_TIMEOUT - self._clock.now()) > 0:
            await self._clock.budget(left)


class Sessions:
    """All sessions of the emulator, which is at ``address`` (host and port)."""

    def __init__(self, platform: Platform, address: str) -> None:
        self._platform = platform
        self._address = address
        self._sessions: dict[str, Session] = {}

    def url(self, request: Request, name: str) -> str:
        """Where the client finds the data channel: under the name by which it found us."""
        host = request.headers.get("host", self._address)
        return f"ws://{host}/v1/data-channel/{name}?role=publish_subscribe"

    def begin(self, scope: Scope, name: str, run: Run) -> str:
        """The token for the session's first channel. What nobody opens in time is forgotten."""
        session = self._sessions[name] = Session(scope, name, self._platform.clock(scope.account), run)
        asyncio.get_running_loop().call_later(TOKEN_LASTS, self._forget_unopened, session)
        return session.fresh_token()

    def _forget_unopened(self, session: Session) -> None:
        if session.running is None:
            self._sessions.pop(session.name, None)

    def find(self, name: str, scope: Scope | None = None) -> Session | None:
        """Of whoever, or of an account and region."""
        found = self._sessions.get(name)
        return found if found is not None and scope in (None, found.scope) else None

    async def open(self, name: str, token: str, connection: Connection) -> DataChannel | None:
        """The session's channel, now on this connection; None if the token does not open it."""
        session = self._sessions.get(name)
        if session is None or not session.admits(token):
            return None
        await session.channel.attach(connection)
        session.touch()
        if session.running is None:
            session.running = self._platform.spawn(self._live(session), f"session {name}")
        return session.channel

    async def _live(self, session: Session) -> None:
        channel, loop = session.channel, asyncio.get_running_loop()
        work = loop.create_task(self._work(session), name=f"work of session {session.name}")
        idle = loop.create_task(session.idle(), name=f"idle time of session {session.name}")
        try:
            await asyncio.wait({work, idle, channel.ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not work.done():
                work.cancel()
            told, *_ = await asyncio.gather(work, return_exceptions=True)
            idle.cancel()
            self._sessions.pop(session.name, None)
        if isinstance(told, Exception):
            log.error("session %s failed", session.name, exc_info=told)
        if not isinstance(told, str):
            told = channel.ended.result() if channel.ended.done() else TIMED_OUT
        await channel.close(told)

    async def _work(self, session: Session) -> str:
        try:
            await session.channel.shake_hands("InteractiveCommands")
            return await session.run(session.channel)
        except ChannelEnded as ended:
            return str(ended)

    def terminate(self, session: Session) -> None:
        """For good."""
        if session.running is None:
            self._sessions.pop(session.name, None)
        session.channel.end("")

    async def close(self, account: str | None = None) -> None:
        """End all, or an account's."""
        chosen = [one for one in self._sessions.values() if account in (None, one.scope.account)]
        for session in chosen:
            self.terminate(session)
        running = [session.running for session in chosen if session.running is not None]
        if running:
            await asyncio.wait(running, timeout=2.0)
