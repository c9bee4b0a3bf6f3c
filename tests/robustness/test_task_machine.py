"""A state machine over the life of tasks: RunTask, StopTask, killed processes, kill -9 and restart of the emulator, in
any order. Whatever happens, what :mod:`fleet` checks must hold after each step, and nothing is left in the end."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.emulator_process import EmulatorProcess, wait_until
from tests.robustness import machine
from tests.robustness.fleet import Fleet
from tests.services.ecs.story import processes

MOST_TASKS, MOST_KILLS = 8, 2
"""In one example: more of them take time and tell nothing new"""
PATIENCE_FOR_DEATH = 1.0
accounts = itertools.count(333300000001)


class TaskMachine(RuleBasedStateMachine):
    """One emulator for all examples of a test, an account for each."""

    running: EmulatorProcess

    def __init__(self) -> None:
        super().__init__()
        self.account, self.kills = str(next(accounts)), 0
        self.fleet = Fleet(self.running, self.account)

    def _living(self) -> list[str]:
        return [arn for arn, known in self.fleet.tasks.items() if known.status != "STOPPED"]

    def _pick(self, data: Any, arns: list[str]) -> str:
        return arns[data.draw(st.integers(0, len(arns) - 1), "which")]

    @precondition(lambda self: len(self._living()) < MOST_TASKS)
    @rule(polite=st.booleans(), containers=st.integers(1, 2))
    def run(self, polite: bool, containers: int) -> None:
        self.fleet.run(polite, containers)

    @precondition(lambda self: self.fleet.tasks)
    @rule(data=st.data())
    def stop(self, data: Any) -> None:
        """Also of a task that has stopped, which changes nothing."""
        arn = self._pick(data, list(self.fleet.tasks))
        answer = self.fleet.story.ecs.stop_task(cluster=self.fleet.story.cluster, task=arn)["task"]
        assert answer["desiredStatus"] == "STOPPED"

    @precondition(lambda self: self._living())
    @rule(data=st.data())
    def kill_a_process(self, data: Any) -> None:
        """Of a container; every one is essential, so the task ends."""
        arn = self._pick(data, self._living())
        for pid in processes(self.fleet.tasks[arn].marker)[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @precondition(lambda self: self._living())
    @rule()
    def settle(self) -> None:
        self.fleet.settle()

    @precondition(lambda self: self._living() and self.kills < MOST_KILLS)
    @rule()
    def kill_the_emulator(self) -> None:
        self._kill()

    @precondition(lambda self: len(self._living()) < MOST_TASKS and self.kills < MOST_KILLS)
    @rule(polite=st.booleans(), milliseconds=st.integers(0, 40))
    def kill_the_emulator_while_asked(self, polite: bool, milliseconds: int) -> None:
        """RunTask under way: if it was answered, its task is there afterwards."""
        marker, request = self.fleet.request(polite, 1)
        answers: list[dict[str, Any]] = []

        def ask() -> None:
            with contextlib.suppress(BotoCoreError):
                answers.append(self.fleet.story.ecs.run_task(**request))

        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(milliseconds / 1000)
        self._kill(asking.join)
        for answer in answers:
            if "tasks" in answer:  # else it died between the head and the body
                self.fleet.acknowledged(marker, answer)
        assert processes(marker) == []

    def _kill(self, afterwards: Any = lambda: None) -> None:
        """kill -9, look at what is left, and start again."""
        assert self.running.process is not None
        self.kills += 1
        below = machine.descendants(self.running.process.pid)
        self.running.kill()
        afterwards()
        markers = [known.marker for known in self.fleet.tasks.values()]
        wait_until(lambda: not any(map(processes, markers)), "the containers are dead", patience=PATIENCE_FOR_DEATH)
        wait_until(lambda: not machine.alive(below), "the helpers are gone", lambda: machine.alive(below), patience=5)
        assert machine.mounts(self.running.state) == set()
        self.running.start()
        self.fleet.restarted()
        for arn, task in self.fleet.described().items():
            assert task["desiredStatus"] == "STOPPED", f"{arn} survived its emulator: {task}"

    @invariant()
    def holds(self) -> None:
        self.fleet.look()

    def teardown(self) -> None:
        if self.running.process is None or self.running.process.poll() is not None:
            return  # a step failed while it was dead
        self.fleet.end()
        self.running.get("/_drydock/reset", {"account": self.account})


@pytest.mark.parametrize("tier, examples, steps", [
    ("auto", 2, 12),
    pytest.param("auto", 40, 30, marks=[pytest.mark.all, pytest.mark.timeout(1500)]),
    pytest.param("plain", 12, 30, marks=[pytest.mark.all, pytest.mark.timeout(900)]),
])  # fmt: skip
def test_whatever_happens(tmp_path: Path, tier: str, examples: int, steps: int) -> None:
    """``--hypothesis-seed`` repeats a run; the steps that failed are printed as a program."""
    with EmulatorProcess(tmp_path / "state", "--speed", "100", "--runtime-tier", tier) as running:
        made = type("Made", (TaskMachine,), {"running": running})
        run_state_machine_as_test(
            made,
            settings=settings(
                max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
                suppress_health_check=list(HealthCheck), phases=[Phase.generate], print_blob=False,
                verbosity=Verbosity.normal,
            ),
        )  # fmt: skip
        assert running.process is not None
        below = machine.descendants(running.process.pid)
        assert running.stop() == 0
    assert machine.alive(below) == set()
    assert machine.mounts(running.state) == set()
    assert list((running.state / "runtime").glob("run-*")) == []
