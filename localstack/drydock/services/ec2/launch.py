"""RunInstances before it goes to moto: a launch template filled in, and what AWS would refuse. Pure.

Sources: "Launch an instance from a launch template" (the request's parameters win), "Error codes for the Amazon EC2 API".
"""

from __future__ import annotations

import platform
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.ec2 import user_data
from drydock.services.ec2.types import DEFAULT, TYPES, InstanceType, looks_like_one

TAKEN = frozenset({
    "BlockDeviceMappings", "ClientToken", "CreditSpecification", "DisableApiStop", "DisableApiTermination", "DryRun",
    "EbsOptimized", "IamInstanceProfile", "ImageId", "InstanceInitiatedShutdownBehavior", "InstanceType", "KeyName",
    "LaunchTemplate", "MaintenanceOptions", "MaxCount", "MetadataOptions", "MinCount", "Monitoring", "NetworkInterfaces",
    "Placement", "PrivateDnsNameOptions", "PrivateIpAddress", "SecurityGroupIds", "SecurityGroups", "SubnetId",
    "TagSpecifications", "UserData",
})  # fmt: skip
"""Parameters of RunInstances that are acted on, or that say what is so anyway"""
_AMAZON_LINUX = ("al2023-ami-", "amzn2-ami-", "amzn-ami-", "al2027-preview-ami-")


def merged(params: dict[str, Any], template: dict[str, Any] | None) -> dict[str, Any]:
    """The request with what its launch template says where it says nothing itself; tags of both."""
    found = {name: value for name, value in params.items() if name != "LaunchTemplate"}
    for name, value in (template or {}).items():
        if name == "TagSpecifications":
            found[name] = _tags_of_both(value, found.get(name, []))
        elif name not in found and name in TAKEN:
            if (
                name in ("SecurityGroupIds", "SecurityGroups")
                and {"SecurityGroupIds", "SecurityGroups"} & params.keys()
            ):
                continue
            found[name] = value
    return found


def _tags_of_both(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_kind: dict[str, dict[str, str]] = {}
    for specification in [*first, *second]:
        tags = by_kind.setdefault(specification.get("ResourceType", ""), {})
        tags.update({tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", [])})
    return [
        {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        for kind, tags in by_kind.items()
    ]


def check_parameters(params: dict[str, Any]) -> InstanceType:
    """What can be told without looking anything up. Raises AwsError; the answer is the instance type."""
    unknown = sorted(name for name, value in params.items() if name not in TAKEN and value not in (None, {}, []))
    if unknown:
        raise NotImplementedByDrydock("ec2", "RunInstances", f"It does not act on: {', '.join(unknown)}.")
    if not params.get("ImageId"):
        raise AwsError("MissingParameter", "The request must contain the parameter ImageId")
    least, most = int(params.get("MinCount", 1)), int(params.get("MaxCount", 1))
    for name, value in (("minCount", least), ("maxCount", most)):
        if value < 1:
            raise AwsError(
                "InvalidParameterValue", f"Value ({value}) for parameter {name} is invalid. Must be at least 1."
            )
    if least > most:
        message = f"Value ({least}) for parameter minCount is invalid. Must be less than or equal to maxCount."
        raise AwsError("InvalidParameterValue", message)
    _check_user_data(params.get("UserData") or "")
    _check_interfaces(params)
    return instance_type(params.get("InstanceType") or DEFAULT)


def _check_user_data(encoded: str) -> None:
    try:
        size = len(user_data.raw(encoded))
    except user_data.BadUserData as error:
        raise AwsError("InvalidUserData.Malformed", str(error)) from error
    if size > user_data.LARGEST:
        raise AwsError("InvalidParameterValue", f"User data is limited to {user_data.LARGEST} bytes")


def _check_interfaces(params: dict[str, Any]) -> None:
    if not params.get("NetworkInterfaces"):
        return
    for name, what in (("SubnetId", "subnet ID"), ("SecurityGroupIds", "security groups")):
        if params.get(name):
            message = f"Network interfaces and an instance-level {what} may not be specified on the same request"
            raise AwsError("InvalidParameterCombination", message)


def instance_type(name: str) -> InstanceType:
    """Raises AwsError as AWS does for one that there is not, and for one that is not to be had."""
    if name in TYPES:
        return TYPES[name]
    if looks_like_one(name):
        message = (
            "The requested configuration is currently not supported. Please check the documentation for supported "
        )
        raise AwsError("Unsupported", message + "configurations.")
    raise AwsError("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")


def check_image(image: dict[str, Any], wanted: InstanceType) -> None:
    """Whether a machine of that type can be made from an image (DescribeImages). Raises AwsError."""
    architecture = image.get("Architecture", "x86_64")
    if architecture != wanted.architecture:
        raise AwsError(
            "InvalidParameterValue",
            f"The architecture '{wanted.architecture}' of the specified instance type does not match the architecture "
            f"'{architecture}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, "
            "and try again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of "
            "the instance type or AMI.",
        )
    if not str(image.get("Name", "")).startswith(_AMAZON_LINUX):
        instead = f"Its machines stand in for Amazon Linux only, and {image['ImageId']} is {image.get('Name')}."
        raise NotImplementedByDrydock("ec2", "RunInstances", instead)
    ours = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if architecture != ours:
        instead = (
            f"Its machines run this computer's own programs, which are {ours}; {image['ImageId']} is {architecture}."
        )
        raise NotImplementedByDrydock("ec2", "RunInstances", instead)


def with_defaults(params: dict[str, Any], wanted: InstanceType, image: dict[str, Any]) -> dict[str, Any]:
    """What AWS fills in: the type, as many instances as can be, and IMDSv2 where the AMI asks for it."""
    found = {**params, "InstanceType": wanted.name, "MinCount": int(params.get("MaxCount", 1))}
    found["MaxCount"] = found["MinCount"]
    options = dict(params.get("MetadataOptions") or {})
    if "HttpTokens" not in options and str(image.get("Name", "")).startswith("al20"):
        options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2, **options}
    if options:
        found["MetadataOptions"] = options
    return found
