"""What is left on the machine of an emulator: its processes, mounts, sockets and folders."""

from __future__ import annotations

import os
import socket
from pathlib import Path

Process = tuple[int, str]
"""Pid and start time: pids are given again"""


def _stat(pid: int) -> list[str]:
    """The fields behind the name; none if the process is gone or only waits for its parent."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[0] in "ZX" else fields


def _all() -> dict[int, list[str]]:
    found = {int(folder.name): _stat(int(folder.name)) for folder in Path("/proc").glob("[0-9]*")}
    return {pid: fields for pid, fields in found.items() if fields}


def descendants(pid: int) -> set[Process]:
    """Every process below ``pid``."""
    table = _all()
    found: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, fields in table.items() if int(fields[1]) in new} - found
        found |= new
    return {(child, table[child][19]) for child in found}


def runtime_helpers(pid: int) -> list[int]:
    """The processes between the emulator and its containers, the outermost first."""
    found: list[int] = []
    parent = pid
    while True:
        below = [
            child
            for child, fields in _all().items()
            if int(fields[1]) == parent and "drydock.runtime" in command_line(child)
        ]
        if not below:
            return found
        parent = below[0]
        found.append(parent)


def command_line(pid: int) -> str:
    """As ``ps`` shows it; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def alive(processes: set[Process]) -> set[Process]:
    """Those that still are."""
    return {(pid, start) for pid, start in processes if (fields := _stat(pid)) and fields[19] == start}


def command_lines(word: str) -> dict[int, str]:
    """Processes whose command line has ``word`` in it, but for this one."""
    lines = {pid: command_line(pid) for pid in _all()}
    return {pid: line for pid, line in lines.items() if word in line and pid != os.getpid()}


def mounts(folder: Path) -> set[str]:
    """Mounts below a folder, in the mount namespace of any process."""
    found = set()
    for table in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            lines = table.read_text().splitlines()
        except OSError:
            continue
        found |= {line for line in lines if str(folder) in line}
    return found


def listens(port: int) -> bool:
    """Whether somebody accepts connections on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """One that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cgroups(pid: int) -> set[Path]:
    """The cgroup folders of a process other than the hierarchies' roots."""
    found: set[Path] = set()
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for name in [*controllers.split(","), controllers, ""]:
            folder = Path("/sys/fs/cgroup") / name / path.lstrip("/")
            if path != "/" and folder.is_dir():
                found.add(folder)
    return found
