"""A look at the machine, before anything is made."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess

from labkit import target as targets
from labkit.showing import show

LEAST_PYTHON = (3, 11)
LEAST_MEMORY_GB = 2.0


def preflight() -> dict[str, bool]:
    """Show Python, memory, git, the port and Docker; answer with which of the needed ones are good."""
    version = tuple(int(part) for part in platform.python_version_tuple()[:2])
    memory = memory_gb()
    port_good, port_text = _port()
    rows = [
        ("Python", version >= LEAST_PYTHON, platform.python_version(), "3.11 or newer"),
        ("memory", memory == 0 or memory >= LEAST_MEMORY_GB, f"{memory:.0f} GB" if memory else "cannot tell", "2 GB"),
        ("git", True, _version("git"), "from Part C on"),
        ("emulator", port_good, port_text, "answers"),
        ("Docker", True, _docker(), "not needed"),
    ]
    show(
        [
            {"what": what, "here": found, "needed": needed, "verdict": "good" if good else "MISSING"}
            for what, good, found, needed in rows
        ]
    )
    return {what: good for what, good, _, _ in rows}


def memory_gb() -> float:
    """Of the machine; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (ValueError, OSError):
        return 0.0


def _version(command: str) -> str:
    path = shutil.which(command)
    if path is None:
        return "not found"
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    return told.strip().removeprefix(f"{command} version ") or "found"


def _port() -> tuple[bool, str]:
    """Whether somebody listens where the target should be."""
    target = targets.current()
    if not target.endpoint:
        return True, "AWS itself"
    host, _, port = target.endpoint.rpartition("//")[2].partition(":")
    try:
        socket.create_connection((host, int(port or 80)), timeout=5).close()
    except OSError:
        return False, f"nothing listens at {target.endpoint}"
    return True, "listens"


def _docker() -> str:
    return "found, and not used" if shutil.which("docker") or shutil.which("podman") else "none"
