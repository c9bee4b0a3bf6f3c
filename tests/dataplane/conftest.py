"""A rig, and targets that do as they are told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.dataplane.rig import GROUP, Rig, configuration, forward, group, listening

Handle = Callable[[socket.socket], object]


class Scripted:
    """A target: ``handle`` gets each connection, in a thread of its own."""

    def __init__(self, handle: Handle) -> None:
        self.listener = listening()
        self.host, self.port = self.listener.getsockname()
        self.connections = 0
        self._handle = handle
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                found, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(found,), daemon=True).start()

    def _one(self, found: socket.socket) -> None:
        with found, contextlib.suppress(OSError):
            self._handle(found)

    def close(self) -> None:
        """No connection is accepted any more."""
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def head_of(connection: socket.socket) -> tuple[bytes, bytes]:
    """A request's head, and what came behind it; empty if the connection was closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b"", data
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def answering(text: bytes = b"hello", **fields: str) -> Handle:
    """Each request of a connection with the same, and the head that came with it."""

    def handle(connection: socket.socket) -> None:
        while True:
            head, rest = head_of(connection)
            if not head:
                return
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            while len(rest) < length:
                rest += connection.recv(65536)
            lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()).encode()
            body = b"" if head.startswith(b"HEAD") else text
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(text), lines, body))

    return handle


class Stage:
    """A rig with one listener, and whatever targets a test wants."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.address = ("", 0)
        self.targets: list[Scripted] = []

    def target(self, handle: Handle) -> Scripted:
        made = Scripted(handle)
        self.targets.append(made)
        return made

    def serve(self, *handles: Handle, **given: Any) -> Stage:
        """A listener that forwards to these."""
        made = [self.target(handle) for handle in handles]
        targets = [(each.host, each.port, "healthy") for each in made]
        self.configure([group(GROUP, *targets)], **given)
        return self

    def configure(self, groups: list[dict[str, Any]], rules: list[dict[str, Any]] | None = None, **given: Any) -> None:
        rules = rules or [{"conditions": [], "action": forward(GROUP)}]
        self.rig.configure(configuration(groups, rules, **given))
        if not self.address[1]:
            self.address = self.rig.listen()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=15)

    def ask(self, request: bytes) -> bytes:
        """All that is answered until the connection is closed."""
        with self.connect() as connection:
            connection.sendall(request)
            return everything(connection)

    def close(self) -> None:
        self.rig.close()
        for target in self.targets:
            target.close()


def everything(connection: socket.socket) -> bytes:
    """Until its end, or a reset."""
    found = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return found
        if not piece:
            return found
        found += piece


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()
