"""A service of 200 tasks, with states that take no lab time: steady in under 20 s, and gone in under 20 s."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import processes
from tests.services.ecs.yard import Yard

TASKS, SECONDS = 200, 20.0


@pytest.mark.all
def test_200_tasks(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "state", "--instant") as emulator:
        yard = Yard(emulator.client, "000000000000")
        definition, marker = yard.sleeper()
        yard.network  # EC2 is started
        begin = time.monotonic()
        yard.create(definition, TASKS)
        wait_until(lambda: yard.service()["runningCount"] == TASKS, "all of them run", yard.messages, patience=120)
        yard.steady(running=TASKS)
        took = time.monotonic() - begin
        assert len(processes(marker)) == TASKS
        assert took < SECONDS, f"steady after {took:.1f} s"
        begin = time.monotonic()
        yard.ecs.delete_service(cluster=yard.cluster, service="web", force=True)
        wait_until(lambda: processes(marker) == [], "no process is left", patience=60)
        yard.until_service(lambda service: service["status"] == "INACTIVE", "it is INACTIVE")
        gone = time.monotonic() - begin
        assert gone < SECONDS, f"gone after {gone:.1f} s"
        print(f"steady after {took:.1f} s, gone after {gone:.1f} s")
        assert emulator.faults() == []
