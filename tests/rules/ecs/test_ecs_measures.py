"""What CloudWatch has of tasks, from what they use."""

from __future__ import annotations

import pytest
from drydock.services.cloudwatch.model import Datum
from drydock.services.ecs import measures
from drydock.services.ecs.instance_model import ContainerInstance
from drydock.services.ecs.model import Cluster, Container, Task
from drydock.services.ecs.service_model import Service
from drydock.services.usage import Rate

MIB = 1 << 20
CLUSTER = "arn:aws:ecs:us-east-1:000000000000:cluster/c"


def a_task(name: str, group: str, launch_type: str = "FARGATE", **further: object) -> Task:
    containers = [Container(f"arn:{name}:{n}", n, "image", True, f"{name}-{n}") for n in ("web", "side")]
    given: dict[str, object] = {
        "arn": f"arn:{name}", "id": name, "cluster_arn": CLUSTER, "task_definition_arn": "arn:x:task-definition/web:3",
        "group": group, "launch_type": launch_type, "created_at": 0.0, "cpu": "256", "memory": "512", "network": {},
        "containers": containers, "last_status": "RUNNING",
    }  # fmt: skip
    return Task(**{**given, **further})  # type: ignore[arg-type]


def found(data: list[Datum]) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]:
    return {(d.metric.name, d.metric.dimensions): [value for value, _ in d.samples] for d in data}


def rates(name: str, cpu: float | None, memory: int) -> dict[str, Rate]:
    """Half of it by each of two containers."""
    half = None if cpu is None else cpu / 2
    return {f"{name}-{n}": Rate(half, memory // 2) for n in ("web", "side")}


def used(*given: tuple[Task, float | None, int]) -> list[measures.Used]:
    return [one for task, cpu, memory in given if (one := measures.used(task, rates(task.id, cpu, memory)))]


def test_a_service_has_a_sample_for_each_task() -> None:
    tasks = used((a_task("a", "service:s"), 0.125, 128 * MIB), (a_task("b", "service:s"), 0.25, 256 * MIB))
    data = found(list(measures.of_services(60.0, "c", tasks)))
    where = (("ClusterName", "c"), ("ServiceName", "s"))
    assert data == {("CPUUtilization", where): [50.0, 100.0], ("MemoryUtilization", where): [25.0, 50.0]}


def test_the_first_reading_has_no_cpu() -> None:
    data = found(list(measures.of_services(0.0, "c", used((a_task("a", "service:s"), None, 128 * MIB)))))
    assert [name for name, _ in data] == ["MemoryUtilization"]


@pytest.mark.parametrize("group", ["family:web", "batch"])
def test_tasks_of_no_service_have_no_metrics(group: str) -> None:
    assert not list(measures.of_services(0.0, "c", used((a_task("a", group), 1.0, MIB))))


def test_nothing_reserved_is_no_ratio() -> None:
    task = a_task("a", "service:s", "EC2", cpu="", memory="", taken_cpu=0, taken_memory=256)
    data = found(list(measures.of_services(0.0, "c", used((task, 0.5, 128 * MIB)))))
    assert {name: values for (name, _), values in data.items()} == {"MemoryUtilization": [50.0]}


def test_a_task_without_a_running_container_uses_nothing() -> None:
    assert measures.used(a_task("a", "service:s"), {}) is None


def instance(cpu: int, memory: int) -> ContainerInstance:
    return ContainerInstance(f"arn:{cpu}", CLUSTER, "i-1", 0.0, cpu, memory)


def test_a_cluster_of_instances() -> None:
    on = {"launch_type": "EC2", "container_instance_arn": "arn:i", "taken_cpu": 512, "taken_memory": 1024}
    tasks = [a_task("a", "service:s", **on), a_task("b", "family:web", **on)]
    starting = a_task("p", "service:s", **{**on, "last_status": "PENDING"})
    data = found(
        list(
            measures.of_instances(
                0.0, "c", [instance(1024, 2048), instance(1024, 2048)],
                used((tasks[0], 0.25, 256 * MIB), (tasks[1], 0.25, 256 * MIB), (a_task("f", "family:web"), 4.0, MIB)),
                [*tasks, starting],
            )
        )
    )  # fmt: skip
    assert {name: values for (name, _), values in data.items()} == {
        "CPUReservation": [75.0], "MemoryReservation": [75.0], "MemoryUtilization": [12.5], "CPUUtilization": [25.0],
    }  # fmt: skip


def test_a_cluster_without_instances_has_no_metrics_of_its_own() -> None:
    assert not list(measures.of_instances(0.0, "c", [], used((a_task("a", "service:s"), 1.0, MIB)), []))


@pytest.mark.parametrize("value", ["disabled", "enabled", "enhanced"])
def test_insights_are_a_setting(value: str) -> None:
    cluster = Cluster(CLUSTER, "c", settings=[{"name": "containerInsights", "value": value}])
    assert measures.insights(cluster) == value
    assert measures.insights(Cluster(CLUSTER, "c", settings=[])) == "disabled"


def test_a_cluster_of_instances_without_a_task_has_no_metrics() -> None:
    assert not list(measures.of_instances(0.0, "c", [instance(1024, 2048)], [], []))


def test_single_tasks() -> None:
    tasks = used((a_task("a", "service:s"), 0.125, 128 * MIB), (a_task("b", "family:web"), 0.25, 256 * MIB))
    data = list(measures.of_single_tasks(0.0, "c", tasks))
    cluster, family, service = ("ClusterName", "c"), ("TaskDefinitionFamily", "web"), ("ServiceName", "s")
    cpu = {d.metric.dimensions for d in data if d.metric.name == "TaskCpuUtilization"}
    assert cpu == {
        (cluster,), (cluster, family), (cluster, service), (cluster, family, ("TaskId", "a")),
        (cluster, service, ("TaskId", "a")), (cluster, family, ("TaskId", "b")),
    }  # fmt: skip
    memory = {d.metric.dimensions: d.samples for d in data if d.metric.name == "TaskMemoryUtilization"}
    assert memory[cluster, service, ("TaskId", "a")] == ((25.0, 1.0),)


def test_a_single_task_of_which_nothing_is_known_yet() -> None:
    data = list(measures.of_single_tasks(0.0, "c", used((a_task("a", "batch"), None, MIB))))
    assert {d.metric.name for d in data} == {"TaskMemoryUtilization"}


def test_insights_of_a_cluster_a_service_and_a_family() -> None:
    service = Service("arn:s", "s", CLUSTER, 2, {}, 0.0, "me")
    running, starting = a_task("a", "service:s"), a_task("b", "service:s", last_status="PENDING")
    data = found(
        list(measures.of_insights(0.0, "c", 0, [service], used((running, 0.125, 64 * MIB)), [running, starting]))
    )
    cluster = (("ClusterName", "c"),)
    of_service = (("ClusterName", "c"), ("ServiceName", "s"))
    family = (("ClusterName", "c"), ("TaskDefinitionFamily", "web"))
    assert data["TaskCount", cluster] == [1.0] and data["ServiceCount", cluster] == [1.0]
    assert data["ContainerInstanceCount", cluster] == [0.0]
    assert (data["DesiredTaskCount", of_service], data["RunningTaskCount", of_service]) == ([2.0], [1.0])
    assert data["PendingTaskCount", of_service] == [1.0]
    for where in (cluster, of_service, family):
        assert data["CpuUtilized", where] == [128.0] and data["CpuReserved", where] == [256.0]
        assert data["MemoryUtilized", where] == [64.0] and data["MemoryReserved", where] == [512.0]
