"""Cells that a target cannot run say so."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from labkit import skipping
from labkit.errors import LabError


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    made = SimpleNamespace(input_transformers_cleanup=[])
    monkeypatch.setattr(skipping, "ipython", lambda: made)
    return made


def _transformed(shell: SimpleNamespace, text: str) -> str:
    lines = text.splitlines(keepends=True)
    for transform in shell.input_transformers_cleanup:
        lines = transform(lines)
    return "".join(lines)


def test_a_cell_prints_the_reason_instead(shell: SimpleNamespace) -> None:
    skipping.skip_from_here("no instances 'here'")
    assert _transformed(shell, "print(1)\nraise ValueError\n") == "print(\"Skipped: no instances 'here'\")\n"


@pytest.mark.parametrize("text", ["", "here = lab.begin('10')\n", "lab.quiz('q', answer)\n", "lab.diagram([])\n"])
def test_what_runs_anywhere_is_run(shell: SimpleNamespace, text: str) -> None:
    skipping.skip_from_here("no")
    assert _transformed(shell, text) == text


def test_the_next_begin_runs_cells_again(shell: SimpleNamespace) -> None:
    skipping.skip_from_here("no")
    skipping.skip_from_here("no, again")
    assert len(shell.input_transformers_cleanup) == 1
    skipping.run_everything()
    assert _transformed(shell, "print(1)\n") == "print(1)\n"


def test_outside_of_a_notebook_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skipping, "ipython", lambda: None)
    with pytest.raises(LabError, match="no instances"):
        skipping.skip_from_here("no instances")
