"""Sockets and HTTP: uvicorn's protocol on our own listening sockets, with limits on what a client may be slow with.

uvicorn has a time-out for idle connections but none for a request whose head never ends, and no limit on its size; both
are added here. Its ``Server`` class is not used: it would take over the signals, and binding must fail in our own words.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from drydock.errors import UserError
from drydock.gateway.handover import HandOver
from drydock.packages import without_code

_uvicorn = without_code("uvicorn")  # which would load its command line, too
from uvicorn.config import Config  # noqa: E402
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: E402
from uvicorn.server import ServerState  # noqa: E402

_uvicorn.Config = Config  # type: ignore[attr-defined]  # under this name its own modules look for it

log = logging.getLogger(__name__)
HEAD_TIMEOUT = 20.0
"""Real seconds from the first byte of a request (or the connection) to the end of its head"""
LARGEST_HEAD = 64 << 10
LARGEST_MESSAGE = 64 << 10
"""Of a WebSocket, bytes"""
KEEP_ALIVE = 75
"""Real seconds a connection may be idle between requests"""
LINGER = 2.0
"""Real seconds in which what a client still sends after our last word is dropped"""
_TOO_LARGE = b"431 Request Header Fields Too Large"


class LingeringTransport:
    """A transport whose last words arrive. Closed at once, while the client still sends, it would answer the rest with a
    reset, and that takes away what the client has not read yet: only our half is closed at first."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.real = transport
        self._loop = loop
        self._end: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        if self._end is None:
            self.real.write(data)

    def close(self) -> None:
        if self.is_closing():
            return
        self._end = self._loop.call_later(LINGER, self.real.close)
        try:
            self.real.write_eof()
        except OSError:  # the client has gone already
            self.real.abort()
        self.real.resume_reading()

    def is_closing(self) -> bool:
        return self._end is not None or self.real.is_closing()

    def lost(self) -> None:
        """The connection is no more."""
        if self._end:
            self._end.cancel()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's, with a limit on the time and the size of a request's head."""

    hand_over: HandOver | None = None
    """Where a connection may turn out to be a load balancer's"""
    upgrades = False
    """Whether it may become a WebSocket"""
    transport: Any  # a LingeringTransport, and a WebSocket's without one
    _first: bytes | None = b""
    """What has come of the connection's first request, as long as it is not known whose it is"""
    _head_timer: asyncio.TimerHandle | None = None
    _head_size = 0
    _in_head = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(LingeringTransport(transport, self.loop))
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.hand_over is not None and self._first is not None:
            self._first += data
            known, place = self.hand_over.judge(self._first)
            if not known:
                return
            data, self._first = self._first, None
            if place is not None:
                self._end_head()
                self.hand_over.take(place, self.transport.real, data)
                return
        super().data_received(data)
        if self._in_head:
            self._head_size += len(data)  # of the pieces that hold nothing but head
            if self._head_size > LARGEST_HEAD:
                self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # trailers are dropped: nobody checked them, so they must not pass for headers
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._end_head()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > LARGEST_HEAD:
            self._refuse(_TOO_LARGE)
            raise ValueError("The head is too large.")  # ends the parsing of this connection
        if sum(name == b"host" for name, _ in self.headers) > 1:
            raise ValueError("There is more than one Host.")  # answered with 400
        super().on_headers_complete()

    def _should_upgrade_to_ws(self) -> bool:
        return self.upgrades

    def handle_websocket_upgrade(self) -> None:
        from uvicorn.protocols.websockets.wsproto_impl import WSProtocol  # not before somebody asks for it

        self.ws_protocol_class = WSProtocol
        self.transport = self.transport.real
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        if isinstance(self.transport, LingeringTransport):
            self.transport.lost()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._end_head()
        self._in_head, self._head_size = True, 0
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self._refuse, b"408 Request Timeout")

    def _end_head(self) -> None:
        self._in_head = False
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.transport.close()


class Server:
    """Serves one ASGI application on any number of listening sockets. ``hand_over`` takes away connections that are not
    for it; ``upgrades``: it understands WebSockets."""

    def __init__(self, app: Any, hand_over: HandOver | None = None, upgrades: bool = False) -> None:
        self._hand_over = hand_over
        self._upgrades = upgrades
        self._config = Config(
            app,
            http=LimitedProtocol,
            ws="none",
            ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            lifespan="off",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE,
        )
        self._config.load()
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []

    async def listen(self, sock: socket.socket) -> asyncio.Server:
        """Begin to serve on a bound socket, until the answer or all of us is closed."""
        loop = asyncio.get_running_loop()

        def made() -> LimitedProtocol:
            protocol = LimitedProtocol(config=self._config, server_state=self._state, app_state={}, _loop=loop)
            protocol.hand_over, protocol.upgrades = self._hand_over, self._upgrades
            return protocol

        server = await loop.create_server(made, sock=sock, backlog=1024)
        self._servers = [other for other in self._servers if other.is_serving()] + [server]
        return server

    async def close(self) -> None:
        """Stop listening, let the requests under way end within a second, then cut them off."""
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=1.0)
        for connection in list(self._state.connections):
            connection.transport.abort()


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket. Raises UserError, naming who has the port if that can be told."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        if isinstance(error, PermissionError):
            raise UserError(
                f"Port {port} may not be used without root.", "Choose one above 1023 with --port."
            ) from error
        if error.errno in (98, 48):  # EADDRINUSE on Linux and macOS
            owner = port_owner(port)
            raise UserError(
                f"Port {port} is already in use" + (f" by {owner}." if owner else "."),
                "End that program, or choose another port with --port.",
            ) from error
        raise UserError(f"Cannot listen on {host}:{port}: {error.strerror}.", "Check --host and --port.") from error
    return sock


def port_owner(port: int) -> str | None:
    """Which process listens on a TCP port of ours, as ``name (pid N)``; None where it cannot be told (not on Linux, or
    somebody else's process)."""
    import pathlib

    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            return None
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for link in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in inodes:
                process = link.parent.parent
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return None
