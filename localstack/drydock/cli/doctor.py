"""``./lab doctor``: looks at the machine before anything is started, and says what each finding means."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from drydock.cli.places import endpoint, state_folder
from drydock.errors import UserError

NEEDED_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """``state``: ok, note (works, but less) or bad (must be mended)."""

    what: str
    state: str
    text: str


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 if one is bad."""
    state = state_folder(arguments.state)
    findings = [
        _python(), _git(), _port(arguments.port, state), _containers(), _docker(), _disk(state), _memory(), _user(),
        _load_generator(),
    ]  # fmt: skip
    signs = {"ok": "ok  ", "note": "note", "bad": "BAD "}
    for finding in findings:
        print(f"{signs[finding.state]}  {finding.what:<12} {finding.text}")
    return int(any(finding.state == "bad" for finding in findings))


def _python() -> Finding:
    version = platform.python_version()
    return Finding("Python", "ok", f"{version} ({sys.executable})")


def _git() -> Finding:
    path = shutil.which("git")
    if path is None:
        return Finding("git", "note", "not found: the chapters on CI/CD need it. Install it from git-scm.com.")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return Finding("git", "ok", version)


def _port(port: int, state: Path) -> Finding:
    running = endpoint(state)
    if running is not None and running["url"].endswith(f":{port}"):
        return Finding("port", "ok", f"{port} is used by our own emulator (pid {running['pid']})")
    from drydock.gateway.server import bind

    try:
        bind("127.0.0.1", port).close()
    except UserError as error:
        return Finding("port", "bad", f"{error.wrong} {error.remedy}")
    return Finding("port", "ok", f"{port} is free")


def _containers() -> Finding:
    """Tries it for real, as the emulator does when it starts."""
    from drydock.runtime.process.driver import ProcessRuntime

    async def probe() -> tuple[str, str]:
        with tempfile.TemporaryDirectory(prefix="drydock-doctor-") as folder:
            runtime = ProcessRuntime(Path(folder), "auto")
            await runtime.start(lambda reason: None)
            try:
                return runtime.info.tier, runtime.info.reason
            finally:
                await runtime.close()

    try:
        tier, reason = asyncio.run(probe())
    except UserError as error:
        return Finding("containers", "bad", str(error))
    return Finding("containers", "ok" if tier == "namespaces" else "note", f"tier {tier}: {reason}")


def _docker() -> Finding:
    path = shutil.which("docker") or shutil.which("podman")
    if path is None:
        return Finding("Docker", "ok", "none, and none is needed")
    try:
        told = subprocess.run(
            [path, "info", "--format", "{{.ServerVersion}}"], capture_output=True, text=True, timeout=5, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding("Docker", "ok", f"{path} does not answer; none is needed")
    if told.returncode:
        return Finding("Docker", "ok", f"{path} is there but no engine runs; none is needed")
    return Finding("Docker", "ok", f"engine {told.stdout.strip()} ({path}); it is not used")


def _disk(state: Path) -> Finding:
    folder = state if state.exists() else state.parent
    try:
        free = shutil.disk_usage(folder).free / 1e9
    except OSError as error:
        return Finding("disk", "bad", f"{folder}: {error.strerror}")
    if not os.access(folder, os.W_OK):
        return Finding("disk", "bad", f"There is no permission to write to {folder}.")
    if free < NEEDED_GB:
        return Finding("disk", "bad", f"{free:.1f} GB free at {folder}; {NEEDED_GB:.0f} GB are needed.")
    return Finding("disk", "ok", f"{free:.0f} GB free at {folder}")


def _memory() -> Finding:
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (ValueError, OSError):
        return Finding("memory", "note", "cannot be told on this system")
    return Finding(
        "memory", "ok" if pages >= 4 else "note", f"{pages:.0f} GB" + ("" if pages >= 4 else ", which is little")
    )


def _user() -> Finding:
    if os.geteuid() == 0:
        return Finding("user", "note", "root: JupyterLab must be started with --allow-root; './lab up' does that.")
    return Finding("user", "ok", "not root")


def _load_generator() -> Finding:
    if shutil.which("ab"):
        return Finding("ab", "ok", "ApacheBench is there (for the chapter on load)")
    return Finding("ab", "note", "no ApacheBench; on Debian and Ubuntu: sudo apt install apache2-utils")
