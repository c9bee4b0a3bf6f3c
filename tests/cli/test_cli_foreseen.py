"""What may go wrong at a start: one sentence of what is wrong, one of what to do."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.cli.commands import ROOT, drydock, said
from tests.emulator_process import EmulatorProcess
from tests.robustness import machine

NEEDED = ["sh", "dirname", "basename", "cmp", "grep", "tail", "cut", "sleep", "rm", "cp", "cat", "env"]


def test_the_port_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        wrong, remedy = said(drydock("serve", "--port", str(port), "--state", str(tmp_path / "s")))
    name = Path(f"/proc/{os.getpid()}/comm").read_text().strip() if Path("/proc").is_dir() else ""
    assert wrong == f"Port {port} is already in use by {name} (pid {os.getpid()})."
    assert "--port" in remedy


def test_a_second_instance_on_the_same_state_folder(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "state") as first:
        wrong, remedy = said(drydock("serve", "--port", "0", "--state", str(first.state)))
        assert first.process is not None
        assert f"(pid {first.process.pid})" in wrong
        assert str(first.state) in wrong
        assert "./lab stop" in remedy
        assert first.get("/_drydock/health")["ready"] is True
        assert first.client("ecs").list_clusters()["clusterArns"] == [], "the first one goes on undisturbed"


def test_no_permission_to_write(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    before: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root writes everywhere, and there is no setpriv (util-linux) to prevent it")
        os.chown(folder, 65534, 65534)
        before = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
    folder.chmod(0o500)
    wrong, remedy = said(drydock("serve", "--port", "0", "--state", str(folder / "state"), before=before))
    assert wrong == f"There is no permission to write to the state folder {folder / 'state'}."
    assert "--state" in remedy


def test_a_state_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("mine")
    wrong, _ = said(drydock("serve", "--port", "0", "--state", str(tmp_path / "state")))
    assert str(tmp_path / "state") in wrong
    assert (tmp_path / "state").read_text() == "mine"


def test_a_state_file_that_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is not a database, but somebody's poem" * 100)
    wrong, remedy = said(drydock("serve", "--port", "0", "--state", str(tmp_path)))
    assert "state.db" in wrong
    assert "./lab reset" in remedy


def test_another_seed(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "state", "--seed", "one"):
        pass
    wrong, _ = said(drydock("serve", "--port", "0", "--state", str(tmp_path / "state"), "--seed", "two"))
    assert "another seed" in wrong


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "going-on"])
def test_a_full_disk_loses_nothing_acknowledged(tiny: Path, killed: bool) -> None:
    """And when there is space again, all is well again, with or without a restart."""
    running = EmulatorProcess(tiny / "state").start()
    ecs = running.client("ecs")
    acknowledged: list[str] = []
    tags = [{"key": f"k{number}", "value": "x" * 250} for number in range(40)]
    for number in range(1000):
        try:
            ecs.create_cluster(clusterName=f"c{number:04}", tags=tags)
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            assert error.response["Error"]["Code"] == "ServiceUnavailable"
            assert "full" in error.response["Error"]["Message"]
            break
        acknowledged.append(f"c{number:04}")
    assert 5 < len(acknowledged) < 999, "the disk was never full"
    if killed:
        running.kill()
    subprocess.run(["mount", "-o", "remount,size=16m", str(tiny)], check=True)
    if killed:
        running.start()
    pages = running.client("ecs").get_paginator("list_clusters").paginate()
    there = {arn.rpartition("/")[2] for page in pages for arn in page["clusterArns"]}
    assert set(acknowledged) <= there
    running.client("ecs").create_cluster(clusterName="after")
    assert running.stop() == 0
    assert "Traceback" not in (tiny / "state" / "serve.out").read_text()


def test_a_full_disk_when_it_is_told_to_end(tiny: Path) -> None:
    running = EmulatorProcess(tiny / "state").start()
    ecs = running.client("ecs")
    tags = [{"key": f"k{number}", "value": "x" * 250} for number in range(40)]
    with pytest.raises(ClientError):
        for number in range(1000):
            ecs.create_cluster(clusterName=f"c{number:04}", tags=tags)
    assert running.process is not None
    below = machine.descendants(running.process.pid)
    assert running.stop() == 1
    assert machine.alive(below) == set()
    told = (tiny / "state" / "serve.out").read_text()
    assert "There is no space left for the state folder" in told
    assert "Traceback" not in told


def test_no_space_to_start(tiny: Path) -> None:
    (tiny / "filler").write_bytes(b"")
    with (tiny / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass
    wrong, _ = said(drydock("serve", "--port", "0", "--state", str(tiny / "state")))
    assert str(tiny / "state") in wrong
    assert "space" in wrong.lower() or "full" in wrong.lower()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH with what ``./lab`` needs, but no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NEEDED:
        program = shutil.which(name)
        assert program, name
        (folder / name).symlink_to(program)
    return folder


def lab(bare: Path, venv: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """``./lab status`` with nothing else in its environment."""
    given = {"PATH": str(bare), "HOME": str(bare.parent), "LAB_VENV": str(venv), "LC_ALL": "C.UTF-8", **environment}
    return subprocess.run(
        [str(ROOT / "lab"), "status", "--state", str(bare.parent / "s")],
        env=given, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def last_two(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """As ``said``, behind what ``./lab`` tells of its progress."""
    progress = ("lab: making ", "lab: installing ")
    lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(progress)]
    done.stderr = "\n".join(lines)
    return said(done)


def fake_python(bare: Path, text: str) -> None:
    (bare / "python3").write_text(f"#!/bin/sh\n{text}\n")
    (bare / "python3").chmod(0o755)


def test_an_old_python(bare: Path, tmp_path: Path) -> None:
    fake_python(bare, 'case $1 in --version) echo "Python 3.9.2" ;; *) exit 1 ;; esac')
    wrong, remedy = last_two(lab(bare, tmp_path / "venv"))
    assert wrong == "Python 3.11 or newer is needed, and Python 3.9.2 is here."
    assert "PYTHON=" in remedy
    assert not (tmp_path / "venv").exists()


def test_no_python(bare: Path, tmp_path: Path) -> None:
    wrong, _ = last_two(lab(bare, tmp_path / "venv"))
    assert wrong == "Python 3.11 or newer is needed, and no python3 is here."


@pytest.mark.parametrize("message", [
    "The virtual environment was not created successfully because ensurepip is not\\navailable.",
    "/usr/bin/python3: No module named venv",
])  # fmt: skip
def test_no_venv_module(bare: Path, tmp_path: Path, message: str) -> None:
    fake_python(bare, f'case $1 in -m) printf "{message}\\n"; exit 1 ;; *) exec {sys.executable} "$@" ;; esac')
    wrong, remedy = last_two(lab(bare, tmp_path / "venv"))
    assert wrong == "This Python has no venv module."
    assert "python3-venv" in remedy


def test_no_permission_for_the_environment(bare: Path, tmp_path: Path) -> None:
    fake_python(
        bare, f'case $1 in -m) echo "[Errno 13] Permission denied: x"; exit 1 ;; *) exec {sys.executable} "$@" ;; esac'
    )
    wrong, _ = last_two(lab(bare, tmp_path / "venv"))
    assert wrong == f"There is no permission to write to {tmp_path}."


def test_offline(bare: Path, tmp_path: Path) -> None:
    """No internet at the first run: no mirror answers."""
    real = os.path.realpath(os.path.join(sys.base_prefix, "bin", "python3"))
    (bare / "python3").symlink_to(real)
    done = lab(bare, tmp_path / "venv", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_NO_CACHE_DIR="1",
               PIP_CONFIG_FILE=os.devnull)  # fmt: skip
    wrong, remedy = last_two(done)
    assert wrong == "The packages could not be downloaded (no internet?)."
    assert "Go online" in remedy
