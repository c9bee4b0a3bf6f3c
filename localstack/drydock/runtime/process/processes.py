"""Who runs below us and what it uses: one pass over ``/proc``, or one ``ps`` where there is no ``/proc``."""

from __future__ import annotations

import os
import select
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")
HAS_PROC = os.path.exists("/proc/self/stat")


class Process:
    """``cpu`` is in seconds and includes children that ended and were waited for; ``memory`` is resident bytes."""

    __slots__ = ("cpu", "memory", "parent", "zombie")

    def __init__(self, parent: int, cpu: float, memory: int, zombie: bool) -> None:
        self.parent = parent
        self.cpu = cpu
        self.memory = memory
        self.zombie = zombie


def snapshot() -> dict[int, Process]:
    """Every process that our ``/proc`` shows, by pid; those that end meanwhile are left out."""
    if not HAS_PROC:
        return _snapshot_by_ps()
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            descriptor = os.open(f"/proc/{name}/stat", os.O_RDONLY)
        except OSError:
            continue  # has ended
        try:
            text = os.read(descriptor, 1024)
        except OSError:
            continue
        finally:
            os.close(descriptor)
        fields = text[text.rindex(b")") + 2 :].split()  # the command before it may hold blanks and brackets
        ticks = int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
        found[int(name)] = Process(int(fields[1]), ticks / _TICK, int(fields[21]) * _PAGE, fields[0] == b"Z")
    return found


def _snapshot_by_ps() -> dict[int, Process]:
    found = {}
    with os.popen("ps -axo pid=,ppid=,rss=,time=,stat=") as output:
        for line in output:
            pid, parent, resident, clock, state = line.split()[:5]
            found[int(pid)] = Process(int(parent), _seconds(clock), int(resident) * 1024, state.startswith("Z"))
    return found


def _seconds(clock: str) -> float:
    """Of ``[[days-]hours:]minutes:seconds[.hundredths]``."""
    days, _, rest = clock.rpartition("-")
    total = 0.0
    for part in rest.split(":"):
        total = total * 60 + float(part)
    return total + 86400 * int(days or 0)


def descendants(of: Iterable[int], processes: dict[int, Process]) -> list[int]:
    """All below the given ones, parents before children."""
    children: dict[int, list[int]] = {}
    for pid, process in processes.items():
        children.setdefault(process.parent, []).append(pid)
    found: list[int] = []
    waiting = list(of)
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def holds_listener(pids: list[int], port: int) -> bool:
    """Does one of the processes have a TCP socket that listens on the port? False where there is no ``/proc``."""
    inodes = set()
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(path):
            continue
        with open(path, encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        inodes |= {
            f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
        }
    return bool(inodes) and any(_holds(pid, inodes) for pid in pids)


def listeners(pid: int) -> dict[int, str]:
    """Of the network that the process is in: TCP port to a link as in ``/proc/.../fd``, for the sockets that listen on
    more than the loopback address."""
    found = {}
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{name}", encoding="ascii") as table:
                rows = [line.split() for line in table][1:]
        except OSError:
            continue  # it has ended, or there is no IPv6
        for row in rows:
            address, _, port = row[1].rpartition(":")
            if row[3] == "0A" and not _is_loopback(address):
                found[int(port, 16)] = f"socket:[{row[9]}]"
    return found


def _is_loopback(address: str) -> bool:
    """As the kernel prints it: words of 32 bits in the machine's byte order."""
    last = bytes.fromhex(address[-8:])
    last = last[::-1] if sys.byteorder == "little" else last
    if len(address) == 8 or address[16:24] in ("FFFF0000", "0000FFFF"):  # the latter: IPv4 in IPv6
        return last[0] == 127
    return address[:24] == "0" * 24 and last == b"\0\0\0\1"


def held(pids: list[int], links: set[str]) -> set[str]:
    """Which of the links in ``/proc/.../fd`` the processes have."""
    found: set[str] = set()
    for pid in pids:
        try:
            for name in os.listdir(f"/proc/{pid}/fd"):
                link = os.readlink(f"/proc/{pid}/fd/{name}")
                if link in links:
                    found.add(link)
        except OSError:
            continue  # it, or a descriptor, has gone meanwhile
        if found == links:
            break
    return found


def _holds(pid: int, links: set[str]) -> bool:
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{name}") in links for name in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False  # has ended


def kill(pid: int) -> None:
    """Nothing happens if it has ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # was faster


def kill_below(apps: Iterable[int] = ()) -> None:
    """In an init: kill and reap all that is below it, until nobody is left. ``apps`` lead the groups of processes that it
    started."""
    for pid in apps:
        try:
            os.killpg(pid, signal.SIGKILL)  # all that we can find of it where orphans do not come to us
        except (ProcessLookupError, PermissionError):
            continue
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if ended:
            continue
        processes = snapshot()
        for pid in descendants([os.getpid()], processes):
            if not processes[pid].zombie:
                kill(pid)
        select.select([], [], [], 0.001 if HAS_PROC else 0.02)  # they need a moment to die
