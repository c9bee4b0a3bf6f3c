"""A task's elastic network interface, made and deleted through EC2's API as ECS does it, under its service-linked role."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Principal
from drydock.services.ecs.model import Interface, Task
from drydock.services.ecs.rules import invalid
from drydock.services.service import Platform
from drydock.store import Scope

ECS = "ecs.amazonaws.com"


class Interfaces:
    """What ECS asks of EC2."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def _ec2(self, scope: Scope, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        principal = Principal.of_service(scope.account, ECS)
        return await self._platform.call(principal, scope.region, "ec2", operation, params)

    async def check(self, scope: Scope, network: dict[str, Any]) -> dict[str, str]:
        """The availability zone of each subnet. Raises AwsError as RunTask does for what does not exist."""
        try:
            found = await self._ec2(scope, "DescribeSubnets", {"SubnetIds": network["subnets"]})
        except AwsError as error:
            raise invalid(
                f"Error retrieving subnet information for [{', '.join(network['subnets'])}]: {error.message} "
                f"(ErrorCode: {error.code})"
            ) from error
        groups = network.get("securityGroups") or []
        if groups:
            try:
                await self._ec2(scope, "DescribeSecurityGroups", {"GroupIds": groups})
            except AwsError as error:
                raise invalid(
                    f"Error retrieving security group information for [{', '.join(groups)}]: {error.message} "
                    f"(ErrorCode: {error.code})"
                ) from error
        zones = {subnet["SubnetId"]: str(subnet["AvailabilityZone"]) for subnet in found["Subnets"]}
        return {name: zones[name] for name in network["subnets"]}

    async def zones(self, scope: Scope, network: dict[str, Any]) -> dict[str, str]:
        """The availability zone of each subnet, none where there is no network. Raises AwsError."""
        return await self.check(scope, network) if network else {}

    async def attach(self, scope: Scope, task: Task, interface: Interface) -> None:
        """Make it in its subnet and write its addresses into ``interface``. Raises AwsError."""
        groups = task.network.get("securityGroups") or []
        params: dict[str, Any] = {"SubnetId": interface.subnet_id, "Description": _description(scope, interface)}
        if groups:
            params["Groups"] = groups
        made = (await self._ec2(scope, "CreateNetworkInterface", params))["NetworkInterface"]
        interface.eni_id = made["NetworkInterfaceId"]
        interface.address = made["PrivateIpAddress"]
        interface.vpc_id = made.get("VpcId", "")
        interface.groups = tuple(group["GroupId"] for group in made.get("Groups", []))
        interface.mac = made.get("MacAddress", "")
        interface.dns_name = made.get("PrivateDnsName", "")
        if task.network.get("assignPublicIp") == "ENABLED":
            interface.public_address = await self._associate(scope, interface.eni_id)
        interface.status = "ATTACHED"

    async def _associate(self, scope: Scope, eni_id: str) -> str:
        """A public address, which goes with the interface. It is given whether or not the subnet has a way out."""
        params = {"NetworkInterfaceId": eni_id, "AssociatePublicIpAddress": True}
        await self._ec2(scope, "ModifyNetworkInterfaceAttribute", params)
        found = await self._ec2(scope, "DescribeNetworkInterfaces", {"NetworkInterfaceIds": [eni_id]})
        return str(found["NetworkInterfaces"][0]["Association"]["PublicIp"])

    async def delete(self, scope: Scope, interface: Interface) -> None:
        """Deleting what is already gone is no error. Raises AwsError."""
        if interface.status == "DELETED":
            return
        for eni_id in [interface.eni_id] if interface.eni_id else await self._unrecorded(scope, interface):
            try:
                await self._ec2(scope, "DeleteNetworkInterface", {"NetworkInterfaceId": eni_id})
            except AwsError as error:
                if error.code != "InvalidNetworkInterfaceID.NotFound":
                    raise
        interface.status = "DELETED"

    async def _unrecorded(self, scope: Scope, interface: Interface) -> list[str]:
        """What EC2 made when the emulator was killed before it could write the answer down."""
        wanted = [{"Name": "description", "Values": [_description(scope, interface)]}]
        found = await self._ec2(scope, "DescribeNetworkInterfaces", {"Filters": wanted})
        return [each["NetworkInterfaceId"] for each in found.get("NetworkInterfaces", [])]


def _description(scope: Scope, interface: Interface) -> str:
    return f"arn:aws:ecs:{scope.region}:{scope.account}:attachment/{interface.attachment_id}"
