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
    status: str = "ACTIVE"
    update_status: str = ""
    update_reason: str = ""
    tags: list[dict[str, str]] = field(default_factory=list)

    @property
    def group_name(self) -> str:
        """Of the Auto Scaling group."""
        return self.group_arn.rpartition("autoScalingGroupName/")[2]

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
                "managedTerminationProtection": "DISABLED",
                "managedDraining": self.managed_draining,
            },
            "tags": self.tags if tags else [],
        }
        if self.update_status:
            shown["updateStatus"] = self.update_status
        if self.update_reason:
            shown["updateStatusReason"] = self.update_reason
        return shown
