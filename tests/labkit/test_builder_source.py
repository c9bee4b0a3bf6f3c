"""From lab.py to cells: stubs, ids, tags, and what the builder refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from labkit.builder.source import STUB, SourceError, digest_of, notebook, read, stubbed, without_markers

ASK = "  # your answer instead of None"
SOLUTION = """before = 1
### BEGIN SOLUTION
helper = {"a": 1}
one, two = run(helper)["x"], 2
for name in names:
    inner = 3
answer: str = "b"
### END SOLUTION
check(answer)"""


def _chapter(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "labs" / "42_the_answer"
    folder.mkdir(parents=True)
    (folder / "lab.py").write_text(text)
    return folder


def test_the_learners_copy_has_a_stub_that_leaves_none_what_later_lines_read() -> None:
    learner = stubbed(SOLUTION, later="print(one)\n")
    assert learner.split("\n") == ["before = 1", STUB, f"one = None{ASK}", f"answer = None{ASK}", "check(answer)"]
    assert "SOLUTION" not in learner and "run(" not in learner


def test_the_solution_is_kept_without_its_markers() -> None:
    solved = without_markers(SOLUTION)
    assert "SOLUTION" not in solved and 'answer: str = "b"' in solved


def test_ids_stay_when_another_cell_is_put_before(tmp_path: Path) -> None:
    text = '# %%\nx = 1\n\n# %%\nx = 1\n\n# %% id="named"\ny = 2\n'
    first = [cell.id for cell in notebook(read(_chapter(tmp_path / "a", text)), solved=True).cells]
    second = [
        cell.id for cell in notebook(read(_chapter(tmp_path / "b", "# %%\nnew = 0\n\n" + text)), solved=True).cells
    ]
    assert len(set(first)) == 3 and first[2] == "named"
    assert second[1:] == first


def test_a_measured_cell_gets_the_tag_that_nbval_knows(tmp_path: Path) -> None:
    made = notebook(read(_chapter(tmp_path, '# %% tags=["measured"]\nassert 1\n')), solved=False)
    assert made.cells[0].metadata.tags == ["measured", "nbval-ignore-output"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('# %% tags=["measured"]\nprint(1)\n', "must assert"),
        ('# %% tags=["mesured"]\nassert 1\n', "unknown tags mesured"),
        ('# %% id="a"\n1\n\n# %% id="a"\n2\n', "there twice"),
        ("# %%\n### BEGIN SOLUTION\n1\n", "do not match"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read(_chapter(tmp_path, text))


def test_the_digest_sees_names_and_contents_of_all_files(tmp_path: Path) -> None:
    folder = _chapter(tmp_path, "# %%\n1\n")
    seen = {digest_of(folder)}
    (folder / "app").mkdir()
    (folder / "app" / "a").write_text("x")
    seen.add(digest_of(folder))
    (folder / "app" / "a").rename(folder / "app" / "b")
    seen.add(digest_of(folder))
    assert len(seen) == 3
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "c.pyc").write_text("x")
    assert digest_of(folder) in seen
