"""Scalable targets, scaling policies, scheduled actions and activities, and what describe returns of them. Lab time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drydock.clock import as_datetime
from drydock.services.application_autoscaling.rules import Cooldowns

ECS, DESIRED_COUNT = "ecs", "ecs:service:DesiredCount"
KEPT = 6 * 7 * 86400.0
"""Activities are described for six weeks"""


@dataclass
class ScalableTarget:
    """``suspended`` is SuspendedState; ``unbounded``: its bounds have been set and not yet been looked after."""

    arn: str
    resource_id: str
    least: int
    most: int
    role_arn: str
    created: float
    suspended: dict[str, bool]
    tags: dict[str, str] = field(default_factory=dict)
    unbounded: bool = True
    cooldowns: Cooldowns = field(default_factory=Cooldowns)
    loose: list[str] = field(default_factory=list)
    """Alarms that are to be deleted, unless a policy has them"""

    @property
    def cluster(self) -> str:
        """The name of the service's cluster."""
        return self.resource_id.split("/")[1]

    @property
    def service(self) -> str:
        """The service's name."""
        return self.resource_id.split("/")[2]

    def describe(self) -> dict[str, Any]:
        """AWS's form."""
        return {
            **_of(self.resource_id),
            "MinCapacity": self.least,
            "MaxCapacity": self.most,
            "RoleARN": self.role_arn,
            "CreationTime": as_datetime(self.created),
            "SuspendedState": dict(self.suspended),
            "ScalableTargetARN": self.arn,
        }


@dataclass
class Policy:
    """``configuration`` is StepScalingPolicyConfiguration or TargetTrackingScalingPolicyConfiguration. ``created_by`` is
    the last part of the ARN by which the policy's own alarms name it."""

    arn: str
    name: str
    resource_id: str
    kind: str
    configuration: dict[str, Any]
    created: float
    created_by: str = ""
    alarms: list[str] = field(default_factory=list)
    """Names of the alarms that it has made: the high one, then the low one"""

    @property
    def key(self) -> str:
        """In the store."""
        return policy_key(self.resource_id, self.name)

    @property
    def action(self) -> str:
        """The ARN that its own alarms have for their action."""
        return f"{self.arn}:createdBy/{self.created_by}"

    @property
    def tracks(self) -> bool:
        """Whether it is one of target tracking."""
        return self.kind == "TargetTrackingScaling"

    @property
    def scales_in(self) -> bool:
        """Whether a policy of target tracking takes capacity away."""
        return self.tracks and not self.configuration.get("DisableScaleIn")

    def describe(self, alarms: list[dict[str, str]]) -> dict[str, Any]:
        """AWS's form."""
        return {
            "PolicyARN": self.arn,
            "PolicyName": self.name,
            **_of(self.resource_id),
            "PolicyType": self.kind,
            f"{self.kind}PolicyConfiguration": self.configuration,
            "Alarms": alarms,
            "CreationTime": as_datetime(self.created),
        }


def policy_key(resource_id: str, name: str) -> str:
    """In the store."""
    return f"{resource_id}|{name}"


@dataclass
class ScheduledAction:
    """``done``: everything up to this time has been done."""

    arn: str
    name: str
    resource_id: str
    schedule: str
    created: float
    timezone: str = ""
    start: float | None = None
    end: float | None = None
    action: dict[str, int] = field(default_factory=dict)
    done: float = 0.0

    @property
    def key(self) -> str:
        """In the store."""
        return policy_key(self.resource_id, self.name)

    def describe(self) -> dict[str, Any]:
        """AWS's form."""
        shown = {
            "ScheduledActionName": self.name,
            "ScheduledActionARN": self.arn,
            **_of(self.resource_id),
            "Schedule": self.schedule,
            "Timezone": self.timezone or None,
            "StartTime": as_datetime(self.start) if self.start is not None else None,
            "EndTime": as_datetime(self.end) if self.end is not None else None,
            "ScalableTargetAction": self.action,
            "CreationTime": as_datetime(self.created),
        }
        return {name: value for name, value in shown.items() if value is not None}


@dataclass
class Activity:
    """``wanted`` is the capacity, -1 where none is set; ``cooldown`` counts from its end."""

    id: str
    resource_id: str
    description: str
    cause: str
    start: float
    status: str = "Pending"
    message: str = ""
    end: float | None = None
    before: int = 0
    wanted: int = -1
    cooldown: float = 0.0
    details: str = ""
    not_scaled: list[dict[str, Any]] = field(default_factory=list)

    @property
    def under_way(self) -> bool:
        """Whether it has not ended."""
        return self.status in ("Pending", "InProgress")

    def describe(self) -> dict[str, Any]:
        """AWS's form."""
        shown = {
            "ActivityId": self.id,
            **_of(self.resource_id),
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": as_datetime(self.start),
            "EndTime": as_datetime(self.end) if self.end is not None else None,
            "StatusCode": self.status,
            "StatusMessage": self.message or None,
            "Details": self.details or None,
            "NotScaledReasons": self.not_scaled or None,
        }
        return {name: value for name, value in shown.items() if value is not None}


def _of(resource_id: str) -> dict[str, str]:
    return {"ServiceNamespace": ECS, "ResourceId": resource_id, "ScalableDimension": DESIRED_COUNT}
