"""One emulator for all notebook tests of a run; each test has the chapter's account as on the first day.

The emulator has the seed and the epoch with which the notebooks were built, so that the ids in their outputs repeat. Its
containers run in the best tier that this machine has; the notebooks were built in the namespaces tier.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from labkit.builder.emulator import Emulator, account_of, running
from labkit.chapter import facts

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "build" / "notebooks-emulator.log"


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """Its log is kept in build/, for a red run."""
    with running(ROOT, account_of("99"), keep_log=LOG, tier="auto") as started:
        yield started


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return ROOT


def need_namespaces(emulator: Emulator) -> None:
    """Skips, with the machine's reason, where containers run in another tier."""
    status = emulator.ask("/_drydock/status")["runtime"]
    if status["tier"] != "namespaces":
        pytest.skip(f"no namespaces tier here: {status['reason']}")


def need_what_the_chapter_needs(emulator: Emulator, slug: str) -> None:
    """Skips, with the machine's reason, a chapter of EC2 instances where there can be none."""
    if "instances" in facts(slug[:2]).needs:
        need_namespaces(emulator)
