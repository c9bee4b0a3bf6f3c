"""``./lab build [NN ...] [--check]``."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.builder.emulator import EmulatorFailed, account_of, running
from labkit.builder.execution import ExecutionFailed, execute, machine_traces, printed
from labkit.builder.source import Source, SourceError, chapters, notebook, read
from labkit.exercises import NOT_ATTEMPTED

FOLDERS = {False: "notebooks", True: "solutions"}


def build(root: Path, chapters_wanted: list[str], check: bool = False) -> int:
    """Build the notebooks of the chapters (none named: all), or with ``check`` only say what is out of date.

    Answers with the exit status: 0, or 1 if something is wrong, which is printed.
    """
    try:
        sources = [read(folder) for folder in chapters(root, chapters_wanted)]
        faults = _orphans(root) if check and not chapters_wanted else []
        for source in sources:
            for solved in (False, True):
                if check:
                    faults += drift(root, source, solved)
                else:
                    _write(root, source, solved)
    except (SourceError, EmulatorFailed, ExecutionFailed) as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    for fault in faults:
        print(f"build: {fault}", file=sys.stderr)
    return int(bool(faults))


def place(root: Path, source: Source, solved: bool) -> Path:
    """Where a notebook is."""
    return root / FOLDERS[solved] / f"{source.slug}.ipynb"


def _write(root: Path, source: Source, solved: bool) -> None:
    made = built(root, source, solved)
    file = place(root, source, solved)
    file.parent.mkdir(exist_ok=True)
    file.write_text(as_text(made), "utf-8")
    print(f"built {file.relative_to(root)}")


def built(root: Path, source: Source, solved: bool) -> NotebookNode:
    """A notebook, executed on an emulator of its own, and looked at. Raises ExecutionFailed, EmulatorFailed."""
    made = notebook(source, solved)
    with running(root, account_of(source.nn)) as emulator:
        execute(made, emulator)
        faults = unfinished(made) + machine_traces(made, emulator) + unexpected_verdicts(made, solved)
    if faults:
        raise ExecutionFailed(f"{source.slug} ({FOLDERS[solved]}):\n  " + "\n  ".join(faults))
    return made


def as_text(made: NotebookNode) -> str:
    """The file's content: sorted keys, so that it depends on the notebook only."""
    return str(nbformat.writes(made, indent=1, sort_keys=True, ensure_ascii=False)) + "\n"  # type: ignore[no-untyped-call]


def drift(root: Path, source: Source, solved: bool) -> list[str]:
    """What is not as a build of today's source would make it (outputs apart), or was never executed."""
    file = place(root, source, solved)
    name = file.relative_to(root)
    remedy = f"run ./lab build {source.nn}"
    try:
        there: NotebookNode = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
    except FileNotFoundError:
        return [f"{name} is missing: {remedy}"]
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        return [f"{name} is no notebook ({type(error).__name__}): {remedy}"]
    wanted = notebook(source, solved)
    faults = []
    if there.metadata.get("drydock") != wanted.metadata["drydock"]:
        faults.append(f"{name} was built from another {source.folder.name}/: {remedy}")
    if [_identity(cell) for cell in there.cells] != [_identity(cell) for cell in wanted.cells]:
        faults.append(f"{name} has other cells than its source: edit {source.slug}/lab.py, then {remedy}")
    return faults + [f"{name}: {fault}" for fault in unfinished(there)]


def _identity(cell: NotebookNode) -> tuple[str, str, str, tuple[str, ...]]:
    return cell.id, cell.cell_type, cell.source, tuple(cell.metadata.get("tags", []))


def unfinished(made: NotebookNode) -> list[str]:
    """Cells that were not executed, or failed."""
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    faults = [f"cell {cell.id!r} was not executed" for cell in code if cell.execution_count is None]
    return faults + [
        f"cell {cell.id!r} failed: {output['ename']}: {output['evalue']}"
        for cell in code
        for output in cell.outputs
        if output["output_type"] == "error"
    ]


def unexpected_verdicts(made: NotebookNode, solved: bool) -> list[str]:
    """In the solution every check says passed, in the learner's copy not attempted yet."""
    wanted = ": passed" if solved else f": {NOT_ATTEMPTED}"
    return [
        f"cell {cell.id!r} should say '{wanted[2:]}', and says: {printed(cell)}"
        for cell in made.cells
        if {"check", "quiz"} & set(cell.metadata.get("tags", [])) and wanted not in printed(cell)
    ]


def _orphans(root: Path) -> list[str]:
    """Notebooks that no chapter makes."""
    known = {f"{folder.name}.ipynb" for folder in chapters(root, [])}
    return [
        f"{file.relative_to(root)} has no source in labs/: delete it"
        for folder in FOLDERS.values()
        for file in sorted((root / folder).glob("*.ipynb"))
        if file.name not in known
    ]
