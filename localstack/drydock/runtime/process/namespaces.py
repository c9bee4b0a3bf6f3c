"""The namespaces tier (Linux): a file system, processes and a host name per container, a network per sandbox.

The helper enters a user namespace only if it must (no CAP_SYS_ADMIN), and always mount, net, pid, uts and ipc namespaces.
It owns all of them, so it can leave a sandbox's and come home again (setns into the *host's* would be EPERM without
root), its ``/proc`` shows only our processes, and when it dies the kernel kills every container.

A sandbox is a net namespace: ``lo`` bears the addresses, so that programs bind and reach them with nothing else to know;
``eth0`` is a veth to its network's router, a net namespace too (:mod:`networks`).
Sockets are made inside and passed out. This is a convenience, no security boundary.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import struct

from drydock.runtime.process import hostfiles, launch, netlink, rootfs
from drydock.runtime.process.cgroups import Cgroups
from drydock.runtime.process.folders import remove_tree
from drydock.runtime.process.kernel import (
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    NEWIPC,
    NEWNET,
    NEWNS,
    NEWPID,
    NEWUSER,
    NEWUTS,
    adopt_orphans,
    die_with_parent,
    drop_capabilities,
    mount,
    pretend_ownership,
    setns,
    unmount,
    unshare,
    write_file,
)
from drydock.runtime.process.networks import ROUTER, Networks, new_socket
from drydock.runtime.process.processes import kill_below
from drydock.runtime.process.tier import Container, Exec, Sandbox, Tier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_EVERYTHING = NEWNS | NEWPID | NEWNET | NEWUTS | NEWIPC
_TIOCSPTLCK, _TIOCGPTPEER = 0x40045431, 0x5441
_LAST_WISH = 0.8
"""Seconds that the helper has to clean up after the emulator died, before it is killed"""


class NamespacesTier(Tier):
    name = "namespaces"

    def __init__(self, control: socket.socket, configuration: dict[str, Any]) -> None:
        self.control = control
        self.run = configuration["run"]
        self.host = configuration["host"]
        self.usual_nofile = configuration["nofile"]
        self.rootless = False
        # The host's own /proc and our number in it: there we can look up what the host calls a process of ours.
        self.host_proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.scratch = "disk"

    # ------------------------------------------------------------------ entering

    def enter(self) -> dict[str, Any]:
        """Into namespaces of our own; returns in the process that is pid 1 there."""
        self._unshare()
        outside = os.getppid()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
        pid = os.fork()
        if pid:
            self._wait_outside(pid, outside)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD, signal.SIGTERM})
        die_with_parent(signal.SIGKILL)
        mount(None, "/", None, MS_REC | MS_PRIVATE)
        self.self_in_host = os.readlink("self", dir_fd=self.host_proc)
        # EPERM if the host's own is partly masked, as inside an engine's container.
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        self.home_net, self.home_pid = (
            os.open(f"/proc/self/ns/{n}", os.O_RDONLY | os.O_CLOEXEC) for n in ("net", "pid")
        )
        self.networks = Networks(self.home_net)
        netlink.add_veth("probe0", "probe1", self.home_net)
        netlink.delete_link("probe0")
        self.cgroups = Cgroups(self.run)
        self._find_scratch()
        return {
            "pid": int(self.self_in_host),
            "rootless": self.rootless,
            "network": f"a network namespace per task, a router ({ROUTER}) per VPC",
            "memory": self.cgroups.memory or "polled",
            "cpu": self.cgroups.cpu or "measured only",
            "scratch": self.scratch,
        }

    def _unshare(self) -> None:
        uid, gid = os.getuid(), os.getgid()
        try:
            unshare(_EVERYTHING, "mount,pid,net,uts,ipc")
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
            unshare(NEWUSER | _EVERYTHING, "user,mount,pid,net,uts,ipc")
            for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
                write_file("/proc/self/" + name, text)
        with open("/proc/self/uid_map", encoding="ascii") as file:  # root of somebody's user namespace is not root
            self.rootless = file.read().split() != ["0", "0", "4294967295"]

    def _wait_outside(self, pid: int, emulator: int) -> NoReturn:
        """The process that stayed in the host's pid namespace only waits; and should the emulator die and the helper
        not notice in time, it makes an end."""
        self.control.close()
        die_with_parent(signal.SIGTERM)
        waiting: float | None = None if os.getppid() == emulator else _LAST_WISH
        while True:
            wanted = {signal.SIGCHLD, signal.SIGTERM}
            caught = signal.sigwait(wanted) if waiting is None else signal.sigtimedwait(wanted, waiting)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                os._exit(launch.exit_code(status))
            if caught is None:
                os.kill(pid, signal.SIGKILL)
                waiting = None
            elif os.getppid() != emulator:
                waiting = _LAST_WISH

    def _find_scratch(self) -> None:
        """Make the skeletons, and try an overlay in the run's folder. A state folder that is on an overlay itself cannot
        bear the writable layers: then they are in memory, on a tmpfs that only we see."""
        self._make_small()
        try:
            self._try_overlay()
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            mount("tmpfs", self.run, "tmpfs", MS_NOSUID | MS_NODEV, "mode=711")
            self._make_small()
            self._try_overlay()
            self.scratch = "memory"

    def _make_small(self) -> None:
        small = f"{self.run}/{rootfs.SMALL}"
        os.mkdir(small)
        mount("tmpfs", small, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
        hostfiles.make_bare(f"{small}/bare")
        hostfiles.make_base(f"{small}/base")
        os.mkdir(f"{small}/l")
        os.symlink(f"{rootfs.SMALL}/l", f"{self.run}/l")
        os.mkdir(f"{small}/try")

    def _try_overlay(self) -> None:
        os.chdir(self.run)
        point = f"{rootfs.SMALL}/try"
        try:
            rootfs.overlay(point, [f"{rootfs.SMALL}/base"], "try", self.rootless)
            unmount(point)
        finally:
            for name in ("try-upper", "try-work"):
                remove_tree(name)
            os.chdir("/")

    # ------------------------------------------------------------------ network

    def open_network(self, name: str) -> None:
        self.networks.open(name)

    def close_network(self, name: str) -> None:
        self.networks.close(name)

    def open_sandbox(self, sandbox: Sandbox) -> None:
        def prepare() -> None:
            for number, address in enumerate(sandbox.addresses, 1):
                netlink.add_loopback_address(address, number)
            write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")  # as Docker: USER app may bind port 80

        sandbox.net = self.networks.new_namespace(prepare)
        try:
            sandbox.cgroups = self.cgroups.create_group(f"s{sandbox.net}", sandbox.limit, sandbox.cpu)
            sandbox.polled = sandbox.limit > 0 and not self.cgroups.memory
            self.networks.link(sandbox)
        except OSError:
            self.close_sandbox(sandbox)
            self.release_sandbox(sandbox)
            raise

    def close_sandbox(self, sandbox: Sandbox) -> None:
        if sandbox.net >= 0:
            os.close(sandbox.net)  # first: to remove the link takes a descriptor
            sandbox.net = -1
        self.networks.unlink(sandbox)

    def release_sandbox(self, sandbox: Sandbox) -> None:
        self.cgroups.remove(sandbox.cgroups)
        sandbox.cgroups = []

    def sockets(self, sandbox: Sandbox, count: int) -> list[int]:
        def make() -> list[int]:
            return [new_socket().detach() for _ in range(count)]

        made: list[int] = self.networks.inside(sandbox.net, make)
        return made

    def listen(self, network: str, address: str, port: int) -> int:
        return self.networks.listen(network, address, port)

    # ------------------------------------------------------------------ processes

    def spawn(self, container: Container, stdio: list[int], report: int) -> None:
        spec = container.spec
        container.cgroups = self.cgroups.create(
            container.folder, container.limit, spec["cpu"], container.sandbox.cgroups
        )
        container.polled = container.limit > 0 and not self.cgroups.memory
        try:
            unshare(NEWPID, "pid")  # for the next child only; then home, else the next unshare(pid) is EINVAL
            try:
                container.pid = os.fork()
                if container.pid == 0:
                    self._be_container(container, stdio, report)
            finally:
                setns(self.home_pid, NEWPID)
            container.handle = os.pidfd_open(container.pid)
            container.shown_pid = self._shown_pid(container.handle)
        except OSError:
            self._undo_spawn(container)
            raise

    def _undo_spawn(self, container: Container) -> None:
        """Nobody would know of a child that is left."""
        if container.pid > 0:
            os.kill(container.pid, signal.SIGKILL)
            os.waitpid(container.pid, 0)
        if container.handle >= 0:
            os.close(container.handle)
        self.cgroups.remove(container.cgroups)

    def _shown_pid(self, pidfd: int) -> int:
        """What the host calls the process: a /proc shows pids as those see them whom it was mounted for."""
        path = f"{self.self_in_host}/fdinfo/{pidfd}"
        info = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.host_proc)
        try:
            words = os.read(info, 4096).split()
        finally:
            os.close(info)
        return int(words[words.index(b"Pid:") + 1])

    def _be_container(self, container: Container, stdio: list[int], report: int) -> NoReturn:
        try:
            spec = container.spec
            launch.forget_parent({*stdio, container.sandbox.net, report})
            os.setsid()
            for folder in container.cgroups:
                write_file(f"{folder}/cgroup.procs", "0")
            setns(container.sandbox.net, NEWNET)
            os.close(container.sandbox.net)
            unshare(NEWNS | NEWUTS | NEWIPC, "mount,uts,ipc")
            socket.sethostname(spec["hostname"][:64])
            rootfs.build(self.run, container.folder, spec, self.host, self.rootless)
            if spec["init"]:
                # Nobody need be killed at the end: the kernel does it when pid 1 goes.
                self._be_init(spec, spec["argv"], False, stdio, report, None, lambda _: None)
            self._run_program(spec, spec["argv"], False, stdio, report)
        except BaseException as error:
            launch.fail(report, error)

    def _be_init(
        self,
        spec: dict[str, Any],
        argv: list[str],
        pty: bool,
        stdio: list[int],
        report: int,
        lifeline: int | None,
        at_end: Callable[[bool], None],
    ) -> NoReturn:
        def start() -> int:
            pid = os.fork()
            if pid == 0:
                try:
                    signal.set_wakeup_fd(-1)
                    os.setsid()
                    self._run_program(spec, argv, pty, stdio, report)
                except BaseException as error:
                    launch.fail(report, error)
            for descriptor in {*stdio, report}:
                os.close(descriptor)  # else the emulator would wait for us to see the end of them
            return pid

        launch.supervise(start, lifeline, at_end)

    def _run_program(self, spec: dict[str, Any], argv: list[str], pty: bool, stdio: list[int], report: int) -> NoReturn:
        launch.take_stdio(stdio, pty)
        launch.set_limits({"nofile": self.usual_nofile, **spec["ulimits"]})
        user = launch.find_user(spec["user"])  # one that is not there is refused, with root or without
        if self.rootless:
            user = launch.find_user("")
        os.makedirs(spec["cwd"], exist_ok=True)
        os.chdir(spec["cwd"])
        drop_capabilities()
        if self.rootless:
            pretend_ownership()
        else:
            launch.become(user)
        defaults = {"PATH": launch.DEFAULT_PATH, "HOME": user.home, "HOSTNAME": spec["hostname"]}
        if pty:
            defaults["TERM"] = "xterm"
        launch.run(argv, {**defaults, **spec["env"]}, report)

    def open_pty(self, container: Container) -> tuple[int, int]:
        """Of the container's own devpts, so that ``tty`` in there knows it."""
        flags = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC
        master = os.open(f"/proc/{container.pid}/root/dev/pts/ptmx", flags)
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        return master, fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)

    def spawn_exec(self, process: Exec, spec: dict[str, Any], stdio: list[int], report: int) -> None:
        lifeline, process.handle = os.pipe()
        try:
            setns(process.container.handle, NEWPID)  # for the next child only
            try:
                process.pid = os.fork()
                if process.pid == 0:
                    self._be_exec(process.container, spec, stdio, report, lifeline)
            finally:
                setns(self.home_pid, NEWPID)
        except OSError:
            self.cut_lifeline(process)
            raise
        finally:
            os.close(lifeline)

    def _be_exec(
        self, container: Container, spec: dict[str, Any], stdio: list[int], report: int, lifeline: int
    ) -> NoReturn:
        """An init inside: orphans of what it started come to it, so a kill finds them all. Those that are left after a
        normal end go to the container's pid 1, as with Docker."""
        try:
            launch.forget_parent({*stdio, report, container.handle, lifeline})
            os.setsid()
            for folder in container.cgroups:
                write_file(f"{folder}/cgroup.procs", "0")
            setns(container.handle, NEWNS | NEWNET | NEWUTS | NEWIPC)
            os.close(container.handle)
            adopt_orphans()
            inside = {**container.spec, "env": {**spec["env"], **container.spec["env"]}}
            if spec["user"] is not None:
                inside["user"] = spec["user"]
            self._be_init(
                inside, spec["argv"], spec["pty"], stdio, report, lifeline,
                lambda killed: kill_below() if killed else None,
            )  # fmt: skip
        except BaseException as error:
            launch.fail(report, error)

    # ------------------------------------------------------------------ ends

    def kill(self, process: Container | Exec) -> None:
        if isinstance(process, Exec):
            self.cut_lifeline(process)
            return
        try:
            os.kill(process.pid, signal.SIGKILL)  # pid 1: the rest of its namespace goes with it
        except ProcessLookupError:
            return

    def ended(self, process: Container | Exec) -> bool:
        if isinstance(process, Exec):
            self.cut_lifeline(process)
            return False
        os.close(process.handle)
        hit = self.cgroups.killed_for_memory(process.cgroups)
        self.cgroups.remove(process.cgroups)
        return hit

    def remove(self, folders: set[str]) -> None:
        for place in (self.run, f"{self.run}/{rootfs.SMALL}"):
            for name in os.listdir(place):
                if name.partition("-")[0] in folders:
                    remove_tree(f"{place}/{name}")

    def disk(self, folder: str) -> str:
        return super().disk(self._disk_in_memory(folder) if self.scratch == "memory" else folder)

    def remove_disk(self, folder: str) -> None:
        super().remove_disk(folder)
        if self.scratch == "memory":
            super().remove_disk(self._disk_in_memory(folder))

    def _disk_in_memory(self, folder: str) -> str:
        return f"{self.run}/disks/{folder.strip('/').replace('/', '-')[-200:]}"

    def end_all(self, processes: list[Container | Exec]) -> None:
        try:
            os.kill(-1, signal.SIGKILL)  # from pid 1: all but us, in this pid namespace only
            while True:
                os.wait()
        except (ProcessLookupError, ChildProcessError):
            self.cgroups.close()
            unmount(f"{self.run}/{rootfs.SMALL}")
            if self.scratch == "memory":
                unmount(self.run)
                unmount(f"{self.run}/{rootfs.SMALL}")
