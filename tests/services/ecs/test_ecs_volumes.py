"""Volumes: shared between the containers of a task, read-only where it was asked for, gone with the task."""

from __future__ import annotations

from typing import Any

from tests.emulator_process import EmulatorProcess
from tests.services.ecs.story import Story, reason_of, shown


def mounted(path: str = "/data", volume: str = "data", **given: Any) -> dict[str, Any]:
    return {"mountPoints": [{"sourceVolume": volume, "containerPath": path, **given}]}


def after(name: str) -> dict[str, Any]:
    return {"dependsOn": [{"containerName": name, "condition": "COMPLETE"}]}


DATA = [{"name": "data"}]


def test_what_one_writes_another_reads(story: Story, isolated: EmulatorProcess) -> None:
    """At different paths; and what an init container writes is there when the main one starts."""
    writer = {"command": ["sh", "-c", "mkdir -p /out/a && echo hello > /out/a/f"], "essential": False} | mounted("/out")
    reader = {"command": ["cat", "/in/a/f"]} | mounted("/in") | after("c1")
    task, lines = story.logged(reader, writer, volumes=DATA)
    assert lines == ["hello"], reason_of(task)


def test_a_read_only_mount(story: Story, isolated: EmulatorProcess) -> None:
    """Refuses writes of root too, while another container of the task may write."""
    writer = {"command": ["sh", "-c", "echo 1 > /data/f"], "essential": False} | mounted()
    reader = {"command": ["sh", "-c", "cat /data/f; echo 2 > /data/f; echo $?; touch /data/new; ls /data"]}
    task, lines = story.logged(reader | mounted(readOnly=True) | after("c1"), writer, volumes=DATA)
    told = "\n".join(lines)
    assert lines[0] == "1", reason_of(task)
    assert told.count("Read-only file system") == 2
    assert "f" in lines and "new" not in lines


def test_volumes_from_another_container(story: Story, isolated: EmulatorProcess) -> None:
    writer = {"command": ["sh", "-c", "echo 1 > /data/f"], "essential": False} | mounted()
    reader = {"command": ["sh", "-c", "cat /data/f; touch /data/g || echo refused"],
              "volumesFrom": [{"sourceContainer": "c1", "readOnly": True}]} | after("c1")  # fmt: skip
    task, lines = story.logged(reader, writer, volumes=DATA)
    assert lines[0] == "1" and "refused" in lines[1:], reason_of(task)  # stderr may come before or after it


def test_two_volumes_are_two_places(story: Story, isolated: EmulatorProcess) -> None:
    points = mounted("/one", "one")["mountPoints"] + mounted("/two", "two")["mountPoints"]
    container = {"command": ["sh", "-c", "echo 1 > /one/f; ls /two; ls /one"], "mountPoints": points}
    _, lines = story.logged(container, volumes=[{"name": "one"}, {"name": "two"}])
    assert lines == ["f"]


def test_nothing_is_left_after_the_task(story: Story, isolated: EmulatorProcess) -> None:
    """Neither on the machine nor for the next task of the same definition."""
    container = {"command": ["sh", "-c", "ls /data; echo x > /data/left"]} | mounted()
    task, lines = story.logged(container, volumes=DATA)
    assert lines == []
    definition = task["taskDefinitionArn"]
    again = story.stopped(story.run(definition))
    assert story.lines(f"p/c0/{again['taskArn'].rpartition('/')[2]}") == []
    volumes = isolated.state / "volumes"
    left = [str(path) for arn in (task, again) for path in volumes.glob(arn["taskArn"].rpartition("/")[2])]
    assert left == []


def test_two_tasks_do_not_share(tier_story: Story) -> None:
    story = tier_story
    container = {"command": ["sh", "-c", "ls; echo x > $HOSTNAME; sleep 1"], "workingDirectory": "/data"} | mounted()
    story.aws("logs").create_log_group(logGroupName="/yard")
    definition = story.register({**container, "logConfiguration": story.logging()}, volumes=DATA,
                                executionRoleArn=story.execution_role())  # fmt: skip
    for task in story.run_tasks(definition, count=3):
        story.stopped(task["taskArn"])
        assert story.lines(f"p/c0/{task['taskArn'].rpartition('/')[2]}") == []


def test_what_a_container_writes_outside_volumes_is_its_own(story: Story, isolated: EmulatorProcess) -> None:
    """And gone after its restart by another task."""
    first = {"command": ["sh", "-c", "echo 1 > /srv-file; ls /srv-file"], "essential": False}
    second = {"command": ["ls", "/srv-file"]} | after("c1")
    task, lines = story.logged(second, first)
    assert [code for _, code, _ in shown(task)] == [2, 0]
    assert "No such file" in lines[0]
