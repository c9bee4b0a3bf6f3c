"""The network interfaces of a load balancer, one in each of its subnets, made and deleted through EC2's API as AWS does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from drydock.errors import AwsError
from drydock.services.elbv2.model import LoadBalancer, Zone
from drydock.store import Scope

Ec2 = Callable[[Scope, str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Interfaces:
    """What a load balancer asks of EC2."""

    def __init__(self, ec2: Ec2) -> None:
        self._ec2 = ec2

    async def attach(self, scope: Scope, balancer: LoadBalancer, zones: list[Zone]) -> None:
        """Make those that are not there, and write their addresses into ``zones``. Raises AwsError."""
        known = {each["SubnetId"]: each for each in await self._mine(scope, balancer)}
        for zone in zones:
            made = known.get(zone.subnet_id)
            if made is None:
                asked = {
                    "SubnetId": zone.subnet_id,
                    "Description": _description(balancer),
                    "Groups": balancer.security_groups,
                }
                made = (await self._ec2(scope, "CreateNetworkInterface", asked))["NetworkInterface"]
            zone.eni_id, zone.address = made["NetworkInterfaceId"], made["PrivateIpAddress"]

    async def detach(self, scope: Scope, balancer: LoadBalancer, keep: list[Zone]) -> None:
        """Delete those in other subnets than these. Raises AwsError."""
        kept = {zone.subnet_id for zone in keep}
        for each in await self._mine(scope, balancer):
            if each["SubnetId"] not in kept:
                try:
                    await self._ec2(scope, "DeleteNetworkInterface", {"NetworkInterfaceId": each["NetworkInterfaceId"]})
                except AwsError as error:
                    if error.code != "InvalidNetworkInterfaceID.NotFound":
                        raise

    async def _mine(self, scope: Scope, balancer: LoadBalancer) -> list[dict[str, Any]]:
        """Also what EC2 made when the emulator was killed before it could write the answer down."""
        wanted = [{"Name": "description", "Values": [_description(balancer)]}]
        found = await self._ec2(scope, "DescribeNetworkInterfaces", {"Filters": wanted})
        return list(found.get("NetworkInterfaces", []))


def _description(balancer: LoadBalancer) -> str:
    return f"ELB {balancer.arn.partition(':loadbalancer/')[2]}"
