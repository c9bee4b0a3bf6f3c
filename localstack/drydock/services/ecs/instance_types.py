"""How many tasks with a network interface of their own an EC2 instance bears, without trunking.

Source: "Maximum IP addresses per network interface" of the EC2 user guide; the first interface is the instance's own.
"""

from __future__ import annotations

_MOST = {
    "nano": 2, "micro": 2, "small": 3, "medium": 3, "large": 3, "xlarge": 4, "2xlarge": 4, "4xlarge": 8, "8xlarge": 8,
    "12xlarge": 8, "16xlarge": 15, "24xlarge": 15, "metal": 15,
}  # fmt: skip


def interfaces_of(instance_type: str) -> int:
    """Network interfaces that tasks can have."""
    most = _MOST.get(instance_type.rpartition(".")[2], 15)
    return most - 1
