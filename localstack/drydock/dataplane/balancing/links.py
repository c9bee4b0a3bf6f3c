"""Connections that are read and written by our own hand, where there is epoll: what asyncio calls a transport, for less.

A transport of asyncio's (or uvloop's) costs a short request as much as all the rest: its sockets are asked for their names,
watched, unwatched and closed in callbacks of their own. Here one edge-triggered epoll set, itself watched by the loop, knows
all connections; a client's first bytes are read as soon as it is accepted, what is written goes straight into the socket, and a
connection that ends is closed at once. A request on a connection of its own is so six system calls: accept, two reads, two writes
and a close.

What follows from *edge-triggered*: whoever stops reading before there is nothing left has to look :meth:`Links.again`. A read
that gives less than was asked for has emptied the socket (epoll(7), "Questions and answers", 9), unless its end has come
as well.

``connection_made`` is called at once, ``connection_lost`` in the next turn of the loop, as asyncio does, and only once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

PIECE = 64 << 10
"""Bytes that are read at a time"""
HIGH_WATER = 64 << 10
"""Bytes that wait to be written before the protocol is asked to pause"""
MOST_EVENTS = 256
MOST_ACCEPTED = 64
"""In one turn of the loop"""
NO_DESCRIPTORS_PAUSE = 1.0
"""Real seconds without accepting, when the process may have no more sockets"""
if hasattr(select, "epoll"):
    _READS, _WRITES = select.EPOLLIN, select.EPOLLOUT
    _ENDS = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
    _OVER = select.EPOLLHUP | select.EPOLLERR
    _ALL = _READS | _WRITES | select.EPOLLRDHUP | select.EPOLLET


class Rests(Protocol):
    """A protocol for which nothing need be read just now says so."""

    rests: bool


def available() -> bool:
    """Elsewhere than on Linux the transports are asyncio's."""
    return hasattr(select, "epoll")


class Links:
    """All connections of the process. ``first`` is a descriptor, and what to do when it can be read: always before what came
    after it, so that a request sees the rules that were made before it was sent."""

    def __init__(self, first: int, read_first: Callable[[], None]) -> None:
        self._first, self._read_first = first, read_first
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._all: dict[int, Link | Door] = {}
        self._again: dict[Link, None] = {}
        self._lost: list[tuple[Link, Exception | None]] = []
        self._unwatched: list[Link] = []
        self._epoll.register(first, _READS)
        self._loop.add_reader(self._epoll.fileno(), self._turn)

    def _turn(self) -> None:
        """A descriptor may have been closed and given anew meanwhile: the new one's read or write then does nothing."""
        everyone = self._all
        events = self._epoll.poll(0, MOST_EVENTS)
        for descriptor, _ in events:
            if descriptor == self._first:
                self._read_first()
        for descriptor, event in events:
            found = everyone.get(descriptor)
            if found is not None:
                found.ready(event)

    def open(self, listener: socket.socket, make: Callable[[], asyncio.Protocol]) -> Door:
        """Accept what comes to a socket that listens; it is closed together with the door."""
        door = Door(self, listener, make)
        self.watch(listener.fileno(), door, _READS)
        return door

    def adopt(self, connected: socket.socket, protocol: asyncio.Protocol) -> Link:
        """A socket that is connected becomes a link. Raises OSError if it is not connected any more."""
        address = connected.getpeername()
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(self, connected.detach(), address, protocol)
        protocol.connection_made(link)
        link.watch()
        return link

    def watch(self, descriptor: int, whose: Link | Door, events: int | None = None) -> None:
        """Tell of its events."""
        self._all[descriptor] = whose
        self._epoll.register(descriptor, _ALL if events is None else events)

    def forget(self, descriptor: int) -> None:
        """It is about to be closed, which takes it out of the set."""
        self._all.pop(descriptor, None)

    def again(self, link: Link) -> None:
        """There may be more to read than was."""
        if not self._again:
            self._loop.call_soon(self._look_again)
        self._again[link] = None

    def _look_again(self) -> None:
        again, self._again = self._again, {}
        for link in again:
            link.ready(_READS)

    def lost(self, link: Link, error: Exception | None) -> None:
        """Its protocol has to be told."""
        if not self._lost:
            self._loop.call_soon(self._tell_lost)
        self._lost.append((link, error))

    def _tell_lost(self) -> None:
        lost, self._lost = self._lost, []
        for link, error in lost:
            link.tell_lost(error)

    def watch_later(self, link: Link) -> None:
        """Most connections of one request are closed before they need be watched."""
        self._unwatched.append(link)

    def look(self, now: float) -> None:
        """From time to time: those that were not."""
        unwatched, self._unwatched = self._unwatched, []
        for link in unwatched:
            link.watch()


class Door:
    """A socket that listens."""

    def __init__(self, links: Links, listener: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
        self._links, self._listener, self._make = links, listener, make
        listener.setblocking(False)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what it accepts inherits it

    def ready(self, event: int) -> None:
        """Somebody has come."""
        accept = self._listener._accept  # type: ignore[attr-defined]  # accept() without a socket object for each
        for _ in range(MOST_ACCEPTED):
            try:
                descriptor, address = accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._pause()
                return
            os.set_blocking(descriptor, False)
            protocol = self._make()
            link = Link(self._links, descriptor, address, protocol)
            protocol.connection_made(link)
            link.begin()

    def _pause(self) -> None:
        self._links.forget(self._listener.fileno())
        self._links._epoll.unregister(self._listener.fileno())
        self._links._loop.call_later(NO_DESCRIPTORS_PAUSE, self._go_on)

    def _go_on(self) -> None:
        if self._listener.fileno() >= 0:
            self._links.watch(self._listener.fileno(), self, _READS)

    def close(self) -> None:
        """Accept no more."""
        if self._listener.fileno() >= 0:
            self._links.forget(self._listener.fileno())
            with contextlib.suppress(OSError):  # it may be out of it at the moment
                self._links._epoll.unregister(self._listener.fileno())  # others may hold the same socket
            self._listener.close()


class Link(asyncio.Transport):
    """One connection."""

    __slots__ = (
        "_address", "_choked", "_closing", "_descriptor", "_ended", "_ends_soon", "_links", "_out", "_paused", "_protocol", "_size",
        "_watched", "_writes_end",
    )  # fmt: skip

    def __init__(self, links: Links, descriptor: int, address: Any, protocol: asyncio.Protocol) -> None:
        self._links, self._descriptor, self._address = links, descriptor, address
        self._protocol: asyncio.Protocol | None = protocol
        self._out: deque[bytes] | None = None
        """What the socket did not take"""
        self._size = 0
        self._ends_soon = False
        """Behind what is still to be read comes the end, of which the set tells only once"""
        self._watched = self._paused = self._choked = self._closing = self._ended = self._writes_end = False

    # -- from the socket
    def begin(self) -> None:
        """Its first bytes have often come with it."""
        try:
            data = os.read(self._descriptor, PIECE)
        except BlockingIOError:
            self.watch()
            return
        except OSError as error:
            self._lose(error)
            return
        protocol = self._protocol
        assert protocol is not None
        if not data:
            self._end()
            return
        protocol.data_received(data)
        if self._descriptor >= 0 and not self._watched:
            if len(data) < PIECE and cast("Rests", protocol).rests:
                self._links.watch_later(self)
            else:
                self.watch()

    def watch(self) -> None:
        """Hear of what comes, and of what has come already."""
        if not self._watched and self._descriptor >= 0:
            self._watched = True
            self._links.watch(self._descriptor, self)

    def ready(self, event: int) -> None:
        """It can be read or written, or has ended."""
        if self._out and event != _READS:
            self._flush()
        if not event & ~_WRITES or self._descriptor < 0:
            return
        if self._ended:
            if event & _OVER and not self._out:
                self._lose(None)
            return
        if event & _ENDS:
            self._ends_soon = True
        if self._paused or self._closing:
            return
        try:
            data = os.read(self._descriptor, PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if not data:
            self._end()
            return
        if len(data) == PIECE or self._ends_soon:
            self._links.again(self)
        protocol = self._protocol
        if protocol is not None:
            protocol.data_received(data)

    def _end(self) -> None:
        """The other side sends no more."""
        self._ended = True
        if self._protocol is None or not self._protocol.eof_received():
            self.close()
        else:
            self.watch()

    def _lose(self, error: Exception | None) -> None:
        if self._descriptor >= 0:
            self._closing = True
            if self._watched:
                self._links.forget(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            self._out = None
            self._links.lost(self, error)

    def tell_lost(self, error: Exception | None) -> None:
        """The last thing that the protocol hears."""
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(error)

    # -- reading
    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            if not self._ended and not self._closing:
                self.watch()
                self._links.again(self)

    def acknowledge(self) -> None:
        """What has come, at once. A sender that writes a head and a body apart from each other holds the second back until it
        hears that the first has arrived (Nagle's algorithm), which the kernel tells only after 40 ms."""
        if hasattr(socket, "TCP_QUICKACK") and self._descriptor >= 0:
            with self._socket() as shared:
                shared.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def is_reading(self) -> bool:
        return not (self._paused or self._closing or self._ended)

    # -- writing
    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        if self._out:
            self._keep(bytes(data))
            return
        try:
            written = os.write(self._descriptor, data)
        except BlockingIOError:
            written = 0
        except OSError as error:
            self._lose(error)
            return
        if written < len(data):
            self._keep(bytes(data[written:]))
            self.watch()

    def _keep(self, data: bytes) -> None:
        if self._out is None:
            self._out = deque()
        self._out.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER and not self._choked and self._protocol is not None:
            self._choked = True
            self._protocol.pause_writing()

    def _flush(self) -> None:
        out = self._out
        while out:
            piece = out[0]
            try:
                written = os.write(self._descriptor, piece)
            except BlockingIOError:
                break
            except OSError as error:
                self._lose(error)
                return
            self._size -= written
            if written < len(piece):
                out[0] = piece[written:]
                break
            out.popleft()
        if self._choked and self._size <= HIGH_WATER // 4 and self._protocol is not None:
            self._choked = False
            self._protocol.resume_writing()
        if not self._out:
            if self._closing:
                self._lose(None)
            elif self._writes_end:
                self._shut()

    def get_write_buffer_size(self) -> int:
        return self._size

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """They are what they are."""

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._writes_end and not self._closing:
            self._writes_end = True
            if not self._out:
                self._shut()

    def _shut(self) -> None:
        shut = self._socket()
        try:
            shut.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._lose(error)
        finally:
            shut.close()
        self.watch()

    # -- the end
    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """When all is written."""
        if not self._closing:
            self._closing = True
            if not self._out:
                self._lose(None)

    def abort(self) -> None:
        """Now."""
        self._lose(None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``peername``, or ``socket``: one that shares the connection, for its options."""
        if name == "peername":
            return self._address
        return self._socket() if name == "socket" and self._descriptor >= 0 else default

    def _socket(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self._descriptor))
