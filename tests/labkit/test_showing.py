"""Tables, timelines, log lines and pictures, and their text twins."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from labkit import audience, diagram, log_lines, show, timeline
from labkit.drawing import WIDEST, columns, svg, text_twin

BEGAN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
TASK = {
    "createdAt": BEGAN,
    "pullStartedAt": BEGAN + timedelta(seconds=9),
    "startedAt": BEGAN + timedelta(seconds=24.5),
    "stoppedAt": BEGAN + timedelta(seconds=40),
}


@pytest.fixture(autouse=True)
def _nobody_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_BATCH", "1")


def test_a_table_is_aligned_and_says_dash_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"name": "a", "n": 1}, {"name": "longer", "tags": ["x", "y"]}])
    assert capsys.readouterr().out == ("name    n  tags\n------  -  ----\na       1  -\nlonger  -  x, y\n")


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show([], title="tasks")
    assert capsys.readouterr().out == "tasks: none\n"


def test_one_dict_is_shown_member_by_member(capsys: pytest.CaptureFixture[str]) -> None:
    show({"a": 1, "b": BEGAN, "c": 3}, columns=["b", "a", "d"])
    assert capsys.readouterr().out == "b  2026-01-05 09:00:00\na  1\nd  -\n"


def test_a_timeline_without_times_repeats(capsys: pytest.CaptureFixture[str]) -> None:
    timeline(TASK, times=False)
    assert capsys.readouterr().out == "PROVISIONING -> PENDING -> RUNNING -> STOPPED\n"


def test_a_timeline_says_how_long_each_state_lasted(capsys: pytest.CaptureFixture[str]) -> None:
    timeline(TASK)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["PROVISIONING", "09:00:00", "9.0", "s"],
        ["PENDING", "09:00:09", "15.5", "s"],
        ["RUNNING", "09:00:24", "15.5", "s"],
        ["STOPPED", "09:00:40"],
    ]


def test_log_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log_lines([{"timestamp": int(BEGAN.timestamp() * 1000), "message": "hello\n"}], times=True)
    log_lines([])
    assert capsys.readouterr().out == "09:00:00  hello\n(no lines)\n"


def test_html_is_escaped_and_a_person_gets_it_beside_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []
    monkeypatch.setenv("LAB_BATCH", "0")
    monkeypatch.setattr(audience, "ipython", object)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    show([{"a": "<script>"}])
    assert "&lt;script&gt;" in shown[0]["text/html"] and "<script>" not in shown[0]["text/html"]
    assert "<script>" in shown[0]["text/plain"]


EDGES = [("a", "has", "b"), ("b", "has", "c"), ("x\n<1>", "allows", "c")]


def test_a_box_is_to_the_right_of_what_points_to_it() -> None:
    assert columns(EDGES) == [["a", "x\n<1>"], ["b"], ["c"]]


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        columns([("a", "", "b"), ("b", "", "a")])


def test_the_picture_is_well_formed_and_says_what_the_text_says() -> None:
    picture = ET.fromstring(svg(EDGES, "t"))  # noqa: S314 (ours)
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("has") == 2 and {"a", "b", "c", "x", "<1>", "allows"} <= set(texts)
    assert picture.attrib["aria-label"].split(" --")[0] == "a"
    assert svg(EDGES, "t") == svg(EDGES, "t")


def test_outside_a_notebook_a_diagram_is_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    diagram(EDGES)
    assert capsys.readouterr().out == text_twin(EDGES) + "\n" == "a --has--> b\nb --has--> c\nx <1> --allows--> c\n"


def test_a_wide_picture_is_made_to_fit_a_notebook() -> None:
    """JupyterLab shows an SVG as an image that it cuts off at the window's edge."""
    chain = [f"a box with a long name {number}" for number in range(8)]
    wide = svg([(a, "leads to", b) for a, b in itertools.pairwise(chain)], "wide")
    found = re.search(r'viewBox="0 0 (\d+) (\d+)" width="(\d+)" height="(\d+)"', wide)
    assert found
    width, height, shown_width, shown_height = map(int, found.groups())
    assert width > WIDEST == shown_width
    assert shown_height == pytest.approx(height * WIDEST / width, abs=1)
    small = svg([("a", "is", "b")], "small")
    found = re.search(r'viewBox="0 0 (\d+) (\d+)" width="(\d+)" height="(\d+)"', small)
    assert found and found[1] == found[3] and found[2] == found[4]
