"""The figures of services and container instances: how long a large service takes to come and to go, and an instance to
join."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.servers import Server, drydock

MANY = 200
PATIENCE = 120.0
AMI = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
POLICY = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, '
    '"Action": "sts:AssumeRole"}]}'
)
Client = Callable[[Server, str], Any]


def measure(state: Path, client: Client, prepare: Callable[[Server], Any]) -> dict[str, list[float]]:
    """``prepare`` makes the cluster ``bench`` and the Fargate definition ``sleep``, and has ``ecs`` and ``subnet``."""
    server = drydock("--instant")
    try:
        server.start(state / "services")
        bench = prepare(server)
        return _service(bench.ecs, bench.subnet) | _instance(server, client)
    finally:
        server.stop()


def _until(condition: Callable[[], bool], what: str) -> float:
    """Seconds until it holds."""
    begun = time.perf_counter()
    while not condition():
        if time.perf_counter() - begun > PATIENCE:
            raise RuntimeError(f"not within {PATIENCE:g} s: {what}")
        time.sleep(0.01)
    return time.perf_counter() - begun


def _service(ecs: Any, subnet: str) -> dict[str, list[float]]:
    def told() -> dict[str, Any]:
        return dict(ecs.describe_services(cluster="bench", services=["many"])["services"][0])

    ecs.register_task_definition(
        family="brief", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
        containerDefinitions=[{"name": "app", "image": "busybox", "command": ["sleep", "86400"], "stopTimeout": 2}],
    )  # fmt: skip
    begun = time.perf_counter()
    ecs.create_service(
        cluster="bench", serviceName="many", taskDefinition="brief", desiredCount=MANY, launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "assignPublicIp": "ENABLED"}},
    )  # fmt: skip
    _until(lambda: told()["deployments"][0]["rolloutState"] == "COMPLETED", "the service is steady")
    up = time.perf_counter() - begun
    begun = time.perf_counter()
    ecs.delete_service(cluster="bench", service="many", force=True)
    _until(lambda: told()["status"] == "INACTIVE", "the service is gone")
    return {f"service of {MANY} tasks steady, s": [up], "and gone, s": [time.perf_counter() - begun]}


def _instance(server: Server, client: Client) -> dict[str, list[float]]:
    """RunInstances until its agent is connected."""
    ecs, ec2, iam, ssm = (client(server, name) for name in ("ecs", "ec2", "iam", "ssm"))
    iam.create_role(RoleName="node", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="node", PolicyArn=POLICY)
    iam.create_instance_profile(InstanceProfileName="node")
    iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
    ami = ssm.get_parameter(Name=AMI)["Parameter"]["Value"]
    begun = time.perf_counter()
    ec2.run_instances(
        ImageId=ami, InstanceType="t3.small", MinCount=1, MaxCount=1, IamInstanceProfile={"Name": "node"},
        UserData="#!/bin/sh\necho ECS_CLUSTER=bench >> /etc/ecs/ecs.config\n",
    )  # fmt: skip

    def joined() -> bool:
        arns = ecs.list_container_instances(cluster="bench")["containerInstanceArns"]
        if not arns:
            return False
        found = ecs.describe_container_instances(cluster="bench", containerInstances=arns)["containerInstances"]
        return bool(found[0]["agentConnected"])

    _until(joined, "the instance has joined")
    return {"instance to joined, s": [time.perf_counter() - begun]}
