"""A machine: an EC2 instance as the emulator knows it. What DescribeInstances shows is moto's copy of the same facts."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Machine:
    """``state`` is that of DescribeInstances. ``public_address`` is empty if it has none."""

    id: str
    state: str = "pending"
    reboots: int = 0
    """How often a reboot was asked for"""
    image_id: str = ""
    image_name: str = ""
    architecture: str = "x86_64"
    instance_type: str = ""
    profile: str = ""
    """The instance profile's ARN"""
    profile_id: str = ""
    subnet_id: str = ""
    subnet_cidr: str = ""
    vpc_id: str = ""
    vpc_cidr: str = ""
    availability_zone: str = ""
    zone_id: str = ""
    private_address: str = ""
    public_address: str = ""
    mac: str = ""
    interface_id: str = ""
    private_dns: str = ""
    public_dns: str = ""
    groups: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    key_name: str = ""
    launch_time: str = ""
    launch_index: int = 0
    reservation: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    tokens: str = "optional"
    """Whether IMDS wants a token: ``required`` or ``optional``"""
    endpoint: str = "enabled"
    metadata_tags: str = "disabled"
    shutdown_behavior: str = "stop"
    monitored: bool = False
    """In detail: every minute"""

    network: str = ""
    """The runtime's network: the VPC"""
    rebooted: int = 0
    """How many of the asked-for reboots were done"""
    recovering: bool = False
    """It runs on after its host (the emulator) had ended: no waiting, and not its first boot"""
    boots: int = 0
    booted_at: float = 0.0
    """Lab time of the latest boot"""
    ended_at: float = 0.0
    """Lab time since when it is terminated"""
    pid: int | None = None
    """Of its first process on this computer, while it runs"""
    role_arn: str = ""
    """Of its profile's role, when it was last looked up"""
    container_instance_arn: str = ""
    """What ECS called it when its agent registered"""

    @property
    def sandbox(self) -> str:
        """The runtime's."""
        return self.id

    @property
    def hostname(self) -> str:
        """Its own name, as EC2 gives it."""
        return self.private_dns

    @property
    def group_name(self) -> str:
        """Of its Auto Scaling group; empty if it is in none."""
        return self.tags.get("aws:autoscaling:groupName", "")

    @property
    def has_ecs_agent(self) -> bool:
        """Whether its AMI is an ECS-optimized one."""
        return is_ecs_optimized(self.image_name)

    def learn(self, facts: dict[str, Any], network: str) -> bool:
        """Take over what moto says; whether anything is new."""
        before = {name: getattr(self, name) for name in _FACTS}
        for name in _FACTS & facts.keys():
            value = facts[name]
            setattr(self, name, tuple(value) if isinstance(value, list) else value)
        self.network = network
        return before != {name: getattr(self, name) for name in _FACTS}


def is_ecs_optimized(image_name: str) -> bool:
    """By the names that Amazon gives them."""
    return image_name.startswith(("al2023-ami-ecs-", "amzn2-ami-ecs-")) or image_name.endswith("-amazon-ecs-optimized")


_FACTS = {each.name for each in fields(Machine)} - {
    *(
        "id",
        "network",
        "rebooted",
        "recovering",
        "boots",
        "booted_at",
        "ended_at",
        "pid",
        "container_instance_arn",
        "role_arn",
    )
}
