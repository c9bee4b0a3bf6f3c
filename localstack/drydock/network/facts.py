"""What EC2 says about subnets, routes and security groups, asked through its API and kept until something in EC2 changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from drydock.network.rules import Subnet, table_of
from drydock.store import Scope

Describe = Callable[[Scope, str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Calls an operation of EC2. Raises AwsError."""


class Facts:
    """``changed`` is to be called after every changing request to EC2."""

    def __init__(self, describe: Describe) -> None:
        self._describe = describe
        self._kept: dict[Scope, dict[str, Any]] = {}
        self.on_change: list[Callable[[str], None]] = []
        """Called with the account whose networks may have changed"""

    def changed(self, account: str) -> None:
        """What was known of the account's networks may not be true any more."""
        for scope in [scope for scope in self._kept if scope.account == account]:
            del self._kept[scope]
        for told in self.on_change:
            told(account)

    async def _list(self, scope: Scope, operation: str, member: str) -> list[dict[str, Any]]:
        kept = self._kept.setdefault(scope, {})
        if operation not in kept:
            kept[operation] = (await self._describe(scope, operation, {})).get(member, [])
        found: list[dict[str, Any]] = kept[operation]
        return found

    async def subnet(self, scope: Scope, subnet_id: str) -> Subnet | None:
        """A subnet with its ways out; None if there is none."""
        subnets = await self._list(scope, "DescribeSubnets", "Subnets")
        document = next((s for s in subnets if s["SubnetId"] == subnet_id), None)
        if document is None:
            return None
        vpc = document["VpcId"]
        tables = await self._list(scope, "DescribeRouteTables", "RouteTables")
        table = table_of(subnet_id, vpc, tables)
        gateways = await self._list(scope, "DescribeInternetGateways", "InternetGateways")
        nats = await self._list(scope, "DescribeNatGateways", "NatGateways")
        endpoints = await self._list(scope, "DescribeVpcEndpoints", "VpcEndpoints")
        return Subnet(
            subnet_id,
            vpc,
            table,
            tuple(g["InternetGatewayId"] for g in gateways if any(a.get("VpcId") == vpc for a in g["Attachments"])),
            tuple(n["NatGatewayId"] for n in nats if n.get("State") == "available"),
            tuple(e["ServiceName"] for e in endpoints if e.get("VpcId") == vpc and _serves(e, table)),
        )

    async def groups(self, scope: Scope) -> dict[str, dict[str, Any]]:
        """All security groups by their id."""
        found = await self._list(scope, "DescribeSecurityGroups", "SecurityGroups")
        return {group["GroupId"]: group for group in found}


def _serves(endpoint: dict[str, Any], table: dict[str, Any] | None) -> bool:
    """A gateway endpoint serves the subnets of its route tables, an interface endpoint the whole VPC."""
    if endpoint.get("VpcEndpointType") != "Gateway":
        return True
    return table is not None and table["RouteTableId"] in endpoint.get("RouteTableIds", [])
