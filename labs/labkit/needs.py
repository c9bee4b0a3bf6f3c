"""What chapters need to be there before they begin, and how it is brought up. Each need is idempotent."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from labkit.commands import NOT_IMPLEMENTED, WIDTH
from labkit.errors import LabError
from labkit.skipping import skip_from_here

Client = Callable[[str], Any]


def _default_vpc(client: Client) -> str:
    """Every account has one unless somebody deleted it."""
    ec2 = client("ec2")
    if not ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]:
        raise LabError(
            "This account has no default VPC in this region.",
            "Make one with: aws ec2 create-default-vpc",  # it is theirs to make: a clean-up would not take it back
        )
    return "the default VPC is there"


_AMI = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"


def _instances(client: Client) -> str:
    """EC2 instances with the ECS agent can run. Where they cannot, the chapter's cells are skipped."""
    try:
        image = client("ssm").get_parameter(Name=_AMI)["Parameter"]["Value"]
        client("ec2").run_instances(ImageId=image, InstanceType="t3.small", MinCount=1, MaxCount=1, DryRun=True)
    except ClientError as error:
        told = error.response["Error"]
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == NOT_IMPLEMENTED:
            skip_from_here(told["Message"])
            reason = textwrap.fill(told["Message"], WIDTH, initial_indent="         ", subsequent_indent="         ")
            return f"EC2 instances, and there are none here. The cells below are skipped:\n{reason}"
        if told["Code"] != "DryRunOperation":  # which says that it would have succeeded
            raise
    return "EC2 instances can run"


NEEDS: dict[str, Callable[[Client], str]] = {"default-vpc": _default_vpc, "instances": _instances}


def bring_up(name: str, client: Client) -> str:
    """What was found or made, in a few words. Raises LabError; KeyError for a need that nobody wrote."""
    return NEEDS[name](client)
