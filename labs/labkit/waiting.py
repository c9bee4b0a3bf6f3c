"""Waiting until AWS has done what it was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from labkit import target as targets
from labkit.audience import LiveLine
from labkit.clocks import Lease, read
from labkit.errors import LabError

T = TypeVar("T")
STATUS_KEYS = ("lastStatus", "status", "Status", "State", "StackStatus", "state")
POLL_EVERY = {"drydock": 0.1, "localstack": 1.0, "aws": 3.0}
"""Real seconds between two looks; on AWS few enough not to be throttled"""
LEAST_PATIENCE = 60.0
"""Real seconds before which nobody gives up (unless the timeout itself is shorter): what a container does takes real time,
however fast the lab clock runs"""


def state_of(seen: Any) -> str:
    """The state in what a describe call answered: a string, the status member of a resource, or a word for neither."""
    if isinstance(seen, dict):
        for key in STATUS_KEYS:
            value = seen.get(key)
            if isinstance(value, dict):
                value = value.get("Name")
            if value is not None:
                return str(value)
    return seen if isinstance(seen, str) else "not there yet"


def wait(
    what: Callable[[], T],
    until: str | Collection[str] | Callable[[T], bool],
    timeout: float = 600,
    speed: float = 60,
    name: str = "",
) -> T:
    """Look again and again (``what()``) until the state is ``until``, and answer with what was seen last.

    ``until`` is a state, several, or a function of what was seen. While we wait the lab clock runs at ``speed``.
    ``timeout`` is in seconds of lab time (on AWS: real time), but never less than a minute of real time if it is longer than
    that itself. Raises LabError when it is over.
    """
    target = targets.current()
    label = name or getattr(what, "__name__", "it").strip("<>").replace("lambda", "it").replace("_", " ")
    reached = _condition(until)
    line = LiveLine()
    with Lease(target, speed):
        began, patience = read(target)["now"], time.monotonic() + min(timeout, LEAST_PATIENCE)
        while True:
            seen = what()
            state = state_of(seen)
            if reached(seen):
                line.settle(f"{label}: {state}" if not callable(until) else f"{label}: done")
                return seen
            passed = read(target)["now"] - began
            if passed > timeout and time.monotonic() > patience:
                line.settle(f"{label}: {state}")
                raise LabError(
                    f"{label} is still {state} after {timeout:g} seconds (lab time).",
                    "Look at what describe says of it, or give it a longer timeout.",
                )
            line.update(f"{label}: {state}, {passed:.0f} s of lab time")
            time.sleep(POLL_EVERY[target.name])


def _condition(until: str | Collection[str] | Callable[[Any], bool]) -> Callable[[Any], bool]:
    if callable(until):
        return until
    wanted = {until} if isinstance(until, str) else set(until)
    return lambda seen: state_of(seen) in wanted
