"""CapacityProviderReservation: special cases, steps and what waits."""

from __future__ import annotations

import math

import pytest
from drydock.services.ecs.capacity_estimate import Size, Use, fitting, lacking, reservation
from drydock.services.ecs.placement import Constraint, Need
from hypothesis import given
from hypothesis import strategies as st

SMALL, LARGE = Size(2048, 1900, 2), Size(4096, 7680, 3)
TASK = Need("service:web", cpu=1024, memory=512)
HUGE = Need("service:huge", cpu=8192)


@pytest.mark.parametrize(
    ("use", "percent"),
    [
        (Use(0, 0), 100.0),
        (Use(0, 0, (TASK,), (SMALL,)), 200.0),
        (Use(0, 0, (TASK,)), 200.0),
        (Use(2, 2), 100.0),
        (Use(2, 1), 50.0),
        (Use(4, 0), 0.0),
        (Use(2, 2, (TASK,), (SMALL,)), 150.0),
        (Use(2, 2, (TASK,) * 3, (SMALL,)), 200.0),
        (Use(2, 1, (TASK,) * 3, (SMALL,)), 200.0),
        (Use(1, 1, (TASK,), (SMALL,), least=3), 400.0),
        (Use(1, 1, (TASK,) * 20, (SMALL,), most=4), 500.0),
        (Use(1, 1, (TASK, HUGE), (SMALL,)), 200.0),
        (Use(1, 1, (HUGE,), (SMALL,)), 100.0),
        (Use(0, 0, (HUGE,), (SMALL,)), 100.0),
    ],
)
def test_the_metric(use: Use, percent: float) -> None:
    assert reservation(use) == percent


@pytest.mark.parametrize(
    ("need", "count"),
    [
        (TASK, 2),
        (Need("g", memory=950), 2),
        (Need("g", cpu=1, interfaces=1), 2),
        (Need("g", cpu=1, tcp=frozenset({80})), 1),
        (Need("g", cpu=1, constraints=(Constraint("distinctInstance"),)), 1),
        (Need("g", cpu=2049), 0),
        (Need("g", memory=1901), 0),
    ],
)
def test_how_many_an_instance_bears(need: Need, count: int) -> None:
    assert fitting(SMALL, need) == count


def test_groups_that_need_the_same_are_packed_together_and_the_largest_counts() -> None:
    same = (TASK, Need("service:api", cpu=1024, memory=512, attributes=("a",)))
    assert lacking(Use(1, 1, same, (SMALL,))) == 1
    other = Need("service:api", cpu=2048)
    assert lacking(Use(1, 1, (*same, other, other), (SMALL,))) == 2
    distinct = tuple(Need(name, 1, constraints=(Constraint("distinctInstance"),)) for name in ("a", "a", "b"))
    assert lacking(Use(1, 1, distinct, (SMALL,))) == 2


def test_of_several_types_the_smallest_must_bear_a_task_and_the_largest_counts() -> None:
    both = (SMALL, LARGE)
    assert lacking(Use(1, 1, (TASK,) * 4, both)) == 1
    assert lacking(Use(1, 1, (Need("g", cpu=4096),), both)) is None


tasks = st.lists(st.sampled_from([TASK, HUGE, Need("a", 512, 64), Need("b", 0, 1900), Need("c", 1, 1, interfaces=1)]))


@given(st.integers(0, 20), st.integers(0, 20), tasks, st.integers(1, 5), st.integers(5, 50))
def test_it_asks_for_more_only_where_tasks_wait(
    instances: int, busy: int, waiting: list[Need], least: int, most: int
) -> None:
    use = Use(instances, min(busy, instances), tuple(waiting), (SMALL,), least, most)
    found, able = reservation(use), [need for need in waiting if fitting(SMALL, need)]
    if not able:
        assert found <= 100.0
        return
    assert found > 100.0
    if instances:
        more = round(found * instances / 100) - instances
        assert least <= more <= most
        room = more * SMALL.cpu
        groups = {need: able.count(need) for need in able}
        assert more == most or all(count * need.cpu <= room for need, count in groups.items())
        assert more <= max(least, sum(math.ceil(1 / fitting(SMALL, need)) for need in able))
