"""One emulator for all notebook tests of a run; each test has the chapter's account as on the first day.

The emulator has the seed and the epoch with which the notebooks were built, so that the ids in their outputs repeat.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from labkit.builder.emulator import Emulator, account_of, running

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "build" / "notebooks-emulator.log"


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """Its log is kept in build/, for a red run."""
    with running(ROOT, account_of("99"), keep_log=LOG) as started:
        yield started


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return ROOT
