"""EC2's addresses, NAT gateways and endpoints."""

from __future__ import annotations

import json
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
from drydock.services.cloudformation.types.ec2 import Ec2Type, retag


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
        given = picked(work.properties, *(name for name in self.passes if name not in ("Tags", "PolicyDocument")))
        given.setdefault("VpcEndpointType", "Gateway")
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


TYPES: tuple[type[ResourceType], ...] = (Eip, NatGateway, VpcEndpoint)
