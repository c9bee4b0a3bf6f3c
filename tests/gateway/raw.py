"""HTTP as nobody should write it: bytes on a socket, and what comes back."""

from __future__ import annotations

import contextlib
import re
import socket
from urllib.parse import urlsplit

BOUND = 15.0
"""Real seconds within which there must be an answer or a closed connection"""


def scope(account: str, service: str, region: str = "us-east-1") -> str:
    """An ``Authorization`` header of an account's root key."""
    return (
        f"AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, "
        f"Signature={'0' * 64}"
    )


def head(line: str = "POST / HTTP/1.1", **headers: str) -> bytes:
    """A request's head; underscores in names become dashes."""
    given = {"Host": "localhost"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return (line + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in given.items()) + "\r\n").encode("latin-1")


def request(body: bytes, line: str = "POST / HTTP/1.1", **headers: str) -> bytes:
    """A whole request, after which the connection is to be closed."""
    return head(line, **{"Content_Length": str(len(body)), "Connection": "close"} | headers) + body


class Closed(Exception):
    """The server closed the connection without an answer."""


def exchange(url: str, *pieces: bytes, half_close: bool = False, bound: float = BOUND) -> tuple[int, bytes]:
    """Send, and read until the connection is closed: the first answer's status, and all that came. Raises Closed;
    TimeoutError if nothing happened within the bound."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=bound) as connection:
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            for piece in pieces:
                connection.sendall(piece)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        came = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(1 << 16):
                came += piece
    match = re.match(rb"HTTP/1\.[01] (\d{3}) ", came)
    if not match:
        assert not came, came[:200]
        raise Closed
    return int(match[1]), came


def harmless(url: str, *pieces: bytes, half_close: bool = False, also: tuple[int, ...] = ()) -> int:
    """The status (0: closed), which must be 4xx, 501 or one of ``also``."""
    try:
        status, came = exchange(url, *pieces, half_close=half_close)
    except Closed:
        return 0
    assert 400 <= status < 500 or status == 501 or status in also, came[:500]
    return status
