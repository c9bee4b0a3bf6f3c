"""Shared by all tests: one emulator for each worker, one account for each test, invariants checked after each."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.emulator_process import ROOT, EmulatorProcess

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))  # some tests open thousands of connections
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
    os.environ.pop(name, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``./lab test --all``"""
    parser.addoption("--all", action="store_true", help="also run what is marked 'all' (takes long)")


LONG, SHORT = ("notebooks", "robustness", "clients", "cli"), ("docs", "gateway", "labkit", "rules")
"""Folders of tests that are begun first, and last"""


def _when(item: pytest.Item) -> int:
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    return LONG.index(folder) if folder in LONG else len(LONG) + (folder in SHORT)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked ``all`` is left out of the gate (and counted as deselected). What takes longest is begun first, and
    short tests fill the gaps at the end, so that no worker is left alone with a long one."""
    items.sort(key=_when)
    if config.getoption("--all"):
        return
    long_ones = [item for item in items if item.get_closest_marker("all")]
    config.hook.pytest_deselected(items=long_ones)
    items[:] = [item for item in items if item not in set(long_ones)]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """Shared by the tests of a worker; lab time runs at 100 times real time."""
    state: Path = tmp_path_factory.mktemp("emulator") / "state"
    with EmulatorProcess(state, "--speed", "100", "--test-endpoints") as running:
        yield running
    kept = ROOT / "build"  # a red run leaves the log
    kept.mkdir(exist_ok=True)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    shutil.copyfile(state / "drydock.log", kept / f"emulator-{worker}.log")


@pytest.fixture
def account(request: pytest.FixtureRequest) -> str:
    """An account that no other test uses."""
    return str(int(hashlib.sha256(request.node.nodeid.encode()).hexdigest(), 16) % 10**12).zfill(12)


@pytest.fixture
def aws(emulator: EmulatorProcess, account: str) -> Iterator[Callable[..., Any]]:
    """``aws("ecs")``: a boto3 client of the test's account. Afterwards the invariants are checked, and the account is
    forgotten."""
    clients: dict[Any, Any] = {}

    def client(service: str, **given: Any) -> Any:
        key = (service, tuple(sorted(given.items())))
        if key not in clients:
            clients[key] = emulator.client(service, **({"account": account} | given))
        return clients[key]

    yield client
    faults = emulator.faults()
    emulator.get("/_drydock/reset", {"account": account})
    assert faults == []
