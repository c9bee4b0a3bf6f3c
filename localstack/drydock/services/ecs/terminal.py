"""A pseudo-terminal from the side of whoever sits in front of it, on the event loop."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import Callable

LARGEST_READ = 1024
MOST_WAITING = 16 << 10
"""Bytes of input that wait for the program to read them"""


class Terminal:
    """Takes the descriptor of a pty's master. ``on_room`` is called when input may come again."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._writing = False
        self._ended = False
        self._readable = asyncio.Event()
        self.on_room: Callable[[], None] = lambda: None
        os.set_blocking(master, False)

    async def read(self) -> bytes:
        """What the program has written, as it comes; nothing at its end."""
        while True:
            try:
                return os.read(self._master, LARGEST_READ)
            except BlockingIOError:
                if self._ended:  # all that was left has been read; others may hold the terminal open, but nobody waits
                    return b""
            except OSError:  # EIO: nobody has the other side open any more
                return b""
            self._readable.clear()
            self._loop.add_reader(self._master, self._readable.set)
            try:
                await self._readable.wait()
            finally:
                self._loop.remove_reader(self._master)

    def program_ended(self) -> None:
        """``read`` gives what there is, and then its end."""
        self._ended = True
        self._readable.set()

    def has_room(self) -> bool:
        """Whether input may come."""
        return len(self._waiting) < MOST_WAITING

    def write(self, data: bytes) -> None:
        """Input; what the program does not take now waits."""
        self._waiting += data
        if not self._writing:
            self._flush()

    def _flush(self) -> None:
        had_room = self.has_room()
        try:
            while self._waiting:
                del self._waiting[: os.write(self._master, self._waiting)]
        except BlockingIOError:
            pass
        except OSError:  # the program has gone
            self._waiting.clear()
        self._watch(bool(self._waiting))
        if not had_room and self.has_room():
            self.on_room()

    def _watch(self, wanted: bool) -> None:
        if wanted and not self._writing:
            self._loop.add_writer(self._master, self._flush)
        elif self._writing and not wanted:
            self._loop.remove_writer(self._master)
        self._writing = wanted

    def resize(self, columns: int, rows: int) -> None:
        """The programs in front are told (SIGWINCH) by the kernel."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """Who is still in front of it gets SIGHUP."""
        self._watch(False)
        os.close(self._master)
