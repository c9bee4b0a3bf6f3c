"""TLS ends in the process; behind it everything is as without."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
from drydock.dataplane.balancing.tls import fitting

from tests.dataplane.conftest import Stage, answering, head_of
from tests.services.elbv2.authority import Authority

AUTHORITY = Authority()
GET = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"


def told(*hosts: str) -> dict[str, Any]:
    """A listener's TLS with one certificate for each host."""
    made = [(host, *AUTHORITY.issue(host)) for host in hosts]
    certificates = [{"body": body, "key": key, "names": [host]} for host, body, key in made]
    return {"oldest": "TLSv1.2", "newest": "TLSv1.3", "ciphers": [], "certificates": certificates}


def connect(stage: Stage, host: str = "shop.example") -> ssl.SSLSocket:
    return AUTHORITY.trust().wrap_socket(stage.connect(), server_hostname=host)


def read(connection: ssl.SSLSocket, size: int) -> bytes:
    found = b""
    while len(found) < size and (piece := connection.recv(size - len(found))):
        found += piece
    return found


def test_requests_on_a_connection_that_is_kept(stage: Stage) -> None:
    stage.serve(answering(b"tea"), tls=told("shop.example"))
    with connect(stage) as connection:
        for _ in range(3):
            connection.sendall(GET)
            head, rest = head_of(connection)
            assert head.startswith(b"HTTP/1.1 200") and rest + read(connection, 3 - len(rest)) == b"tea"
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000)
        assert head_of(connection)[0].startswith(b"HTTP/1.1 200")


def test_a_large_answer(stage: Stage) -> None:
    stage.serve(answering(b"z" * 10_000_000), tls=told("shop.example"))
    with connect(stage) as connection:
        connection.sendall(GET)
        _, rest = head_of(connection)
        assert len(rest) + len(read(connection, 10_000_000 - len(rest))) == 10_000_000


def test_smuggling_is_refused(stage: Stage) -> None:
    stage.serve(answering(), tls=told("shop.example"))
    with connect(stage) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert head_of(connection)[0].startswith(b"HTTP/1.1 400")


def test_who_speaks_no_tls_disturbs_nobody(stage: Stage) -> None:
    stage.serve(answering(b"tea"), tls=told("shop.example", "green.example"))
    silent = stage.connect()
    with stage.connect() as plain:
        plain.sendall(GET)
        try:
            answer = plain.recv(100)
        except ConnectionResetError:
            answer = b""
        assert not answer.startswith(b"HTTP/")
    with connect(stage, "green.example") as connection:
        connection.sendall(GET)
        assert head_of(connection)[0].startswith(b"HTTP/1.1 200")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(stage, "other.example")
    silent.shutdown(socket.SHUT_RDWR)
    silent.close()


@pytest.mark.parametrize(
    ("name", "number"),
    [("b.example", 1), ("B.Example.", 1), ("x.c.example", 2), ("y.x.c.example", 0), ("c.example", 0), ("", 0), ("d.c.example", 3)],
)  # fmt: skip
def test_the_certificate_that_fits_best(name: str, number: int) -> None:
    assert fitting(name, [("a.example",), ("b.example",), ("*.c.example",), ("d.c.example",)]) == number
