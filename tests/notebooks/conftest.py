"""One emulator for all notebook tests of a worker; each test has the chapter's account as on the first day.

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

from tests.notebooks.kernels import over_unix_sockets

over_unix_sockets()
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Its log is kept in build/, for a red run."""
    log = ROOT / "build" / f"emulator-notebooks-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}.log"
    with running(ROOT, account_of("99"), keep_log=log, tier="auto") as started:
        yield started


@pytest.fixture(autouse=True)
def one_worker_for_each_chapter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Fails if xdist_group has no effect (which a new version of pytest once took from it)."""
    group, worker = request.node.get_closest_marker("xdist_group"), os.environ.get("PYTEST_XDIST_WORKER")
    if group is not None and worker:
        first = tmp_path_factory.getbasetemp().parent / f"runs-{group.args[0]}"
        with contextlib.suppress(FileExistsError), first.open("x") as file:
            file.write(worker)
        assert first.read_text() == worker, "a chapter runs in two workers: xdist_group has no effect"


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
