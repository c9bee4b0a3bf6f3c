"""CloudWatch: all its operations, by topic in the modules they are mixed in from."""

from __future__ import annotations

from drydock.services.cloudwatch.actions import Actions
from drydock.services.cloudwatch.heartbeat import Heartbeat
from drydock.services.cloudwatch.measurements import MetricStore
from drydock.services.cloudwatch.metrics import MetricOperations
from drydock.services.service import Platform


class CloudWatch(MetricOperations):
    """The service. All times are lab time."""

    name = "cloudwatch"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.actions = Actions()
        self.metrics = MetricStore(platform)
        self.heart = Heartbeat(platform, self._evaluate, self._finest)

    async def start(self) -> None:
        """Accounts that have alarms are looked after again."""

    async def stop(self) -> None:
        await self.heart.stop()
        self.metrics.close()

    async def reset(self, account: str | None) -> None:
        await self.heart.stop(account)
        self.metrics.clear(account)

    async def _evaluate(self, account: str, now: float) -> None:
        """Alarms."""

    def _finest(self, account: str) -> int:
        return 60
