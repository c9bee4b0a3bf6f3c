"""What CloudWatch has of load balancers, from a minute's counts. Pure.

Sources: "CloudWatch metrics for your Application Load Balancer" and "CloudWatch metrics for your Network Load Balancer". What a
load balancer counts of itself is not told apart by availability zone here: those metrics have the LoadBalancer dimension only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from drydock.services.cloudwatch.model import Datum, metric
from drydock.services.elbv2.metrics import GroupMinute, Minute

NAMESPACE, NETWORK = "AWS/ApplicationELB", "AWS/NetworkELB"
BYTES = ("ProcessedBytes",)
Dimensions = dict[str, str]


def of_minutes(minute: Minute, minutes: tuple[float, ...]) -> Iterator[Datum]:
    """``minute`` was counted over all of ``minutes``: sums are spread over them, what is true now is so in each."""
    balancer = {"LoadBalancer": minute.balancer_arn.partition("loadbalancer/")[2]}
    space, active = NAMESPACE, "ActiveConnectionCount"
    if balancer["LoadBalancer"].startswith("net/"):
        space, active = NETWORK, "ActiveFlowCount"
    for at, counts in zip(minutes, _spread(minute.own, len(minutes)), strict=True):
        for name, value in counts.items():
            if value and name != "RequestCount":  # AWS counts those for which a target was chosen: below
                yield _count(name, balancer, at, value, "Bytes" if name in BYTES else "Count", space)
    if space == NAMESPACE:
        yield from _of_groups(minute, minutes, balancer)
    for at in minutes:
        yield from _of_hosts(minute, at, balancer, space)
        if minute.active_connections:
            yield _count(active, balancer, at, minute.active_connections, space=space)


def _of_groups(minute: Minute, minutes: tuple[float, ...], balancer: Dimensions) -> Iterator[Datum]:
    targets: dict[str, int] = {}
    for (arn, _), (healthy, _) in minute.hosts.items():
        targets[arn] = targets.get(arn, 0) + healthy
    requests: dict[str, int] = {}
    for group in minute.groups:
        requests[group.group_arn] = requests.get(group.group_arn, 0) + group.requests
        for at, counts in zip(minutes, _spread(_counts(group), len(minutes)), strict=True):
            for dimensions in _dimensions(group, balancer):
                for name, value in counts.items():
                    if value:
                        yield _count(name, dimensions, at, value)
        for dimensions in _dimensions(group, balancer):
            if group.times:
                key = metric(NAMESPACE, "TargetResponseTime", dimensions)
                yield Datum(key, minutes[-1], _times(group), unit="Seconds")
    for arn, total in requests.items():
        group_of = {"TargetGroup": _group(arn)}
        each = total / max(targets.get(arn, 0), 1) / len(minutes)
        for at in minutes:
            if total:
                yield _count("RequestCountPerTarget", group_of, at, each)
                yield _count("RequestCountPerTarget", {**group_of, **balancer}, at, each)


def _counts(group: GroupMinute) -> dict[str, int]:
    found = {f"HTTPCode_Target_{digit}XX_Count": group.codes[digit] for digit in range(2, 6)}
    return {"RequestCount": group.requests, "TargetConnectionErrorCount": group.connection_errors, **found}


def _of_hosts(minute: Minute, at: float, balancer: Dimensions, space: str) -> Iterator[Datum]:
    totals: dict[str, tuple[int, int]] = {}
    for (arn, zone), (healthy, unhealthy) in minute.hosts.items():
        before = totals.get(arn, (0, 0))
        totals[arn] = (before[0] + healthy, before[1] + unhealthy)
        dimensions = {"TargetGroup": _group(arn), "AvailabilityZone": zone, **balancer}
        yield from _hosts(dimensions, at, healthy, unhealthy, space)
    for arn, (healthy, unhealthy) in totals.items():
        yield from _hosts({"TargetGroup": _group(arn), **balancer}, at, healthy, unhealthy, space)


def _hosts(dimensions: Dimensions, at: float, healthy: int, unhealthy: int, space: str) -> Iterator[Datum]:
    yield _count("HealthyHostCount", dimensions, at, healthy, space=space)
    yield _count("UnHealthyHostCount", dimensions, at, unhealthy, space=space)


def _dimensions(group: GroupMinute, balancer: Dimensions) -> tuple[Dimensions, ...]:
    """Under which a target group's figures are found."""
    zone, own = {"AvailabilityZone": group.zone}, {"TargetGroup": _group(group.group_arn)}
    return balancer, {**zone, **balancer}, {**own, **balancer}, {**own, **zone, **balancer}


def _group(arn: str) -> str:
    return arn.rpartition(":")[2]


def _times(group: GroupMinute) -> tuple[tuple[float, float], ...]:
    """The distribution, stretched by the few hundredths by which its steps miss the true sum, within the true bounds."""
    total = sum(seconds * count for seconds, count in group.times)
    factor = group.total_time / total if total else 1.0
    return tuple(
        (min(max(seconds * factor, group.smallest_time), group.largest_time), float(count))
        for seconds, count in group.times
    )


def _spread(counts: dict[str, int], parts: int) -> Iterable[dict[str, int]]:
    """Whole numbers that add up to each count."""
    return (
        {name: value * (part + 1) // parts - value * part // parts for name, value in counts.items()}
        for part in range(parts)
    )


def _count(
    name: str, dimensions: Dimensions, at: float, value: float, unit: str = "Count", space: str = NAMESPACE
) -> Datum:
    return Datum(metric(space, name, dimensions), at, ((float(value), 1.0),), unit=unit)
