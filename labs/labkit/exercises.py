"""Exercises: checks that look at the account, hints in three levels, and quizzes.

A chapter's checks and hints are in ``exercises.py`` of its folder, as two dicts: ``EXERCISES`` and ``QUESTIONS``. A check
asks AWS, not the notebook, so it holds on any target and for any way to reach the goal.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NoReturn

from botocore.exceptions import ClientError, ParamValidationError

from labkit.chapter import Chapter, current
from labkit.errors import LabError

LEVELS = 3
NOT_ATTEMPTED = "not attempted yet"
Hints = tuple[str, str, str]
"""Where to look, what to use, nearly the solution"""

_found: dict[tuple[str, str], str] = {}
"""(chapter, exercise) -> the fault that its check found last"""


class NotYet(Exception):
    """What is still wrong, and where to look."""

    def __init__(self, wrong: str, look: str, fault: str = "") -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.look = look
        self.fault = fault


def not_yet(wrong: str, look: str, fault: str = "") -> NoReturn:
    """Ends a check: it is not done yet, because of ``wrong``; ``look`` says where to find out more. ``fault`` names the
    hints that are for this (``Exercise.hints_for``)."""
    raise NotYet(wrong, look, fault)


@dataclass(frozen=True)
class Exercise:
    """``check(here, *answers)`` returns what it saw (a sentence for who has passed), or calls :func:`not_yet`.

    ``hints`` are for who has not begun; ``hints_for`` has those that belong to a fault which the check has found.
    """

    check: Callable[..., str]
    hints: Hints
    hints_for: dict[str, Hints] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """One right option; ``why`` has a sentence for each option."""

    text: str
    options: dict[str, str]
    right: str
    why: dict[str, str]


def chapter_module(here: Chapter) -> ModuleType:
    """The chapter's ``exercises.py``."""
    name = f"lab_{here.facts.nn}_exercises"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, here.file("exercises.py"))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def _named(kind: str, name: str) -> Any:
    known = getattr(chapter_module(current()), kind)
    if name not in known:
        raise LabError(f"This chapter has no {name!r} among {', '.join(known)}.", "Check the name in the cell.")
    return known[name]


def check(name: str, *answers: Any) -> None:
    """Print how an exercise stands: passed, not yet (what is wrong, where to look), or not attempted yet."""
    exercise: Exercise = _named("EXERCISES", name)
    _found.pop((current().facts.nn, name), None)
    if any(answer is None for answer in answers):
        print(f"{name}: {NOT_ATTEMPTED}")
        return
    try:
        seen = exercise.check(current(), *answers)
    except NotYet as verdict:
        _found[current().facts.nn, name] = verdict.fault
        print(f"{name}: not yet: {verdict.wrong}\n  Look at: {verdict.look}")
    except ClientError as error:
        told = error.response["Error"]
        print(f"{name}: not yet: AWS answers {told['Code']}: {told['Message']}\n  Look at: what you gave to the check")
    except ParamValidationError:
        print(f"{name}: not yet: {answers[0]!r} is not what the check asks for\n  Look at: the task, once more")
    else:
        print(f"{name}: passed\n  {seen}")


def hint(name: str, level: int = 0) -> None:
    """Hints come in three levels: where to look, what to use, nearly the solution. After a check they are about what it
    found."""
    exercise: Exercise = _named("EXERCISES", name)
    if not 1 <= level <= LEVELS:
        print(f'Three hints are there. Ask for one at a time: lab.hint("{name}", 1), then 2, then 3.')
        if exercise.hints_for:
            print("Run the check first: then they are about what it found.")
        return
    fault = _found.get((current().facts.nn, name), "")
    hints = exercise.hints_for.get(fault, exercise.hints)
    about = " for what the check found" if fault in exercise.hints_for else ""
    print(f"Hint {level} of {LEVELS}{about}: {hints[level - 1]}")


def quiz(name: str, answer: str | None = None) -> None:
    """Print the question; with an answer, whether it is right, and why."""
    question: Question = _named("QUESTIONS", name)
    print(question.text)
    for key, option in question.options.items():
        print(f"  {key}) {option}")
    if answer is None:
        print(f"{name}: {NOT_ATTEMPTED}")
        return
    given = str(answer).strip().lower()
    if given not in question.options:
        print(f"{name}: not yet: {answer!r} is not one of {', '.join(question.options)}")
    elif given == question.right:
        print(f"{name}: passed\n  {question.why[given]}")
    else:
        print(f"{name}: not yet: {question.why[given]}")
