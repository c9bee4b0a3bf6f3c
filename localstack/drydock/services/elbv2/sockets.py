"""The sockets of this machine at which listeners are reached: the listener's own port on the loopback address where it may be
bound and is free, else the next free one of 4510 to 4559, else any."""

from __future__ import annotations

import socket
from collections.abc import Iterator

HOST = "127.0.0.1"
RANGE = range(4510, 4560)
BACKLOG = 4096


def bound(wanted: int, before: int) -> socket.socket:
    """A listening socket. ``before`` is the port of an earlier life of the emulator (0: none). Raises OSError."""
    failed: OSError | None = None
    for port in _candidates(wanted, before):
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((HOST, port))
            found.listen(BACKLOG)
            found.setblocking(False)
        except OSError as error:
            found.close()
            failed = error
        else:
            return found
    assert failed is not None
    raise failed


def _candidates(wanted: int, before: int) -> Iterator[int]:
    if before:
        yield before
    yield wanted
    yield from RANGE
    yield 0
