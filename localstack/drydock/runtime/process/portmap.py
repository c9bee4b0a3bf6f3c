"""Which real port of the loopback stands for a task's port in the plain tier.

``<run>/ports/<address>`` has a line ``<port> <real port>`` for each bind that the injected ``sitecustomize`` rewrote; the
last one counts. Programs of all tasks read them too, to find each other.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


def find(run: str, addresses: Sequence[str], port: int) -> int | None:
    for address in addresses:
        path = f"{run}/ports/{address}"
        if not os.path.exists(path):
            continue
        with open(path, encoding="ascii") as lines:
            found = [int(real) for wanted, real in map(str.split, lines) if int(wanted) == port]
        if found:
            return found[-1]
    return None


def forget(run: str, addresses: Sequence[str]) -> None:
    for address in addresses:
        if os.path.exists(f"{run}/ports/{address}"):
            os.unlink(f"{run}/ports/{address}")
