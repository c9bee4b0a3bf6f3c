"""The lab clock, as the learner sees it.

On the emulator an account has a clock of its own. It runs as fast as the one on the wall, faster while somebody waits
(a *lease*), and AWS's timestamps are read off it. On AWS and LocalStack the lab clock is simply the clock.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from labkit import target as targets
from labkit.errors import LabError
from labkit.sessions import session
from labkit.target import Target

LEASE_SECONDS = 15.0
"""Real seconds after which a lease ends by itself, if the notebook that took it was killed"""
RENEW_EVERY = 5.0

_accounts: dict[tuple[str, str], str] = {}


def account_of(target: Target) -> str:
    """The account that the session's credentials belong to."""
    key = (target.endpoint, target.access_key)
    if target.name == "aws" or key not in _accounts:
        _accounts[key] = str(session().client("sts").get_caller_identity()["Account"])
    return _accounts[key]


def read(target: Target) -> dict[str, Any]:
    """``now`` (seconds since 1970), ``speed`` and ``leases`` of the account's clock."""
    if not target.is_drydock:
        return {"now": datetime.now(UTC).timestamp(), "speed": 1.0, "leases": 0}
    answer: dict[str, Any] = target.ask(f"/_drydock/clock?account={account_of(target)}")
    return answer


def now() -> datetime:
    """Lab time, as AWS's timestamps show it. On AWS simply now."""
    return datetime.fromtimestamp(read(targets.current())["now"], UTC)


def clock(advance: float | None = None) -> None:
    """Print what the lab clock shows; ``advance`` moves it forward by so many seconds first (emulator only)."""
    target = targets.current()
    if not target.is_drydock:
        said = "" if advance is None else " It cannot be moved here."
        print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, the clock on the wall.{said}")
        return
    if advance is not None:
        target.ask("/_drydock/clock", {"account": account_of(target), "advance": advance})
    told = read(target)
    shown = datetime.fromtimestamp(told["now"], UTC)
    print(f"{shown:%Y-%m-%d %H:%M:%S} UTC lab time, running at {told['speed']:g}x")


class Lease:
    """While it is held, the account's clock runs at ``speed``. Renewed in the background, given back on leaving, and over
    by itself soon after the notebook was killed."""

    def __init__(self, target: Target, speed: float) -> None:
        self._target, self._speed = target, speed
        self._name = f"labkit-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._over = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="lab clock lease", daemon=True)

    def __enter__(self) -> Lease:
        if self._target.is_drydock:
            self._take()
            self._renewing.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._target.is_drydock:
            self._over.set()
            self._renewing.join()
            self._target.ask("/_drydock/clock", {"account": account_of(self._target), "release": self._name})

    def _take(self) -> None:
        self._target.ask(
            "/_drydock/clock",
            {"account": account_of(self._target), "lease": self._name, "speed": self._speed, "seconds": LEASE_SECONDS},
        )

    def _renew(self) -> None:
        while not self._over.wait(RENEW_EVERY):
            try:
                self._take()
            except LabError:  # the emulator is gone; the cell that waits meets that too, and says it
                return


@contextmanager
def fast(speed: float = 60) -> Iterator[None]:
    """``with fast(60):`` a minute of lab time goes by in a second. On AWS nothing changes."""
    with Lease(targets.current(), speed):
        yield
