"""Is a person looking on? If so, live progress and HTML; if not (build, nbval, papermill), only what is settled, as text.

nbval ignores ``clear_output`` and ``update_display``, so what is shown step by step could not be compared.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def ipython() -> Any:
    """The running IPython shell, or None."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None


def person_is_there() -> bool:
    """``LAB_BATCH=1`` (or 0) decides; else a front end that could be asked something has a person before it, which
    notebook runners never are (they execute with ``allow_stdin`` off)."""
    told = os.environ.get("LAB_BATCH")
    if told is not None:
        return told in ("", "0")
    shell = ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdout.isatty()


def display(html: str, text: str) -> None:
    """HTML for a person in a notebook, its text twin beside it; else the text alone."""
    if ipython() is not None and person_is_there():
        from IPython.display import display as show

        show({"text/html": html, "text/plain": text}, raw=True)  # type: ignore[no-untyped-call]
    else:
        print(text)


class LiveLine:
    """One line that changes while a person looks on; without one, nothing until :meth:`settle`."""

    def __init__(self) -> None:
        self._live = person_is_there()
        self._width = 0

    def update(self, text: str) -> None:
        """Show how things are just now."""
        if self._live:
            self._write(text, "")

    def settle(self, text: str) -> None:
        """Show how they ended."""
        if self._live:
            self._write(text, "\n")
        else:
            print(text)

    def _write(self, text: str, end: str) -> None:
        sys.stdout.write("\r" + text.ljust(self._width) + end)
        sys.stdout.flush()
        self._width = len(text)
