"""Memory limits where the kernel does not keep them: looked at often enough, and what is too much is killed."""

from __future__ import annotations

import os
import signal
import time

from drydock.runtime.process.measure import measure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from drydock.runtime.process.tier import Container, Exec, Sandbox

_SHORTEST, _LONGEST = 0.02, 1.0
_ASSUMED_RATE = 1 << 30
"""Bytes a second that a greedy program may grow by: a limit is looked at again before it could be passed twice over."""


class Limits:
    """Of all containers and sandboxes of a helper; ``enforce`` it whenever ``next_check`` has come."""

    def __init__(self) -> None:
        self.next_check = 0.0
        """By the monotonic clock"""
        self._dying: set[int] = set()
        """Those killed for what was over a limit when last looked at"""

    def enforce(self, containers: dict[int, Container], execs: dict[int, Exec]) -> None:
        """As the kernel, it kills the largest process of the container, or of the sandbox where that is over the limit
        that its containers share. Who is dying has its memory until it is gone, which takes a busy machine a while;
        nobody else is killed for that."""
        now = time.monotonic()
        if now < self.next_check or not any(c.polled or c.sandbox.polled for c in containers.values()):
            return
        own: dict[Container | Sandbox, list[tuple[int, int, Container]]] = {}
        shared: dict[Container | Sandbox, list[tuple[int, int, Container]]] = {}
        for top, parts in measure(containers, execs).items():
            container = containers[top]
            mine = [(memory, pid, container) for memory, _, pid in parts if memory >= 0]
            if container.polled:
                own[container] = mine
            if container.sandbox.polled:
                shared.setdefault(container.sandbox, []).extend(mine)
        dying: set[int] = set()
        room = _LONGEST * _ASSUMED_RATE
        for holder, processes in (*own.items(), *shared.items()):
            left = holder.limit - sum(memory for memory, _, _ in processes)
            room = min(room, left)
            if left < 0:
                dying.add(_kill_largest(processes, dying | self._dying))
        self._dying = dying
        self.next_check = now + min(_LONGEST, max(_SHORTEST, room / _ASSUMED_RATE))


def _kill_largest(processes: list[tuple[int, int, Container]], dying: set[int]) -> int:
    _, pid, container = max(processes, key=lambda one: (one[1] in dying, one[0]))
    container.limit_hit = True
    try:  # noqa: SIM105 - contextlib is not the helper's to import
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended since it was measured
    return pid
