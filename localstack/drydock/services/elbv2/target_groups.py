"""Operations on target groups. The messages marked with (?) are to be compared with AWS."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.elbv2 import attributes, checks, errors
from drydock.services.elbv2.listener_rules import RuleOperations
from drydock.services.elbv2.model import TargetGroup
from drydock.services.elbv2.registry import Params
from drydock.store import Scope

MOST_GROUPS = 3000
OTHER_PROTOCOLS = ("TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC")


class TargetGroupOperations(RuleOperations):
    """CreateTargetGroup, DeleteTargetGroup, ModifyTargetGroup, DescribeTargetGroups, ...TargetGroupAttributes."""

    async def create_target_group(self, request: Request, params: Params) -> dict[str, Any]:
        """Asked for again with the same settings, the answer is the one there is."""
        scope, name = request.scope, params["Name"]
        checks.check_name(name, "Target group")
        checks.check_tags(params.get("Tags", []))
        kind = self._kind(params)
        for member, what in (("Protocol", "protocol"), ("Port", "port"), ("VpcId", "VPC ID")):
            if params.get(member) is None:
                raise errors.invalid(f"A {what} must be specified")
        health = checks.health_of(params, checks.default_health(params), "CreateTargetGroup")
        found = await self.ec2(scope, "DescribeVpcs", {})
        if params["VpcId"] not in {vpc["VpcId"] for vpc in found.get("Vpcs", [])}:
            raise errors.invalid(f"The VPC ID '{params['VpcId']}' is not found")
        before = next((one for one in self.groups.of(scope) if one.name == name), None)
        if before is not None:
            asked = (params["Protocol"], params["Port"], params["VpcId"], kind, health)
            if (before.protocol, before.port, before.vpc_id, before.target_type, before.health) != asked:
                raise AwsError(
                    "DuplicateTargetGroupName",
                    f"A target group with the same name '{name}' exists, but with different settings",
                )
            return self._shown(scope, [before])
        if len(self.groups.of(scope)) >= MOST_GROUPS:
            raise AwsError("TooManyTargetGroups", "The maximum number of target groups has been reached")  # (?)
        number = self.platform.ids.hexadecimal(scope, "target-group", name, 16)
        arn = f"arn:aws:elasticloadbalancing:{scope.region}:{scope.account}:targetgroup/{name}/{number}"
        made = TargetGroup(arn, name, params["Protocol"], params["Port"], params["VpcId"], kind, health)
        made.tags = list(params.get("Tags", []))
        self.groups.put(scope, arn, made)
        return self._shown(scope, [made])

    @staticmethod
    def _kind(params: Params) -> str:
        """The target type. Raises AwsError, 501 for what is not here."""
        kind = params.get("TargetType") or "instance"
        if kind not in ("instance", "ip", "lambda", "alb"):
            raise errors.invalid(f"Target type '{kind}' must be one of '[instance, ip, lambda, alb]'")  # (?)
        if kind in ("lambda", "alb"):
            raise NotImplementedByDrydock("elbv2", f"CreateTargetGroup with TargetType {kind}", "Use ip or instance.")
        protocol = params.get("Protocol")
        if protocol in OTHER_PROTOCOLS or protocol == "HTTPS":
            raise NotImplementedByDrydock("elbv2", f"CreateTargetGroup with Protocol {protocol}", "Use HTTP or TCP.")
        if protocol not in (None, "HTTP", "TCP"):
            raise errors.invalid(f"Target group protocol '{protocol}' must be one of 'HTTP, HTTPS'")  # (?)
        if params.get("ProtocolVersion") and protocol == "TCP":
            raise errors.invalid("A protocol version cannot be specified for TCP target groups")  # (?)
        if (params.get("ProtocolVersion") or "HTTP1") != "HTTP1":
            raise NotImplementedByDrydock("elbv2", f"CreateTargetGroup with {params['ProtocolVersion']}", "Use HTTP1.")
        if (params.get("IpAddressType") or "ipv4") != "ipv4":
            raise NotImplementedByDrydock("elbv2", "CreateTargetGroup with IPv6 targets", "Use IpAddressType ipv4.")
        if params.get("TargetControlPort"):
            raise NotImplementedByDrydock("elbv2", "CreateTargetGroup with TargetControlPort")
        return kind

    def _shown(self, scope: Scope, groups: list[TargetGroup]) -> dict[str, Any]:
        return {"TargetGroups": [group.describe(self.balancers_of(scope, group.arn)) for group in groups]}

    async def delete_target_group(self, request: Request, params: Params) -> dict[str, Any]:
        """Not while a listener or a rule refers to it. Deleting one that is not there succeeds."""
        arn = params["TargetGroupArn"]
        self._check_arn(arn, "targetgroup/", "target group")
        if self.balancers_of(request.scope, arn):
            code, message = errors.IN_USE
            raise AwsError(code, message.format(arn))
        self.groups.delete(request.scope, arn)
        await self.changed(request)
        return {}

    async def modify_target_group(self, request: Request, params: Params) -> dict[str, Any]:
        """Its health check."""
        found = self.group(request.scope, params["TargetGroupArn"])
        found.health = checks.health_of(params, found.health, "ModifyTargetGroup")
        self.groups.put(request.scope, found.arn, found)
        await self.changed(request)
        return self._shown(request.scope, [found])

    def describe_target_groups(self, request: Request, params: Params) -> dict[str, Any]:
        """All, those of a load balancer, or by ARNs or names."""
        scope = request.scope
        given = [name for name in ("LoadBalancerArn", "TargetGroupArns", "Names") if params.get(name)]
        if len(given) > 1:
            raise errors.invalid(
                "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time"  # (?)
            )
        listed = self.groups.of(scope)
        if params.get("LoadBalancerArn"):
            used = self.groups_of(scope, self.balancer(scope, params["LoadBalancerArn"]).arn)
            listed = [one for one in listed if one.arn in used]
        for member, of in (("TargetGroupArns", "arn"), ("Names", "name")):
            if params.get(member):
                known = {getattr(one, of): one for one in listed}
                if any(each not in known for each in params[member]):
                    raise AwsError(*errors.NO_TARGET_GROUPS)
                listed = [known[each] for each in params[member]]
        shown, more = self.page(listed, params)
        return {**self._shown(scope, shown), **more}

    def describe_target_group_attributes(self, request: Request, params: Params) -> dict[str, Any]:
        """All, with their defaults."""
        found = self.group(request.scope, params["TargetGroupArn"])
        return {"Attributes": attributes.shown(attributes.of_group(found.protocol), found.attributes)}

    async def modify_target_group_attributes(self, request: Request, params: Params) -> dict[str, Any]:
        """Those given; the others stay."""
        found = self.group(request.scope, params["TargetGroupArn"])
        given = attributes.checked(
            attributes.of_group(found.protocol), params["Attributes"], "Target group", "ModifyTargetGroupAttributes"
        )
        if found.protocol != "TCP":
            attributes.check_group(found.attributes | given)
        found.attributes = found.attributes | given
        self.groups.put(request.scope, found.arn, found)
        await self.changed(request)
        return {"Attributes": attributes.shown(attributes.of_group(found.protocol), found.attributes)}
