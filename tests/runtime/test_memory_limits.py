"""Whom a memory limit kills where the emulator keeps it: decided on what was measured, which here is made up."""

from __future__ import annotations

import os
from typing import Any

import pytest
from drydock.runtime.process import limits
from drydock.runtime.process.tier import Container, Sandbox

MIB = 1 << 20


class Measured:
    """Processes of containers that there are not, and those that were killed; ``gone`` gave up their memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sandbox: int, *containers: int) -> None:
        self.killed: list[int] = []
        self.gone: set[int] = set()
        self.processes: dict[int, list[tuple[int, float, int]]] = {}
        together = Sandbox("task", "task", [], "", sandbox * MIB, 0)
        self.containers: dict[int, Container] = {}
        for number, limit in enumerate(containers):
            spec = {"init": False, "memory": limit * MIB}
            self.containers[number] = Container(str(number), together, spec, "")
        self._limits = limits.Limits()
        monkeypatch.setattr(limits, "measure", self._measure)
        monkeypatch.setattr(os, "kill", lambda pid, _: self._kill(pid))

    def _measure(self, *_: Any) -> dict[int, list[tuple[int, float, int]]]:
        return {top: [one for one in mine if one[2] not in self.gone] for top, mine in self.processes.items()}

    def _kill(self, pid: int) -> None:
        self.killed.append(pid)
        if pid in self.gone:
            raise ProcessLookupError

    def look(self) -> list[int]:
        """Whom it kills now."""
        before = len(self.killed)
        self._limits.next_check = 0
        self._limits.enforce(self.containers, {})
        return self.killed[before:]


def test_one_that_takes_its_time_to_die_is_the_only_one_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Measured(monkeypatch, 96, 0, 0)
    it.processes = {0: [(60 * MIB, 0.0, 10)], 1: [(61 * MIB, 0.0, 11)]}
    assert it.look() == [11]
    it.processes[0] = [(62 * MIB, 0.0, 10)]  # now the larger, while the other still has its memory
    assert it.look() == [11]
    it.gone = {11}
    assert it.look() == []
    assert [one.limit_hit for one in it.containers.values()] == [False, True]


def test_the_next_is_killed_when_that_was_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Measured(monkeypatch, 0, 50)
    it.processes = {0: [(60 * MIB, 0.0, 10), (70 * MIB, 0.0, 11), (-1, 0.0, 12)]}
    assert it.look() == [11]
    it.gone = {11}
    assert it.look() == [10]


def test_a_limit_of_the_container_and_one_of_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Measured(monkeypatch, 100, 50, 0)
    it.processes = {0: [(49 * MIB, 0.0, 10)], 1: [(51 * MIB, 0.0, 11)]}
    assert it.look() == []  # exactly the limit is not over it
    it.processes[1] = [(52 * MIB, 0.0, 11)]
    assert it.look() == [11]  # the larger, for both are over what they share
    it.gone = {11}
    it.processes = {0: [(51 * MIB, 0.0, 10)], 1: [(52 * MIB, 0.0, 12)]}
    assert it.look() == [10, 10]  # over its own limit, and its end is enough for what they share


def test_who_has_ended_meanwhile_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Measured(monkeypatch, 0, 50)
    it.processes = {0: [(60 * MIB, 0.0, 10)]}
    it.gone = {10}
    monkeypatch.setattr(limits, "measure", lambda *_: it.processes)
    assert it.look() == [10]
