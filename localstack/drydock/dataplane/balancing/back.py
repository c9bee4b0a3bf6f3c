"""A connection to a target, used for one request after another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from drydock.dataplane.balancing.chunks import Chunks
from drydock.dataplane.balancing.heads import LARGEST_ANSWER_HEAD, AnswerHead, Refused, parse_answer
from drydock.dataplane.balancing.links import Link

if TYPE_CHECKING:
    from drydock.dataplane.balancing.balancer import Target
    from drydock.dataplane.balancing.front import Client
    from drydock.dataplane.balancing.streams import Stream

HIGH_WATER = 64 << 10
"""Bytes that wait to be written in one direction before the other end is not read any more"""
_KEPT_CHUNKED = b"Transfer-Encoding: chunked"


class Upstream(asyncio.Protocol):
    """``client`` is whose request it serves; None while it is idle."""

    __slots__ = (
        "_buffer", "_chunks", "_head", "_left", "_wrapped", "client", "half_closes", "served", "target", "transport", "tunnel",
    )  # fmt: skip
    transport: asyncio.Transport

    def __init__(self, target: Target) -> None:
        self.target = target
        self.client: Client | Stream | None = None
        self.served = 0
        self.tunnel = False
        self.half_closes = False
        """Serves a TCP connection, whose sides end one after the other"""
        self._buffer = b""
        self._head: AnswerHead | None = None
        self._left = 0
        self._chunks: Chunks | None = None
        self._wrapped = False
        """The body ends with the connection, and the client gets it in chunks"""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        self.target.all.add(self)
        self.target.free(self)

    # -- what the target says
    def data_received(self, data: bytes) -> None:
        client = self.client
        if client is None:
            self.transport.abort()  # nobody has asked
            return
        client.last = client.ticker.now
        if self.tunnel:
            client.transport.write(data)
            return
        client = cast("Client", client)
        if self._head is None:
            self._take_head(client, self._buffer + data if self._buffer else data)
        else:
            self._take_body(client, data, b"")

    def _take_head(self, client: Client, data: bytes) -> None:
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                if len(data) > LARGEST_ANSWER_HEAD:
                    self._bad(client)
                return
            try:
                head = parse_answer(data[:end], client.head.method == b"HEAD")
                if head.status == 101 and not client.head.upgrade:
                    raise Refused(502)
            except Refused:
                self._bad(client)
                return
            data, self._buffer = data[end + 4 :], b""
            if head.status == 101:
                self.tunnel = True
                client.open_tunnel(head, data)
                return
            if head.status >= 200:
                break
        self._head = head
        self._begin(client, head, data)

    def _begin(self, client: Client, head: AnswerHead, data: bytes) -> None:
        """The head goes to the client together with what came of the body."""
        knows_chunks = bool(client.head.minor)
        self._chunks = Chunks(collect=not knows_chunks) if head.chunked else None
        until_end = head.length is None and not head.chunked
        self._wrapped = until_end and knows_chunks
        if (head.chunked or until_end) and not knows_chunks:
            client.keep = False
        if head.length is not None:
            self._left = head.length
        out = client.begin_answer(head, _KEPT_CHUNKED if knows_chunks and (head.chunked or until_end) else b"")
        self._take_body(client, data, out)
        if self._head is not None and not data and isinstance(self.transport, Link):
            self.transport.acknowledge()

    def _take_body(self, client: Client, data: bytes, out: bytes) -> None:
        """``out`` is what goes before it."""
        head = self._head
        assert head is not None
        if head.length is not None:
            done = len(data) >= self._left
            clean = len(data) <= self._left
            piece = data if clean else data[: self._left]
            self._left -= len(piece)
            client.transport.write(out + piece)
            if done:
                self._finish(client, clean)
            return
        if self._chunks is None:
            piece = b"%x\r\n%b\r\n" % (len(data), data) if self._wrapped and data else data
            client.transport.write(out + piece)
            return
        try:
            end = self._chunks.feed(data)
        except Refused:
            client.cut()
            return
        if self._chunks.pieces is not None:
            piece = b"".join(self._chunks.pieces)
            self._chunks.pieces.clear()
        else:
            piece = data if end is None else data[:end]
        client.transport.write(out + piece)
        if end is not None:
            self._finish(client, end == len(data))

    def _finish(self, client: Client, clean: bool) -> None:
        """The answer is whole. ``clean``: nothing came behind it."""
        assert self._head is not None
        reusable = clean and self._head.keep and client.request_is_sent
        self._release()
        if reusable:
            self.served += 1
            self.transport.resume_reading()
            self.target.free(self)
        else:
            self.transport.close()
        client.answered()

    def _release(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            client.upstream = None
            self.target.outstanding -= 1
        self._head, self._chunks, self._buffer, self._wrapped = None, None, b"", False

    def _bad(self, client: Client) -> None:
        """It does not speak HTTP."""
        self.drop()
        client.fail(502)

    def drop(self) -> None:
        """Its request is no more: the connection cannot be used again."""
        self._release()
        self.transport.abort()

    # -- the connection
    def eof_received(self) -> bool:
        client = self.client
        return self.half_closes and client is not None and cast("Stream", client).target_ended()

    def leave(self, broken: bool) -> None:
        """The client of a TCP connection has gone."""
        self._release()
        if broken:
            self.transport.abort()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.target.all.discard(self)
        self.target.idle.pop(self, None)
        found, head = self.client, self._head
        if found is None:
            return
        if self.half_closes:
            self._release()
            cast("Stream", found).cut() if exc is not None else found.transport.close()
            return
        client = cast("Client", found)
        untouched = head is None and not self._buffer and not self.tunnel
        ends_the_body = head is not None and head.length is None and self._chunks is None
        wrapped = self._wrapped
        self._release()
        if self.tunnel:
            client.transport.close()
        elif untouched and self.served and client.can_be_sent_again:
            client.send_again()
        elif head is None:
            client.fail(502)
        elif ends_the_body and exc is None:
            if wrapped:
                client.transport.write(b"0\r\n\r\n")
            client.answered()
        else:
            client.cut()

    def pause_writing(self) -> None:
        if self.client is not None:
            self.client.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.client is not None:
            self.client.go_on_reading()
