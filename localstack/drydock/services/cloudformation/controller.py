"""Runs operations: one :class:`Run` for each stack that has one under way, also after a restart."""

from __future__ import annotations

import asyncio
from typing import Any

from drydock.services.cloudformation.binding import Binding
from drydock.services.cloudformation.model import Stack
from drydock.services.cloudformation.records import Records
from drydock.services.cloudformation.running import Run
from drydock.services.service import Platform
from drydock.store import Scope


class Controller:
    """``house`` is CloudFormation itself, for its own types of resources."""

    def __init__(self, platform: Platform, records: Records, binding: Binding, house: Any, instant: bool) -> None:
        self._platform, self._records, self._binding, self._house = platform, records, binding, house
        self._instant = instant
        self._runs: dict[str, tuple[Scope, Run, asyncio.Task[None]]] = {}
        self._closing = False

    def start(self) -> None:
        """Go on with what was under way."""
        for scope, _, stack in list(self._records.stacks.all()):
            if stack.under_way:
                self.look(scope, stack)

    def look(self, scope: Scope, stack: Stack) -> None:
        """A stack's state was changed: what is under way gives way, and the state's own phase begins."""
        if self._closing:
            return
        found = self._runs.get(stack.id)
        if found is not None:
            found[1].interrupt()
            return
        run = Run(self._platform, self._records, self._binding, self._house, scope, stack, self._instant)
        task = self._platform.spawn(self._live(scope, stack, run), f"stack {stack.name}")
        self._runs[stack.id] = (scope, run, task)

    def works_on(self, stack_id: str) -> bool:
        """Whether a stack's operation has its run."""
        return stack_id in self._runs

    def notice(self, stack_id: str) -> None:
        """A signal has come."""
        if stack_id in self._runs:
            self._runs[stack_id][1].notice()

    async def _live(self, scope: Scope, stack: Stack, run: Run) -> None:
        try:
            await run.live()
        finally:
            del self._runs[stack.id]

    async def stop(self) -> None:
        """What is under way stays as it is, to be gone on with."""
        self._closing = True
        await self._cancel(list(self._runs))

    async def reset(self, account: str | None) -> None:
        """Before the stacks of an account are forgotten."""
        await self._cancel([key for key, (scope, _, _) in self._runs.items() if account in (None, scope.account)])

    async def _cancel(self, keys: list[str]) -> None:
        tasks = [self._runs[key][2] for key in keys]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
