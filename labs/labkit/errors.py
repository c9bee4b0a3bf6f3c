"""Errors that a person reads: one sentence of what is wrong, one of what to do, and no traceback in a notebook."""

from __future__ import annotations

from typing import Any

from labkit.audience import ipython


class LabError(Exception):
    """Something foreseen that the learner can mend."""

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(f"{wrong} {remedy}")
        self.wrong = wrong
        self.remedy = remedy

    def _render_traceback_(self) -> list[str]:
        """IPython shows this instead of a traceback."""
        return [self.wrong, self.remedy]


class EmulatorDown(LabError):
    """Nothing answers at the endpoint."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(f"The emulator is not running: nothing answers at {endpoint}.", "Start it with ./lab up")


def _tell_connection_failure(shell: Any, kind: Any, error: Any, traceback: Any, tb_offset: Any = None) -> list[str]:
    """IPython's handler for a boto3 call that reached nobody: the same two sentences as labkit's own calls give."""
    told = EmulatorDown(getattr(error, "kwargs", {}).get("endpoint_url", "the endpoint"))
    lines = told._render_traceback_()
    shell._showtraceback(kind, told, lines)
    return lines


def explain_connection_failures() -> None:
    """In a notebook, boto3's own connection errors are told in two sentences too. Elsewhere nothing changes."""
    from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

    shell = ipython()
    if shell is not None:
        shell.set_custom_exc((EndpointConnectionError, ConnectionClosedError), _tell_connection_failure)
