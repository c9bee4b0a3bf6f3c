"""Instances, launch templates, Auto Scaling groups, capacity providers; and the rest of the network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.cloudformation.conftest import Stacks

IMAGE = "{{resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id}}"
PLAIN_IMAGE = "{{resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(autouse=True)
def machines(emulator: EmulatorProcess) -> None:
    """Instances are made in the namespaces tier only."""
    status = emulator.get("/_drydock/status")["runtime"]
    if status["tier"] != "namespaces":
        pytest.skip(f"no namespaces tier here: {status['reason']}")


def cluster(size: int) -> dict[str, Any]:
    """An ECS cluster with instances of its own."""
    user_data = "#!/bin/bash\necho ECS_CLUSTER=${Cluster} >> /etc/ecs/ecs.config\n"
    arn = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
    return {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": [arn]},
            },
            "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
            "Cluster": {"Type": "AWS::ECS::Cluster"},
            "Template": {
                "Type": "AWS::EC2::LaunchTemplate",
                "Properties": {
                    "LaunchTemplateData": {
                        "ImageId": IMAGE,
                        "InstanceType": "t3.micro",
                        "IamInstanceProfile": {"Arn": {"Fn::GetAtt": ["Profile", "Arn"]}},
                        "UserData": {"Fn::Base64": {"Fn::Sub": user_data}},
                    }
                },
            },
            "Group": {
                "Type": "AWS::AutoScaling::AutoScalingGroup",
                "Properties": {
                    "MinSize": "0",
                    "MaxSize": "3",
                    "DesiredCapacity": str(size),
                    "AvailabilityZones": {"Fn::GetAZs": ""},
                    "LaunchTemplate": {
                        "LaunchTemplateId": {"Ref": "Template"},
                        "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
                    },
                    "Tags": [{"Key": "Name", "Value": "member", "PropagateAtLaunch": True}],
                },
            },
            "Provider": {
                "Type": "AWS::ECS::CapacityProvider",
                "Properties": {
                    "AutoScalingGroupProvider": {
                        "AutoScalingGroupArn": {"Fn::GetAtt": ["Group", "AutoScalingGroupARN"]}
                    }
                },
            },
            "Providers": {
                "Type": "AWS::ECS::ClusterCapacityProviderAssociations",
                "Properties": {
                    "Cluster": {"Ref": "Cluster"},
                    "CapacityProviders": [{"Ref": "Provider"}],
                    "DefaultCapacityProviderStrategy": [{"CapacityProvider": {"Ref": "Provider"}, "Weight": 1}],
                },
            },
        }
    }


def running(stacks: Stacks) -> int:
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    found = stacks.aws("ec2").describe_instances(Filters=filters)["Reservations"]
    return sum(len(one["Instances"]) for one in found)


def test_a_cluster_of_instances(stacks: Stacks) -> None:
    stacks.create("fleet", cluster(1))
    name = stacks.physical("fleet", "Cluster")
    shown = stacks.aws("ecs").describe_clusters(clusters=[name])["clusters"][0]
    assert shown["capacityProviders"] == [stacks.physical("fleet", "Provider")]
    stacks.update("fleet", cluster(2))
    group = stacks.physical("fleet", "Group")
    groups = stacks.aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    assert groups[0]["DesiredCapacity"] == 2
    stacks.delete("fleet")
    assert running(stacks) == 0
    assert stacks.aws("ec2").describe_launch_templates()["LaunchTemplates"] == []


def machine(text: str) -> dict[str, Any]:
    return {
        "Resources": {
            "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "machines"}},
            "Machine": {
                "Type": "AWS::EC2::Instance",
                "CreationPolicy": {"ResourceSignal": {"Timeout": "PT30M"}},
                "Properties": {
                    "ImageId": IMAGE,
                    "InstanceType": "t3.micro",
                    "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}],
                    "UserData": {"Fn::Base64": text},
                    "Tags": [{"Key": "Name", "Value": "mine"}],
                },
            },
        },
        "Outputs": {"Address": {"Value": {"Fn::GetAtt": ["Machine", "PrivateIp"]}}},
    }


def test_an_instance_is_complete_when_it_has_signalled(stacks: Stacks) -> None:
    import json

    from tests.emulator_process import wait_until

    stacks.cfn.create_stack(StackName="one", TemplateBody=json.dumps(machine("#!/bin/sh\ntrue\n")))

    def runs() -> bool:
        found = stacks.aws("ec2").describe_instances()["Reservations"]
        return any(one["State"]["Name"] == "running" for group in found for one in group["Instances"])

    wait_until(runs, "the instance runs", lambda: "\n".join(stacks.story("one")))
    assert stacks.describe("one")["StackStatus"] == "CREATE_IN_PROGRESS"
    instance = stacks.physical("one", "Machine")
    stacks.cfn.signal_resource(StackName="one", LogicalResourceId="Machine", UniqueId=instance, Status="SUCCESS")
    stack = stacks.settled("one")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Outputs"][0]["OutputValue"].count(".") == 3
    assert f"Machine CREATE_IN_PROGRESS Received SUCCESS signal with UniqueId {instance}" in stacks.story("one")
    stacks.delete("one")
    assert running(stacks) == 0


def test_endpoints(stacks: Stacks) -> None:
    template = {
        "Resources": {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
            "Routes": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
            "S3": {
                "Type": "AWS::EC2::VPCEndpoint",
                "Properties": {
                    "VpcId": {"Ref": "Vpc"},
                    "ServiceName": {"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"},
                    "RouteTableIds": [{"Ref": "Routes"}],
                },
            },
        }
    }
    stacks.create("one", template)
    found = stacks.aws("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    assert [one["VpcEndpointId"] for one in found] == [stacks.physical("one", "S3")]
    stacks.delete("one")


def test_an_instance_and_a_task_signal_a_wait_condition(stacks: Stacks) -> None:
    """By the URL of its handle, which leads to the emulator from within as well."""
    send = "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], sys.argv[2].encode(), method='PUT'))"
    signal = '{"Status": "SUCCESS", "UniqueId": "%s", "Data": "hello", "Reason": "done"}'
    script = f"#!/bin/sh\npython3 -c \"{send}\" '${{Handle}}' '{signal % 'machine'}'\n"
    ec2 = stacks.aws("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    network = {"AwsvpcConfiguration": {"Subnets": [subnet], "AssignPublicIp": "ENABLED"}}
    container = {
        "Name": "teller",
        "Image": "public.ecr.aws/docker/library/python:3.12-slim",
        "Command": ["python", "-c", f"{send}; import time; time.sleep(3600)", {"Ref": "Handle"}, signal % "task"],
    }
    template = {
        "Resources": {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Machine": {
                "Type": "AWS::EC2::Instance",
                "Properties": {
                    "ImageId": PLAIN_IMAGE,
                    "InstanceType": "t3.micro",
                    "UserData": {"Fn::Base64": {"Fn::Sub": script}},
                },
            },
            "Cluster": {"Type": "AWS::ECS::Cluster"},
            "Definition": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {
                    "RequiresCompatibilities": ["FARGATE"],
                    "NetworkMode": "awsvpc",
                    "Cpu": "256",
                    "Memory": "512",
                    "ContainerDefinitions": [container],
                },
            },
            "Service": {
                "Type": "AWS::ECS::Service",
                "Properties": {
                    "Cluster": {"Ref": "Cluster"},
                    "TaskDefinition": {"Ref": "Definition"},
                    "DesiredCount": 1,
                    "LaunchType": "FARGATE",
                    "NetworkConfiguration": network,
                },
            },
            "Waiting": {
                "Type": "AWS::CloudFormation::WaitCondition",
                "DependsOn": ["Machine", "Service"],
                "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "2000", "Count": 2},
            },
        },
        "Outputs": {"Data": {"Value": {"Fn::GetAtt": ["Waiting", "Data"]}}},
    }  # fmt: skip
    stack = stacks.create("one", template)
    assert json.loads(stack["Outputs"][0]["OutputValue"]) == {"machine": "hello", "task": "hello"}
    stacks.delete("one")


def test_a_provider_whose_scaling_is_managed(stacks: Stacks) -> None:
    template = cluster(0)
    group, provider = (template["Resources"][name]["Properties"] for name in ("Group", "Provider"))
    group |= {"MaxSize": "0", "NewInstancesProtectedFromScaleIn": True}
    given = provider["AutoScalingGroupProvider"]
    given |= {"ManagedScaling": {"Status": "ENABLED", "TargetCapacity": 80}, "ManagedTerminationProtection": "ENABLED"}
    stacks.create("fleet", template)
    name, groups = stacks.physical("fleet", "Provider"), stacks.aws("autoscaling")

    def shown() -> dict[str, Any]:
        found = stacks.aws("ecs").describe_capacity_providers(capacityProviders=[name])["capacityProviders"][0]
        return dict(found["autoScalingGroupProvider"])

    def targets() -> list[float]:
        policies = groups.describe_policies(AutoScalingGroupName=stacks.physical("fleet", "Group"))["ScalingPolicies"]
        return [one["TargetTrackingConfiguration"]["TargetValue"] for one in policies]

    assert (shown()["managedTerminationProtection"], shown()["managedScaling"]["targetCapacity"]) == ("ENABLED", 80)
    wait_until(lambda: targets() == [80.0], "the policy is there", targets)
    given["ManagedScaling"]["TargetCapacity"] = 90
    stacks.update("fleet", template)
    wait_until(lambda: targets() == [90.0], "the policy has changed", targets)
    stacks.delete("fleet")
    assert groups.describe_policies()["ScalingPolicies"] == []
