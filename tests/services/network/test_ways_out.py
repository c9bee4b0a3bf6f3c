"""A task can pull its image only from where there is a way to the registry, as on AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.services.ecs.story import Story

TIMED_OUT = "CannotPullContainerError: pull image manifest has been retried 5 time(s)"


@pytest.fixture
def subnets(aws: Callable[..., Any]) -> dict[str, str]:
    """A public subnet, a private one without any way out, one behind a NAT gateway."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = {
        name: ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"]
        for number, name in enumerate(("public", "private", "natted"))
    }
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=made["public"], AllocationId=address)["NatGateway"]["NatGatewayId"]
    for name, way in (("public", {"GatewayId": gateway}), ("natted", {"NatGatewayId": nat})):
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way)
        ec2.associate_route_table(RouteTableId=table, SubnetId=made[name])
    return made


@pytest.mark.parametrize(
    ("subnet", "public_address", "pulls"),
    [
        ("public", "ENABLED", True),
        ("public", "DISABLED", False),
        ("private", "ENABLED", False),
        ("natted", "DISABLED", True),
    ],
)
def test_a_pull_needs_a_way_out(
    story: Story, subnets: dict[str, str], subnet: str, public_address: str, pulls: bool
) -> None:
    network = {"awsvpcConfiguration": {"subnets": [subnets[subnet]], "assignPublicIp": public_address}}
    arn = story.run(story.register({"command": ["true"]}), networkConfiguration=network)
    task = story.until(arn, "STOPPED")
    if pulls:
        assert task["containers"][0]["exitCode"] == 0, task["stoppedReason"]
    else:
        assert task["stopCode"] == "TaskFailedToStart"
        assert task["stoppedReason"].startswith(TIMED_OUT) and "i/o timeout" in task["stoppedReason"]
        assert "startedAt" not in task


def test_a_security_group_without_egress_keeps_the_pull_in(story: Story, aws: Callable[..., Any]) -> None:
    ec2 = aws("ec2")
    vpc = ec2.describe_subnets(SubnetIds=[story.subnet])["Subnets"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="closed", Description="no way out", VpcId=vpc)["GroupId"]
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
    network = {
        "awsvpcConfiguration": {"subnets": [story.subnet], "securityGroups": [group], "assignPublicIp": "ENABLED"}
    }
    arn = story.run(story.register({"command": ["true"]}), networkConfiguration=network)
    assert story.until(arn, "STOPPED")["stoppedReason"].startswith(TIMED_OUT)
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=everything)
    again = story.run(story.register({"command": ["true"]}), networkConfiguration=network)
    assert story.until(again, "STOPPED")["containers"][0]["exitCode"] == 0


def test_the_default_vpc_is_as_aws_makes_it(aws: Callable[..., Any]) -> None:
    ec2 = aws("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    gateways = ec2.describe_internet_gateways()["InternetGateways"]
    assert [a["VpcId"] for g in gateways for a in g["Attachments"]] == [vpc]
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]
    ways = {route["DestinationCidrBlock"]: route["GatewayId"] for route in table["Routes"]}
    assert ways["0.0.0.0/0"] == gateways[0]["InternetGatewayId"]
    group = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]
    assert [pair["GroupId"] for p in group["IpPermissions"] for pair in p["UserIdGroupPairs"]] == [group["GroupId"]]
