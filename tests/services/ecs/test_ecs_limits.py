"""Limits and the look of a container from inside: memory, CPU, user, directory, root file system, ulimits, init."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import PYTHON, Story, marked_sleep, processes, reason_of, seen_id, shown

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


def holds(mebibytes: int, seconds: float = 0.0) -> dict[str, Any]:
    """A program that takes so much memory, slowly, says so and ends."""
    text = (f"import time\nx = []\nfor _ in range({mebibytes // 8}): x.append(bytearray(b'1') * (8 << 20)); time.sleep(0.01)\n"
            f"print('fits', flush=True); time.sleep({seconds})")  # fmt: skip
    return {"image": PYTHON, "command": ["python", "-c", text]}


def test_a_soft_limit_does_not_kill(tier_story: Story) -> None:
    task, lines = tier_story.logged(holds(160) | {"memoryReservation": 32})
    assert lines == ["fits"], reason_of(task)
    assert shown(task, ("exitCode", "memoryReservation")) == [(0, "32")]


def test_below_the_hard_limit_nothing_happens(tier_story: Story) -> None:
    task, lines = tier_story.logged(holds(96) | {"memory": 200, "memoryReservation": 32})
    assert lines == ["fits"], reason_of(task)


def test_the_tasks_memory_is_a_limit_of_all_its_containers_together(story: Story) -> None:
    """Each alone would fit into the 512 MiB."""
    task = story.outcome(holds(320, 30), holds(320, 30))
    codes = [code for _, code, _ in shown(task)]
    assert 137 in codes, shown(task)
    assert OUT_OF_MEMORY in [reason for _, _, reason in shown(task)]
    assert task["stopCode"] == "EssentialContainerExited"


def test_a_container_without_a_limit_of_its_own_has_the_tasks(story: Story) -> None:
    task = story.outcome(holds(700))
    assert shown(task) == [("STOPPED", 137, OUT_OF_MEMORY)]


def test_killed_from_outside_is_not_out_of_memory(tier_story: Story) -> None:
    command, marker = marked_sleep()
    arn = tier_story.run(tier_story.register({"command": command, "memory": 64}))
    tier_story.until(arn)
    os.kill(processes(marker)[0], 9)
    assert shown(tier_story.stopped(arn)) == [("STOPPED", 137, None)]


def test_cpu_units_are_a_quota_where_there_is_a_cgroup(story: Story, isolated: EmulatorProcess) -> None:
    """256 units: a quarter of a processor."""
    spin = f"import time\nend = time.time() + 60\nwhile time.time() < end: pass  # {(marker := marked_sleep()[1])}"
    arn = story.run(story.register({"image": PYTHON, "command": ["python", "-c", spin, marker], "stopTimeout": 2}))
    story.until(arn)
    (pid,) = processes(marker)
    told = Path(f"/proc/{pid}/cgroup").read_text()
    if "drydock" not in told:
        pytest.skip("no writable CPU cgroup here")

    def used() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    wait_until(lambda: used() > 0.1, "it spins")
    begin, before = time.monotonic(), used()
    wait_until(lambda: time.monotonic() - begin > 1.5, "a while")
    share = (used() - before) / (time.monotonic() - begin)
    assert share < 0.35, f"{share:.2f} of a processor"
    story.stop(arn)


def inside(story: Story, command: str, **given: Any) -> list[str]:
    task, lines = story.logged({"command": ["sh", "-c", command], **given})
    assert lines, reason_of(task)
    return lines


@pytest.mark.parametrize("user, seen", [
    ("nobody", (65534, 65534)), ("65534", (65534, 65534)), ("1000:2000", (1000, 2000)), ("root", (0, 0)),
    ("nobody:root", (65534, 0)), ("1000", (1000, 0)),
])  # fmt: skip
def test_user(story: Story, isolated: EmulatorProcess, user: str, seen: tuple[int, int]) -> None:
    """Who cannot be had is said in the emulator's log."""
    uid, gid = seen
    assert inside(story, "echo $(id -u) $(id -g)", user=user) == [f"{seen_id(uid)} {seen_id(gid)}"]
    told = f"user {user} cannot be had without root" in (isolated.state / "drydock.log").read_text()
    assert told == (os.geteuid() != 0 and user != "root")


def test_a_user_that_is_not_there(story: Story, isolated: EmulatorProcess) -> None:
    task = story.outcome({"command": ["true"], "user": "nosuchuser"})
    assert "CannotStartContainerError" in reason_of(task)
    assert "nosuchuser" in reason_of(task)


def test_a_user_without_rights(story: Story, isolated: EmulatorProcess) -> None:
    """Without root it is the container's root, who may."""
    lines = inside(story, "touch /f || echo refused; touch /tmp/f && echo written", user="nobody")
    if os.geteuid() == 0:
        assert lines[-2:] == ["refused", "written"]
    else:
        assert lines == ["written"]


@pytest.mark.parametrize("folder", ["/tmp", "/made/for/it"])
def test_working_directory(story: Story, isolated: EmulatorProcess, folder: str) -> None:
    """Made if it is not there, as Docker does."""
    assert inside(story, "pwd", workingDirectory=folder) == [folder]


def test_a_read_only_root(story: Story, isolated: EmulatorProcess) -> None:
    """Volumes stay writable."""
    lines = inside(story, "touch /f /root/f /tmp/f; touch /data/f && echo written", readonlyRootFilesystem=True)
    assert sum("Read-only file system" in line for line in lines) == 3


def test_a_read_only_root_with_a_volume(story: Story, isolated: EmulatorProcess) -> None:
    task, lines = story.logged(
        {"command": ["sh", "-c", "touch /f || echo refused; touch /data/f && echo written"], "readonlyRootFilesystem": True,
         "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]},
        volumes=[{"name": "data"}],
    )  # fmt: skip
    assert lines[-2:] == ["refused", "written"], reason_of(task)


def test_ulimits(tier_story: Story) -> None:
    limits = [{"name": "nofile", "softLimit": 100, "hardLimit": 200}]
    assert inside(tier_story, "ulimit -Sn; ulimit -Hn", ulimits=limits) == ["100", "200"]


def test_fargate_gives_many_files_by_default(tier_story: Story) -> None:
    """1024 soft, 65535 hard, as the documentation of Fargate's task definition parameters says."""
    soft, hard = inside(tier_story, "ulimit -Sn; ulimit -Hn")
    assert int(soft) >= 1024
    assert hard == "unlimited" or int(hard) >= 4096


def test_the_first_process(story: Story, isolated: EmulatorProcess) -> None:
    """The program itself, or an init that reaps what it leaves."""
    assert inside(story, "echo $$") == ["1"]


def test_an_init_process(story: Story, isolated: EmulatorProcess) -> None:
    lines = inside(
        story, "echo $$; (sleep 0.05 & true); sleep 0.3; ls -d /proc/[0-9]* | wc -l",
        linuxParameters={"initProcessEnabled": True},
    )  # fmt: skip
    assert lines[0] != "1"
    assert int(lines[1]) <= 5


def test_another_architecture(story: Story) -> None:
    """The images that are here run on this machine only."""
    machine = os.uname().machine
    other, word = ("ARM64", "linux/arm64") if machine == "x86_64" else ("X86_64", "linux/amd64")
    task = story.outcome({"command": ["true"]}, runtimePlatform={"cpuArchitecture": other})
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        f"image Manifest does not contain descriptor matching platform '{word}'"
    )
    own = {"x86_64": "X86_64", "aarch64": "ARM64"}[machine]
    task = story.outcome(
        {"command": ["true"]}, runtimePlatform={"cpuArchitecture": own, "operatingSystemFamily": "LINUX"}
    )
    assert shown(task) == [("STOPPED", 0, None)]


def test_a_port_that_is_taken_within_the_task(tier_story: Story) -> None:
    """The containers of a task share its address; the second to bind gets the kernel's error."""
    listen = (
        "import socket, time; s = socket.create_server(('0.0.0.0', 8098)); print('bound', flush=True); time.sleep({})"
    )
    first = {"image": PYTHON, "command": ["python", "-c", listen.format(300)], "stopTimeout": 2, "essential": False,
             "healthCheck": {"command": ["CMD", "python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8098))"],
                             "interval": 5}}  # fmt: skip
    second = {"image": PYTHON, "command": ["python", "-c", listen.format(0)],
              "dependsOn": [{"containerName": "c1", "condition": "HEALTHY"}]}  # fmt: skip
    task, lines = tier_story.logged(second, first)
    assert task["containers"][0]["exitCode"] == 1, reason_of(task)
    assert "Address already in use" in lines[-1]
