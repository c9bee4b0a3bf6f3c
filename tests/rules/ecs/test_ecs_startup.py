"""Which container is started, given up or stopped next; restarts; a task's health."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from drydock.services.ecs.startup import (
    LONGEST_WAIT,
    Seen,
    find_cycle,
    plan,
    should_restart,
    stoppable,
    task_health,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = 1000.0


def pending(name: str, *depends_on: tuple[str, str], **given: Any) -> Seen:
    return Seen(name, "PENDING", depends_on=depends_on, image="busybox", **given)


def running(name: str, *depends_on: tuple[str, str], **given: Any) -> Seen:
    return Seen(name, "RUNNING", depends_on=depends_on, image="busybox", **({"started_at": 900.0} | given))


def ended(name: str, code: int | None, *depends_on: tuple[str, str], **given: Any) -> Seen:
    return Seen(name, "STOPPED", code, depends_on=depends_on, image="busybox", **({"started_at": 900.0} | given))


HOLDS = [
    ("START", pending("a"), False), ("START", running("a"), True), ("START", ended("a", 0), True), ("START", ended("a", 3), True),
    ("COMPLETE", pending("a"), False), ("COMPLETE", running("a"), False), ("COMPLETE", ended("a", 0), True),
    ("COMPLETE", ended("a", 3), True), ("SUCCESS", pending("a"), False), ("SUCCESS", running("a"), False),
    ("SUCCESS", ended("a", 0), True), ("HEALTHY", pending("a"), False), ("HEALTHY", running("a"), False),
    ("HEALTHY", running("a", health="HEALTHY"), True), ("HEALTHY", running("a", health="UNHEALTHY"), False),
]  # fmt: skip


@pytest.mark.parametrize("condition, dependency, holds", HOLDS, ids=str)
def test_the_four_conditions(condition: str, dependency: Seen, holds: bool) -> None:
    decided = plan([dependency, pending("b", ("a", condition))], NOW)
    assert ("b" in decided.start) is holds
    assert decided.given_up == ()
    assert ("a" in decided.start) is (dependency.status == "PENDING")


HOPELESS = [
    ("SUCCESS", ended("a", 3), "[a(busybox) (STOPPED->RUNNING) - Exit: 3]", "as dependency did not exit successfully."),
    ("SUCCESS", ended("a", None), "[a(busybox) (STOPPED->RUNNING)]", "as dependency did not exit successfully."),
    ("HEALTHY", ended("a", 0), "- Exit: 0]", "as dependency ended before it was healthy."),
    ("START", ended("a", 143, started_at=None), "- Exit: 143]", "because dependency will never start"),
    ("COMPLETE", ended("a", 143, started_at=None), "- Exit: 143]", "because dependency will never start"),
]


@pytest.mark.parametrize("condition, dependency, named, why", HOPELESS)
def test_what_can_never_hold(condition: str, dependency: Seen, named: str, why: str) -> None:
    decided = plan([dependency, pending("b", ("a", condition))], NOW)
    assert decided.start == ()
    ((name, reason),) = decided.given_up
    assert name == "b"
    assert reason.startswith(
        "CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [a("
    )
    assert named in reason
    assert "for target [b(busybox) (NONE->RUNNING)]" in reason
    assert reason.endswith(why)


def test_an_unhealthy_dependency_may_still_become_healthy() -> None:
    """It is waited for, as on AWS (until its startTimeout)."""
    decided = plan([running("a", health="UNHEALTHY"), pending("b", ("a", "HEALTHY"))], NOW)
    assert (decided.start, decided.given_up) == ((), ())


@pytest.mark.parametrize("condition", ["COMPLETE", "SUCCESS", "HEALTHY"])
def test_start_timeout(condition: str) -> None:
    """Counted from the start of the container on which another waits, and that one's own setting."""
    both = [running("a", start_timeout=120), pending("b", ("a", condition), start_timeout=2)]
    assert plan(both, 1019.9).wake_at == 1020.0
    assert plan(both, 1019.9).given_up == ()
    ((name, reason),) = plan(both, 1020.0).given_up
    assert name == "b"
    assert reason.endswith("for target [b(busybox) (NONE->RUNNING)] has timed out.")


def test_start_needs_no_timeout_and_a_container_not_started_has_none() -> None:
    assert plan([running("a", start_timeout=2), pending("b", ("a", "START"))], NOW).start == ("b",)
    waiting = [pending("x", ("y", "COMPLETE")), running("y"), pending("b", ("x", "HEALTHY"))]
    assert plan(waiting, NOW).wake_at == 900 + LONGEST_WAIT, "of x, which waits for y"


@pytest.mark.parametrize("timeout", [None, 100_000])
def test_after_three_hours_a_dependency_is_given_up(timeout: float | None) -> None:
    both = [running("a", start_timeout=timeout), pending("b", ("a", "COMPLETE"))]
    assert plan(both, 900 + LONGEST_WAIT - 1).given_up == ()
    assert plan(both, 900 + LONGEST_WAIT).given_up[0][0] == "b"


def test_all_dependencies_must_hold() -> None:
    waiting = pending("c", ("a", "START"), ("b", "SUCCESS"))
    assert plan([running("a"), running("b"), waiting], NOW).start == ()
    assert plan([running("a"), ended("b", 0), waiting], NOW).start == ("c",)
    assert plan([running("a"), ended("b", 1), waiting], NOW).given_up[0][0] == "c"


def test_giving_up_goes_from_one_to_the_next() -> None:
    first = plan([ended("a", 1), pending("b", ("a", "SUCCESS")), pending("c", ("b", "START"))], NOW)
    assert [name for name, _ in first.given_up] == ["b"]
    then = plan([ended("a", 1), ended("b", 143, ("a", "SUCCESS"), started_at=None), pending("c", ("b", "START"))], NOW)
    assert [name for name, _ in then.given_up] == ["c"]


def test_independent_containers_start_together() -> None:
    assert plan([pending("a"), pending("b"), running("c")], NOW).start == ("a", "b")
    assert plan([running("a"), ended("b", 0)], NOW) == plan([], NOW)


def test_stopping_goes_backwards() -> None:
    chain = [running("a"), running("b", ("a", "START")), running("c", ("b", "HEALTHY"))]
    assert stoppable(chain) == ("c",)
    assert stoppable([*chain[:2], ended("c", 0, ("b", "HEALTHY"))]) == ("b",)
    assert stoppable([chain[0], ended("b", 0, ("a", "START")), ended("c", 0)]) == ("a",)
    assert stoppable([running("a"), running("b"), ended("c", 0)]) == ("a", "b")
    assert stoppable([running("a"), pending("b", ("a", "COMPLETE"))]) == ("a",), "what never ran holds nobody up"
    assert stoppable([ended("a", 0)]) == ()


Graph = dict[str, list[str]]
names = st.sampled_from("abcdef")
graphs = st.dictionaries(names, st.lists(names, max_size=3), max_size=6)


@given(graphs)
def test_a_cycle_is_found_if_there_is_one(graph: Graph) -> None:
    """Compared with the plain way: take away what nobody needs, until nothing goes any more."""
    left = {name: set(others) for name, others in graph.items()}
    while free := [name for name, others in left.items() if not any(other in left for other in others)]:
        for name in free:
            del left[name]
    cycle = find_cycle(graph)
    assert (cycle is not None) == bool(left)
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(after in graph[before] for before, after in itertools.pairwise(cycle))


@given(st.permutations("abcdef"), st.data())
def test_whatever_can_be_registered_starts_and_stops_completely(order: list[str], data: st.DataObject) -> None:
    """No order of containers without a cycle is stuck, neither at the start nor at the end."""
    conditions = {
        name: tuple((other, "START") for other in data.draw(st.sets(st.sampled_from(order[:at]), max_size=3)))
        for at, name in enumerate(order) if at
    }  # fmt: skip
    status = {name: pending(name, *conditions.get(name, ())) for name in order}
    started: list[str] = []
    while chosen := plan(list(status.values()), NOW).start:
        for name in chosen:
            assert all(other in started for other, _ in conditions.get(name, ()))
        started += chosen
        status |= {name: running(name, *conditions.get(name, ())) for name in chosen}
    assert sorted(started) == sorted(order)
    stopped: list[str] = []
    while chosen := stoppable(list(status.values())):
        for name in chosen:
            assert all(
                name not in [o for o, _ in conditions.get(n, ())] for n in order if n not in stopped and n != name
            )
        stopped += chosen
        status |= {name: ended(name, 0, *conditions.get(name, ())) for name in chosen}
    assert sorted(stopped) == sorted(order)


HEALTHS = [
    ([], "UNKNOWN"), ([(True, False, "UNKNOWN")], "UNKNOWN"), ([(True, True, "HEALTHY")], "HEALTHY"),
    ([(True, True, "HEALTHY"), (True, False, "UNKNOWN")], "HEALTHY"), ([(True, True, "UNKNOWN"), (True, True, "HEALTHY")], "UNKNOWN"),
    ([(True, True, "UNHEALTHY"), (True, True, "UNKNOWN")], "UNHEALTHY"), ([(False, True, "HEALTHY")], "UNKNOWN"),
    ([(False, True, "UNHEALTHY"), (True, True, "HEALTHY")], "HEALTHY"),
]  # fmt: skip


@pytest.mark.parametrize("healths, expected", HEALTHS)
def test_health_of_a_task(healths: list[tuple[bool, bool, str]], expected: str) -> None:
    """By essential containers that have a check only ("Determine Amazon ECS task health")."""
    assert task_health(healths) == expected


RESTARTS: list[tuple[dict[str, Any] | None, int, float, bool]] = [
    (None, 1, 9999, False), ({"enabled": False}, 1, 9999, False), ({"enabled": True}, 1, 300, True),
    ({"enabled": True}, 0, 300, True), ({"enabled": True}, 1, 299.9, False),
    ({"enabled": True, "restartAttemptPeriod": 60}, 1, 60, True), ({"enabled": True, "restartAttemptPeriod": 60}, 1, 59, False),
    ({"enabled": True, "ignoredExitCodes": [0, 7]}, 7, 9999, False), ({"enabled": True, "ignoredExitCodes": [0, 7]}, 8, 9999, True),
]  # fmt: skip


@pytest.mark.parametrize("policy, code, ran_for, expected", RESTARTS)
def test_restart_policy(policy: dict[str, Any] | None, code: int, ran_for: float, expected: bool) -> None:
    assert should_restart(policy, code, ran_for) is expected
