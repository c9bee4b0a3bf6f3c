"""CloudWatch: all its operations, by topic in the modules they are mixed in from."""

from __future__ import annotations

from drydock.services.cloudwatch.actions import Actions
from drydock.services.cloudwatch.alarm_actions import OwnActions
from drydock.services.cloudwatch.alarm_controller import AlarmController
from drydock.services.cloudwatch.alarm_history import History
from drydock.services.cloudwatch.alarm_model import Alarm
from drydock.services.cloudwatch.alarms import AlarmOperations
from drydock.services.cloudwatch.dashboards import DashboardOperations
from drydock.services.cloudwatch.heartbeat import Heartbeat
from drydock.services.cloudwatch.measurements import MetricStore
from drydock.services.cloudwatch.metrics import MetricOperations
from drydock.services.service import Platform


class CloudWatch(MetricOperations, AlarmOperations, DashboardOperations):
    """The service. All times are lab time."""

    name = "cloudwatch"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.actions = Actions()
        self.metrics = MetricStore(platform)
        self.alarms = platform.store.collection(Alarm, "cloudwatch", "alarm")
        self.history = History(platform.store)
        self.alarm_controller = AlarmController(platform, self.alarms, self.history, self.actions, lambda: self.metrics)
        OwnActions(platform).put_into(self.actions)
        self.heart = Heartbeat(platform, self.alarm_controller.evaluate, self.alarm_controller.finest)
        self.heart.wanted.append(self._has_alarms)

    async def start(self) -> None:
        """Accounts that have something to be measured or alarms are looked after again."""
        for account in self.platform.clocks.known():
            self.heart.beat(account)

    def _has_alarms(self, account: str) -> bool:
        return any(scope.account == account for scope, _, _ in self.alarms.all())

    async def stop(self) -> None:
        await self.heart.stop()
        await self.artist.stop()
        self.metrics.close()

    async def reset(self, account: str | None) -> None:
        await self.heart.stop(account)
        self.metrics.clear(account)

    def validate(self) -> list[str]:
        return self.alarm_faults()
