"""What metric filters make of log events."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from drydock.services.cloudwatch.model import Datum
from drydock.services.logs.measuring import Measuring, measured
from drydock.services.logs.model import MetricFilter
from drydock.services.logs.rules import NewEvent
from drydock.store import Scope

SCOPE = Scope("1" * 12, "eu-west-1")
APACHE = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 200 1534'
SPACED = "[ip, identity, user_id, timestamp, request, status_code = 200, size]"


def a_filter(pattern: str, value: str = "1", **more: Any) -> MetricFilter:
    transformation = {"metricName": "Seen", "metricNamespace": "App", "metricValue": value, **more}
    return MetricFilter("g", "f", pattern, [transformation], 0)


def events(*messages: str, at: int = 120) -> list[NewEvent]:
    return [NewEvent(at * 1000 + n, len(message) + 26, message) for n, message in enumerate(messages)]


@pytest.mark.parametrize(
    ("pattern", "value", "message", "found"),
    [
        ("ERROR", "1", "an ERROR", 1), ("ERROR", "2.5", "an ERROR", 2.5), ("ERROR", "1", "fine", None), ("", "1", "anything", 1),
        ("{ $.latency = * }", "$.latency", '{"latency": 50}', 50), ("{ $.ok IS TRUE }", "$.latency", '{"ok": true, "latency": "7"}', 7),
        ("{ $.ok IS TRUE }", "$.latency", '{"ok": true, "latency": "slow"}', None), ("{ $.ok IS TRUE }", "$.latency", '{"ok": true}', None),
        ("{ $.a.b[0] > 1 }", "$.a.b[0]", '{"a": {"b": [2]}}', 2), ("{ $.a > 1 }", "$.a", "no json", None),
        (SPACED, "$size", APACHE, 1534), (SPACED, "$status_code", APACHE, 200), ("[..., size]", "$nothing", APACHE, None),
        ("[w1, w2, w3]", "$w3", "a b 3", 3), ("[w1, , ]", "$3", "a b 3", 3),
    ],
)  # fmt: skip
def test_the_value(pattern: str, value: str, message: str, found: float | None) -> None:
    data, matched = measured([a_filter(pattern, value)], events(message))
    assert [datum.samples for datum in data] == ([] if found is None else [((found, 1.0),)])
    assert matched == (set() if found is None else {"f"})


def test_equal_values_of_a_minute_are_one_datum() -> None:
    batch = [*events("ERROR", "ERROR"), *events("ERROR", at=185)]
    data, _ = measured([a_filter("ERROR", unit="Count")], batch)
    assert [(datum.at, datum.samples, datum.unit) for datum in data] == [
        (120, ((1, 2),), "Count"),
        (180, ((1, 1),), "Count"),
    ]


def test_dimensions_come_from_the_event() -> None:
    found = a_filter("{ $.latency = * }", "$.latency", dimensions={"Host": "$.host", "Zone": "$.zone"})
    data, _ = measured([found], events('{"latency": 1, "host": "a", "zone": "z"}', '{"latency": 2, "host": "b"}'))
    assert [(datum.metric.dimensions, datum.samples[0][0]) for datum in data] == [
        ((("Host", "a"), ("Zone", "z")), 1), ((("Host", "b"),), 2),
    ]  # fmt: skip


class Kept(Measuring):
    """Notes what is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.data: list[Datum] = []
        self.record = lambda scope, data: self.data.extend(data)

    def come_in(self, now: float, *messages: str, of: MetricFilter | None = None) -> None:
        batch = events(*messages, at=int(now))
        found = [of] if of else []
        self.taken(SCOPE, "g", found, batch, measured(found, batch), now)

    def after(self, end: float) -> list[tuple[str, float, float]]:
        self.data.clear()
        asyncio.run(self.collect(SCOPE.account, (end - 60,)))
        return sorted(
            (datum.metric.name, datum.at, datum.summed.total if datum.summed else datum.samples[0][0])
            for datum in self.data
        )


def test_a_default_value_is_for_minutes_with_events_and_no_match() -> None:
    kept, found = Kept(), a_filter("ERROR", "5", defaultValue=0.0)
    kept.come_in(120, "fine", of=found)
    kept.come_in(185, "fine", of=found)
    kept.come_in(190, "ERROR", of=found)
    kept.come_in(245, "ERROR", of=found)
    kept.come_in(250, "fine", of=found)
    assert [(datum.at, datum.samples) for datum in kept.data] == [(180, ((5, 1),)), (240, ((5, 1),))]
    assert [one for one in kept.after(300) if one[0] == "Seen"] == [("Seen", 120, 0)]
    assert kept.after(360) == []


def test_what_came_in_is_summed_by_the_minute() -> None:
    kept = Kept()
    kept.come_in(121, "one", "two")
    kept.come_in(150, "three")
    kept.come_in(181, "four")
    assert kept.after(180) == [
        ("IncomingBytes", 120, 2 * 29 + 31), ("IncomingBytes", 120, 2 * 29 + 31),
        ("IncomingLogEvents", 120, 3), ("IncomingLogEvents", 120, 3),
    ]  # fmt: skip
    assert {datum.metric.dimensions for datum in kept.data} == {(), (("LogGroupName", "g"),)}
    assert [one[1] for one in kept.after(240)] == [180] * 4
