"""What of Auto Scaling is ours: the activities, and what a group was when it was last looked at. Times are lab time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from drydock.clock import as_datetime


@dataclass
class Activity:
    """What a group did to one instance."""

    id: str
    group: str
    group_arn: str
    description: str
    cause: str
    start: float
    status: str = "InProgress"
    message: str = ""
    progress: int = 30
    end: float | None = None
    instance: str = ""
    details: dict[str, str] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """AWS's form."""
        shown: dict[str, Any] = {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group,
            "AutoScalingGroupARN": self.group_arn,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": as_datetime(self.start),
            "EndTime": as_datetime(self.end) if self.end is not None else None,
            "StatusCode": self.status,
            "StatusMessage": self.message or None,
            "Progress": self.progress,
            "Details": json.dumps(self.details, separators=(",", ":")),
        }
        return {name: value for name, value in shown.items() if value is not None}


@dataclass
class Seen:
    """Sizes of a group when it was last looked at, and the request that changed them, in AWS's words, until an activity
    has told of it."""

    desired: int = 0
    min: int = 0
    max: int = 0
    told: str = ""
    coming: list[int] = field(default_factory=list)
    """Sizes that a policy or a schedule has asked for, until they are seen"""
    says: str = ""
    """The sentence about those"""
