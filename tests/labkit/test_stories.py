"""The events of a service as a story: the picture and its text twin say the same."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from labkit import story
from labkit.stories import shortened, svg, told

_SVG = "{http://www.w3.org/2000/svg}"
BEGAN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
TASK = "0123456789abcdef0123456789abcdef"
EVENTS = [  # as AWS returns them, the newest first
    {"createdAt": BEGAN + timedelta(seconds=41.2), "message": "(service web) has reached a steady state."},
    {"createdAt": BEGAN, "message": f"(service web) has started 5 tasks: {' '.join([f'(task {TASK})'] * 5)}."},
]


def test_it_begins_with_the_oldest_and_keeps_a_task_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    story(EVENTS)
    assert capsys.readouterr().out.split("\n") == [
        "(service web) has started 5 tasks: (task 01234567...) (task 01234567...) (task 01234567...)",
        "  (task 01234567...) (task 01234567...).",
        "(service web) has reached a steady state.",
        "",
    ]


def test_times_are_seconds_since_the_first_event(capsys: pytest.CaptureFixture[str]) -> None:
    story(EVENTS, times=True)
    lines = capsys.readouterr().out.split("\n")
    assert lines[0].startswith(" +0 s  (service web) has started") and lines[-2].startswith("+41 s  (service web) has")


def test_without_events_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    story([])
    assert capsys.readouterr().out == "(no events)\n"
    ET.fromstring(svg([]))  # noqa: S314 (ours)


def test_ids_are_cut_and_a_sentence_keeps_one_end() -> None:
    message = "(service web) rolling back to deployment ecs-svc/1234567890123456789."
    assert shortened(message) == "(service web) rolling back to deployment ecs-svc/12345678..."


def test_the_picture_has_a_dot_for_each_event_and_says_the_same() -> None:
    lines = told(EVENTS, times=True)
    picture = ET.fromstring(svg(lines))  # noqa: S314 (ours)
    assert [dot.attrib["fill"] for dot in picture.iter(f"{_SVG}circle")] == ["#2e7d32", "#3b6ea5"]
    said = " ".join(element.text or "" for element in picture.iter(f"{_SVG}text")).split()
    assert said == " ".join(f"{when} {what}" for when, what in lines).split()
    assert svg(lines) == svg(lines)
