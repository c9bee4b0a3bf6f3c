"""Elastic Load Balancing, version 2."""

from __future__ import annotations

from typing import Any, ClassVar

from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.intrinsics import text_of
from drydock.services.cloudformation.types.base import NotFound, Params, ResourceType, Work, picked, shaped, unless


class ElbType(ResourceType):
    """One that is described by its ARN."""

    service = "elbv2"
    describes: ClassVar[tuple[str, str, str]]
    """Operation, its parameter for ARNs, the answer's member"""
    deletes: ClassVar[tuple[str, str]]
    code: ClassVar[str]
    """Of the error for an unknown one"""

    async def described(self, work: Work) -> Params:
        """Its description. Raises NotFound."""
        operation, parameter, member = self.describes
        found: Params = {}

        async def look() -> None:
            found.update(await work.call("elbv2", operation, **{parameter: [work.physical_id]}))

        if not await unless((self.code,), look()) or not found[member]:
            raise NotFound
        return dict(found[member][0])

    async def delete(self, work: Work) -> None:
        operation, parameter = self.deletes
        if not await unless((self.code,), work.call("elbv2", operation, **{parameter: work.physical_id})):
            raise NotFound

    async def retag(self, work: Work) -> None:
        """Changed tags."""
        if not work.changed("Tags"):
            return
        gone = work.gone_tags
        if gone:
            await work.call("elbv2", "RemoveTags", ResourceArns=[work.physical_id], TagKeys=gone)
        if work.user_tags:
            await work.call("elbv2", "AddTags", ResourceArns=[work.physical_id], Tags=work.user_tags)

    def tagging(self, work: Work) -> Params:
        """Tags at creation."""
        return {"Tags": work.user_tags} if work.user_tags else {}

    def attributes(self, work: Work, member: str) -> Params:
        """Key and value pairs as text."""
        pairs = work.properties.get(member) or []
        return {"Attributes": [{"Key": text_of(one["Key"]), "Value": text_of(one["Value"])} for one in pairs]}


class _Named(ElbType):
    """Load balancers and target groups: found by their names."""

    whole = False
    member: ClassVar[str]
    """The answer's member for the ARN"""

    async def find(self, work: Work) -> str:
        operation, _, member = self.describes
        found: Params = {}

        async def look() -> None:
            found.update(await work.call("elbv2", operation, Names=[work.name("Name", 32)]))

        return str(found[member][0][self.member]) if await unless((self.code,), look()) and found[member] else ""


class LoadBalancer(_Named):
    name = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    passes = (
        "Name", "Scheme", "Type", "IpAddressType", "Subnets", "SubnetMappings", "SecurityGroups", "LoadBalancerAttributes",
        "Tags",
    )  # fmt: skip
    describes = ("DescribeLoadBalancers", "LoadBalancerArns", "LoadBalancers")
    deletes = ("DeleteLoadBalancer", "LoadBalancerArn")
    member, code = "LoadBalancerArn", "LoadBalancerNotFound"

    async def create(self, work: Work) -> None:
        names = ("Scheme", "Type", "IpAddressType", "Subnets", "SubnetMappings", "SecurityGroups")
        given = {"Name": work.name("Name", 32), **picked(work.properties, *names)}
        shape = shaped("elbv2", "CreateLoadBalancer", given)
        answer = await work.call("elbv2", "CreateLoadBalancer", **shape, **self.tagging(work))
        work.made(answer["LoadBalancers"][0]["LoadBalancerArn"])
        if work.properties.get("LoadBalancerAttributes"):
            await self._attributes(work)

    async def _attributes(self, work: Work) -> None:
        given = self.attributes(work, "LoadBalancerAttributes")
        if given["Attributes"]:
            await work.call("elbv2", "ModifyLoadBalancerAttributes", LoadBalancerArn=work.physical_id, **given)

    async def steady(self, work: Work) -> bool:
        state = (await self.described(work)).get("State") or {}
        if state.get("Code") == "failed":
            raise Failed(f"Load balancer {work.physical_id} failed: {state.get('Reason', '')}")
        return bool(state.get("Code") in ("active", "active_impaired"))

    async def read(self, work: Work) -> Params:
        one = await self.described(work)
        return {
            "LoadBalancerArn": work.physical_id,
            "DNSName": one.get("DNSName", ""),
            "CanonicalHostedZoneID": one.get("CanonicalHostedZoneId", ""),
            "LoadBalancerFullName": work.physical_id.partition(":loadbalancer/")[2],
            "LoadBalancerName": one.get("LoadBalancerName", ""),
            "SecurityGroups": one.get("SecurityGroups", []),
        }

    async def update(self, work: Work) -> None:
        me = {"LoadBalancerArn": work.physical_id}
        if work.changed("SecurityGroups"):
            await work.call(
                "elbv2", "SetSecurityGroups", **me, SecurityGroups=work.properties.get("SecurityGroups") or []
            )
        if work.changed("Subnets") or work.changed("SubnetMappings"):
            await work.call("elbv2", "SetSubnets", **me, **picked(work.properties, "Subnets", "SubnetMappings"))
        if work.changed("IpAddressType"):
            kind = work.properties.get("IpAddressType", "ipv4")
            await work.call("elbv2", "SetIpAddressType", **me, IpAddressType=kind)
        if work.changed("LoadBalancerAttributes"):
            await self._attributes(work)
        await self.retag(work)


class TargetGroup(_Named):
    name = "AWS::ElasticLoadBalancingV2::TargetGroup"
    health = (
        "HealthCheckEnabled", "HealthCheckIntervalSeconds", "HealthCheckPath", "HealthCheckPort", "HealthCheckProtocol",
        "HealthCheckTimeoutSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount", "Matcher",
    )  # fmt: skip
    passes = (
        "Name", "Protocol", "ProtocolVersion", "Port", "VpcId", "TargetType", "IpAddressType", *health, "Targets",
        "TargetGroupAttributes", "Tags",
    )  # fmt: skip
    describes = ("DescribeTargetGroups", "TargetGroupArns", "TargetGroups")
    deletes = ("DeleteTargetGroup", "TargetGroupArn")
    member, code = "TargetGroupArn", "TargetGroupNotFound"

    async def create(self, work: Work) -> None:
        names = ("Protocol", "ProtocolVersion", "Port", "VpcId", "TargetType", "IpAddressType", *self.health)
        given = {"Name": work.name("Name", 32), **picked(work.properties, *names)}
        shape = shaped("elbv2", "CreateTargetGroup", given)
        answer = await work.call("elbv2", "CreateTargetGroup", **shape, **self.tagging(work))
        work.made(answer["TargetGroups"][0]["TargetGroupArn"])
        if work.properties.get("TargetGroupAttributes"):
            await self._attributes(work)
        await self._targets(work, [])

    async def _attributes(self, work: Work) -> None:
        given = self.attributes(work, "TargetGroupAttributes")
        if given["Attributes"]:
            await work.call("elbv2", "ModifyTargetGroupAttributes", TargetGroupArn=work.physical_id, **given)

    async def _targets(self, work: Work, old: list[Params]) -> None:
        new = work.properties.get("Targets") or []
        for operation, targets in (
            ("DeregisterTargets", [one for one in old if one not in new]),
            ("RegisterTargets", [one for one in new if one not in old]),
        ):
            if targets:
                given = {"TargetGroupArn": work.physical_id, "Targets": targets}
                await work.call("elbv2", operation, **shaped("elbv2", operation, given))

    async def read(self, work: Work) -> Params:
        one = await self.described(work)
        return {
            "TargetGroupArn": work.physical_id,
            "TargetGroupFullName": work.physical_id.rpartition(":")[2],
            "TargetGroupName": one.get("TargetGroupName", ""),
            "LoadBalancerArns": one.get("LoadBalancerArns", []),
        }

    async def update(self, work: Work) -> None:
        if any(work.changed(name) for name in self.health):
            given = {"TargetGroupArn": work.physical_id, **picked(work.properties, *self.health)}
            await work.call("elbv2", "ModifyTargetGroup", **shaped("elbv2", "ModifyTargetGroup", given))
        if work.changed("TargetGroupAttributes"):
            await self._attributes(work)
        await self._targets(work, work.old.get("Targets") or [])
        await self.retag(work)


def actions(properties: Params, member: str) -> list[Params]:
    """Actions as the API has them: what CloudFormation calls by longer names are plain members there."""
    found = []
    for action in properties.get(member) or []:
        one: dict[str, Any] = dict(action)
        if "AuthenticateCognitoConfig" in one or "AuthenticateOidcConfig" in one:
            raise Failed("Drydock's load balancers do not authenticate; leave these actions out.")
        found.append(one)
    return found


class Listener(ElbType):
    name = "AWS::ElasticLoadBalancingV2::Listener"
    passes = ("LoadBalancerArn", "Port", "Protocol", "SslPolicy", "Certificates", "AlpnPolicy", "DefaultActions")
    changeable = ("Port", "Protocol", "SslPolicy", "Certificates", "AlpnPolicy", "DefaultActions")
    describes = ("DescribeListeners", "ListenerArns", "Listeners")
    deletes = ("DeleteListener", "ListenerArn")
    code = "ListenerNotFound"

    def _given(self, work: Work, *names: str) -> Params:
        given = picked(work.properties, *names)
        if "DefaultActions" in given:
            given["DefaultActions"] = actions(work.properties, "DefaultActions")
        return given

    async def create(self, work: Work) -> None:
        shape = shaped("elbv2", "CreateListener", self._given(work, *self.passes))
        tags = {"Tags": work.stack_tags} if work.stack_tags else {}
        answer = await work.call("elbv2", "CreateListener", **shape, **tags)
        work.made(answer["Listeners"][0]["ListenerArn"])

    async def find(self, work: Work) -> str:
        answer = await work.call("elbv2", "DescribeListeners", LoadBalancerArn=work.properties["LoadBalancerArn"])
        port = work.properties.get("Port")
        ports = {one.get("Port"): str(one["ListenerArn"]) for one in answer.get("Listeners", [])}
        return ports.get(int(port), "") if port is not None else ""

    async def read(self, work: Work) -> Params:
        return {"ListenerArn": work.physical_id}

    async def update(self, work: Work) -> None:
        shape = shaped("elbv2", "ModifyListener", self._given(work, *self.changeable))
        await work.call("elbv2", "ModifyListener", ListenerArn=work.physical_id, **shape)


class ListenerRule(ElbType):
    name = "AWS::ElasticLoadBalancingV2::ListenerRule"
    passes = ("ListenerArn", "Priority", "Conditions", "Actions")
    describes = ("DescribeRules", "RuleArns", "Rules")
    deletes = ("DeleteRule", "RuleArn")
    code = "RuleNotFound"

    def _given(self, work: Work) -> Params:
        conditions = []
        for condition in work.properties.get("Conditions") or []:
            one = dict(condition)
            for name in ("HostHeaderConfig", "PathPatternConfig", "HttpHeaderConfig", "HttpRequestMethodConfig"):
                if name in one and not isinstance(one[name], dict):
                    raise Failed(f"{name} must be an object.")
            conditions.append(one)
        return {"Conditions": conditions, "Actions": actions(work.properties, "Actions")}

    async def create(self, work: Work) -> None:
        given = {**picked(work.properties, "ListenerArn", "Priority"), **self._given(work)}
        tags = {"Tags": work.stack_tags} if work.stack_tags else {}
        answer = await work.call("elbv2", "CreateRule", **shaped("elbv2", "CreateRule", given), **tags)
        work.made(answer["Rules"][0]["RuleArn"])

    async def find(self, work: Work) -> str:
        answer = await work.call("elbv2", "DescribeRules", ListenerArn=work.properties["ListenerArn"])
        rules = {str(one["Priority"]): str(one["RuleArn"]) for one in answer.get("Rules", [])}
        return rules.get(text_of(work.properties["Priority"]), "")

    async def read(self, work: Work) -> Params:
        return {"RuleArn": work.physical_id, "IsDefault": bool((await self.described(work)).get("IsDefault"))}

    async def update(self, work: Work) -> None:
        if work.changed("Priority"):
            pair = {"RuleArn": work.physical_id, "Priority": int(work.properties["Priority"])}
            await work.call("elbv2", "SetRulePriorities", RulePriorities=[pair])
        if work.changed("Conditions") or work.changed("Actions"):
            shape = shaped("elbv2", "ModifyRule", self._given(work))
            await work.call("elbv2", "ModifyRule", RuleArn=work.physical_id, **shape)


TYPES: tuple[type[ResourceType], ...] = (LoadBalancer, TargetGroup, Listener, ListenerRule)
