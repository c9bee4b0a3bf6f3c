"""What log events are counted for: metric filters, and the metrics of AWS/Logs.

A metric filter is evaluated when events come in, and its data points have the events' own times. Its default value is
"the value reported to the metric filter during a period when logs are ingested but no matching logs are found", which is
known when the minute is over; so are the sums of AWS/Logs. Those wait in memory for the beat of the minute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from drydock.services.cloudwatch.model import Datum, Metric, StatisticSet, metric
from drydock.services.logs.model import MetricFilter
from drydock.services.logs.operands import as_number
from drydock.services.logs.patterns import compiled
from drydock.services.logs.rules import NewEvent
from drydock.store import Scope

MINUTE = 60
NAMESPACE = "AWS/Logs"
Record = Callable[[Scope, Sequence[Datum]], None]


Made = tuple[list[Datum], set[str]]


def measured(found: Iterable[MetricFilter], events: Sequence[NewEvent]) -> Made:
    """The data points that the events make, and the names of the filters that matched any. Pure."""
    data: list[Datum] = []
    matched: set[str] = set()
    for each in found:
        counts: dict[tuple[Metric, int], dict[float, float]] = defaultdict(lambda: defaultdict(float))
        transformation = each.transformations[0]
        for event in events:
            value = _value(each, event.message)
            if value is None:
                continue
            number, dimensions = value
            named = metric(transformation["metricNamespace"], transformation["metricName"], dimensions)
            counts[named, event.timestamp // 1000 // MINUTE * MINUTE][number] += 1
            matched.add(each.name)
        unit = transformation.get("unit", "None")
        data += [Datum(named, at, tuple(seen.items()), unit=unit) for (named, at), seen in counts.items()]
    return data, matched


def _value(found: MetricFilter, message: str) -> tuple[float, dict[str, str]] | None:
    """The number that an event counts for and its dimensions; None if it does not match or the field is no number."""
    fields = compiled(found.pattern).extract(message)
    if fields is None:
        return None
    transformation = found.transformations[0]
    text = transformation["metricValue"]
    number = as_number(_field(found.pattern, text, fields, message) if text.startswith("$") else text)
    if number is None:
        return None
    dimensions = {
        name: _field(found.pattern, selector, fields, message)
        for name, selector in (transformation.get("dimensions") or {}).items()
    }
    return number, {
        name: value for name, value in dimensions.items() if value.strip()
    }  # one that is not there is left out (?)


def _field(pattern: str, name: str, fields: dict[str, str], message: str) -> str:
    """A field of an event, "" if it has none of this name; of JSON also one that the pattern does not speak of."""
    if name in fields or not pattern.strip().startswith("{"):
        return fields.get(name, "")
    found = compiled(f"{{ {name} = * }}").extract(message)
    return (found or {}).get(name, "")


class Measuring:
    """``record`` and ``beat`` are put in by the emulator; without them nothing is counted."""

    def __init__(self) -> None:
        self.record: Record | None = None
        self.beat: Callable[[str], None] = lambda account: None
        self._incoming: dict[tuple[Scope, str, int], tuple[StatisticSet, StatisticSet]] = {}
        """By (scope, group, minute): events and bytes, a sample for each request"""
        self._silent: dict[tuple[Scope, str, str, int], Datum | None] = {}
        """By (scope, group, filter, minute): the default value, None once an event has matched"""

    def taken(
        self,
        scope: Scope,
        group: str,
        found: Sequence[MetricFilter],
        events: Sequence[NewEvent],
        made: Made,
        now: float,
    ) -> None:
        """Events of a group have come in, at ``now`` (lab seconds); at least one. ``made`` is what :func:`measured` gave."""
        if self.record is None:
            return
        self._count(scope, group, events, now)
        data, matched = made
        if data:
            self.record(scope, data)
        at = now // MINUTE * MINUTE
        for each in found:
            transformation = each.transformations[0]
            if (default := transformation.get("defaultValue")) is None:
                continue
            key = (scope, group, each.name, int(at))
            if each.name in matched:
                self._silent[key] = None
            elif key not in self._silent:
                named = metric(transformation["metricNamespace"], transformation["metricName"])
                self._silent[key] = Datum(named, at, ((float(default), 1.0),), unit=transformation.get("unit", "None"))
        self.beat(scope.account)

    def wanted(self, account: str) -> bool:
        """Whether something waits for the end of its minute."""
        return any(key[0].account == account for waiting in (self._incoming, self._silent) for key in waiting)

    async def collect(self, account: str, minutes: tuple[float, ...]) -> None:
        """A source of the heart: what belongs to these minutes or earlier ones is recorded."""
        end = minutes[-1] + MINUTE
        by_scope: dict[Scope, list[Datum]] = defaultdict(list)
        for scope, group, at in [key for key in self._incoming if key[0].account == account and key[2] < end]:
            counted = self._incoming.pop((scope, group, at))
            for name, unit, known in zip(
                ("IncomingLogEvents", "IncomingBytes"), ("None", "Bytes"), counted, strict=True
            ):
                for dimensions in ({"LogGroupName": group}, {}):
                    by_scope[scope].append(Datum(metric(NAMESPACE, name, dimensions), at, summed=known, unit=unit))
        for key in [key for key in self._silent if key[0].account == account and key[3] < end]:
            datum = self._silent.pop(key)
            if datum is not None:
                by_scope[key[0]].append(datum)
        for scope, data in by_scope.items():
            if self.record is not None:
                self.record(scope, data)

    def clear(self, account: str | None) -> None:
        """Forget what waits."""
        for waiting in (self._incoming, self._silent):
            for key in [key for key in waiting if account in (None, key[0].account)]:
                del waiting[key]  # type: ignore[arg-type]

    def _count(self, scope: Scope, group: str, events: Sequence[NewEvent], now: float) -> None:
        key = (scope, group, int(now // MINUTE * MINUTE))
        amounts = (float(len(events)), float(sum(event.size for event in events)))
        old = self._incoming.get(key)
        if old is None:
            first, second = (StatisticSet(1, amount, amount, amount) for amount in amounts)
        else:
            first, second = (
                StatisticSet(
                    known.count + 1, known.total + amount, min(known.smallest, amount), max(known.largest, amount)
                )
                for known, amount in zip(old, amounts, strict=True)
            )
        self._incoming[key] = (first, second)
