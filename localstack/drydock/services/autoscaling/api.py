"""The operations of EC2 Auto Scaling that are not moto's: those that would begin what cannot be done, and the activities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.application_autoscaling.timetable import Timetable
from drydock.services.autoscaling import rules
from drydock.services.autoscaling.controller import Ask, Groups
from drydock.services.autoscaling.policy_model import GroupSchedule
from drydock.services.autoscaling.scaling import GroupScaling, Moto, Params
from drydock.services.autoscaling.scheduled import ScheduleOperations
from drydock.services.cloudwatch.model import AlarmSignal
from drydock.services.service import Platform
from drydock.store import Scope


class AutoScaling(ScheduleOperations):
    """``why_none`` tells why no instance can run here, empty if they can; ``tagged`` the instances with a group's tag."""

    name = "autoscaling"

    def __init__(
        self,
        platform: Platform,
        tagged: Callable[[Scope], dict[str, str]],
        why_none: Callable[[], str],
        moto: Moto,
        ask: Ask,
        instant: bool,
    ) -> None:
        super().__init__(platform)
        self.controller = Groups(platform, ask, self._ec2, tagged, instant)
        self._moto = moto
        self._ask = ask
        self._why_none = why_none
        self.scaling = GroupScaling(platform, self.controller, ask, moto)
        self.schedules = platform.store.collection(GroupSchedule, "autoscaling", "schedule")
        self.timetable = Timetable(platform, "scheduled actions of groups", self.run_schedules)
        self.controller.gone = self._gone

    async def _ec2(self, request: Request, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        return await self._moto(request, operation, params)

    async def start(self) -> None:
        for scope in {scope for scope, _, _ in self.controller.seen.all()}:
            self.controller.changed(scope)
        for account in {scope.account for scope, _, _ in self.schedules.all()}:
            self.timetable.changed(account)

    async def stop(self) -> None:
        await self.timetable.stop()
        await self.controller.stop()

    async def reset(self, account: str | None) -> None:
        await self.timetable.stop(account)

    async def act(self, arn: str, signal: AlarmSignal) -> None:
        """An alarm's action whose ARN is a group's policy's. Raises AwsError."""
        await self.scaling.act(arn, signal)

    def _gone(self, scope: Scope, group: str) -> None:
        """A group has gone, and what belongs to it goes too."""
        for one in self.schedules.of(scope):
            if one.group == group:
                self.schedules.delete(scope, one.key)
        self.timetable.changed(scope.account)
        self.platform.spawn(self.scaling.forget(scope, group), f"policies of group {group}")

    def note_failure(self, scope: Scope, facts: Params, one: GroupSchedule, error: AwsError, now: float) -> None:
        """An activity that has failed."""
        self.controller.fail_schedule(scope, facts, one.name, error, now)

    def _refuse_instances(self, operation: str, most: int) -> None:
        if most and self._why_none():
            raise NotImplementedByDrydock("autoscaling", operation, self._why_none())

    async def create_auto_scaling_group(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """CreateAutoScalingGroup."""
        self._refuse_instances("CreateAutoScalingGroup", params.get("MaxSize", 0))
        policy = params.get("MixedInstancesPolicy") or {}
        distribution = policy.get("InstancesDistribution") or {}
        if distribution.get("OnDemandPercentageAboveBaseCapacity", 100) != 100:
            instead = "Its groups have On-Demand Instances only; leave OnDemandPercentageAboveBaseCapacity at 100."
            raise NotImplementedByDrydock("autoscaling", "CreateAutoScalingGroup", instead)
        if params.get("LifecycleHookSpecificationList"):
            instead = "Lifecycle hooks are not part of it."
            raise NotImplementedByDrydock("autoscaling", "CreateAutoScalingGroup", instead)
        self.controller.expect(request.scope, params["AutoScalingGroupName"])
        return await self._moto(request, "CreateAutoScalingGroup", params)

    async def update_auto_scaling_group(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """UpdateAutoScalingGroup."""
        self._refuse_instances("UpdateAutoScalingGroup", params.get("MaxSize", 0))
        return await self._moto(request, "UpdateAutoScalingGroup", params)

    async def terminate_instance_in_auto_scaling_group(
        self, request: Request, params: dict[str, Any]
    ) -> dict[str, Any]:
        """TerminateInstanceInAutoScalingGroup."""
        instance = params["InstanceId"]
        groups = (await self._ask(request.scope, "autoscaling", "DescribeGroups", {}))["groups"]
        await self._moto(request, "TerminateInstanceInAutoScalingGroup", params)
        group = next(g for g in groups if any(m["id"] == instance for m in g["members"]))
        now = self.platform.clock(request.account).now()
        cause = rules.terminate_cause("", rules.USER, now, instance, 0, 0)
        if params["ShouldDecrementDesiredCapacity"]:
            sizes = f"shrinking the capacity from {group['desired']} to {group['desired'] - 1}."
            cause = f"{cause[:-1]}, {sizes}"
        made = self.controller.begin_by_user(request.scope, group["name"], group["arn"], instance, cause)
        return {"Activity": made.describe()}

    async def describe_scaling_activities(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """DescribeScalingActivities: the latest first, those under way before all others."""
        name, wanted = params.get("AutoScalingGroupName"), params.get("ActivityIds") or []
        found = [
            activity
            for activity in self.controller.activities.of(request.scope)
            if (not name or activity.group == name) and (not wanted or activity.id in wanted)
        ]
        if name and not found and name not in self.controller.seen.names(request.scope):
            groups = (await self._ask(request.scope, "autoscaling", "DescribeGroups", {}))["groups"]
            if name not in {group["name"] for group in groups}:
                raise AwsError(
                    "ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
                )
        found.reverse()
        found.sort(key=lambda activity: activity.end is not None)
        start, most = int(params.get("NextToken") or 0), params.get("MaxRecords") or 100
        answer: dict[str, Any] = {"Activities": [activity.describe() for activity in found[start : start + most]]}
        if len(found) > start + most:
            answer["NextToken"] = str(start + most)
        return answer
