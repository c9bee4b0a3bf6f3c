"""The store: resources by (account, region, service, kind, name).

Objects are dataclasses kept in memory; a collection of one kind reads its rows when it is first asked for. ``put`` and
``delete`` change memory at once and mark the row; the marked rows are written in one SQLite transaction, either when
the gateway calls :meth:`Store.commit` before it answers, or at the end of the event loop's turn for what controllers
change. So nothing that was acknowledged is lost when our processes are killed (WAL with synchronous=NORMAL: a power
cut may cost the last moments).

There is no roll-back: an operation checks everything first and changes things afterwards.

``watch`` gives the changes of a kind to a controller. A watch holds at most one entry for a resource: a controller is
level-triggered and looks at the resource itself, not at the story of its changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from drydock.store.files import connect, prepare, usable

T = TypeVar("T")
SCHEMA_VERSION = 1
RESOURCES = (
    "CREATE TABLE IF NOT EXISTS resources (service TEXT, kind TEXT, account TEXT, region TEXT, name TEXT,"
    " body BLOB NOT NULL, UNIQUE (service, kind, account, region, name))"
)


class Scope(NamedTuple):
    """Whose resource it is. ``region`` is "" for what is global (IAM)."""

    account: str
    region: str


GLOBAL = ""


class Change(NamedTuple):
    """A resource that was put or deleted; ask the collection which."""

    scope: Scope
    name: str


class Watch:
    """An endless stream of changed keys, each once however often it changed since it was taken."""

    def __init__(self) -> None:
        self._changed: dict[Change, None] = {}
        self._wake = asyncio.Event()

    def notice(self, change: Change) -> None:
        """Called by the collection; also by a controller that wants to look at a resource again."""
        self._changed[change] = None
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[Change]:
        while True:
            while not self._changed:
                self._wake.clear()
                await self._wake.wait()
            change = next(iter(self._changed))
            del self._changed[change]
            yield change


class Collection(Generic[T]):
    """All resources of one kind, of all accounts and regions, in the order in which they were made."""

    def __init__(self, store: Store, kind: type[T], service: str, name: str) -> None:
        self._store = store
        self._type = kind
        self._encode = msgspec.json.Encoder().encode
        self.service, self.kind = service, name
        self._items: dict[Scope, dict[str, T]] = {}
        self._watches: list[Watch] = []
        decode = msgspec.json.Decoder(kind).decode
        for account, region, key, body in store.rows(service, name):
            self._items.setdefault(Scope(account, region), {})[key] = decode(body)

    def get(self, scope: Scope, name: str) -> T | None:
        """The resource, or None."""
        items = self._items.get(scope)
        return items.get(name) if items else None

    def put(self, scope: Scope, name: str, resource: T) -> None:
        """Make it or write its change down. The object stays the caller's to change, with another ``put`` after it."""
        items = self._items.setdefault(scope, {})
        made = name not in items
        items[name] = resource
        self._changed(Change(scope, name), made=made)

    def delete(self, scope: Scope, name: str) -> None:
        """Forget it; nothing happens if there is none."""
        items = self._items.get(scope)
        if items is not None and items.pop(name, None) is not None:
            if not items:
                del self._items[scope]
            self._changed(Change(scope, name), gone=True)

    def of(self, scope: Scope) -> list[T]:
        """Those of one account and region, oldest first."""
        return list(self._items.get(scope, {}).values())

    def names(self, scope: Scope) -> list[str]:
        """Their names, oldest first."""
        return list(self._items.get(scope, {}))

    def all(self) -> Iterator[tuple[Scope, str, T]]:
        """Those of every account and region."""
        for scope, items in list(self._items.items()):
            for name, resource in list(items.items()):
                yield scope, name, resource

    def watch(self, include_existing: bool = True) -> Watch:
        """A stream of changes; with ``include_existing`` it begins with everything there is (a controller's start)."""
        watch = Watch()
        self._watches.append(watch)
        if include_existing:
            for scope, name, _ in self.all():
                watch.notice(Change(scope, name))
        return watch

    def encoded(self, change: Change) -> bytes | None:
        """The row's body as it is to be written, None if it is to go."""
        resource = self.get(*change)
        return None if resource is None else self._encode(resource)

    def clear(self, account: str | None) -> None:
        """Forget everything of one account, or of all."""
        for scope in [s for s in self._items if account in (None, s.account)]:
            for name in list(self._items[scope]):
                self.delete(scope, name)

    def _changed(self, change: Change, made: bool = False, gone: bool = False) -> None:
        self._store.mark(self, change, made, gone)
        for watch in self._watches:
            watch.notice(change)


class Store:
    """All collections over one SQLite file. Belongs to one event loop; not thread-safe."""

    def __init__(self, path: Path | None) -> None:
        """``path`` None keeps everything in memory (tests of rules). Raises UserError if the file cannot be used."""
        what = f"The state file {path}"
        with usable(what):
            self._db = connect(path)
            prepare(self._db, what, SCHEMA_VERSION, (RESOURCES,))
        self._collections: dict[tuple[str, str], Collection[Any]] = {}
        self._dirty: dict[tuple[str, str], dict[Change, bool]] = {}
        """Whether it was deleted since the last commit: made again, it comes after the others"""
        self._scheduled = False

    def collection(self, kind: type[T], service: str, name: str) -> Collection[T]:
        """The one collection of ``service``'s resources called ``name``, whose objects are of type ``kind``."""
        found = self._collections.get((service, name))
        if found is None:
            found = self._collections[service, name] = Collection(self, kind, service, name)
        return found

    def holds(self, service: str) -> bool:
        """Whether anything of a service was written down."""
        return self._db.execute("SELECT 1 FROM resources WHERE service=? LIMIT 1", (service,)).fetchone() is not None

    def rows(self, service: str, kind: str) -> list[tuple[str, str, str, bytes]]:
        """(account, region, name, body) of one kind, oldest first."""
        query = "SELECT account, region, name, body FROM resources WHERE service=? AND kind=? ORDER BY rowid"
        return self._db.execute(query, (service, kind)).fetchall()

    def mark(self, collection: Collection[Any], change: Change, made: bool, gone: bool) -> None:
        """Note a changed row, and see to it that it is written at the end of this turn of the loop."""
        marked = self._dirty.setdefault((collection.service, collection.kind), {})
        was_gone = marked.get(change, False)
        if made:
            marked.pop(change, None)  # what is made again is written in the order of its making
        marked[change] = gone or was_gone
        if not self._scheduled:
            with contextlib.suppress(RuntimeError):  # no loop is running: whoever changes things commits
                asyncio.get_running_loop().call_soon(self.commit)
                self._scheduled = True

    def commit(self) -> None:
        """Write every marked row in one transaction. Raises sqlite3.OperationalError if the disk is full."""
        self._scheduled = False
        if not self._dirty:
            return
        puts, deletes = [], []
        for (service, kind), changes in self._dirty.items():
            collection = self._collections[service, kind]
            for change, gone in changes.items():
                key = (service, kind, *change.scope, change.name)
                body = collection.encoded(change)
                if gone:
                    deletes.append(key)
                if body is not None:
                    puts.append((*key, body))
        self._db.execute("BEGIN")
        try:
            self._db.executemany(
                "DELETE FROM resources WHERE service=? AND kind=? AND account=? AND region=? AND name=?", deletes
            )
            self._db.executemany(
                "INSERT INTO resources VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET body=excluded.body", puts
            )
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.OperationalError):  # SQLite has rolled back by itself
                self._db.execute("ROLLBACK")
            raise
        self._dirty.clear()

    def clear(self, account: str | None = None) -> None:
        """Forget all resources of one account, or of all (reset). Kinds not yet read are deleted too."""
        for collection in self._collections.values():
            collection.clear(account)
        self.commit()
        where = "" if account is None else " WHERE account=?"
        self._db.execute("DELETE FROM resources" + where, () if account is None else (account,))

    def close(self) -> None:
        """Write what is marked and close the file."""
        self.commit()
        self._db.close()
