"""Security groups and routes. Pure: facts in EC2's own form (DescribeSecurityGroups, DescribeRouteTables, ...) in,
verdicts out.

Sources: "Security group rules", "Route tables" (longest prefix wins) and "Amazon ECS task networking options" of AWS's
documentation.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class End:
    """One end of a connection. ``groups`` are the security groups of its interface; none for what is outside the VPC."""

    address: str
    groups: tuple[str, ...] = ()
    vpc: str = ""


@dataclass(frozen=True)
class Verdict:
    """``reason`` is for people, and empty where it is allowed."""

    allowed: bool
    reason: str = ""


def admitted(permissions: list[dict[str, Any]], other: End, port: int, protocol: str = "tcp") -> bool:
    """Whether one of a group's permissions (IpPermissions or IpPermissionsEgress) covers the other end and the port."""
    return any(_covers(permission, other, port, protocol) for permission in permissions)


def _covers(permission: dict[str, Any], other: End, port: int, protocol: str) -> bool:
    kind = permission.get("IpProtocol", "-1")
    if kind not in ("-1", protocol, {"tcp": "6", "udp": "17", "icmp": "1"}.get(protocol)):
        return False
    if kind != "-1" and not permission.get("FromPort", 0) <= port <= permission.get("ToPort", 65535):
        return False
    pairs = permission.get("UserIdGroupPairs", [])
    if any(pair.get("GroupId") in other.groups for pair in pairs):
        return True
    address = ipaddress.ip_address(other.address)
    ranges = [r["CidrIp"] for r in permission.get("IpRanges", [])]
    ranges += [r["CidrIpv6"] for r in permission.get("Ipv6Ranges", [])]
    return any(address in ipaddress.ip_network(cidr, strict=False) for cidr in ranges)


def may_connect(
    source: End, target: End, port: int, groups: dict[str, dict[str, Any]], protocol: str = "tcp"
) -> Verdict:
    """May ``source`` open a connection to ``port`` of ``target``? Security groups are stateful, so answers need no rule.

    ``groups`` are the descriptions of the groups of both ends by their id. An end without groups (outside) has no rules of
    its own.
    """
    if source.vpc and target.vpc and source.vpc != target.vpc:
        return Verdict(False, f"{source.vpc} and {target.vpc} are not peered: there is no route between them.")
    if source.groups:
        leaving = [p for group in source.groups for p in groups.get(group, {}).get("IpPermissionsEgress", [])]
        if not admitted(leaving, target, port, protocol):
            named = ", ".join(source.groups)
            return Verdict(False, f"No egress rule of {named} allows {protocol} {port} to {target.address}.")
    if target.groups:
        arriving = [p for group in target.groups for p in groups.get(group, {}).get("IpPermissions", [])]
        if not admitted(arriving, source, port, protocol):
            named = ", ".join(target.groups)
            return Verdict(False, f"No ingress rule of {named} allows {protocol} {port} from {source.address}.")
    return Verdict(True)


def route_to(destination: str, table: dict[str, Any]) -> dict[str, Any] | None:
    """The route of a table that an address takes: the most specific active one that covers it."""
    address = ipaddress.ip_address(destination)
    found: tuple[int, dict[str, Any]] | None = None
    for route in table.get("Routes", []):
        cidr = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
        if not cidr or route.get("State", "active") != "active":
            continue
        network = ipaddress.ip_network(cidr, strict=False)
        if address in network and (found is None or network.prefixlen > found[0]):
            found = (network.prefixlen, route)
    return found[1] if found else None


def table_of(subnet: str, vpc: str, tables: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The route table a subnet is associated with, else its VPC's main one."""
    main = None
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet:
                return table
            if association.get("Main") and table.get("VpcId") == vpc:
                main = table
    return main


@dataclass(frozen=True)
class Subnet:
    """A subnet, its route table, and what of its VPC has a bearing on the ways out."""

    id: str
    vpc: str
    table: dict[str, Any] | None
    gateways: tuple[str, ...] = ()
    """Internet gateways attached to the VPC"""
    nats: tuple[str, ...] = ()
    """NAT gateways that are available and have a way out themselves"""
    endpoints: tuple[str, ...] = ()
    """Services (``com.amazonaws.us-east-1.ecr.api``) with an interface endpoint in the VPC or a gateway endpoint in the table"""


PUBLIC_SERVICE = "52.94.0.1"
"""Some address of AWS's public endpoints, to look up a route by"""


def way_out(subnet: Subnet, has_public_address: bool) -> str | None:
    """How an interface in the subnet reaches the internet: ``internet gateway``, ``NAT gateway``, or None.

    An internet gateway serves only who has a public address.
    """
    route = route_to(PUBLIC_SERVICE, subnet.table) if subnet.table else None
    if route is None:
        return None
    if route.get("NatGatewayId") in subnet.nats and route.get("NatGatewayId"):
        return "NAT gateway"
    if route.get("GatewayId") in subnet.gateways and has_public_address:
        return "internet gateway"
    return None


def reaches_service(subnet: Subnet, service: str, has_public_address: bool) -> bool:
    """Whether an AWS service (``ecr.api``, ``logs``, ...) can be reached: by a way out, or by an endpoint of its own."""
    if any(endpoint.endswith(f".{service}") for endpoint in subnet.endpoints):
        return True
    return way_out(subnet, has_public_address) is not None


def registry_service(host: str) -> str:
    """The AWS service whose VPC endpoint would serve a registry; none does for those outside AWS."""
    return "ecr.dkr" if ".dkr.ecr." in host else "internet"
