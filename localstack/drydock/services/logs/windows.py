"""Reading events: windows on the events of a stream or a group, and how they are walked through in either direction.

Functions over a connection, for the reading threads of ``events.py``.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

from drydock.services.logs.rules import EVENT_OVERHEAD, LAST_MOMENT, Position

SLICE_ROWS = 10_000
SLICE_BYTES = 4_194_304
SCAN_ROWS = 200_000
SCAN_SECONDS = 0.5
FIRST, LAST = Position(-1, 0), Position(LAST_MOMENT, 0)


class Event(NamedTuple):
    """A stored event; times in milliseconds of lab time."""

    timestamp: int
    number: int
    stream: int
    ingested: int
    message: str

    @property
    def position(self) -> Position:
        """Where it stands in its group and its stream."""
        return Position(self.timestamp, self.number)


@dataclass(frozen=True)
class Window:
    """The events of a stream or a group (its key) strictly between two positions."""

    of: Literal["stream", "grp"]
    key: int
    after: Position = FIRST
    before: Position = LAST

    def rest(self, position: Position, forward: bool) -> Window:
        """What is left of it beyond the event at ``position``."""
        after, before = (position, self.before) if forward else (self.after, position)
        return Window(self.of, self.key, after, before)


class Slice(NamedTuple):
    """Some events of a window, oldest first; ``end`` is the last position looked at, None where nothing is left."""

    events: list[Event]
    end: Position | None


_decode = msgspec.json.Decoder(list[Event]).decode


def read_slice(
    db: sqlite3.Connection,
    window: Window,
    forward: bool,
    rows: int,
    size: int,
    needle: str = "",
    streams: Collection[int] | None = None,
) -> Slice:
    """The first (or last) events of a window: at most ``rows``, and ``size`` bytes unless one alone is larger. Of
    these, only those that contain ``needle`` and belong to one of ``streams`` (None are all) are given back."""
    # Two steps: how many rows make ``size`` bytes is known from the index alone, before any message is touched. Times
    # and numbers are compared as pairs and nothing else, or SQLite does not use the index for the second of them.
    order = "" if forward else "DESC"
    within = f"{window.of}=? AND (ts, number)>(?, ?) AND (ts, number)<(?, ?)"
    scanned, _, time_, number = db.execute(
        "SELECT count(*), max(total), ts, number FROM (SELECT ts, number, size, sum(size) OVER (ORDER BY ts"
        f" {order}, number {order} ROWS UNBOUNDED PRECEDING) AS total FROM (SELECT ts, number, size FROM events WHERE {within}"
        f" ORDER BY ts {order}, number {order} LIMIT ?)) WHERE total<=? OR total=size",
        (window.key, *window.after, *window.before, rows, size),
    ).fetchone()
    if not scanned:
        return Slice([], None)
    after, before = (window.after, (time_, number + 1)) if forward else ((time_, number - 1), window.before)
    among = None if streams is None else msgspec.json.encode(list(streams)).decode()
    (body,) = db.execute(
        "SELECT CAST(json_group_array(json_array(ts, number, stream, ingested, message)) AS BLOB) FROM events"
        f" WHERE {within} AND (?='' OR instr(message, ?)) AND (? IS NULL OR stream IN (SELECT value FROM json_each(?)))",
        (window.key, *after, *before, needle, needle, among, among),
    ).fetchone()
    return Slice(sorted(_decode(body)), Position(time_, number))


def scan_window(
    db: sqlite3.Connection,
    window: Window,
    forward: bool,
    rows: int,
    size: int,
    matches: Callable[[str], bool] | None,
    needle: str,
    streams: Collection[int] | None,
) -> Slice:
    """The first (or last) events of a window that match, in the order of reading. It looks at SCAN_ROWS events and
    for SCAN_SECONDS at most, so there may be none and yet an ``end`` to go on from. What matches contains ``needle``."""
    found: list[Event] = []
    taken, looked_at, deadline = 0, 0, time.monotonic() + SCAN_SECONDS
    step = SLICE_ROWS if matches or streams is not None else min(SLICE_ROWS, rows + 1)
    while looked_at < SCAN_ROWS and time.monotonic() < deadline:
        part = read_slice(db, window, forward, step, SLICE_BYTES, needle, streams)
        if part.end is None:
            return Slice(found, None)
        looked_at += step
        for event in part.events if forward else reversed(part.events):
            if matches is None or matches(event.message):
                weight = len(event.message.encode()) + EVENT_OVERHEAD
                if found and (len(found) == rows or taken + weight > size):
                    return Slice(found, found[-1].position)
                found.append(event)
                taken += weight
            if time.monotonic() > deadline:
                return Slice(found, event.position)
        window = window.rest(part.end, forward)
    more = db.execute(
        f"SELECT EXISTS (SELECT 1 FROM events WHERE {window.of}=? AND (ts, number)>(?, ?) AND (ts, number)<(?, ?))",
        (window.key, *window.after, *window.before),
    ).fetchone()[0]
    return Slice(found, (window.after if forward else window.before) if more else None)
