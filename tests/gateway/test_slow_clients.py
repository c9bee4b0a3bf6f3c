"""Clients that are slow, against the gateway in this process with its patience shortened."""

from __future__ import annotations

import asyncio
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
