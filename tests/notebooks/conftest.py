"""One emulator for all notebook tests of a run; each test has the chapter's account as on the first day.

The emulator has the seed and the epoch with which the notebooks were built, so that the ids in their outputs repeat. Its
containers run in the best tier that this machine has; the notebooks were built in the namespaces tier.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from labkit.builder.emulator import Emulator, account_of, running
from labkit.chapter import facts

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "build" / "notebooks-emulator.log"


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Its log is kept in build/, for a red run."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        first = tmp_path_factory.getbasetemp().parent / "runs-notebooks"
        with contextlib.suppress(FileExistsError), first.open("x") as file:
            file.write(worker)
        assert first.read_text() == worker, "notebooks run in two workers: xdist_group has no effect"
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
