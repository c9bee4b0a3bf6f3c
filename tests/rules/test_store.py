"""The store: what is in memory, what is in the file, and what a kill leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from drydock.errors import UserError
from drydock.store import Scope, Store
from drydock.store.store import SCHEMA_VERSION, Change
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emulator_process import ROOT

HERE, THERE = Scope("111111111111", "us-east-1"), Scope("222222222222", "us-east-1")


@dataclass
class Thing:
    value: int = 0
    words: list[str] = field(default_factory=list)


def things(store: Store) -> dict[Scope, list[tuple[str, int]]]:
    found: dict[Scope, list[tuple[str, int]]] = {}
    for scope, name, thing in store.collection(Thing, "tests", "thing").all():
        found.setdefault(scope, []).append((name, thing.value))
    return found


def test_put_get_list_delete() -> None:
    store = Store(None)
    collection = store.collection(Thing, "tests", "thing")
    assert collection.get(HERE, "a") is None
    first = Thing(1)
    collection.put(HERE, "b", first)
    collection.put(HERE, "a", Thing(2))
    collection.put(THERE, "b", Thing(3))
    assert collection.get(HERE, "b") is first
    assert collection.names(HERE) == ["b", "a"] and [one.value for one in collection.of(HERE)] == [1, 2]
    assert collection.get(Scope(HERE.account, "eu-west-1"), "b") is None
    collection.delete(HERE, "b")
    collection.delete(HERE, "never there")
    assert collection.names(HERE) == ["a"] and collection.names(THERE) == ["b"]
    assert store.collection(Thing, "tests", "thing") is collection
    store.clear(HERE.account)
    assert things(store) == {THERE: [("b", 3)]}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "delete", "commit", "reopen", "clear")),
        st.sampled_from((HERE, THERE)),
        st.sampled_from("abcde"),
        st.integers(0, 9),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_the_file_says_what_memory_says(steps: list[tuple[str, Scope, str, int]]) -> None:
    """Also the order, also of what was deleted and made again within one transaction."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        store = Store(path)
        naive: dict[Scope, dict[str, int]] = {}
        for step, scope, name, value in steps:
            collection = store.collection(Thing, "tests", "thing")
            if step == "put":
                collection.put(scope, name, Thing(value))
                naive.setdefault(scope, {})[name] = value
            elif step == "delete":
                collection.delete(scope, name)
                naive.get(scope, {}).pop(name, None)
            elif step == "clear":
                store.clear(scope.account)
                naive.pop(scope, None)
            elif step == "commit":
                store.commit()
            else:
                store.close()
                store = Store(path)
            expected = {scope: list(items.items()) for scope, items in naive.items() if items}
            assert things(store) == expected
        store.close()
        again = Store(path)
        assert things(again) == expected if steps else things(again) == {}
        again.close()


def test_what_controllers_change_is_written_when_the_turn_of_the_loop_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = Store(tmp_path / "state.db")
        collection = store.collection(Thing, "tests", "thing")
        other = sqlite3.connect(tmp_path / "state.db")
        count = "SELECT count(*) FROM resources"
        collection.put(HERE, "a", Thing(1))
        collection.put(HERE, "b", Thing(1))
        assert other.execute(count).fetchone() == (0,)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert other.execute(count).fetchone() == (2,)
        collection.delete(HERE, "a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert other.execute(count).fetchone() == (1,)
        other.close()
        store.close()

    asyncio.run(scenario())


def test_a_commit_that_fails_loses_nothing(tmp_path: Path) -> None:
    """The disk is full: the change stays marked and is written when there is room again."""
    store = Store(tmp_path / "state.db")
    collection = store.collection(Thing, "tests", "thing")
    collection.put(HERE, "kept", Thing(1))
    store.commit()
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages}")
    collection.put(HERE, "large", Thing(2, ["x" * 1000] * 1000))
    collection.delete(HERE, "kept")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.commit()
    rows = sqlite3.connect(tmp_path / "state.db").execute("SELECT name FROM resources").fetchall()
    assert rows == [("kept",)], "half a transaction was written"
    store._db.execute("PRAGMA max_page_count=1000000")
    store.commit()
    store.close()
    assert Store(tmp_path / "state.db").collection(Thing, "tests", "thing").names(HERE) == ["large"]


def test_watch_gives_each_changed_resource_once() -> None:
    async def scenario() -> list[Change]:
        store = Store(None)
        collection = store.collection(Thing, "tests", "thing")
        collection.put(HERE, "old", Thing())
        watch = collection.watch()
        late = collection.watch(include_existing=False)
        for _ in range(5):
            collection.put(HERE, "busy", Thing())
        collection.put(HERE, "short", Thing())
        collection.delete(HERE, "short")
        seen = []

        async def follow() -> None:
            async for change in watch:
                seen.append(change)

        task = asyncio.create_task(follow())
        await asyncio.sleep(0)
        assert [change.name for change in seen] == ["old", "busy", "short"]
        collection.put(THERE, "woken", Thing())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        assert (await anext(aiter(late))).name == "busy"
        return seen

    seen = asyncio.run(scenario())
    assert seen[-1] == Change(THERE, "woken") and len(seen) == 4


WRITER = """
import sys
from dataclasses import dataclass, field
from pathlib import Path
from drydock.store import Scope, Store

@dataclass
class Thing:
    value: int = 0
    words: list[str] = field(default_factory=list)

HERE = Scope("111111111111", "us-east-1")
store = Store(Path(sys.argv[1]))
things = store.collection(Thing, "tests", "thing")
number = len(things.of(HERE))
while True:
    number += 1
    things.put(HERE, f"thing {number}", Thing(number, ["word"] * 50))
    if number % 3 == 0:
        things.put(HERE, f"thing {number - 1}", Thing(-number))
    store.commit()
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 333])
def test_kill_9_loses_nothing_that_was_committed(tmp_path: Path, after: int) -> None:
    path = tmp_path / "state.db"
    for round_ in range(2):
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}/localstack"}
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert writer.stdout is not None
        told = 0
        for line in writer.stdout:
            told = int(line)
            if told >= after * (round_ + 1):
                break
        os.kill(writer.pid, signal.SIGKILL)
        writer.stdout.close()
        writer.wait()
        store = Store(path)
        kept = store.collection(Thing, "tests", "thing").names(HERE)
        assert len(kept) >= told
        assert kept == [f"thing {number}" for number in range(1, len(kept) + 1)]
        store.close()


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    Store(path).close()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    other.close()
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"another version of Drydock \(format 2\).*reset"):
        Store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database, but it is long enough to be looked at" * 50])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be opened"):
        Store(path)
    assert path.read_bytes() == content
