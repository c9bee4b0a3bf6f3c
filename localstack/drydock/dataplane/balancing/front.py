"""A connection of a client to a listener: reads requests one after another, has each answered.

What has been read of a request is in ``_reading``: its ``head``, its ``body``; ``held`` when it is whole and its answer is on its
way; ``tunnel`` after an upgrade; ``linger`` when nothing that comes is of interest any more. At most :data:`MOST_HELD` bytes
wait in any direction; beyond that the sender is not read.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, cast

from drydock.dataplane.balancing import choosing, cookies, forwarding, matching, pages
from drydock.dataplane.balancing.back import HIGH_WATER, Upstream
from drydock.dataplane.balancing.balancer import Group, Place, Target
from drydock.dataplane.balancing.chunks import Chunks
from drydock.dataplane.balancing.heads import (
    LARGEST_HEAD,
    LONGEST_LINE,
    AnswerHead,
    Refused,
    RequestHead,
    parse_request,
)

if TYPE_CHECKING:
    from drydock.dataplane.balancing.ticker import Ticker

MOST_HELD = 64 << 10
LINGER = 2.0
"""Real seconds that a client gets to read its last answer"""
INTERNET = "198.51.100.1"
"""The address under which this machine's programs come to a load balancer, as to everything in a VPC"""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of nothing: the connection ends with a reset"""
REPEATABLE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))


class Client(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        "_at",
        "_begun",
        "_born",
        "_buffer",
        "_choked",
        "_chunks",
        "_group",
        "_left",
        "_lingers_from",
        "_pending",
        "_pending_size",
        "_queued",
        "_reading",
        "_request",
        "_rule",
        "_sent_at",
        "_target",
        "_waits_from",
        "address",
        "head",
        "keep",
        "last",
        "place",
        "port",
        "ticker",
        "transport",
        "upstream",
    )  # fmt: skip
    transport: asyncio.Transport
    head: RequestHead

    def __init__(self, place: Place, ticker: Ticker) -> None:
        self.place, self.ticker = place, ticker
        self.upstream: Upstream | None = None
        self.keep = True
        self.last = self._born = ticker.now
        self._reading = "head"
        self._buffer = b""
        self._at = 0
        """How far into ``_buffer`` requests have been read"""
        self._begun = False
        self._choked = False
        self._queued = False
        """The next request has come, and is read in the next turn of the loop"""
        self._chunks: Chunks | None = None
        self._left = 0
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._request = b""
        self._target: Target | None = None
        self._group: Group | None = None
        self._rule: matching.Rule | None = None
        self._sent_at = self._waits_from = self._lingers_from = 0.0

    # -- the connection
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        peer = transport.get_extra_info("peername") or (INTERNET, 0)
        self.address, self.port = INTERNET if peer[0] == "127.0.0.1" else str(peer[0]), int(peer[1])
        self.ticker.clients.add(self)
        self.place.balancer.counts.own["NewConnectionCount"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.ticker.clients.discard(self)
        self._leave_target()
        self._reading = "linger"

    def _leave_target(self) -> None:
        if self.upstream is not None:
            self.upstream.drop()
        elif self._target is not None and self._target.waiting.pop(self, 0) is None:
            self._target.outstanding -= 1
        self._target = None

    def eof_received(self) -> bool:
        """The client sends no more; what it has asked for is still answered."""
        if self._reading == "tunnel" and self.upstream is not None:
            self.upstream.transport.close()
        self.keep = False
        return self._reading == "held"

    def pause_writing(self) -> None:
        self._choked = True
        if self.upstream is not None:
            self.upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        self._choked = False
        if self.upstream is not None:
            self.upstream.transport.resume_reading()
        elif self._reading == "head" and not self._queued:
            self._next()

    def go_on_reading(self) -> None:
        """Unless too much of it waits here already."""
        if len(self._buffer) - self._at <= MOST_HELD and not self.transport.is_closing():
            self.transport.resume_reading()

    # -- what the client says
    def data_received(self, data: bytes) -> None:
        self.last = self.ticker.now
        match self._reading:
            case "head":
                self._add(data)
                if self._choked or self._queued:
                    self._hold()
                else:
                    self._take_head()
            case "body":
                self._take_body(data)
            case "held":
                self._add(data)
                self._hold()
            case "tunnel" if self.upstream is not None:
                self.upstream.transport.write(data)

    def _add(self, data: bytes) -> None:
        self._buffer = self._buffer[self._at :] + data if self._buffer else data
        self._at = 0

    def _hold(self) -> None:
        if len(self._buffer) - self._at > MOST_HELD:
            self.transport.pause_reading()

    def _take_head(self) -> None:
        data, at = self._buffer, self._at
        while data.startswith(b"\r\n", at):
            at += 2
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            self._buffer, self._at = data[at:] if at else data, 0
            size = len(self._buffer)
            if size > LARGEST_HEAD or (size > LONGEST_LINE and self._buffer.find(b"\r\n", 0, LONGEST_LINE) < 0):
                self._refuse(400)
            return
        try:
            head = self.head = parse_request(data[at:end], self.place.balancer.drops_odd_names)
        except Refused as error:
            self._refuse(error.status)
            return
        at = end + 4
        self._begun = False
        self.keep = head.keep and self.ticker.now - self._born < self.place.balancer.keep_alive_seconds
        if head.has_body:
            self._begin_body(head, data[at:])
        else:
            self._reading = "held"
            if at == len(data):
                self._buffer, self._at = b"", 0
            else:
                self._at = at
        if self._reading != "linger":
            self._answer(head)

    def _begin_body(self, head: RequestHead, rest: bytes) -> None:
        self._buffer, self._at = b"", 0
        self._reading, self._left = "body", head.length
        self._chunks = Chunks() if head.chunked else None
        if head.fields.expects and not rest:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if rest:
            self._take_body(rest)

    def _take_body(self, data: bytes) -> None:
        if self._chunks is not None:
            try:
                end = self._chunks.feed(data)
            except Refused as error:
                self._leave_target()
                self.cut() if self._begun else self._refuse(error.status)
                return
        else:
            end = self._left if len(data) >= self._left else None
            self._left -= min(len(data), self._left)
        piece = data if end is None else data[:end]
        if end is not None:
            self._reading = "held"
            self._buffer = data[end:]
        if self.upstream is not None:
            self.upstream.transport.write(piece)
        else:
            self._pending.append(piece)
            self._pending_size += len(piece)
            if self._pending_size > MOST_HELD:
                self.transport.pause_reading()

    # -- the answer
    def _answer(self, head: RequestHead) -> None:
        """By the first rule that matches."""
        rule = self._rule = matching.matching(self.place.rules, head, self.address)
        action = rule.action
        if action["type"] == "forward":
            self._forward(head, rule)
        elif action["type"] == "redirect":
            self.place.balancer.counts.own["HTTP_Redirect_Count"] += 1
            self.place.balancer.counts.refused(action["status"])
            ports = self.place.balancer.ports if self.address == INTERNET else {}
            location = matching.redirection(
                action, head, self.place.scheme, self.place.port, self.place.balancer.name, ports
            )
            self._own(action["status"], fields=[("Location", location)])
        else:
            self.place.balancer.counts.own["HTTP_Fixed_Response_Count"] += 1
            content = action["body"].encode()
            self._own(action["status"], content=content, content_type=action["content_type"])

    def _forward(self, head: RequestHead, rule: matching.Rule) -> None:
        balancer = self.place.balancer
        balancer.counts.own["RequestCount"] += 1
        self._group = group = self._chosen_group(head, rule)
        target = group.choose(head, self.ticker.now) if group is not None else None
        if target is None:
            self._fail_own(503)
            return
        self._request = forwarding.written(head, balancer, self.place.scheme, self.place.port, self.address, self.port)
        target.tally.requests += 1
        self._send_to(target)

    def _chosen_group(self, head: RequestHead, rule: matching.Rule) -> Group | None:
        """The one that the client's cookie remembers, or by weight."""
        groups = self.place.balancer.groups
        weights = rule.action["groups"]
        if len(weights) == 1:
            return groups.get(weights[0][0])
        if rule.action["stickiness"]:
            kept = cookies.value_of(head, cookies.GROUP, cookies.GROUP + b"CORS")
            for arn, weight in weights:
                if kept and weight and arn in groups and groups[arn].token == kept:
                    return groups[arn]
        name = choosing.weighted(weights, rule.state)
        return groups.get(name) if name is not None else None

    def _send_to(self, target: Target) -> None:
        self._target = target
        target.outstanding += 1
        upstream = target.take()
        if upstream is not None:
            self.attach(upstream)
        else:
            self._waits_from = self.ticker.now
            target.wait(self)

    def attach(self, upstream: Upstream) -> None:
        """There is a connection to the target."""
        self.upstream, upstream.client = upstream, self
        self._target = upstream.target
        self._sent_at = time.monotonic()
        self.last = self.ticker.now
        if self._pending:
            upstream.transport.write(self._request + b"".join(self._pending))
            self._pending.clear()
            self._pending_size = 0
            self.go_on_reading()
        else:
            upstream.transport.write(self._request)

    @property
    def rests(self) -> bool:
        """What it says next is of no interest before it is answered."""
        return self._reading == "held" and not self.keep

    @property
    def request_is_sent(self) -> bool:
        """Whole."""
        return self._reading == "held"

    @property
    def can_be_sent_again(self) -> bool:
        """Nothing is lost if the target got it twice, and all of it is still here."""
        return self.head.method in REPEATABLE and not self.head.has_body

    def send_again(self) -> None:
        """The target closed an old connection just when the request was on its way to it."""
        target, self._target = self._target, None
        if target is None or target.gone:
            self.fail(502)
            return
        self._send_to(target)

    def begin_answer(self, head: AnswerHead, framing: bytes) -> bytes:
        """The head as the client gets it."""
        self._begun = True
        if self._target is not None:
            self._target.tally.answered(head.status, time.monotonic() - self._sent_at)
        return head.sent(framing, self.keep, self._remembered(head))

    def _remembered(self, head: AnswerHead) -> list[bytes]:
        if self._group is None or self._target is None or self._rule is None:
            return []
        return forwarding.remembering(self._rule.action, self._group, self._target.token, head)

    def answered(self) -> None:
        """The answer is whole, and so far in the transport."""
        if self.transport.is_closing():
            return
        self._target, self._group, self._rule = None, None, None
        if self._reading == "held" and self.keep:
            self._reading = "head"
            self.go_on_reading()
            if self._buffer and not self._queued:
                self._queued = True
                asyncio.get_running_loop().call_soon(self._next)
        elif self._reading == "held":
            self.transport.close()
            self._reading = "linger"
        else:
            self._linger()

    def _next(self) -> None:
        """A request that has come meanwhile."""
        self._queued = False
        if self._reading == "head" and self._buffer and not self._choked and not self.transport.is_closing():
            self.go_on_reading()
            self._take_head()

    def open_tunnel(self, head: AnswerHead, data: bytes) -> None:
        """The target has agreed to another protocol: bytes go both ways from here."""
        self._begun, self._reading = True, "tunnel"
        lines = [head.status_line, *head.lines, b"Connection: upgrade", b"Upgrade: " + head.upgrade, b"\r\n"]
        self.transport.write(b"\r\n".join(lines) + data)
        if self._buffer and self.upstream is not None:
            self.upstream.transport.write(self._buffer[self._at :])
        self._buffer, self._at = b"", 0
        self.go_on_reading()

    # -- what is answered here
    def fail(self, status: int) -> None:
        """The target did not answer as it should."""
        if self._begun:
            self.cut()
            return
        if self._target is not None:
            self._leave_target()
        self._fail_own(status)

    def _fail_own(self, status: int) -> None:
        self.place.balancer.counts.refused(status)
        self._own(status)

    def _own(self, status: int, **given: Any) -> None:
        """A page of the load balancer's own."""
        if self.transport.is_closing():
            return
        self.keep = self.keep and self._reading == "held"
        without = self.head.method == b"HEAD"
        shown = self.place.shows_server
        self.transport.write(
            pages.page(status, self.ticker.date, self.keep, without_body=without, server=shown, **given)
        )
        self._pending.clear()
        self._pending_size = 0
        self.answered()

    def _refuse(self, status: int) -> None:
        """The request cannot be read on."""
        self.place.balancer.counts.refused(status)
        if not self.transport.is_closing():
            self.transport.write(pages.page(status, self.ticker.date, False, server=self.place.shows_server))
            self._linger()

    def _linger(self) -> None:
        """Say that no more comes, and let the client read: closed at once, its unread bytes would reset the connection."""
        self._reading, self._buffer, self._at = "linger", b"", 0
        self._lingers_from = self.ticker.now
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()

    def cut(self) -> None:
        """In the middle of an answer: the client must not take it for whole, so the connection is reset."""
        if not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.transport.abort()

    def look(self, now: float) -> None:
        """From time to time: is this too long?"""
        balancer = self.place.balancer
        if self._reading == "linger":
            if now - self._lingers_from > LINGER:
                self.transport.abort()
        elif self._target is not None and self.upstream is None:
            if now - self._waits_from > balancer.patience:
                self.fail(504)
        elif now - self.last > balancer.idle:
            self._too_slow()

    def _too_slow(self) -> None:
        if self._reading == "tunnel" or (self._begun and self._target is not None):
            self._leave_target()
            self.transport.abort()
        elif self._reading == "held":
            self.fail(504)
        elif self._reading == "body" or self._buffer:
            self._leave_target()
            self._refuse(408)
        else:
            self.transport.close()
