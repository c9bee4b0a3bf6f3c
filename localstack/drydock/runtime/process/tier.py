"""What differs between the two ways of running containers. The helper's loop (:mod:`helper`) is the same for both."""

from __future__ import annotations

import abc
import os

from drydock.runtime.process.folders import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Sandbox:
    """``net`` and ``link`` are the namespaces tier's: the net namespace, the name of the router's end of the veth.
    ``limit`` (bytes of memory) and ``cpu`` (vCPUs) are what its containers share, 0 for none. ``polled``: as in Container."""

    __slots__ = ("addresses", "cgroups", "cpu", "hostname", "limit", "link", "name", "net", "network", "polled")

    def __init__(self, name: str, hostname: str, addresses: list[str], network: str, memory: int, cpu: float) -> None:
        self.name = name
        self.limit = memory
        self.cpu = cpu
        self.polled = memory > 0
        self.cgroups: list[str] = []
        self.network = network
        self.hostname = hostname
        self.addresses = addresses
        self.net = -1
        self.link = ""


class Container:
    """``pid`` is the first process as the helper sees it, ``shown_pid`` as the host does. ``handle`` is the tier's way to
    it: a pidfd, or the pipe whose closing kills it. ``asked`` is the message whose answer waits for the program's start.
    ``has_init``: the first process is ours, the program below it. ``limit``: bytes of memory, 0 for none. ``polled``: the
    kernel does not hold it."""

    __slots__ = (
        "asked",
        "cgroups",
        "folder",
        "handle",
        "has_init",
        "limit",
        "limit_hit",
        "name",
        "pid",
        "polled",
        "report",
        "said",
        "sandbox",
        "shown_pid",
        "spec",
    )

    def __init__(self, name: str, sandbox: Sandbox, spec: dict[str, Any], folder: str) -> None:
        self.name = name
        self.sandbox = sandbox
        self.spec = spec
        self.folder = folder
        self.pid = self.shown_pid = self.handle = self.report = -1
        self.asked: int | None = None
        self.cgroups: list[str] = []
        self.limit = int(spec["memory"])
        self.limit_hit = False
        self.has_init = bool(spec["init"])
        self.polled = self.limit > 0
        self.said = b""


class Exec:
    """Another process in a container; ``pid`` is the helper's child, an init that waits for it. ``handle`` is the pipe
    whose closing kills it and all that it started; the init ends when they are gone."""

    __slots__ = ("container", "handle", "name", "pid", "report", "said", "shown_pid")

    def __init__(self, name: str, container: Container) -> None:
        self.name = name
        self.container = container
        self.pid = self.shown_pid = self.handle = self.report = -1
        self.said = b""


class Tier(abc.ABC):
    """``run`` is the helper's folder on disk, made for it. Everything may raise OSError, which goes to the caller."""

    name: str
    run: str

    @abc.abstractmethod
    def enter(self) -> dict[str, Any]:
        """Make ready. What it returns goes into the ``ready`` event."""

    def open_network(self, name: str) -> None:
        """Before the first sandbox on it. Nothing where sandboxes have no network of their own."""
        return

    def close_network(self, name: str) -> None:
        """After the last one."""
        return

    @abc.abstractmethod
    def open_sandbox(self, sandbox: Sandbox) -> None: ...

    @abc.abstractmethod
    def close_sandbox(self, sandbox: Sandbox) -> None: ...

    def release_sandbox(self, sandbox: Sandbox) -> None:
        """It was closed, and the last process in it has ended."""
        return

    @abc.abstractmethod
    def sockets(self, sandbox: Sandbox, count: int) -> list[int]:
        """New TCP sockets in the sandbox."""

    @abc.abstractmethod
    def listen(self, network: str, address: str, port: int) -> int:
        """A listening socket that all sandboxes of a network reach."""

    @abc.abstractmethod
    def spawn(self, container: Container, stdio: list[int], report: int) -> None:
        """Start it: sets ``pid``, ``shown_pid``, ``handle``, and what the tier knows better than its default."""

    @abc.abstractmethod
    def spawn_exec(self, process: Exec, spec: dict[str, Any], stdio: list[int], report: int) -> None:
        """``argv``, ``pty``, ``user`` (None: the container's) and ``env`` (where the container has none of the name)."""

    @abc.abstractmethod
    def open_pty(self, container: Container) -> tuple[int, int]:
        """(master, slave)"""

    @abc.abstractmethod
    def kill(self, process: Container | Exec) -> None:
        """SIGKILL to all of it. Nothing if it has ended."""

    @abc.abstractmethod
    def ended(self, process: Container | Exec) -> bool:
        """The process was waited for: let go of what belongs to it. Did the kernel kill it for its memory limit?"""

    @abc.abstractmethod
    def remove(self, folders: set[str]) -> None:
        """What containers of these ``folder`` names wrote. Runs in a process of its own."""

    def disk(self, folder: str) -> str:
        """Where the disk that the caller calls ``folder`` really is; made if there is none."""
        os.makedirs(folder, mode=0o711, exist_ok=True)
        return folder

    def remove_disk(self, folder: str) -> None:
        """All that is on it. Runs in a process of its own."""
        if os.path.isdir(folder):
            remove_tree(folder)

    def cut_lifeline(self, process: Container | Exec) -> None:
        """Close the pipe that is its ``handle``."""
        if process.handle >= 0:
            os.close(process.handle)
            process.handle = -1

    def kill_strays(self, known: set[int]) -> None:
        """Kill children that are none of the ``known``. In a pid namespace there are none."""
        return

    @abc.abstractmethod
    def end_all(self, processes: list[Container | Exec]) -> None:
        """At the helper's own end: kill all, wait for all, clean up."""
