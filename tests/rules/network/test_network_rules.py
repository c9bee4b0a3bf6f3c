"""Who may reach whom, decided from EC2's descriptions."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from drydock.network.rules import End, Subnet, admitted, may_connect, reaches_service, route_to, table_of, way_out
from hypothesis import given
from hypothesis import strategies as st

EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def tcp(low: int, high: int | None = None, cidr: str = "", group: str = "") -> dict[str, Any]:
    ranges = [{"CidrIp": cidr}] if cidr else []
    pairs = [{"GroupId": group}] if group else []
    ports = {"FromPort": low, "ToPort": high if high is not None else low}
    return {"IpProtocol": "tcp", **ports, "IpRanges": ranges, "UserIdGroupPairs": pairs}


def group(ingress: list[dict[str, Any]], egress: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"IpPermissions": ingress, "IpPermissionsEgress": [EVERYTHING] if egress is None else egress}


INSIDE = End("10.0.0.5", ("sg-a",), "vpc-1")
OTHER = End("10.0.1.6", ("sg-b",), "vpc-1")
OUTSIDE = End("198.51.100.7")

CASES = [
    ("by address", OUTSIDE, 80, {"sg-a": group([tcp(80, cidr="0.0.0.0/0")])}, True),
    ("another port", OUTSIDE, 81, {"sg-a": group([tcp(80, cidr="0.0.0.0/0")])}, False),
    ("another address", OUTSIDE, 80, {"sg-a": group([tcp(80, cidr="203.0.113.0/24")])}, False),
    ("a range of ports", OUTSIDE, 8080, {"sg-a": group([tcp(8000, 9000, cidr="198.51.100.0/24")])}, True),
    ("no rule", OUTSIDE, 80, {"sg-a": group([])}, False),
    ("by group", OTHER, 80, {"sg-a": group([tcp(80, group="sg-b")]), "sg-b": group([])}, True),
    ("by a group of somebody else", OTHER, 80, {"sg-a": group([tcp(80, group="sg-c")]), "sg-b": group([])}, False),
    ("no way to leave", OTHER, 80, {"sg-a": group([EVERYTHING]), "sg-b": group([], [])}, False),
    ("leaving to a group", OTHER, 80,
     {"sg-a": group([EVERYTHING]), "sg-b": group([], [tcp(80, group="sg-a")])}, True),
    ("udp is not tcp", OUTSIDE, 80,
     {"sg-a": group([{**tcp(80, cidr="0.0.0.0/0"), "IpProtocol": "udp"}])}, False),
]  # fmt: skip


@pytest.mark.parametrize(("source", "port", "groups", "allowed"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_security_groups(source: End, port: int, groups: dict[str, Any], allowed: bool) -> None:
    verdict = may_connect(source, INSIDE, port, groups)
    assert verdict.allowed is allowed
    assert bool(verdict.reason) is not allowed


def test_two_groups_add_up() -> None:
    target = End("10.0.0.5", ("sg-a", "sg-b"), "vpc-1")
    groups = {"sg-a": group([]), "sg-b": group([tcp(80, cidr="0.0.0.0/0")])}
    assert may_connect(OUTSIDE, target, 80, groups).allowed


def test_vpcs_do_not_meet() -> None:
    elsewhere = End("10.0.0.6", ("sg-b",), "vpc-2")
    open_door = {"sg-a": group([EVERYTHING]), "sg-b": group([EVERYTHING])}
    assert "not peered" in may_connect(elsewhere, INSIDE, 80, open_door).reason


LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
TO_GATEWAY = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
TO_NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}
DEAD = {**TO_NAT, "State": "blackhole"}


def subnet(*routes: dict[str, Any], **more: Any) -> Subnet:
    return Subnet("subnet-1", "vpc-1", {"Routes": [LOCAL, *routes]}, ("igw-1",), ("nat-1",), **more)


@pytest.mark.parametrize(
    ("place", "public", "way"),
    [
        (subnet(TO_GATEWAY), True, "internet gateway"),
        (subnet(TO_GATEWAY), False, None),
        (subnet(TO_NAT), False, "NAT gateway"),
        (subnet(DEAD), False, None),
        (subnet(), True, None),
        (Subnet("subnet-1", "vpc-1", None), True, None),
        (Subnet("subnet-1", "vpc-1", {"Routes": [TO_GATEWAY]}), True, None),
    ],
)
def test_ways_out(place: Subnet, public: bool, way: str | None) -> None:
    assert way_out(place, public) == way


def test_an_endpoint_serves_its_own_service_only() -> None:
    place = subnet(endpoints=("com.amazonaws.us-east-1.ecr.dkr",))
    assert reaches_service(place, "ecr.dkr", False)
    assert not reaches_service(place, "logs", False)


def test_a_subnets_own_table_goes_before_the_main_one() -> None:
    main = {"VpcId": "vpc-1", "Associations": [{"Main": True}]}
    own = {"VpcId": "vpc-1", "Associations": [{"Main": False, "SubnetId": "subnet-1"}]}
    of_another = {"VpcId": "vpc-2", "Associations": [{"Main": True}]}
    assert table_of("subnet-1", "vpc-1", [of_another, main, own]) is own
    assert table_of("subnet-2", "vpc-1", [of_another, main, own]) is main
    assert table_of("subnet-2", "vpc-1", [of_another, own]) is None


networks = st.builds(
    lambda address, length: str(ipaddress.ip_network((address, length), strict=False)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@given(st.lists(networks, max_size=8), st.ip_addresses(v=4))
def test_the_longest_prefix_wins(cidrs: list[str], destination: ipaddress.IPv4Address) -> None:
    table = {"Routes": [{"DestinationCidrBlock": cidr, "GatewayId": "local"} for cidr in cidrs]}
    covering = [ipaddress.ip_network(cidr) for cidr in cidrs if destination in ipaddress.ip_network(cidr)]
    route = route_to(str(destination), table)
    if not covering:
        assert route is None
    else:
        assert route is not None
        assert ipaddress.ip_network(route["DestinationCidrBlock"]).prefixlen == max(n.prefixlen for n in covering)


@given(networks, st.ip_addresses(v=4), st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535))
def test_a_permission_covers_what_it_says(
    cidr: str, address: ipaddress.IPv4Address, low: int, high: int, port: int
) -> None:
    expected = address in ipaddress.ip_network(cidr) and low <= port <= high
    assert admitted([tcp(low, high, cidr=cidr)], End(str(address)), port) is expected
