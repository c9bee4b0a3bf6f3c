"""What all phases of an operation share."""

from __future__ import annotations

import logging
from typing import Any

from drydock.services.cloudformation.binding import Binding
from drydock.services.cloudformation.faults import Cancelled, Failed
from drydock.services.cloudformation.model import Stack, Thing
from drydock.services.cloudformation.records import Records
from drydock.services.cloudformation.working import Working
from drydock.services.service import Platform
from drydock.store import Scope

log = logging.getLogger(__name__)
INTERNAL = "Internal Failure"


class Steps:
    """Of one stack."""

    def __init__(
        self,
        platform: Platform,
        records: Records,
        binding: Binding,
        house: Any,
        scope: Scope,
        stack: Stack,
        instant: bool,
    ) -> None:
        self._platform, self._records, self._binding, self._house = platform, records, binding, house
        self._scope, self._stack, self._instant = scope, stack, instant
        self._clock = platform.clock(scope.account)
        self._working = self._fresh()

    def _fresh(self) -> Working:
        return Working(self._platform, self._records, self._house, self._scope, self._stack, self._instant)

    def interrupt(self) -> None:
        """The stack's state was changed by somebody else: what is under way is given up."""
        self._working.cancelled.set()

    def notice(self) -> None:
        """A signal has come."""
        self._working.noticed.set()

    def _go(self, status: str, reason: str = "") -> None:
        self._records.go(self._scope, self._stack, status, reason)


def told_of(failure: Exception) -> str:
    """The reason in an event. Who walks the graph puts a defect of ours into the log."""
    if isinstance(failure, Failed):
        return str(failure)
    if isinstance(failure, Cancelled):
        return "Resource update cancelled"
    return INTERNAL


def copied(thing: Thing) -> Thing:
    """Its like, to be changed."""
    return Thing(**vars(thing))
