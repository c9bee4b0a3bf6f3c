"""Alarms' actions whose ARN is a scaling policy's: Application Auto Scaling's and EC2 Auto Scaling's look alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from drydock.services.cloudwatch.model import AlarmSignal

Act = Callable[[str, AlarmSignal], Awaitable[None]]
OF_GROUP = ":autoScalingGroupName/"


class ScalingActions:
    """One callable for ``arn:aws:autoscaling:...:scalingPolicy:...``."""

    def __init__(self, of_resources: Act, of_groups: Act) -> None:
        self._of_resources = of_resources
        self._of_groups = of_groups

    async def __call__(self, arn: str, signal: AlarmSignal) -> None:
        """Raises AwsError if there is no such policy, or it cannot be carried out."""
        await (self._of_groups if OF_GROUP in arn else self._of_resources)(arn, signal)
