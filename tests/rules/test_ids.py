"""Ids repeat with a seed whatever happens at the same time, and none is given twice."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

from drydock.ids import Ids
from drydock.store import Scope, Store
from hypothesis import given, settings
from hypothesis import strategies as st

HERE = Scope("111111111111", "us-east-1")


async def drawn(order: random.Random, seed: str = "7") -> dict[str, list[str]]:
    """Ids that twenty services draw for their tasks at the same time, in an order of the loop's own."""
    ids = Ids(Store(None), seed)
    found: dict[str, list[str]] = {}

    async def service(name: str) -> None:
        for _ in range(10):
            for _ in range(order.randrange(4)):
                await asyncio.sleep(0)
            found.setdefault(name, []).append(ids.hexadecimal(HERE, "task", name))

    names = [f"service/{number}" for number in range(20)]
    order.shuffle(names)
    await asyncio.gather(*map(service, names))
    return found


def test_the_same_seed_gives_the_same_ids_under_concurrency() -> None:
    one, other = (asyncio.run(drawn(random.Random(number))) for number in (1, 2))
    assert one == other
    every = [id_ for ids in one.values() for id_ in ids]
    assert len(set(every)) == 200
    assert not set(every) & {id_ for ids in asyncio.run(drawn(random.Random(1), "8")).values() for id_ in ids}


TEXT = st.text("ab|/:", max_size=4)
ASKED = st.lists(st.tuples(st.sampled_from((HERE, Scope("222222222222", ""))), TEXT, TEXT), max_size=40)


@settings(max_examples=60, deadline=None)
@given(ASKED)
def test_never_twice(asked: list[tuple[Scope, str, str]]) -> None:
    """Not for other accounts, kinds and parents either, however their names run into each other."""
    ids = Ids(Store(None), "seed")
    given_out = [ids.digest(scope, kind, parent) for scope, kind, parent in asked]
    assert len(set(given_out)) == len(asked)


def test_not_after_a_restart_either(tmp_path: Path) -> None:
    seen: list[str] = []
    for _ in range(3):
        store = Store(tmp_path / "state.db")
        ids = Ids(store, "seed")
        seen += [ids.uuid(HERE, "deployment", "service") for _ in range(5)]
        store.close()
    assert len(set(seen)) == 15
    fresh = Ids(Store(None), "seed")
    assert seen == [fresh.uuid(HERE, "deployment", "service") for _ in range(15)]


def test_forms() -> None:
    ids = Ids(Store(None), "seed")
    assert re.fullmatch("[0-9a-f]{32}", ids.hexadecimal(HERE, "task"))
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", ids.uuid(HERE, "task"))
    assert re.fullmatch("[0-9A-Z]{16}", ids.alphanumeric(HERE, "role"))
