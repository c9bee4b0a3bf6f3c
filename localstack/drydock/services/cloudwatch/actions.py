"""Who carries out an alarm's actions, by the service in the action's ARN."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from drydock.services.cloudwatch.model import AlarmSignal

Act = Callable[[str, AlarmSignal], Awaitable[None]]
"""Called with the action's ARN and what happened. Raises AwsError if it could not be done; that goes into the history."""
REPEATED = ("autoscaling",)
"""Actions of these are called again in each evaluation in which the alarm keeps its state ("once per minute")"""


@dataclass
class Actions:
    """``handlers`` are put in by the emulator when it puts the services together."""

    handlers: dict[str, Act] = field(default_factory=dict)
    """By the third part of the ARN: ``autoscaling``, ``sns``, ``lambda``, ``automate`` (EC2), ``ssm``"""

    def of(self, arn: str) -> Act | None:
        """Who does it, None if nobody here can."""
        parts = arn.split(":")
        return self.handlers.get(parts[2]) if len(parts) > 2 else None
