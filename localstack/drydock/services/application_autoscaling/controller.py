"""Makes scalable targets true: alarms' signals become desired counts of ECS services, and their activities are seen through.

Level-triggered: what is wanted of a service is written down as an activity before ECS is asked; a worker for each target
that has one under way, or whose bounds have been set, compares it with the service until it has been fulfilled, or has been
overridden. So after kill -9 it goes on from what is in the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Any

from drydock.clock import Clock
from drydock.errors import AwsError
from drydock.services.application_autoscaling import rules
from drydock.services.application_autoscaling.model import KEPT, Activity, Policy, ScalableTarget
from drydock.services.application_autoscaling.policy_rules import Signal, asked_by, cooldown_of
from drydock.services.application_autoscaling.registry import NAME, Params, Registry
from drydock.services.application_autoscaling.rules import Decision, Situation
from drydock.services.cloudwatch.model import AlarmSignal
from drydock.services.ecs.service_model import Service
from drydock.store import Scope

log = logging.getLogger(__name__)
LOOK_EVERY = 10.0
"""Lab seconds between two looks at a service that is changing"""
LEAST_PAUSE = 0.1
"""Real seconds between them, however fast the clock runs"""
PATIENCE = 3600.0
"""Lab seconds after which an activity that ECS does not fulfil is given up (?)"""
Place = tuple[Scope, str]


class Scaling:
    """``act`` is what an alarm's action calls; ``notice`` what the operations call."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._platform = registry.platform
        self._locks: defaultdict[Place, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._workers: dict[Place, asyncio.Task[None]] = {}
        self._woken: defaultdict[Place, asyncio.Event] = defaultdict(asyncio.Event)
        self._watcher: asyncio.Task[None] | None = None
        self._low: dict[tuple[Scope, str], tuple[float, float]] = {}
        """Of policies of target tracking: when their metric was below, and its value"""

    # ------------------------------------------------------------------ life
    def start(self) -> None:
        """What was under way goes on."""
        for scope, resource_id, _ in self._registry.targets.all():
            self.notice(scope, resource_id)
        self.watch()

    def watch(self) -> None:
        """Services that go take their targets along."""
        self._watcher = self._platform.spawn(self._watch(), "services of scalable targets")

    async def stop(self, account: str | None = None) -> None:
        """Of one account, or of all."""
        ended = [self._workers[place] for place in list(self._workers) if account in (None, place[0].account)]
        if account is None and self._watcher is not None:
            ended.append(self._watcher)
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        for place in [place for place, worker in self._workers.items() if worker in ended]:
            del self._workers[place]

    async def _watch(self) -> None:
        services = self._platform.store.collection(Service, "ecs", "service")
        async for scope, key in services.watch(include_existing=False):
            service = services.get(scope, key)
            if service is None or service.status == "ACTIVE":
                continue
            resource_id = f"service/{service.cluster_arn.rpartition('/')[2]}/{service.name}"
            if self._registry.targets.get(scope, resource_id) is not None:
                self.notice(scope, resource_id)

    def notice(self, scope: Scope, resource_id: str) -> None:
        """Look at a target soon, until nothing is under way any more."""
        place = (scope, resource_id)
        self._woken[place].set()
        worker = self._workers.get(place)
        if worker is None or worker.done():
            self._workers[place] = self._platform.spawn(self._work(place), f"scaling of {resource_id}")

    def lock(self, scope: Scope, resource_id: str) -> asyncio.Lock:
        """Who holds it may change a target and what belongs to it."""
        return self._locks[scope, resource_id]

    # ------------------------------------------------------------------ seeing it through
    async def _work(self, place: Place) -> None:
        clock = self._platform.clock(place[0].account)
        while True:
            self._woken[place].clear()
            try:
                async with self._locks[place]:
                    if not await self._look(*place):
                        del self._workers[place]  # before anybody else can change the target
                        return
            except AwsError as error:
                log.warning("scaling of %s: %s", place[1], error)
            await self._pause(clock, self._woken[place])

    async def _pause(self, clock: Clock, woken: asyncio.Event) -> None:
        """Until it is time to look again, or somebody has noticed something."""

        async def rest() -> None:
            await asyncio.gather(clock.sleep(LOOK_EVERY), asyncio.sleep(LEAST_PAUSE))

        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(rest()), asyncio.ensure_future(woken.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _look(self, scope: Scope, resource_id: str) -> bool:
        """Whether it should be looked at again."""
        target = self._registry.targets.get(scope, resource_id)
        if target is None:
            self._give_up(scope, resource_id, "The scalable target was deregistered.")
            return False
        service = await self._registry.service_of(scope, resource_id)
        if service is None:
            self._give_up(scope, resource_id, f"ECS service doesn't exist: {resource_id}")
            await self._registry.forget(scope, resource_id)
            return False
        await self._registry.sweep(scope, target)
        if target.unbounded:
            await self._keep_in_bounds(scope, target, service)
            service = await self._registry.service_of(scope, resource_id) or service
        left = False
        for activity in self._under_way(scope, resource_id):
            left = await self._see_through(scope, target, activity, service) or left
        return left

    def _under_way(self, scope: Scope, resource_id: str) -> list[Activity]:
        return [one for one in self._registry.activities_of(scope, resource_id) if one.under_way]

    async def _keep_in_bounds(self, scope: Scope, target: ScalableTarget, service: Params) -> None:
        current = int(service["desiredCount"])
        wanted = rules.in_bounds(current, target.least, target.most)
        if wanted != current:
            await self._change(scope, target, current, wanted, rules.bounds_cause(current, wanted), 0.0)
        target.unbounded = False
        self._registry.targets.put(scope, target.resource_id, target)

    async def _see_through(self, scope: Scope, target: ScalableTarget, activity: Activity, service: Params) -> bool:
        """Whether it is still under way."""
        if activity.status == "Pending":  # from before the emulator was killed
            await self._ask_ecs(scope, target, activity)
            return activity.under_way
        desired, running, now = int(service["desiredCount"]), int(service["runningCount"]), self._registry.now(scope)
        if desired != activity.wanted:
            changed = f"Successfully set desired count to {activity.wanted}. Found it was later changed to {desired}."
            self._finish(scope, activity, "Overridden", changed)
            if not any(one.wanted == desired for one in self._under_way(scope, target.resource_id)):
                target.cooldowns = rules.Cooldowns()  # somebody else has decided
                self._registry.targets.put(scope, target.resource_id, target)
            return False
        grows = activity.wanted > activity.before
        if running >= desired if grows else running <= desired:
            done = f"Successfully set desired count to {desired}. Change successfully fulfilled by ecs."
            self._finish(scope, activity, "Successful", done)
            target.cooldowns = target.cooldowns.completed(now, activity.cooldown)
            self._registry.targets.put(scope, target.resource_id, target)
            return False
        if now - activity.start >= PATIENCE:
            failed = f"Successfully set desired count to {desired}. Change could not be fulfilled by ecs."  # (?)
            self._finish(scope, activity, "Unfulfilled", failed)
            target.cooldowns = target.cooldowns.completed(now, activity.cooldown)
            self._registry.targets.put(scope, target.resource_id, target)
            return False
        return True

    def _finish(self, scope: Scope, activity: Activity, status: str, message: str) -> None:
        activity.status, activity.message, activity.end = status, message, self._registry.now(scope)
        self._registry.activities.put(scope, activity.id, activity)

    def _give_up(self, scope: Scope, resource_id: str, reason: str) -> None:
        for activity in self._under_way(scope, resource_id):
            self._finish(
                scope, activity, "Failed", f"Failed to set desired count to {activity.wanted}. Reason: {reason}"
            )

    # ------------------------------------------------------------------ deeds
    async def _change(
        self, scope: Scope, target: ScalableTarget, current: int, wanted: int, cause: str, cooldown: float
    ) -> None:
        activity = self.record(scope, target.resource_id, f"Setting desired count to {wanted}.", cause)
        activity.before, activity.wanted, activity.cooldown = current, wanted, cooldown
        target.cooldowns = target.cooldowns.at(self._registry.now(scope)).began(current, wanted)
        self._registry.targets.put(scope, target.resource_id, target)
        self._registry.activities.put(scope, activity.id, activity)
        self._platform.store.commit()
        await self._ask_ecs(scope, target, activity)
        self.notice(scope, target.resource_id)

    async def _ask_ecs(self, scope: Scope, target: ScalableTarget, activity: Activity) -> None:
        wanted = {"cluster": target.cluster, "service": target.service, "desiredCount": activity.wanted}
        try:
            await self._registry.call(scope, "AutoScaling-UpdateDesiredCapacity", "ecs", "UpdateService", wanted)
        except AwsError as error:
            request_id = self._platform.ids.uuid(scope, "request", activity.id)
            reason = (
                f"{error.message} (Service: AmazonECS; Status Code: {error.status or 400}; Error Code: {error.code}; "
                f"Request ID: {request_id}; Proxy: null)"
            )
            self._finish(
                scope, activity, "Failed", f"Failed to set desired count to {activity.wanted}. Reason: {reason}"
            )
            target.cooldowns = rules.Cooldowns()
            self._registry.targets.put(scope, target.resource_id, target)
            return
        activity.status = "InProgress"
        activity.message = (
            f"Successfully set desired count to {activity.wanted}. Waiting for change to be fulfilled by ecs."
        )
        self._registry.activities.put(scope, activity.id, activity)

    def record(self, scope: Scope, resource_id: str, description: str, cause: str) -> Activity:
        """A new activity, not yet put; those of more than six weeks ago are forgotten."""
        now = self._registry.now(scope)
        for old in self._registry.activities_of(scope, resource_id):
            if now - old.start > KEPT and not old.under_way:
                self._registry.activities.delete(scope, old.id)
        made = self._platform.ids.uuid(scope, "activity", f"{NAME}|{resource_id}")
        return Activity(made, resource_id, description, cause, now)

    # ------------------------------------------------------------------ alarms
    async def act(self, arn: str, signal: AlarmSignal) -> None:
        """An alarm's action. Raises AwsError if there is no such policy, or it cannot be carried out."""
        scope = signal.scope
        policy = next((one for one in self._registry.policies.of(scope) if arn in (one.arn, one.action)), None)
        if policy is None:
            raise AwsError("ObjectNotFoundException", f"No scaling policy found for {arn}")  # (?)
        async with self._locks[scope, policy.resource_id]:
            target = self._registry.target(scope, policy.resource_id)
            service = await self._registry.service_of(scope, policy.resource_id)
            if service is None:
                self.notice(scope, policy.resource_id)
                raise AwsError("ValidationException", f"ECS service doesn't exist: {policy.resource_id}")
            await self._trigger(scope, target, policy, service, signal)

    async def _trigger(
        self, scope: Scope, target: ScalableTarget, policy: Policy, service: Params, signal: AlarmSignal
    ) -> None:
        here = self._situation(scope, target, service)
        asked = asked_by(policy, here, Signal.of(signal, policy.alarms))
        if asked is None:
            return
        cause = rules.alarm_cause(signal.name, signal.state, policy.name)
        if policy.tracks and asked.from_current <= here.current:
            agreed = await self._agreed(scope, policy, here, asked.value)
            if agreed is None:
                return
            asked = asked.at_least(agreed)
            if asked.from_current >= here.current and here.current > here.least:
                self._not_scaled(scope, here, target, cause, rules.FLAPPING)
                return
        decision: Decision = rules.decide(here, asked.wanted, asked.from_current)
        if decision.capacity is not None:
            cooldown = cooldown_of(policy, grows=decision.capacity > here.current)
            await self._change(scope, target, here.current, decision.capacity, cause, cooldown)
        elif decision.reason:
            self._not_scaled(scope, here, target, cause, decision.reason)

    def _situation(self, scope: Scope, target: ScalableTarget, service: Params) -> Situation:
        deployments = service.get("deployments") or []
        return Situation(
            current=int(service["desiredCount"]),
            least=target.least,
            most=target.most,
            cooldowns=target.cooldowns.at(self._registry.now(scope)),
            deploying=len(deployments) > 1 or any(one.get("rolloutState") == "IN_PROGRESS" for one in deployments),
            in_suspended=target.suspended["DynamicScalingInSuspended"],
            out_suspended=target.suspended["DynamicScalingOutSuspended"],
        )

    async def _agreed(self, scope: Scope, policy: Policy, here: Situation, value: float) -> int | None:
        """What the target's policies of target tracking together would leave, the largest of what each asks for; None
        unless those that scale in are all below their targets."""
        now = self._registry.now(scope)
        self._low[scope, policy.key] = (now, value)
        others = [
            one
            for one in self._registry.policies_of(scope, policy.resource_id)
            if one.scales_in and one.key != policy.key
        ]
        if not others:
            return 0
        names = [one.alarms[1] for one in others]
        asked: dict[str, Any] = {"AlarmNames": names, "StateValue": "ALARM", "AlarmTypes": ["MetricAlarm"]}
        found = await self._registry.call(scope, "AutoScaling-ManageAlarms", "cloudwatch", "DescribeAlarms", asked)
        if {alarm["AlarmName"] for alarm in found.get("MetricAlarms") or []} != set(names):
            return None
        largest = 0
        for one in others:
            at, low = self._low.get((scope, one.key), (0.0, 0.0))
            if now - at <= 120:
                left = rules.tracked_in(here.current, low, one.configuration["TargetValue"])
                largest = max(largest, left)
        return largest

    def _not_scaled(self, scope: Scope, here: Situation, target: ScalableTarget, cause: str, reason: str) -> None:
        """An activity of its own, unless the latest one says the same."""
        earlier = self._registry.activities_of(scope, target.resource_id)
        if earlier and [one["Code"] for one in earlier[-1].not_scaled] == [reason]:
            return
        made = self.record(scope, target.resource_id, "Attempting to scale due to alarm triggered", cause)
        made.not_scaled = [rules.not_scaled(reason, here)]
        made.status = "Successful" if reason == rules.AT_DESIRED else "Failed"  # (?)
        made.end = made.start
        self._registry.activities.put(scope, made.id, made)
