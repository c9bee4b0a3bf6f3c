"""Cells that a target cannot run are skipped, each with the reason in its output.

A chapter on instances says ``needs = ["instances"]`` in its ``lab.toml``. Where none can run (the plain tier, macOS), its
first cell says why, and those below it print that they were skipped. Pictures are drawn and the quiz can be answered all the same.
"""

from __future__ import annotations

import textwrap

from labkit.audience import ipython
from labkit.commands import WIDTH
from labkit.errors import LabError

_RUNS_ANYWHERE = ("lab.begin(", "lab.diagram(", "lab.quiz(")


class _Skip:
    """An input transformer of IPython: the cell's text in, what is run instead out."""

    def __init__(self, reason: str) -> None:
        self._instead = f"print({textwrap.fill(f'Skipped: {reason}', WIDTH)!r})\n"

    def __call__(self, lines: list[str]) -> list[str]:
        text = "".join(lines)
        if not text.strip() or any(call in text for call in _RUNS_ANYWHERE):
            return lines
        return [self._instead]


def skip_from_here(reason: str) -> None:
    """Every cell that is run from now on prints ``Skipped:`` and the reason. Raises LabError outside of a notebook."""
    run_everything()
    shell = ipython()
    if shell is None:
        raise LabError(f"This target cannot run the chapter: {reason}", "Choose another one with LAB_TARGET.")
    shell.input_transformers_cleanup.append(_Skip(reason))


def run_everything() -> None:
    """Cells are run again."""
    shell = ipython()
    if shell is not None:
        kept = [each for each in shell.input_transformers_cleanup if not isinstance(each, _Skip)]
        shell.input_transformers_cleanup[:] = kept
