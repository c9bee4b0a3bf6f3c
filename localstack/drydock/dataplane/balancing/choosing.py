"""Which target group, and which target in it. Pure.

Sources: "Target groups for your Application Load Balancers" (routing algorithms, slow start), "Target group health"
(fail-open) and "Listener rules" (weights).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class Candidate(Protocol):
    """What is looked at of a target."""

    state: str
    outstanding: int


T = TypeVar("T", bound=Candidate)


def eligible(targets: Sequence[T], least: int = 1, least_percentage: float = 0.0) -> list[T]:
    """Those that get requests: the healthy ones; with fewer of them than must be, those that fail their checks too
    (fail-open). Targets that are being registered or deregistered get none."""
    healthy = [target for target in targets if target.state == "healthy"]
    unhealthy = [target for target in targets if target.state == "unhealthy"]
    wanted = max(least, least_percentage / 100 * (len(healthy) + len(unhealthy)))
    return healthy if len(healthy) >= wanted else healthy + unhealthy


def weighted(weights: Sequence[tuple[str, int]], state: dict[str, float]) -> str | None:
    """A name, so that each has its share of the choices, as evenly spread as can be (smooth weighted round robin; ``state``
    is kept between choices). None if all weights are 0."""
    total = sum(weight for _, weight in weights)
    if not total:
        return None
    best = None
    for name, weight in weights:
        if not weight:
            state.pop(name, None)
            continue
        state[name] = state.get(name, 0.0) + weight
        if best is None or state[name] > state[best]:
            best = name
    assert best is not None
    state[best] -= total
    return best


def rotation(targets: Sequence[T], turn: int, share: Callable[[T], float], chance: Callable[[], float]) -> T:
    """The one whose turn it is; one in slow start (``share`` below 1) lets as many turns pass as its share says."""
    for step in range(len(targets)):
        target = targets[(turn + step) % len(targets)]
        part = share(target)
        if part >= 1.0 or chance() < part:
            return target
    return targets[turn % len(targets)]


def least_outstanding(targets: Sequence[T], turn: int) -> T:
    """The one with the fewest requests under way; among equals whose turn it is."""
    ordered = [targets[(turn + step) % len(targets)] for step in range(len(targets))]
    return min(ordered, key=lambda target: target.outstanding)


def ramp(elapsed: float, duration: float) -> float:
    """A target's share in slow start: it grows linearly to its full one."""
    if duration <= 0 or elapsed >= duration:
        return 1.0
    return max(elapsed / duration, 0.02)
