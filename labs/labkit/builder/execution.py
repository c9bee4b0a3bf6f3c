"""Executes a notebook on an emulator, and brings its outputs into the one form that repeats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from labkit.builder.emulator import Emulator
from labkit.builder.source import LANGUAGE

CELL_TAKES = 180
"""Real seconds; both nbclient's and papermill's own limits are bad (none at all)"""


class ExecutionFailed(Exception):
    """A cell failed; the message has it and its error."""


def execute(notebook: NotebookNode, emulator: Emulator, account: str | None = None) -> NotebookNode:
    """Run every cell from the first to the last, in a fresh kernel. Raises ExecutionFailed."""
    folder = emulator.state / "notebook"
    folder.mkdir(parents=True, exist_ok=True)
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=CELL_TAKES, startup_timeout=60, record_timing=False,
        allow_errors=False, coalesce_streams=True, extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    try:
        client.execute(env=emulator.environment(account), cwd=str(folder))
    except CellExecutionError as error:
        raise ExecutionFailed(f"{error.ename}: {error.evalue}\n{error.traceback}") from error
    normalise(notebook)
    return notebook


def normalise(notebook: NotebookNode) -> None:
    """What a kernel adds and no reader needs goes; pieces of one stream become one."""
    notebook.metadata["language_info"] = dict(LANGUAGE)  # without the version of this machine's Python
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
            cell.metadata.pop("execution", None)


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if output.output_type == "stream" and last is not None and last.get("name") == output.get("name"):
            last.text += output.text
        else:
            joined.append(output)
    return joined


def text_of(output: Any) -> str:
    """What an output shows as text."""
    if output["output_type"] == "stream":
        return str(output["text"])
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return "\n".join(str(value) for value in output.get("data", {}).values())


def printed(cell: NotebookNode) -> str:
    """Everything that a cell printed."""
    return "".join(text_of(output) for output in cell.get("outputs", []))


def machine_traces(notebook: NotebookNode, emulator: Emulator) -> list[str]:
    """Cells whose output names a path or an address of this machine only."""
    port = emulator.url.rpartition(":")[2]
    traces = [str(emulator.root), str(emulator.state), str(Path.home()) + "/", f":{port}"]
    return [
        f"cell {cell.id!r} shows {trace!r}, which is this machine's"
        for cell in notebook.cells
        if cell.cell_type == "code"
        for trace in traces
        if trace in printed(cell)
    ]
