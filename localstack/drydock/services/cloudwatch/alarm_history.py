"""What has happened to alarms: kept for 30 days of lab time, also after an alarm is gone."""

from __future__ import annotations

from collections.abc import Iterable

from drydock.services.cloudwatch.alarm_model import KEPT_HISTORY, Alarm, HistoryItem
from drydock.store import Scope, Store


class History:
    """In the order in which it happened."""

    def __init__(self, store: Store) -> None:
        self._items = store.collection(HistoryItem, "cloudwatch", "alarm-history")
        self._last = max((int(name) for _, name, _ in self._items.all()), default=0)

    def note(self, scope: Scope, alarm: Alarm, at: float, kind: str, summary: str, data: str) -> None:
        """Write one thing down."""
        self._last += 1
        item = HistoryItem(alarm.name, alarm.type, at, kind, summary, data)
        self._items.put(scope, f"{self._last:012d}", item)

    def of(self, scope: Scope, now: float) -> Iterable[HistoryItem]:
        """What is kept, oldest first."""
        return [item for item in self._items.of(scope) if item.at > now - KEPT_HISTORY]

    def forget(self, account: str, now: float) -> None:
        """What is too old."""
        for scope, name, item in self._items.all():
            if scope.account == account and item.at <= now - KEPT_HISTORY:
                self._items.delete(scope, name)
