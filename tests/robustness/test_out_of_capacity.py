"""A machine at its limit: tasks that do not fit are STOPPED as where Fargate has no capacity, and the others run on."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess
from tests.robustness import machine
from tests.robustness.fleet import Fleet
from tests.services.ecs.story import id_of, processes, reason_of

NO_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
MOST_SPARE = 14
"""Descriptors that a task of one container takes in the helper, and some more"""


@pytest.fixture(params=["auto", "plain"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmulatorProcess]:
    with EmulatorProcess(tmp_path / "state", "--instant", "--runtime-tier", request.param) as made:
        yield made


def test_a_helper_without_descriptors(running: EmulatorProcess) -> None:
    """Whatever it lacks them for, the task says so; when there are some again, tasks run."""
    assert running.process is not None
    helper = machine.runtime_helpers(running.process.pid)[-1]  # before it has children that look like it
    usual = resource.prlimit(helper, resource.RLIMIT_NOFILE)
    fleet = Fleet(running, "111122223333")
    story = fleet.story
    fleet.run(polite=True, containers=1)
    first = next(iter(fleet.tasks))
    story.until(first)
    outcomes: list[tuple[str, dict[str, Any]]] = []
    for spare in range(MOST_SPARE):
        held = len(os.listdir(f"/proc/{helper}/fd"))
        resource.prlimit(helper, resource.RLIMIT_NOFILE, (held + spare, usual[1]))
        fleet.run(polite=True, containers=1)
        fleet.settle()
        arn = list(fleet.tasks)[-1]
        task = story.describe(arn)
        outcomes.append((task["lastStatus"], task))
        resource.prlimit(helper, resource.RLIMIT_NOFILE, usual)
        if task["lastStatus"] == "RUNNING":
            story.stop(arn)
    told = {status for status, _ in outcomes}
    assert told == {"STOPPED", "RUNNING"}, "some have too few, some enough"
    for status, task in outcomes:
        if status == "STOPPED":
            assert task["stopCode"] == "TaskFailedToStart"
            assert task["stoppedReason"] == NO_CAPACITY, reason_of(task)
            assert re.fullmatch("This machine is at its limit: .*Too many open files", task["containers"][0]["reason"])
            assert "startedAt" not in task
    assert story.describe(first)["lastStatus"] == "RUNNING"
    assert len(processes(fleet.tasks[first].marker)) == 1, id_of(first)
    assert helper in machine.runtime_helpers(running.process.pid), "it was restarted"
    fleet.end()
