"""labkit in this process, on an account of the test's own; nobody looks on unless a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from labkit import chapter, sessions

from tests.emulator_process import ROOT, EmulatorProcess


@pytest.fixture
def lab_environment(
    emulator: EmulatorProcess, account: str, aws: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EmulatorProcess]:
    """What ``./lab up`` sets for a notebook."""
    monkeypatch.setenv("LAB_TARGET", "drydock")  # set, so that what a test makes of it is undone
    for name in ("LAB_AWS_ACCOUNT", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    monkeypatch.setenv("LAB_ACCOUNT", account)
    monkeypatch.setenv("LAB_BATCH", "1")
    monkeypatch.setenv("LAB_ROOT", str(ROOT))
    monkeypatch.setenv("DRYDOCK_STATE", str(tmp_path))
    yield emulator
    sessions.tag_with("")
    chapter._begun.clear()
