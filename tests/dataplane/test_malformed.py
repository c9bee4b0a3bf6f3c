"""Requests that two readers could read differently, or nobody at all, are refused and never reach a target."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import pytest

from tests.dataplane.conftest import Stage, answering, everything
from tests.emulator_process import wait_until

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def served() -> Iterator[Stage]:
    made = Stage().serve(answering())
    yield made
    made.close()


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
        (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
        (POST + b"Content-Length: +3\r\n\r\nabc", 400),
        (POST + b"Content-Length: -3\r\n\r\nabc", 400),
        (POST + b"Content-Length: 0x3\r\n\r\nabc", 400),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\nabc", 400),
        (POST + b"Content-Length : 3\r\n\r\nabc", 400),
        (POST + b" Content-Length: 3\r\n\r\nabc", 400),
        (POST + b"X: a\r\n folded\r\n\r\n", 400),
        (POST + b"X: a\r\n\tfolded\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n bad trailer\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 70_000, 400),
        (b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 17_000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 12_000 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 12_000, 400),
    ],
)  # fmt: skip
def test_refused(served: Stage, request_bytes: bytes, expected: int) -> None:
    answer = served.ask(request_bytes + GET)
    assert answer.startswith(b"HTTP/1.1 %d " % expected), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, "what came behind it was read as a request"
    assert b"Connection: close" in answer and b"Server: awselb/2.0" in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n" + GET,
        b"GET http://b/x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost:a\r\nX: \xc3\xa9\r\nconnection:Close\r\n\r\n",
        b"GET /" + b"a" * 16_000 + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        POST + b"Transfer-Encoding: Chunked\r\nConnection: close\r\n\r\n00\r\nT: 1\r\n\r\n",
    ],
)
def test_odd_but_unambiguous(served: Stage, request_bytes: bytes) -> None:
    assert served.ask(request_bytes).startswith(b"HTTP/1.1 200 OK")


def test_a_request_in_single_bytes(served: Stage) -> None:
    request = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n"
    with served.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(len(request)):
            connection.sendall(request[number : number + 1])
        assert everything(connection).startswith(b"HTTP/1.1 200 OK")


def mutated(chance: random.Random) -> bytes:
    """A request in which something is wrong, or not."""
    seeds = [
        b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n",
        POST + b"Content-Length: 5\r\n\r\nhello",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    ]
    data = bytearray(b"".join(chance.choices(seeds, k=chance.randint(1, 3))))
    for _ in range(chance.randint(0, 4)):
        place = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[place] = chance.randrange(256)
            case 1:
                del data[place : place + chance.randint(1, 9)]
            case 2:
                data[place:place] = chance.choice(
                    [b"\r\n", b"\n", b"\0", b" ", b":", b"0\r\n\r\n", b"Content-Length: 9\r\n"]
                )
            case 3:
                data[place:place] = data[chance.randrange(len(data)) :][:20]
        if not data:
            data += b"\r\n"
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_fuzz(served: Stage, seed: int) -> None:
    """Whatever comes, the answer is HTTP or an end, targets get whole requests only, and the process lives on."""
    chance = random.Random(seed)
    pid = served.rig.plane.pid
    for _ in range(150):
        request = mutated(chance)
        with served.connect() as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = everything(connection)
        assert not answer or answer.startswith(b"HTTP/1.1 "), (request, answer)
    assert served.rig.plane.pid == pid
    assert served.ask(GET).startswith(b"HTTP/1.1 200 OK")


def test_nothing_is_left_behind(served: Stage) -> None:
    def active() -> int:
        return int(served.rig.run(served.rig.plane.balancers.counted(["arn:lb"]))["active"]["arn:lb"])

    wait_until(lambda: active() == 0, "no connection is left", active)
