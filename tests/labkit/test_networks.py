"""A VPC drawn from what EC2 and ECS describe: subnets, their ways out, the interfaces in them."""

from __future__ import annotations

from typing import Any

import pytest
from labkit import networks
from labkit.nesting import outline

INTERNET = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"}
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}
MAIN = {"Associations": [{"Main": True}], "Routes": [LOCAL]}


def table(route: dict[str, str], *subnets: str) -> dict[str, Any]:
    return {"Associations": [{"Main": False, "SubnetId": subnet} for subnet in subnets], "Routes": [LOCAL, route]}


@pytest.mark.parametrize(
    ("subnet", "tables", "told"),
    [
        ("a", [MAIN, table(INTERNET, "a", "b")], "out by an internet gateway"),
        ("a", [table(INTERNET, "b"), table(NAT, "a"), MAIN], "out by a NAT gateway"),
        ("a", [MAIN, table(INTERNET, "b")], "no way out"),
        ("a", [{"Associations": [{"Main": True}], "Routes": [LOCAL, INTERNET]}], "out by an internet gateway"),
        ("a", [table({"DestinationCidrBlock": "10.1.0.0/16", "GatewayId": "igw-1"}, "a")], "no way out"),
        ("a", [table({"DestinationCidrBlock": "0.0.0.0/0", "NetworkInterfaceId": "eni-1"}, "a")], "no way out"),
        ("a", [], "no way out"),
    ],
)
def test_the_way_out_of_a_subnet(subnet: str, tables: list[dict[str, Any]], told: str) -> None:
    """Its own table counts, else the VPC's main one."""
    assert networks.way_out(subnet, tables) == told


class Described:
    """EC2 and ECS, as far as they are asked."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.asked: list[tuple[str, Any]] = []

    def __getattr__(self, operation: str) -> Any:
        def answer(**given: Any) -> Any:
            self.asked.append((operation, given))
            found = self._answers[operation]
            return found(given) if callable(found) else found

        return answer

    def get_paginator(self, operation: str) -> Any:
        class Pages:
            @staticmethod
            def paginate(**given: Any) -> Any:
                return self._answers[operation]

        return Pages


def interface(number: int, subnet: str, public: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "NetworkInterfaceId": f"eni-{number}",
        "SubnetId": subnet,
        "PrivateIpAddress": f"10.0.0.{number}",
    }
    return found | ({"Association": {"PublicIp": "127.16.0.1"}} if public else {})


def task(number: int) -> dict[str, Any]:
    details = [{"name": "subnetId", "value": "a"}, {"name": "networkInterfaceId", "value": f"eni-{number}"}]
    definition = f"arn:aws:ecs:us-east-1:123456789012:task-definition/web:{number}"
    return {"taskDefinitionArn": definition, "attachments": [{"details": details}]}


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> dict[str, Described]:
    subnets = [
        {"SubnetId": "b", "CidrBlock": "10.0.10.0/24", "AvailabilityZone": "us-east-1b"},
        {"SubnetId": "a", "CidrBlock": "10.0.2.0/24", "AvailabilityZone": "us-east-1a"},
    ]
    numbers = list(range(1, 151))
    found = {
        "ec2": Described(
            describe_vpcs={"Vpcs": [{"CidrBlock": "10.0.0.0/16"}]},
            describe_subnets={"Subnets": subnets},
            describe_route_tables={"RouteTables": [MAIN, table(INTERNET, "a")]},
            describe_network_interfaces={
                "NetworkInterfaces": [interface(10, "a"), interface(9, "a", public=True), interface(200, "b")]
            },
        ),
        "ecs": Described(
            list_tasks=[{"taskArns": [str(n) for n in numbers[:90]]}, {"taskArns": [str(n) for n in numbers[90:]]}],
            describe_tasks=lambda given: {"tasks": [task(int(arn)) for arn in given["tasks"]]},
        ),
    }
    monkeypatch.setattr(networks, "client", lambda service: found[service])
    return found


def test_a_network_as_text(described: dict[str, Described]) -> None:
    """Subnets and interfaces by their addresses as numbers, each interface with the task that it belongs to."""
    assert outline([networks.read_network("vpc-1", "shop")]).split("\n") == [
        "VPC 10.0.0.0/16",
        "  subnet 10.0.2.0/24 (us-east-1a, out by an internet gateway)",
        "    interface 10.0.0.9 (task of web:9, with a public address)",
        "    interface 10.0.0.10 (task of web:10, no public address)",
        "  subnet 10.0.10.0/24 (us-east-1b, no way out)",
        "    interface 10.0.0.200 (no public address)",
    ]
    sizes = [len(given["tasks"]) for operation, given in described["ecs"].asked if operation == "describe_tasks"]
    assert sum(sizes) == 150 and max(sizes) <= 100


def test_only_the_subnets_that_are_asked_for(described: dict[str, Described]) -> None:
    told = outline([networks.read_network("vpc-1", subnets=["b"])]).split("\n")
    assert told[1:] == [
        "  subnet 10.0.10.0/24 (us-east-1b, no way out)",
        "    interface 10.0.0.200 (no public address)",
    ]
    assert described["ecs"].asked == []
