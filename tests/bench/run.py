"""``./lab bench``: the figures of docs/architecture.md on this machine, beside the peers that are installed, in one run.

Everything is measured from outside, on processes started for it. Rounds of different servers alternate, so that a
machine that becomes slower meanwhile is no one's fault.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.bench import balancers, services
from tests.bench.servers import Server, cpu_seconds, drydock, peers, tree

CALLS = 300
MANY_TASKS = 200
IDLE_TASKS = 50
IDLE_SECONDS = 10.0
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def client(server: Server, service: str) -> Any:
    """boto3's, as a user makes it."""
    return boto3.client(
        service, endpoint_url=f"http://127.0.0.1:{server.port}", region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test", config=Config(retries={"max_attempts": 1}),
    )  # fmt: skip


def start_up(rounds: int, state: Path) -> dict[str, list[float]]:
    """Seconds from spawn to the first answer, a fresh state each time."""
    figures: dict[str, list[float]] = {}
    for number in range(rounds):
        for server in [drydock(), *peers()]:
            try:
                took = server.start(state / f"start-{server.name}-{number}")
                figures.setdefault(server.name, []).append(took)
                figures.setdefault(f"{server.name} memory", []).append(server.memory())
            finally:
                server.stop()
    return figures


def describe_clusters(rounds: int, state: Path) -> dict[str, list[float]]:
    """Milliseconds of a DescribeClusters by boto3: the medians of the rounds."""
    figures: dict[str, list[float]] = {}
    servers = [drydock(), *peers()]
    try:
        for server in servers:
            server.start(state / f"latency-{server.name}")
            client(server, "ecs").create_cluster(clusterName="bench")
        for _ in range(rounds):
            for server in servers:
                ecs = client(server, "ecs")
                for _ in range(20):
                    ecs.describe_clusters(clusters=["bench"])
                took = []
                for _ in range(CALLS):
                    begun = time.perf_counter()
                    ecs.describe_clusters(clusters=["bench"])
                    took.append((time.perf_counter() - begun) * 1000)
                figures.setdefault(server.name, []).append(statistics.median(took))
    finally:
        for server in servers:
            server.stop()
    return figures


class Tasks:
    """Runs Fargate tasks that print nothing and stay, on a Drydock whose states take no time of their own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ecs, ec2, iam = (client(server, name) for name in ("ecs", "ec2", "iam"))
        iam.create_role(RoleName="ecsTaskExecutionRole", AssumeRolePolicyDocument=TRUST)
        self.subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        self.ecs.create_cluster(clusterName="bench")
        self.ecs.register_task_definition(
            family="sleep", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
            containerDefinitions=[{"name": "app", "image": "busybox", "command": ["sleep", "86400"]}],
        )  # fmt: skip

    def run(self, count: int) -> list[str]:
        """ARNs of ``count`` tasks, asked for ten at a time."""
        network = {"awsvpcConfiguration": {"subnets": [self.subnet], "assignPublicIp": "ENABLED"}}
        arns = []
        while count > 0:
            told = self.ecs.run_task(
                cluster="bench", launchType="FARGATE", taskDefinition="sleep", count=min(count, 10),
                networkConfiguration=network,
            )  # fmt: skip
            arns += [task["taskArn"] for task in told["tasks"]]
            count -= 10
        return arns

    def wait(self, arns: list[str], status: str) -> None:
        """Until all are in that state."""
        while arns:
            told = self.ecs.describe_tasks(cluster="bench", tasks=arns[:100])["tasks"]
            there = {task["taskArn"] for task in told if task["lastStatus"] == status}
            ended = [task for task in told if task["lastStatus"] == "STOPPED" and status != "STOPPED"]
            if ended:
                raise RuntimeError(f"a task stopped: {ended[0].get('stoppedReason')}")
            arns = [arn for arn in arns if arn not in there]
            if arns:
                time.sleep(0.002)


def tasks(rounds: int, state: Path) -> dict[str, list[float]]:
    """Latency and memory of tasks, the cost of idle ones."""
    figures: dict[str, list[float]] = {}
    server = drydock("--instant")
    try:
        server.start(state / "tasks")
        bench = Tasks(server)
        bench.wait(bench.run(1), "RUNNING")  # starts what is started when it is first needed
        for _ in range(max(rounds, 5) * 2):
            begun = time.perf_counter()
            bench.wait(bench.run(1), "RUNNING")
            figures.setdefault("RunTask to RUNNING, ms", []).append((time.perf_counter() - begun) * 1000)
        before = server.memory()
        arns = bench.run(20)
        bench.wait(arns, "RUNNING")
        figures["memory per task, MB"] = [(server.memory() - before) / 20]
        bench.wait(bench.run(IDLE_TASKS - 20), "RUNNING")
        used, begun = _own_cpu(server), time.perf_counter()
        time.sleep(IDLE_SECONDS)
        share = (_own_cpu(server) - used) / (time.perf_counter() - begun) * 100
        figures[f"idle cost of {IDLE_TASKS} tasks, % of a core"] = [share]
        begun = time.perf_counter()
        bench.wait(bench.run(MANY_TASKS), "RUNNING")
        figures[f"{MANY_TASKS} tasks RUNNING, s"] = [time.perf_counter() - begun]
    finally:
        server.stop()
    return figures


def _own_cpu(server: Server) -> float:
    """Of the emulator and its helpers, without the tasks' own processes (``sleep``)."""
    assert server.process is not None
    return sum(cpu_seconds(pid) for pid in tree(server.process.pid) if not _is_sleep(pid))


def _is_sleep(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"
    except OSError:
        return False


def after_a_course(rounds: int, state: Path) -> dict[str, list[float]]:
    """Start on a state folder with what a course leaves behind: hundreds of resources and some ten thousand log lines."""
    folder = state / "course"
    server = drydock("--instant")
    try:
        server.start(folder)
        bench = Tasks(server)
        logs, iam = client(server, "logs"), client(server, "iam")
        for number in range(100):
            bench.ecs.create_cluster(clusterName=f"c{number}")
            iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=TRUST)
            logs.create_log_group(logGroupName=f"/g/{number}")
        logs.create_log_stream(logGroupName="/g/0", logStreamName="s")
        now = int(time.time() * 1000)
        for _ in range(10):
            events = [{"timestamp": now, "message": f"line {n}"} for n in range(5000)]
            logs.put_log_events(logGroupName="/g/0", logStreamName="s", logEvents=events)
        bench.wait(bench.run(20), "RUNNING")
    finally:
        server.stop()
    took = []
    for _ in range(rounds):
        server = drydock()
        try:
            took.append(server.start(folder))
        finally:
            server.stop()
    return {"start after a course, s": took}


def table(rows: list[tuple[str, list[float], str]]) -> str:
    """Median and range of each figure beside its bar."""
    lines = [f"{'what':<46} {'median':>9} {'min':>9} {'max':>9}   bar"]
    for name, values, bar in rows:
        lines.append(f"{name:<46} {statistics.median(values):>9.2f} {min(values):>9.2f} {max(values):>9.2f}   {bar}")
    return "\n".join(lines)


def main() -> int:
    """Measure and print. 1 if nothing could be measured."""
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    state = Path(tempfile.mkdtemp(prefix="drydock-bench-"))
    rows: list[tuple[str, list[float], str]] = []
    try:
        _measure("start-up and idle memory", lambda: _start_rows(rounds, state), rows)
        _measure("latency", lambda: _latency_rows(rounds, state), rows)
        _measure("tasks", lambda: _task_rows(rounds, state), rows)
        _measure("services and instances", lambda: _service_rows(state), rows)
        _measure("start after a course", lambda: _course_rows(rounds, state), rows)
    finally:
        shutil.rmtree(state, ignore_errors=True)
    lacking = {"ministack", "moto_server"} - {server.name for server in peers()}
    print(table(rows))
    if lacking:
        print(f"not installed here, so not compared: {', '.join(sorted(lacking))}")
    print("measuring load balancers ...", file=sys.stderr, flush=True)
    balancers.run(rounds)
    return 0


def _measure(
    what: str, measure: Callable[[], list[tuple[str, list[float], str]]], rows: list[tuple[str, list[float], str]]
) -> None:
    print(f"measuring {what} ...", file=sys.stderr, flush=True)
    rows += measure()


def _start_rows(rounds: int, state: Path) -> list[tuple[str, list[float], str]]:
    figures = start_up(rounds, state)
    bars = {"drydock": "0.5 s, and before moto_server", "drydock memory": "120 MB"}
    unit = {True: "memory idle, MB", False: "start, s"}
    return [
        (f"{name.removesuffix(' memory')}: {unit[name.endswith(' memory')]}", values, bars.get(name, ""))
        for name, values in sorted(figures.items(), key=lambda item: item[0].endswith("memory"))
    ]


def _latency_rows(rounds: int, state: Path) -> list[tuple[str, list[float], str]]:
    figures = describe_clusters(rounds, state)
    return [
        (f"{name}: DescribeClusters, ms", values, "no slower than ministack" if name == "drydock" else "")
        for name, values in figures.items()
    ]


def _task_rows(rounds: int, state: Path) -> list[tuple[str, list[float], str]]:
    bars = {"RunTask to RUNNING, ms": "100 ms", "memory per task, MB": "6 MB"}
    bars |= {f"idle cost of {IDLE_TASKS} tasks, % of a core": "2 %", f"{MANY_TASKS} tasks RUNNING, s": "20 s"}
    return [(name, values, bars[name]) for name, values in tasks(rounds, state).items()]


def _service_rows(state: Path) -> list[tuple[str, list[float], str]]:
    bars = {f"service of {services.MANY} tasks steady, s": "20 s", "and gone, s": "20 s"}
    return [(name, values, bars.get(name, "")) for name, values in services.measure(state, client, Tasks).items()]


def _course_rows(rounds: int, state: Path) -> list[tuple[str, list[float], str]]:
    return [(name, values, "1 s") for name, values in after_a_course(rounds, state).items()]


if __name__ == "__main__":
    raise SystemExit(main())
