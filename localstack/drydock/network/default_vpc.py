"""The default VPC as AWS makes it: with an internet gateway, a route to it, and a security group whose members may reach
each other. moto's has neither; so they are added, through EC2's own API, when an account first uses EC2 in a region.

Source: "Default VPC components" of the Amazon VPC user guide.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from drydock.network.facts import Describe
from drydock.store import Scope, Store


@dataclass
class Completed:
    """That it was done. ``gateway`` is empty where the account has no default VPC."""

    gateway: str = ""


class DefaultVpcs:
    """Completes each account's default VPC once."""

    def __init__(self, store: Store, call: Describe) -> None:
        self._completed = store.collection(Completed, "drydock", "default-vpc")
        self._call = call
        self._turn = asyncio.Lock()

    async def ensure(self, scope: Scope) -> None:
        """Before anything else is asked of EC2. Raises AwsError."""
        if self._completed.get(scope, "vpc") is not None:
            return
        async with self._turn:
            if self._completed.get(scope, "vpc") is None:
                self._completed.put(scope, "vpc", Completed(await self._complete(scope)))

    async def _complete(self, scope: Scope) -> str:
        """Looks before it adds: an earlier life may have been killed half-way."""
        default = [{"Name": "is-default", "Values": ["true"]}]
        vpcs = (await self._call(scope, "DescribeVpcs", {"Filters": default})).get("Vpcs", [])
        if not vpcs:
            return ""
        vpc = vpcs[0]["VpcId"]
        gateway = await self._gateway(scope, vpc)
        main = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
        table = (await self._call(scope, "DescribeRouteTables", {"Filters": main}))["RouteTables"][0]
        if not any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in table["Routes"]):
            route = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}
            await self._call(scope, "CreateRoute", route)
        named = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
        group = (await self._call(scope, "DescribeSecurityGroups", {"Filters": named}))["SecurityGroups"][0]
        if not group.get("IpPermissions"):
            pair: dict[str, Any] = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group["GroupId"]}]}
            params = {"GroupId": group["GroupId"], "IpPermissions": [pair]}
            await self._call(scope, "AuthorizeSecurityGroupIngress", params)
        return gateway

    async def _gateway(self, scope: Scope, vpc: str) -> str:
        attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
        found = (await self._call(scope, "DescribeInternetGateways", {"Filters": attached}))["InternetGateways"]
        if found:
            return str(found[0]["InternetGatewayId"])
        made = (await self._call(scope, "CreateInternetGateway", {}))["InternetGateway"]["InternetGatewayId"]
        await self._call(scope, "AttachInternetGateway", {"InternetGatewayId": made, "VpcId": vpc})
        return str(made)
