"""Where buckets are kept: one SQLite file, read and written in the event loop's thread.

Few rows are touched at a time: a minute of an account is some hundred. What comes in is gathered in memory and written
in one transaction, before the answer to PutMetricData goes out, or some seconds later for what the emulator's own
services measure (a row of each metric lies in a page of its own: the more of them at once, the less is written). A
reader sees both. WAL with synchronous=NORMAL: a killed process loses nothing acknowledged.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from drydock.services.cloudwatch.model import Metric
from drydock.services.cloudwatch.periods import COARSER, KEPT, due, overdue
from drydock.services.cloudwatch.samples import Bucket, bucket_from
from drydock.store import Scope
from drydock.store.files import connect, prepare, usable

log = logging.getLogger(__name__)
SCHEMA_VERSION = 1
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL,"
    " namespace TEXT NOT NULL, name TEXT NOT NULL, dimensions TEXT NOT NULL, active REAL NOT NULL,"
    " UNIQUE (account, region, namespace, name, dimensions))",
    "CREATE TABLE IF NOT EXISTS points (series INTEGER NOT NULL, resolution INTEGER NOT NULL, at INTEGER NOT NULL,"
    " unit TEXT NOT NULL, count REAL NOT NULL, total REAL NOT NULL, smallest REAL NOT NULL, largest REAL NOT NULL,"
    " spread TEXT, PRIMARY KEY (series, resolution, at, unit)) WITHOUT ROWID",
)
COLUMNS = "count, total, smallest, largest, spread"
PLACES = "(?,?,?,?,?,?,?,?,?)"
WHERE = "series=? AND resolution=? AND at=? AND unit=?"
MOST_WAITING = 5_000
"""Buckets gathered in memory before they are written whatever the time"""


@dataclass(slots=True)
class Known:
    """A metric that has, or had, data. ``active``: when data last came in, in lab seconds."""

    key: int
    active: float


Key = tuple[int, int, int, str]
"""(series, resolution, beginning, unit)"""


class Points:
    """The data of all accounts. Raises sqlite3.OperationalError if the disk is full."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file. Raises UserError if it cannot be used."""
        what = f"The file of metrics {path}"
        with usable(what):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = connect(path)
            prepare(self._db, what, SCHEMA_VERSION, SCHEMA)
            rows = self._db.execute(
                "SELECT id, account, region, namespace, name, dimensions, active FROM series"
            ).fetchall()
        self._known: dict[Scope, dict[Metric, Known]] = defaultdict(dict)
        self._next = 1
        for key, account, region, namespace, name, dimensions, active in rows:
            found = Metric(namespace, name, tuple((one, value) for one, value in json.loads(dimensions)))
            self._known[Scope(account, region)][found] = Known(key, active)
            self._next = max(self._next, key + 1)
        self._waiting: dict[Key, Bucket] = {}
        self._waiting_of: dict[int, set[Key]] = defaultdict(set)
        self._fresh: dict[int, tuple[Scope, Metric, Known]] = {}
        """Series whose row is to be written"""
        self._due: dict[str, float] = {}
        """By account: when the oldest of its data has to be rolled up"""

    # --- what there is ---

    def metrics(self, scope: Scope) -> dict[Metric, Known]:
        """Those of an account and region; not to be changed."""
        return self._known.get(scope, {})

    @property
    def waiting(self) -> int:
        """Buckets not written yet."""
        return len(self._waiting)

    # --- writing ---

    def add(
        self, scope: Scope, metric: Metric, unit: str, resolution: int, at: int, bucket: Bucket, now: float
    ) -> None:
        """Take samples into the bucket that begins at ``at``."""
        known = self._known[scope].get(metric)
        if known is None:
            known = self._known[scope][metric] = Known(self._next, now)
            self._next += 1
            self._fresh[known.key] = (scope, metric, known)
        elif now - known.active >= 60:
            known.active = now
            self._fresh[known.key] = (scope, metric, known)
        key = (known.key, resolution, at, unit)
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = Bucket()
            self._waiting_of[known.key].add(key)
        waiting.add(bucket)
        if scope.account in self._due:
            self._due[scope.account] = min(self._due[scope.account], due(at, resolution))
        if len(self._waiting) > MOST_WAITING:
            self.write()

    def write(self) -> None:
        """Everything that waits, in one transaction."""
        if not self._waiting and not self._fresh:
            return
        with self._transaction():
            for scope, metric, known in self._fresh.values():
                self._db.execute(
                    "INSERT INTO series VALUES (?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET active=excluded.active",
                    (known.key, *scope, metric.namespace, metric.name, json.dumps(metric.dimensions), known.active),
                )
            self._merge(self._waiting)
        self._waiting.clear()
        self._waiting_of.clear()
        self._fresh.clear()

    def _merge(self, buckets: dict[Key, Bucket]) -> None:
        """Add to what is kept. Most are new: only those that are not are read."""
        rows = [(*key, *_numbers(bucket)) for key, bucket in buckets.items() if bucket.count]
        for row in rows:
            if self._db.execute(f"INSERT INTO points VALUES {PLACES} ON CONFLICT DO NOTHING", row).rowcount:
                continue
            key = row[:4]
            kept = self._db.execute(f"SELECT {COLUMNS} FROM points WHERE {WHERE}", key).fetchone()
            whole = bucket_from(*kept)
            whole.add(buckets[key])
            self._db.execute(f"INSERT OR REPLACE INTO points VALUES {PLACES}", (*key, *_numbers(whole)))

    # --- reading ---

    def read(
        self, known: Known, resolutions: tuple[int, ...], start: float, end: float, unit: str | None, raw: bool
    ) -> Iterator[tuple[int, str, Bucket]]:
        """(beginning, unit, samples) from ``start`` to before ``end``, in no order; ``raw``: with every value."""
        spread = "spread" if raw else "NULL"
        for resolution in resolutions:
            rows = self._db.execute(
                f"SELECT at, unit, count, total, smallest, largest, {spread} FROM points"
                " WHERE series=? AND resolution=? AND at>=? AND at<?",
                (known.key, resolution, math.ceil(start), math.ceil(end)),
            )
            for at, kept_unit, *numbers in rows:
                if unit in (None, kept_unit):
                    yield at, kept_unit, bucket_from(*numbers)
        for key in self._waiting_of.get(known.key, ()):
            _, resolution, at, kept_unit = key
            if resolution in resolutions and start <= at < end and unit in (None, kept_unit):
                yield at, kept_unit, self._waiting[key]

    # --- ageing ---

    def age(self, account: str, now: float) -> None:
        """Roll up what is too old for its resolution, and forget what is too old altogether; nearly free if nothing is."""
        if now < self._due.get(account, -math.inf):
            return
        self.write()
        with self._transaction():
            for resolution in KEPT:
                self._roll_up(account, resolution, overdue(now, resolution))
        self._due[account] = self._next_due(account)
        self._forget_empty(account)

    def _roll_up(self, account: str, resolution: int, before: float) -> None:
        mine = "series IN (SELECT id FROM series WHERE account=?)"
        bounds = (account, resolution, before)
        coarser = COARSER.get(resolution)
        if coarser is not None:
            rows = self._db.execute(
                f"SELECT series, at, unit, {COLUMNS} FROM points WHERE {mine} AND resolution=? AND at<?", bounds
            ).fetchall()
            sums: dict[Key, Bucket] = defaultdict(Bucket)
            for series, at, unit, *numbers in rows:
                sums[series, coarser, at // coarser * coarser, unit].add(bucket_from(*numbers))
            self._merge(sums)
        self._db.execute(f"DELETE FROM points WHERE {mine} AND resolution=? AND at<?", bounds)

    def _next_due(self, account: str) -> float:
        found = math.inf
        for resolution in KEPT:  # the inner query looks at one row of the index
            (oldest,) = self._db.execute(
                "SELECT min((SELECT min(at) FROM points WHERE series=series.id AND resolution=?)) FROM series WHERE account=?",
                (resolution, account),
            ).fetchone()
            if oldest is not None:
                found = min(found, due(oldest, resolution))
        return found

    def _forget_empty(self, account: str) -> None:
        """Metrics of which no data is left are gone."""
        rows = self._db.execute(
            "SELECT id FROM series WHERE account=? AND NOT EXISTS (SELECT 1 FROM points WHERE series=series.id)",
            (account,),
        ).fetchall()
        gone = {key for (key,) in rows}
        if gone:
            self._db.executemany("DELETE FROM series WHERE id=?", rows)
            for scope, metrics in self._known.items():
                if scope.account == account:
                    for metric in [metric for metric, known in metrics.items() if known.key in gone]:
                        del metrics[metric]

    # --- the end ---

    def clear(self, account: str | None) -> None:
        """Forget everything of an account, or of all."""
        for scope in [scope for scope in self._known if account in (None, scope.account)]:
            for known in self._known.pop(scope).values():
                for key in self._waiting_of.pop(known.key, ()):
                    del self._waiting[key]
                self._fresh.pop(known.key, None)
        self._due.pop(account, None) if account else self._due.clear()
        with self._transaction():
            if account is None:
                self._db.execute("DELETE FROM points")
                self._db.execute("DELETE FROM series")
            else:
                self._db.execute(
                    "DELETE FROM points WHERE series IN (SELECT id FROM series WHERE account=?)", (account,)
                )
                self._db.execute("DELETE FROM series WHERE account=?", (account,))

    def close(self) -> None:
        """Write what waits and close the file."""
        self.write()
        self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.OperationalError):  # SQLite has rolled back by itself
                self._db.execute("ROLLBACK")
            raise


def _numbers(bucket: Bucket) -> tuple[float, float, float, float, str | None]:
    return bucket.count, bucket.total, bucket.smallest, bucket.largest, bucket.spread


def by_period(points: Iterable[tuple[int, str, Bucket]], start: float, period: int) -> dict[tuple[float, str], Bucket]:
    """Samples of each period, counted from ``start``, by (beginning, unit)."""
    found: dict[tuple[float, str], Bucket] = defaultdict(Bucket)
    for at, unit, bucket in points:
        found[start + (at - start) // period * period, unit].add(bucket)
    return found
