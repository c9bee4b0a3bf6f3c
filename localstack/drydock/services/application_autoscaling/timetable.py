"""Waits for the next of an account's times and has done what is due then: one task for each account that has any."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from drydock.services.service import Platform


class Timetable:
    """``do_due`` is called with an account and the lab time, and gives when it should be called next: None if there is
    nothing to wait for at the moment."""

    def __init__(self, platform: Platform, what: str, do_due: Callable[[str, float], Awaitable[float | None]]) -> None:
        self._platform = platform
        self._what = what
        self._do_due = do_due
        self._loops: dict[str, asyncio.Task[Any]] = {}
        self._woken: dict[str, asyncio.Event] = {}

    async def stop(self, account: str | None = None) -> None:
        """Of one account, or of all."""
        ended = [self._loops.pop(name) for name in list(self._loops) if account in (None, name)]
        for loop in ended:
            loop.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    def changed(self, account: str) -> None:
        """Its next time may be another."""
        self._woken.setdefault(account, asyncio.Event()).set()
        loop = self._loops.get(account)
        if loop is None or loop.done():
            self._loops[account] = self._platform.spawn(self._run(account), f"{self._what} of {account}")

    async def _run(self, account: str) -> None:
        clock, woken = self._platform.clock(account), self._woken[account]
        while True:
            woken.clear()
            upcoming = await self._do_due(account, clock.now())
            waits: list[asyncio.Task[Any]] = [asyncio.create_task(woken.wait())]
            if upcoming is not None:
                waits.append(asyncio.create_task(clock.sleep_until(upcoming)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
