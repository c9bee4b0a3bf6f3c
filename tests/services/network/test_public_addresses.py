"""A task's public address: EC2 shows it at the interface, and nowhere among the account's Elastic IPs."""

from __future__ import annotations

import ipaddress
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import Story, id_of, marked_sleep


def interface_of(aws: Callable[..., Any], task: dict[str, Any]) -> dict[str, Any]:
    """As one looks it up: from the task's attachment."""
    details = {pair["name"]: pair["value"] for pair in task["attachments"][0]["details"]}
    answer = aws("ec2").describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])
    return dict(answer["NetworkInterfaces"][0])


def running(story: Story, public: str = "ENABLED", **container: Any) -> dict[str, Any]:
    command, _ = marked_sleep()
    definition = story.register({"command": command, "stopTimeout": 2} | container)
    network = {"awsvpcConfiguration": {**story.network["awsvpcConfiguration"], "assignPublicIp": public}}
    return story.until(story.run(definition, networkConfiguration=network))


def test_it_is_the_interfaces_as_long_as_the_task_lives(story: Story, aws: Callable[..., Any]) -> None:
    task = running(story)
    ec2 = aws("ec2")
    association = interface_of(aws, task)["Association"]
    address = association["PublicIp"]
    assert ipaddress.ip_address(address).is_global
    assert association["IpOwnerId"] == "amazon"
    assert association["PublicDnsName"] == f"ec2-{address.replace('.', '-')}.compute-1.amazonaws.com"
    assert "AllocationId" not in association
    assert ec2.describe_addresses()["Addresses"] == []
    wanted = [{"Name": "association.public-ip", "Values": [address]}]
    (found,) = ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    assert found["PrivateIpAddress"] == task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    story.stop(task["taskArn"])
    assert ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"] == []


def test_each_task_has_its_own(story: Story, aws: Callable[..., Any]) -> None:
    addresses = {interface_of(aws, running(story))["Association"]["PublicIp"] for _ in range(3)}
    assert len(addresses) == 3


def test_without_one(story: Story, aws: Callable[..., Any]) -> None:
    ec2 = aws("ec2")
    address = ec2.allocate_address(Domain="vpc")
    nat = ec2.create_nat_gateway(SubnetId=story.subnet, AllocationId=address["AllocationId"])["NatGateway"]
    vpc = ec2.describe_subnets(SubnetIds=[story.subnet])["Subnets"][0]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat["NatGatewayId"])
    ec2.associate_route_table(RouteTableId=table, SubnetId=story.subnet)
    assert "Association" not in interface_of(aws, running(story, "DISABLED"))
    assert [each["PublicIp"] for each in ec2.describe_addresses()["Addresses"]] == [address["PublicIp"]]


def test_the_emulator_translates_it(emulator: EmulatorProcess, story: Story, aws: Callable[..., Any]) -> None:
    ec2 = aws("ec2")
    vpc = ec2.describe_subnets(SubnetIds=[story.subnet])["Subnets"][0]["VpcId"]
    group = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]["GroupId"]
    everybody = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everybody])
    task = running(
        story, image="python:3.12-slim", command=["python", "-m", "http.server", "80"],
        portMappings=[{"containerPort": 80}],
    )  # fmt: skip
    address = interface_of(aws, task)["Association"]["PublicIp"]
    ports = wait_until(lambda: emulator.get("/_drydock/endpoints")["addresses"].get(address), "the port is open")
    assert ports == emulator.get("/_drydock/endpoints")["tasks"][id_of(task["taskArn"])]

    def answers() -> bool:
        try:
            with urllib.request.urlopen(ports["80"], timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False  # the server is not listening yet

    wait_until(answers, "the server answers")


def test_anybody_may_ask_for_one_and_give_it_back(story: Story, aws: Callable[..., Any]) -> None:
    """ModifyNetworkInterfaceAttribute, as ECS uses it."""
    ec2 = aws("ec2")
    made = ec2.create_network_interface(SubnetId=story.subnet)["NetworkInterface"]["NetworkInterfaceId"]

    def address() -> str:
        (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[made])["NetworkInterfaces"]
        return str(found.get("Association", {}).get("PublicIp", ""))

    assert address() == ""
    ec2.modify_network_interface_attribute(NetworkInterfaceId=made, AssociatePublicIpAddress=True)
    first = address()
    assert first
    ec2.modify_network_interface_attribute(NetworkInterfaceId=made, AssociatePublicIpAddress=True)
    ec2.modify_network_interface_attribute(NetworkInterfaceId=made, Description={"Value": "mine"})
    assert address() == first
    ec2.modify_network_interface_attribute(NetworkInterfaceId=made, AssociatePublicIpAddress=False)
    assert address() == ""
    with pytest.raises(ec2.exceptions.ClientError, match=r"InvalidNetworkInterfaceID\.NotFound"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId="eni-00000000", AssociatePublicIpAddress=True)
    ec2.delete_network_interface(NetworkInterfaceId=made)
