"""Running ``drydock`` as a person would, and what a person must never see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment(root: Path = ROOT, **given: str) -> dict[str, str]:
    """The tests' own, with the packages of a checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DRYDOCK_"))}
    return {**kept, "PYTHONPATH": f"{root}/localstack:{root}/labs", **given}


def drydock(*arguments: str, root: Path = ROOT, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run it to its end; ``before`` is a command to run it under."""
    return subprocess.run(
        [*before, sys.executable, "-m", "drydock", *arguments],
        env=environment(root), capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def said(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """The two sentences of a foreseen error: what is wrong, what to do. Fails if it said anything else."""
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr + done.stdout
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 2, lines
    assert lines[0].startswith("lab: ")
    assert lines[0].endswith("."), "a sentence"
    return lines[0].removeprefix("lab: "), lines[1]
