"""A story of tasks, as the tests of ECS tell it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.services.ecs.story import Story


@pytest.fixture
def story(aws: Callable[..., Any], account: str) -> Story:
    """Of the test's account."""
    return Story(aws, account)
