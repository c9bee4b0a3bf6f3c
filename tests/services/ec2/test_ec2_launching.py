"""RunInstances: templates, parameters of Systems Manager, and what is refused before anything begins."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import EmulatorProcess
from tests.services.ec2.yard import PARAMETER, PLAIN_PARAMETER, Yard, encoded


def refused(yard: Yard, **given: Any) -> tuple[str, str]:
    base = {"ImageId": yard.image(), "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    with pytest.raises(ClientError) as caught:
        yard.ec2.run_instances(**(base | given))
    assert yard.ec2.describe_instances()["Reservations"] == []
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound", "The image id '[ami-0123456789abcdef0]' does not exist"),
        ({"ImageId": "nonsense"}, "InvalidAMIID.Malformed", "nonsense"),
        ({"InstanceType": "t3.tiny"}, "InvalidParameterValue", "Invalid value 't3.tiny' for InstanceType."),
        ({"InstanceType": "p5.48xlarge"}, "Unsupported", "The requested configuration is currently not supported"),
        ({"KeyName": "nokey"}, "InvalidKeyPair.NotFound", "The key pair 'nokey' does not exist"),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound", "subnet-0123456789abcdef0"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound", "sg-0123456789abcdef0"),
        ({"UserData": "x" * 16385}, "InvalidParameterValue", "User data is limited to 16384 bytes"),
        ({"CpuOptions": {"CoreCount": 1}}, "NotImplemented", "CpuOptions"),
        ({"ImageId": "resolve:ssm:/no/such"}, "InvalidParameterValue", "/no/such"),
    ],
)  # fmt: skip
def test_refusals(yard: Yard, given: dict[str, Any], code: str, message: str) -> None:
    found = refused(yard, **given)
    assert found[0] == code
    assert message in found[1]


def test_a_dry_run_makes_nothing(yard: Yard) -> None:
    assert refused(yard, DryRun=True)[0] == "DryRunOperation"


def test_the_public_parameters_name_images_that_there_are(yard: Yard) -> None:
    base = "/aws/service/ecs/optimized-ami"
    names = [f"{base}/amazon-linux-{n}/{arm}recommended/image_id" for n in ("2023", "2") for arm in ("", "arm64/")]
    names += [PLAIN_PARAMETER, PLAIN_PARAMETER.replace("x86_64", "arm64")]
    found = {p["Name"]: p["Value"] for p in yard.aws("ssm").get_parameters(Names=names)["Parameters"]}
    assert set(found) == set(names)
    images = {i["ImageId"]: i for i in yard.ec2.describe_images(ImageIds=sorted(set(found.values())))["Images"]}
    for name, image in found.items():
        assert images[image]["Architecture"] == ("arm64" if "arm64" in name else "x86_64")
        assert ("-ecs-" in images[image]["Name"]) is ("ecs" in name)


def test_the_recommendation_is_json(yard: Yard) -> None:
    name = PARAMETER.removesuffix("/image_id")
    document = json.loads(yard.aws("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    assert document["image_id"] == yard.image(PARAMETER)
    assert document["image_name"].startswith("al2023-ami-ecs-hvm-2023.0.")


def test_a_launch_template_with_everything(yard: Yard) -> None:
    profile = yard.profile()
    group = yard.ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    subnet = yard.ec2.describe_subnets()["Subnets"][1]["SubnetId"]
    data: dict[str, Any] = {
        "ImageId": f"resolve:ssm:{PARAMETER}",
        "InstanceType": "t3.micro",
        "UserData": encoded("#!/bin/sh\necho version-one\n"),
        "IamInstanceProfile": profile,
        "NetworkInterfaces": [
            {"DeviceIndex": 0, "AssociatePublicIpAddress": False, "Groups": [group], "SubnetId": subnet}
        ],
        "MetadataOptions": {"HttpTokens": "optional"},
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "template"}]}],
    }
    template = yard.ec2.create_launch_template(LaunchTemplateName="template", LaunchTemplateData=data)["LaunchTemplate"]
    later = {**data, "UserData": encoded("#!/bin/sh\necho version-two\n")}
    yard.ec2.create_launch_template_version(LaunchTemplateName="template", LaunchTemplateData=later)

    def launch(**given: Any) -> dict[str, Any]:
        made = yard.ec2.run_instances(MinCount=1, MaxCount=1, **given)["Instances"][0]["InstanceId"]
        return yard.until(made)

    first = launch(LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"]})
    assert first["ImageId"] == yard.image(PARAMETER)
    assert first["SubnetId"] == subnet and "PublicIpAddress" not in first
    assert [each["GroupId"] for each in first["SecurityGroups"]] == [group]
    assert first["IamInstanceProfile"]["Arn"].endswith("instance-profile/machines")
    assert first["MetadataOptions"]["HttpTokens"] == "optional"
    tags = {tag["Key"]: tag["Value"] for tag in first["Tags"]}
    assert tags["a"] == "template" and tags["aws:ec2launchtemplate:version"] == "1"
    assert "version-one" in yard.until_printed(first["InstanceId"], "login:")

    second = launch(LaunchTemplate={"LaunchTemplateName": "template", "Version": "$Latest"}, InstanceType="t3.nano")
    assert second["InstanceType"] == "t3.nano"
    assert "version-two" in yard.until_printed(second["InstanceId"], "login:")


def test_a_subnet_says_whether_there_is_a_public_address(yard: Yard) -> None:
    vpc = yard.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = yard.ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    without = yard.until(yard.launch(SubnetId=subnet))
    assert "PublicIpAddress" not in without and without["PrivateIpAddress"].startswith("10.1.1.")
    yard.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    assert yard.until(yard.launch(SubnetId=subnet))["PublicIpAddress"].startswith("127.")


def test_an_elastic_address(yard: Yard) -> None:
    instance = yard.launch()
    yard.until(instance)
    allocated = yard.ec2.allocate_address(Domain="vpc")
    assert allocated["PublicIp"].startswith("127.")
    yard.ec2.associate_address(InstanceId=instance, AllocationId=allocated["AllocationId"])
    assert yard.describe(instance)["PublicIpAddress"] == allocated["PublicIp"]


@pytest.mark.parametrize(
    ("service", "operation", "given"),
    [
        ("ec2", "create_image", {"InstanceId": "i-0123456789abcdef0", "Name": "an-image"}),
        ("ec2", "request_spot_instances", {"LaunchSpecification": {"ImageId": "ami-1"}}),
        ("autoscaling", "put_lifecycle_hook", {"LifecycleHookName": "h", "AutoScalingGroupName": "g"}),
        ("autoscaling", "put_warm_pool", {"AutoScalingGroupName": "g"}),
    ],
)
def test_what_nobody_would_act_on_is_not_implemented(
    yard: Yard, service: str, operation: str, given: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(yard.aws(service), operation)(**given)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_in_the_plain_tier_no_instance_is_started(tmp_path: Any) -> None:
    with EmulatorProcess(tmp_path / "state", "--runtime-tier", "plain") as emulator:
        ec2, groups = emulator.client("ec2"), emulator.client("autoscaling")
        image = emulator.client("ssm").get_parameter(Name=PLAIN_PARAMETER)["Parameter"]["Value"]
        with pytest.raises(ClientError, match="would run on your own computer") as caught:
            ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
        data = {"ImageId": image, "InstanceType": "t3.micro"}
        ec2.create_launch_template(LaunchTemplateName="template", LaunchTemplateData=data)
        with pytest.raises(ClientError, match="would run on your own computer"):
            groups.create_auto_scaling_group(
                AutoScalingGroupName="g", MinSize=0, MaxSize=1, AvailabilityZones=["us-east-1a"],
                LaunchTemplate={"LaunchTemplateName": "template"},
            )  # fmt: skip
        assert ec2.describe_instances()["Reservations"] == []
        assert groups.describe_auto_scaling_groups()["AutoScalingGroups"] == []
