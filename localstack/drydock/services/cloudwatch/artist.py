"""Has pictures drawn by a child process, which lives for as long as there is something to draw, and a moment longer.

A dashboard is several pictures in a row: loading matplotlib once for all of them is what takes most of the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Real seconds for one picture"""
LINGERS = 5.0
"""Real seconds for which it waits for the next"""
DRAWING = Path(__file__).with_name("drawing.py")
LONGEST_LINE = 1 << 16


class Artist:
    """One at a time draws; whoever comes meanwhile waits for a turn."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._leaving: asyncio.TimerHandle | None = None

    async def draw(self, told: dict[str, Any]) -> bytes:
        """A PNG of what ``widgets.picture`` tells. Raises RuntimeError if it could not be drawn."""
        async with self._turn:
            if self._leaving is not None:
                self._leaving.cancel()
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._drawn(told)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                await self._end()
                raise RuntimeError(f"the picture could not be drawn: {error!r}") from error
            except BaseException:  # cancelled: what it was about to answer is nobody's any more
                await self._end()
                raise
            finally:
                self._leaving = asyncio.get_running_loop().call_later(LINGERS, self._dismiss)

    async def _drawn(self, told: dict[str, Any]) -> bytes:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, str(DRAWING), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, limit=LONGEST_LINE,
            )  # fmt: skip
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(told).encode() + b"\n")
        await process.stdin.drain()
        answer = json.loads(await process.stdout.readline())
        if "wrong" in answer:
            raise ValueError(answer["wrong"])
        return await process.stdout.readexactly(answer["size"])

    def _dismiss(self) -> None:
        """It ends by itself when nothing more can come."""
        if self._process is not None and self._process.stdin is not None and not self._turn.locked():
            self._process.stdin.close()
            self._process = None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def stop(self) -> None:
        """At the end of the emulator."""
        if self._leaving is not None:
            self._leaving.cancel()
        await self._end()
