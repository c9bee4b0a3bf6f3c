"""Stands in for moto's IAM in its other services: roles and instance profiles are Drydock's own, moto knows none.

Whether a role or profile exists and may be passed is decided by Drydock's IAM before a request comes here; moto is only
told that it does, and the ARN. Runs in the child.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class InstanceProfile:
    """What moto's EC2 wants to know of an instance profile."""

    arn: str

    @property
    def name(self) -> str:
        """The last part of the ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def id(self) -> str:
        """moto shows the ARN's name where AWS has the profile's unique id."""
        return self.name


@dataclass
class TrustedIam:
    """One account's; the same questions as of moto's backend."""

    account: str
    partition: str

    def get_role_by_arn(self, arn: str) -> None:
        """Lambda asks whether its role is there."""

    def get_instance_profile(self, name: str) -> InstanceProfile:
        """EC2 asks by name."""
        return InstanceProfile(f"arn:{self.partition}:iam::{self.account}:instance-profile/{name}")

    def get_instance_profile_by_arn(self, arn: str) -> InstanceProfile:
        """EC2 asks by ARN."""
        return InstanceProfile(arn)


class TrustedIams:
    """In place of moto's registry: ``[account][partition]``."""

    def __getitem__(self, account: str) -> _OfAccount:
        return _OfAccount(account)


@dataclass
class _OfAccount:
    account: str

    def __getitem__(self, partition: str) -> TrustedIam:
        return TrustedIam(self.account, partition)
