"""Whose connection it is, from what has come of its first request."""

from __future__ import annotations

from typing import Any

import pytest
from drydock.gateway.handover import HandOver

DNS = "web-1.us-east-1.elb.localhost"


class Balancers:
    plane: Any = None

    def named(self, host: str, port: int | None) -> tuple[str, str] | None:
        return (host, str(port or 80)) if host.lower() == DNS else None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GE", (False, None)),
        (b"GET / HTTP/1.1\r\nAccept: x\r\nHos", (False, None)),
        (b"GET / HTTP/1.1\r\nHost: web-1.us-east-1.elb.local", (False, None)),
        (f"GET / HTTP/1.1\r\nA: b\r\nhOST:  {DNS} \r\n".encode(), (True, (DNS, "80"))),
        (f"GET / HTTP/1.1\r\nHost: {DNS}:4566\r\n".encode(), (True, (DNS, "80"))),
        (f"GET / HTTP/1.1\r\nHost: {DNS}:8080\r\n".encode(), (True, (DNS, "8080"))),
        (f"GET / HTTP/1.1\r\nHost: x{DNS}\r\n".encode(), (True, None)),
        (b"GET / HTTP/1.1\r\nHost: localhost:4566\r\n", (True, None)),
        (f"GET / HTTP/1.0\r\nA: b\r\n\r\nHost: {DNS}\r\n".encode(), (True, None)),
        (b"\x16\x03\x01", (True, None)),
        (b"GET / HTTP/1.1\nHost: a", (True, None)),
        (b"get", (True, None)),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000, (True, None)),
    ],
)
def test_judge(data: bytes, expected: Any) -> None:
    assert HandOver(Balancers(), 4566).judge(data) == expected
