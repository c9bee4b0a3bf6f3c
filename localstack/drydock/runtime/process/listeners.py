"""Which networks there are, seen from the emulator: opened with their first sandbox, closed with their last, and what
listens on each of them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from drydock.runtime.interface import RuntimeFailure, Serve

Call = Callable[..., Awaitable[tuple[Any, list[int]]]]


class Networks:
    """``call`` asks the helper. One opening or closing at a time, so that they cannot overtake each other."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._turn = asyncio.Lock()
        self._sandboxes: dict[str, int] = {}
        self._served: list[tuple[str, int, Serve]] = []
        self._endings: dict[str, list[Callable[[], object]]] = {}

    async def enter(self, name: str) -> None:
        """A sandbox is about to be made on it. Raises RuntimeFailure."""
        async with self._turn:
            if name not in self._sandboxes:
                await self._open(name)
            self._sandboxes[name] = self._sandboxes.get(name, 0) + 1

    async def _open(self, name: str) -> None:
        """With everything that listens on it, or not at all."""
        await self._call("open_network", name=name)
        try:
            for address, port, serve in self._served:
                await self._serve(name, address, port, serve)
        except RuntimeFailure:
            await self._close(name)
            raise

    async def leave(self, name: str) -> None:
        """A sandbox on it has gone."""
        async with self._turn:
            if name not in self._sandboxes:
                return
            self._sandboxes[name] -= 1
            if self._sandboxes[name] == 0:
                del self._sandboxes[name]
                await self._close(name)

    async def _close(self, name: str) -> None:
        for end in self._endings.pop(name, []):
            end()
        await self._call("close_network", name=name)

    async def listen(self, address: str, port: int, serve: Serve) -> None:
        """On those there are, and on those to come. Raises RuntimeFailure."""
        async with self._turn:
            self._served.append((address, port, serve))
            for name in self._sandboxes:
                await self._serve(name, address, port, serve)

    async def _serve(self, name: str, address: str, port: int, serve: Serve) -> None:
        _, descriptors = await self._call("listen", network=name, address=address, port=port)
        made = socket.socket(fileno=descriptors[0])
        made.setblocking(False)
        self._endings.setdefault(name, []).append(await serve(name, made))

    def forget(self) -> None:
        """The helper is gone, and the networks with it."""
        for endings in self._endings.values():
            for end in endings:
                end()
        self._endings.clear()
        self._sandboxes.clear()
