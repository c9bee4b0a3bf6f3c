"""The content store under several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from drydock.images.content import ContentStore


def test_names_given_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    store = ContentStore(tmp_path)
    digest = store.put(b"blob")
    names = [f"name{number}" for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: store.tag(name, digest), names))
    assert [name for name in names if store.tagged(name) != digest] == []


def test_the_same_blob_from_many_threads(tmp_path: Path) -> None:
    store = ContentStore(tmp_path)
    with ThreadPoolExecutor(16) as pool:
        digests = set(pool.map(lambda _: store.put(b"x" * 100_000), range(100)))
    assert [store.read(digest) for digest in digests] == [b"x" * 100_000]
