"""Connections to the emulator's own port that are for a load balancer: ``Host: <DNSName>``, with the listener's port unless that
is 80. They go to the data plane's process with what has been read of them, and never come back.

The first request of a connection decides, as a connection to AWS's API is never one to a load balancer.
"""

from __future__ import annotations

import os
import re
from typing import Any, Protocol

MOST_READ = 64 << 10
_HOST = re.compile(rb"\r\nhost:[ \t]*([^\r\n]*)\r\n", re.IGNORECASE)
_BEGINNING = re.compile(rb"(?:\r\n)*[A-Z]{1,32}(?: |\Z)")
_BARE_END = re.compile(rb"(?<!\r)\n")
SUFFIX = b".elb.localhost"


class Plane(Protocol):
    """What takes the connection."""

    def accepted(self, balancer: str, listener: str, descriptor: int, data: bytes) -> None: ...


class LoadBalancers(Protocol):
    """What knows whose it is."""

    plane: Any

    def named(self, host: str, port: int | None) -> tuple[str, str] | None: ...


class HandOver:
    """``own_port`` is the emulator's: in a Host field it says nothing about the listener."""

    def __init__(self, balancers: LoadBalancers, own_port: int) -> None:
        self._balancers = balancers
        self._own_port = own_port

    def judge(self, data: bytes) -> tuple[bool, tuple[str, str] | None]:
        """Whether what has come tells whose the connection is, and which listener's, if one's."""
        end = data.find(b"\r\n\r\n")
        found = _HOST.search(data, 0, end + 2 if end >= 0 else len(data))
        if found is None:
            hopeless = _BEGINNING.match(data) is None or _BARE_END.search(data) is not None
            return end >= 0 or hopeless or len(data) > MOST_READ, None
        name, _, port = found[1].strip().partition(b":")
        if not name.lower().endswith(SUFFIX):
            return True, None
        number = int(port) if port.isdigit() and len(port) < 6 else None
        return True, self._balancers.named(name.decode("latin-1"), None if number == self._own_port else number)

    def take(self, place: tuple[str, str], transport: Any, data: bytes) -> None:
        """Pass the connection on; ours is closed, which the other end does not see."""
        descriptor = os.dup(transport.get_extra_info("socket").fileno())
        try:
            self._balancers.plane.accepted(*place, descriptor, data)
        finally:
            os.close(descriptor)
        transport.abort()
