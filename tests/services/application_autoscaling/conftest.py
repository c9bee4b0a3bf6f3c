"""Fixtures: a service of ECS to scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.services.ecs.yard import Yard


@pytest.fixture
def yard(aws: Callable[..., Any], account: str) -> Yard:
    """A story with services."""
    return Yard(aws, account)
