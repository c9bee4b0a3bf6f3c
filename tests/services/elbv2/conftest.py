"""A story of load balancers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess
from tests.services.elbv2.story import Balanced


@pytest.fixture
def web(emulator: EmulatorProcess, aws: Callable[..., Any], account: str) -> Balanced:
    """Of the test's account."""
    return Balanced(emulator, aws, account)
