"""From a container's pipe to its owner, line by line.

Back-pressure: if ``on_line`` returns an awaitable, nothing more is read from that pipe until it is done; the pipe fills
up and the container's writes block, as they do on a terminal that is slow. At most one read (64 KiB) and one unfinished
line (256 KiB, CloudWatch Logs' limit for an event) are held per pipe.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Iterator

MOST = 256 * 1024
_READ = 64 * 1024


class LineReader:
    """``closed`` is done when the last line was delivered; ``progress`` grows with each read."""

    def __init__(self, descriptor: int, on_line: Callable[[bytes], object]) -> None:
        self._descriptor = descriptor
        self._on_line = on_line
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._waiting: asyncio.Task[None] | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.progress = 0
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._readable)

    @property
    def paused(self) -> bool:
        return self._waiting is not None

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _READ)
        except BlockingIOError:
            return
        self.progress += 1
        self._deliver(self._lines(data), ended=not data)

    def _lines(self, data: bytes) -> Iterator[bytes]:
        if not data:
            if self._rest:
                rest, self._rest = self._rest, b""
                yield rest
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from _cut(line)
        while len(self._rest) >= MOST:
            part, self._rest = self._rest[:MOST], self._rest[MOST:]
            yield part

    def _deliver(self, lines: Iterator[bytes], ended: bool) -> None:
        for line in lines:
            asked = self._on_line(line)
            if inspect.isawaitable(asked):
                self._loop.remove_reader(self._descriptor)
                self._waiting = self._loop.create_task(self._resume(asked, lines, ended))
                return
        if ended:
            self.close()

    async def _resume(self, asked: object, lines: Iterator[bytes], ended: bool) -> None:
        try:
            while inspect.isawaitable(asked):
                await asked
                asked = next((answer for answer in map(self._on_line, lines) if inspect.isawaitable(answer)), None)
        finally:
            self._waiting = None
            if ended:
                self.close()
            elif not self.closed.done():
                self._loop.add_reader(self._descriptor, self._readable)

    def close(self) -> None:
        """Stop reading, whether the pipe has ended or not."""
        if self.closed.done():
            return
        if self._waiting is None:
            self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self.closed.set_result(None)


def _cut(line: bytes) -> Iterator[bytes]:
    """A line that is too long comes in parts."""
    yield line[:MOST]
    for start in range(MOST, len(line), MOST):
        yield line[start : start + MOST]


async def finish(readers: list[LineReader], patience: float) -> None:
    """Wait until all have ended; but not for a pipe that somebody else still holds open, where nothing more comes for
    ``patience`` seconds."""
    while True:
        seen = [reader.progress for reader in readers]
        await asyncio.wait([reader.closed for reader in readers], timeout=patience)
        left = [reader for reader in readers if not reader.closed.done()]
        if not left:
            return
        if seen == [reader.progress for reader in readers] and not any(reader.paused for reader in left):
            for reader in left:
                reader.close()
            return
