"""The end of a process within a time that is counted by the lab clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from drydock.clock import Clock
from drydock.runtime.interface import Runtime, RuntimeFailure


async def hasten(runtime: Runtime, clock: Clock, name: str, seconds: float) -> None:
    """After ``stop_container``, which counts real seconds at the speed that the clock had then: if it runs faster
    meanwhile (somebody waits for the end), SIGKILL comes when ``seconds`` (a budget for real work) are over by the
    clock. Cancel it when the process has ended."""
    await clock.budget(seconds)
    with contextlib.suppress(RuntimeFailure):  # then the runtime has died, and the process with it
        await runtime.stop_container(name, 0.0)


@contextlib.asynccontextmanager
async def stopping(runtime: Runtime, clock: Clock, name: str, seconds: float) -> AsyncIterator[None]:
    """SIGTERM now, SIGKILL after ``seconds`` (a budget for real work), while the body waits for its end. Raises
    RuntimeFailure."""
    await runtime.stop_container(name, clock.real_budget(seconds))
    hastening = asyncio.create_task(hasten(runtime, clock, name, seconds))
    try:
        yield
    finally:
        hastening.cancel()
