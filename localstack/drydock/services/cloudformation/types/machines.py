"""EC2 instances, launch templates and Auto Scaling groups."""

from __future__ import annotations

from typing import Any

from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.types.base import (
    LOGICAL_ID,
    STACK_ID,
    NotFound,
    Params,
    ResourceType,
    Work,
    picked,
    shaped,
    unless,
)
from drydock.services.cloudformation.types.ec2 import Ec2Type


class Instance(Ec2Type):
    """Complete when it runs."""

    name = "AWS::EC2::Instance"
    passes = (
        "ImageId", "InstanceType", "KeyName", "SubnetId", "SecurityGroupIds", "SecurityGroups", "IamInstanceProfile",
        "UserData", "LaunchTemplate", "NetworkInterfaces", "AvailabilityZone", "PrivateIpAddress", "BlockDeviceMappings",
        "Monitoring", "EbsOptimized", "DisableApiTermination", "InstanceInitiatedShutdownBehavior", "SourceDestCheck",
        "MetadataOptions", "CreditSpecification", "PropagateTagsToVolumeOnCreation", "Tags",
    )  # fmt: skip
    lacking_values = {"SourceDestCheck": (True,), "PropagateTagsToVolumeOnCreation": (False,)}
    """Properties that are taken only if they say what is so anyway"""
    replaces = frozenset(
        {"UserData", "InstanceType", "IamInstanceProfile", "SecurityGroupIds", "DisableApiTermination", "Monitoring",
         "EbsOptimized", "InstanceInitiatedShutdownBehavior", "MetadataOptions", "CreditSpecification",
         "BlockDeviceMappings", "LaunchTemplate", "NetworkInterfaces"}
    )  # fmt: skip
    creates = ("RunInstances", "Instances", "InstanceId")
    describes = ("DescribeInstances", "InstanceIds", "Reservations")
    deletes = ("TerminateInstances", "InstanceIds")
    tagged, code = "instance", "InvalidInstanceID.NotFound"

    def _given(self, work: Work) -> Params:
        for name, values in self.lacking_values.items():
            if work.properties.get(name, values[0]) not in values:
                raise Failed(f"Drydock does not pass on the property {name} of {self.name}; leave it out.")
        skipped = {"Tags", "IamInstanceProfile", "AvailabilityZone", "Monitoring", "NetworkInterfaces"}
        names = [name for name in self.passes if name not in skipped and name not in self.lacking_values]
        given = picked(work.properties, *names)
        if "IamInstanceProfile" in work.properties:
            given["IamInstanceProfile"] = {"Name": work.properties["IamInstanceProfile"]}
        if "AvailabilityZone" in work.properties:
            given["Placement"] = {"AvailabilityZone": work.properties["AvailabilityZone"]}
        if "Monitoring" in work.properties:
            given["Monitoring"] = {"Enabled": work.properties["Monitoring"]}
        if "NetworkInterfaces" in work.properties:
            renamed = {"GroupSet": "Groups"}
            given["NetworkInterfaces"] = [
                {renamed.get(key, key): value for key, value in one.items()}
                for one in work.properties["NetworkInterfaces"]
            ]
        return shaped("ec2", "RunInstances", {**given, "MinCount": 1, "MaxCount": 1})

    async def create(self, work: Work) -> None:
        answer = await work.call("ec2", "RunInstances", **self._given(work), TagSpecifications=self.specification(work))
        work.made(answer["Instances"][0]["InstanceId"])

    async def find(self, work: Work) -> str:
        pairs = ((STACK_ID, work.stack_id), (LOGICAL_ID, work.logical_id))
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in pairs]
        answer = await work.call("ec2", "DescribeInstances", Filters=filters)
        found = [one for reservation in answer["Reservations"] for one in reservation["Instances"]]
        ids = [str(one["InstanceId"]) for one in found if not self.ended(one)]
        return next((one for one in ids if one not in work.others), "")

    def ended(self, described: Params) -> bool:
        return described["State"]["Name"] in ("terminated", "shutting-down")

    async def described(self, work: Work) -> Params:
        found: Params = {}

        async def look() -> None:
            found.update(await work.call("ec2", "DescribeInstances", InstanceIds=[work.physical_id]))

        if not await unless((self.code,), look()) or not found["Reservations"]:
            raise NotFound
        return dict(found["Reservations"][0]["Instances"][0])

    async def steady(self, work: Work) -> bool:
        instance = await self.described(work)
        state = instance["State"]["Name"]
        if state in ("terminated", "shutting-down", "stopped", "stopping"):
            reason = (instance.get("StateReason") or {}).get("Message", "")
            raise Failed(f"Instance {work.physical_id} did not stabilize: it is {state}. {reason}".rstrip())
        return bool(state == "running")

    async def read(self, work: Work) -> Params:
        instance = await self.described(work)
        return {
            "InstanceId": work.physical_id,
            "PrivateIp": instance.get("PrivateIpAddress", ""),
            "PublicIp": instance.get("PublicIpAddress", ""),
            "PrivateDnsName": instance.get("PrivateDnsName", ""),
            "PublicDnsName": instance.get("PublicDnsName", ""),
            "AvailabilityZone": instance["Placement"]["AvailabilityZone"],
            "VpcId": instance.get("VpcId", ""),
            "State": {"Code": str(instance["State"]["Code"]), "Name": instance["State"]["Name"]},
        }

    async def delete(self, work: Work) -> None:
        if (await self.described(work))["State"]["Name"] == "terminated":
            raise NotFound
        call = work.call("ec2", "TerminateInstances", InstanceIds=[work.physical_id])
        if not await unless((self.code,), call):
            raise NotFound

    async def gone(self, work: Work) -> bool:
        return bool((await self.described(work))["State"]["Name"] == "terminated")


class LaunchTemplate(ResourceType):
    name = "AWS::EC2::LaunchTemplate"
    service = "ec2"
    passes = ("LaunchTemplateName", "LaunchTemplateData", "VersionDescription", "TagSpecifications")
    replaces = frozenset({"TagSpecifications"})
    _absent = ("InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.NotFoundException")

    def _data(self, work: Work) -> Params:
        given = {"LaunchTemplateName": "x", "LaunchTemplateData": work.properties["LaunchTemplateData"]}
        data: Params = shaped("ec2", "CreateLaunchTemplate", given)["LaunchTemplateData"]
        return data

    async def create(self, work: Work) -> None:
        tags = [
            one for one in work.properties.get("TagSpecifications") or [] if one["ResourceType"] == "launch-template"
        ]
        own = [{"Key": one["Key"], "Value": one["Value"]} for part in tags for one in part.get("Tags", [])]
        answer = await work.call(
            "ec2",
            "CreateLaunchTemplate",
            LaunchTemplateName=work.name("LaunchTemplateName", 128),
            LaunchTemplateData=self._data(work),
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": [*own, *work.stack_tags, *work.own_tags]}],
            **picked(work.properties, "VersionDescription"),
        )
        work.made(answer["LaunchTemplate"]["LaunchTemplateId"])

    async def _found(self, work: Work, **by: Any) -> Params | None:
        found: Params = {}

        async def look() -> None:
            found.update(await work.call("ec2", "DescribeLaunchTemplates", **by))

        codes = (*self._absent, "InvalidLaunchTemplateName.NotFoundException")
        there = await unless(codes, look()) and found.get("LaunchTemplates")
        return dict(found["LaunchTemplates"][0]) if there else None

    async def find(self, work: Work) -> str:
        found = await self._found(work, LaunchTemplateNames=[work.name("LaunchTemplateName", 128)])
        return str(found["LaunchTemplateId"]) if found else ""

    async def read(self, work: Work) -> Params:
        found = await self._found(work, LaunchTemplateIds=[work.physical_id])
        if found is None:
            raise NotFound
        return {
            "LaunchTemplateId": work.physical_id,
            "LatestVersionNumber": str(found["LatestVersionNumber"]),
            "DefaultVersionNumber": str(found["DefaultVersionNumber"]),
        }

    async def update(self, work: Work) -> None:
        given = {"LaunchTemplateData": self._data(work), **picked(work.properties, "VersionDescription")}
        await work.call("ec2", "CreateLaunchTemplateVersion", LaunchTemplateId=work.physical_id, **given)

    async def delete(self, work: Work) -> None:
        call = work.call("ec2", "DeleteLaunchTemplate", LaunchTemplateId=work.physical_id)
        if not await unless(self._absent, call):
            raise NotFound


class AutoScalingGroup(ResourceType):
    """Complete when it is made; with a creation policy, when its instances have signalled."""

    name = "AWS::AutoScaling::AutoScalingGroup"
    service = "autoscaling"
    passes = (
        "AutoScalingGroupName", "MinSize", "MaxSize", "DesiredCapacity", "LaunchTemplate", "VPCZoneIdentifier",
        "AvailabilityZones", "HealthCheckType", "HealthCheckGracePeriod", "Cooldown", "TargetGroupARNs",
        "NewInstancesProtectedFromScaleIn", "TerminationPolicies", "MixedInstancesPolicy", "CapacityRebalance", "Tags",
    )  # fmt: skip
    changeable = (
        "MinSize", "MaxSize", "DesiredCapacity", "LaunchTemplate", "VPCZoneIdentifier", "AvailabilityZones",
        "HealthCheckType", "HealthCheckGracePeriod", "Cooldown", "NewInstancesProtectedFromScaleIn",
        "TerminationPolicies", "MixedInstancesPolicy", "CapacityRebalance",
    )  # fmt: skip
    renamed = {"Cooldown": "DefaultCooldown"}

    def _name(self, work: Work) -> str:
        return work.name("AutoScalingGroupName", 255)

    def _given(self, work: Work, names: tuple[str, ...]) -> Params:
        given = picked(work.properties, *names)
        zones = given.get("VPCZoneIdentifier")
        if isinstance(zones, list):
            given["VPCZoneIdentifier"] = ",".join(zones)
        return {self.renamed.get(name, name): value for name, value in given.items()}

    def _tags(self, work: Work) -> list[Params]:
        own = [dict(one) for one in work.properties.get("Tags") or []]
        keys = {one["Key"] for one in own}
        further = [one for one in work.stack_tags if one["Key"] not in keys]
        own += [{**one, "PropagateAtLaunch": True} for one in further]
        own += [{**one, "PropagateAtLaunch": True} for one in work.own_tags]
        name = self._name(work)
        return [{**one, "ResourceId": name, "ResourceType": "auto-scaling-group"} for one in own]

    async def create(self, work: Work) -> None:
        names = tuple(one for one in self.passes if one not in ("AutoScalingGroupName", "Tags"))
        given = {"AutoScalingGroupName": self._name(work), **self._given(work, names)}
        shape = shaped("autoscaling", "CreateAutoScalingGroup", given)
        await work.call("autoscaling", "CreateAutoScalingGroup", **shape, Tags=self._tags(work))
        work.made(self._name(work))

    async def _described(self, work: Work, name: str) -> Params | None:
        answer = await work.call("autoscaling", "DescribeAutoScalingGroups", AutoScalingGroupNames=[name])
        return dict(answer["AutoScalingGroups"][0]) if answer["AutoScalingGroups"] else None

    async def find(self, work: Work) -> str:
        name = self._name(work)
        return name if await self._described(work, name) else ""

    async def read(self, work: Work) -> Params:
        found = await self._described(work, work.physical_id)
        return {"AutoScalingGroupARN": found["AutoScalingGroupARN"]} if found else {}

    async def update(self, work: Work) -> None:
        if work.changed("TargetGroupARNs"):
            old, new = work.old.get("TargetGroupARNs") or [], work.properties.get("TargetGroupARNs") or []
            for operation, arns in (
                ("DetachLoadBalancerTargetGroups", [one for one in old if one not in new]),
                ("AttachLoadBalancerTargetGroups", [one for one in new if one not in old]),
            ):
                if arns:
                    given = {"AutoScalingGroupName": work.physical_id, "TargetGroupARNs": arns}
                    await work.call("autoscaling", operation, **given)
        changed = tuple(name for name in self.changeable if work.changed(name))
        if changed:
            given = {"AutoScalingGroupName": work.physical_id, **self._given(work, changed)}
            shape = shaped("autoscaling", "UpdateAutoScalingGroup", given)
            await work.call("autoscaling", "UpdateAutoScalingGroup", **shape)
        if work.changed("Tags"):
            where = {"ResourceId": work.physical_id, "ResourceType": "auto-scaling-group"}
            if work.gone_tags:
                await work.call("autoscaling", "DeleteTags", Tags=[{"Key": key, **where} for key in work.gone_tags])
            await work.call("autoscaling", "CreateOrUpdateTags", Tags=self._tags(work))

    async def delete(self, work: Work) -> None:
        if await self._described(work, work.physical_id) is None:
            raise NotFound
        await work.call(
            "autoscaling", "DeleteAutoScalingGroup", AutoScalingGroupName=work.physical_id, ForceDelete=True
        )

    async def gone(self, work: Work) -> bool:
        if await self._described(work, work.physical_id) is not None:
            return False
        filters = [{"Name": "tag:aws:autoscaling:groupName", "Values": [work.physical_id]}]
        answer = await work.call("ec2", "DescribeInstances", Filters=filters)
        states = [one["State"]["Name"] for group in answer["Reservations"] for one in group["Instances"]]
        return all(state == "terminated" for state in states)


TYPES: tuple[type[ResourceType], ...] = (Instance, LaunchTemplate, AutoScalingGroup)
