"""Which minutes have passed between two beats, and at what rate something is used."""

from __future__ import annotations

import asyncio

import pytest
from drydock.runtime.interface import Usage
from drydock.services import usage
from drydock.services.cloudwatch.heartbeat import MOST_MINUTES, passed


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [(0, 0, ()), (0, 60, (0,)), (120, 300, (120, 180, 240))],
)
def test_passed(start: float, end: float, minutes: tuple[float, ...]) -> None:
    assert passed(start, end) == minutes


def test_a_leap_is_cut_to_its_latest_minutes() -> None:
    found = passed(0, 86400)
    assert len(found) == MOST_MINUTES and found[-1] == 86400 - 60


class Readings:
    """What a runtime would say, and when (monotonic seconds)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.found = 0.0, {}
        monkeypatch.setattr(usage.time, "monotonic", lambda: self.at)

    async def read(self) -> dict[str, Usage]:
        return dict(self.found)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    return Readings(monkeypatch)


def test_rates(readings: Readings) -> None:
    meter = usage.Meter(usage.Usages(readings.read))

    def at(when: float, cpu: float, *names: str) -> float | None:
        readings.at = when
        readings.found = {"a": Usage(100, cpu, 1)}
        return asyncio.run(meter.rates("1", names))["a"].cpu

    assert at(10, 5.0, "a") is None, "nothing to compare with"
    assert at(12, 6.0, "a") == pytest.approx(0.5)
    assert at(12.15, 6.1, "a") == pytest.approx(0.5), "too short to measure: as before"
    assert at(14, 5.0, "a") == 0.0, "processes that ended took their seconds with them"
    readings.at, readings.found = 20, {}
    assert asyncio.run(meter.rates("1", ["a"])) == {}
    assert at(22, 9.0, "a") is None, "another life"


def test_accounts_are_measured_apart(readings: Readings) -> None:
    meter = usage.Meter(usage.Usages(readings.read))
    readings.found = {"a": Usage(1, 1.0, 1), "b": Usage(1, 1.0, 1)}
    asyncio.run(meter.rates("1", ["a"]))
    asyncio.run(meter.rates("2", ["b"]))
    readings.at, readings.found = 2.0, {"a": Usage(1, 2.0, 1), "b": Usage(1, 5.0, 1)}
    assert asyncio.run(meter.rates("1", ["a"]))["a"].cpu == pytest.approx(0.5)
    assert asyncio.run(meter.rates("2", ["b"]))["b"].cpu == pytest.approx(2.0)
