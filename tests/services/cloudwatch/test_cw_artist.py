"""The child process that draws: one for pictures in a row, another after it has ended, and none left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from drydock.services.cloudwatch import artist
from drydock.services.cloudwatch.artist import Artist

TOLD: dict[str, Any] = {
    "width": 120, "height": 80, "title": "", "view": "singleValue", "stacked": False, "start": 0, "end": 60, "theme": "light",
    "legend": "bottom", "sparkline": False, "left": {}, "right": {}, "offset": 0, "horizontal": [], "vertical": [],
    "series": [{"label": "a", "points": [[0, 1.0]], "period": 60, "color": None, "axis": "left"}],
}  # fmt: skip


def test_a_child_draws_until_nothing_more_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(artist, "LINGERS", 60.0)
        drawing = Artist()
        first, second = await asyncio.gather(drawing.draw(TOLD), drawing.draw(TOLD))
        assert first == second and first.startswith(b"\x89PNG")
        child = drawing._process
        assert child is not None and child.returncode is None
        with pytest.raises(RuntimeError, match="could not be drawn"):
            await drawing.draw({**TOLD, "view": "nonsense"})
        assert drawing._process is None and await child.wait() is not None
        monkeypatch.setattr(artist, "LINGERS", 0.0)
        assert await drawing.draw(TOLD) == first
        child = drawing._process
        assert child is not None
        assert await child.wait() == 0  # dismissed, it ends by itself
        await drawing.stop()

    asyncio.run(story())


def test_a_child_that_is_killed_is_replaced() -> None:
    async def story() -> None:
        drawing = Artist()
        await drawing.draw(TOLD)
        assert drawing._process is not None
        drawing._process.kill()
        await drawing._process.wait()
        assert (await drawing.draw(TOLD)).startswith(b"\x89PNG")
        child = drawing._process
        await drawing.stop()
        assert child.returncode is not None

    asyncio.run(story())
