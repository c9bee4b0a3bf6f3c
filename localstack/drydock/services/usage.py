"""What containers use, as rates between two readings: CPU utilisation is a ratio and means the same at any speed of the clock."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from drydock.runtime.interface import RuntimeFailure, Usage

FRESH = 0.1
"""Real seconds for which one pass over all processes serves everybody who asks"""
SHORTEST = 0.2
"""Real seconds that a rate is measured over: the kernel counts in hundredths of a second"""


class Usages:
    """All containers' use, read at most once in :data:`FRESH` seconds. ``read`` may raise RuntimeFailure: then nothing runs."""

    def __init__(self, read: Callable[[], Awaitable[dict[str, Usage]]]) -> None:
        self._read = read
        self._found: dict[str, Usage] = {}
        self._at = -FRESH

    async def now(self) -> tuple[float, dict[str, Usage]]:
        """When (monotonic) it was read, and what of each container."""
        if time.monotonic() - self._at >= FRESH:
            try:
                self._found = await self._read()
            except (RuntimeFailure, OSError):
                self._found = {}
            self._at = time.monotonic()
        return self._at, self._found


@dataclass(frozen=True)
class Rate:
    """``cpu`` in vCPUs since the last reading, None at the first one; ``memory`` in bytes, now."""

    cpu: float | None
    memory: int


class Meter:
    """Remembers the last reading of those that one account asks for."""

    def __init__(self, usages: Usages) -> None:
        self._usages = usages
        self._before: dict[str, dict[str, tuple[float, float, float | None]]] = {}
        """By account and container: when it was read, its CPU seconds, its rate"""

    async def rates(self, account: str, names: Iterable[str]) -> dict[str, Rate]:
        """Of those among ``names`` that run; all others of the account are forgotten."""
        at, found = await self._usages.now()
        before = self._before.get(account, {})
        after: dict[str, tuple[float, float, float | None]] = {}
        rates: dict[str, Rate] = {}
        for name in names:
            usage = found.get(name)
            if usage is None:
                continue
            after[name] = read = _reading(before.get(name), at, usage.cpu)
            rates[name] = Rate(read[2], usage.memory)
        self._before[account] = after
        if not after:
            del self._before[account]
        return rates


def _reading(
    before: tuple[float, float, float | None] | None, at: float, cpu: float
) -> tuple[float, float, float | None]:
    if before is None:
        return at, cpu, None
    then, used, _ = before
    if at - then < SHORTEST:
        return before
    # Orphans that ended take their seconds with them: less than before is as good as nothing.
    return at, cpu, max(cpu - used, 0.0) / (at - then)
