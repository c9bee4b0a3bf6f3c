"""TCP connections through the process: both sides end by themselves, slow ones hold the other back, idle ones are cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from tests.dataplane.conftest import Stage, everything
from tests.dataplane.test_many import memory, settled_memory


def to_the_end(connection: socket.socket) -> bytes:
    """All that comes until the other side sends no more."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def repeating(connection: socket.socket) -> None:
    """Speaks first, hears all, and says it again."""
    connection.sendall(b"welcome\n")
    connection.sendall(to_the_end(connection))


@pytest.mark.parametrize("size", [0, 1, 10_000_000])
def test_one_side_ends_after_the_other(stage: Stage, size: int) -> None:
    stage.serve(repeating, stream=True)
    with stage.connect() as connection:
        assert connection.recv(100) == b"welcome\n"
        connection.sendall(b"x" * size)
        connection.shutdown(socket.SHUT_WR)
        assert len(to_the_end(connection)) == size


def test_the_target_ends_first(stage: Stage) -> None:
    heard: list[bytes] = []
    done = threading.Event()

    def handle(connection: socket.socket) -> None:
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        heard.append(to_the_end(connection))
        done.set()

    stage.serve(handle, stream=True)
    with stage.connect() as connection:
        assert to_the_end(connection) == b"bye"
        connection.sendall(b"and you")
    assert done.wait(15)
    assert heard == [b"and you"]


def test_a_side_that_does_not_read_holds_the_other_back(stage: Stage) -> None:
    sent = [0]

    def endless(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"z" * 100_000)
                sent[0] += 100_000

    stage.serve(endless, stream=True)
    before = settled_memory(stage)
    with stage.connect() as connection:
        connection.recv(1)
        last = -1
        while sent[0] != last:  # until nothing moves any more
            last = sent[0]
            time.sleep(0.3)
        assert memory(stage) - before < 20
        assert sent[0] < 50_000_000


def test_a_reset_is_passed_on(stage: Stage) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    stage.serve(handle, stream=True)
    with stage.connect() as connection:
        connection.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            connection.recv(10)


def test_nobody_to_talk_to(stage: Stage) -> None:
    stage.serve(stream=True)
    with stage.connect() as connection:
        assert everything(connection) == b""


def test_idle_connections_are_cut(stage: Stage) -> None:
    stage.serve(repeating, stream=True, idle=1.0)
    with stage.connect() as connection:
        assert connection.recv(100) == b"welcome\n"
        begun = time.monotonic()
        with pytest.raises(ConnectionResetError):
            connection.recv(100)
        assert 0.5 < time.monotonic() - begun < 10
