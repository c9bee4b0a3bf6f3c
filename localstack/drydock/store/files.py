"""SQLite files: how they are opened, and what is said where one cannot be used."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from drydock.errors import UserError


def connect(path: Path | None, **given: Any) -> sqlite3.Connection:
    """In WAL with synchronous=NORMAL: a killed process loses nothing that was committed. In memory without a path."""
    db = sqlite3.connect(path or ":memory:", isolation_level=None, **given)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    return db


@contextlib.contextmanager
def usable(what: str) -> Iterator[None]:
    """Around all that opens a file. ``what`` begins the sentence. Raises UserError instead of what SQLite raises."""
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        raise UserError(
            f"{what} cannot be opened: {error}.",
            "Free some space or check its permissions; './lab reset' starts afresh.",
        ) from error


def prepare(db: sqlite3.Connection, what: str, version: int, schema: Sequence[str]) -> None:
    """Make the tables that are not there. Raises UserError for a file of another version."""
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found not in (0, version):
        raise UserError(
            f"{what} was written by another version of Drydock (format {found}).",
            "Use that version, or start afresh with './lab reset'.",
        )
    for statement in (*schema, f"PRAGMA user_version={version}"):
        db.execute(statement)
