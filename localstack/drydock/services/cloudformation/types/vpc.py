"""The VPC family of EC2."""

from __future__ import annotations

from typing import Any, ClassVar

from drydock.errors import AwsError
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


class Ec2Type(ResourceType):
    """One that EC2 describes by its id: made by one operation, found again by CloudFormation's tags."""

    service = "ec2"
    creates: ClassVar[tuple[str, str, str]]
    """Operation, and where its answer has the id: member, id"""
    describes: ClassVar[tuple[str, str, str]]
    """Operation, its parameter for ids, the answer's member"""
    deletes: ClassVar[tuple[str, str]]
    """Operation, its parameter for the id"""
    tagged: ClassVar[str]
    """The resource type in tag specifications"""
    code: ClassVar[str]
    """Of the error for an unknown id"""

    def params(self, work: Work) -> Params:
        """Of the creation."""
        names = [name for name in self.passes if name not in ("Tags", *self.after)]
        return shaped("ec2", self.creates[0], picked(work.properties, *names))

    after: ClassVar[tuple[str, ...]] = ()
    """Properties that are set after the creation"""

    async def create(self, work: Work) -> None:
        operation, member, id_ = self.creates
        answer = await work.call("ec2", operation, **self.params(work), TagSpecifications=self.specification(work))
        work.made((answer[member] if member else answer)[id_])

    def specification(self, work: Work) -> list[Params]:
        """TagSpecifications."""
        return [{"ResourceType": self.tagged, "Tags": work.tags}]

    async def find(self, work: Work) -> str:
        operation, _, member = self.describes
        pairs = ((STACK_ID, work.stack_id), (LOGICAL_ID, work.logical_id))
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in pairs]
        answer = await work.call("ec2", operation, Filters=filters)
        ids = [str(one[self.creates[2]]) for one in answer.get(member, []) if not self.ended(one)]
        return next((one for one in ids if one not in work.others), "")

    def ended(self, described: Params) -> bool:
        """Whether it is only remembered."""
        return described.get("State") in ("deleted", "deleting")

    async def described(self, work: Work) -> Params:
        """Its description. Raises NotFound."""
        operation, parameter, member = self.describes
        try:
            answer = await work.call("ec2", operation, **{parameter: [work.physical_id]})
        except AwsError as error:
            if error.code == self.code:
                raise NotFound from None
            raise
        found = [one for one in answer.get(member, []) if not self.ended(one)]
        if not found:
            raise NotFound
        return dict(found[0])

    async def update(self, work: Work) -> None:
        await retag(work, work.physical_id)

    async def delete(self, work: Work) -> None:
        operation, parameter = self.deletes
        if not await unless((self.code,), work.call("ec2", operation, **{parameter: work.physical_id})):
            raise NotFound


async def retag(work: Work, *ids: str) -> None:
    """The tags that were changed, put on EC2's resources."""
    if not work.changed("Tags"):
        return
    keys = {one["Key"] for one in work.user_tags}
    gone = [{"Key": one["Key"]} for one in work.old.get("Tags") or [] if one["Key"] not in keys]
    if gone:
        await work.call("ec2", "DeleteTags", Resources=list(ids), Tags=gone)
    if work.user_tags:
        await work.call("ec2", "CreateTags", Resources=list(ids), Tags=work.user_tags)


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
        await unless(("Resource.AlreadyAssociated",), work.call("ec2", "AttachInternetGateway", **given))
        work.made(f"IGW|{given['VpcId']}")

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


class Eip(Ec2Type):
    name = "AWS::EC2::EIP"
    passes = ("Domain", "InstanceId", "Tags")
    after = ("InstanceId",)
    whole = False
    creates = ("AllocateAddress", "", "AllocationId")
    describes = ("DescribeAddresses", "AllocationIds", "Addresses")
    deletes = ("ReleaseAddress", "AllocationId")
    tagged, code = "elastic-ip", "InvalidAllocationID.NotFound"

    async def create(self, work: Work) -> None:
        answer = await work.call("ec2", "AllocateAddress", Domain="vpc", TagSpecifications=self.specification(work))
        work.made(f"{answer['PublicIp']}|{answer['AllocationId']}")
        if work.properties.get("InstanceId"):
            await self._associate(work)

    async def find(self, work: Work) -> str:
        allocation = await super().find(work)
        if not allocation:
            return ""
        answer = await work.call("ec2", "DescribeAddresses", AllocationIds=[allocation])
        return f"{answer['Addresses'][0]['PublicIp']}|{allocation}"

    async def _associate(self, work: Work) -> None:
        allocation = work.physical_id.partition("|")[2]
        await work.call("ec2", "AssociateAddress", AllocationId=allocation, InstanceId=work.properties["InstanceId"])

    async def update(self, work: Work) -> None:
        allocation = work.physical_id.partition("|")[2]
        if work.changed("InstanceId"):
            answer = await work.call("ec2", "DescribeAddresses", AllocationIds=[allocation])
            association = answer["Addresses"][0].get("AssociationId")
            if association:
                await work.call("ec2", "DisassociateAddress", AssociationId=association)
            if work.properties.get("InstanceId"):
                await self._associate(work)
        await retag(work, allocation)

    async def read(self, work: Work) -> Params:
        address, _, allocation = work.physical_id.partition("|")
        return {"PublicIp": address, "AllocationId": allocation}

    async def delete(self, work: Work) -> None:
        allocation = work.physical_id.partition("|")[2]
        answer: Params = {}

        async def look() -> None:
            answer.update(await work.call("ec2", "DescribeAddresses", AllocationIds=[allocation]))

        if not await unless((self.code,), look()):
            raise NotFound
        association = answer["Addresses"][0].get("AssociationId")
        if association:
            await work.call("ec2", "DisassociateAddress", AssociationId=association)
        if not await unless((self.code,), work.call("ec2", "ReleaseAddress", AllocationId=allocation)):
            raise NotFound

    def reference(self, physical_id: str, attributes: Params) -> Any:
        return physical_id.partition("|")[0]


class NatGateway(Ec2Type):
    name = "AWS::EC2::NatGateway"
    passes = ("SubnetId", "AllocationId", "ConnectivityType", "Tags")
    creates = ("CreateNatGateway", "NatGateway", "NatGatewayId")
    describes = ("DescribeNatGateways", "NatGatewayIds", "NatGateways")
    deletes = ("DeleteNatGateway", "NatGatewayId")
    tagged, code = "natgateway", "NatGatewayNotFound"

    async def find(self, work: Work) -> str:
        pairs = ((STACK_ID, work.stack_id), (LOGICAL_ID, work.logical_id))
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in pairs]
        answer = await work.call("ec2", "DescribeNatGateways", Filter=filters)
        ids = [str(one["NatGatewayId"]) for one in answer.get("NatGateways", []) if not self.ended(one)]
        return next((one for one in ids if one not in work.others), "")

    async def steady(self, work: Work) -> bool:
        gateway = await self.described(work)
        if gateway["State"] == "failed":
            raise Failed(f"NatGateway {work.physical_id} is in state failed and hence failed to stabilize. Detailed failure"
                         f" message: {gateway.get('FailureMessage', '')}")  # fmt: skip
        return bool(gateway["State"] == "available")

    async def read(self, work: Work) -> Params:
        gateway = await self.described(work)
        addresses = gateway.get("NatGatewayAddresses") or [{}]
        return {
            "NatGatewayId": work.physical_id,
            "EniId": addresses[0].get("NetworkInterfaceId", ""),
            "AutoProvisionZones": "",
            "AutoScalingIps": "",
            "RouteTableId": "",
        }

    async def gone(self, work: Work) -> bool:
        try:
            await self.described(work)
        except NotFound:
            return True
        return False


class VpcEndpoint(Ec2Type):
    name = "AWS::EC2::VPCEndpoint"
    passes = (
        "VpcId", "ServiceName", "VpcEndpointType", "RouteTableIds", "SubnetIds", "SecurityGroupIds", "PolicyDocument",
        "PrivateDnsEnabled", "Tags",
    )  # fmt: skip
    replaces = frozenset({"PolicyDocument"})
    creates = ("CreateVpcEndpoint", "VpcEndpoint", "VpcEndpointId")
    describes = ("DescribeVpcEndpoints", "VpcEndpointIds", "VpcEndpoints")
    deletes = ("DeleteVpcEndpoints", "VpcEndpointIds")
    tagged, code = "vpc-endpoint", "InvalidVpcEndpointId.NotFound"

    def params(self, work: Work) -> Params:
        import json

        given = picked(work.properties, *(name for name in self.passes if name not in ("Tags", "PolicyDocument")))
        if "PolicyDocument" in work.properties:
            document = work.properties["PolicyDocument"]
            given["PolicyDocument"] = document if isinstance(document, str) else json.dumps(document)
        return shaped("ec2", "CreateVpcEndpoint", given)

    async def update(self, work: Work) -> None:
        changes: Params = {}
        for name, add, remove in (
            ("RouteTableIds", "AddRouteTableIds", "RemoveRouteTableIds"),
            ("SubnetIds", "AddSubnetIds", "RemoveSubnetIds"),
            ("SecurityGroupIds", "AddSecurityGroupIds", "RemoveSecurityGroupIds"),
        ):
            old, new = work.old.get(name) or [], work.properties.get(name) or []
            changes[add] = [one for one in new if one not in old]
            changes[remove] = [one for one in old if one not in new]
        if work.changed("PrivateDnsEnabled"):
            changes["PrivateDnsEnabled"] = work.properties.get("PrivateDnsEnabled", False)
        changes = {name: value for name, value in changes.items() if value not in ([], None)}
        if changes:
            await work.call("ec2", "ModifyVpcEndpoint", VpcEndpointId=work.physical_id, **changes)
        await super().update(work)

    async def steady(self, work: Work) -> bool:
        return str((await self.described(work)).get("State", "available")).lower() == "available"

    async def read(self, work: Work) -> Params:
        endpoint = await self.described(work)
        return {
            "Id": work.physical_id,
            "CreationTimestamp": str(endpoint.get("CreationTimestamp", "")),
            "NetworkInterfaceIds": endpoint.get("NetworkInterfaceIds", []),
            "DnsEntries": [
                f"{one.get('HostedZoneId', '')}:{one.get('DnsName', '')}" for one in endpoint.get("DnsEntries", [])
            ],
        }

    async def delete(self, work: Work) -> None:
        answer = await work.call("ec2", "DeleteVpcEndpoints", VpcEndpointIds=[work.physical_id])
        for one in answer.get("Unsuccessful", []):
            if one["Error"]["Code"] == self.code:
                raise NotFound
            raise Failed(one["Error"]["Message"])


TYPES: tuple[type[ResourceType], ...] = (
    Vpc, Subnet, InternetGateway, GatewayAttachment, RouteTable, Route, RouteTableAssociation, Eip, NatGateway, VpcEndpoint,
)  # fmt: skip
