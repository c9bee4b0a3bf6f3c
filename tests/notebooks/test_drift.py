"""The notebooks are what a build of today's source makes, and the check for it notices when they are not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from labkit.builder.main import build


def test_the_notebooks_of_this_checkout_are_up_to_date(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = build(root, [], check=True)
    assert status == 0, capsys.readouterr().err


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A checkout's notebooks and their sources, to be spoiled."""
    for folder in ("labs", "notebooks", "solutions"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "labkit"))
    return tmp_path


def _first_notebook(copy: Path, folder: str = "notebooks") -> Path:
    return sorted((copy / folder).glob("*.ipynb"))[0]


def _spoil(file: Path, change: Callable[[Any], object]) -> None:
    made = nbformat.read(file, as_version=4)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    change(code[1])
    nbformat.write(made, file)


def test_a_copy_is_as_good(copy: Path) -> None:
    assert build(copy, [], check=True) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda cell: cell.update(source=cell.source + "\n1"), "has other cells than its source"),
        (lambda cell: cell.update(execution_count=None), "was not executed"),
        (lambda cell: cell.update(id="another"), "has other cells than its source"),
        (lambda cell: cell.metadata.update(tags=["measured"]), "has other cells than its source"),
        (
            lambda cell: cell.outputs.append(
                nbformat.v4.new_output("error", ename="KeyError", evalue="'x'", traceback=[])
            ),
            "failed: KeyError",
        ),
    ],
    ids=["edited cell", "not executed", "other id", "other tags", "error output"],
)
@pytest.mark.parametrize("folder", ["notebooks", "solutions"])
def test_a_spoilt_notebook_is_noticed(
    copy: Path, capsys: pytest.CaptureFixture[str], folder: str, change: Callable[[Any], object], said: str
) -> None:
    _spoil(_first_notebook(copy, folder), change)
    assert build(copy, [], check=True) == 1
    told = capsys.readouterr().err
    assert said in told and folder in told


def test_a_changed_source_is_noticed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = _first_notebook(copy).stem
    source = copy / "labs" / name / "lab.toml"
    source.write_text(source.read_text() + "\n# another word\n")
    assert build(copy, [name[:2]], check=True) == 1
    assert capsys.readouterr().err.count("was built from another") == 2


def test_a_missing_notebook_is_noticed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _first_notebook(copy, "solutions").unlink()
    assert build(copy, [], check=True) == 1
    assert "is missing" in capsys.readouterr().err


def test_a_file_that_is_no_notebook_is_noticed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _first_notebook(copy).write_text("<<<<<<< HEAD")
    assert build(copy, [], check=True) == 1
    assert "is no notebook" in capsys.readouterr().err


def test_a_notebook_without_a_source_is_noticed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copyfile(_first_notebook(copy), copy / "notebooks" / "98_left_over.ipynb")
    assert build(copy, [], check=True) == 1
    assert "has no source" in capsys.readouterr().err


def test_a_chapter_that_there_is_not_is_said(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(copy, ["97"], check=True) == 1
    assert "no chapter 97" in capsys.readouterr().err


def test_check_changes_nothing(copy: Path) -> None:
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    _ = build(copy, [], check=True)
    assert before == {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
