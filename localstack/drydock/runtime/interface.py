"""What a runtime does for us, whichever it is (plain child processes, namespaces, a Docker engine).

A *sandbox* is what the containers of one task share: a host name, addresses, a network. A *container* is one process
tree in it, started from image layers. All names are the caller's and unique in the emulator. Durations are *real*
seconds: a process does not run faster because the lab clock does.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field


class RuntimeFailure(Exception):
    """The runtime could not do it; the message is for the log and for a task's ``stoppedReason``."""


class NoCapacity(RuntimeFailure):
    """The machine lacks what it takes: memory, processes, descriptors, namespaces, room on its disk."""


@dataclass(frozen=True)
class RuntimeInfo:
    """What is in force and why; shown by ``./lab status``, the health endpoint and ``doctor``."""

    kind: str
    """``process`` or ``docker``"""
    tier: str
    """``namespaces``, ``plain`` or ``engine``"""
    reason: str
    """One line: how it works here, or why the better tier does not"""
    network: str = ""
    memory: str = ""
    pid: int | None = None
    """The helper process under which all containers are"""


@dataclass(frozen=True)
class SandboxSpec:
    """What the containers of a task share. ``addresses`` are IPv4, the first is the primary one."""

    name: str
    hostname: str
    addresses: tuple[str, ...]
    network: str = ""
    """Sandboxes of one network reach each other by their addresses; those of different ones do not, and may have the
    same addresses"""
    memory: int = 0
    """Bytes that its containers may use together, 0 for no limit"""
    cpu: float = 0.0
    """vCPUs that they may use together, 0 for no limit"""


@dataclass(frozen=True)
class Mount:
    """A folder or file of the host seen at ``target`` inside."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """One container. ``layers`` are folders of extracted image layers, the lowest first."""

    name: str
    sandbox: str
    layers: tuple[str, ...]
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    user: str = ""
    """``uid``, ``uid:gid`` or names of the image's /etc/passwd; empty is root"""
    host_files: bool = False
    """The image is a stand-in: the host's /usr and Python interpreter lie under its layers"""
    mounts: tuple[Mount, ...] = ()
    memory: int = 0
    """Hard limit in bytes, 0 for none"""
    cpu: float = 0.0
    """Limit in vCPUs, 0 for none"""
    init: bool = False
    """Run an init process as pid 1 that forwards signals and reaps"""
    read_only: bool = False
    ulimits: dict[str, tuple[int, int]] = field(default_factory=dict)
    """name (``nofile``, ...) -> (soft, hard)"""
    disk: str = ""
    """A folder of the host in which what the container writes is kept, for the next one with the same ``disk``; empty: it
    goes with the container. Namespaces tier only. Where the state folder cannot bear it (it is on an overlay itself), it
    is kept in memory, as long as the runtime lives"""


@dataclass(frozen=True)
class Exit:
    """How a container or an exec ended. ``code`` is as a shell gives it (137 after SIGKILL); ``out_of_memory`` is true
    if a limit killed it; ``error`` says why it could not be started (then the code is 125, 126 or 127 as Docker's)."""

    code: int
    out_of_memory: bool = False
    error: str | None = None


@dataclass(frozen=True)
class Usage:
    """Of one container, now: resident bytes, CPU seconds since its start, number of processes."""

    memory: int
    cpu: float
    processes: int


OnOutput = Callable[[str, bytes], Awaitable[object] | None]
"""Called with ``stdout`` or ``stderr`` and one line without its end (a longer one is cut at 256 KiB). If it answers with
an awaitable, the output is not read on until that is done."""
OnExit = Callable[[Exit], None]
"""Called once, after the last line of output."""

Serve = Callable[[str, socket.socket], Awaitable[Callable[[], object]]]
"""Called with a network's name and a bound, listening socket; the answer is called when the network goes."""


class Runtime(ABC):
    """Starts and ends containers. Every method but ``info`` belongs to the event loop."""

    info: RuntimeInfo

    @abstractmethod
    async def start(self, on_lost: Callable[[str], None]) -> None:
        """Make ready; ``on_lost`` is called with a reason if the runtime itself dies later (its containers with it)."""

    @abstractmethod
    async def close(self) -> None:
        """End everything that runs and clean up after it."""

    @abstractmethod
    async def create_sandbox(self, spec: SandboxSpec) -> None:
        """Raises RuntimeFailure."""

    @abstractmethod
    async def remove_sandbox(self, name: str) -> None:
        """Ends what still runs in it. Nothing happens if there is none."""

    @abstractmethod
    async def start_container(self, spec: ContainerSpec, on_output: OnOutput, on_exit: OnExit) -> int | None:
        """The pid of its first process as the host sees it (as ``ps`` shows it). None if there is no such process because
        the command cannot be run; ``on_exit`` then tells why, with code 125, 126 or 127. Raises RuntimeFailure."""

    @abstractmethod
    async def stop_container(self, name: str, timeout: float) -> None:
        """SIGTERM now, SIGKILL after ``timeout`` seconds; the shortest time counts if it is asked again. Returns at once;
        ``on_exit`` tells when it has ended."""

    @abstractmethod
    async def kill_exec(self, name: str) -> None:
        """SIGKILL to what :meth:`exec` started under that name. Nothing happens if it has ended."""

    @abstractmethod
    async def remove_disk(self, disk: str) -> None:
        """Forget what containers with this ``disk`` wrote. None may run. Nothing happens if there is none."""

    @abstractmethod
    async def listening(self, container: str, known: Collection[int] = ()) -> list[int]:
        """TCP ports on which programs of a container (and not of others in its sandbox) listen for more than their own
        loopback address. ``known`` are those that were among them before, which saves work. Namespaces tier only; else
        there are none."""

    @abstractmethod
    async def usage(self) -> dict[str, Usage]:
        """Of every running container, by name; one pass."""

    @abstractmethod
    async def connect(self, sandbox: str, port: int, address: str | None = None) -> socket.socket:
        """A connected, non-blocking TCP socket to a port inside. Raises OSError as ``connect`` does."""

    @abstractmethod
    async def bind(self, sandbox: str, port: int) -> socket.socket:
        """A non-blocking TCP socket that listens inside a sandbox, on all its addresses. Raises OSError (EADDRINUSE if
        a program inside has the port; EOPNOTSUPP where sandboxes have no network of their own)."""

    @abstractmethod
    async def listen(self, address: str, port: int, serve: Serve) -> bool:
        """Have ``serve`` called with a listening socket on every network there is and will be, which its sandboxes reach
        at ``address``. False if this tier has no addresses inside."""

    @abstractmethod
    async def exec(
        self,
        name: str,
        container: str,
        argv: tuple[str, ...],
        on_exit: OnExit,
        pty: bool = True,
        stdio: tuple[int, int, int] | None = None,
        user: str | None = None,
        env: dict[str, str] | None = None,
    ) -> int | None:
        """Another process in a running container. With ``pty`` the master's descriptor is returned and becomes the
        caller's, else the three descriptors in ``stdio`` are used. ``user`` instead of the container's own ("" is root);
        ``env`` are variables for where the container has none of the name. If this is cancelled, it is killed and
        ``on_exit`` is not called. Raises RuntimeFailure."""
