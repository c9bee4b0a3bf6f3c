"""What CloudWatch has of load balancers, from what was counted."""

from __future__ import annotations

import pytest
from drydock.services.elbv2.measures import of_minutes
from drydock.services.elbv2.metrics import GroupMinute, Minute
from hypothesis import given
from hypothesis import strategies as st

ARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
BALANCER, GROUP = f"{ARN}loadbalancer/app/front/0123456789abcdef", f"{ARN}targetgroup/web/fedcba9876543210"
LB, TG = ("LoadBalancer", "app/front/0123456789abcdef"), ("TargetGroup", "targetgroup/web/fedcba9876543210")
A, B = ("AvailabilityZone", "us-east-1a"), ("AvailabilityZone", "us-east-1b")


def group(zone: str, requests: int, **further: object) -> GroupMinute:
    given = {"connection_errors": 0, "codes": (0, 0, requests, 0, 0, 0), "times": ((0.1, requests),),
             "total_time": 0.1 * requests, "smallest_time": 0.1, "largest_time": 0.1}  # fmt: skip
    return GroupMinute(GROUP, zone, requests, **{**given, **further})  # type: ignore[arg-type]


def minute(*groups: GroupMinute, own: dict[str, int] | None = None, active: int = 0) -> Minute:
    hosts = {(GROUP, "us-east-1a"): (1, 1), (GROUP, "us-east-1b"): (1, 0)}
    return Minute(BALANCER, 0.0, own or {}, active, groups, hosts)


def sums(data: list, name: str) -> dict[tuple, float]:
    found: dict[tuple, float] = {}
    for each in data:
        if each.metric.name == name:
            total = sum(value * count for value, count in each.samples)
            found[each.metric.dimensions] = found.get(each.metric.dimensions, 0.0) + total
    return found


def test_requests_under_all_four_dimensions() -> None:
    data = list(of_minutes(minute(group("us-east-1a", 60), group("us-east-1b", 40)), (0.0,)))
    assert sums(data, "RequestCount") == {
        (LB,): 100, (A, LB): 60, (B, LB): 40, (LB, TG): 100, (A, LB, TG): 60, (B, LB, TG): 40,
    }  # fmt: skip
    assert sums(data, "HTTPCode_Target_2XX_Count")[LB,] == 100
    assert not sums(data, "HTTPCode_Target_5XX_Count"), "what did not happen is not reported"


def test_requests_for_each_healthy_target() -> None:
    data = list(of_minutes(minute(group("us-east-1a", 60), group("us-east-1b", 40)), (0.0,)))
    assert sums(data, "RequestCountPerTarget") == {(TG,): 50, (LB, TG): 50}


def test_hosts_are_counted_in_every_minute_also_without_requests() -> None:
    data = list(of_minutes(minute(), (0.0, 60.0)))
    healthy = [d for d in data if d.metric.name == "HealthyHostCount" and d.metric.dimensions == (LB, TG)]
    assert [(d.at, d.samples) for d in healthy] == [(0.0, ((2.0, 1.0),)), (60.0, ((2.0, 1.0),))]
    assert sums(data, "UnHealthyHostCount")[A, LB, TG] == 2


def test_the_average_response_time_is_exact() -> None:
    times = group("us-east-1a", 3, times=((0.09, 2), (0.42, 1)), total_time=0.6, smallest_time=0.1, largest_time=0.4)
    data = list(of_minutes(minute(times), (0.0,)))
    (found,) = [d for d in data if d.metric.name == "TargetResponseTime" and d.metric.dimensions == (LB,)]
    assert sum(value * count for value, count in found.samples) == pytest.approx(0.6)
    assert found.unit == "Seconds" and all(0.1 <= value <= 0.4 for value, _ in found.samples)


def test_its_own_answers_and_bytes() -> None:
    data = list(
        of_minutes(
            minute(own={"RequestCount": 5, "HTTPCode_ELB_5XX_Count": 2, "ProcessedBytes": 900}, active=7), (0.0,)
        )
    )
    assert sums(data, "HTTPCode_ELB_5XX_Count") == {(LB,): 2}
    assert {d.metric.name: d.unit for d in data}["ProcessedBytes"] == "Bytes"
    assert sums(data, "ActiveConnectionCount") == {(LB,): 7}
    assert not sums(data, "RequestCount"), "only those for which a target was chosen"


def test_a_network_load_balancer_has_a_namespace_of_its_own() -> None:
    arn = f"{ARN}loadbalancer/net/front/0123456789abcdef"
    counted = Minute(arn, 0.0, {"NewFlowCount": 3}, 2, (), {(GROUP, "us-east-1a"): (1, 0)})
    data = list(of_minutes(counted, (0.0,)))
    assert {each.metric.namespace for each in data} == {"AWS/NetworkELB"}
    where = (("LoadBalancer", "net/front/0123456789abcdef"),)
    assert sums(data, "NewFlowCount") == {where: 3} and sums(data, "ActiveFlowCount") == {where: 2}
    assert sums(data, "HealthyHostCount")[(*where, TG)] == 1


@given(requests=st.integers(0, 1000), own=st.integers(0, 1000), parts=st.integers(1, 7))
def test_nothing_is_lost_over_several_minutes(requests: int, own: int, parts: int) -> None:
    counted = minute(group("us-east-1a", requests), own={"NewConnectionCount": own})
    data = list(of_minutes(counted, tuple(60.0 * n for n in range(parts))))
    assert sums(data, "RequestCount").get((LB,), 0) == requests
    assert sums(data, "NewConnectionCount").get((LB,), 0) == own
    assert sums(data, "RequestCountPerTarget").get((TG,), 0) == pytest.approx(requests / 2)
