"""Tasks from RunTask to STOPPED, in both tiers: RUNNING means that there is a process, STOPPED that there is none."""

from __future__ import annotations

import re
import time

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import (
    LIFE,
    PYTHON,
    Story,
    ends_when_asked,
    id_of,
    marked_sleep,
    processes,
    reason_of,
    shown,
)


def test_a_task_runs_and_is_stopped(tier_story: Story) -> None:
    story = tier_story
    command, marker = marked_sleep()
    definition = story.register({"command": command, "stopTimeout": 2})
    made = story.run_tasks(definition)[0]
    assert made["lastStatus"] == "PROVISIONING"
    assert made["desiredStatus"] == "RUNNING"
    assert made["launchType"] == "FARGATE"
    assert made["group"] == f"family:{definition.rpartition('/')[2].partition(':')[0]}"
    assert re.fullmatch(rf"arn:aws:ecs:us-east-1:{story.account}:task/yard/[0-9a-f]{{32}}", made["taskArn"])
    task = story.until(made["taskArn"])
    assert shown(task) == [("RUNNING", None, None)]
    assert len(processes(marker)) == 1, "RUNNING without a process"
    task = story.stop(made["taskArn"])
    assert processes(marker) == [], "STOPPED with a process"
    assert task["desiredStatus"] == "STOPPED"
    assert task["stopCode"] == "UserInitiated"
    assert task["stoppedReason"] == "Task stopped by user"
    assert task["containers"][0]["lastStatus"] == "STOPPED"


def test_states_come_in_their_order(tier_story: Story) -> None:
    [made] = tier_story.run_tasks(tier_story.register({"command": ends_when_asked()}))
    arn, seen = made["taskArn"], [made["lastStatus"]]

    def look(until: str) -> bool:
        status = tier_story.describe(arn)["lastStatus"]
        if status not in seen:
            seen.append(status)
        return bool(status == until)

    wait_until(lambda: look("RUNNING"), "the task is RUNNING")
    tier_story.ecs.stop_task(cluster=tier_story.cluster, task=arn)
    wait_until(lambda: look("STOPPED"), "the task is STOPPED")
    assert seen == sorted(seen, key=LIFE.index), f"went back: {seen}"
    assert {"PROVISIONING", "RUNNING", "STOPPED"} <= set(seen)


def test_timestamps_come_in_their_order(tier_story: Story) -> None:
    task = tier_story.outcome({"command": ["sleep", "0.1"]})
    names = ["createdAt", "connectivityAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt",
             "executionStoppedAt", "stoppedAt"]  # fmt: skip
    times = [task[name] for name in names]
    assert times == sorted(times)
    assert task["connectivity"] == "CONNECTED"
    waited = (task["startedAt"] - task["createdAt"]).total_seconds()
    assert waited >= 20, "on Fargate a task takes lab time to start"


@pytest.mark.parametrize("code", [0, 3, 255])
def test_exit_codes(tier_story: Story, code: int) -> None:
    task = tier_story.outcome({"command": ["sh", "-c", f"exit {code}"]})
    assert shown(task) == [("STOPPED", code, None)]
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"


def test_a_program_that_handles_sigterm_ends_with_its_own_code(tier_story: Story) -> None:
    story = tier_story
    story.aws("logs").create_log_group(logGroupName="/yard")
    handler = "trap 'echo the last line; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    container = {"command": ["sh", "-c", handler], "logConfiguration": story.logging()}
    arn = story.run(story.register(container, executionRoleArn=story.execution_role()))
    story.until(arn)
    stream = f"p/c0/{id_of(arn)}"
    wait_until(lambda: story.lines(stream) == ["ready"], "the handler is in place")
    task = story.stop(arn)
    assert shown(task) == [("STOPPED", 7, None)]
    assert story.lines(stream) == ["ready", "the last line"]


def test_sigkill_after_the_stop_timeout(tier_story: Story) -> None:
    story = tier_story
    story.aws("logs").create_log_group(logGroupName="/yard")
    deaf = "trap 'echo heard' TERM; echo ready; while :; do sleep 0.05; done"
    container = {"command": ["sh", "-c", deaf], "logConfiguration": story.logging(), "stopTimeout": 2}
    arn = story.run(story.register(container, executionRoleArn=story.execution_role()))
    story.until(arn)
    stream = f"p/c0/{id_of(arn)}"
    wait_until(lambda: story.lines(stream) == ["ready"], "the handler is in place")
    begin = time.monotonic()
    story.ecs.stop_task(cluster=story.cluster, task=arn)
    task = story.stopped(arn)
    assert 1.9 <= time.monotonic() - begin < 6, "two seconds of grace, in real time"
    assert shown(task) == [("STOPPED", 137, None)]
    assert story.lines(stream) == ["ready", "heard"]


def test_a_program_killed_by_sigterm_ends_with_143(tier_story: Story) -> None:
    command, marker = marked_sleep()
    container = {"command": ["sh", "-c", f"sleep {marker} & wait"], "linuxParameters": {"initProcessEnabled": True}}
    arn = tier_story.run(tier_story.register(container))
    tier_story.until(arn)
    wait_until(lambda: processes(marker), "the sleep runs")
    assert shown(tier_story.stop(arn)) == [("STOPPED", 143, None)]
    assert processes(marker) == [], f"{command} outlived its container"


@pytest.mark.parametrize("init", [False, True])
@pytest.mark.parametrize("command, code, why", [
    ("/no/such/program", 127, "stat /no/such/program: no such file or directory"),
    ("nosuchprogram", 127, "executable file not found in $PATH"),
    ("/etc/passwd", 126, "permission denied"),
])  # fmt: skip
def test_a_command_that_cannot_be_run(tier_story: Story, command: str, code: int, why: str, init: bool) -> None:
    """The task goes to STOPPED without ever having been RUNNING."""
    story = tier_story
    container = {"command": [command], "linuxParameters": {"initProcessEnabled": init}}
    arn = story.run(story.register(container, {"command": ["sleep", "600"], "essential": False, "stopTimeout": 2}))
    seen: list[tuple[str, str]] = []

    def look() -> bool:
        task = story.describe(arn)
        seen.append((task["lastStatus"], task["containers"][0]["lastStatus"]))
        return bool(task["lastStatus"] == "STOPPED")

    wait_until(look, "the task is STOPPED")
    task = story.describe(arn)
    assert "RUNNING" not in {status for pair in seen for status in pair}, seen
    assert "startedAt" not in task, "it was RUNNING for an instant"
    reason = (
        "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to "
        "create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
        f'exec: "{command}": {why}: unknown'
    )
    assert shown(task)[0] == ("STOPPED", code, reason)
    assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", reason)


def test_a_side_command_that_is_not_there_leaves_the_task_running(tier_story: Story) -> None:
    story = tier_story
    command, marker = marked_sleep()
    arn = story.run(
        story.register({"command": ["nosuchprogram"], "essential": False}, {"command": command, "stopTimeout": 2})
    )
    task = story.until(arn)
    assert [(c["lastStatus"], c.get("exitCode")) for c in task["containers"]] == [("STOPPED", 127), ("RUNNING", None)]
    assert len(processes(marker)) == 1
    story.stop(arn)


@pytest.mark.parametrize("image", ["nobody/nothing:latest", "public.ecr.aws/docker/library/postgres:16"])
def test_an_image_that_is_not_there(tier_story: Story, image: str) -> None:
    task = tier_story.outcome({"image": image})
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert image in task["stoppedReason"]
    assert "startedAt" not in task
    assert "exitCode" not in task["containers"][0]


def test_several_containers_run_side_by_side(tier_story: Story) -> None:
    (one, first), (two, second) = marked_sleep(), marked_sleep()
    arn = tier_story.run(tier_story.register({"command": one, "stopTimeout": 2}, {"command": two, "stopTimeout": 2}))
    task = tier_story.until(arn)
    assert [container["name"] for container in task["containers"]] == ["c0", "c1"]
    assert len(processes(first)) == len(processes(second)) == 1
    tier_story.stop(arn)
    assert processes(first) + processes(second) == []


def test_the_end_of_an_essential_container_ends_the_task(tier_story: Story) -> None:
    command, marker = marked_sleep()
    task = tier_story.outcome({"command": ["sh", "-c", "exit 4"]}, {"command": command, "stopTimeout": 2})
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["containers"][0]["exitCode"] == 4
    assert task["containers"][1]["exitCode"] in (137, 143)
    assert processes(marker) == []


def test_the_end_of_another_container_does_not(tier_story: Story) -> None:
    story = tier_story
    command, marker = marked_sleep()
    side = {"command": ["sh", "-c", "exit 5"], "essential": False}
    arn = story.run(story.register({"command": command, "stopTimeout": 2}, side))
    wait_until(lambda: story.describe(arn)["containers"][1].get("exitCode") == 5, "the other one has ended")
    task = story.until(arn)
    assert shown(task) == [("RUNNING", None, None), ("STOPPED", 5, None)]
    assert len(processes(marker)) == 1
    story.stop(arn)


def test_containers_of_a_task_share_the_loopback_address(tier_story: Story) -> None:
    server = (
        "import http.server as h\n"
        "class A(h.BaseHTTPRequestHandler):\n"
        "  def do_GET(s): s.send_response(200); s.end_headers(); s.wfile.write(b'from the neighbour')\n"
        "h.HTTPServer(('127.0.0.1', 8099), A).serve_forever()"
    )
    client = (
        "import time, urllib.request as u\n"
        "for _ in range(200):\n"
        "  try: print(u.urlopen('http://127.0.0.1:8099/').read().decode()); break\n"
        "  except OSError: time.sleep(0.05)"
    )
    task, lines = tier_story.logged(
        {"image": PYTHON, "command": ["python", "-c", client]},
        {"image": PYTHON, "command": ["python", "-c", server], "stopTimeout": 2},
    )
    assert lines == ["from the neighbour"], reason_of(task)


def test_two_tasks_may_both_listen_on_port_80(tier_story: Story) -> None:
    """awsvpc: each task has an address of its own."""
    serve = (
        "import socket, time\n"
        "s = socket.socket(); s.bind(('0.0.0.0', 80)); s.listen(); print('listens', flush=True); time.sleep(300)"
    )
    story = tier_story
    story.aws("logs").create_log_group(logGroupName="/yard")
    container = {"image": PYTHON, "command": ["python", "-c", serve], "portMappings": [{"containerPort": 80}],
                 "logConfiguration": story.logging(), "stopTimeout": 2}  # fmt: skip
    arns = [t["taskArn"] for t in story.run_tasks(
        story.register(container, executionRoleArn=story.execution_role()), count=2)]  # fmt: skip
    for arn in arns:
        story.until(arn)
        wait_until(lambda: story.lines(f"p/c0/{id_of(arn)}") == ["listens"], "it listens", lambda: story.describe(arn))
    addresses = {story.describe(arn)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for arn in arns}
    assert len(addresses) == 2
    for arn in arns:
        story.ecs.stop_task(cluster=story.cluster, task=arn)
    for arn in arns:
        story.stopped(arn)


def test_stopping_before_it_runs_starts_nothing(tier_story: Story, tier_emulator: EmulatorProcess) -> None:
    story = tier_story
    speed = {"account": story.account, "speed": 1}  # so that it is not running before we can say stop
    tier_emulator.get("/_drydock/clock", speed)
    command, marker = marked_sleep()
    story.subnet
    arn = story.run(story.register({"command": command}))
    story.ecs.stop_task(cluster=story.cluster, task=arn, reason="changed my mind")
    tier_emulator.get("/_drydock/clock", speed | {"speed": 100})
    task = story.stopped(arn)
    assert task["stoppedReason"] == "changed my mind"
    assert "startedAt" not in task
    assert "exitCode" not in task["containers"][0]
    assert processes(marker) == []


def test_the_environment_inside(tier_story: Story, tier_emulator: EmulatorProcess) -> None:
    """The definition's, AWS's own, and nothing of the process that runs the emulator."""
    container = {
        "command": ["env"],
        "environment": [{"name": "COLOUR", "value": "blue"}, {"name": "EMPTY", "value": ""}],
    }
    _, lines = tier_story.logged(container)
    env = dict(line.split("=", 1) for line in lines)
    assert env["COLOUR"] == "blue"
    assert env["EMPTY"] == ""
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "us-east-1"
    assert env["AWS_EXECUTION_ENV"] == "AWS_ECS_FARGATE"
    assert env["AWS_ENDPOINT_URL"].startswith("http://")
    allowed = {"COLOUR", "EMPTY", "PATH", "HOME", "HOSTNAME", "PWD", "SHLVL", "OLDPWD", "_", "TMPDIR", "LANG"}
    further = {name for name in env if name not in allowed and not name.startswith(("AWS_", "DRYDOCK_", "ECS_"))}
    if tier_emulator.get("/_drydock/health")["runtime_tier"] == "plain":
        further -= {"PYTHONPATH"}  # how the plain tier rewrites a Python program's ports
    assert further == set()


def test_the_emulator_is_reached_from_inside(tier_story: Story, tier_emulator: EmulatorProcess) -> None:
    get = "import os, urllib.request as u; print(u.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_drydock/health').read().decode())"
    task, lines = tier_story.logged({"image": PYTHON, "command": ["python", "-c", get]})
    assert len(lines) == 1, reason_of(task)
    assert f'"pid":{tier_emulator.get("/_drydock/health")["pid"]}' in lines[0]


def test_memory_limit(tier_story: Story) -> None:
    """137 and the reason AWS gives."""
    greedy = "x = []\nwhile True: x.append(bytearray(b'1') * (8 << 20))"
    begin = time.monotonic()
    task = tier_story.outcome({"image": PYTHON, "command": ["python", "-c", greedy], "memory": 64})
    assert shown(task, ("exitCode", "reason")) == [(137, "OutOfMemoryError: Container killed due to memory usage")]
    assert task["stopCode"] == "EssentialContainerExited"
    assert time.monotonic() - begin < 20


def test_a_task_of_its_own_definition_can_be_overridden(tier_story: Story) -> None:
    story = tier_story
    story.aws("logs").create_log_group(logGroupName="/yard")
    container = {
        "command": ["sh", "-c", "exit 1"],
        "environment": [{"name": "A", "value": "definition"}, {"name": "B", "value": "definition"}],
        "logConfiguration": story.logging(),
    }
    definition = story.register(container, executionRoleArn=story.execution_role())
    override = {"name": "c0", "command": ["sh", "-c", "echo $A $B $C"],
                "environment": [{"name": "B", "value": "override"}, {"name": "C", "value": "new"}]}  # fmt: skip
    arn = story.run(definition, overrides={"containerOverrides": [override]})
    task = story.stopped(arn)
    assert task["containers"][0]["exitCode"] == 0
    assert story.lines(f"p/c0/{id_of(arn)}") == ["definition override new"]
    assert task["overrides"]["containerOverrides"] == [override]
