"""Clients that are slow, against the gateway in this process with its patience shortened."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from drydock.gateway import app as app_module
from drydock.gateway import server as server_module
from drydock.gateway.app import Gateway
from drydock.gateway.hosts import AllowedHosts
from drydock.gateway.server import Server, bind

from tests.gateway.raw import head, scope

PATIENCE = 0.3


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(server_module, "HEAD_TIMEOUT", PATIENCE)
    monkeypatch.setattr(app_module, "BODY_TIMEOUT", PATIENCE)
    yield


def served(*pieces: bytes, pause: float) -> tuple[bytes, float]:
    """What comes back, and after how many seconds, when the pieces are sent with pauses between them."""

    async def scenario() -> tuple[bytes, float]:
        server, listening = Server(Gateway(None, AllowedHosts())), bind("127.0.0.1", 0)
        await server.listen(listening)
        try:
            reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
            began = time.monotonic()
            answer = asyncio.create_task(read(reader))
            for piece in pieces:
                if answer.done():
                    break
                writer.write(piece)
                await asyncio.wait([answer], timeout=pause)
            came = await asyncio.wait_for(answer, 10)
            writer.close()
            return came, time.monotonic() - began
        finally:
            await server.close()

    async def read(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read()
        except ConnectionError:
            return b""

    return asyncio.run(scenario())


def test_a_connection_that_says_nothing_is_closed() -> None:
    answer, took = served(b"", pause=0)
    assert answer.startswith(b"HTTP/1.1 408 ") and PATIENCE <= took < PATIENCE + 3


def test_a_head_that_never_ends() -> None:
    """A byte now and then does not buy more time."""
    drops = [b"POST / HTTP/1.1\r\nHost: localhost\r\n", *[b"X: a\r\n"] * 100]
    answer, took = served(*drops, pause=0.02)
    assert answer.startswith(b"HTTP/1.1 408 ") and took < PATIENCE + 3


def test_a_second_head_that_never_ends() -> None:
    unknown = head("POST / HTTP/1.1", Content_Length="0", Authorization=scope("1" * 12, "nothing"))
    answer, took = served(unknown, *[b"G"], *[b""] * 100, pause=0.02)
    assert answer.count(b"HTTP/1.1 ") == 2 and b"HTTP/1.1 408 " in answer and took < PATIENCE + 3


@pytest.mark.parametrize("headers", [{"Content_Length": "1000"}, {"Transfer_Encoding": "chunked"}])
def test_a_body_that_never_comes(headers: Any) -> None:
    answer, took = served(head(**headers), b"5\r\n{", pause=0.02)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"RequestTimeout" in answer and took < PATIENCE + 3


def test_a_body_that_is_slow_and_comes_is_answered() -> None:
    """Slower in all than the patience, and never silent for so long."""
    pieces = [head(Content_Length="20", Connection="close", Authorization=scope("1" * 12, "nothing")), *[b"a"] * 20]
    answer, took = served(*pieces, pause=PATIENCE / 6)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"UnknownOperationException" in answer and took > PATIENCE


def test_a_foreign_client_that_goes_on_sending_is_cut_off() -> None:
    answer, took = served(head(Host="evil.net", Content_Length="1000000"), *[b"a"] * 200, pause=0.02)
    assert answer.startswith(b"HTTP/1.1 403 ") and took < PATIENCE + 3


def test_a_client_that_sends_and_does_not_read_until_then_has_the_answer() -> None:
    """What it still sends is dropped and not answered with a reset, which would take the answer away."""

    async def scenario() -> bytes:
        server, listening = Server(Gateway(None, AllowedHosts())), bind("127.0.0.1", 0)
        await server.listen(listening)
        loop = asyncio.get_running_loop()
        with socket.create_connection(listening.getsockname()[:2]) as client:
            client.setblocking(False)
            await loop.sock_sendall(client, head(Host="evil.net", Content_Length="1000000"))
            answered = await loop.run_in_executor(None, select.select, [client], [], [], 10)
            assert answered[0]
            for _ in range(20):
                await loop.sock_sendall(client, b"a" * 1000)
                await asyncio.sleep(0.01)
            came = b""
            while piece := await loop.sock_recv(client, 4096):
                came += piece
        await server.close()
        return came

    assert asyncio.run(scenario()).startswith(b"HTTP/1.1 403 ")


def test_a_client_that_never_stops_sending_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "LINGER", PATIENCE)

    async def scenario() -> None:
        server, listening = Server(Gateway(None, AllowedHosts())), bind("127.0.0.1", 0)
        await server.listen(listening)
        _, writer = await asyncio.open_connection(*listening.getsockname()[:2])
        writer.write(head(Host="evil.net", Content_Length="1000000"))
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(10):
                while True:
                    writer.write(b"a" * 1000)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        await server.close()

    asyncio.run(scenario())
