"""Makes the groups true: compares what is wanted with the instances that there are, launches and terminates.

Level-triggered: it looks after every request to Auto Scaling, when an instance comes into another state, and when a
health check is due. What it had begun when the emulator was killed shows in the instances' tag with their group's name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from drydock import durations
from drydock.errors import AwsError
from drydock.request import Principal, Request
from drydock.services.autoscaling import rules
from drydock.services.autoscaling.model import Activity, Seen
from drydock.services.autoscaling.rules import Decision, Group, Member
from drydock.services.service import Platform
from drydock.store import Scope

Ask = Callable[[Scope, str, str, dict[str, Any]], Awaitable[dict[str, Any]]]
log = logging.getLogger(__name__)
SERVICE = "autoscaling.amazonaws.com"
TAG = "aws:autoscaling:groupName"
RETRY_AFTER = 60.0
"""Lab seconds after a launch that failed"""
HELD_AGAIN, LONGEST_HOLD = 30.0, 48 * 3600.0
"""Lab seconds until it is looked again whether a member is held still, and for which it may be held at all"""
KEPT = 6 * 7 * 86400.0
"""Activities are described for six weeks"""
Facts = dict[str, Any]


class Groups:
    """``tagged`` tells the instances that have a tag with a group's name: id to name."""

    def __init__(
        self,
        platform: Platform,
        ask: Ask,
        moto: Callable[[Request, str, dict[str, Any]], Awaitable[dict[str, Any]]],
        tagged: Callable[[Scope], dict[str, str]],
        instant: bool,
    ) -> None:
        self._platform = platform
        self._ask = ask
        self._moto = moto
        self._tagged = tagged
        self._instant = instant
        self.activities = platform.store.collection(Activity, "autoscaling", "activity")
        self.seen = platform.store.collection(Seen, "autoscaling", "seen")
        self.gone: Callable[[Scope, str], None] = lambda scope, name: None
        """Called when a group is no more"""
        self.holds: Callable[[Scope, str, str], bool] = lambda scope, group, instance: False
        """Whether a group's instance must not be terminated yet: it is drained"""
        self.closing = False
        self._looking: dict[Scope, asyncio.Task[None]] = {}
        self._again: set[Scope] = set()
        self._wakes: dict[tuple[Scope, str], asyncio.Task[None]] = {}
        self._bad_since: dict[str, float] = {}
        self._retry_at: dict[tuple[Scope, str], float] = {}
        self._requests: dict[Scope, str] = {}

    # ------------------------------------------------------------------ looking

    def changed(self, scope: Scope, operation: str = "") -> None:
        """Something may be different: look soon. ``operation`` is the request that changed it."""
        if operation:
            self._requests[scope] = operation
            for key in [key for key in self._retry_at if key[0] == scope]:
                del self._retry_at[key]
        elif not self.seen.of(scope):
            return  # no group was ever seen here
        if scope in self._looking:
            self._again.add(scope)
        elif not self.closing:
            self._looking[scope] = self._platform.spawn(self._look(scope), f"look at groups of {scope}")
            self._looking[scope].add_done_callback(lambda _: self._looking.pop(scope, None))

    def expect(self, scope: Scope, name: str) -> None:
        """A group is about to be made: it is to be looked at, also if we are killed meanwhile."""
        if self.seen.get(scope, name) is None:
            self.seen.put(scope, name, Seen())
            self._platform.store.commit()

    def announce(self, scope: Scope, name: str, sizes: list[int], says: str) -> None:
        """A group is about to get these sizes (desired, min, max), and the activities that follow tell ``says``. Without
        it, what was announced is taken back."""
        held = self.seen.get(scope, name) or Seen()
        held.coming, held.says = (sizes, says) if says else ([], "")
        self.seen.put(scope, name, held)
        self._platform.store.commit()

    async def _look(self, scope: Scope) -> None:
        while not self.closing:
            self._again.discard(scope)
            operation = self._requests.pop(scope, "")
            try:
                found = (await self._ask(scope, "autoscaling", "DescribeGroups", {}))["groups"]
                for group in found:
                    await self._compare(scope, group, operation)
                for name in set(self.seen.names(scope)) - {group["name"] for group in found}:
                    self._forget(scope, name)
            except AwsError as error:  # moto's process died, or failed
                log.error("groups of %s: %s", scope, error)
                await asyncio.sleep(0.5)
                continue
            if scope not in self._again:
                return

    def _forget(self, scope: Scope, name: str) -> None:
        self.seen.delete(scope, name)
        self.gone(scope, name)
        self._retry_at.pop((scope, name), None)
        now = self._clock(scope).now()
        for activity in self._under_way(scope, name):
            self._finish(scope, activity, now)

    def _clock(self, scope: Scope) -> Any:
        return self._platform.clock(scope.account)

    async def _compare(self, scope: Scope, facts: Facts, operation: str) -> None:
        name, now = facts["name"], self._clock(scope).now()
        before = self.seen.get(scope, name) or Seen()
        sizes = (facts["desired"], facts["min"], facts["max"])
        coming, says = before.coming, before.says
        if coming == list(sizes):  # not a user's request
            told, coming, says = says if sizes[0] != before.desired else before.told, [], ""
        else:
            told = rules.told(operation, (before.desired, before.min, before.max), sizes, now) or before.told
        self.seen.put(scope, name, Seen(*sizes, told, coming, says))
        known = {member["id"] for member in facts["members"]}
        adopted = [i for i, group in self._tagged(scope).items() if group == name and i not in known]
        if adopted:
            await self._set(scope, name, enter=adopted)
            self._again.add(scope)
            return
        members = tuple(Member(**member) for member in facts["members"])
        for member in members:
            if member.state in rules.GONE:
                self._bad_since.setdefault(member.id, now)
            else:
                self._bad_since.pop(member.id, None)
        self._finish_activities(scope, name, members, now)
        group = Group(facts["desired"], members, frozenset(facts["suspended"]), tuple(facts["policies"]))
        bad_for = {member.id: now - self._bad_since.get(member.id, now) for member in members}
        patience = durations.scaled(durations.GROUP_HEALTH_CHECK, self._instant)
        await self._act(scope, facts, rules.decide(group, bad_for, patience), told, now)

    async def _act(self, scope: Scope, facts: Facts, decision: Decision, told: str, now: float) -> None:
        name = facts["name"]
        for instance, why in decision.terminate:
            cause = rules.terminate_cause(told, why, now, instance, decision.alive, facts["desired"])
            self._begin(scope, facts, f"Terminating EC2 instance: {instance}", cause, now, instance)
        going = self._let_go(scope, facts, decision, now)
        if decision.show or decision.leave:
            members = {i: {"lifecycle": life, "health": health} for i, (life, health) in decision.show.items()}
            await self._set(scope, name, members=members, leave=decision.leave)
        for instance in going:
            await self._terminate(scope, instance)
        unhealthy = [i for i, why in decision.terminate if why in (rules.HEALTH, rules.USER_HEALTH)]
        if decision.launch:
            await self._launch(scope, facts, decision, told, bool(unhealthy))
        elif told and not decision.terminate:
            pass  # what it changed shows in an activity yet to come
        if decision.launch or decision.terminate:
            held = self.seen.get(scope, name) or Seen()
            self.seen.put(scope, name, Seen(facts["desired"], facts["min"], facts["max"], "", held.coming, held.says))
            self._again.add(scope)
        if decision.wake is not None:
            self._wake(scope, name, decision.wake)

    def _let_go(self, scope: Scope, facts: Facts, decision: Decision, now: float) -> list[str]:
        """Those that are to be terminated now; the others are shown as waiting, and looked at again."""
        members = {member["id"]: member for member in facts["members"]}
        begun = {activity.instance: activity.start for activity in self._under_way(scope, facts["name"])}
        going = []
        for instance in [*(instance for instance, _ in decision.terminate), *decision.waiting]:
            member, late = members[instance], now - begun.get(instance, now) >= LONGEST_HOLD
            if member["state"] in rules.ENDING:
                continue
            may_wait = member["lifecycle"] != "Terminating" and not late
            if may_wait and self.holds(scope, facts["name"], instance):
                if instance in decision.show:
                    decision.show[instance] = (rules.WAITING, decision.show[instance][1])
                decision.wake = HELD_AGAIN if decision.wake is None else min(decision.wake, HELD_AGAIN)
                continue
            decision.show.setdefault(instance, ("Terminating", member["health"]))
            going.append(instance)
        return going

    def _wake(self, scope: Scope, name: str, seconds: float) -> None:
        """Look again after so much lab time."""
        waiting = self._wakes.get((scope, name))
        if waiting is not None:
            waiting.cancel()

        async def later() -> None:
            await self._clock(scope).sleep(max(seconds, 0.05))
            self._wakes.pop((scope, name), None)
            self.changed(scope)

        self._wakes[scope, name] = self._platform.spawn(later(), f"next look at group {name}")

    async def _set(self, scope: Scope, name: str, **asked: Any) -> None:
        await self._ask(scope, "autoscaling", "SetMembers", {"group": name, **asked})

    # ------------------------------------------------------------------ deeds

    def _request(self, scope: Scope) -> Request:
        return Request("ec2", "", scope.region, Principal.of_service(scope.account, SERVICE))

    async def _terminate(self, scope: Scope, instance: str) -> None:
        try:
            await self._moto(self._request(scope), "TerminateInstances", {"InstanceIds": [instance]})
        except AwsError as error:
            log.warning("%s of %s could not be terminated: %s", instance, scope.account, error)

    async def _launch(self, scope: Scope, facts: Facts, decision: Decision, told: str, replaces: bool) -> None:
        name = facts["name"]
        retry = self._retry_at.get((scope, name), 0.0) - self._clock(scope).now()
        if retry > 0:
            self._wake(scope, name, retry)
            return
        places = facts["subnets"] or facts["zones"]
        in_zone = {m["id"]: m["zone"] for m in facts["members"] if m["lifecycle"] in rules.ALIVE}
        zones = await self._zones(scope, facts["subnets"])
        used = [next((p for p in places if zones.get(p, p) == zone), "") for zone in in_zone.values()]
        for _ in range(decision.launch):
            place = rules.next_place(places, used)
            used.append(place)
            now = self._clock(scope).now()
            cause = rules.launch_cause(told, now, decision.alive, decision.launch, replaces)
            activity = self._begin(scope, facts, "Launching a new EC2 instance", cause, now)
            activity.details = {"Availability Zone": zones.get(place, place)}
            if facts["subnets"]:
                activity.details = {"Subnet ID": place, **activity.details}
            try:
                call = partial(self._platform.call, self._request(scope).principal, scope.region, "ec2")
                made = await call("RunInstances", launch_parameters(facts, place))
            except AwsError as error:
                self._fail(scope, activity, error)
                self._retry_at[scope, name] = self._clock(scope).now() + RETRY_AFTER
                self._wake(scope, name, RETRY_AFTER)
                return
            instance = made["Instances"][0]["InstanceId"]
            activity.description, activity.instance = f"Launching a new EC2 instance: {instance}", instance
            self.activities.put(scope, activity.id, activity)
            await self._set(scope, name, enter=[instance])

    async def _zones(self, scope: Scope, subnets: list[str]) -> dict[str, str]:
        if not subnets:
            return {}
        found = await self._moto(self._request(scope), "DescribeSubnets", {"SubnetIds": subnets})
        return {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in found["Subnets"]}

    # ------------------------------------------------------------------ activities

    def _begin(
        self, scope: Scope, facts: Facts, description: str, cause: str, now: float, instance: str = ""
    ) -> Activity:
        for activity in self._under_way(scope, facts["name"]):
            if instance and activity.instance == instance and activity.description == description:
                return activity
        made = Activity(
            self._platform.ids.uuid(scope, "activity", facts["arn"]),
            facts["name"],
            facts["arn"],
            description,
            cause,
            now,
        )
        made.instance = instance
        self.activities.put(scope, made.id, made)
        return made

    def begin_by_user(self, scope: Scope, name: str, arn: str, instance: str, cause: str) -> Activity:
        """TerminateInstanceInAutoScalingGroup's activity."""
        facts = {"name": name, "arn": arn}
        description = f"Terminating EC2 instance: {instance}"
        return self._begin(scope, facts, description, cause, self._clock(scope).now(), instance)

    def fail_schedule(self, scope: Scope, facts: Facts, name: str, error: AwsError, now: float) -> None:
        """A scheduled action that could not be carried out."""
        cause = f"At {rules.stamp(now)} a scheduled action {name} could not be carried out."  # (?)
        activity = self._begin(scope, facts, f"Executing scheduled action: {name}", cause, now)  # (?)
        activity.message = error.message
        self._finish(scope, activity, now, "Failed")

    def _under_way(self, scope: Scope, name: str) -> list[Activity]:
        return [a for a in self.activities.of(scope) if a.group == name and a.end is None]

    def _finish_activities(self, scope: Scope, name: str, members: tuple[Member, ...], now: float) -> None:
        states = {member.id: member.state for member in members}
        for activity in self._under_way(scope, name):
            state = states.get(activity.instance, "terminated" if activity.instance else "")
            if activity.description.startswith("Launching"):
                if state == "running":
                    self._finish(scope, activity, now)
                elif state in rules.GONE:
                    activity.message = "Instance failed to launch."
                    self._finish(scope, activity, now, "Failed")
            elif state == "terminated":
                self._finish(scope, activity, now)

    def _finish(self, scope: Scope, activity: Activity, now: float, status: str = "Successful") -> None:
        activity.status, activity.end, activity.progress = status, now, 100
        self.activities.put(scope, activity.id, activity)

    def _fail(self, scope: Scope, activity: Activity, error: AwsError) -> None:
        activity.message = f"{error.message.rstrip('.')}. Launching EC2 instance failed."
        activity.description += f".  Status Reason: {activity.message}"
        self._finish(scope, activity, self._clock(scope).now(), "Failed")

    async def stop(self) -> None:
        """End what is under way."""
        self.closing = True
        tasks = [*self._looking.values(), *self._wakes.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def launch_parameters(facts: Facts, place: str) -> dict[str, Any]:
    """RunInstances' parameters for one member of a group, in a subnet or a zone."""
    tags = {**facts["tags"], TAG: facts["name"]}
    params: dict[str, Any] = {
        **facts["configuration"],
        "MinCount": 1,
        "MaxCount": 1,
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    }
    public = params.pop("AssociatePublicIpAddress", None)
    if facts["template"]:
        params["LaunchTemplate"] = facts["template"]
    if facts["instance_type"]:
        params["InstanceType"] = facts["instance_type"]
    if facts["subnets"]:
        params["SubnetId"] = place
    else:
        params["Placement"] = {"AvailabilityZone": place}
    if public is not None:
        interface: dict[str, Any] = {"DeviceIndex": 0, "AssociatePublicIpAddress": public}
        if "SubnetId" in params:
            interface["SubnetId"] = params.pop("SubnetId")
        if "SecurityGroupIds" in params:
            interface["Groups"] = params.pop("SecurityGroupIds")
        params["NetworkInterfaces"] = [interface]
    return params
