"""Container health checks: run in the container, seen in DescribeTasks, killed when they hang."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import PYTHON, Story, id_of, marked_sleep, processes, seen_id


def checked(command: list[str], **given: Any) -> dict[str, Any]:
    sleep, _ = marked_sleep()
    return {
        "command": sleep,
        "stopTimeout": 2,
        "healthCheck": {"command": command, "interval": 5, "retries": 2, **given},
    }


def healths(story: Story, arn: str) -> tuple[str, list[str]]:
    task = story.describe(arn)
    return task["healthStatus"], [container["healthStatus"] for container in task["containers"]]


def until(story: Story, arn: str, expected: tuple[str, list[str]]) -> None:
    wait_until(lambda: healths(story, arn) == expected, f"it is {expected}", lambda: story.describe(arn), patience=10)


def test_unknown_healthy_unhealthy_and_back(tier_story: Story, tier_emulator: EmulatorProcess, tmp_path: Any) -> None:
    """The program in the container decides, by a port that it opens, closes and opens again when it is told."""
    story = tier_story
    port = 20000 + secrets.randbelow(20000)
    program = (
        "import signal, socket, time\n"
        "s = None\n"
        "def turn(*_):\n"
        "  global s\n"
        "  if s: s.close(); s = None\n"
        f"  else: s = socket.create_server(('127.0.0.1', {port}))\n"
        "signal.signal(signal.SIGUSR1, turn)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "while 1: time.sleep(60)"
    )
    marker = secrets.token_hex(8)
    check = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
    container = {"image": PYTHON, "command": ["python", "-c", program, marker], "stopTimeout": 2,
                 "healthCheck": {"command": ["CMD", "python", "-c", check], "interval": 60, "retries": 2}}  # fmt: skip
    arn = story.run(story.register(container))
    story.until(arn)
    assert healths(story, arn) == ("UNKNOWN", ["UNKNOWN"])

    def turn() -> None:
        import os
        import signal

        os.kill(processes(marker)[0], signal.SIGUSR1)

    wait_until(lambda: processes(marker), "the program runs")
    wait_until(lambda: _handles_usr1(processes(marker)[0]), "its handler is in place")
    turn()
    until(story, arn, ("HEALTHY", ["HEALTHY"]))
    turn()
    until(story, arn, ("UNHEALTHY", ["UNHEALTHY"]))
    assert story.describe(arn)["lastStatus"] == "RUNNING", "a task of no service goes on"
    turn()
    until(story, arn, ("HEALTHY", ["HEALTHY"]))
    story.stop(arn)


def _handles_usr1(pid: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> 9 & 1)
    return False


def test_only_essential_containers_count_for_the_task(story: Story) -> None:
    bad = checked(["CMD", "false"]) | {"essential": False}
    arn = story.run(
        story.register(checked(["CMD-SHELL", "exit 0"]), bad, {"command": ["sleep", "300"], "stopTimeout": 2})
    )
    until(story, arn, ("HEALTHY", ["HEALTHY", "UNHEALTHY", "UNKNOWN"]))
    story.stop(arn)


def test_the_start_period(story: Story, emulator: EmulatorProcess) -> None:
    """Failures in it do not count; in lab time."""
    emulator.get("/_drydock/clock", {"account": story.account, "speed": 50})
    arn = story.run(story.register(checked(["CMD", "false"], startPeriod=100)))
    task = story.until(arn)
    wait_until(lambda: healths(story, arn)[0] == "UNHEALTHY", "it is unhealthy")
    now = emulator.get(f"/_drydock/clock?account={story.account}")["now"]
    assert now - task["startedAt"].timestamp() >= 100
    story.stop(arn)


@pytest.mark.parametrize(
    "shape", ["sleep {}", "sleep {}; true", "sleep {} & wait", "(trap '' TERM; sleep {}) & sleep {}"]
)
def test_a_check_that_hangs_is_killed(tier_story: Story, shape: str) -> None:
    """With all that it started; and it has failed. The next one begins when nothing of it is left."""
    story = tier_story
    marker = marked_sleep()[1]
    arn = story.run(story.register(checked(["CMD-SHELL", shape.replace("{}", marker)], timeout=2, retries=1)))
    most = shape.count("{}")
    seen: set[int] = set()

    def second_one_runs() -> bool:
        now = processes(marker)
        assert len(now) <= most, "checks pile up"
        seen.update(now)
        return len(seen) > most

    wait_until(second_one_runs, "the check runs for the second time", lambda: story.describe(arn))
    assert healths(story, arn) == ("UNHEALTHY", ["UNHEALTHY"])
    story.stop(arn)
    assert processes(marker) == []


def test_a_check_that_is_not_there_fails(tier_story: Story) -> None:
    arn = tier_story.run(tier_story.register(checked(["CMD", "/no/such/check"])))
    until(tier_story, arn, ("UNHEALTHY", ["UNHEALTHY"]))
    tier_story.stop(arn)


def test_checks_end_with_the_container(story: Story, emulator: EmulatorProcess) -> None:
    marker = marked_sleep()[1]
    container = checked(["CMD-SHELL", f"sleep {marker}; true"], timeout=120) | {"command": ["sleep", "3"]}
    arn = story.run(story.register(container))
    wait_until(lambda: processes(marker), "the check runs", lambda: story.describe(arn))
    task = story.stopped(arn)
    assert processes(marker) == []
    assert task["containers"][0]["exitCode"] == 0


def test_it_runs_in_the_container(story: Story, isolated: EmulatorProcess) -> None:
    """With its environment, its working directory and its user."""
    story.aws("logs").create_log_group(logGroupName="/yard")
    own = f'test "$COLOUR" = blue && test "$(pwd)" = /var/tmp && test "$(id -u)" = {seen_id(65534)}'
    container = checked(["CMD-SHELL", own])
    container |= {
        "environment": [{"name": "COLOUR", "value": "blue"}],
        "workingDirectory": "/var/tmp",
        "user": "nobody",
    }
    arn = story.run(story.register(container))
    until(story, arn, ("HEALTHY", ["HEALTHY"]))
    assert story.stop(arn)["taskArn"].endswith(id_of(arn))
