"""What series are called."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest
from drydock.errors import AwsError
from drydock.services.cloudwatch.labels import Origin, checked_zone, default_labels, filled, lasting, number
from drydock.services.cloudwatch.model import metric

T = 1_800_000_000.0  # 15 January 2027 08:00:00
POINTS = [(T, 5.0), (T + 60, 1.0), (T + 300, 9.5)]
ORIGIN = Origin(metric("App", "Latency", {"Host": "a"}), "p99", 60)


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("plain $x {y}", "plain $x {y}"), ("${LABEL}!", "default!"), ("${MAX}", "9.5"), ("${MIN}", "1"), ("${AVG}", "5.167"),
        ("${SUM}", "15.5"),
        ("${FIRST} ${LAST}", "5 9.5"), ("${DATAPOINT_COUNT}", "3"), ("${FIRST_TIME}", "2027-01-15 09:00:00"),
        ("${MAX_TIME_RELATIVE}", "5m"), ("${FIRST_LAST_RANGE}", "4.5"), ("${MIN_MAX_RANGE}", "8.5"), ("${FIRST_LAST_TIME_RANGE}", "5m"),
        ("${MIN_MAX_TIME_RANGE}", "4m"), ("${PROP('Dim.Host')}/${PROP('MetricName')}", "a/Latency"),
        ("${PROP('Stat')} ${PROP('Period')}", "p99 60"),
        ("${PROP('Region')} ${PROP('AccountId')} ${PROP('Namespace')}", "eu-west-1 1 App"), ("${PROP('Dim.None')}", "${PROP('Dim.None')}"),
        ("${NONSENSE} ${FIRST_MAX_RANGE}", "${NONSENSE} ${FIRST_MAX_RANGE}"),
    ],
)  # fmt: skip
def test_dynamic_labels(label: str, shown: str) -> None:
    zone = timezone(timedelta(hours=1))
    assert filled(label, "default", POINTS, ORIGIN, ("1", "eu-west-1"), T + 600, zone) == shown


def test_without_data() -> None:
    label = "${MAX} ${AVG} ${MIN_MAX_RANGE} ${LAST_TIME} ${DATAPOINT_COUNT}"
    assert filled(label, "", [], None, ("1", "r"), T, UTC) == "-- -- -- -- 0"


def test_default_labels_tell_what_differs() -> None:
    def of(name: str, stat: str = "Sum", period: int = 60, **dimensions: str) -> Origin:
        return Origin(metric("App", name, dimensions), stat, period)

    assert default_labels([of("m", Host="a")]) == ["m"]
    assert default_labels([of("m"), of("m", "p99")]) == ["m Sum", "m p99"]
    assert default_labels([of("m", period=300), of("n")]) == ["m 300", "n 60"]
    assert default_labels([of("m", Host="a", Zone="z"), of("m", Host="b", Zone="z")]) == ["a m", "b m"]


def test_zones() -> None:
    assert checked_zone("-0130").utcoffset(None) == timedelta(hours=-1, minutes=-30)
    for zone in ("0100", "+1:00", "+2500", "UTC", "+01000"):
        with pytest.raises(AwsError):
            checked_zone(zone)


def test_numbers_and_lengths() -> None:
    assert [number(value) for value in (0, 0.1234, 1e20, -5.5)] == ["0", "0.123", "1e+20", "-5.5"]
    assert [lasting(seconds) for seconds in (0, 59, 61, 3600, 90061)] == ["0s", "59s", "1m 1s", "1h", "1d 1h"]
