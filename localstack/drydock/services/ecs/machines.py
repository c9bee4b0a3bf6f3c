"""What ECS needs to know of the EC2 instances that its container instances are. EC2 provides it; it is passed in where
everything is put together."""

from __future__ import annotations

from typing import Protocol

from drydock.store import Scope


class Machine(Protocol):
    """An EC2 instance that runs."""

    @property
    def id(self) -> str: ...
    @property
    def sandbox(self) -> str:
        """Its network, to the runtime"""
        ...

    @property
    def network(self) -> str:
        """The runtime's network that its sandbox is in"""
        ...

    @property
    def private_address(self) -> str: ...
    @property
    def public_address(self) -> str:
        """Empty if it has none"""
        ...

    @property
    def subnet_id(self) -> str: ...
    @property
    def vpc_id(self) -> str: ...
    @property
    def groups(self) -> tuple[str, ...]:
        """Ids of its security groups"""
        ...

    @property
    def availability_zone(self) -> str: ...
    @property
    def instance_type(self) -> str: ...
    @property
    def image_id(self) -> str: ...
    @property
    def role_arn(self) -> str:
        """Of its instance profile's role; empty if it has none"""
        ...

    @property
    def group_name(self) -> str:
        """Of its Auto Scaling group; empty if it is in none"""
        ...


class Machines(Protocol):
    """EC2, to ECS."""

    def find(self, scope: Scope, instance_id: str) -> Machine | None:
        """One that runs."""
        ...

    def deregistered(self, scope: Scope, instance_id: str, container_instance_arn: str) -> None:
        """Its agent is told that ECS does not know it any more."""
        ...
