"""What RegisterTaskDefinition refuses of containers: one table a rule."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.ecs.registration import check, document

FARGATE = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
           "executionRoleArn": "arn:aws:iam::123456789012:role/execution"}  # fmt: skip
CHECK = {"command": ["CMD-SHELL", "true"]}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
Container = dict[str, Any]


def container(name: str = "a", **given: Any) -> Container:
    return {"name": name, "image": "busybox", **given}


def definition(*containers: Container, **given: Any) -> dict[str, Any]:
    """For Fargate, unless ``given`` says otherwise; what is None is left out."""
    base = {"family": "f", "containerDefinitions": list(containers) or [container()], **FARGATE} | given
    return {name: value for name, value in base.items() if value is not None}


def on_ec2(*containers: Container, **given: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("requiresCompatibilities", "networkMode", "cpu", "memory"))
    return definition(*containers, **(nothing | given))


def refused(params: dict[str, Any], code: str = "ClientException") -> str:
    before = copy.deepcopy(params)
    with pytest.raises(AwsError) as caught:
        check(params)
    assert caught.value.code == code, caught.value.message
    assert params == before, "it changed what it looked at"
    return caught.value.message


def of_a(why: str) -> str:
    return f"Invalid setting for container 'a'. {why}"


MEMORY = [
    (on_ec2(), of_a("At least one of 'memory' or 'memoryReservation' must be specified.")),
    (
        on_ec2(container(memory=64), container("b")),
        "for container 'b'. At least one of 'memory' or 'memoryReservation'",
    ),
    (on_ec2(container(memory=5)), "6"),
    (on_ec2(container(memoryReservation=3)), "6"),
    (
        on_ec2(container(memory=64, memoryReservation=65)),
        "'memory' must be greater than or equal to 'memoryReservation'.",
    ),
    (definition(container(memory=513)), "container 'a'"),
    (definition(container(memoryReservation=513)), "container 'a'"),
]
MEMORY_FITS = [
    on_ec2(container(memory=6)), on_ec2(container(memoryReservation=6)), on_ec2(container(memory=64, memoryReservation=64)),
    on_ec2(memory="64"), definition(container(memory=512)), definition(container(memory=512), container("b", memory=512)),
]  # fmt: skip


@pytest.mark.parametrize("params, words", MEMORY)
def test_memory_at_one_level_and_in_order(params: dict[str, Any], words: str) -> None:
    assert words in refused(params)


@pytest.mark.parametrize("params", MEMORY_FITS)
def test_memory_that_fits(params: dict[str, Any]) -> None:
    check(params)


def test_cpu_of_all_containers_within_the_tasks() -> None:
    check(definition(container(cpu=128), container("b", cpu=128)))
    message = refused(definition(container(cpu=128), container("b", cpu=129)))
    assert message == "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'."


@pytest.mark.parametrize("member", ["cpu", "memory"])
@pytest.mark.parametrize("text", ["much", "-1", "0", "1.5", "1 MB"])
def test_a_tasks_size_outside_fargate(member: str, text: str) -> None:
    assert refused(on_ec2(container(memory=64), **{member: text})).startswith(f"Invalid '{member}' setting for task.")
    check(on_ec2(container(memory=64), **{member: "128"}))


@pytest.mark.parametrize("member, value", [
    ("networkMode", "vpc"), ("networkMode", ""), ("requiresCompatibilities", ["EC2", "LAMBDA"]),
    ("runtimePlatform", {"cpuArchitecture": "SPARC"}),
])  # fmt: skip
def test_a_choice_that_there_is_not(member: str, value: Any) -> None:
    assert "is not a valid value of" in refused(on_ec2(container(memory=64), **{member: value}))


@pytest.mark.parametrize("mode", ["bridge", "host", "awsvpc", "none", None])
def test_network_modes(mode: str | None) -> None:
    """All on EC2, one on Fargate."""
    check(on_ec2(container(memory=64), networkMode=mode))
    if mode == "awsvpc":
        check(definition(networkMode=mode))
    else:
        assert refused(definition(networkMode=mode)) == "Fargate only supports network mode ‘awsvpc’."


@pytest.mark.parametrize("compatibilities, mode, shown", [
    (["FARGATE"], "awsvpc", ["EC2", "FARGATE"]), (["EC2"], "awsvpc", ["EC2", "FARGATE"]), (None, "host", ["EC2"]),
])  # fmt: skip
def test_compatibilities_follow_from_the_definition(compatibilities: Any, mode: str, shown: list[str]) -> None:
    params = definition(requiresCompatibilities=compatibilities, networkMode=mode)
    check(params)
    assert document(params)["compatibilities"] == shown


NAMES = [
    (definition(family="a b"), "Family contains invalid characters."),
    (definition(family=""), "Family"),
    (definition(family="x" * 256), "Family"),
    (definition(container("a b")), "Container.name contains invalid characters."),
    (definition(container("x" * 256)), "Container.name"),
    (definition(container("")), "Container.name should not be null or empty."),
    (definition(container(), container()), "Duplicate container name: a."),
    (definition(container(image="")), "Container.image should not be null or empty."),
    (definition(containerDefinitions=[]), "Container list cannot be empty."),
    (definition(container(essential=False)), "Task definition doesn't have any essential container."),
]


@pytest.mark.parametrize("params, words", NAMES)
def test_names_and_essential_containers(params: dict[str, Any], words: str) -> None:
    assert words in refused(params)


def ports(*mappings: dict[str, Any]) -> Container:
    return container(portMappings=list(mappings), memory=64)


MATCH = "When networkMode={}, the host ports and container ports in port mappings must match."
PORTS = [
    (definition(ports({"containerPort": 80, "hostPort": 8080})), MATCH.format("awsvpc")),
    (on_ec2(ports({"containerPort": 80, "hostPort": 8080}), networkMode="host"), MATCH.format("host")),
    (definition(ports({"containerPort": 0})), "'containerPort'"),
    (definition(ports({"containerPort": 65536})), "'containerPort'"),
    (definition(ports({"hostPort": 80})), "'containerPort'"),
    (definition(ports({"containerPort": 80, "protocol": "icmp"})), "tcp or udp"),
    (on_ec2(ports({"containerPort": 80}), networkMode="none"), "networkMode=none"),
    (
        definition(ports({"containerPort": 80}, {"containerPort": 80})),
        "TCP host port '80' is mapped multiple times in task.",
    ),
    (definition(ports({"containerPort": 80}), {**ports({"containerPort": 80}), "name": "b"}), "mapped multiple times"),
    (
        on_ec2(ports({"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80})),
        "mapped multiple times",
    ),
    (on_ec2(ports({"containerPort": 80, "hostPort": 70000})), "'hostPort'"),
    (on_ec2(ports({"containerPort": 80, "hostPort": -1})), "'hostPort'"),
]
PORTS_THAT_FIT = [
    definition(
        ports({"containerPort": 80}, {"containerPort": 80, "protocol": "udp"}, {"containerPort": 81, "hostPort": 81})
    ),
    on_ec2(ports({"containerPort": 80}, {"containerPort": 80})),
    on_ec2(ports({"containerPort": 80, "hostPort": 0}), {**ports({"containerPort": 80, "hostPort": 0}), "name": "b"}),
    on_ec2(ports({"containerPort": 1}, {"containerPort": 65535, "hostPort": 65535})),
]


@pytest.mark.parametrize("params, words", PORTS)
def test_port_mappings(params: dict[str, Any], words: str) -> None:
    assert words in refused(params)


@pytest.mark.parametrize("params", PORTS_THAT_FIT)
def test_port_mappings_that_fit(params: dict[str, Any]) -> None:
    check(params)


def test_host_ports_are_filled_in() -> None:
    shown = document(on_ec2(ports({"containerPort": 80}, {"containerPort": 81, "hostPort": 8081})))
    assert [port["hostPort"] for port in shown["containerDefinitions"][0]["portMappings"]] == [0, 8081]
    shown = document(definition(ports({"containerPort": 80})))
    assert shown["containerDefinitions"][0]["portMappings"] == [
        {"containerPort": 80, "hostPort": 80, "protocol": "tcp"}
    ]


@pytest.mark.parametrize("given, fits", [
    ({"interval": 5}, True), ({"interval": 300}, True), ({"interval": 4}, False), ({"interval": 301}, False),
    ({"timeout": 2}, True), ({"timeout": 120}, True), ({"timeout": 1}, False), ({"timeout": 121}, False),
    ({"retries": 1}, True), ({"retries": 10}, True), ({"retries": 0}, False), ({"retries": 11}, False),
    ({"startPeriod": 0}, True), ({"startPeriod": 300}, True), ({"startPeriod": -1}, False), ({"startPeriod": 301}, False),
    ({"command": []}, False), ({"command": ["CMD"]}, False), ({"command": ["CMD-SHELL"]}, False), ({"command": ["true"]}, True),
])  # fmt: skip
def test_health_checks(given: dict[str, Any], fits: bool) -> None:
    params = definition(container(healthCheck=CHECK | given))
    if fits:
        check(params)
    else:
        assert "Invalid setting for container 'a'." in refused(params)


@pytest.mark.parametrize("given, fits_fargate, fits_ec2", [
    ({"stopTimeout": 0}, True, True), ({"stopTimeout": 120}, True, True), ({"stopTimeout": 121}, False, True),
    ({"stopTimeout": -1}, False, False), ({"startTimeout": 2}, True, True), ({"startTimeout": 120}, True, True),
    ({"startTimeout": 121}, False, True), ({"startTimeout": 1}, False, False),
])  # fmt: skip
def test_timeouts(given: dict[str, Any], fits_fargate: bool, fits_ec2: bool) -> None:
    for params, fits in (
        (definition(container(**given)), fits_fargate),
        (on_ec2(container(memory=64, **given)), fits_ec2),
    ):
        if fits:
            check(params)
        else:
            assert next(iter(given)) in refused(params)


def limit(name: str = "nofile", soft: int = 10, hard: int = 10) -> dict[str, Any]:
    return {"ulimits": [{"name": name, "softLimit": soft, "hardLimit": hard}]}


@pytest.mark.parametrize("given, fits_fargate, fits_ec2", [
    (limit(), True, True), (limit("nproc"), False, True), (limit("files"), False, False), (limit(soft=11), False, False),
])  # fmt: skip
def test_ulimits(given: dict[str, Any], fits_fargate: bool, fits_ec2: bool) -> None:
    for params, fits in (
        (definition(container(**given)), fits_fargate),
        (on_ec2(container(memory=64, **given)), fits_ec2),
    ):
        if fits:
            check(params)
        else:
            assert "container 'a'" in refused(params)


@pytest.mark.parametrize("given, fits", [
    ({}, True), ({"restartAttemptPeriod": 60}, True), ({"restartAttemptPeriod": 1800}, True),
    ({"restartAttemptPeriod": 59}, False), ({"restartAttemptPeriod": 1801}, False),
    ({"ignoredExitCodes": list(range(50))}, True), ({"ignoredExitCodes": list(range(51))}, False),
])  # fmt: skip
def test_restart_policies(given: dict[str, Any], fits: bool) -> None:
    params = definition(container(restartPolicy={"enabled": True, **given}))
    if fits:
        check(params)
    else:
        assert next(iter(given)) in refused(params)


DATA = {"volumes": [{"name": "data"}]}
MOUNT = {"sourceVolume": "data", "containerPath": "/data"}
VOLUMES = [
    (definition(volumes=[{"name": "a b"}]), "Invalid volume name"), (definition(volumes=[{"name": ""}]), "Invalid volume name"),
    (definition(volumes=[{"name": "data"}, {"name": "data"}]), "Duplicate volume name: data."),
    (definition(volumes=[{"name": "data", "host": {"sourcePath": "/etc"}}]),
     "host.sourcePath should not be set for volumes in Fargate."),
    (definition(container(mountPoints=[MOUNT])), "Unknown volume 'data'."),
    (definition(container(mountPoints=[{**MOUNT, "containerPath": "data"}]), **DATA), "'containerPath'"),
    (definition(container(mountPoints=[{"sourceVolume": "data"}]), **DATA), "'containerPath'"),
    (definition(container(volumesFrom=[{"sourceContainer": "b"}])), "'b'"),
    (definition(container(volumesFrom=[{"sourceContainer": "a"}])), "'a'"),
]  # fmt: skip


@pytest.mark.parametrize("params, words", VOLUMES)
def test_volumes_and_mounts(params: dict[str, Any], words: str) -> None:
    assert words in refused(params)


@pytest.mark.parametrize("given", [
    {"efsVolumeConfiguration": {"fileSystemId": "fs-1"}}, {"dockerVolumeConfiguration": {"scope": "task"}}, {"configuredAtLaunch": True},
])  # fmt: skip
def test_volumes_that_live_elsewhere_are_said_to_be_lacking(given: dict[str, Any]) -> None:
    assert "Drydock does not implement" in refused(definition(volumes=[{"name": "data", **given}]), "NotImplemented")


def secret(name: str = "PASSWORD", value: str = SECRET) -> dict[str, str]:
    return {"name": name, "valueFrom": value}


def file(value: str = "arn:aws:s3:::b/x.env", kind: str = "s3") -> dict[str, str]:
    return {"value": value, "type": kind}


INJECTED = [
    (
        definition(container(secrets=[secret()]), executionRoleArn=None),
        "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    ),
    (definition(container(secrets=[secret(), secret()])), "such as 'PASSWORD'."),
    (
        definition(container(secrets=[secret()], environment=[{"name": "PASSWORD", "value": "x"}])),
        "such as 'PASSWORD'.",
    ),
    (definition(container(secrets=[secret(value="arn:aws:s3:::x")])), "arn:aws:s3:::x"),
    (definition(container(environmentFiles=[file("arn:aws:s3:::b/x.txt")])), "x.txt"),
    (definition(container(environmentFiles=[file(kind="efs")])), "must be s3"),
    (definition(container(environmentFiles=[file()] * 11)), "at most 10"),
]


@pytest.mark.parametrize("params, words", INJECTED)
def test_secrets_and_environment_files(params: dict[str, Any], words: str) -> None:
    assert words in refused(params)


def depends(name: str, on: str, condition: str = "START", **given: Any) -> Container:
    return container(name, dependsOn=[{"containerName": on, "condition": condition}], **given)


ESSENTIAL = "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"
DEPENDENCIES = [
    (definition(depends("a", "c")), "Cannot depend on container + 'c' because it does not exist"),
    (definition(depends("a", "b", "SOON"), container("b")), "SOON"),
    (definition(depends("a", "b", "SUCCESS"), container("b")), ESSENTIAL),
    (definition(depends("a", "b", "COMPLETE"), container("b", essential=True)), ESSENTIAL),
    (definition(depends("a", "b", "HEALTHY"), container("b")), "health check"),
    (definition(depends("a", "a")), "cycle"),
    (definition(depends("a", "b"), depends("b", "a")), "cycle"),
    (definition(depends("a", "b"), depends("b", "c"), depends("c", "a")), "cycle"),
    (definition(depends("a", "b"), container("b", volumesFrom=[{"sourceContainer": "a"}])), "cycle"),
]
DEPENDENCIES_THAT_FIT = [
    definition(depends("a", "b"), container("b")),
    definition(depends("a", "b", "SUCCESS"), container("b", essential=False)),
    definition(depends("a", "b", "COMPLETE"), container("b", essential=False)),
    definition(depends("a", "b", "HEALTHY"), container("b", healthCheck=CHECK)),
    definition(depends("a", "b"), depends("b", "c"), depends("d", "b"), container("c")),
]


@pytest.mark.parametrize("params, words", DEPENDENCIES)
def test_dependencies(params: dict[str, Any], words: str) -> None:
    assert words in refused(params)


@pytest.mark.parametrize("params", DEPENDENCIES_THAT_FIT)
def test_dependencies_that_fit(params: dict[str, Any]) -> None:
    check(params)


@pytest.mark.parametrize("size, fits", [(20, False), (21, True), (200, True), (201, False)])
def test_ephemeral_storage(size: int, fits: bool) -> None:
    params = definition(ephemeralStorage={"sizeInGiB": size})
    if fits:
        check(params)
    else:
        assert "between 21 and 200 GiB" in refused(params)


def test_log_options_that_are_missing_are_named_together() -> None:
    params = definition(container(logConfiguration={"logDriver": "awslogs"}))
    assert refused(params) == "Log driver awslogs requires options: awslogs-region, awslogs-group"
