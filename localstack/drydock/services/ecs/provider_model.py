"""Capacity providers of Auto Scaling groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class CapacityProvider:
    """``group_arn`` is the Auto Scaling group's."""

    arn: str
    name: str
    group_arn: str
    managed_scaling: dict[str, Any]
    managed_draining: str = "ENABLED"
    termination_protection: str = "DISABLED"
    status: str = "ACTIVE"
    update_status: str = ""
    update_reason: str = ""
    tags: list[dict[str, str]] = field(default_factory=list)

    @property
    def group_name(self) -> str:
        """Of the Auto Scaling group."""
        return self.group_arn.rpartition("autoScalingGroupName/")[2]

    @property
    def is_managed(self) -> bool:
        """Whether ECS scales the group."""
        return bool(self.managed_scaling["status"] == "ENABLED")

    def describe(self, tags: bool) -> dict[str, Any]:
        """AWS's form."""
        shown: dict[str, Any] = {
            "capacityProviderArn": self.arn,
            "name": self.name,
            "status": self.status,
            "type": "EC2_AUTOSCALING",
            "autoScalingGroupProvider": {
                "autoScalingGroupArn": self.group_arn,
                "managedScaling": self.managed_scaling,
                "managedTerminationProtection": self.termination_protection,
                "managedDraining": self.managed_draining,
            },
            "tags": self.tags if tags else [],
        }
        if self.update_status:
            shown["updateStatus"] = self.update_status
        if self.update_reason:
            shown["updateStatusReason"] = self.update_reason
        return shown


@dataclass
class ManagedPolicy:
    """The scaling policy of a provider on its group, and the attachment of the cluster that it is. ``applied`` are the
    parameters that it was put with, empty while it is not there."""

    number: str
    provider: str
    cluster: str
    group: str
    applied: dict[str, Any] = field(default_factory=dict)
    failed: bool = False

    @property
    def policy(self) -> str:
        """The policy's name."""
        return f"ECSManagedAutoScalingPolicy-{self.number}"

    def describe(self, stays: bool) -> dict[str, Any]:
        """AWS's form, an attachment."""
        status = ("CREATED" if self.applied else "CREATING") if stays else "DELETING"
        return {
            "id": self.number,
            "type": "as_policy",
            "status": "FAILED" if self.failed else status,
            "details": [
                {"name": "capacityProviderName", "value": self.provider},
                {"name": "scalingPolicyName", "value": self.policy},
            ],
        }
