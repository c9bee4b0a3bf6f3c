"""A TCP connection through a network load balancer: bytes go both ways, whatever they mean, until both sides have ended.

Each connection of a client gets one of its own to a target, chosen when it begins. Source: "What is a Network Load Balancer?".
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

from drydock.dataplane.balancing import choosing
from drydock.dataplane.balancing.back import HIGH_WATER, Upstream
from drydock.dataplane.balancing.balancer import Place, Target
from drydock.dataplane.balancing.front import MOST_HELD, RESET

if TYPE_CHECKING:
    from drydock.dataplane.balancing.ticker import Ticker


class Stream(asyncio.Protocol):
    """One connection of a client."""

    __slots__ = (
        "_ended", "_pending", "_pending_size", "_target", "_waits_from", "last", "place", "ticker", "transport", "upstream",
    )  # fmt: skip
    transport: asyncio.Transport
    rests = False

    def __init__(self, place: Place, ticker: Ticker) -> None:
        self.place, self.ticker = place, ticker
        self.upstream: Upstream | None = None
        self.last = self._waits_from = ticker.now
        self._target: Target | None = None
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._ended = False
        """The client sends no more"""

    # -- the client
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A target is chosen at once: it may be the one that speaks first."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        self.ticker.clients.add(self)
        balancer = self.place.balancer
        balancer.counts.own["NewFlowCount"] += 1
        rule = self.place.rules[-1]
        name = choosing.weighted(rule.action["groups"], rule.state)
        group = balancer.groups.get(name) if name is not None else None
        target = self._target = group.choose(None, self.ticker.now) if group is not None else None
        if target is None:
            self.cut()
            return
        target.outstanding += 1
        target.wait(self)

    def data_received(self, data: bytes) -> None:
        self.last = self.ticker.now
        if self.upstream is not None:
            self.upstream.transport.write(data)
            return
        self._pending.append(data)
        self._pending_size += len(data)
        if self._pending_size > MOST_HELD:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """The target is told; what it still has to say goes on."""
        self._ended = True
        if self.upstream is not None:
            self.upstream.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.ticker.clients.discard(self)
        target, self._target = self._target, None
        if self.upstream is not None:
            upstream, self.upstream = self.upstream, None
            upstream.leave(exc is not None)
        elif target is not None and target.waiting.pop(self, 0) is None:
            target.outstanding -= 1

    def pause_writing(self) -> None:
        if self.upstream is not None:
            self.upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.upstream is not None:
            self.upstream.transport.resume_reading()

    # -- the target
    def attach(self, upstream: Upstream) -> None:
        """There is a connection to it."""
        self.upstream, upstream.client = upstream, self
        upstream.tunnel = upstream.half_closes = True
        self.last = self.ticker.now
        if self._pending:
            upstream.transport.write(b"".join(self._pending))
            self._pending.clear()
            self.go_on_reading()
        if self._ended:
            upstream.transport.write_eof()

    def go_on_reading(self) -> None:
        """The target takes more."""
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def target_ended(self) -> bool:
        """It sends no more. Whether its connection stays open for what the client still has to say."""
        if self._ended:
            self.transport.close()
            return False
        self.transport.write_eof()
        return True

    def fail(self, status: int) -> None:
        """There is no connection to the target. ``status`` means nothing here."""
        self._target = None if self.upstream is None else self._target
        self.cut()

    def cut(self) -> None:
        """With a reset."""
        if not self.transport.is_closing():
            self.place.balancer.counts.own["TCP_ELB_Reset_Count"] += 1
            found = self.transport.get_extra_info("socket")
            if found is not None:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.transport.abort()

    def look(self, now: float) -> None:
        """From time to time: is this too long?"""
        balancer = self.place.balancer
        waits = self.upstream is None and now - self._waits_from > balancer.patience
        if waits or now - self.last > balancer.idle:
            self.cut()
