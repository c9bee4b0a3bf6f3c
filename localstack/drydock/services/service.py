"""What every service of ours is made of, and what it may use of the house."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from botocore import xform_name

from drydock.clock import Clock, Clocks
from drydock.errors import NotImplementedByDrydock
from drydock.ids import Ids
from drydock.request import Principal, Request
from drydock.store import Store

Operation = Callable[[Request, dict[str, Any]], dict[str, Any] | None | Awaitable[dict[str, Any] | None]]
Call = Callable[[Principal, str, str, str, dict[str, Any]], Awaitable[dict[str, Any]]]
log = logging.getLogger(__name__)


@dataclass
class Platform:
    """What the emulator gives its services: the store, time, ids, and the way to each other."""

    store: Store
    clocks: Clocks
    ids: Ids
    state: Path
    """The emulator's state folder; a service keeps large things in a folder of its own under it"""
    call: Call
    """``await call(principal, region, "ec2", "DescribeSubnets", {...})``: any operation of any service, ours or moto's,
    authorised as a client's call would be. Raises AwsError."""
    background: set[asyncio.Task[Any]] = field(default_factory=set)

    def clock(self, account: str) -> Clock:
        """The account's lab time."""
        return self.clocks.of(account)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run something in the background; an exception that escapes it is logged, never lost."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.background.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)


class Service:
    """An AWS service: one method for each operation, named as botocore names it (``RunTask`` -> ``run_task``), taking
    ``(request, params)``. ``params`` have been parsed and validated against the service's model; the answer is a dict
    of the output shape. A method may be a coroutine. It raises AwsError. What has no method is answered with 501."""

    name: ClassVar[str]
    """As botocore calls the service"""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def operation(self, name: str) -> Operation:
        """The method for an operation that AWS has. Raises NotImplementedByDrydock."""
        found = getattr(self, xform_name(name), None)
        if found is None:
            raise NotImplementedByDrydock(self.name, name, self.instead_of(name))
        return found

    def has(self, name: str) -> bool:
        """Whether there is a method for it."""
        return getattr(self, xform_name(name), None) is not None

    def instead_of(self, operation: str) -> str:
        """What to use instead of an operation that is lacking, as a sentence; may be empty."""
        return ""

    async def start(self) -> None:
        """Begin the controllers' loops; what is in the store is from an earlier life of the emulator."""

    async def stop(self) -> None:
        """End them."""

    async def reset(self, account: str | None) -> None:
        """Undo what the store does not know of (processes, files) before an account, or all, is forgotten."""

    def validate(self) -> list[str]:
        """Invariants that do not hold just now, a sentence each. Tests ask after every test."""
        return []
