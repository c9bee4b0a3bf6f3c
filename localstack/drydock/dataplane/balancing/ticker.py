"""A coarse clock for thousands of connections: looks at all of them twice a second, instead of a timer for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drydock.dataplane.balancing.front import Client
    from drydock.dataplane.balancing.streams import Stream

INTERVAL = 0.25


class Ticker:
    """``now`` is monotonic time, not older than :data:`INTERVAL`."""

    def __init__(self) -> None:
        self.clients: set[Client | Stream] = set()
        self.now = time.monotonic()
        self.also: list[Callable[[float], None]] = []
        self._second = 0
        self._date = ""
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, if it has not begun."""
        if self._handle is None:
            self._tick()

    @property
    def date(self) -> str:
        """For a Date field."""
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True)
        return self._date

    def _tick(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(INTERVAL, self._tick)
        self.now = time.monotonic()
        for client in list(self.clients):
            client.look(self.now)
        for look in self.also:
            look(self.now)
