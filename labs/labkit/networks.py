"""``draw_network``: a VPC's subnets with their zones and ways out, and the network interfaces in them, drawn from what EC2
and ECS describe."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Any

from labkit.audience import ipython
from labkit.nesting import Box, outline, svg
from labkit.sessions import client

_MOST_TASKS = 100
"""In one describe call"""


def draw_network(vpc: str, cluster: str = "", subnets: Collection[str] = ()) -> None:
    """Draw a VPC, those of its ``subnets`` (all if none are named) and the interfaces in them, the lowest address first; and
    print the same as text. With a ``cluster``, interfaces say which task definition their task is of."""
    box = read_network(vpc, cluster, subnets)
    if ipython() is not None:
        from IPython.display import display

        title = f"network {vpc}"
        display({"image/svg+xml": svg([[box]], [], title), "text/plain": title}, raw=True)  # type: ignore[no-untyped-call]
    print(outline([box]))


def read_network(vpc: str, cluster: str = "", subnets: Collection[str] = ()) -> Box:
    """The VPC's box."""
    ec2 = client("ec2")
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    described = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]
    found = [
        one for one in ec2.describe_subnets(Filters=inside)["Subnets"] if not subnets or one["SubnetId"] in subnets
    ]
    tables = ec2.describe_route_tables(Filters=inside)["RouteTables"]
    interfaces = ec2.describe_network_interfaces(Filters=inside)["NetworkInterfaces"]
    tasks = _tasks_by_interface(cluster) if cluster else {}
    boxes = [
        Box(
            f"subnet {one['CidrBlock']}",
            (one["AvailabilityZone"], way_out(one["SubnetId"], tables)),
            tuple(
                _interface(each, tasks)
                for each in sorted(interfaces, key=lambda each: ipaddress.ip_address(each["PrivateIpAddress"]))
                if each["SubnetId"] == one["SubnetId"]
            ),
        )
        for one in sorted(found, key=lambda one: ipaddress.ip_network(one["CidrBlock"]))
    ]
    return Box(f"VPC {described['CidrBlock']}", (), tuple(boxes), across=True)


def way_out(subnet: str, tables: list[dict[str, Any]]) -> str:
    """Where the subnet's own route table, else the VPC's main one, sends what is for elsewhere."""
    own = [table for table in tables if any(each.get("SubnetId") == subnet for each in table["Associations"])]
    main = [table for table in tables if any(each.get("Main") for each in table["Associations"])]
    for route in (own or main or [{"Routes": []}])[0]["Routes"]:
        if route.get("DestinationCidrBlock") == "0.0.0.0/0":
            if str(route.get("GatewayId", "")).startswith("igw-"):
                return "out by an internet gateway"
            if route.get("NatGatewayId"):
                return "out by a NAT gateway"
    return "no way out"


def _interface(interface: dict[str, Any], tasks: dict[str, str]) -> Box:
    public = "with a public address" if interface.get("Association", {}).get("PublicIp") else "no public address"
    task = tasks.get(interface["NetworkInterfaceId"])
    return Box(f"interface {interface['PrivateIpAddress']}", (f"task of {task}", public) if task else (public,))


def _tasks_by_interface(cluster: str) -> dict[str, str]:
    """The task definition's short name, by the interface's id."""
    ecs = client("ecs")
    arns = [arn for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster) for arn in page["taskArns"]]
    found: dict[str, str] = {}
    for first in range(0, len(arns), _MOST_TASKS):
        for task in ecs.describe_tasks(cluster=cluster, tasks=arns[first : first + _MOST_TASKS])["tasks"]:
            for attachment in task["attachments"]:
                details = {pair["name"]: pair["value"] for pair in attachment["details"]}
                if "networkInterfaceId" in details:
                    found[details["networkInterfaceId"]] = task["taskDefinitionArn"].rpartition("/")[2]
    return found
