"""Where log events are kept: one SQLite file of their own, read and written in worker threads.

Why not in the store: the store keeps every resource in memory; a task that logs may write millions of lines.

One thread writes, so that writes never wait for each other's locks; what arrives while it commits goes into the next
transaction together. An append is acknowledged when its transaction is committed (WAL with synchronous=NORMAL: a killed
process loses nothing acknowledged, a power cut may lose the last moments). Two more threads read.

The threads share Python's interpreter lock with the event loop, and ``sqlite3`` gives the lock up and takes it again
for each *row*; next to a busy loop every row would then wait its turn. So whole batches cross as one JSON text and one
statement: rows are made from it, and gathered into it, inside SQLite, where the lock is not held.

Large deletions go in small transactions between which appends have their turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from drydock.services.logs.model import StreamFacts
from drydock.services.logs.rules import LAST_MOMENT, NewEvent, Position
from drydock.services.logs.windows import Event, Slice, Window, read_slice, scan_window
from drydock.store.files import connect, prepare, usable

T = TypeVar("T")
SCHEMA_VERSION = 1
PURGE_ROWS = 2_000
SCHEMA = (
    # Not the row's own id: SQLite would not use it as the second half of a pair that is looked up in an index.
    "CREATE TABLE IF NOT EXISTS events (number INTEGER NOT NULL, grp INTEGER NOT NULL, stream INTEGER NOT NULL,"
    " ts INTEGER NOT NULL, ingested INTEGER NOT NULL, size INTEGER NOT NULL, message TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_grp ON events (grp, ts, number, size, stream)",
    "CREATE INDEX IF NOT EXISTS by_stream ON events (stream, ts, number, size)",
    "CREATE TABLE IF NOT EXISTS numbers (only INTEGER PRIMARY KEY CHECK (only=1), next INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO numbers VALUES (1, 1)",
    "CREATE TABLE IF NOT EXISTS streams (stream INTEGER PRIMARY KEY, grp INTEGER NOT NULL, first INTEGER NOT NULL,"
    " last INTEGER NOT NULL, ingested INTEGER NOT NULL, stored INTEGER NOT NULL)",
)
INSERT_MANY = (
    "INSERT INTO events (number, grp, stream, ts, ingested, size, message) SELECT ?+key, ?, ?,"
    " json_extract(value, '$[0]'), ?, json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)"
)
INSERT_ONE = "INSERT INTO events (number, grp, stream, ts, ingested, size, message) VALUES (?, ?, ?, ?, ?, ?, ?)"
NOTE_STREAM = (
    "INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (stream) DO UPDATE SET first=min(first, excluded.first),"
    " last=max(last, excluded.last), ingested=max(ingested, excluded.ingested), stored=stored+excluded.stored"
)


@dataclass(frozen=True)
class Batch:
    """Events of one PutLogEvents, in chronological order, at least one."""

    group: int
    stream: int
    ingested: int
    events: list[NewEvent]

    @property
    def facts(self) -> StreamFacts:
        """What they add to what is known of their stream."""
        first, last = self.events[0].timestamp, self.events[-1].timestamp
        return StreamFacts(self.group, first, last, self.ingested, sum(event.size for event in self.events))


class Doomed(NamedTuple):
    """Events to be deleted: all of a stream or group, or those of a group ``before`` a time."""

    of: Literal["stream", "grp"]
    key: int
    before: int | None = None


class EventStore:
    """The events of all accounts. Belongs to one event loop; raises sqlite3.OperationalError if the disk is full."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file. Raises UserError if it cannot be used."""
        self._path = path
        what = f"The file of log events {path}"
        with usable(what):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._connect()
            prepare(self._db, what, SCHEMA_VERSION, SCHEMA)
            rows = self._db.execute("SELECT stream, grp, first, last, ingested, stored FROM streams").fetchall()
        self._facts = {row[0]: StreamFacts(*row[1:]) for row in rows}
        self._stored: dict[int, int] = {}
        for facts in self._facts.values():
            self._stored[facts.group] = self._stored.get(facts.group, 0) + facts.stored
        self._waiting: list[tuple[Batch, asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._doomed: deque[Doomed] = deque()
        self._purging = False
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._writing = ThreadPoolExecutor(1, "log-writer")
        self._reading = ThreadPoolExecutor(2, "log-reader")

    def _connect(self) -> sqlite3.Connection:
        # Each connection is used by one thread at a time; which one is our affair, and close() comes from the loop's.
        return connect(self._path, check_same_thread=False, timeout=30.0)

    # --- what is known without reading ---

    def facts(self, stream: int) -> StreamFacts | None:
        """Of a stream; None if it never had an event."""
        return self._facts.get(stream)

    def streams(self) -> Collection[int]:
        """The keys of those that have had an event."""
        return self._facts.keys()

    def stored(self, group: int) -> int:
        """Bytes of a group's events."""
        return self._stored.get(group, 0)

    @property
    def discarding(self) -> bool:
        """Whether events of what was deleted may still be on the disk."""
        return bool(self._doomed)

    # --- writing ---

    async def append(self, batch: Batch) -> None:
        """Store a batch; it is committed when this returns."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append((batch, future))
        if self._flusher is None or self._flusher.done():
            # A task of its own: if the caller is cancelled, those who wait with it must still get their answer.
            self._flusher = loop.create_task(self._flush(), name="log-events-flush")
        await future

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken, self._waiting = self._waiting, []
            try:
                await loop.run_in_executor(self._writing, self._insert, [batch for batch, _ in taken])
            except BaseException as error:
                for _, future in taken:
                    if not future.done():
                        future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                continue
            for batch, future in taken:
                self._note(batch)
                if not future.done():
                    future.set_result(None)

    def _note(self, batch: Batch) -> None:
        if any(doomed.before is None and doomed.key in (batch.stream, batch.group) for doomed in self._doomed):
            return  # deleted while this was being written; the purge, which waits behind it, takes the rows
        new, known = batch.facts, self._facts.get(batch.stream)
        self._stored[batch.group] = self._stored.get(batch.group, 0) + new.stored
        if known is None:
            self._facts[batch.stream] = new
        else:
            known.first, known.last = min(known.first, new.first), max(known.last, new.last)
            known.ingested, known.stored = max(known.ingested, new.ingested), known.stored + new.stored

    def _insert(self, batches: list[Batch]) -> None:
        with self._transaction():
            (number,) = self._db.execute("SELECT next FROM numbers").fetchone()
            for batch in batches:
                if len(batch.events) == 1:
                    self._insert_each(number, batch)
                else:
                    self._insert_many(number, batch)
                number += len(batch.events)
                facts = batch.facts
                row = (batch.stream, batch.group, facts.first, facts.last, facts.ingested, facts.stored)
                self._db.execute(NOTE_STREAM, row)
            self._db.execute("UPDATE numbers SET next=?", (number,))

    def _insert_each(self, number: int, batch: Batch) -> None:
        for event, (time_, size, message) in enumerate(batch.events, number):
            row = (event, batch.group, batch.stream, time_, batch.ingested, size, message)
            self._db.execute(INSERT_ONE, row)

    def _insert_many(self, number: int, batch: Batch) -> None:
        body = msgspec.json.encode(batch.events)
        if b"\\u0000" in body:  # SQLite's JSON functions end a text there
            self._insert_each(number, batch)
        else:
            self._db.execute(INSERT_MANY, (number, batch.group, batch.stream, batch.ingested, body.decode()))

    @contextlib.contextmanager
    def _transaction(self) -> Any:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.OperationalError):  # SQLite has rolled back by itself
                self._db.execute("ROLLBACK")
            raise

    # --- deleting ---

    def discard(self, of: Literal["stream", "grp"], key: int) -> None:
        """Forget a stream's or a group's events; they leave the disk in :meth:`purge`, or after the next start."""
        for stream in [key] if of == "stream" else [s for s, facts in self._facts.items() if facts.group == key]:
            facts = self._facts.pop(stream, None)
            if facts is not None:
                self._stored[facts.group] -= facts.stored
        if of == "grp":
            self._stored.pop(key, None)
        self._doomed.append(Doomed(of, key))

    def expire(self, group: int, before: int) -> None:
        """Have the events of a group before a time (milliseconds) deleted in :meth:`purge`."""
        self._doomed.append(Doomed("grp", group, before))

    def retain(self, streams: Iterable[int]) -> None:
        """Discard what belongs to none of these: a crash came between the deletion of a stream and of its events."""
        known = set(streams)
        for stream in [key for key in self._facts if key not in known]:
            self.discard("stream", stream)

    async def purge(self) -> None:
        """Delete what was discarded or has expired, a little at a time."""
        if self._purging:
            return
        self._purging = True
        try:
            while self._doomed:
                doomed = self._doomed[0]
                loop = asyncio.get_running_loop()
                done, freed = await loop.run_in_executor(self._writing, self._purge_some, doomed)
                for stream, size in freed.items():
                    if doomed.before is not None and (facts := self._facts.get(stream)) is not None:
                        facts.stored -= size
                        self._stored[facts.group] -= size
                if done and self._doomed and self._doomed[0] is doomed:  # clear() may have come between
                    self._doomed.popleft()
        finally:
            self._purging = False

    def _purge_some(self, doomed: Doomed) -> tuple[bool, dict[int, int]]:
        """Delete some events; whether all are gone, and the bytes that each stream lost."""
        limit = LAST_MOMENT + 1 if doomed.before is None else doomed.before
        some = f"SELECT rowid FROM events WHERE {doomed.of}=? AND ts<? ORDER BY ts, number LIMIT {PURGE_ROWS}"
        with self._transaction():
            freed = self._db.execute(
                f"SELECT stream, sum(size) FROM events WHERE rowid IN ({some}) GROUP BY stream",
                (doomed.key, limit),
            ).fetchall()
            gone = self._db.execute(f"DELETE FROM events WHERE rowid IN ({some})", (doomed.key, limit)).rowcount
            done = gone < PURGE_ROWS
            if doomed.before is None and done:
                self._db.execute(f"DELETE FROM streams WHERE {doomed.of}=?", (doomed.key,))
            else:
                self._db.executemany("UPDATE streams SET stored=stored-? WHERE stream=?", [(n, s) for s, n in freed])
        return done, dict(freed)

    async def clear(self) -> None:
        """Delete everything, also what is being written just now."""
        if self._flusher is not None:
            await asyncio.wait([self._flusher])
        await asyncio.get_running_loop().run_in_executor(self._writing, self._clear)
        self._facts.clear()
        self._stored.clear()
        self._doomed.clear()

    def _clear(self) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM events")
            self._db.execute("DELETE FROM streams")
        self._db.execute("VACUUM")  # give the disk back: quick, as nothing is left to be moved

    # --- reading ---

    async def slice(self, window: Window, forward: bool, rows: int, size: int) -> Slice:
        """See :func:`~drydock.services.logs.windows.read_slice`."""
        return await self._read(lambda db: read_slice(db, window, forward, rows, size))

    async def scan(
        self,
        window: Window,
        forward: bool,
        rows: int,
        size: int,
        matches: Callable[[str], bool] | None,
        needle: str,
        streams: Collection[int] | None,
    ) -> Slice:
        """See :func:`~drydock.services.logs.windows.scan_window`."""
        return await self._read(lambda db: scan_window(db, window, forward, rows, size, matches, needle, streams))

    async def event(self, stream: int, position: Position) -> Event | None:
        """The event at a position of a stream."""
        query = "SELECT ts, number, stream, ingested, message FROM events WHERE stream=? AND ts=? AND number=?"
        row = await self._read(lambda db: db.execute(query, (stream, *position)).fetchone())
        return None if row is None else Event(*row)

    async def aside(self, work: Callable[[], T]) -> T:
        """Do something in a reading thread that would keep the loop for tens of milliseconds."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, work)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            db: sqlite3.Connection | None = getattr(self._local, "db", None)
            if db is None:
                db = self._local.db = self._connect()
                self._readers.append(db)
            return work(db)

        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    def close(self) -> None:
        """Wait for the threads and close the file."""
        self._writing.shutdown()
        self._reading.shutdown()
        for db in (*self._readers, self._db):
            db.close()
