"""What RunInstances takes, fills in and refuses."""

from __future__ import annotations

import base64
import platform
from typing import Any

import pytest
from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.ec2 import launch
from drydock.services.ec2.types import TYPES, looks_like_one

OURS = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
OURS_TYPE = "t4g.micro" if OURS == "arm64" else "t3.micro"
IMAGE = {"ImageId": "ami-1", "Name": "al2023-ami-ecs-hvm-2023.0.1-kernel-6.1-x86_64", "Architecture": OURS}


def refused(params: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        launch.check_parameters({"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1, **params})
    return caught.value.code, caught.value.message


def tags(**pairs: str) -> list[dict[str, Any]]:
    return [{"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in pairs.items()]}]


def test_the_request_wins_over_its_template() -> None:
    found = launch.merged(
        {"InstanceType": "t3.micro"}, {"InstanceType": "t3.large", "ImageId": "ami-2", "RamDiskId": "x"}
    )
    assert found == {"InstanceType": "t3.micro", "ImageId": "ami-2"}


def test_tags_of_both_the_request_s_win() -> None:
    found = launch.merged({"TagSpecifications": tags(a="1", b="2")}, {"TagSpecifications": tags(b="0", c="3")})
    assert found["TagSpecifications"] == tags(b="2", c="3", a="1")


def test_groups_by_id_or_by_name_are_one_thing() -> None:
    template = {"SecurityGroupIds": ["sg-1"]}
    assert launch.merged({"SecurityGroups": ["web"]}, template) == {"SecurityGroups": ["web"]}
    assert launch.merged({}, template) == template


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"ImageId": ""}, "MissingParameter", "The request must contain the parameter ImageId"),
        ({"InstanceType": "huge"}, "InvalidParameterValue", "Invalid value 'huge' for InstanceType."),
        ({"MinCount": 0}, "InvalidParameterValue", "Value (0) for parameter minCount is invalid."),
        ({"MinCount": 3, "MaxCount": 2}, "InvalidParameterValue", "minCount is invalid"),
        ({"UserData": "%%%"}, "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."),
        (
            {"UserData": base64.b64encode(b"x" * 16385).decode()},
            "InvalidParameterValue",
            "User data is limited to 16384 bytes",
        ),
        (
            {"SubnetId": "subnet-1", "NetworkInterfaces": [{"DeviceIndex": 0}]},
            "InvalidParameterCombination",
            "Network interfaces and an instance-level subnet ID may not be specified on the same request",
        ),
        ({"InstanceType": "u-24tb1.112xlarge"}, "InvalidParameterValue", "Invalid value"),
        ({"InstanceType": "p5.48xlarge"}, "Unsupported", "The requested configuration is currently not supported."),
    ],
)
def test_refusals_in_aws_s_words(params: dict[str, Any], code: str, message: str) -> None:
    found = refused(params)
    assert found[0] == code
    assert message in found[1]


@pytest.mark.parametrize(
    "name", ["HibernationOptions", "ElasticGpuSpecification", "InstanceMarketOptions", "CpuOptions"]
)
def test_parameters_that_would_be_ignored_are_refused(name: str) -> None:
    with pytest.raises(NotImplementedByDrydock, match=name):
        launch.check_parameters({"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1, name: {"x": "y"}})


def test_the_most_user_data_that_fits() -> None:
    encoded = base64.b64encode(b"x" * 16384).decode()
    assert launch.check_parameters({"ImageId": "ami-1", "UserData": encoded}).name == "m1.small"


def test_an_image_of_another_architecture_than_the_type() -> None:
    other = {**IMAGE, "Architecture": "arm64" if OURS == "x86_64" else "x86_64"}
    with pytest.raises(AwsError, match="does not match the architecture") as caught:
        launch.check_image(other, TYPES[OURS_TYPE])
    assert caught.value.code == "InvalidParameterValue"


def test_what_this_computer_cannot_run_is_not_run() -> None:
    foreign = "arm64" if OURS == "x86_64" else "x86_64"
    kind = TYPES["t4g.micro" if foreign == "arm64" else "t3.micro"]
    with pytest.raises(NotImplementedByDrydock, match="this computer's own programs"):
        launch.check_image({**IMAGE, "Architecture": foreign}, kind)


@pytest.mark.parametrize("name", ["ubuntu/images/hvm-ssd/x", "Windows_Server-2022", "", "my-image"])
def test_only_amazon_linux_is_stood_in_for(name: str) -> None:
    with pytest.raises(NotImplementedByDrydock, match="Amazon Linux only"):
        launch.check_image({**IMAGE, "Name": name}, TYPES[OURS_TYPE])


def test_amazon_linux_2023_wants_imdsv2_unless_told() -> None:
    kind = TYPES[OURS_TYPE]
    assert launch.with_defaults({"MaxCount": 3}, kind, IMAGE)["MetadataOptions"]["HttpTokens"] == "required"
    told = launch.with_defaults({"MetadataOptions": {"HttpTokens": "optional"}}, kind, IMAGE)
    assert told["MetadataOptions"] == {"HttpTokens": "optional"}
    older = launch.with_defaults({}, kind, {**IMAGE, "Name": "amzn2-ami-ecs-hvm-2.0"})
    assert "MetadataOptions" not in older


def test_as_many_as_can_be() -> None:
    found = launch.with_defaults({"MinCount": 1, "MaxCount": 3}, TYPES[OURS_TYPE], IMAGE)
    assert (found["MinCount"], found["MaxCount"]) == (3, 3)


@pytest.mark.parametrize(
    ("name", "vcpus", "memory", "architecture"),
    [
        ("t2.micro", 1, 1024, "x86_64"), ("t3.micro", 2, 1024, "x86_64"), ("t3.medium", 2, 4096, "x86_64"),
        ("t4g.small", 2, 2048, "arm64"), ("m5.large", 2, 8192, "x86_64"), ("c5.xlarge", 4, 8192, "x86_64"),
        ("r6i.2xlarge", 8, 65536, "x86_64"), ("m6g.medium", 1, 4096, "arm64"), ("m1.small", 1, 1740, "x86_64"),
    ],
)  # fmt: skip
def test_types(name: str, vcpus: int, memory: int, architecture: str) -> None:
    found = TYPES[name]
    assert (found.vcpus, found.memory, found.architecture) == (vcpus, memory, architecture)


def test_linux_sees_less_than_the_type_has() -> None:
    assert all(0 < kind.seen_memory < kind.memory for kind in TYPES.values())
    assert TYPES["m5.large"].seen_memory == 7680


def test_names_of_types() -> None:
    assert all(looks_like_one(name) for name in TYPES)
    assert not any(looks_like_one(name) for name in ("", "t3", "t3.", "T3.micro", "t3.tiny", "t3.micro2"))
