"""Reads ``lab.py`` (py:percent) and makes the cells of both notebooks from it.

A cell may be named in its marker (``# %% id="first-task" tags=["exercise"]``); else its id is a hash of the chapter and
its text, so that it stays the same as long as the text does. Between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` the
learner's copy has a stub, which sets to None what the solution assigns and a later line reads: then the cells below run,
and the check says "not attempted yet".
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext  # type: ignore[import-untyped]
import nbformat
from nbformat import NotebookNode

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = "# Your code here"
TAGS = frozenset({"setup", "parameters", "exercise", "check", "hint", "quiz", "measured"})
NBVAL_IGNORE = "nbval-ignore-output"
"""The tag by which nbval knows what we call ``measured``"""
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SourceError(Exception):
    """``lab.py`` is not as it must be; the message says where and what."""


@dataclass(frozen=True)
class Source:
    """A chapter's source as it was read."""

    folder: Path
    cells: tuple[NotebookNode, ...]
    digest: str

    @property
    def slug(self) -> str:
        """``00_start_here``"""
        return self.folder.name

    @property
    def nn(self) -> str:
        """``00``"""
        return self.slug[:2]


def chapters(root: Path, wanted: list[str]) -> list[Path]:
    """The folders of the chapters, all or those wanted (``00``). Raises SourceError for one that there is not."""
    found = sorted(path.parent for path in (root / "labs").glob("[0-9][0-9]_*/lab.py"))
    missing = [nn for nn in wanted if not any(folder.name.startswith(f"{nn}_") for folder in found)]
    if missing:
        raise SourceError(f"There is no chapter {', '.join(missing)} in {root / 'labs'}.")
    return [folder for folder in found if not wanted or folder.name[:2] in wanted]


def digest_of(folder: Path) -> str:
    """Of everything in the chapter's folder, by name and content."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            name = file.relative_to(folder).as_posix().encode()
            content = file.read_bytes()
            digest.update(b"%d:%s%d:" % (len(name), name, len(content)) + content)
    return digest.hexdigest()


def read(folder: Path) -> Source:
    """Raises SourceError."""
    notebook = jupytext.reads((folder / "lab.py").read_text("utf-8"), fmt="py:percent")
    cells = tuple(cell for cell in notebook.cells if cell.source.strip())
    source = Source(folder, cells, digest_of(folder))
    seen: set[str] = set()
    for cell, identifier in zip(cells, _ids(source), strict=True):
        tags = set(cell.metadata.get("tags", []))
        where = f"{source.slug}, cell {identifier!r}"
        if unknown := tags - TAGS:
            raise SourceError(
                f"{where}: unknown tags {', '.join(sorted(unknown))}; there are {', '.join(sorted(TAGS))}."
            )
        if identifier in seen or not _ID.fullmatch(identifier):
            raise SourceError(f"{where}: the id is there twice, or is none that Jupyter takes.")
        seen.add(identifier)
        if "measured" in tags and not re.search(r"^\s*assert\b", cell.source, re.MULTILINE):
            raise SourceError(f"{where}: a measured cell must assert something about what it shows.")
        if cell.source.count(BEGIN) != cell.source.count(END):
            raise SourceError(f"{where}: {BEGIN} and {END} do not match.")
    return source


def _ids(source: Source) -> Iterator[str]:
    given: dict[str, int] = {}
    for cell in source.cells:
        named = cell.metadata.get("id")
        if named:
            yield str(named)
            continue
        text = f"{source.nn}|{cell.cell_type}|{cell.source}"
        given[text] = given.get(text, 0) + 1
        yield hashlib.sha256(f"{text}|{given[text]}".encode()).hexdigest()[:12]


def notebook(source: Source, solved: bool) -> NotebookNode:
    """The learner's notebook or the solved one, not executed yet."""
    cells = []
    for number, (cell, identifier) in enumerate(zip(source.cells, _ids(source), strict=True)):
        tags = list(cell.metadata.get("tags", []))
        if "measured" in tags:
            tags.append(NBVAL_IGNORE)
        later = "\n".join(other.source for other in source.cells[number + 1 :] if other.cell_type == "code")
        text = without_markers(cell.source) if solved else stubbed(cell.source, later)
        make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        metadata: dict[str, Any] = {"tags": tags} if tags else {}
        cells.append(make(text, id=identifier, metadata=metadata))  # type: ignore[no-untyped-call]
    made: NotebookNode = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=cells,
        metadata={
            "drydock": {"chapter": source.nn, "solved": solved, "source_sha256": source.digest},
            "kernelspec": dict(KERNEL),
            "language_info": dict(LANGUAGE),
        },
    )
    return made


def without_markers(text: str) -> str:
    """The solution as it is, the two markers gone."""
    return "\n".join(line for line in text.split("\n") if line.strip() not in (BEGIN, END))


def stubbed(text: str, later: str) -> str:
    """The learner's copy of a cell; ``later`` is the code of the cells below it."""
    rest = without_markers(text.rpartition(END)[2] + "\n" + later)
    kept: list[str] = []
    solution: list[str] | None = None
    for line in text.split("\n"):
        if line.strip() == BEGIN:
            solution = []
        elif line.strip() == END:
            names = [name for name in _assigned("\n".join(solution or [])) if re.search(rf"\b{name}\b", rest)]
            kept += [STUB, *(f"{name} = None  # your answer instead of None" for name in names)]
            solution = None
        elif solution is not None:
            solution.append(line)
        else:
            kept.append(line)
    return "\n".join(kept)


def _assigned(code: str) -> list[str]:
    """The names that code binds at its top level by assignment, in order; imports and functions are not among them."""
    names: dict[str, None] = {}
    for statement in ast.parse(code).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            for node in ast.walk(target):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names[node.id] = None
    return list(names)
