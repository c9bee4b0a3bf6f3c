"""The journal: every request that changed moto's state, in order, with what is needed to repeat it exactly.

An SQLite file (WAL, synchronous=NORMAL). A row is written after the request was executed and before its answer goes
out, so what was acknowledged is in it. Bodies over 1 MB lie beside it as files named by their hash.

Rows are only deleted when a snapshot that covers them has been loaded successfully (:meth:`Journal.forget`).
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drydock.moto_backend.rules import LARGE_BODY

FORMAT = "1"


@dataclass
class Entry:
    """A request as it was executed, or the reset of an account (``operation`` "")."""

    account: str
    now: float = 0.0
    service: str = ""
    operation: str = ""
    method: str = ""
    url: str = ""
    region: str = ""
    headers: list[list[str]] = field(default_factory=list)
    body: bytes = b""
    seed: str = ""
    ordinal: int = 0
    keys: list[str] = field(default_factory=list)
    status: int = 0
    digest: str = ""
    position: int = 0

    @property
    def is_reset(self) -> bool:
        """Whether it is the reset of an account."""
        return not self.operation


class Journal:
    """One state folder's journal."""

    def __init__(self, folder: Path) -> None:
        self._bodies = folder / "bodies"
        self._bodies.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "journal.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS entries (position INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL,"
            " now REAL NOT NULL, head TEXT NOT NULL, body BLOB NOT NULL, body_hash TEXT NOT NULL)"
        )

    def meta(self, name: str, fresh: str) -> str:
        """A fact about the journal, which is ``fresh`` if it was not yet written down."""
        self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, fresh))
        return str(self._db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()[0])

    @property
    def position(self) -> int:
        """The position of the newest entry there ever was, 0 before the first."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name='entries'").fetchone()
        return int(row[0]) if row else 0

    def append(self, entry: Entry) -> int:
        """Write an entry down for good; returns its position. Raises OSError or sqlite3.Error if that failed."""
        body, body_hash = entry.body, ""
        if len(body) > LARGE_BODY:
            body_hash = hashlib.sha256(body).hexdigest()
            self._keep_body(body_hash, body)
            body = b""
        facts = {
            "service": entry.service, "operation": entry.operation, "method": entry.method, "url": entry.url,
            "region": entry.region, "headers": entry.headers, "seed": entry.seed, "ordinal": entry.ordinal,
            "keys": entry.keys, "status": entry.status, "digest": entry.digest,
        }  # fmt: skip
        cursor = self._db.execute(
            "INSERT INTO entries (account, now, head, body, body_hash) VALUES (?,?,?,?,?)",
            (entry.account, entry.now, json.dumps(facts, separators=(",", ":")), body, body_hash),
        )
        return int(cursor.lastrowid or 0)

    def after(self, position: int) -> Iterator[Entry]:
        """The entries behind a position, oldest first."""
        query = "SELECT position, account, now, head, body, body_hash FROM entries WHERE position>? ORDER BY position"
        for at, account, now, head, body, body_hash in self._db.execute(query, (position,)):
            facts: dict[str, Any] = json.loads(head)
            content = (self._bodies / body_hash).read_bytes() if body_hash else body
            yield Entry(account=account, now=now, body=content, position=at, **facts)

    def forget(self, position: int) -> None:
        """Delete what a snapshot that was loaded covers, and the large bodies nobody refers to any more."""
        self._db.execute("DELETE FROM entries WHERE position<=?", (position,))
        needed = {row[0] for row in self._db.execute("SELECT DISTINCT body_hash FROM entries")}
        for file in self._bodies.iterdir():
            if file.name not in needed:
                file.unlink()

    def clear(self) -> None:
        """Begin afresh: no entries, no facts. Positions go on counting."""
        self.forget(self.position)
        self._db.execute("DELETE FROM meta")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _keep_body(self, name: str, body: bytes) -> None:
        path = self._bodies / name
        if path.exists():
            return
        draft = path.with_suffix(".tmp")
        draft.write_bytes(body)
        os.replace(draft, path)
