"""How much of a capacity provider's group is in use: the metric CapacityProviderReservation. Pure.

1. N is the number of the group's instances, M that of those that are needed: 100 * M / N is the metric.
2. Without instances it is 200 if a task waits, 100 if none does: target tracking then begins with two. (With a target
   below 100 it begins without a task, too.)
3. If no task waits, M counts the instances that run more than daemons.
4. If tasks wait, M is N and the instances that they need more: tasks that need the same make a group, each group is packed
   into empty instances as tightly as they bear, and the largest of these numbers counts, within the least and the most
   that are to be launched at a time.
5. A task that the smallest type of the group does not bear is overlooked; if there are no others, the metric stays at 100.

Sources: "Deep Dive on Amazon ECS Cluster Auto Scaling", "Amazon ECS managed scaling behavior".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from drydock.services.ecs.placement import Need

FULL, FROM_NOTHING = 100.0, 200.0
MOST_ON_ONE = 10_000
"""Tasks that ask for nothing, on one instance"""


@dataclass(frozen=True)
class Size:
    """Of an instance without tasks: CPU units, MiB, network interfaces of tasks."""

    cpu: int
    memory: int
    interfaces: int


@dataclass(frozen=True)
class Use:
    """Of a group. ``busy`` instances run more than daemons; ``sizes`` are those of its instance types, empty if they are
    not known. ``least`` and ``most`` are the scaling steps."""

    instances: int
    busy: int
    waiting: tuple[Need, ...] = ()
    sizes: tuple[Size, ...] = ()
    least: int = 1
    most: int = 10_000


def fitting(size: Size, need: Need) -> int:
    """How many such tasks an empty instance bears."""
    pairs = ((need.cpu, size.cpu), (need.memory, size.memory), (need.interfaces, size.interfaces))
    limits = [has // asked for asked, has in pairs if asked]
    if need.tcp or need.udp or _is_distinct(need):
        limits.append(1)
    return min(limits, default=MOST_ON_ONE)


def _is_distinct(need: Need) -> bool:
    return any(constraint.kind == "distinctInstance" for constraint in need.constraints)


def grouped(waiting: Iterable[Need]) -> Counter[Need]:
    """How many tasks need the same."""
    return Counter(
        replace(
            need,
            group=need.group if _is_distinct(need) else "",
            attributes=(),
            constraints=tuple(one for one in need.constraints if one.kind == "distinctInstance"),
        )
        for need in waiting
    )


def lacking(use: Use) -> int | None:
    """How many instances the tasks that wait need more; None if none of them can ever run here."""
    if not use.sizes:
        return 1
    found = [
        math.ceil(count / max(fitting(size, need) for size in use.sizes))
        for need, count in grouped(use.waiting).items()
        if all(fitting(size, need) for size in use.sizes)
    ]
    return max(found, default=None)


def reservation(use: Use) -> float:
    """The metric, in percent."""
    if not use.waiting:
        return 100.0 * use.busy / use.instances if use.instances else FULL
    more = lacking(use)
    if more is None:
        return FULL
    if not use.instances:
        return FROM_NOTHING
    return 100.0 * (use.instances + min(max(more, use.least), use.most)) / use.instances
