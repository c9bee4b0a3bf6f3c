"""What the things themselves measure: tasks, clusters, instances, load balancers. Nobody calls PutMetricData here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.conftest import need
from tests.services.ecs.instances import Instances
from tests.services.ecs.story import PYTHON
from tests.services.ecs.yard import Yard
from tests.services.elbv2.story import Balanced

BUSY = "while True: pass"
HALF = "import time\nblock = bytearray(64 << 20)\nfor n in range(0, len(block), 4096): block[n] = 1\ntime.sleep(600)"
OF_SERVICE = {"ClusterName": "yard", "ServiceName": "web"}


class Measured:
    """Reads metrics of the test's account."""

    def __init__(self, aws: Callable[..., Any]) -> None:
        self.cloudwatch = aws("cloudwatch")

    def points(self, namespace: str, name: str, dimensions: dict[str, str], statistic: str = "Average") -> list[float]:
        """The values there are, the oldest first."""
        found = self.cloudwatch.get_metric_statistics(
            Namespace=namespace, MetricName=name, Period=60, Statistics=[statistic],
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=datetime.now(UTC) - timedelta(hours=1), EndTime=datetime.now(UTC) + timedelta(hours=20),
        )["Datapoints"]  # fmt: skip
        return [point[statistic] for point in sorted(found, key=lambda point: point["Timestamp"])]

    def until(self, check: Callable[[list[float]], Any], *metric: Any) -> list[float]:
        """The values when the check holds of them."""
        last: list[float] = []

        def there() -> Any:
            last[:] = self.points(*metric)
            return check(last)

        wait_until(there, f"{metric} is as it should be", lambda: last)
        return last

    def names(self, namespace: str) -> set[tuple[str, tuple[str, ...]]]:
        pages = self.cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace)
        return {
            (metric["MetricName"], tuple(dimension["Name"] for dimension in metric["Dimensions"]))
            for page in pages
            for metric in page["Metrics"]
        }


@pytest.fixture
def measured(aws: Callable[..., Any]) -> Measured:
    return Measured(aws)


@pytest.fixture
def yard(aws: Callable[..., Any], account: str) -> Yard:
    found = Yard(aws, account)
    found.cluster = "yard"
    found.ecs.create_cluster(clusterName="yard")
    return found


def test_a_busy_service_uses_its_cpu(yard: Yard, measured: Measured) -> None:
    yard.create(yard.register({"image": PYTHON, "command": ["python", "-c", BUSY], "stopTimeout": 2}, family="web"), 2)
    yard.steady()
    measured.until(lambda found: any(value > 60 for value in found), "AWS/ECS", "CPUUtilization", OF_SERVICE)
    assert set(measured.points("AWS/ECS", "CPUUtilization", OF_SERVICE, "SampleCount")[-1:]) == {2.0}
    assert measured.names("AWS/ECS") == {
        (name, ("ClusterName", "ServiceName")) for name in ("CPUUtilization", "MemoryUtilization")
    }
    yard.update(desiredCount=0)
    yard.steady(running=0)
    before = len(measured.points("AWS/ECS", "CPUUtilization", OF_SERVICE))
    yard.aws("logs").describe_log_groups()
    assert len(measured.points("AWS/ECS", "CPUUtilization", OF_SERVICE)) - before <= 2, "no task, no data"


def test_memory_is_used_through_reserved(yard: Yard, measured: Measured) -> None:
    yard.create(yard.register({"image": PYTHON, "command": ["python", "-c", HALF]}, family="web", memory="512"))
    yard.steady()
    found = measured.until(lambda found: found and found[-1] > 12, "AWS/ECS", "MemoryUtilization", OF_SERVICE)
    assert 12.5 <= found[-1] < 25, "64 MiB of 512, and the interpreter"
    measured.until(lambda found: found and found[-1] < 20, "AWS/ECS", "CPUUtilization", OF_SERVICE)


def test_container_insights_where_they_are_switched_on(yard: Yard, measured: Measured) -> None:
    yard.ecs.update_cluster_settings(cluster="yard", settings=[{"name": "containerInsights", "value": "enabled"}])
    where = {"ClusterName": "yard"}
    measured.until(lambda found: found == [0.0] * len(found) != [], "ECS/ContainerInsights", "TaskCount", where)
    yard.create(yard.sleeper()[0], 2)
    yard.steady()
    measured.until(lambda found: found[-1] == 2, "ECS/ContainerInsights", "RunningTaskCount", OF_SERVICE)
    measured.until(bool, "ECS/ContainerInsights", "CpuUtilized", OF_SERVICE)
    assert measured.points("ECS/ContainerInsights", "CpuReserved", OF_SERVICE, "Sum")[-1] == 512
    found = measured.names("ECS/ContainerInsights")
    assert {("MemoryUtilized", ("ClusterName", "TaskDefinitionFamily")), ("ServiceCount", ("ClusterName",))} <= found
    yard.ecs.update_cluster_settings(cluster="yard", settings=[{"name": "containerInsights", "value": "disabled"}])
    count = len(measured.points("ECS/ContainerInsights", "TaskCount", where))
    measured.until(lambda found: len(found) > 3, "AWS/ECS", "MemoryUtilization", OF_SERVICE)
    assert len(measured.points("ECS/ContainerInsights", "TaskCount", where)) - count <= 1


def test_a_load_balancer_counts_requests(
    emulator: EmulatorProcess, aws: Callable[..., Any], account: str, measured: Measured
) -> None:
    web = Balanced(emulator, aws, account).opened().made().active()
    address = web.task("one")[1]
    web.register(address)
    web.until("healthy")
    for _ in range(7):
        assert web.ask()[0] == 200
    balancer = {"LoadBalancer": web.arn.partition("loadbalancer/")[2]}
    group = {"TargetGroup": web.group.rpartition(":")[2]}
    metric = ("AWS/ApplicationELB", "RequestCount", balancer, "Sum")
    measured.until(lambda found: sum(found) == 7, *metric)
    assert sum(measured.points("AWS/ApplicationELB", "RequestCountPerTarget", group, "Sum")) == 7
    assert sum(measured.points("AWS/ApplicationELB", "HTTPCode_Target_2XX_Count", {**group, **balancer}, "Sum")) == 7
    assert measured.points("AWS/ApplicationELB", "HealthyHostCount", {**group, **balancer}, "Maximum")[-1] == 1
    assert 0 < max(measured.points("AWS/ApplicationELB", "TargetResponseTime", balancer)) < 5


def test_instances_and_the_cluster_on_them(
    emulator: EmulatorProcess, aws: Callable[..., Any], account: str, measured: Measured
) -> None:
    need("namespaces", emulator)
    story = Instances(aws, account)
    story.launch(1, Monitoring={"Enabled": True})
    instance = {"InstanceId": story.instances[0]}
    measured.until(bool, "AWS/EC2", "CPUUtilization", instance)
    assert set(measured.points("AWS/EC2", "StatusCheckFailed", instance, "Maximum")) == {0.0}
    cluster = {"ClusterName": story.cluster}
    assert measured.points("AWS/ECS", "MemoryReservation", cluster) == [], "no task runs, so there is no data"
    story.place(story.web())
    measured.until(lambda found: found and found[-1] > 0, "AWS/ECS", "MemoryReservation", cluster)
