"""What a service's scheduler decides: "Deploy Amazon ECS services by replacing tasks", the circuit breaker, the throttle.

The tables say single decisions; the simulations apply the plan again and again while tasks start, become healthy, fail, are
protected or drained, and look at what must hold at every step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
from drydock.services.ecs import scheduling
from drydock.services.ecs.scheduling import Ended, Limits, Plan, Seen, plan
from hypothesis import given, settings
from hypothesis import strategies as st

NEW, OLD = Seen("n", True), Seen("o", True, outdated=True)
PENDING, SICK = replace(NEW, running=False), replace(NEW, health="UNHEALTHY", checked=True)


def tasks(*kinds: tuple[int, Seen]) -> list[Seen]:
    """So many of each, named by kind and number."""
    return [replace(kind, name=f"{kind.name}{at}-{n}") for at, (count, kind) in enumerate(kinds) for n in range(count)]


# -- limits
@pytest.mark.parametrize("desired, minimum, maximum, lower, upper", [
    (4, 50, 200, 2, 8), (4, 100, 200, 4, 8), (1, 50, 100, 1, 1), (1, 100, 150, 1, 1), (1, 100, 200, 1, 2), (3, 50, 150, 2, 4),
    (3, 34, 134, 2, 4), (10, 0, 100, 0, 10), (0, 100, 200, 0, 0), (7, 100, 125, 7, 8), (7, 99, 115, 7, 8), (2, 50, 100, 1, 2),
    (200, 0, 200, 0, 400), (5000, 33, 167, 1650, 8350), (3, 67, 100, 3, 3), (3, 66, 100, 2, 3),
])  # fmt: skip
def test_the_minimum_is_rounded_up_and_the_maximum_down(
    desired: int, minimum: int, maximum: int, lower: int, upper: int
) -> None:
    assert Limits.of(desired, minimum, maximum) == Limits(lower, upper)


# -- single decisions: (desired, minimum %, maximum %), what is there, tasks to start, kinds and numbers to stop
DECISIONS: list[tuple[str, tuple[int, int, int], list[tuple[int, Seen]], int, dict[str, int]]] = [
    ("a new service", (3, 100, 200), [], 3, {}),
    ("nothing to do", (3, 100, 200), [(3, NEW)], 0, {}),
    ("they are on their way", (3, 100, 200), [(3, PENDING)], 0, {}),
    ("one is missing", (3, 100, 200), [(2, NEW)], 1, {}),
    ("one is missing at 100 %", (3, 50, 100), [(2, NEW)], 1, {}),
    ("scaled down", (1, 100, 200), [(3, NEW)], 0, {"n": 2}),
    ("scaled to zero", (0, 100, 200), [(3, NEW)], 0, {"n": 3}),
    ("scaled to zero, pending", (0, 100, 200), [(3, PENDING)], 0, {"n": 3}),
    ("zero wanted", (0, 100, 200), [], 0, {}),
    # AWS: "if your service has a desired number of four tasks and a maximum percent of 200, the scheduler may start four
    # new tasks before stopping the four older ones"
    ("deployment, 100/200", (4, 100, 200), [(4, OLD)], 4, {}),
    # AWS: "a desired number of four tasks, minimum healthy 50 % and maximum 100 %: it stops two before it starts two"
    ("deployment, 50/100", (4, 50, 100), [(4, OLD)], 0, {"o": 2}),
    ("deployment, 50/100, second step", (4, 50, 100), [(2, OLD)], 2, {}),
    ("deployment, 50/100, started", (4, 50, 100), [(2, OLD), (2, PENDING)], 0, {}),
    ("deployment, 50/100, running", (4, 50, 100), [(2, OLD), (2, NEW)], 0, {"o": 2}),
    ("deployment, 0/100", (4, 0, 100), [(4, OLD)], 0, {"o": 4}),
    ("deployment, 75/125", (4, 75, 125), [(4, OLD)], 1, {"o": 1}),
    ("deployment, 100/150", (4, 100, 150), [(4, OLD)], 2, {}),
    ("deployment, 100/150, started", (4, 100, 150), [(4, OLD), (2, PENDING)], 0, {}),
    ("deployment, 100/150, running", (4, 100, 150), [(4, OLD), (2, NEW)], 0, {"o": 2}),
    ("new ones run", (4, 100, 200), [(4, OLD), (4, NEW)], 0, {"o": 4}),
    ("some new ones run", (4, 100, 200), [(4, OLD), (3, NEW), (1, PENDING)], 0, {"o": 3}),
    ("old ones that never ran", (2, 100, 200), [(2, replace(OLD, running=False))], 2, {"o": 2}),
    ("old ones that are not healthy yet", (2, 100, 200), [(2, replace(OLD, checked=True))], 2, {"o": 2}),
    ("a deployment to zero", (0, 100, 200), [(2, OLD)], 0, {"o": 2}),
    # unhealthy tasks
    ("unhealthy, room", (2, 100, 200), [(1, NEW), (1, SICK)], 1, {}),
    ("unhealthy, replacement runs", (2, 100, 200), [(2, NEW), (1, SICK)], 0, {"n1": 1}),
    ("unhealthy, replacement is on its way", (2, 100, 200), [(1, NEW), (1, SICK), (1, PENDING)], 0, {}),
    ("unhealthy, no room", (2, 50, 100), [(1, NEW), (1, SICK)], 0, {"n1": 1}),
    ("all unhealthy, room", (2, 100, 200), [(2, SICK)], 2, {}),
    ("all unhealthy, no room", (2, 50, 100), [(2, SICK)], 0, {"n": 2}),
    ("unhealthy and old", (1, 100, 200), [(1, replace(SICK, outdated=True))], 1, {"n": 1}),
    ("checked but not healthy yet", (1, 100, 200), [(1, replace(NEW, checked=True))], 0, {}),
    ("new ones not healthy yet: the old ones stay", (2, 100, 200), [(2, OLD), (2, replace(NEW, checked=True))], 0, {}),
    # protection
    ("scaled down, protected", (1, 100, 200), [(2, replace(NEW, protected=True))], 0, {}),
    ("scaled down, one protected", (1, 100, 200), [(1, replace(NEW, protected=True)), (2, NEW)], 0, {"n1": 2}),
    ("deployment, protected", (2, 100, 200), [(2, replace(OLD, protected=True)), (2, NEW)], 0, {}),
    ("deployment, one protected", (2, 100, 200), [(1, replace(OLD, protected=True)), (1, OLD), (2, NEW)], 0, {"o1": 1}),
    ("unhealthy and protected", (1, 100, 200), [(1, replace(SICK, protected=True)), (1, NEW)], 0, {"n0": 1}),
]  # fmt: skip


@pytest.mark.parametrize(
    "numbers, kinds, start, stop", [row[1:] for row in DECISIONS], ids=[row[0] for row in DECISIONS]
)
def test_decisions(
    numbers: tuple[int, int, int], kinds: list[tuple[int, Seen]], start: int, stop: dict[str, int]
) -> None:
    found = plan(numbers[0], Limits.of(*numbers), tasks(*kinds))
    gone = [*found.stop, *found.stop_unhealthy]
    assert found.start == start
    assert len(gone) == len(set(gone)) == sum(stop.values())
    assert {prefix: sum(name.startswith(prefix) for name in gone) for prefix in stop} == stop
    assert not found.blocked


@pytest.mark.parametrize("numbers, there, blocked", [
    ((1, 100, 150), [(1, OLD)], True),
    ((1, 50, 100), [(1, OLD)], True),
    ((3, 67, 100), [(3, OLD)], True),
    ((2, 100, 149), [(2, OLD)], True),
    ((2, 100, 150), [(2, OLD)], False),
    ((3, 66, 100), [(3, OLD)], False),
    ((1, 0, 100), [(1, OLD)], False),
    ((1, 100, 150), [(1, NEW)], False),
    ((4, 100, 150), [(4, OLD), (2, PENDING)], False),
])  # fmt: skip
def test_percentages_that_allow_nothing(
    numbers: tuple[int, int, int], there: list[tuple[int, Seen]], blocked: bool
) -> None:
    found = plan(numbers[0], Limits.of(*numbers), tasks(*there))
    assert found.blocked == blocked
    if blocked:
        assert found == Plan(blocked=True)


@pytest.mark.parametrize("there, desired, held", [
    ([(2, replace(NEW, protected=True))], 1, 1),
    ([(3, replace(NEW, protected=True)), (1, NEW)], 2, 1),
    ([(2, replace(NEW, protected=True))], 2, 0),
    ([(2, replace(OLD, protected=True)), (2, NEW)], 2, 2),
    ([(2, replace(OLD, protected=True)), (2, PENDING)], 2, 0),
])  # fmt: skip
def test_how_many_are_held_by_their_protection(there: list[tuple[int, Seen]], desired: int, held: int) -> None:
    assert plan(desired, Limits.of(desired, 100, 200), tasks(*there)).held == held


def test_the_order_of_a_scale_in() -> None:
    four = tasks((4, NEW))
    assert plan(2, Limits(2, 4), four).stop == ("n0-3", "n0-2"), "the newest first"
    assert plan(2, Limits(2, 4), four, ("n0-1", "n0-3")).stop == ("n0-1", "n0-3"), "as the placement says"
    pending = [*four[:3], replace(four[3], name="p", running=False)]
    assert plan(3, Limits(3, 6), [pending[3], *pending[:3]], ("n0-1",)).stop == ("p",), "what does not run first"


# -- the circuit breaker
@pytest.mark.parametrize("desired, threshold", [
    (0, 3), (1, 3), (2, 3), (5, 3), (6, 3), (7, 4), (8, 4), (25, 13), (100, 50), (399, 200), (400, 200), (401, 200), (800, 200),
    (5000, 200),
])  # fmt: skip
def test_the_threshold(desired: int, threshold: int) -> None:
    """AWS's own table has 1, 25, 400 and 800."""
    assert scheduling.failure_threshold(desired) == threshold


@pytest.mark.parametrize("ended, failure, failed_start", [
    (Ended("TaskFailedToStart", False), True, True),
    (Ended("EssentialContainerExited", False), True, True),
    (Ended("EssentialContainerExited", True), True, False),
    (Ended("ServiceSchedulerInitiated", True, failed_checks=True), True, False),
    (Ended("ServiceSchedulerInitiated", True), False, False),
    (Ended("ServiceSchedulerInitiated", False), False, False),
    (Ended("UserInitiated", True), False, False),
    (Ended("UserInitiated", False), False, False),
    (Ended("TerminationNotice", True), False, False),
    (Ended("SpotInterruption", True), False, False),
    (Ended("", True), False, False),
])  # fmt: skip
def test_what_counts_as_a_failure(ended: Ended, failure: bool, failed_start: bool) -> None:
    assert (scheduling.is_failure(ended), scheduling.is_failed_start(ended)) == (failure, failed_start)


# -- the throttle
def test_delays_grow_to_27_minutes() -> None:
    delays = [scheduling.delay_after(failures) for failures in range(40)]
    assert delays[0] == delays[1] == 0.0
    assert delays == sorted(delays)
    assert delays[-1] == scheduling.delay_after(10**6) == 27 * 60.0
    assert any(0 < delay < 27 * 60 for delay in delays)


@pytest.mark.parametrize("desired, scale, count", [
    (10, 100.0, 10), (10, 50.0, 5), (10, 25.0, 3), (3, 50.0, 2), (1, 1.0, 1), (10, 0.0, 0), (0, 100.0, 0), (7, 33.3, 3),
    (200, 0.5, 1), (10, 70.0, 7), (100, 55.0, 55), (100, 7.0, 7), (100, 29.0, 29),
])  # fmt: skip
def test_the_share_of_a_task_set_is_rounded_up(desired: int, scale: float, count: int) -> None:
    assert scheduling.computed_count(desired, scale) == count


@pytest.mark.parametrize("desired, there, steady", [
    (0, [], True), (1, [(1, NEW)], True), (1, [(1, PENDING)], False), (2, [(1, NEW)], False), (1, [(2, NEW)], False),
    (1, [(1, OLD)], False), (1, [(1, NEW), (1, OLD)], False), (1, [(1, SICK)], False),
    (1, [(1, replace(NEW, checked=True))], False), (1, [(1, replace(NEW, checked=True, health="HEALTHY"))], True),
    (1, [(1, replace(NEW, protected=True))], True), (0, [(1, NEW)], False),
])  # fmt: skip
def test_what_is_steady(desired: int, there: list[tuple[int, Seen]], steady: bool) -> None:
    assert scheduling.is_steady(desired, tasks(*there)) == steady


# -- simulations
@dataclass
class World:
    """A service whose plan is carried out at once. ``checked``: its tasks have a health check."""

    desired: int
    minimum: int
    maximum: int
    checked: bool
    live: list[Seen]
    made: int = 0

    @property
    def limits(self) -> Limits:
        return Limits.of(self.desired, self.minimum, self.maximum)

    def look(self) -> Plan:
        """One round of the scheduler, and what must hold of it."""
        before, limits = list(self.live), self.limits
        found = plan(self.desired, limits, before)
        names = [task.name for task in before]
        gone = [*found.stop, *found.stop_unhealthy]
        assert set(gone) <= set(names)
        assert len(gone) == len(set(gone))
        by_name = {task.name: task for task in before}
        assert not any(by_name[name].protected for name in found.stop), "a protected task is stopped"
        assert all(by_name[name].unhealthy for name in found.stop_unhealthy)
        assert len(before) + found.start <= max(limits.upper, len(before)), "above the maximum"
        healthy = sum(task.counts for task in before)
        left = sum(task.counts for task in before if task.name not in gone)
        assert left >= min(limits.lower, healthy), "below the minimum by its own stops"
        self.live = [task for task in before if task.name not in gone]
        for _ in range(found.start):
            self.made += 1
            self.live.append(Seen(f"t{self.made}", running=False, checked=self.checked))
        return found

    def change(self, index: int, **what: Any) -> None:
        if self.live:
            at = index % len(self.live)
            self.live[at] = replace(self.live[at], **what)

    def happens(self, event: str, index: int) -> None:
        if event == "start":
            self.change(index, running=True)
        elif event == "healthy":
            self.change(index, running=True, health="HEALTHY" if self.checked else "UNKNOWN")
        elif event == "unhealthy" and self.checked:
            self.change(index, running=True, health="UNHEALTHY")
        elif event == "end" and self.live:
            del self.live[index % len(self.live)]
        elif event == "protect":
            self.change(index, protected=True)
        elif event == "release":
            self.change(index, protected=False)
        elif event == "drain":
            self.change(index, outdated=True)
        elif event == "deploy":
            self.live = [replace(task, outdated=True) for task in self.live]

    def settle(self) -> None:
        """Every task becomes healthy, nothing is protected."""
        for number in range(len(self.live)):
            self.happens("healthy", number)
            self.happens("release", number)


EVENTS = ["start", "healthy", "unhealthy", "end", "protect", "release", "drain", "deploy"]
PERCENTAGES = st.tuples(st.integers(0, 100), st.integers(100, 200)).filter(lambda pair: pair != (100, 100))


def can_roll(desired: int, minimum: int, maximum: int) -> bool:
    """Whether the percentages let one task be replaced at all."""
    limits = Limits.of(desired, minimum, maximum)
    return limits.upper > desired or limits.lower < desired


@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, 12),
    PERCENTAGES,
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 99)), max_size=60),
)
def test_whatever_happens_the_percentages_hold_and_it_converges(
    desired: int, percentages: tuple[int, int], checked: bool, events: list[tuple[str, int]]
) -> None:
    world = World(desired, *percentages, checked, [])
    for event, index in events:
        world.look()
        world.happens(event, index)
        assert len(world.live) <= world.limits.upper
    for _ in range(4 * desired + 10):
        world.settle()
        if world.look() == Plan() and scheduling.is_steady(world.desired, world.live):
            return
    assert not can_roll(desired, *percentages), "it does not converge"
    assert plan(world.desired, world.limits, world.live).blocked


SCALINGS = st.lists(st.tuples(st.sampled_from([*EVENTS, "scale"]), st.integers(0, 99)), max_size=60)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 12), PERCENTAGES, st.booleans(), SCALINGS)
def test_with_scaling_too(
    desired: int, percentages: tuple[int, int], checked: bool, events: list[tuple[str, int]]
) -> None:
    """Tasks are above the maximum only where the desired count was lowered, and no more are started then."""
    world = World(desired, *percentages, checked, [])
    highest = world.limits.upper
    for event, index in events:
        world.look()
        if event == "scale":
            world.desired = index % 13
            highest = max(highest, world.limits.upper)
        else:
            world.happens(event, index)
        assert len(world.live) <= highest
    for _ in range(4 * (world.desired + len(world.live)) + 10):
        world.settle()
        if world.look() == Plan() and scheduling.is_steady(world.desired, world.live):
            return
    assert not can_roll(world.desired, *percentages), "it does not converge"
    assert plan(world.desired, world.limits, world.live).blocked


@pytest.mark.parametrize("desired", [1, 2, 3, 4, 5, 10, 25])
@pytest.mark.parametrize(
    "percentages", [(100, 200), (50, 100), (0, 100), (75, 125), (50, 200), (100, 150), (0, 200), (90, 110)]
)
def test_a_roll_out_from_the_first_to_the_last(desired: int, percentages: tuple[int, int]) -> None:
    """Old tasks healthy, new ones become so one after the other: between minimum and maximum all the time."""
    world = World(desired, *percentages, False, tasks((desired, OLD)))
    limits = world.limits
    for _ in range(10 * desired + 10):
        assert sum(task.counts for task in world.live) >= limits.lower
        assert len(world.live) <= limits.upper
        found = world.look()
        pending = [number for number, task in enumerate(world.live) if not task.running]
        if pending:
            world.happens("start", pending[0])
        elif found == Plan() or found.blocked:
            break
    assert scheduling.is_steady(desired, world.live) == can_roll(desired, *percentages)
    assert (world.made == desired) == can_roll(desired, *percentages), "each is replaced once"


@given(st.integers(0, 6000))
def test_the_threshold_is_half_of_the_desired_count_between_3_and_200(desired: int) -> None:
    assert scheduling.failure_threshold(desired) == max(3, min(200, math.ceil(desired / 2)))
