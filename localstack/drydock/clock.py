"""Lab time. Everything that has to do with time asks here.

Three kinds of time, never mixed:

1. *Lab time*: what AWS's API shows and what schedules, periods and state durations are counted in. Each account has a
   clock of its own, which runs at the base speed (1x, or ``serve --speed``), faster while somebody holds a *lease*
   (``labkit.wait``), and can be moved forward. It never goes back, also not over a restart.
2. *Budgets for real work* (stop and health-check time-outs): lab time, but never less real time than
   ``min(the value, 2 s)``, because a process does not run faster when the clock does. :meth:`Clock.budget`.
3. *Real time*: signatures, credentials' expiry, the ``Date`` header. Those use :func:`time.time`.

A clock is a straight line between changes: an anchor (real, lab) and a speed. What decides its speed is in
:func:`speed_at`; timers are re-armed whenever the line bends.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from drydock.errors import UserError
from drydock.store import Collection, Scope, Store

MAX_SPEED = 100_000.0
LATEST = 32_503_680_000.0
"""The year 3000: what is shown must stay a date"""
LEAST_REAL_BUDGET = 2.0


@dataclass
class Lease:
    """Somebody waits, so the clock runs at ``speed`` until the real time ``expires`` (or until it is given back)."""

    speed: float
    expires: float


@dataclass
class ClockState:
    """A clock as it is kept: at the real time ``real`` it showed ``lab`` (both in seconds since 1970)."""

    real: float
    lab: float
    base_speed: float = 1.0
    leases: dict[str, Lease] = field(default_factory=dict)


def speed_at(state: ClockState, real: float) -> float:
    """The fastest lease that is running, or the base speed."""
    return max([state.base_speed, *(lease.speed for lease in state.leases.values() if lease.expires > real)])


def next_bend(state: ClockState, real: float) -> float | None:
    """When the next lease runs out, in real time."""
    return min((lease.expires for lease in state.leases.values() if lease.expires > real), default=None)


def lab_time(state: ClockState, real: float) -> float:
    """What the clock shows at ``real``, following it through the leases that end meanwhile."""
    at, lab = state.real, state.lab
    while (bend := next_bend(state, at)) is not None and bend < real:
        lab += (bend - at) * speed_at(state, at)
        at = bend
    return lab + max(0.0, real - at) * speed_at(state, at)


class Clock:
    """One account's lab time."""

    def __init__(self, account: str, states: Collection[ClockState], fresh: ClockState) -> None:
        self._account = account
        self._states = states
        self._scope = Scope(account, "")
        self._timers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._handle: asyncio.TimerHandle | None = None
        self._state = states.get(self._scope, "clock") or fresh
        self._seen = self._state.real
        states.put(self._scope, "clock", self._state)

    def now(self) -> float:
        """Lab time in seconds since 1970."""
        real = self._real()
        return lab_time(self._state, real)

    @property
    def speed(self) -> float:
        """Lab seconds in a real second, just now."""
        return speed_at(self._state, self._real())

    @property
    def leases(self) -> int:
        """How many leases are running."""
        real = self._real()
        return sum(lease.expires > real for lease in self._state.leases.values())

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of lab time."""
        await self.sleep_until(self.now() + seconds)

    async def sleep_until(self, lab: float) -> None:
        """Wait until the clock shows ``lab``."""
        if lab <= self.now():
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._timers, (lab, next(self._order), future))
        if self._timers[0][2] is future:
            self._arm()
        try:
            await future
        except asyncio.CancelledError:
            self._timers = [timer for timer in self._timers if timer[2] is not future]
            heapq.heapify(self._timers)
            raise

    async def budget(self, seconds: float) -> None:
        """Wait for ``seconds`` of lab time that real work may use: never less real time than min(seconds, 2 s)."""
        end = time.monotonic() + min(seconds, LEAST_REAL_BUDGET)
        await self.sleep(seconds)
        rest = end - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)

    def real_budget(self, seconds: float) -> float:
        """The same as real seconds at today's speed, for those who count themselves (the runtime)."""
        return max(seconds / self.speed, min(seconds, LEAST_REAL_BUDGET))

    def set_speed(self, speed: float) -> None:
        """Change the base speed. Raises UserError if it is not within 0.001 to 100000."""
        self._bend(lambda: setattr(self._state, "base_speed", checked_speed(speed)))

    def advance(self, seconds: float) -> None:
        """Move the clock forward by so many lab seconds. Raises UserError for less than 0."""
        if not 0 <= seconds <= 10 * 366 * 86400:
            raise UserError("A clock can only be moved forward, by ten years at most.", "Give a duration such as 15m.")

        if self.now() + seconds > LATEST:
            raise UserError("A clock cannot go beyond the year 3000.", "Begin afresh with './lab reset'.")

        def move() -> None:
            self._state.lab += seconds

        self._bend(move)

    def lease(self, name: str, speed: float, real_seconds: float) -> None:
        """Run at ``speed`` until ``release(name)`` or for so many real seconds; taken again, it is renewed."""
        expires = self._real() + min(max(real_seconds, 0.0), 3600.0)
        self._bend(lambda: self._state.leases.__setitem__(name, Lease(checked_speed(speed), expires)))

    def release(self, name: str) -> None:
        """Give a lease back; nothing happens if there is none."""
        self._bend(lambda: self._state.leases.pop(name, None))

    def restart(self, fresh: ClockState) -> None:
        """A new story (reset of the account): the one time that a clock may be put back. Who sleeps is woken: the time that
        they wait for is the old story's."""
        self._state, self._seen = fresh, fresh.real
        self._states.put(self._scope, "clock", fresh)
        timers, self._timers = self._timers, []
        for _, _, future in timers:
            if not future.done():
                future.set_result(None)
        self._arm()

    def _real(self) -> float:
        """Real time. Where the system's clock was put back, ours goes on from what it showed."""
        real = time.time()
        if real < self._seen:
            self._state.lab, self._state.real = lab_time(self._state, self._seen), real
            for lease in self._state.leases.values():
                lease.expires -= self._seen - real
            self._states.put(self._scope, "clock", self._state)
        self._seen = real
        return real

    def _bend(self, change: Callable[[], object]) -> None:
        real = self._real()
        self._state.lab, self._state.real = lab_time(self._state, real), real
        self._state.leases = {k: v for k, v in self._state.leases.items() if v.expires > real}
        change()
        self._states.put(self._scope, "clock", self._state)
        self._arm()

    def _arm(self) -> None:
        """Call us back when the first timer is due at today's speed, or where the line bends."""
        if self._handle:
            self._handle.cancel()
            self._handle = None
        if not self._timers:
            return
        real = self._real()
        delay = (self._timers[0][0] - lab_time(self._state, real)) / speed_at(self._state, real)
        bend = next_bend(self._state, real)
        if bend is not None:
            delay = min(delay, bend - real)
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(max(delay, 0.0), self._fire)

    def _fire(self) -> None:
        now = self.now() + 1e-6
        while self._timers and (self._timers[0][0] <= now or self._timers[0][2].cancelled()):
            future = heapq.heappop(self._timers)[2]
            if not future.done():
                future.set_result(None)
        self._handle = None
        self._arm()


class Clocks:
    """The clocks of all accounts. ``epoch`` (lab seconds since 1970) is where a fresh one begins."""

    def __init__(self, store: Store, speed: float = 1.0, epoch: float | None = None) -> None:
        self._states = store.collection(ClockState, "drydock", "clock")
        self._speed = checked_speed(speed)
        self._epoch = epoch
        self._clocks: dict[str, Clock] = {}

    def of(self, account: str) -> Clock:
        """The account's clock, begun at its first use."""
        clock = self._clocks.get(account)
        if clock is None:
            clock = self._clocks[account] = Clock(account, self._states, self._fresh())
            if clock._state.base_speed == 1.0 and self._speed != 1.0:
                clock.set_speed(self._speed)
        return clock

    def known(self) -> list[str]:
        """Accounts that have a clock."""
        return sorted({scope.account for scope, _, _ in self._states.all()} | set(self._clocks))

    def reset(self, account: str | None = None) -> None:
        """Begin afresh, of one account or of all."""
        for name in [account] if account else list(self._clocks):
            if name in self._clocks:
                self._clocks[name].restart(self._fresh())

    def _fresh(self) -> ClockState:
        real = time.time()
        return ClockState(real=real, lab=real if self._epoch is None else self._epoch, base_speed=self._speed)


def checked_speed(speed: float) -> float:
    """``speed`` if a clock can run at it. Raises UserError."""
    if not 0.001 <= speed <= MAX_SPEED:
        raise UserError(
            f"A clock cannot run at {speed:g} times real time.", f"Give a speed from 0.001 to {MAX_SPEED:g}."
        )
    return speed


def as_datetime(lab: float) -> datetime:
    """Lab seconds as an aware datetime, for showing."""
    return datetime.fromtimestamp(lab, UTC)
