"""The VPC family of EC2."""

from __future__ import annotations

from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.types.base import (
    NotFound,
    Params,
    ResourceType,
    Work,
    picked,
    shaped,
    unless,
)
from drydock.services.cloudformation.types.ec2 import Ec2Type


class Vpc(Ec2Type):
    name = "AWS::EC2::VPC"
    passes = ("CidrBlock", "InstanceTenancy", "EnableDnsSupport", "EnableDnsHostnames", "Tags")
    after = ("EnableDnsSupport", "EnableDnsHostnames")
    whole = False
    creates = ("CreateVpc", "Vpc", "VpcId")
    describes = ("DescribeVpcs", "VpcIds", "Vpcs")
    deletes = ("DeleteVpc", "VpcId")
    tagged, code = "vpc", "InvalidVpcID.NotFound"

    async def create(self, work: Work) -> None:
        await super().create(work)
        await self._attributes(work, [name for name in self.after if name in work.properties])

    async def _attributes(self, work: Work, names: list[str]) -> None:
        for name in names:
            value = {"Value": work.properties.get(name, name == "EnableDnsSupport")}
            await work.call("ec2", "ModifyVpcAttribute", VpcId=work.physical_id, **{name: value})

    async def update(self, work: Work) -> None:
        await self._attributes(work, [name for name in self.after if work.changed(name)])
        await super().update(work)

    async def read(self, work: Work) -> Params:
        vpc = await self.described(work)
        filters = [{"Name": "vpc-id", "Values": [work.physical_id]}]
        groups = (await work.call("ec2", "DescribeSecurityGroups", Filters=filters))["SecurityGroups"]
        acls = (await work.call("ec2", "DescribeNetworkAcls", Filters=filters))["NetworkAcls"]
        return {
            "VpcId": work.physical_id,
            "CidrBlock": vpc["CidrBlock"],
            "CidrBlockAssociations": [one["AssociationId"] for one in vpc.get("CidrBlockAssociationSet", [])],
            "Ipv6CidrBlocks": [one["Ipv6CidrBlock"] for one in vpc.get("Ipv6CidrBlockAssociationSet", [])],
            "DefaultSecurityGroup": next((g["GroupId"] for g in groups if g["GroupName"] == "default"), ""),
            "DefaultNetworkAcl": next((acl["NetworkAclId"] for acl in acls if acl["IsDefault"]), ""),
        }


class Subnet(Ec2Type):
    name = "AWS::EC2::Subnet"
    passes = ("VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId", "MapPublicIpOnLaunch", "Tags")
    after = ("MapPublicIpOnLaunch",)
    whole = False
    creates = ("CreateSubnet", "Subnet", "SubnetId")
    describes = ("DescribeSubnets", "SubnetIds", "Subnets")
    deletes = ("DeleteSubnet", "SubnetId")
    tagged, code = "subnet", "InvalidSubnetID.NotFound"

    async def create(self, work: Work) -> None:
        await super().create(work)
        if "MapPublicIpOnLaunch" in work.properties:
            await self._map(work)

    async def _map(self, work: Work) -> None:
        value = {"Value": bool(work.properties.get("MapPublicIpOnLaunch", False))}
        await work.call("ec2", "ModifySubnetAttribute", SubnetId=work.physical_id, MapPublicIpOnLaunch=value)

    async def update(self, work: Work) -> None:
        if work.changed("MapPublicIpOnLaunch"):
            await self._map(work)
        await super().update(work)

    async def read(self, work: Work) -> Params:
        subnet = await self.described(work)
        filters = [{"Name": "association.subnet-id", "Values": [work.physical_id]}]
        acls = (await work.call("ec2", "DescribeNetworkAcls", Filters=filters))["NetworkAcls"]
        associations = [one for acl in acls for one in acl["Associations"] if one["SubnetId"] == work.physical_id]
        return {
            "SubnetId": work.physical_id,
            **picked(subnet, "VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId"),
            "NetworkAclAssociationId": next((one["NetworkAclAssociationId"] for one in associations), ""),
            "Ipv6CidrBlocks": [],
        }


class InternetGateway(Ec2Type):
    name = "AWS::EC2::InternetGateway"
    passes = ("Tags",)
    creates = ("CreateInternetGateway", "InternetGateway", "InternetGatewayId")
    describes = ("DescribeInternetGateways", "InternetGatewayIds", "InternetGateways")
    deletes = ("DeleteInternetGateway", "InternetGatewayId")
    tagged, code = "internet-gateway", "InvalidInternetGatewayID.NotFound"

    async def read(self, work: Work) -> Params:
        return {"InternetGatewayId": work.physical_id}


class GatewayAttachment(ResourceType):
    name = "AWS::EC2::VPCGatewayAttachment"
    service = "ec2"
    passes = ("VpcId", "InternetGatewayId")
    replaces = frozenset({"VpcId", "InternetGatewayId"})

    async def create(self, work: Work) -> None:
        given = picked(work.properties, *self.passes)
        if "InternetGatewayId" not in given:
            raise Failed("Either InternetGatewayId or VpnGatewayId must be set")  # (?)
        await work.call("ec2", "AttachInternetGateway", **given)
        work.made(f"IGW|{given['VpcId']}")

    async def find(self, work: Work) -> str:
        filters = [{"Name": "attachment.vpc-id", "Values": [work.properties["VpcId"]]}]
        answer = await work.call("ec2", "DescribeInternetGateways", Filters=filters)
        ids = [one["InternetGatewayId"] for one in answer["InternetGateways"]]
        return f"IGW|{work.properties['VpcId']}" if work.properties.get("InternetGatewayId") in ids else ""

    async def read(self, work: Work) -> Params:
        return {"AttachmentType": "IGW"}

    async def delete(self, work: Work) -> None:
        codes = ("Gateway.NotAttached", "InvalidInternetGatewayID.NotFound", "InvalidVpcID.NotFound")
        if not await unless(codes, work.call("ec2", "DetachInternetGateway", **picked(work.properties, *self.passes))):
            raise NotFound


class RouteTable(Ec2Type):
    name = "AWS::EC2::RouteTable"
    passes = ("VpcId", "Tags")
    creates = ("CreateRouteTable", "RouteTable", "RouteTableId")
    describes = ("DescribeRouteTables", "RouteTableIds", "RouteTables")
    deletes = ("DeleteRouteTable", "RouteTableId")
    tagged, code = "route-table", "InvalidRouteTableID.NotFound"

    async def read(self, work: Work) -> Params:
        return {"RouteTableId": work.physical_id}


class Route(ResourceType):
    name = "AWS::EC2::Route"
    service = "ec2"
    targets = (
        "GatewayId", "NatGatewayId", "InstanceId", "NetworkInterfaceId", "VpcPeeringConnectionId", "TransitGatewayId",
        "EgressOnlyInternetGatewayId",
    )  # fmt: skip
    passes = ("RouteTableId", "DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId", *targets)

    def _destination(self, properties: Params) -> Params:
        return {
            name: value
            for name, value in picked(properties, *self.passes).items()
            if name == "RouteTableId" or name.startswith("Destination")
        }

    def _id(self, work: Work) -> str:
        where = next((v for k, v in self._destination(work.properties).items() if k != "RouteTableId"), "")
        return f"{work.properties['RouteTableId']}|{where}"

    async def create(self, work: Work) -> None:
        given = shaped("ec2", "CreateRoute", picked(work.properties, *self.passes))
        await work.call("ec2", "CreateRoute", **given)
        work.made(self._id(work))

    async def find(self, work: Work) -> str:
        answer = await work.call("ec2", "DescribeRouteTables", RouteTableIds=[work.properties["RouteTableId"]])
        wanted = picked(work.properties, *self.passes)
        wanted.pop("RouteTableId")
        routes = answer["RouteTables"][0].get("Routes", [])
        return self._id(work) if any(picked(route, *wanted) == wanted for route in routes) else ""

    async def read(self, work: Work) -> Params:
        return {"CidrBlock": self._id(work).partition("|")[2]}

    async def update(self, work: Work) -> None:
        given = shaped("ec2", "ReplaceRoute", picked(work.properties, *self.passes))
        await work.call("ec2", "ReplaceRoute", **given)

    async def delete(self, work: Work) -> None:
        codes = ("InvalidRoute.NotFound", "InvalidRouteTableID.NotFound")
        if not await unless(codes, work.call("ec2", "DeleteRoute", **self._destination(work.properties))):
            raise NotFound


class RouteTableAssociation(ResourceType):
    name = "AWS::EC2::SubnetRouteTableAssociation"
    service = "ec2"
    passes = ("RouteTableId", "SubnetId")

    async def create(self, work: Work) -> None:
        answer = await work.call("ec2", "AssociateRouteTable", **picked(work.properties, *self.passes))
        work.made(answer["AssociationId"])

    async def find(self, work: Work) -> str:
        answer = await work.call("ec2", "DescribeRouteTables", RouteTableIds=[work.properties["RouteTableId"]])
        for one in answer["RouteTables"][0].get("Associations", []):
            if one.get("SubnetId") == work.properties["SubnetId"]:
                return str(one["RouteTableAssociationId"])
        return ""

    async def read(self, work: Work) -> Params:
        return {"Id": work.physical_id}

    async def delete(self, work: Work) -> None:
        codes = ("InvalidAssociationID.NotFound",)
        if not await unless(codes, work.call("ec2", "DisassociateRouteTable", AssociationId=work.physical_id)):
            raise NotFound


TYPES: tuple[type[ResourceType], ...] = (
    Vpc, Subnet, InternetGateway, GatewayAttachment, RouteTable, Route, RouteTableAssociation,
)  # fmt: skip
