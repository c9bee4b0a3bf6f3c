"""Which container of a task is to be started, stopped or given up next. Pure: state in, decisions out.

Source: "Container dependency" (``dependsOn``) and "Container restart policies" of the ECS developer guide.

1. A container is started when all its dependencies hold: START (it has started), COMPLETE (it has ended, however),
   SUCCESS (it has ended with 0), HEALTHY (its health check has passed).
2. A container whose dependency can never hold any more (never started, ended with another code for SUCCESS, ended for
   HEALTHY), or does not hold within the dependency's ``startTimeout``, is given up: it ends with 143 without having been
   started. If it is essential, the task fails; if not, the others go on. UNHEALTHY is no end: it may still become healthy.
3. At the end containers are stopped in the reverse order: first those on which none that runs depends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

CONDITIONS = ("START", "COMPLETE", "SUCCESS", "HEALTHY")
GIVEN_UP = 143
"""The exit code that ECS's agent gives to a container whose dependency can never hold"""
LONGEST_WAIT = 3 * 3600.0
"""Lab seconds after which ECS gives up a dependency for which no (or a longer) ``startTimeout`` is set"""
_HAS_STARTED = ("RUNNING", "STOPPED")


@dataclass(frozen=True)
class Seen:
    """What is known of one container. Times are lab seconds; None: not yet."""

    name: str
    status: Literal["PENDING", "RUNNING", "STOPPED"]
    exit_code: int | None = None
    health: str = "UNKNOWN"
    depends_on: tuple[tuple[str, str], ...] = ()
    """(container, condition)"""
    start_timeout: float | None = None
    started_at: float | None = None
    image: str = ""

    def __str__(self) -> str:
        """As ECS's agent names a container in the reason of a dependency that does not hold."""
        known = "NONE" if self.status == "PENDING" else self.status
        code = "" if self.exit_code is None else f" - Exit: {self.exit_code}"
        return f"{self.name}({self.image}) ({known}->RUNNING){code}"


@dataclass(frozen=True)
class Plan:
    """What to do now. ``given_up``: containers that can never be started, each with its reason. ``wake_at`` is when to
    look again even if nothing happens (lab time)."""

    start: tuple[str, ...] = ()
    given_up: tuple[tuple[str, str], ...] = ()
    wake_at: float | None = None


@dataclass
class _Verdict:
    holds: bool
    hopeless: str | None = None
    deadline: float | None = field(default=None)


def plan(containers: list[Seen], now: float) -> Plan:
    """What is to be done at ``now``."""
    by_name = {container.name: container for container in containers}
    start: list[str] = []
    given_up: list[tuple[str, str]] = []
    deadlines: list[float] = []
    for container in containers:
        if container.status != "PENDING":
            continue
        verdicts = [_judge(by_name[name], container, condition, now) for name, condition in container.depends_on]
        hopeless = next((verdict.hopeless for verdict in verdicts if verdict.hopeless), None)
        if hopeless:
            given_up.append((container.name, f"CannotStartContainerError: dependency graph: {hopeless}"))
        elif all(verdict.holds for verdict in verdicts):
            start.append(container.name)
        else:
            deadlines += [verdict.deadline for verdict in verdicts if verdict.deadline is not None]
    return Plan(tuple(start), tuple(given_up), min(deadlines, default=None))


def _judge(dependency: Seen, target: Seen, condition: str, now: float) -> _Verdict:
    ended = dependency.status == "STOPPED"
    unresolved = f"failed to resolve container ordering dependency [{dependency}] for target [{target}]"
    hopeless = None
    if ended and dependency.started_at is None:
        return _Verdict(False, f"{unresolved} because dependency will never start")
    if condition == "START":
        holds = dependency.status in _HAS_STARTED
    elif condition == "COMPLETE":
        holds = ended
    elif condition == "SUCCESS":
        holds = ended and dependency.exit_code == 0
        if ended and not holds:
            hopeless = f"{unresolved} as dependency did not exit successfully."
    else:
        holds = dependency.health == "HEALTHY"
        if not holds and ended:
            hopeless = f"{unresolved} as dependency ended before it was healthy."
    if holds or hopeless:
        return _Verdict(holds, hopeless)
    if condition == "START" or dependency.started_at is None:
        return _Verdict(False)
    deadline = dependency.started_at + min(dependency.start_timeout or LONGEST_WAIT, LONGEST_WAIT)
    if now >= deadline:
        return _Verdict(False, f"container ordering dependency [{dependency}] for target [{target}] has timed out.")
    return _Verdict(False, None, deadline)


def stoppable(containers: list[Seen]) -> tuple[str, ...]:
    """Those that run and on which no other that runs depends."""
    running = {container.name for container in containers if container.status == "RUNNING"}
    needed = {name for c in containers if c.status == "RUNNING" for name, _ in c.depends_on}
    free = tuple(c.name for c in containers if c.name in running and c.name not in needed)
    return free or tuple(sorted(running))  # a cycle cannot be registered; but nothing may be left running for ever


def find_cycle(depends_on: dict[str, list[str]]) -> list[str] | None:
    """Names around a cycle of dependencies, None if there is none."""
    done: set[str] = set()
    for first in depends_on:
        path: list[str] = []
        stack = [(first, iter(depends_on.get(first, ())))] if first not in done else []
        if stack:
            path.append(first)
        while stack:
            name, following = stack[-1]
            for other in following:
                if other in path:
                    return [*path[path.index(other) :], other]
                if other not in done:
                    path.append(other)
                    stack.append((other, iter(depends_on.get(other, ()))))
                    break
            else:
                stack.pop()
                path.pop()
                done.add(name)
    return None


def task_health(healths: list[tuple[bool, bool, str]]) -> str:
    """Of a task, from (essential, has a health check, health) of its containers: UNHEALTHY if an essential one is,
    HEALTHY if all essential ones with a check are, else UNKNOWN ("Determine Amazon ECS task health")."""
    checked = [health for essential, has_check, health in healths if essential and has_check]
    if not checked:
        return "UNKNOWN"
    if "UNHEALTHY" in checked:
        return "UNHEALTHY"
    return "HEALTHY" if all(health == "HEALTHY" for health in checked) else "UNKNOWN"


def should_restart(policy: dict[str, Any] | None, exit_code: int, ran_for: float) -> bool:
    """Whether a container with a restart policy is started again after it ended: its code is not ignored and it ran at
    least ``restartAttemptPeriod`` (60-1800 s, default 300) since it was (re)started."""
    if not policy or not policy.get("enabled"):
        return False
    if exit_code in policy.get("ignoredExitCodes", []):
        return False
    return ran_for >= float(policy.get("restartAttemptPeriod", 300))
