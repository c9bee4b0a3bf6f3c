"""Security groups and public addresses decide who reaches a task from this machine."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import Story

SERVER = {
    "image": "python:3.12-slim",
    "command": ["python", "-m", "http.server", "80"],
    "portMappings": [{"containerPort": 80}],
}


def fetch(url: str, patience: float = 5) -> int:
    with urllib.request.urlopen(url, timeout=patience) as answer:
        return int(answer.status)


def port_of(emulator: EmulatorProcess, arn: str) -> tuple[str, str]:
    """URL of port 80 of a task, and why it is blocked."""
    task = arn.rpartition("/")[2]
    told = wait_until(
        lambda: (found := emulator.get("/_drydock/endpoints"))["tasks"].get(task) and found, "the port is open"
    )
    return told["tasks"][task]["80"], told["blocked"].get(task, {}).get("80", "")


@pytest.mark.parametrize(
    ("ingress", "public", "why"),
    [
        ("0.0.0.0/0", "ENABLED", ""),
        ("203.0.113.0/24", "ENABLED", "No ingress rule"),
        ("", "ENABLED", "No ingress rule"),
        ("0.0.0.0/0", "DISABLED", "no public address"),
    ],
)
def test_the_rules_decide(
    emulator: EmulatorProcess, story: Story, aws: Callable[..., Any], ingress: str, public: str, why: str
) -> None:
    ec2 = aws("ec2")
    subnet = ec2.describe_subnets(SubnetIds=[story.subnet])["Subnets"][0]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=subnet["VpcId"])["GroupId"]
    if ingress:
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": ingress}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    if public == "DISABLED":  # a NAT gateway lets it pull, and nobody in
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=story.subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
        table = ec2.create_route_table(VpcId=subnet["VpcId"])["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
        ec2.associate_route_table(RouteTableId=table, SubnetId=story.subnet)
    network = {"subnets": [story.subnet], "securityGroups": [group], "assignPublicIp": public}
    arn = story.run(story.register(SERVER), networkConfiguration={"awsvpcConfiguration": network})
    story.until(arn)
    url, blocked = port_of(emulator, arn)
    if not why:
        assert blocked == ""
        assert wait_until(lambda: reached(url), "the server answers")
    else:
        assert why in blocked
        with pytest.raises((urllib.error.URLError, TimeoutError, ConnectionError)):
            fetch(url, 0.5)


def reached(url: str) -> bool:
    try:
        return fetch(url) == 200
    except OSError:
        return False  # the server is not listening yet


def test_a_rule_that_is_mended_lets_in_at_once(
    emulator: EmulatorProcess, story: Story, aws: Callable[..., Any]
) -> None:
    ec2 = aws("ec2")
    vpc = ec2.describe_subnets(SubnetIds=[story.subnet])["Subnets"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    network = {"subnets": [story.subnet], "securityGroups": [group], "assignPublicIp": "ENABLED"}
    arn = story.run(story.register(SERVER), networkConfiguration={"awsvpcConfiguration": network})
    story.until(arn)
    url, blocked = port_of(emulator, arn)
    assert blocked
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    assert port_of(emulator, arn)[1] == ""
    assert wait_until(lambda: reached(url), "the server answers")
