"""What a service's scheduler does next. Pure: the service and its tasks in, a plan out.

Rolling deployments, as "Deploy Amazon ECS services by replacing tasks" describes them:

1. At most ``floor(desired * maximumPercent / 100)`` tasks are RUNNING or PENDING, at least
   ``ceil(desired * minimumHealthyPercent / 100)`` are RUNNING and healthy, as far as healthy tasks allow it.
2. A task is *wanted* (of the primary deployment, where it may stay), *outdated* (of an older deployment, or on an instance
   that drains: it counts as healthy until its replacement is) or *unhealthy* (it counts for nothing).
3. Replacements are started first, where the maximum leaves room; where it does not, as many are stopped as the minimum
   allows. What was never healthy is stopped first.
4. A protected task is stopped neither by a deployment nor by a scale-in; an unhealthy one is.

The circuit breaker ("How the Amazon ECS deployment circuit breaker detects failures"): a deployment of which so many
tasks in a row failed, before one was steady, has failed; half of the desired count, at least 3, at most 200.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST_FAILURES, MOST_FAILURES = 3, 200
THROTTLED_AFTER = 3
"""Starts that failed in a row, from which on the next ones are delayed ("Amazon ECS service throttle logic")"""
SHORTEST_DELAY, LONGEST_DELAY = 20.0, 27 * 60.0
"""Lab seconds; AWS documents the longest one only"""


@dataclass(frozen=True)
class Seen:
    """One task of the service whose desired status is RUNNING. ``outdated``: of an older deployment or on an instance
    that drains."""

    name: str
    running: bool
    health: str = "UNKNOWN"
    outdated: bool = False
    protected: bool = False
    checked: bool = False
    """Whether it has health checks: then it counts only when they pass"""

    @property
    def unhealthy(self) -> bool:
        """To be replaced whatever else."""
        return self.health == "UNHEALTHY"

    @property
    def counts(self) -> bool:
        """As a healthy one for the minimum."""
        return self.running and (self.health == "HEALTHY" if self.checked else not self.unhealthy)


@dataclass(frozen=True)
class Plan:
    """``start`` so many tasks of the primary deployment; ``stop`` these. ``blocked``: the percentages allow neither.
    ``held`` counts tasks that only their protection keeps."""

    start: int = 0
    stop: tuple[str, ...] = ()
    stop_unhealthy: tuple[str, ...] = ()
    blocked: bool = False
    held: int = 0


@dataclass(frozen=True)
class Limits:
    """Tasks, from percentages. ``DAEMON`` services start nothing above the number of instances."""

    lower: int
    upper: int

    @classmethod
    def of(cls, desired: int, minimum: int, maximum: int) -> Limits:
        """Minimum rounded up, maximum down."""
        return cls(math.ceil(desired * minimum / 100), desired * maximum // 100)


def plan(desired: int, limits: Limits, tasks: list[Seen], removal_order: tuple[str, ...] = ()) -> Plan:
    """``removal_order`` names tasks in the order in which a scale-in stops them (the others after them, newest first:
    ``tasks`` are in the order of their age)."""
    unhealthy = [task for task in tasks if task.unhealthy]
    outdated = [task for task in tasks if task.outdated and not task.unhealthy]
    wanted = [task for task in tasks if not task.outdated and not task.unhealthy]
    missing = max(0, desired - len(wanted))
    room = max(0, limits.upper - len(tasks))
    start = min(missing, room)
    short = missing - start
    """Replacements for which something must go first"""
    stop_unhealthy = _unhealthy_to_stop(unhealthy, desired, wanted, short)
    short = max(0, short - len(stop_unhealthy))
    spare = sum(task.counts for task in tasks) - limits.lower
    """Healthy ones that may go"""
    stop, held = _outdated_to_stop(outdated, desired, wanted, short, spare)
    by_name = {task.name: task for task in tasks}
    spare = max(0, spare - sum(by_name[name].counts for name in stop))
    surplus, kept = _surplus_to_stop(wanted, len(wanted) - desired, spare, removal_order)
    waiting = any(not task.counts for task in wanted)
    blocked = bool(short) and not (start or stop or stop_unhealthy or held or waiting)
    return Plan(start, (*stop, *surplus), stop_unhealthy, blocked, held + kept)


def _unhealthy_to_stop(unhealthy: list[Seen], desired: int, wanted: list[Seen], short: int) -> tuple[str, ...]:
    """All of them once their replacements count; before that, as many as replacements lack room. Those of older
    deployments need no replacement."""
    healthy = sum(task.counts for task in wanted)
    if healthy >= desired:
        return tuple(task.name for task in unhealthy)
    first = [task for task in unhealthy if task.outdated]
    rest = [task for task in unhealthy if not task.outdated]
    return tuple(task.name for task in [*first, *rest[: max(0, short - len(first))]])


def _outdated_to_stop(
    outdated: list[Seen], desired: int, wanted: list[Seen], short: int, spare: int
) -> tuple[tuple[str, ...], int]:
    """(names, how many only their protection keeps)."""
    useful = max(0, desired - sum(task.counts for task in wanted))
    going = min(len(outdated), max(len(outdated) - useful, short))
    free = [task for task in outdated if not task.protected]
    idle = [task for task in free if not task.counts]
    """What counts for nothing may go at once, its replacement is on its way"""
    busy = [task for task in free if task.counts]
    chosen = idle + busy[: max(0, min(going - len(idle), spare))]
    held = max(0, min(going, len(outdated)) - len(free)) if going > len(free) else 0
    return tuple(task.name for task in chosen), held


def _surplus_to_stop(
    wanted: list[Seen], surplus: int, spare: int, order: tuple[str, ...]
) -> tuple[tuple[str, ...], int]:
    """(names, how many only their protection keeps). Healthy ones stay where protected ones that are not healthy yet would
    leave too few."""
    if surplus <= 0:
        return (), 0
    rank = {name: number for number, name in enumerate(order)}
    newest_first = {task.name: -number for number, task in enumerate(wanted)}
    free = [task for task in wanted if not task.protected]
    free.sort(key=lambda task: (task.counts, rank.get(task.name, len(rank)), newest_first[task.name]))
    idle = [task for task in free if not task.counts]
    busy = [task for task in free if task.counts]
    chosen = [*idle, *busy[:spare]][:surplus]
    return tuple(task.name for task in chosen), surplus - len(chosen)


def is_steady(desired: int, tasks: list[Seen]) -> bool:
    """As many as wanted, all of them healthy and of the primary deployment, and no others."""
    return len(tasks) == desired and all(task.counts and not task.outdated for task in tasks)


def failure_threshold(desired: int) -> int:
    """Failed tasks at which the circuit breaker opens."""
    return min(MOST_FAILURES, max(LEAST_FAILURES, math.ceil(desired / 2)))


def delay_after(failures: int) -> float:
    """Lab seconds until the next start, after so many starts in a row failed."""
    if failures < THROTTLED_AFTER:
        return 0.0
    return min(LONGEST_DELAY, SHORTEST_DELAY * 2.0 ** min(failures - THROTTLED_AFTER, 20))


@dataclass(frozen=True)
class Ended:
    """How a task of the service came to its end, as far as the scheduler minds."""

    stop_code: str
    was_running: bool
    failed_checks: bool = False


def is_failure(ended: Ended) -> bool:
    """Whether it counts for the circuit breaker: it could not be started, ended by itself or failed its checks. What a
    user, the scheduler or a lost instance ended is no failure of the deployment."""
    return ended.failed_checks or ended.stop_code in ("TaskFailedToStart", "EssentialContainerExited")


def is_failed_start(ended: Ended) -> bool:
    """Whether it counts for the throttle: it never came to RUNNING."""
    return ended.stop_code == "TaskFailedToStart" or (
        ended.stop_code == "EssentialContainerExited" and not ended.was_running
    )


def computed_count(desired: int, scale_percent: float) -> int:
    """Of a task set: its share of the service's desired count, rounded up ("CreateTaskSet", scale)."""
    return math.ceil(desired * scale_percent / 100)
