"""Takes what the data plane has counted, each minute of an account's lab time. A source of the heartbeat."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drydock.dataplane.balancers import Balancers
from drydock.dataplane.refusals import PlaneFailure
from drydock.services.elbv2 import rules
from drydock.services.elbv2.metrics import Metrics, minute_of
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.elbv2.registry import Registry


class Minutes:
    """Of all load balancers."""

    def __init__(self, registry: Registry, plane: Balancers, metrics: Metrics) -> None:
        self._of = registry
        self._plane = plane
        self._metrics = metrics

    def wanted(self, account: str) -> bool:
        """Whether there is anything to measure."""
        return any(scope.account == account for scope, _, _ in self._of.balancers.all())

    async def collect(self, account: str, minutes: tuple[float, ...]) -> None:
        """What was counted in the minutes that have passed."""
        mine = {one.arn: scope for scope, _, one in self._of.balancers.all() if scope.account == account}
        if not mine:
            return
        with contextlib.suppress(PlaneFailure):
            told = await self._plane.counted(list(mine))
            for arn, found in told["of"].items():
                hosts = self._hosts(mine[arn], arn)
                counted = minute_of(arn, minutes[-1], found, told["active"].get(arn, 0), hosts)
                self._metrics.add(mine[arn], counted, minutes)

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
