"""Auto Scaling groups keep as many machines running as they are asked to, and tell why they did what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import wait_until
from tests.services.ec2.yard import PARAMETER, Yard, encoded


class Fleet:
    """One group of an account."""

    def __init__(self, yard: Yard, name: str = "fleet") -> None:
        self.yard, self.name = yard, name
        self.api = yard.aws("autoscaling")

    def create(self, data: dict[str, Any] | None = None, **given: Any) -> None:
        template = {"ImageId": f"resolve:ssm:{PARAMETER}", "InstanceType": "t3.nano", **(data or {})}
        self.yard.ec2.create_launch_template(LaunchTemplateName=f"{self.name}-template", LaunchTemplateData=template)
        subnets = [each["SubnetId"] for each in self.yard.ec2.describe_subnets()["Subnets"]][:2]
        base: dict[str, Any] = {"MinSize": 0, "MaxSize": 4, "VPCZoneIdentifier": ",".join(subnets)}
        base["LaunchTemplate"] = {"LaunchTemplateName": f"{self.name}-template", "Version": "$Latest"}
        self.api.create_auto_scaling_group(AutoScalingGroupName=self.name, **(base | given))

    def members(self) -> dict[str, tuple[str, str]]:
        """Id to (lifecycle state, health)."""
        groups = self.api.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        return {m["InstanceId"]: (m["LifecycleState"], m["HealthStatus"]) for m in groups[0]["Instances"]}

    def until(self, condition: Callable[[dict[str, tuple[str, str]]], bool], what: str) -> list[str]:
        wait_until(lambda: condition(self.members()), what, lambda: f"{self.members()}\n{self.activities()}")
        return list(self.members())

    def in_service(self, count: int) -> list[str]:
        """The ids, when so many and no others are members, all in service."""
        return self.until(
            lambda found: len(found) == count and set(found.values()) <= {("InService", "Healthy")},
            f"{count} in service",
        )

    def activities(self) -> list[dict[str, Any]]:
        return list(self.api.describe_scaling_activities(AutoScalingGroupName=self.name)["Activities"])

    def cause(self, description: str) -> str:
        """Of the latest activity that is so described."""
        return str(next(each["Cause"] for each in self.activities() if each["Description"].startswith(description)))

    def desire(self, count: int) -> None:
        self.api.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=count)


@pytest.fixture
def fleet(yard: Yard) -> Fleet:
    return Fleet(yard)


def test_members_run_with_what_the_template_and_the_group_say(fleet: Fleet, yard: Yard) -> None:
    profile = yard.profile()
    data = {
        "UserData": encoded("#!/bin/sh\necho from-the-template\n"),
        "IamInstanceProfile": profile,
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "template"}]}],
    }
    tags = [
        {"Key": "Name", "Value": "web", "PropagateAtLaunch": True},
        {"Key": "mine", "Value": "no", "PropagateAtLaunch": False},
    ]
    fleet.create(data, DesiredCapacity=2, Tags=tags)
    assert {state for state, _ in fleet.members().values()} <= {"Pending", "InService"}
    ids = fleet.in_service(2)
    described = [yard.describe(instance) for instance in ids]
    assert all(each["State"]["Name"] == "running" for each in described)
    assert len({each["Placement"]["AvailabilityZone"] for each in described}) == 2
    found = {tag["Key"]: tag["Value"] for tag in described[0]["Tags"]}
    assert (found["Name"], found["a"], found["aws:autoscaling:groupName"]) == ("web", "template", "fleet")
    assert "mine" not in found
    assert described[0]["IamInstanceProfile"]["Arn"].endswith("/machines")
    assert "from-the-template" in yard.until_printed(ids[0], "login:")
    assert "created an AutoScalingGroup changing the desired capacity from 0 to 2." in fleet.cause("Launching")
    assert {each["StatusCode"] for each in fleet.activities()} == {"Successful"}


def test_a_member_that_was_terminated_is_replaced(fleet: Fleet, yard: Yard) -> None:
    fleet.create(DesiredCapacity=1)
    (first,) = fleet.in_service(1)
    yard.ec2.terminate_instances(InstanceIds=[first])
    fleet.until(lambda found: first not in found and len(found) == 1, "it is replaced")
    fleet.in_service(1)
    assert "in response to an EC2 health check indicating it has been terminated or stopped" in fleet.cause(
        "Terminating"
    )
    assert "in response to an unhealthy instance needing to be replaced" in fleet.cause("Launching")


def test_a_member_that_stops_is_terminated_and_replaced(fleet: Fleet, yard: Yard) -> None:
    fleet.create(DesiredCapacity=1)
    (first,) = fleet.in_service(1)
    yard.ec2.stop_instances(InstanceIds=[first])
    yard.until(first, "terminated")
    assert fleet.in_service(1) != [first]


def test_a_member_that_somebody_calls_unhealthy(fleet: Fleet, yard: Yard) -> None:
    fleet.create(DesiredCapacity=1)
    (first,) = fleet.in_service(1)
    fleet.api.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    yard.until(first, "terminated")
    assert fleet.in_service(1) != [first]
    assert "in response to a user health-check." in fleet.cause("Terminating")


def test_sizes_act(fleet: Fleet, yard: Yard) -> None:
    fleet.create(DesiredCapacity=1)
    fleet.in_service(1)
    fleet.desire(3)
    ids = fleet.in_service(3)
    assert "explicitly set group desired capacity changing the desired capacity from 1 to 3." in fleet.cause(
        "Launching"
    )
    fleet.api.update_auto_scaling_group(AutoScalingGroupName="fleet", MaxSize=2)
    left = fleet.in_service(2)
    (gone,) = set(ids) - set(left)
    yard.until(gone, "terminated")
    assert f"instance {gone} was selected for termination." in fleet.cause("Terminating")
    fleet.api.update_auto_scaling_group(AutoScalingGroupName="fleet", MinSize=0, DesiredCapacity=0)
    fleet.in_service(0)


def test_protected_members_stay(fleet: Fleet) -> None:
    fleet.create(DesiredCapacity=2, NewInstancesProtectedFromScaleIn=True)
    first, second = fleet.in_service(2)
    fleet.api.set_instance_protection(AutoScalingGroupName="fleet", InstanceIds=[second], ProtectedFromScaleIn=False)
    fleet.desire(0)
    assert fleet.in_service(1) == [first]


def test_terminating_a_member_with_and_without_less_capacity(fleet: Fleet) -> None:
    fleet.create(DesiredCapacity=2)
    first, _ = fleet.in_service(2)
    end = fleet.api.terminate_instance_in_auto_scaling_group
    activity = end(InstanceId=first, ShouldDecrementDesiredCapacity=True)["Activity"]
    assert activity["Description"] == f"Terminating EC2 instance: {first}"
    assert "in response to a user request, shrinking the capacity from 2 to 1." in activity["Cause"]
    (second,) = fleet.in_service(1)
    end(InstanceId=second, ShouldDecrementDesiredCapacity=False)
    assert fleet.until(lambda found: second not in found and len(found) == 1, "it is replaced") != [second]
    fleet.in_service(1)


def test_suspended_processes(fleet: Fleet, yard: Yard) -> None:
    fleet.create(DesiredCapacity=1)
    (first,) = fleet.in_service(1)
    fleet.api.suspend_processes(AutoScalingGroupName="fleet", ScalingProcesses=["Launch"])
    yard.ec2.terminate_instances(InstanceIds=[first])
    fleet.in_service(0)
    fleet.api.resume_processes(AutoScalingGroupName="fleet", ScalingProcesses=["Launch"])
    fleet.in_service(1)


def test_a_launch_that_fails_is_told_and_tried_again(fleet: Fleet, yard: Yard) -> None:
    fleet.create({"ImageId": "ami-0123456789abcdef0"}, DesiredCapacity=1)
    wait_until(fleet.activities, "an activity")
    wait_until(lambda: fleet.activities()[0]["StatusCode"] == "Failed", "it has failed", fleet.activities)
    failed = fleet.activities()[0]
    message = "The image id '[ami-0123456789abcdef0]' does not exist. Launching EC2 instance failed."
    assert failed["StatusMessage"] == message
    assert fleet.members() == {}
    data = {"ImageId": yard.image(PARAMETER), "InstanceType": "t3.nano"}
    yard.ec2.create_launch_template_version(LaunchTemplateName="fleet-template", LaunchTemplateData=data)
    fleet.in_service(1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"DesiredCapacity": 9}, "Desired capacity:9 must be between the specified min size:0 and max size:4"),
        ({"MinSize": 5, "MaxSize": 4}, "Max bound, 4, must be greater than or equal to min bound, 5"),
    ],
)
def test_sizes_that_cannot_be(fleet: Fleet, given: dict[str, int], message: str) -> None:
    with pytest.raises(ClientError) as caught:
        fleet.create(**given)
    assert caught.value.response["Error"] == {"Type": "Sender", "Code": "ValidationError", "Message": message}


def test_desired_capacity_out_of_bounds(fleet: Fleet) -> None:
    fleet.create(DesiredCapacity=0)
    with pytest.raises(ClientError, match="New SetDesiredCapacity value 9 is above max value 4 for the"):
        fleet.desire(9)


def test_deleting_a_group(fleet: Fleet, yard: Yard) -> None:
    fleet.create(DesiredCapacity=1)
    (first,) = fleet.in_service(1)
    with pytest.raises(ClientError, match="while there are instances still in the group"):
        fleet.api.delete_auto_scaling_group(AutoScalingGroupName="fleet")
    fleet.api.delete_auto_scaling_group(AutoScalingGroupName="fleet", ForceDelete=True)
    yard.until(first, "terminated")
    assert fleet.api.describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_a_launch_configuration(yard: Yard) -> None:
    api = yard.aws("autoscaling")
    api.create_launch_configuration(
        LaunchConfigurationName="old", ImageId=yard.image(), InstanceType="t3.nano", UserData="#!/bin/sh\necho from-old\n",
        AssociatePublicIpAddress=False,
    )  # fmt: skip
    api.create_auto_scaling_group(
        AutoScalingGroupName="fleet",
        LaunchConfigurationName="old",
        MinSize=1,
        MaxSize=1,
        AvailabilityZones=["us-east-1a"],
    )
    (only,) = Fleet(yard).in_service(1)
    assert "from-old" in yard.until_printed(only, "login:")
    assert "PublicIpAddress" not in yard.describe(only)
