"""Lab time against a naive oracle, in virtual real time: nothing here waits."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from drydock import clock as clock_module
from drydock.clock import Clock, Clocks
from drydock.errors import UserError
from drydock.store import Store
from hypothesis import given, settings
from hypothesis import strategies as st

ACCOUNT, OTHER = "111111111111", "222222222222"
START = 1_800_000_000.0


class RealTime:
    """Stands in for the module ``time``: it passes only when the loop waits or a test says so."""

    def __init__(self) -> None:
        self.at = START

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    passing: RealTime

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "the loop would wait forever"
        self.passing.at += max(timeout, 1e-6)  # every turn of a loop takes some time
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that jumps to its next timer."""

    def __init__(self, passing: RealTime) -> None:
        selector = _Selector()
        selector.passing = passing
        super().__init__(selector)
        self._passing = passing
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._passing.at


@pytest.fixture(autouse=True)
def real(monkeypatch: pytest.MonkeyPatch) -> Iterator[RealTime]:
    passing = RealTime()
    monkeypatch.setattr(clock_module, "time", passing)
    yield passing


def run(passing: RealTime, scenario: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(passing)) as runner:
        return runner.run(scenario)


class Naive:
    """Adds up what passes, a sixteenth of a real second (exact in binary) at a time."""

    STEP = 0.0625

    def __init__(self) -> None:
        self.lab, self.base, self.leases = START, 1.0, dict[str, tuple[float, float]]()

    def pass_(self, real_at: float, steps: int) -> None:
        for number in range(steps):
            middle = real_at + (number + 0.5) * self.STEP
            self.lab += self.STEP * max([self.base, *(s for s, end in self.leases.values() if end > middle)])


SPEEDS = st.sampled_from((0.001, 0.5, 1.0, 2.0, 60.0, 100_000.0))
TICKS = st.integers(0, 60)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), TICKS),
        st.tuples(st.just("pass"), TICKS),
        st.tuples(st.just("speed"), SPEEDS),
        st.tuples(st.just("advance"), st.sampled_from((0.0, 0.25, 900.0, 86400.0))),
        st.tuples(st.just("lease"), st.sampled_from("ab"), SPEEDS, TICKS),
        st.tuples(st.just("release"), st.sampled_from("ab")),
        st.tuples(st.just("restart")),
    ),
    max_size=15,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_lab_time_is_what_adding_up_gives(steps: list[Any]) -> None:
    passing = RealTime()
    clock_module.time = passing  # type: ignore[assignment]
    store, naive = Store(None), Naive()
    clocks = Clocks(store)
    clock, last = clocks.of(ACCOUNT), 0.0
    for step in steps:
        match step:
            case ("pass", ticks):
                naive.pass_(passing.at, ticks)
                passing.at += ticks * Naive.STEP
            case ("speed", speed):
                clock.set_speed(speed)
                naive.base = speed
            case ("advance", seconds):
                clock.advance(seconds)
                naive.lab += seconds
            case ("lease", name, speed, ticks):
                clock.lease(name, speed, ticks * Naive.STEP)
                naive.leases[name] = (speed, passing.at + ticks * Naive.STEP)
            case ("release", name):
                clock.release(name)
                naive.leases.pop(name, None)
            case ("restart",):
                store.commit()
                kept = Store(None)
                kept._db = store._db  # the same file, read again
                store, clocks = kept, Clocks(kept)
                clock = clocks.of(ACCOUNT)
        now = clock.now()
        assert now >= last
        assert now == pytest.approx(naive.lab, rel=0, abs=1e-3 + abs(naive.lab - START) * 1e-9)
        last = now


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from((-3600.0, -5.0, -0.1, 0.0, 0.5, 30.0)), st.booleans()), max_size=20))
def test_it_never_goes_back_when_the_system_clock_does(jumps: list[tuple[float, bool]]) -> None:
    passing = RealTime()
    clock_module.time = passing  # type: ignore[assignment]
    clock = Clocks(Store(None), speed=10.0).of(ACCOUNT)
    last = clock.now()
    for jump, change in jumps:
        passing.at += jump
        if change:
            clock.lease("waits", 100.0, 2.0)
        now = clock.now()
        assert now >= last
        last = now
    passing.at += 1.0
    assert clock.now() >= last + 10.0, "it stood still until the system's clock had caught up"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=12),
    st.lists(
        st.one_of(
            st.tuples(st.just("speed"), st.sampled_from((0.5, 1.0, 10.0, 1000.0))),
            st.tuples(st.just("advance"), st.sampled_from((0.0, 5.0, 120.0))),
            st.tuples(st.just("lease"), st.sampled_from((2.0, 500.0))),
        ),
        max_size=6,
    ),
)
def test_sleepers_wake_in_their_order_and_not_before_their_time(sleeps: list[int], changes: list[Any]) -> None:
    passing = RealTime()
    clock_module.time = passing  # type: ignore[assignment]
    woken: list[tuple[int, int]] = []

    async def scenario() -> None:
        clock = Clocks(Store(None)).of(ACCOUNT)
        start = clock.now()

        async def sleeper(number: int, seconds: int) -> None:
            await clock.sleep_until(start + seconds)
            assert clock.now() >= start + seconds - 1e-5
            woken.append((seconds, number))

        tasks = [asyncio.create_task(sleeper(number, seconds)) for number, seconds in enumerate(sleeps)]
        await asyncio.sleep(0)
        for what, value in changes:
            await asyncio.sleep(0.7)
            if what == "speed":
                clock.set_speed(value)
            elif what == "advance":
                clock.advance(value)
            else:
                clock.lease("waits", value, 1.3)
        await asyncio.gather(*tasks)

    run(passing, scenario())
    in_time = [(seconds, number) for seconds, number in woken if seconds > 0]
    assert in_time == sorted(in_time) and len(woken) == len(sleeps)


def test_a_sleeper_wakes_as_soon_as_a_jump_or_a_lease_makes_it_due(real: RealTime) -> None:
    async def scenario() -> None:
        clock = Clocks(Store(None)).of(ACCOUNT)
        task = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(1)
        assert not task.done()
        clock.lease("waits", 60, 1000)
        await asyncio.sleep(29)
        assert not task.done()
        clock.advance(1800)
        await asyncio.sleep(1)
        assert task.done()
        assert real.at - START < 32

    run(real, scenario())


def test_a_cancelled_sleeper_keeps_nobody_else_asleep(real: RealTime) -> None:
    async def scenario() -> None:
        clock = Clocks(Store(None)).of(ACCOUNT)
        first, second = (asyncio.create_task(clock.sleep(seconds)) for seconds in (5, 6))
        await asyncio.sleep(1)
        first.cancel()
        await second
        assert real.at - START == pytest.approx(6, abs=0.01)

    run(real, scenario())


@pytest.mark.parametrize(
    ("speed", "seconds"), [(1, 10), (100, 10), (100, 1), (100_000, 3600), (5, 30), (0.5, 3), (60, 0)]
)
def test_real_work_has_two_real_seconds_or_what_it_was_promised(real: RealTime, speed: float, seconds: float) -> None:
    async def scenario() -> None:
        clock = Clocks(Store(None), speed=speed).of(ACCOUNT)
        before, shown = real.at, clock.now()
        promised = clock.real_budget(seconds)
        await clock.budget(seconds)
        took = real.at - before
        assert took >= min(seconds, 2.0) - 1e-4
        assert clock.now() - shown >= seconds - 1e-4
        assert took == pytest.approx(max(seconds / speed, min(seconds, 2.0)), abs=1e-3)
        assert promised == pytest.approx(took, abs=1e-3)

    run(real, scenario())


def test_each_account_has_its_own(real: RealTime) -> None:
    clocks = Clocks(Store(None))
    one, other = clocks.of(ACCOUNT), clocks.of(OTHER)
    one.advance(86400)
    one.set_speed(60)
    real.at += 10
    assert one.now() == pytest.approx(START + 86400 + 600)
    assert other.now() == pytest.approx(START + 10)
    assert clocks.of(ACCOUNT) is one and clocks.known() == [ACCOUNT, OTHER]
    clocks.reset(ACCOUNT)
    assert one.now() == pytest.approx(START + 10) and one.speed == 1


def test_a_new_story_wakes_who_sleeps_in_the_old_one(real: RealTime) -> None:
    async def scenario() -> None:
        clocks = Clocks(Store(None))
        one, other = clocks.of(ACCOUNT), clocks.of(OTHER)
        one.advance(86400)
        sleeper = asyncio.ensure_future(one.sleep(3600))
        unmoved = asyncio.ensure_future(other.sleep(3600))
        await asyncio.sleep(1)
        clocks.reset(ACCOUNT)
        await asyncio.sleep(1)
        assert sleeper.done() and not unmoved.done()
        before = one.now()
        await one.sleep(5)
        assert one.now() - before == pytest.approx(5, abs=1e-3)
        unmoved.cancel()

    run(real, scenario())


def test_a_restart_goes_on_from_what_was_shown(real: RealTime, tmp_path: Path) -> None:
    shown = 0.0
    for number in range(3):
        store = Store(tmp_path / "state.db")
        clock = Clocks(store, epoch=1000.0).of(ACCOUNT)
        assert clock.now() >= shown
        if number == 0:
            assert clock.now() == 1000.0
            clock.set_speed(7)
        clock.advance(3600)
        clock.lease("waits", 100, 5)
        real.at += 1
        shown = clock.now()
        store.close()
        real.at += 60  # switched off meanwhile
    store = Store(tmp_path / "state.db")
    clock = Clocks(store, epoch=1000.0).of(ACCOUNT)
    assert clock.speed == 7 and clock.leases == 0 and clock.now() > shown


@pytest.mark.parametrize("speed", [0, -1, 0.0001, 100_001, float("inf"), float("nan")])
def test_impossible_speeds(speed: float) -> None:
    clock = Clocks(Store(None)).of(ACCOUNT)
    with pytest.raises(UserError, match="cannot run at"):
        clock.set_speed(speed)
    with pytest.raises(UserError, match="cannot run at"):
        clock.lease("waits", speed, 10)
    assert (clock.speed, clock.leases, clock.now()) == (1.0, 0, START)


@pytest.mark.parametrize("seconds", [-1.0, -1e-9, 1e12, float("inf"), float("nan")])
def test_impossible_jumps(seconds: float) -> None:
    clock = Clocks(Store(None)).of(ACCOUNT)
    with pytest.raises(UserError, match="only be moved forward"):
        clock.advance(seconds)
    assert clock.now() == START


def test_what_is_shown_stays_a_date() -> None:
    clock: Clock = Clocks(Store(None)).of(ACCOUNT)
    with pytest.raises(UserError, match="year 3000"):
        for _ in range(10_000):
            clock.advance(10 * 366 * 86400)
    assert clock_module.as_datetime(clock.now()).year < 3000
