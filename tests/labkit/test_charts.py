"""What was measured over time, as a picture and as text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from labkit.charts import chart, svg, text_twin

BEGIN = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def at(*values: object) -> list[tuple[datetime, object]]:
    """One value a minute."""
    return [(BEGIN + timedelta(minutes=number), value) for number, value in enumerate(values)]


def test_the_course_of_a_series_in_text() -> None:
    told = text_twin({"CPU": {"web": at(0.0, 50.0, 100.0, 25.0)}}, "load")
    title, time, panel, line = told.split("\n")
    assert (title, time, panel) == ("load", "from 12:00 to 12:03", "CPU:")
    drawn = re.search(r"\|(.*)\|", line)
    assert drawn and re.sub(" +", " ", drawn[1]) == "▁ ▅ █ ▃"
    assert line.endswith("0 to 100, at last 25")


def test_states_in_text() -> None:
    told = text_twin({"alarms": {"out": at("OK", "ALARM")}, "CPU": {"web": at(1.0)}}, "")
    assert "  out  OK 12:00 -> ALARM 12:01" in told


def test_nothing() -> None:
    assert text_twin({"CPU": {"web": []}}, "load") == "load\nnothing was measured"
    assert "nothing was measured" in svg({"CPU": {"web": []}}, {}, (), "load")


def test_a_constant_zero_is_drawn() -> None:
    assert "0 to 0, at last 0" in text_twin({"CPU": {"web": at(0.0, 0.0)}}, "")
    assert "NaN" not in svg({"CPU": {"web": at(0.0, 0.0)}}, {}, (), "")


def test_the_picture_has_bands_limits_and_steps() -> None:
    panels = {"CPU": {"web": at(1.0, 9.0)}, "tasks": {"running": at(1, 3)}, "alarms": {"out": at("OK", "ALARM", "OK")}}
    drawn = svg(panels, {"CPU": {"scale out": 60}}, ("tasks",), "a <load>")
    assert "a &lt;load&gt;" in drawn and "scale out 60" in drawn
    assert drawn.count("#b3261e") == 3, "the limit, in the legend and in the panel, and the alarm"
    assert re.search(r'd="M60\.0 [\d.]+ H[\d.]+ V[\d.]+ H760"', drawn), "a step, kept to the end"
    assert drawn == svg(panels, {"CPU": {"scale out": 60}}, ("tasks",), "a <load>")


def test_points_are_put_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    chart({"CPU": {"web": at(1.0, 2.0)[::-1]}})
    assert "at last 2" in capsys.readouterr().out
