"""./lab up: the emulator and JupyterLab together, until Ctrl-C ends everything."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, environment
from tests.emulator_process import EmulatorProcess, wait_until
from tests.robustness import machine
from tests.services.ecs.story import Story, marked_sleep, processes

NOTEBOOK = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A small one, so that the learner's copy is not made in ours."""
    root = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    shutil.copytree(ROOT / "localstack" / "drydock", root / "localstack" / "drydock", ignore=ignored)
    (root / "labs").mkdir()
    (root / "notebooks").mkdir()
    (root / "notebooks" / "00_first.ipynb").write_text(NOTEBOOK)
    shutil.copy(ROOT / "lab", root / "lab")
    yield root


def test_both_answer_and_ctrl_c_ends_both(checkout: Path, tmp_path: Path) -> None:
    pytest.importorskip("jupyterlab")
    state = tmp_path / "state"
    output = (tmp_path / "out").open("wb")
    command = [sys.executable, "-m", "drydock", "up", "--no-browser", "--port", "0", "--state", str(state)]
    command += ["--jupyter-port", str(machine.free_port()), "--speed", "100"]
    up = subprocess.Popen(command, env=environment(checkout, HOME=str(tmp_path)), stdout=output, stderr=output,
                          stdin=subprocess.DEVNULL, start_new_session=True)  # fmt: skip

    def told() -> str:
        return (tmp_path / "out").read_text()

    def urls() -> re.Match[str] | None:
        assert up.poll() is None, told()
        return re.search(r"Emulator +(\S+)\nNotebooks +(\S+)\n", told())

    try:
        found = wait_until(urls, "it says where both are", told, patience=60)
        with urllib.request.urlopen(f"{found[1]}/_drydock/health", timeout=10) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(found[2], timeout=20) as answer:
            assert answer.status == 200
            assert b"JupyterLab" in answer.read()
        assert (os.geteuid() == 0) == ("--allow-root" in told())
        assert (checkout / "work" / "00_first.ipynb").read_text() == NOTEBOOK
        running = EmulatorProcess(state)
        running.url = found[1]
        story = Story(running.client, "000000000000")
        sleep, marker = marked_sleep()
        story.until(story.run(story.register({"command": sleep})))
        assert len(processes(marker)) == 1
        below = machine.descendants(up.pid)
        up.send_signal(signal.SIGINT)
        assert up.wait(30) == 0, told()
    finally:
        if up.poll() is None:
            up.terminate()
            up.wait(30)
        output.close()
    wait_until(lambda: not machine.alive(below), "all processes have ended",
               lambda: [machine.command_line(pid) for pid, _ in machine.alive(below)], patience=5)  # fmt: skip
    assert processes(marker) == []
    assert machine.mounts(state) == set()
    assert "Traceback" not in told()


def test_a_port_that_is_taken_is_said_once(checkout: Path, tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "first") as first:
        port = first.url.rpartition(":")[2]
        done = subprocess.run(
            [sys.executable, "-m", "drydock", "up", "--no-browser", "--port", port, "--state", str(tmp_path / "second")],
            env=environment(checkout), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"Port {port} is already in use by " in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_learner_wrote_is_never_overwritten(checkout: Path) -> None:
    from drydock.cli.working_copy import refresh

    work = checkout / "work"
    source = checkout / "notebooks" / "00_first.ipynb"
    assert list(refresh(checkout, work)) == []
    source.write_text(NOTEBOOK + " ")
    assert list(refresh(checkout, work)) == []
    assert (work / source.name).read_text() == NOTEBOOK + " ", "an untouched copy follows the course"
    (work / source.name).write_text("mine")
    assert list(refresh(checkout, work)) == []
    source.write_text(NOTEBOOK + "  ")
    (line,) = refresh(checkout, work)
    assert "00_first.new.ipynb" in line
    assert (work / source.name).read_text() == "mine"
    assert (work / "00_first.new.ipynb").read_text() == NOTEBOOK + "  "
    assert list(refresh(checkout, work)) == [], "said once"
