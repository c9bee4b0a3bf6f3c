"""Why the scheduler did that: bars and numbers in the picture, sentences in the text."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from labkit.scheduler_story import Bar, Told, _marks, svg, text_twin, told_by

_SVG = "{http://www.w3.org/2000/svg}"
BARS = [
    Bar("task aaaaaaaa...", "us-east-1a", 1.0, 5.0, 20.0, "Host EC2 (instance i-1) terminated."),
    Bar("task bbbbbbbb...", "us-east-1b", 22.0, None, None),
]
EVENTS = [Told(0.0, "has started 1 tasks."), Told(12.0, "has reached a steady state."), Told(22.0, "has <started>.")]


def test_the_text_has_events_with_numbers_and_ends_with_reasons_in_their_order() -> None:
    assert text_twin(BARS, EVENTS).split("\n") == [
        "  1      0 s  has started 1 tasks.",
        "  2     12 s  has reached a steady state.",
        "         20 s  task aaaaaaaa... stopped: Host EC2 (instance i-1) terminated.".replace("  ", " ", 1),
        "  3     22 s  has <started>.",
    ]


def test_the_picture_is_well_formed_and_says_the_same() -> None:
    made = svg(BARS, EVENTS, "t")
    picture = ET.fromstring(made)  # noqa: S314 (ours)
    texts = [element.text for element in picture.iter(f"{_SVG}text")]
    assert texts == ["1", "2", "3", "task aaaaaaaa... in us-east-1a", "×", "task bbbbbbbb... in us-east-1b"]
    assert picture.attrib["aria-label"].split() == text_twin(BARS, EVENTS).split()
    assert svg(BARS, EVENTS, "t") == made


def test_nothing_yet_is_a_picture_too() -> None:
    assert ET.fromstring(svg([], [], "t")) is not None  # noqa: S314 (ours)
    assert text_twin([], []) == ""


def test_numbers_that_would_touch_are_one() -> None:
    assert [label for _, label in _marks([0, 5, 10, 50, 100, 110])] == ["1-3", "4", "5-6"]


def test_long_ids_are_cut_in_events() -> None:
    message = "(service web) has started 1 tasks: (task 1993c1cda3865a5ac799fae0cccf67b4)."
    [event] = told_by({"events": [{"message": message}]})
    assert event["message"] == "(service web) has started 1 tasks: (task 1993c1cd...)."
