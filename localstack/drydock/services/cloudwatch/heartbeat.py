"""The minute of lab time: first everything that can be measured is recorded, then alarms are evaluated.

One order at any speed of the clock: who is asked for its metrics is done before an alarm looks at them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from drydock.services.service import Platform

log = logging.getLogger(__name__)
MINUTE = 60
LEAST_BEAT = 0.25
"""Real seconds between two beats, however fast the clock runs: then a beat stands for several minutes"""

MOST_MINUTES = 60
"""That are recorded when a clock is moved forward by more"""

Source = Callable[[str, tuple[float, ...]], Awaitable[None]]
"""Called with an account and the (lab) beginnings of the minutes that have passed: record what was measured in them"""
Evaluate = Callable[[str, float], Awaitable[None]]
"""Called with an account and the lab time up to which everything has been recorded"""


def passed(start: float, end: float) -> tuple[float, ...]:
    """The minutes from ``start`` to ``end``, the latest of them if they are too many."""
    first = max(start, end - MOST_MINUTES * MINUTE)
    return tuple(first + MINUTE * number for number in range(int(end - first) // MINUTE))


class Heartbeat:
    """``sources`` are put in by the emulator, in the order in which they are asked; the heart beats for an account as long as
    one of ``wanted`` says so. ``finest`` gives the shortest period of an account's alarms in seconds: one below a minute
    makes the heart beat at that period."""

    def __init__(self, platform: Platform, evaluate: Evaluate, finest: Callable[[str], int]) -> None:
        self.sources: list[Source] = []
        self.wanted: list[Callable[[str], bool]] = []
        self._platform = platform
        self._evaluate = evaluate
        self._finest = finest
        self._loops: dict[str, asyncio.Task[Any]] = {}

    def beat(self, account: str) -> None:
        """From now on, each minute of the account's lab time until nobody wants it; nothing changes if it beats already."""
        loop = self._loops.get(account)
        if loop is None or loop.done():
            self._loops[account] = self._platform.spawn(self._run(account), f"metrics of {account}")

    async def stop(self, account: str | None = None) -> None:
        """Of one account, or of all."""
        ended = [self._loops.pop(name) for name in list(self._loops) if account in (None, name)]
        for loop in ended:
            loop.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    async def _run(self, account: str) -> None:
        clock = self._platform.clock(account)
        measured = clock.now() // MINUTE * MINUTE
        while any(wanted(account) for wanted in self.wanted):
            step = min(MINUTE, max(self._finest(account), 1))
            pause = asyncio.create_task(asyncio.sleep(LEAST_BEAT))
            try:
                await clock.sleep_until(clock.now() // step * step + step)
                await pause
            finally:
                pause.cancel()
            ended = clock.now() // MINUTE * MINUTE
            if ended > measured:
                await self._collect(account, passed(measured, ended))
            measured = ended  # also where the clock was put back (a reset of the account)
            await self._evaluated(account, clock.now())

    async def _collect(self, account: str, minutes: tuple[float, ...]) -> None:
        for source in self.sources:
            try:
                await source(account, minutes)
            except Exception:  # one that cannot measure keeps nobody else from it
                log.exception("metrics of %s were not measured", account)

    async def _evaluated(self, account: str, now: float) -> None:
        try:
            await self._evaluate(account, now)
        except Exception:
            log.exception("alarms of %s were not evaluated", account)
