"""dependsOn, startTimeout, the order of stopping, restarts: what DescribeTasks and the machine's processes show of them."""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import PYTHON, Story, id_of, marked_sleep, processes, reason_of, shown


def after(name: str, condition: str) -> dict[str, Any]:
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


def sleeper(**given: Any) -> tuple[dict[str, Any], str]:
    command, marker = marked_sleep()
    return {"command": command, "stopTimeout": 2, **given}, marker


def statuses(story: Story, arn: str) -> list[str]:
    return [container["lastStatus"] for container in story.describe(arn)["containers"]]


def advance(emulator: EmulatorProcess, story: Story, seconds: float) -> None:
    emulator.get("/_drydock/clock", {"account": story.account, "advance": seconds})


def test_success_and_complete(tier_story: Story) -> None:
    """It sees what the others wrote, so it began after their end."""
    volume: dict[str, Any] = {"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}], "workingDirectory": "/v"}
    reader = {"command": ["sh", "-c", "cat one two"], "dependsOn": [
        {"containerName": "c1", "condition": "SUCCESS"}, {"containerName": "c2", "condition": "COMPLETE"}]}  # fmt: skip
    one = {"command": ["sh", "-c", "sleep 0.3; echo one > one"], "essential": False}
    two = {"command": ["sh", "-c", "sleep 0.3; echo two > two; exit 9"], "essential": False}
    task, lines = tier_story.logged(reader | volume, one | volume, two | volume, volumes=[{"name": "v"}])
    assert lines == ["one", "two"], reason_of(task)
    assert [code for _, code, _ in shown(task)] == [0, 0, 9]


def test_until_the_dependency_holds_the_task_is_pending(tier_story: Story) -> None:
    """And is RUNNING only when every container has started."""
    story = tier_story
    first, marker = sleeper(essential=False)
    second, other = sleeper(**after("c0", "COMPLETE"))
    arn = story.run(story.register(first, second))
    wait_until(
        lambda: statuses(story, arn) == ["RUNNING", "PENDING"], "the first one runs", lambda: story.describe(arn)
    )
    assert story.describe(arn)["lastStatus"] == "PENDING"
    assert processes(other) == []
    os.kill(processes(marker)[0], signal.SIGKILL)
    task = story.until(arn)
    assert shown(task, ("lastStatus",)) == [("STOPPED",), ("RUNNING",)]
    assert len(processes(other)) == 1
    story.stop(arn)


def test_a_dependency_that_failed_fails_the_task(tier_story: Story) -> None:
    main, marker = sleeper(**after("c1", "SUCCESS"))
    task = tier_story.outcome(main, {"command": ["sh", "-c", "exit 3"], "essential": False})
    assert task["stopCode"] == "TaskFailedToStart"
    assert "startedAt" not in task
    assert processes(marker) == []
    (status, code, reason), first = shown(task)
    assert (status, code) == ("STOPPED", 143)
    assert "c1(public.ecr.aws/docker/library/busybox:stable) (STOPPED->RUNNING) - Exit: 3" in reason
    assert "did not exit successfully" in reason
    assert task["stoppedReason"] == reason
    assert first == ("STOPPED", 3, None)


def test_what_is_not_essential_is_given_up_alone(story: Story) -> None:
    """As ECS's agent does it: the other containers of the task go on."""
    main, marker = sleeper()
    side, other = sleeper(essential=False, **after("c2", "SUCCESS"))
    after_side = {"command": ["true"], "essential": False, **after("c1", "START")}
    failing = {"command": ["false"], "essential": False}
    arn = story.run(story.register(main, side, failing, after_side))
    task = story.until(arn)
    told = shown(task)
    assert [each[:2] for each in told] == [("RUNNING", None), ("STOPPED", 143), ("STOPPED", 1), ("STOPPED", 143)]
    assert "did not exit successfully" in told[1][2]
    assert told[3][2].endswith("because dependency will never start")
    assert (len(processes(marker)), processes(other)) == (1, [])
    story.stop(arn)


def test_start_timeout_is_lab_time(story: Story, emulator: EmulatorProcess) -> None:
    first, marker = sleeper(essential=False, startTimeout=120)
    second, other = sleeper(**after("c0", "COMPLETE"))
    emulator.get("/_drydock/clock", {"account": story.account, "speed": 20})
    arn = story.run(story.register(first, second))
    wait_until(
        lambda: statuses(story, arn) == ["RUNNING", "PENDING"], "the first one runs", lambda: story.describe(arn)
    )
    begun = story.describe(arn)["pullStoppedAt"]
    task = story.stopped(arn)
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].endswith("has timed out.")
    assert 120 <= (task["stoppingAt"] - begun).total_seconds() < 160
    assert processes(marker) + processes(other) == []


def test_stop_timeout_is_lab_time_also_when_the_clock_is_sped_up_later(story: Story, emulator: EmulatorProcess) -> None:
    """As ``labkit.wait`` does, once the task was told to stop."""
    command, marker = marked_sleep()  # which as process 1 does not hear SIGTERM
    arn = story.run(story.register({"command": command, "stopTimeout": 120}))
    story.until(arn)
    emulator.get("/_drydock/clock", {"account": story.account, "speed": 1})
    story.ecs.stop_task(cluster=story.cluster, task=arn)
    wait_until(lambda: story.describe(arn)["lastStatus"] == "STOPPING", "it stops", lambda: story.describe(arn))
    assert processes(marker)
    begun = time.monotonic()
    emulator.get("/_drydock/clock", {"account": story.account, "speed": 40})
    task = story.stopped(arn)
    assert 1 < time.monotonic() - begun < 20
    assert task["containers"][0]["exitCode"] == 137
    assert processes(marker) == []


def test_a_healthy_dependency(tier_story: Story) -> None:
    story = tier_story
    first, _ = sleeper(healthCheck={"command": ["CMD", "true"], "interval": 5})
    second, marker = sleeper(**after("c0", "HEALTHY"))
    arn = story.run(story.register(first, second))
    task = story.until(arn)
    assert task["containers"][0]["healthStatus"] == "HEALTHY"
    assert len(processes(marker)) == 1
    story.stop(arn)


def test_a_dependency_that_ends_before_it_is_healthy(story: Story) -> None:
    first = {"command": ["sleep", "0.5"], "essential": False, "healthCheck": {"command": ["CMD", "false"]}}
    task = story.outcome(sleeper(**after("c1", "HEALTHY"))[0], first)
    assert "ended before it was healthy" in task["stoppedReason"]
    assert task["stopCode"] == "TaskFailedToStart"


STAMP = "import signal, sys, time\nsignal.signal(15, lambda *_: (print('end', time.time()), sys.exit(0)))\nprint('ready', flush=True)\nwhile 1: time.sleep(1)"  # noqa: E501


def test_containers_stop_in_the_reverse_order(tier_story: Story) -> None:
    """Each one only when what depends on it has ended."""
    story = tier_story
    story.aws("logs").create_log_group(logGroupName="/yard")
    base = {"image": PYTHON, "command": ["python", "-c", STAMP], "stopTimeout": 5, "logConfiguration": story.logging()}
    definition = story.register(base, base | after("c0", "START"), base | after("c1", "START"),
                                executionRoleArn=story.execution_role())  # fmt: skip
    arn = story.run(definition)
    story.until(arn)
    streams = [f"p/c{number}/{id_of(arn)}" for number in range(3)]
    wait_until(lambda: all(story.lines(stream) == ["ready"] for stream in streams), "all are ready")
    task = story.stop(arn)
    ends = [float(story.lines(stream)[-1].split()[1]) for stream in streams]
    assert ends == sorted(ends, reverse=True), "c2, which depends on c1, which depends on c0"
    assert [code for _, code, _ in shown(task)] == [0, 0, 0]


def test_a_container_is_started_again(tier_story: Story, tier_emulator: EmulatorProcess) -> None:
    """Its policy keeps the task RUNNING."""
    story = tier_story
    container, marker = sleeper(restartPolicy={"enabled": True, "restartAttemptPeriod": 60})
    arn = story.run(story.register(container))
    story.until(arn)
    (first,) = processes(marker)
    advance(tier_emulator, story, 61)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: processes(marker) not in ([], [first]), "it is started again", lambda: story.describe(arn))
    wait_until(lambda: statuses(story, arn) == ["RUNNING"], "and RUNNING again")
    task = story.describe(arn)
    assert (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "RUNNING")
    assert "exitCode" not in task["containers"][0]
    os.kill(processes(marker)[0], signal.SIGKILL)
    task = story.stopped(arn)
    assert shown(task, ("exitCode",)) == [(137,)], "it had not run for a restartAttemptPeriod"
    assert task["stopCode"] == "EssentialContainerExited"


def test_an_ignored_exit_code_is_an_end(story: Story, emulator: EmulatorProcess) -> None:
    _command, marker = marked_sleep()
    policy = {"enabled": True, "ignoredExitCodes": [143], "restartAttemptPeriod": 60}
    container = {"command": ["sh", "-c", f"sleep {marker} & wait"], "restartPolicy": policy,
                 "linuxParameters": {"initProcessEnabled": True}}  # fmt: skip
    arn = story.run(story.register(container))
    story.until(arn)
    wait_until(lambda: processes(marker), "the sleep runs")
    advance(emulator, story, 1000)
    (pid,) = processes(marker)
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGTERM)
    assert shown(story.stopped(arn), ("exitCode",)) == [(143,)]


def test_stopping_does_not_restart(story: Story, emulator: EmulatorProcess) -> None:
    container, marker = sleeper(restartPolicy={"enabled": True, "restartAttemptPeriod": 60})
    arn = story.run(story.register(container))
    story.until(arn)
    advance(emulator, story, 61)
    story.stop(arn)
    assert processes(marker) == []


def test_a_reset_account_is_not_written_down_again(story: Story, emulator: EmulatorProcess) -> None:
    """What ends because of the reset is told afterwards."""
    arns = [task["taskArn"] for task in story.run_tasks(story.register(sleeper()[0]), count=3)]
    for arn in arns:
        story.until(arn)
    emulator.get("/_drydock/reset", {"account": story.account})
    story.ecs.create_cluster(clusterName=story.cluster)
    for _ in range(20):
        assert story.ecs.describe_tasks(cluster=story.cluster, tasks=arns)["tasks"] == []


def test_a_stopped_task_is_forgotten_after_an_hour(story: Story, emulator: EmulatorProcess) -> None:
    emulator.get("/_drydock/clock", {"account": story.account, "speed": 20})
    task = story.outcome({"command": ["true"]})
    arn = task["taskArn"]
    advance(emulator, story, 3300)
    assert story.describe(arn)["lastStatus"] == "STOPPED"
    assert isinstance(task["stoppedAt"], datetime)
    advance(emulator, story, 300)
    wait_until(lambda: story.ecs.describe_tasks(cluster="yard", tasks=[arn])["failures"], "it is forgotten", patience=5)
    assert story.ecs.list_tasks(cluster="yard", desiredStatus="STOPPED")["taskArns"] == []
