"""Health checks: one loop for each target that is in use. They run for real, on the connections that requests take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from drydock import durations
from drydock.dataplane.balancers import Balancers
from drydock.dataplane.refusals import PlaneFailure
from drydock.services.elbv2 import rules
from drydock.services.elbv2.model import Target, TargetGroup
from drydock.services.elbv2.reaching import Reaching
from drydock.services.service import Platform
from drydock.store import Collection, Scope

LEAST_PAUSE = 0.02
"""Real seconds between two checks of a target, however fast the clock runs"""
Key = tuple[Scope, str, tuple[str, int]]
"""(whose, target group, target)"""


class Checking:
    """``on_change`` is called when a target has come into another state."""

    def __init__(
        self,
        platform: Platform,
        groups: Collection[TargetGroup],
        plane: Balancers,
        reaching: Reaching,
        on_change: Callable[[Scope, TargetGroup], None],
        instant: bool,
    ) -> None:
        self._platform = platform
        self._groups = groups
        self._plane = plane
        self._reaching = reaching
        self._on_change = on_change
        self._instant = instant
        self._loops: dict[Key, asyncio.Task[Any]] = {}

    def want(self, scope: Scope, wanted: dict[tuple[str, tuple[str, int]], str]) -> None:
        """These targets of an account and region are to be checked, each by its load balancer, and no others."""
        for key in [key for key in self._loops if key[0] == scope and key[1:] not in wanted]:
            self._loops.pop(key).cancel()
        for (group, target), balancer in wanted.items():
            key = (scope, group, target)
            if key not in self._loops:
                loop = self._platform.spawn(self._watch(scope, group, target, balancer), f"health checks of {target}")
                self._loops[key] = loop
                loop.add_done_callback(partial(self._forget, key))

    def _forget(self, key: Key, loop: asyncio.Task[Any]) -> None:
        if self._loops.get(key) is loop:
            del self._loops[key]

    async def stop(self, account: str | None = None) -> None:
        """End the loops of an account, or all."""
        gone = [key for key in self._loops if account in (None, key[0].account)]
        loops = [self._loops.pop(key) for key in gone]
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    def _find(self, scope: Scope, arn: str, key: tuple[str, int]) -> tuple[TargetGroup, Target] | None:
        group = self._groups.get(scope, arn)
        target = group.target(key) if group is not None else None
        return (group, target) if group is not None and target is not None else None

    async def _watch(self, scope: Scope, arn: str, key: tuple[str, int], balancer: str) -> None:
        clock = self._platform.clock(scope.account)
        found = self._find(scope, arn, key)
        if found is not None and found[1].reason == "Elb.RegistrationInProgress":
            await clock.sleep(durations.scaled(durations.TARGET_REGISTRATION, self._instant))
            if (found := self._find(scope, arn, key)) is not None and found[1].state == "initial":
                self._set(scope, *found, rules.standing("initial", "Elb.InitialHealthChecking"))
        streak = rules.Streak()
        while True:
            began = clock.now()
            if (found := self._find(scope, arn, key)) is None:
                return
            outcome = await self._outcome(scope, *found, balancer)
            if (found := self._find(scope, arn, key)) is None or found[1].state == "draining":
                return
            self._judge(scope, *found, streak, outcome)
            pause = asyncio.create_task(asyncio.sleep(LEAST_PAUSE))
            await clock.sleep(found[0].health.interval - (clock.now() - began))
            await pause

    async def _outcome(self, scope: Scope, group: TargetGroup, target: Target, balancer: str) -> dict[str, Any]:
        if group.target_type == "instance" and not self._reaching.instance_runs(scope, target.id):
            return {"error": "stopped"}
        port = target.port if group.health.port == "traffic-port" else int(group.health.port)
        patience = self._platform.clock(scope.account).real_budget(group.health.timeout)
        method = "TCP" if group.health.protocol == "TCP" else "GET"
        asked = {"method": method, "path": group.health.path, "host": f"{target.id}:{port}", "patience": patience}
        try:
            return await self._plane.attempt(balancer, target.id, port, asked)
        except PlaneFailure:
            return {"error": "gone"}

    def _judge(
        self, scope: Scope, group: TargetGroup, target: Target, streak: rules.Streak, outcome: dict[str, Any]
    ) -> None:
        if outcome.get("error") == "gone":
            return  # it says nothing about the target
        if outcome.get("error") == "stopped":
            self._set(scope, group, target, rules.standing("unused", "Target.InvalidState"))
            return
        if target.state == "unused":
            self._set(scope, group, target, rules.standing("initial", "Elb.InitialHealthChecking"))
        changed = rules.judged(target.state, group.health, streak, outcome)
        if changed is not None:
            self._set(scope, group, target, changed)

    def _set(self, scope: Scope, group: TargetGroup, target: Target, found: rules.Standing) -> None:
        before = (target.state, target.reason, target.description)
        if before == (found.state, found.reason, found.description):
            return
        target.state, target.reason, target.description = found.state, found.reason, found.description
        self._groups.put(scope, group.arn, group)
        self._on_change(scope, group)
