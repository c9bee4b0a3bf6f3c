"""Operations on load balancers. The messages marked with (?) are to be compared with AWS."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.elbv2 import attributes, checks, errors
from drydock.services.elbv2.model import LoadBalancer, Zone
from drydock.services.elbv2.registry import Params, Registry
from drydock.store import Scope

MOST_BALANCERS = 50


class LoadBalancerOperations(Registry):
    """CreateLoadBalancer, DeleteLoadBalancer, DescribeLoadBalancers, ...Attributes, SetSecurityGroups, SetSubnets,
    SetIpAddressType."""

    async def create_load_balancer(self, request: Request, params: Params) -> dict[str, Any]:
        """It is ``provisioning`` at first. Asked for again with the same settings, the answer is the one there is."""
        self._refuse_lacking(params)
        name, scope = params["Name"], request.scope
        checks.check_name(name, "Load balancer")
        checks.check_tags(params.get("Tags", []))
        scheme = params.get("Scheme") or "internet-facing"
        if scheme not in ("internet-facing", "internal"):
            raise errors.invalid(f"Scheme '{scheme}' must be one of '[internet-facing, internal]'")  # (?)
        if scheme == "internal" and self.controller.why_none_inside:
            raise NotImplementedByDrydock(
                "elbv2", "CreateLoadBalancer with Scheme internal", self.controller.why_none_inside
            )
        kind = params.get("Type") or "application"
        vpc, zones = await self._zones(scope, params, scheme, kind)
        groups = params.get("SecurityGroups") or []
        if groups or kind == "application":
            groups = await self._security_groups(scope, groups, vpc)
        before = next((one for one in self.balancers.of(scope) if one.name == name and not one.deleting), None)
        if before is not None:
            asked = {zone.subnet_id for zone in zones}
            if (before.kind, before.scheme, {zone.subnet_id for zone in before.zones}, sorted(before.security_groups)) != (
                kind, scheme, asked, sorted(groups),
            ):  # fmt: skip
                raise AwsError(
                    "DuplicateLoadBalancerName",
                    f"A load balancer with the same name '{name}' exists, but with different settings",
                )
            return {"LoadBalancers": [before.describe()]}
        if len(self.balancers.of(scope)) >= MOST_BALANCERS:
            raise AwsError("TooManyLoadBalancers", "The maximum number of load balancers has been reached")  # (?)
        made = self._made(scope, name, scheme, vpc, zones, groups, kind)
        made.tags = list(params.get("Tags", []))
        self.balancers.put(scope, made.arn, made)
        self.controller.provision(scope, made)
        return {"LoadBalancers": [made.describe()]}

    def _made(
        self, scope: Scope, name: str, scheme: str, vpc: str, zones: list[Zone], groups: list[str], kind: str
    ) -> LoadBalancer:
        ids = self.platform.ids
        number = ids.hexadecimal(scope, "load-balancer", name, 16)
        public = int.from_bytes(ids.digest(scope, "load-balancer-dns", name)[:4], "big")
        prefix = "internal-" if scheme == "internal" else ""
        short, label = ("net", number) if kind == "network" else ("app", str(public))
        return LoadBalancer(
            f"arn:aws:elasticloadbalancing:{scope.region}:{scope.account}:loadbalancer/{short}/{name}/{number}",
            name,
            f"{prefix}{name}-{label}.{scope.region}.elb.localhost",
            scheme,
            vpc,
            self.platform.clock(scope.account).now(),
            groups,
            zones,
            kind=kind,
        )

    @staticmethod
    def _refuse_lacking(params: Params) -> None:
        kind = params.get("Type") or "application"
        if kind not in ("application", "network", "gateway"):
            raise errors.invalid(f"Load balancer type '{kind}' must be one of '[application, network, gateway]'")  # (?)
        if kind == "gateway":
            instead = "Application and Network Load Balancers are there."
            raise NotImplementedByDrydock("elbv2", "CreateLoadBalancer with Type gateway", instead)
        if (params.get("IpAddressType") or "ipv4") != "ipv4":
            raise NotImplementedByDrydock("elbv2", "CreateLoadBalancer with IPv6 addresses", "Use IpAddressType ipv4.")
        for name in ("CustomerOwnedIpv4Pool", "EnablePrefixForIpv6SourceNat", "IpamPools"):
            if params.get(name):
                raise NotImplementedByDrydock("elbv2", f"CreateLoadBalancer with {name}")

    async def _zones(self, scope: Scope, params: Params, scheme: str, kind: str) -> tuple[str, list[Zone]]:
        """The VPC and the zones of the subnets that were given. Raises AwsError."""
        mappings = params.get("SubnetMappings") or []
        if mappings and params.get("Subnets"):
            raise errors.invalid("You can specify either subnets or subnet mappings, but not both")  # (?)
        for mapping in mappings:
            if set(mapping) - {"SubnetId"} and kind == "network":
                raise NotImplementedByDrydock("elbv2", "SubnetMappings with addresses", "Name the subnets only.")
            if set(mapping) - {"SubnetId"}:
                raise errors.configuration("Addresses cannot be specified for application load balancers")  # (?)
        names = params.get("Subnets") or [mapping.get("SubnetId", "") for mapping in mappings]
        known = {one["SubnetId"]: one for one in (await self.ec2(scope, "DescribeSubnets", {})).get("Subnets", [])}
        for name in names:
            if name not in known:
                raise AwsError("SubnetNotFound", f"The subnet ID '{name}' does not exist")
        chosen = [known[name] for name in dict.fromkeys(names)]
        zones = [one["AvailabilityZone"] for one in chosen]
        if len({one["VpcId"] for one in chosen}) > 1:
            raise errors.configuration("The subnets must be in the same VPC")  # (?)
        if len(set(zones)) < len(zones):
            raise errors.configuration(
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
            )
        if kind == "network" and not zones:
            raise errors.invalid("At least one subnet must be specified")  # (?)
        if len(zones) < 2 and kind == "application":
            raise errors.invalid("At least two subnets in two different Availability Zones must be specified")
        vpc = chosen[0]["VpcId"]
        if scheme == "internet-facing":
            gateways = await self.ec2(scope, "DescribeInternetGateways", {})
            attached = {a["VpcId"] for g in gateways.get("InternetGateways", []) for a in g.get("Attachments", [])}
            if vpc not in attached:
                raise AwsError("InvalidSubnet", f"VPC {vpc} has no internet gateway")
        return vpc, [Zone(one["SubnetId"], one["AvailabilityZone"]) for one in chosen]

    async def _security_groups(self, scope: Scope, names: list[str], vpc: str) -> list[str]:
        """Those given, or the VPC's default one. Raises AwsError."""
        found = (await self.ec2(scope, "DescribeSecurityGroups", {})).get("SecurityGroups", [])
        if not names:
            return [one["GroupId"] for one in found if one["VpcId"] == vpc and one["GroupName"] == "default"]
        known = {one["GroupId"]: one for one in found}
        for name in names:
            if name not in known:
                raise AwsError("InvalidSecurityGroup", f"The security group '{name}' does not exist")
            if known[name]["VpcId"] != vpc:
                raise errors.configuration("One or more security groups are invalid")
        if len(names) > 5:
            raise errors.configuration("A load balancer can have at most '5' security groups")  # (?)
        return list(dict.fromkeys(names))

    async def delete_load_balancer(self, request: Request, params: Params) -> dict[str, Any]:
        """With its listeners and rules; target groups stay. Deleting one that is not there succeeds."""
        self._check_arn(params["LoadBalancerArn"], "loadbalancer/", "load balancer")
        found = self.balancers.get(request.scope, params["LoadBalancerArn"])
        if found is None:
            return {}
        if (
            attributes.value(attributes.of_balancer(found.kind), found.attributes, "deletion_protection.enabled")
            == "true"
        ):
            raise AwsError(
                "OperationNotPermitted",
                f"Load balancer '{found.arn}' cannot be deleted because deletion protection is enabled",
            )
        found.deleting = True
        self.balancers.put(request.scope, found.arn, found)
        for listener in self.listeners_of(request.scope, found.arn):
            for rule in self.rules_of(request.scope, listener.arn):
                self.rules.delete(request.scope, rule.arn)
            self.listeners.delete(request.scope, listener.arn)
        await self.controller.remove(request.scope, found)
        return {}

    def describe_load_balancers(self, request: Request, params: Params) -> dict[str, Any]:
        """All, or by ARNs or names."""
        arns, names = params.get("LoadBalancerArns") or [], params.get("Names") or []
        if arns and names:
            raise errors.invalid(
                "Load balancer names and load balancer ARNs cannot be specified at the same time"
            )  # (?)
        found = [one for one in self.balancers.of(request.scope) if not one.deleting]
        for wanted, of in ((arns, "arn"), (names, "name")):
            if wanted:
                known = {getattr(one, of): one for one in found}
                missing = [each for each in wanted if each not in known]
                if missing:
                    raise errors.no_load_balancers(missing)
                found = [known[each] for each in wanted]
        shown, more = self.page(found, params)
        return {"LoadBalancers": [one.describe() for one in shown], **more}

    def describe_load_balancer_attributes(self, request: Request, params: Params) -> dict[str, Any]:
        """All, with their defaults."""
        found = self.balancer(request.scope, params["LoadBalancerArn"])
        return {"Attributes": attributes.shown(attributes.of_balancer(found.kind), found.attributes)}

    async def modify_load_balancer_attributes(self, request: Request, params: Params) -> dict[str, Any]:
        """Those given; the others stay."""
        found = self.balancer(request.scope, params["LoadBalancerArn"])
        given = attributes.checked(
            attributes.of_balancer(found.kind), params["Attributes"], "Load balancer", "ModifyLoadBalancerAttributes"
        )
        found.attributes = found.attributes | given
        self.balancers.put(request.scope, found.arn, found)
        await self.changed(request)
        return {"Attributes": attributes.shown(attributes.of_balancer(found.kind), found.attributes)}

    async def set_security_groups(self, request: Request, params: Params) -> dict[str, Any]:
        """In place of those it has."""
        found = self.balancer(request.scope, params["LoadBalancerArn"])
        if params.get("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"):
            raise errors.configuration("PrivateLink is not supported for application load balancers")  # (?)
        if found.kind == "network" and not found.security_groups:
            raise errors.configuration(
                "You cannot add security groups to a Network Load Balancer that was created without any"  # (?)
            )
        if not params["SecurityGroups"]:
            raise errors.configuration("At least one security group must be specified")  # (?)
        groups = await self._security_groups(request.scope, params["SecurityGroups"], found.vpc_id)
        for zone in found.zones:
            if zone.eni_id:
                asked = {"NetworkInterfaceId": zone.eni_id, "Groups": groups}
                await self.ec2(request.scope, "ModifyNetworkInterfaceAttribute", asked)
        found.security_groups = groups
        self.balancers.put(request.scope, found.arn, found)
        await self.changed(request)
        return {"SecurityGroupIds": groups}

    async def set_subnets(self, request: Request, params: Params) -> dict[str, Any]:
        """In place of those it has."""
        found = self.balancer(request.scope, params["LoadBalancerArn"])
        if (params.get("IpAddressType") or "ipv4") != "ipv4" or params.get("EnablePrefixForIpv6SourceNat"):
            raise NotImplementedByDrydock("elbv2", "SetSubnets with IPv6 addresses", "Use IpAddressType ipv4.")
        vpc, zones = await self._zones(request.scope, params, found.scheme, found.kind)
        if vpc != found.vpc_id:
            raise errors.configuration("The subnets must be in the VPC of the load balancer")  # (?)
        await self.controller.move(request.scope, found, zones)
        return {"AvailabilityZones": found.describe_zones(), "IpAddressType": "ipv4"}

    def set_ip_address_type(self, request: Request, params: Params) -> dict[str, Any]:
        """IPv4 only."""
        self.balancer(request.scope, params["LoadBalancerArn"])
        if params["IpAddressType"] != "ipv4":
            raise NotImplementedByDrydock("elbv2", "SetIpAddressType other than ipv4", "Addresses are IPv4.")
        return {"IpAddressType": "ipv4"}
