"""Takes what the data plane has counted, each minute of an account's lab time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from drydock.dataplane.balancers import Balancers
from drydock.dataplane.refusals import PlaneFailure
from drydock.services.elbv2 import rules
from drydock.services.elbv2.metrics import Metrics, minute_of
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.elbv2.registry import Registry

LEAST_MINUTE = 0.5
"""Real seconds between two counts, however fast the clock runs"""


class Minutes:
    """One loop for each account that has load balancers."""

    def __init__(self, registry: Registry, plane: Balancers, metrics: Metrics) -> None:
        self._of = registry
        self._plane = plane
        self._metrics = metrics
        self._loops: dict[str, asyncio.Task[Any]] = {}

    def count(self, account: str) -> None:
        """From now on, unless it is counted already."""
        if account not in self._loops:
            loop = self._of.platform.spawn(self._count(account), f"metrics of load balancers of {account}")
            self._loops[account] = loop

    def stop(self, account: str | None) -> None:
        """Of one account, or of all."""
        for name in [name for name in self._loops if account in (None, name)]:
            self._loops.pop(name).cancel()

    async def _count(self, account: str) -> None:
        clock = self._of.platform.clock(account)
        while True:
            at = clock.now() // 60 * 60
            pause = asyncio.create_task(asyncio.sleep(LEAST_MINUTE))
            await clock.sleep_until(at + 60)
            await pause
            with contextlib.suppress(PlaneFailure):
                await self._take(account, at)

    async def _take(self, account: str, at: float) -> None:
        mine = {one.arn: scope for scope, _, one in self._of.balancers.all() if scope.account == account}
        told = await self._plane.counted(list(mine))
        for arn, found in told["of"].items():
            hosts = self._hosts(mine[arn], arn)
            self._metrics.add(mine[arn], minute_of(arn, at, found, told["active"].get(arn, 0), hosts))

    def _hosts(self, scope: Scope, arn: str) -> dict[tuple[str, str], tuple[int, int]]:
        """Healthy and unhealthy targets, by target group and zone."""
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for name in self._of.groups_of(scope, arn):
            group = self._of.groups.get(scope, name)
            for target in group.targets if group else ():
                healthy, unhealthy = found.get((name, rules.zone_of(target)), (0, 0))
                healthy += target.state == "healthy"
                unhealthy += target.state == "unhealthy"
                found[name, rules.zone_of(target)] = healthy, unhealthy
        return found
