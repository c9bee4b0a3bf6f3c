"""Ids are derived, not drawn: hash(seed, account, parent, kind, ordinal).

With a seed they repeat from run to run, also under concurrency, because the ordinal counts within the parent (the third
task of a service is the third task of that service, whatever else happens meanwhile). Without one the state folder
draws a seed of its own when it is made. The counters are kept in the store, so no id is ever given twice.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

from drydock.store import Scope, Store

_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass
class Counter:
    """How many ids of one kind a parent has given out."""

    given: int = 0


class Ids:
    """Derives ids for one emulator; ``seed`` is part of every one of them."""

    def __init__(self, store: Store, seed: str) -> None:
        self._seed = seed
        self._counters = store.collection(Counter, "drydock", "id-counter")

    def digest(self, scope: Scope, kind: str, parent: str = "") -> bytes:
        """32 bytes for the next id of ``kind`` under ``parent`` (any string that names it, e.g. an ARN)."""
        name = f"{kind}|{parent}"
        counter = self._counters.get(scope, name) or Counter()
        counter.given += 1
        self._counters.put(scope, name, counter)
        return hashlib.sha256("|".join((self._seed, *scope, name, str(counter.given))).encode()).digest()

    def hexadecimal(self, scope: Scope, kind: str, parent: str = "", length: int = 32) -> str:
        """Hexadecimal digits (at most 64), as in a task's ARN."""
        return self.digest(scope, kind, parent).hex()[:length]

    def uuid(self, scope: Scope, kind: str, parent: str = "") -> str:
        """A version 4 UUID by its looks."""
        return str(uuid.UUID(bytes=self.digest(scope, kind, parent)[:16], version=4))

    def alphanumeric(self, scope: Scope, kind: str, parent: str = "", length: int = 16) -> str:
        """Upper-case letters and digits, as in IAM's unique ids (``AROA...``)."""
        number = int.from_bytes(self.digest(scope, kind, parent), "big")
        out = []
        for _ in range(length):
            number, rest = divmod(number, len(_ALPHANUMERIC))
            out.append(_ALPHANUMERIC[rest])
        return "".join(out)
