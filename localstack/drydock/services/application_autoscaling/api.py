"""Application Auto Scaling. Its operations are in the modules by topic; here they are put together."""

from __future__ import annotations

from drydock.services.application_autoscaling.controller import Scaling
from drydock.services.application_autoscaling.registry import Registry
from drydock.services.application_autoscaling.scheduled import ScheduledOperations
from drydock.services.application_autoscaling.scheduler import Scheduler
from drydock.services.cloudwatch.model import AlarmSignal
from drydock.services.iam.api import Iam
from drydock.services.service import Platform


class ApplicationAutoScaling(ScheduledOperations):
    """The service. All times are lab time."""

    name = "application-autoscaling"

    def __init__(self, platform: Platform, iam: Iam) -> None:
        super().__init__(platform)
        self.registry = Registry(platform, iam)
        self.scaling = Scaling(self.registry)
        self.scheduler = Scheduler(self.registry, self.scaling)

    async def start(self) -> None:
        self.scaling.start()
        self.scheduler.start()

    async def stop(self) -> None:
        await self.scheduler.stop()
        await self.scaling.stop()

    async def reset(self, account: str | None) -> None:
        await self.scheduler.stop(account)
        await self.scaling.stop(account)
        if account is None:
            self.scaling.watch()

    async def act(self, arn: str, signal: AlarmSignal) -> None:
        """An alarm's action whose ARN is a scaling policy's. Raises AwsError."""
        await self.scaling.act(arn, signal)

    def instead_of(self, operation: str) -> str:
        return "Step scaling, target tracking and scheduled actions of ECS services are there; nothing is forecast."

    def validate(self) -> list[str]:
        faults = []
        for scope, _, policy in self.registry.policies.all():
            if self.registry.targets.get(scope, policy.resource_id) is None:
                faults.append(f"{policy.arn} is of no scalable target.")
        for _, _, target in self.registry.targets.all():
            if target.most < target.least:
                faults.append(f"{target.arn} has a maximum below its minimum.")
        return faults
