"""Operations on targets. The messages marked with (?) are to be compared with AWS."""

from __future__ import annotations

import ipaddress
from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.elbv2 import errors, rules
from drydock.services.elbv2.model import Target, TargetGroup
from drydock.services.elbv2.registry import Params
from drydock.services.elbv2.target_groups import TargetGroupOperations
from drydock.store import Scope

MOST_TARGETS = 1000
PRIVATE = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")]


class TargetOperations(TargetGroupOperations):
    """RegisterTargets, DeregisterTargets, DescribeTargetHealth."""

    async def register_targets(self, request: Request, params: Params) -> dict[str, Any]:
        """One that is draining comes back; one that is registered stays as it is."""
        scope = request.scope
        group = self.group(scope, params["TargetGroupArn"])
        check = self._instance if group.target_type == "instance" else self._address
        made = [await check(scope, group, given) for given in params["Targets"]]
        new = [target for target in made if group.target(target.key) is None]
        if len(group.targets) + len(new) > MOST_TARGETS:
            raise AwsError("TooManyTargets", f"A target group can have at most '{MOST_TARGETS}' targets")  # (?)
        for target in made:
            before = group.target(target.key)
            if before is None:
                group.targets.append(target)
            elif before.state == "draining":
                before.state, before.drains_until = "unused", 0.0
        self.groups.put(scope, group.arn, group)
        await self.changed(request)
        return {}

    async def _instance(self, scope: Scope, group: TargetGroup, given: Params) -> Target:
        name = given["Id"]
        if given.get("AvailabilityZone"):
            raise errors.invalid("You cannot specify an Availability Zone for instance targets")  # (?)
        try:
            found = await self.ec2(scope, "DescribeInstances", {"InstanceIds": [name]})
            instance = found["Reservations"][0]["Instances"][0]
        except (AwsError, LookupError) as error:
            raise AwsError("InvalidTarget", f"The following targets do not exist: '{name}'") from error  # (?)
        if instance["State"]["Name"] not in ("running", "pending"):
            raise AwsError(
                "InvalidTarget", f"The following targets are not in a running state and cannot be registered: '{name}'"
            )
        if instance.get("VpcId") != group.vpc_id:
            raise AwsError(
                "InvalidTarget", f"The following targets are not in the target group VPC '{group.vpc_id}': '{name}'"
            )
        return Target(name, given.get("Port") or group.port, own_zone=instance["Placement"]["AvailabilityZone"])

    async def _address(self, scope: Scope, group: TargetGroup, given: Params) -> Target:
        """Of the VPC's own range, or with zone ``all`` of another private one."""
        text, zone = given["Id"], given.get("AvailabilityZone", "")
        try:
            address = ipaddress.IPv4Address(text)
        except ValueError as error:
            raise errors.invalid(f"The IP address '{text}' is not a valid IPv4 address") from error  # (?)
        subnets = (await self.ec2(scope, "DescribeSubnets", {})).get("Subnets", [])
        mine = [one for one in subnets if one["VpcId"] == group.vpc_id]
        own = next((s["AvailabilityZone"] for s in mine if address in ipaddress.ip_network(s["CidrBlock"])), "")
        vpcs = (await self.ec2(scope, "DescribeVpcs", {})).get("Vpcs", [])
        ranges = [
            each["CidrBlock"]
            for vpc in vpcs
            if vpc["VpcId"] == group.vpc_id
            for each in [{"CidrBlock": vpc["CidrBlock"]}, *vpc.get("CidrBlockAssociationSet", [])]
        ]
        if any(address in ipaddress.ip_network(each) for each in ranges):
            if zone == "all":
                raise errors.invalid(
                    f"You cannot specify the Availability Zone 'all' for the IP address '{text}' that is within the VPC"  # (?)
                )
        elif not any(address in network for network in PRIVATE):
            raise errors.invalid(f"The IP address '{text}' is not within a range that can be registered")  # (?)
        elif zone != "all":
            raise errors.invalid(
                f"You must specify the Availability Zone 'all' for the IP address '{text}' that is outside the VPC"  # (?)
            )
        return Target(text, given.get("Port") or group.port, zone, own)

    async def deregister_targets(self, request: Request, params: Params) -> dict[str, Any]:
        """In use, they drain for as long as the group's attribute says. Without a port all of an address or instance go.
        What is not registered is passed over."""
        group = self.group(request.scope, params["TargetGroupArn"])
        for given in params["Targets"]:
            for target in self._meant(group, given):
                self.controller.drain(request.scope, group, target)
        self.groups.put(request.scope, group.arn, group)
        await self.changed(request)
        return {}

    @staticmethod
    def _meant(group: TargetGroup, given: Params) -> list[Target]:
        return [t for t in group.targets if t.id == given["Id"] and given.get("Port") in (None, t.port)]

    def describe_target_health(self, request: Request, params: Params) -> dict[str, Any]:
        """Of all targets, or of those named (also if they are not registered)."""
        group = self.group(request.scope, params["TargetGroupArn"])
        if set(params.get("Include") or []) - {"AnomalyDetection", "All"}:
            raise errors.invalid("Include must be one of [AnomalyDetection, All]")  # (?)
        listed = list(group.targets)
        if params.get("Targets"):
            listed = []
            for given in params["Targets"]:
                absent = rules.standing("unused", "Target.NotRegistered")
                listed += self._meant(group, given) or [
                    Target(given["Id"], given.get("Port") or group.port, "", "", *_triple(absent))
                ]
        return {"TargetHealthDescriptions": [target.describe(group.health.port) for target in listed]}


def _triple(found: rules.Standing) -> tuple[str, str, str]:
    return found.state, found.reason, found.description
