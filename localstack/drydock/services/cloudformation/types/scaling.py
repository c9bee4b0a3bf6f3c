"""Scalable targets and policies of Application Auto Scaling; policies and scheduled actions of EC2 Auto Scaling groups."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.intrinsics import text_of
from drydock.services.cloudformation.types.base import NotFound, Params, ResourceType, Work, picked, shaped, unless

_PLACE = ("ServiceNamespace", "ResourceId", "ScalableDimension")
_ABSENT = ("ObjectNotFoundException",)
_GONE = ("ValidationError",)


def moment(value: Any) -> datetime:
    """A time of a template. Raises Failed."""
    try:
        found = datetime.fromisoformat(text_of(value))
    except ValueError:
        raise Failed(f"{value} is not a valid time.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def place_of(target_id: str) -> Params:
    """From what Ref of a scalable target gives. Raises Failed."""
    parts = target_id.split("|")
    if len(parts) != 3:
        raise Failed(f"{target_id} is not the id of a scalable target.")
    return {"ResourceId": parts[0], "ScalableDimension": parts[1], "ServiceNamespace": parts[2]}


class ScalableTarget(ResourceType):
    """Its scheduled actions are written after it."""

    name = "AWS::ApplicationAutoScaling::ScalableTarget"
    service = "application-autoscaling"
    passes = (*_PLACE, "MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState", "ScheduledActions", "Tags")
    whole = False

    def _place(self, work: Work) -> Params:
        return {name: text_of(work.properties[name]) for name in _PLACE}

    def _id(self, work: Work) -> str:
        place = self._place(work)
        return f"{place['ResourceId']}|{place['ScalableDimension']}|{place['ServiceNamespace']}"

    def _given(self, work: Work) -> Params:
        given = picked(work.properties, "MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState")
        return shaped(self.service, "RegisterScalableTarget", {**self._place(work), **given})

    async def _held(self, work: Work) -> Params | None:
        place = self._place(work)
        place["ResourceIds"] = [place.pop("ResourceId")]
        found = (await work.call(self.service, "DescribeScalableTargets", **place))["ScalableTargets"]
        return found[0] if found else None

    async def create(self, work: Work) -> None:
        tags = {one["Key"]: one["Value"] for one in work.user_tags}
        given = {**self._given(work), **({"Tags": tags} if tags else {})}
        await work.call(self.service, "RegisterScalableTarget", **given)
        work.made(self._id(work))
        await self._schedule(work, [])

    async def find(self, work: Work) -> str:
        return self._id(work) if await self._held(work) else ""

    async def read(self, work: Work) -> Params:
        return {"Id": self._id(work)}

    async def update(self, work: Work) -> None:
        await work.call(self.service, "RegisterScalableTarget", **self._given(work))
        held = await self._held(work)
        if held is not None and work.changed("Tags"):
            arn = held["ScalableTargetARN"]
            if work.gone_tags:
                await work.call(self.service, "UntagResource", ResourceARN=arn, TagKeys=work.gone_tags)
            tags = {one["Key"]: one["Value"] for one in work.user_tags}
            if tags:
                await work.call(self.service, "TagResource", ResourceARN=arn, Tags=tags)
        await self._schedule(work, work.old.get("ScheduledActions") or [])

    async def _schedule(self, work: Work, old: list[Params]) -> None:
        place, wanted = self._place(work), work.properties.get("ScheduledActions") or []
        names = {one["ScheduledActionName"] for one in wanted}
        for one in old:
            if one["ScheduledActionName"] not in names:
                gone = work.call(
                    self.service, "DeleteScheduledAction", **place, ScheduledActionName=one["ScheduledActionName"]
                )
                await unless(_ABSENT, gone)
        for one in wanted:
            times = {name: moment(one[name]) for name in ("StartTime", "EndTime") if name in one}
            rest = {name: value for name, value in one.items() if name not in times}
            given = shaped(self.service, "PutScheduledAction", {**place, **rest})
            await work.call(self.service, "PutScheduledAction", **given, **times)

    async def delete(self, work: Work) -> None:
        if not await unless(_ABSENT, work.call(self.service, "DeregisterScalableTarget", **self._place(work))):
            raise NotFound


class ScalingPolicy(ResourceType):
    """Ref gives its ARN."""

    name = "AWS::ApplicationAutoScaling::ScalingPolicy"
    service = "application-autoscaling"
    _configurations = ("StepScalingPolicyConfiguration", "TargetTrackingScalingPolicyConfiguration",
                       "PredictiveScalingPolicyConfiguration")  # fmt: skip
    passes = ("PolicyName", "PolicyType", "ScalingTargetId", *_PLACE, *_configurations)

    def _place(self, work: Work) -> Params:
        if work.properties.get("ScalingTargetId"):
            return place_of(text_of(work.properties["ScalingTargetId"]))
        if not all(work.properties.get(name) for name in _PLACE):
            raise Failed(
                "Either ScalingTargetId or all three of [ResourceId, ScalableDimension, ServiceNamespace] must be specified"
            )
        return {name: text_of(work.properties[name]) for name in _PLACE}

    async def _put(self, work: Work) -> str:
        given = picked(work.properties, "PolicyName", "PolicyType", *self._configurations)
        wanted = shaped(self.service, "PutScalingPolicy", {**self._place(work), **given})
        return str((await work.call(self.service, "PutScalingPolicy", **wanted))["PolicyARN"])

    async def create(self, work: Work) -> None:
        work.made(await self._put(work))

    async def find(self, work: Work) -> str:
        names = [text_of(work.properties["PolicyName"])]
        asked = {**self._place(work), "PolicyNames": names}
        found = (await work.call(self.service, "DescribeScalingPolicies", **asked))["ScalingPolicies"]
        return str(found[0]["PolicyARN"]) if found else ""

    async def read(self, work: Work) -> Params:
        return {"Arn": work.physical_id}

    async def update(self, work: Work) -> None:
        await self._put(work)

    async def delete(self, work: Work) -> None:
        name = text_of(work.properties["PolicyName"])
        gone = work.call(self.service, "DeleteScalingPolicy", **self._place(work), PolicyName=name)
        if not await unless(_ABSENT, gone):
            raise NotFound


class GroupPolicy(ResourceType):
    """Ref gives its ARN; its name is made of the stack's."""

    name = "AWS::AutoScaling::ScalingPolicy"
    service = "autoscaling"
    passes = (
        "AutoScalingGroupName", "PolicyType", "AdjustmentType", "ScalingAdjustment", "Cooldown", "MinAdjustmentMagnitude",
        "MetricAggregationType", "StepAdjustments", "EstimatedInstanceWarmup", "TargetTrackingConfiguration",
        "PredictiveScalingConfiguration",
    )  # fmt: skip

    def _names(self, work: Work) -> Params:
        group = text_of(work.properties["AutoScalingGroupName"])
        return {"AutoScalingGroupName": group, "PolicyName": work.name("PolicyName", 255)}

    async def _put(self, work: Work) -> str:
        given = shaped("autoscaling", "PutScalingPolicy", {**work.properties, **self._names(work)})
        return str((await work.call("autoscaling", "PutScalingPolicy", **given))["PolicyARN"])

    async def create(self, work: Work) -> None:
        work.made(await self._put(work))

    async def find(self, work: Work) -> str:
        names = self._names(work)
        asked = {"AutoScalingGroupName": names["AutoScalingGroupName"], "PolicyNames": [names["PolicyName"]]}
        found = (await work.call("autoscaling", "DescribePolicies", **asked)).get("ScalingPolicies") or []
        return str(found[0]["PolicyARN"]) if found else ""

    async def read(self, work: Work) -> Params:
        return {"Arn": work.physical_id, "PolicyName": work.physical_id.rpartition("policyName/")[2]}

    async def update(self, work: Work) -> None:
        name = work.physical_id.rpartition("policyName/")[2]
        given = {**work.properties, **self._names(work), "PolicyName": name}
        await work.call("autoscaling", "PutScalingPolicy", **shaped("autoscaling", "PutScalingPolicy", given))

    async def delete(self, work: Work) -> None:
        group = text_of(work.properties["AutoScalingGroupName"])
        gone = work.call("autoscaling", "DeletePolicy", AutoScalingGroupName=group, PolicyName=work.physical_id)
        if not await unless(_GONE, gone):
            raise NotFound


class GroupSchedule(ResourceType):
    """Ref gives its name."""

    name = "AWS::AutoScaling::ScheduledAction"
    service = "autoscaling"
    passes = (
        "AutoScalingGroupName", "DesiredCapacity", "MinSize", "MaxSize", "Recurrence", "StartTime", "EndTime", "TimeZone",
    )  # fmt: skip

    def _group(self, work: Work) -> str:
        return text_of(work.properties["AutoScalingGroupName"])

    async def _put(self, work: Work, name: str) -> None:
        times = {one: moment(work.properties[one]) for one in ("StartTime", "EndTime") if work.properties.get(one)}
        rest = {one: value for one, value in work.properties.items() if one not in ("StartTime", "EndTime")}
        given = shaped("autoscaling", "PutScheduledUpdateGroupAction", {**rest, "ScheduledActionName": name})
        await work.call("autoscaling", "PutScheduledUpdateGroupAction", **given, **times)

    async def create(self, work: Work) -> None:
        name = work.name("ScheduledActionName", 255)
        await self._put(work, name)
        work.made(name)

    async def find(self, work: Work) -> str:
        asked = {
            "AutoScalingGroupName": self._group(work),
            "ScheduledActionNames": [work.name("ScheduledActionName", 255)],
        }
        found = (await work.call("autoscaling", "DescribeScheduledActions", **asked)).get("ScheduledUpdateGroupActions")
        return str(found[0]["ScheduledActionName"]) if found else ""

    async def read(self, work: Work) -> Params:
        return {"ScheduledActionName": work.physical_id}

    async def update(self, work: Work) -> None:
        await self._put(work, work.physical_id)

    async def delete(self, work: Work) -> None:
        gone = work.call(
            "autoscaling", "DeleteScheduledAction", AutoScalingGroupName=self._group(work),
            ScheduledActionName=work.physical_id,
        )  # fmt: skip
        if not await unless(_GONE, gone):
            raise NotFound


TYPES: tuple[type[ResourceType], ...] = (ScalableTarget, ScalingPolicy, GroupPolicy, GroupSchedule)
