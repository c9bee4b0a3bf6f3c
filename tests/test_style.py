"""The checks that need no emulator: style, types, layers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.emulator_process import ROOT

TOOLS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
    "import-linter": ["importlinter"],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_finds_nothing(tool: str) -> None:
    module, *arguments = TOOLS[tool]
    command = [sys.executable, "-m", module, *arguments]
    if tool == "import-linter":  # has no __main__
        command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "localstack"), "COLUMNS": "200"}
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
