"""Hints are about what the check has found."""

from __future__ import annotations

import ast
from types import SimpleNamespace

import labkit as lab
import pytest
from labkit import chapter, exercises
from labkit.exercises import Exercise, not_yet

GENERAL, LOW = ("g1", "g2", "g3"), ("l1", "l2", "l3")


def _check(here: lab.Chapter, answer: int) -> str:
    if answer < 5:
        not_yet("it is too low", "the number", fault="low")
    if answer > 9:
        not_yet("it is too high", "the number")
    return "it is right"


@pytest.fixture
def _exercise(monkeypatch: pytest.MonkeyPatch, lab_environment: object) -> None:
    lab.begin("00")
    made = SimpleNamespace(EXERCISES={"number": Exercise(_check, GENERAL, {"low": LOW})}, QUESTIONS={})
    monkeypatch.setattr(exercises, "chapter_module", lambda here: made)


@pytest.mark.usefixtures("_exercise")
def test_hints_follow_the_last_check(capsys: pytest.CaptureFixture[str]) -> None:
    for answer, wanted in ((None, "3: g2"), (3, "3 for what the check found: l2"), (12, "3: g2"), (3, "found: l2"),
                           (7, "3: g2")):  # fmt: skip
        lab.check("number", answer)
        capsys.readouterr()
        lab.hint("number", 2)
        assert wanted in capsys.readouterr().out, answer


@pytest.mark.usefixtures("_exercise")
def test_without_a_level_it_says_how_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    lab.hint("number")
    told = capsys.readouterr().out
    assert 'lab.hint("number", 1)' in told and "Run the check first" in told


def _faults(source: str) -> set[str]:
    """The names of faults in the calls of ``not_yet``."""
    named = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "not_yet":
            given = [*node.args[2:3], *(keyword.value for keyword in node.keywords if keyword.arg == "fault")]
            named |= {value.value for value in given if isinstance(value, ast.Constant)}
    return named


def test_every_fault_that_a_check_names_has_its_hints(lab_environment: object) -> None:
    found = 0
    for folder in sorted(chapter.labs_folder().glob("[0-9]*_*")):
        module = exercises.chapter_module(lab.begin(folder.name[:2]))
        named = _faults((folder / "exercises.py").read_text())
        hinted = {fault for exercise in module.EXERCISES.values() for fault in exercise.hints_for}
        assert named == hinted, folder.name
        found += len(named)
        for exercise in module.EXERCISES.values():
            for three in (exercise.hints, *exercise.hints_for.values()):
                assert len(set(three)) == exercises.LEVELS and all(three)
    assert found
