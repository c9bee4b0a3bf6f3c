"""kill -9 of the emulator, and of each of its processes, at any moment."""

from __future__ import annotations

import os
import random
import secrets
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import EmulatorProcess, wait_until
from tests.robustness import machine
from tests.robustness.estate import SERVICES, Estate
from tests.services.ecs.story import Story, marked_sleep, processes

ACCOUNT = "111122223333"


def nothing_left(running: EmulatorProcess, below: set[machine.Process], markers: list[str], port: int) -> None:
    """Containers are dead within a second of its death; then its helpers have cleaned up and are gone as well."""
    wait_until(
        lambda: not any(processes(marker) for marker in markers), "its containers are dead",
        lambda: [machine.command_line(pid) for marker in markers for pid in processes(marker)], patience=1.0,
    )  # fmt: skip
    wait_until(
        lambda: not machine.alive(below) and not machine.command_lines(str(running.state)), "its processes are gone",
        lambda: {pid: machine.command_line(pid) for pid, _ in machine.alive(below)}, patience=5.0,
    )  # fmt: skip
    assert machine.mounts(running.state) == set()
    assert not machine.listens(port)


def all_stopped(estate: Estate, tasks: dict[str, str]) -> None:
    """The tasks that ran are STOPPED, with the reason, and their interfaces are gone."""
    ecs, ec2 = estate.clients["ecs"], estate.clients["ec2"]
    arns = list(tasks)
    described: list[dict[str, Any]] = []

    def look() -> bool:
        described.clear()
        for start in range(0, len(arns), 100):
            answer = ecs.describe_tasks(cluster="yard", tasks=arns[start : start + 100])
            assert answer["failures"] == [], "a task that was acknowledged is lost"
            described.extend(answer["tasks"])
        return all(task["lastStatus"] == "STOPPED" for task in described)

    wait_until(look, "the tasks of the earlier life are STOPPED", lambda: described)
    for task in described:
        assert task["desiredStatus"] == "STOPPED"
        assert "the emulator that ran its containers had ended" in task["stoppedReason"]
        assert [attachment["status"] for attachment in task["attachments"]] == ["DELETED"]
    left = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert left == [], "network interfaces of tasks stay behind"


@pytest.mark.parametrize("tier, rounds", [
    ("auto", 10), ("plain", 3),
    pytest.param("auto", 100, marks=[pytest.mark.all, pytest.mark.timeout(1800)]),
    pytest.param("plain", 25, marks=[pytest.mark.all, pytest.mark.timeout(600)]),
])  # fmt: skip
def test_kill_at_a_random_moment(tmp_path: Path, tier: str, rounds: int) -> None:
    seed = os.environ.get("DRYDOCK_TEST_SEED") or secrets.token_hex(4)
    print(f"DRYDOCK_TEST_SEED={seed}")
    random_ = random.Random(seed)
    port = machine.free_port()
    running = EmulatorProcess(tmp_path / "state", "--port", str(port), "--speed", "100", "--runtime-tier", tier)
    running.start()
    clients = {name: running.client(name, ACCOUNT) for name in SERVICES}
    estate = Estate(clients, random_)
    estate.found()
    for number in range(rounds):
        estate.markers.clear()
        estate.every_marker.clear()
        estate.begin()
        time.sleep(random_.uniform(0.1, 1.6))
        assert running.process is not None
        below = machine.descendants(running.process.pid)
        running.kill()
        nothing_left(running, below, estate.every_marker, port)
        estate.end()
        assert estate.faults == []
        running.start()
        assert estate.differences() == [], f"round {number}"
        all_stopped(estate, estate.markers)
        wait_until(lambda: running.faults() == [], "the invariants hold", running.faults, patience=5)
    below = machine.descendants(running.process.pid)
    assert running.stop() == 0
    nothing_left(running, below, [], port)
    assert list((tmp_path / "state" / "runtime").glob("run-*")) == []


@pytest.fixture(params=["auto", "plain"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """An emulator of this test's own."""
    with EmulatorProcess(tmp_path / "state", "--speed", "100", "--runtime-tier", request.param) as running:
        yield running


def new_story(running: EmulatorProcess) -> Story:
    clients: dict[Any, Any] = {}

    def client(service: str, **given: Any) -> Any:
        if service not in clients:
            clients[service] = running.client(service, ACCOUNT)
        return clients[service]

    return Story(client, ACCOUNT)


def running_task(story: Story) -> tuple[str, str]:
    """Its ARN, and the marker of its process."""
    command, marker = marked_sleep()
    arn = story.run(story.register({"command": command, "stopTimeout": 2}))
    story.until(arn)
    assert len(processes(marker)) == 1
    return arn, marker


def test_sigterm_ends_containers_and_the_next_start_tells(own: EmulatorProcess) -> None:
    arn, marker = running_task(new_story(own))
    assert own.process is not None
    below = machine.descendants(own.process.pid)
    groups = {group for pid, _ in below for group in machine.cgroups(pid) if "drydock" in str(group)}
    assert own.stop() == 0
    assert processes(marker) == []
    assert machine.alive(below) == set()
    assert machine.mounts(own.state) == set()
    assert [group for group in groups if group.exists()] == []
    assert not (own.state / "endpoint.json").exists()
    own.start()
    story = new_story(own)
    task = story.stopped(arn)
    assert "had ended" in task["stoppedReason"]
    assert task["containers"][0]["lastStatus"] == "STOPPED"
    assert story.aws("ec2").describe_network_interfaces()["NetworkInterfaces"] == []


@pytest.mark.parametrize("which", [0, 1], ids=["outer", "inner"])
def test_kill_of_the_runtimes_helper(own: EmulatorProcess, which: int) -> None:
    """Tasks stop, with the reason; new ones run. In the namespaces tier the helper is two processes."""
    if which == 1 and own.get("/_drydock/health")["runtime_tier"] == "plain":
        pytest.skip("in the plain tier the helper is one process")
    story = new_story(own)
    arn, marker = running_task(story)
    assert own.process is not None
    os.kill(machine.runtime_helpers(own.process.pid)[which], signal.SIGKILL)
    task = story.stopped(arn)
    assert processes(marker) == []
    assert "container runtime failed" in task["stoppedReason"]
    assert task["containers"][0]["exitCode"] == 137
    second, marker = running_task(story)
    story.stop(second)
    assert processes(marker) == []
    assert own.faults() == []


def test_kill_of_the_supporting_services(own: EmulatorProcess) -> None:
    """The next request works, and nothing is lost."""
    story = new_story(own)
    story.aws("s3").create_bucket(Bucket="kept")
    arn, marker = running_task(story)
    assert own.process is not None
    (child,) = machine.command_lines(f"drydock.moto_backend.child {own.process.pid}")
    os.kill(child, signal.SIGKILL)
    s3 = story.aws("s3")

    def answers() -> bool:
        try:
            return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["kept"]
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503  # it was at work when it died
            return False

    wait_until(answers, "it answers again", patience=10)
    assert story.describe(arn)["lastStatus"] == "RUNNING"
    assert len(processes(marker)) == 1
    story.stop(arn)
    assert story.aws("ec2").describe_network_interfaces()["NetworkInterfaces"] == []


def test_kill_while_it_starts(tmp_path: Path) -> None:
    """Half-made state folders are no obstacle."""
    import subprocess
    import sys

    state = tmp_path / "state"
    command = [sys.executable, "-m", "drydock", "serve", "--port", "0", "--state", str(state)]
    root = Path(__file__).resolve().parents[2]
    for delay in (0.15, 0.25, 0.35, 0.45):
        child = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": f"{root}/localstack"}, stdout=subprocess.DEVNULL
        )
        time.sleep(delay)
        child.kill()
        child.wait()
    with EmulatorProcess(state) as running:
        assert running.client("ecs").list_clusters()["clusterArns"] == []
    assert machine.command_lines(str(state)) == {}
