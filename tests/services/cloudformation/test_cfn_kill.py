"""kill -9 in the middle of an operation: it goes on, or rolls back, and nothing is there twice."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess
from tests.services.cloudformation.conftest import Stacks

ACCOUNT = "123456789012"
NETWORK = Path(__file__).with_name("network.yaml").read_text()
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def template(round_: int, broken: bool = False) -> dict[str, Any]:
    """Chains of things whose making is one call and several calls, by moto and by us."""
    resources: dict[str, Any] = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": True}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": f"round {round_}"}},
        "Cluster": {"Type": "AWS::ECS::Cluster"},
    }
    for number in range(3):
        resources |= {
            f"Subnet{number}": {
                "Type": "AWS::EC2::Subnet",
                "Properties": {
                    "VpcId": {"Ref": "Vpc"},
                    "CidrBlock": f"10.0.{number}.0/24",
                    "MapPublicIpOnLaunch": True,
                    "Tags": [{"Key": "round", "Value": str(round_)}],
                },
            },
            f"Role{number}": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": TRUST,
                    "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
                },
            },
            f"Profile{number}": {
                "Type": "AWS::IAM::InstanceProfile",
                "Properties": {"Roles": [{"Ref": f"Role{number}"}]},
            },
            f"Logs{number}": {
                "Type": "AWS::Logs::LogGroup",
                "DependsOn": f"Profile{number}",
                "Properties": {"RetentionInDays": (7, 14, 30)[round_ % 3]},
            },
            f"Parameter{number}": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": f"/{number}/{round_}", "Type": "String", "Value": {"Ref": f"Logs{number}"}},
            },
        }
    if broken:
        bad = {"VpcId": "vpc-12345678", "CidrBlock": "10.0.0.0/24"}
        resources["Bad"] = {"Type": "AWS::EC2::Subnet", "DependsOn": "Parameter2", "Properties": bad}
    return {"Resources": resources}


def counts(aws: Callable[..., Any]) -> dict[str, int]:
    """Of everything that the template makes."""
    ec2, iam = aws("ec2"), aws("iam")
    return {
        "vpcs": len([one for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]]),
        "subnets": len([one for one in ec2.describe_subnets()["Subnets"] if not one["DefaultForAz"]]),
        "roles": len([one for one in iam.list_roles()["Roles"] if not one["Path"].startswith("/aws-service-role/")]),
        "profiles": len(iam.list_instance_profiles()["InstanceProfiles"]),
        "logs": len(aws("logs").describe_log_groups()["logGroups"]),
        "parameters": len(aws("ssm").describe_parameters()["Parameters"]),
        "topics": len(aws("sns").list_topics()["Topics"]),
        "clusters": len(aws("ecs").list_clusters()["clusterArns"]),
    }


WHOLE = {"vpcs": 1, "subnets": 3, "roles": 3, "profiles": 3, "logs": 3, "parameters": 3, "topics": 1, "clusters": 1}
NONE = dict.fromkeys(WHOLE, 0)


class Killed:
    """An emulator that is killed again and again."""

    def __init__(self, state: Path, seed: int) -> None:
        self.emulator = EmulatorProcess(state, "--speed", "20").start()
        self.chance = random.Random(seed)

    def client(self, service: str, **given: Any) -> Any:
        return self.emulator.client(service, ACCOUNT, **given)

    @property
    def stacks(self) -> Stacks:
        return Stacks(self.client, ACCOUNT)

    def within(self, stack: str, most: float) -> dict[str, Any]:
        """Kill and start again, at some moment of the operation, until it is through."""
        for _ in range(2):
            time.sleep(self.chance.uniform(0.0, most))  # the moment of the kill is the point of the test
            self.emulator.kill()
            self.emulator.start()
            if not self.stacks.describe(stack)["StackStatus"].endswith("_IN_PROGRESS"):
                break
        return self.stacks.settled(stack)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.all) for seed in range(2, 20))])
def test_killed_in_the_middle(tmp_path: Path, seed: int) -> None:
    killed = Killed(tmp_path / "state", seed)
    try:
        given = {"StackName": "one", "Capabilities": ["CAPABILITY_IAM"]}
        made = killed.stacks.cfn.create_stack(**given, TemplateBody=json.dumps(template(0)))
        stack = killed.within("one", 0.8)
        assert stack["StackStatus"] == "CREATE_COMPLETE", "\n".join(killed.stacks.story("one"))
        assert counts(killed.client) == WHOLE
        killed.stacks.cfn.update_stack(**given, TemplateBody=json.dumps(template(1)))
        stack = killed.within("one", 0.5)
        assert stack["StackStatus"] == "UPDATE_COMPLETE", "\n".join(killed.stacks.story("one"))
        assert counts(killed.client) == WHOLE
        killed.stacks.cfn.update_stack(**given, TemplateBody=json.dumps(template(2, broken=True)))
        stack = killed.within("one", 0.5)
        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", "\n".join(killed.stacks.story("one"))
        assert counts(killed.client) == WHOLE
        groups = killed.client("logs").describe_log_groups()["logGroups"]
        assert [one["retentionInDays"] for one in groups] == [14, 14, 14]
        names = sorted(one["Name"] for one in killed.client("ssm").describe_parameters()["Parameters"])
        assert names == ["/0/1", "/1/1", "/2/1"]
        killed.stacks.cfn.delete_stack(StackName="one")
        stack = killed.within(made["StackId"], 0.4)
        assert stack["StackStatus"] == "DELETE_COMPLETE", "\n".join(killed.stacks.story(made["StackId"]))
        assert counts(killed.client) == NONE
        assert killed.emulator.faults() == []
    finally:
        killed.emulator.stop()
