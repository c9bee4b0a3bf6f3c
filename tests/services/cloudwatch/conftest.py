"""A CloudWatch whose metrics the test gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.cloudwatch.alarm_lab import AlarmLab


@pytest.fixture
def lab(tmp_path: Path) -> AlarmLab:
    return AlarmLab(tmp_path)
