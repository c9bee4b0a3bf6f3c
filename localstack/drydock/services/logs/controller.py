"""The retention sweeper: deletes from the disk what a group's retention has made invisible already.

One loop for each account that has a group with a retention, because each has a clock of its own. It looks once an hour
of lab time (AWS takes up to 72), but not more often than every two seconds of real time.
"""

from __future__ import annotations

import asyncio

from drydock.services.logs.events import EventStore
from drydock.services.logs.model import LogGroup
from drydock.services.logs.rules import DAY
from drydock.services.service import Platform
from drydock.store import Collection

INTERVAL = 3600.0


class RetentionSweeper:
    """Sweeps the groups of all accounts."""

    def __init__(self, platform: Platform, groups: Collection[LogGroup], events: EventStore) -> None:
        self._platform = platform
        self._groups = groups
        self._events = events
        self._loops: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Attend to every account that has a group with a retention."""
        for scope, _, group in self._groups.all():
            if group.kept_days is not None:
                self.attend(scope.account)

    def attend(self, account: str) -> None:
        """Sweep this account from now on; nothing changes if that is so already."""
        loop = self._loops.get(account)
        if loop is None or loop.done():
            self._loops[account] = self._platform.spawn(self._attend(account), f"logs-retention-{account}")

    async def stop(self) -> None:
        """End the loops."""
        for loop in self._loops.values():
            loop.cancel()
        await asyncio.gather(*self._loops.values(), return_exceptions=True)
        self._loops.clear()

    async def _attend(self, account: str) -> None:
        clock = self._platform.clock(account)
        while await self.sweep(account):
            await clock.budget(INTERVAL)

    async def sweep(self, account: str) -> bool:
        """Delete what has expired by now; whether the account has any group with a retention."""
        now = int(self._platform.clock(account).now() * 1000)
        found = [group for scope, _, group in self._groups.all() if scope.account == account]
        for group in found:
            if group.kept_days is not None:
                self._events.expire(group.key, now - group.kept_days * DAY)
        await self._events.purge()
        return any(group.kept_days is not None for group in found)
