"""What chapters need to be there before they begin, and how it is brought up. Each need is idempotent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.errors import LabError

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


NEEDS: dict[str, Callable[[Client], str]] = {"default-vpc": _default_vpc}


def bring_up(name: str, client: Client) -> str:
    """What was found or made, in a few words. Raises LabError; KeyError for a need that nobody wrote."""
    return NEEDS[name](client)
