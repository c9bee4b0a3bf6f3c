"""Carries out the policies of groups: an alarm's signal, or ExecutePolicy, becomes a desired capacity.

The instances that a scale-out has begun count as there until they have warmed up: only a larger breach adds the difference, and
nothing is taken away meanwhile. A simple policy waits for its cooldown instead.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from drydock.errors import AwsError
from drydock.request import Principal, Request
from drydock.services.application_autoscaling import rules as scaling_rules
from drydock.services.application_autoscaling import steps
from drydock.services.application_autoscaling.policy_rules import Asked, Signal, asked_by
from drydock.services.application_autoscaling.rules import Cooldowns, Situation
from drydock.services.autoscaling import policy_rules as rules
from drydock.services.autoscaling.controller import SERVICE, Ask, Facts, Groups
from drydock.services.autoscaling.policy_model import SIMPLE, GroupPolicy, ScalingState
from drydock.services.cloudwatch.model import AlarmSignal
from drydock.services.service import Platform
from drydock.store import Scope

Moto = Callable[[Request, str, dict[str, Any]], Awaitable[dict[str, Any]]]
Params = dict[str, Any]
Told = Callable[[int, int, float], str]


class GroupScaling:
    """``act`` is what an alarm's action calls."""

    def __init__(self, platform: Platform, groups: Groups, ask: Ask, moto: Moto) -> None:
        self._platform = platform
        self._groups = groups
        self._ask = ask
        self._moto = moto
        self.policies = platform.store.collection(GroupPolicy, "autoscaling", "policy")
        self.states = platform.store.collection(ScalingState, "autoscaling", "scaling-state")
        self._locks: defaultdict[tuple[Scope, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    def policies_of(self, scope: Scope, group: str) -> list[GroupPolicy]:
        """Oldest first."""
        return [one for one in self.policies.of(scope) if one.group == group]

    async def facts(self, scope: Scope, group: str) -> Facts:
        """Raises ValidationError if there is no such group."""
        found = (await self._ask(scope, "autoscaling", "DescribeGroups", {}))["groups"]
        for one in found:
            if one["name"] == group:
                return dict(one)
        raise rules.invalid(f"AutoScalingGroup name not found - AutoScalingGroup '{group}' not found")

    async def cloudwatch(self, scope: Scope, operation: str, params: Params) -> Params:
        """Raises AwsError."""
        principal = Principal.of_service(scope.account, SERVICE)
        return await self._platform.call(principal, scope.region, "cloudwatch", operation, params)

    async def delete_alarms(self, scope: Scope, names: list[str]) -> None:
        """Those that are there. Raises AwsError."""
        if not names:
            return
        asked = {"AlarmNames": names, "AlarmTypes": ["MetricAlarm"]}
        found = (await self.cloudwatch(scope, "DescribeAlarms", asked)).get("MetricAlarms") or []
        if found:
            await self.cloudwatch(scope, "DeleteAlarms", {"AlarmNames": [one["AlarmName"] for one in found]})

    # -- alarms
    async def act(self, arn: str, signal: AlarmSignal) -> None:
        """An alarm's action. Raises AwsError if there is no such policy."""
        scope = signal.scope
        policy = next((one for one in self.policies.of(scope) if one.arn == arn), None)
        if policy is None:
            raise rules.invalid(f"PolicyARN not found: {arn}")  # (?)
        if not policy.enabled:
            return
        async with self._locks[scope, policy.group]:
            facts = await self.facts(scope, policy.group)
            if "AlarmNotification" in facts["suspended"]:
                return

            def told(before: int, after: int, at: float) -> str:
                return rules.told_of_alarm(signal.name, signal.state, policy.name, before, after, at)

            await self._trigger(scope, policy, facts, Signal.of(signal, policy.alarms), told)

    async def execute(self, scope: Scope, policy: GroupPolicy, signal: Signal, honour: bool) -> None:
        """ExecutePolicy. Raises AwsError."""
        async with self._locks[scope, policy.group]:
            facts = await self.facts(scope, policy.group)
            state = rules.in_effect(self._state(scope, policy.group), facts, self._now(scope))
            if honour and state.simple_at is not None:
                raise AwsError(
                    "ScalingActivityInProgress", f"The cooldown of group {policy.group} has not ended yet.", status=400
                )  # (?)
            if policy.kind == SIMPLE:  # a person does not wait for it, unless asked to
                self.states.put(scope, policy.group, replace(state, simple_at=None))

            def told(before: int, after: int, at: float) -> str:
                return rules.told_of_user(policy.name, before, after, at)

            await self._trigger(scope, policy, facts, signal, told)

    def _state(self, scope: Scope, group: str) -> ScalingState:
        return self.states.get(scope, group) or ScalingState()

    def _now(self, scope: Scope) -> float:
        return self._platform.clock(scope.account).now()

    async def _trigger(self, scope: Scope, policy: GroupPolicy, facts: Facts, signal: Signal, told: Told) -> None:
        state = rules.in_effect(self._state(scope, policy.group), facts, self._now(scope))
        self.states.put(scope, policy.group, state)
        warming = state.cooldowns.out_base is not None
        here = Situation(
            int(facts["desired"]), int(facts["min"]), int(facts["max"]), state.cooldowns, in_suspended=warming
        )
        if policy.kind == SIMPLE:
            if state.simple_at is not None:
                return
            here = replace(here, cooldowns=Cooldowns(), in_suspended=False)
            asked: Asked | None = _simple(policy, here)
        else:
            asked = asked_by(policy, here, signal)
        if asked is None:
            return
        if policy.tracks and asked.from_current < here.current and not await self._agreed(scope, policy):
            return
        decision = scaling_rules.decide(here, asked.wanted, asked.from_current)
        if decision.capacity is not None:
            await self._change(scope, policy, facts, state, decision.capacity, told)

    async def _agreed(self, scope: Scope, policy: GroupPolicy) -> bool:
        """Whether all policies of target tracking that scale in are below their targets."""
        others = [one for one in self.policies_of(scope, policy.group) if one.scales_in and one.key != policy.key]
        names = [one.alarms[1] for one in others if one.enabled]
        if not names:
            return True
        asked = {"AlarmNames": names, "StateValue": "ALARM", "AlarmTypes": ["MetricAlarm"]}
        found = (await self.cloudwatch(scope, "DescribeAlarms", asked)).get("MetricAlarms") or []
        return {one["AlarmName"] for one in found} == set(names)

    async def _change(
        self, scope: Scope, policy: GroupPolicy, facts: Facts, state: ScalingState, wanted: int, told: Told
    ) -> None:
        now, current = self._now(scope), int(facts["desired"])
        if policy.kind == SIMPLE:
            state.simple_at = now
            state.cooldown = float(policy.configuration.get("Cooldown") or facts["cooldown"])
        elif wanted > current:
            state.cooldowns = state.cooldowns.began(current, wanted)
            state.began = now
            state.warmup = float(policy.warmup if policy.warmup is not None else facts["cooldown"])
        self.states.put(scope, policy.group, state)
        await self.desire(scope, facts, {"DesiredCapacity": wanted}, told(current, wanted, now))

    async def desire(self, scope: Scope, facts: Facts, sizes: Params, told: str) -> None:
        """Change a group's sizes; ``told`` is the sentence that its activities begin with. Raises AwsError."""
        group, operation = facts["name"], "UpdateAutoScalingGroup"
        after = {"DesiredCapacity": facts["desired"], "MinSize": facts["min"], "MaxSize": facts["max"], **sizes}
        sizes_then = [after["DesiredCapacity"], after["MinSize"], after["MaxSize"]]
        self._groups.announce(scope, group, sizes_then, told)
        request = Request("autoscaling", operation, scope.region, Principal.of_service(scope.account, SERVICE))
        try:
            await self._moto(request, operation, {"AutoScalingGroupName": group, **sizes})
        except AwsError:
            self._groups.announce(scope, group, [], "")
            raise

    async def forget(self, scope: Scope, group: str) -> None:
        """A group has gone: its policies and their alarms go. Raises AwsError."""
        policies = self.policies_of(scope, group)
        await self.delete_alarms(scope, [name for one in policies for name in one.alarms])
        for one in policies:
            self.policies.delete(scope, one.key)
        self.states.delete(scope, group)


def _simple(policy: GroupPolicy, here: Situation) -> Asked:
    given = policy.configuration
    adjustment = steps.Adjustment(given["AdjustmentType"], given["ScalingAdjustment"], rules.least(given) or 0)
    wanted = steps.adjusted(here.current, adjustment)
    return Asked(wanted, wanted, 0.0)
