"""Messages on their way through a control socket whose buffer may be full for a moment.

The kernel takes some 250 small messages; a burst of connections is more. What it does not take waits here, with duplicates
of its descriptors, because the caller closes its own.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

from drydock.runtime.process.messages import pack


class Outbox:
    """Of one end. Raises nothing: that the other end has died is seen by who reads from it."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._closed = False

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """In the order of the calls; the descriptors stay the caller's."""
        if self._closed:
            return
        data = pack(message)
        if not self._waiting:
            data, descriptors = self._write(data, descriptors)
            if not data:
                return
            asyncio.get_running_loop().add_writer(self._control, self._go_on)
        self._waiting.append((data, [os.dup(each) for each in descriptors]))

    def close(self) -> None:
        """Forget what waits."""
        if self._waiting:
            asyncio.get_running_loop().remove_writer(self._control)
        self._closed = True
        for _, descriptors in self._waiting:
            for each in descriptors:
                os.close(each)
        self._waiting.clear()

    def _write(self, data: bytes, descriptors: Sequence[int]) -> tuple[bytes, Sequence[int]]:
        """What is left to be written. Descriptors travel with the first byte."""
        try:
            sent = socket.send_fds(self._control, [data], descriptors) if descriptors else self._control.send(data)
        except BlockingIOError:
            return data, descriptors
        except OSError:
            self._closed = True
            return b"", ()
        return data[sent:], ()

    def _go_on(self) -> None:
        while self._waiting:
            data, descriptors = self._waiting[0]
            left, kept = self._write(data, descriptors)
            if descriptors and not kept:
                for each in descriptors:
                    os.close(each)
            if left:
                self._waiting[0] = (left, list(kept))
                return
            self._waiting.popleft()
        asyncio.get_running_loop().remove_writer(self._control)
