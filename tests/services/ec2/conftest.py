"""Fixtures for the tests of instances: an account's yard of machines in the shared emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess
from tests.services.ec2.yard import Yard


@pytest.fixture
def yard(emulator: EmulatorProcess, aws: Callable[..., Any], account: str) -> Yard:
    """Skips where no machine can run."""
    runtime = emulator.get("/_drydock/status")["runtime"]
    if runtime["tier"] != "namespaces":
        pytest.skip(f"no namespaces tier here: {runtime['reason']}")
    return Yard(aws, account)
