"""Slow clients and many of them starve nobody, and memory stays bounded."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from tests.dataplane.conftest import Stage, answering, head_of

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
IDLE = 10_000


def memory(stage: Stage) -> int:
    """MB of the process."""
    status = Path(f"/proc/{stage.rig.plane.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) >> 10


def test_ten_thousand_idle_connections(stage: Stage) -> None:
    stage.serve(answering())
    assert stage.ask(GET).startswith(b"HTTP/1.1 200")
    before = memory(stage)
    idle = [socket.create_connection(stage.address, timeout=15) for _ in range(IDLE)]
    try:
        for connection in idle[::2]:
            connection.sendall(b"GET / HT")
        took = []
        for _ in range(50):
            begun = time.monotonic()
            assert stage.ask(GET).startswith(b"HTTP/1.1 200")
            took.append(time.monotonic() - begun)
        assert sorted(took)[25] < 0.1
        assert memory(stage) - before < 150
    finally:
        for connection in idle:
            connection.close()


def settled_memory(stage: Stage) -> int:
    """When the process has started."""
    stage.rig.run(stage.rig.plane.balancers.counted([]))
    return memory(stage)


@pytest.mark.parametrize("framing", ["length", "chunked", "end"])
def test_a_client_that_does_not_read(stage: Stage, framing: str) -> None:
    """The target is not read either: nothing piles up here."""
    size = 200_000_000
    sent = [0]

    def large(connection: socket.socket) -> None:
        head_of(connection)
        piece = b"z" * 100_000
        fields = {"length": b"Content-Length: %d\r\n" % size, "chunked": b"Transfer-Encoding: chunked\r\n", "end": b""}
        connection.sendall(b"HTTP/1.1 200 OK\r\n%b\r\n" % fields[framing])
        while sent[0] < size:
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            sent[0] += len(piece)

    stage.serve(large)
    before = settled_memory(stage)
    stuck = []
    for _ in range(4):
        connection = stage.connect()
        connection.sendall(GET)
        stuck.append(connection)
    quiet = _settled(sent)
    assert quiet < size / 2
    assert memory(stage) - before < 60
    for connection in stuck:
        connection.close()


def _settled(sent: list[int]) -> int:
    """What was sent when no more is sent for a while."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 1.0:
        if sent[0] != last:
            last, since = sent[0], time.monotonic()
        time.sleep(0.02)  # between two looks
    return last


def test_a_target_that_does_not_read(stage: Stage) -> None:
    go_on = threading.Event()

    def deaf(connection: socket.socket) -> None:
        connection.recv(10)
        go_on.wait(20)

    stage.serve(deaf)
    before = settled_memory(stage)
    sent = [0]
    with stage.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000000\r\n\r\n")

        def pour() -> None:
            try:
                while True:
                    sent[0] += connection.send(b"x" * 100_000)
            except OSError:
                return

        pouring = threading.Thread(target=pour)
        pouring.start()
        assert _settled(sent) < 100_000_000
        assert memory(stage) - before < 30
        connection.shutdown(socket.SHUT_RDWR)
        pouring.join()
    go_on.set()


def test_a_client_that_pipelines_and_does_not_read(stage: Stage) -> None:
    fixed = {"type": "fixed-response", "status": 200, "body": "x" * 1000, "content_type": "text/plain"}
    stage.configure([], [{"conditions": [], "action": fixed}])
    assert stage.ask(GET).startswith(b"HTTP/1.1 200")
    before = memory(stage)
    sent = [0]
    with stage.connect() as connection:
        connection.settimeout(2)

        def pour() -> None:
            try:
                while True:
                    sent[0] += connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
            except OSError:
                return

        pouring = threading.Thread(target=pour)
        pouring.start()
        _settled(sent)
        assert memory(stage) - before < 30
        pouring.join()
        connection.shutdown(socket.SHUT_RD)
