"""Fixtures for the tests of ECS: a story in the shared emulator, and one in each tier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess
from tests.services.ecs.exec_room import Room
from tests.services.ecs.story import Story
from tests.services.ecs.yard import Yard


@pytest.fixture
def story(aws: Callable[..., Any], account: str) -> Story:
    return Story(aws, account)


@pytest.fixture(scope="session")
def plain_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """As ``emulator``, its containers in the plain tier."""
    state = tmp_path_factory.mktemp("plain") / "state"
    with EmulatorProcess(state, "--speed", "100", "--runtime-tier", "plain") as running:
        yield running


@pytest.fixture(params=["namespaces", "plain"])
def tier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tier_emulator(tier: str, request: pytest.FixtureRequest) -> EmulatorProcess:
    """The emulator whose containers run in ``tier``; skips where the machine does not have it."""
    chosen: EmulatorProcess = request.getfixturevalue("plain_emulator" if tier == "plain" else "emulator")
    need(tier, chosen)
    return chosen


@pytest.fixture
def isolated(emulator: EmulatorProcess) -> EmulatorProcess:
    """``emulator``, if its containers have namespaces."""
    need("namespaces", emulator)
    return emulator


def need(tier: str, running: EmulatorProcess) -> None:
    """Skips, with the machine's reason, where containers run in another tier."""
    status = running.get("/_drydock/status")["runtime"]
    if status["tier"] != tier:
        pytest.skip(f"no {tier} tier here: {status['reason']}")


@pytest.fixture
def tier_aws(tier_emulator: EmulatorProcess, account: str) -> Iterator[Callable[..., Any]]:
    """As ``aws``, in both tiers one after the other."""
    clients: dict[Any, Any] = {}

    def client(service: str, **given: Any) -> Any:
        key = (service, tuple(sorted(given.items())))
        if key not in clients:
            clients[key] = tier_emulator.client(service, **({"account": account} | given))
        return clients[key]

    yield client
    faults = tier_emulator.faults()
    tier_emulator.get("/_drydock/reset", {"account": account})
    assert faults == []


@pytest.fixture
def tier_story(tier_aws: Callable[..., Any], account: str) -> Story:
    """As ``story``, in both tiers one after the other."""
    return Story(tier_aws, account)


@pytest.fixture
def room(aws: Callable[..., Any], account: str) -> Room:
    """As ``story``, for ECS Exec."""
    return Room(aws, account)


@pytest.fixture
def tier_room(tier_aws: Callable[..., Any], account: str) -> Room:
    return Room(tier_aws, account)


@pytest.fixture
def yard(aws: Callable[..., Any], account: str) -> Yard:
    """As ``story``, for services."""
    return Yard(aws, account)
