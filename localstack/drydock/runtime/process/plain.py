"""The plain tier: containers as ordinary child processes, for systems without usable namespaces (macOS, restricted Linux).

What it does **not** isolate:

* Files: the layers are copied into a folder of the container's own, the working directory is in it, and arguments, PATH
  and PYTHONPATH that name something there are rewritten to it; but a program that opens ``/app/x`` by itself opens the
  host's. Volumes are links in that folder. There is no read-only root, and ``user`` is ignored.
* Processes: all see each other.
* Network: one loopback for all. Python programs' ``bind`` and ``connect`` are rewritten (``injected/sitecustomize.py``);
  others bind the host's ports, so two of them cannot have the same one. There is no address inside that a sandbox could
  reach us at.

Above each program stands a small process of ours, its *keeper*: orphans come to it (Linux), so that it can kill
every descendant, a daemon that forked twice too. The helper holds a pipe to each; when that closes, by intent or because
the helper died, the keeper kills everything below it and ends.
"""

from __future__ import annotations

import errno
import os
import select
import signal

from drydock.runtime.process import hostfiles, launch
from drydock.runtime.process.copies import copy_layers
from drydock.runtime.process.folders import remove_tree
from drydock.runtime.process.kernel import adopt_orphans
from drydock.runtime.process.processes import descendants, kill, kill_below, snapshot
from drydock.runtime.process.rootfs import resolve_inside
from drydock.runtime.process.tier import Container, Exec, Sandbox, Tier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_INJECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "injected")


class PlainTier(Tier):
    name = "plain"

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.run = configuration["run"]
        self.usual_nofile = configuration["nofile"]

    def enter(self) -> dict[str, Any]:
        for name in ("ports", "bin", "l"):
            os.mkdir(f"{self.run}/{name}")
        hostfiles.link_python(f"{self.run}/bin")
        adopt_orphans()  # of a keeper that somebody killed
        return {}

    # ------------------------------------------------------------------ network: there is none of its own

    def open_sandbox(self, sandbox: Sandbox) -> None:
        return

    def close_sandbox(self, sandbox: Sandbox) -> None:
        return

    def sockets(self, sandbox: Sandbox, count: int) -> list[int]:
        raise OSError(errno.EOPNOTSUPP, "the plain tier has no network of its own")

    def listen(self, network: str, address: str, port: int) -> int:
        raise OSError(errno.EOPNOTSUPP, "the plain tier has no addresses of its own")

    # ------------------------------------------------------------------ processes

    def spawn(self, container: Container, stdio: list[int], report: int) -> None:
        container.has_init = True

        def keep(lifeline: int) -> NoReturn:
            root = f"{self.run}/{container.folder}/root"
            self._prepare(container.spec, root, lifeline)
            self._supervise(
                container, {"argv": container.spec["argv"], "pty": False, "env": {}}, stdio, report, lifeline
            )

        self._fork(container, keep, stdio, report)
        container.shown_pid = container.pid  # until the keeper tells the program's

    def spawn_exec(self, process: Exec, spec: dict[str, Any], stdio: list[int], report: int) -> None:
        def keep(lifeline: int) -> NoReturn:
            self._supervise(process.container, spec, stdio, report, lifeline)

        self._fork(process, keep, stdio, report)

    def open_pty(self, container: Container) -> tuple[int, int]:
        return os.openpty()

    def _fork(self, process: Container | Exec, keep: Callable[[int], NoReturn], stdio: list[int], report: int) -> None:
        lifeline, process.handle = os.pipe()
        try:
            process.pid = os.fork()
        except OSError:
            os.close(lifeline)
            self.kill(process)
            raise
        if process.pid == 0:
            try:
                launch.forget_parent({*stdio, report, lifeline})
                os.setsid()
                adopt_orphans()
                keep(lifeline)
            except BaseException as error:
                launch.fail(report, error)
        os.close(lifeline)

    def _prepare(self, spec: dict[str, Any], root: str, lifeline: int) -> None:
        poll = select.poll()
        poll.register(lifeline, select.POLLIN)

        def go_on() -> None:
            if poll.poll(0):
                raise OSError(errno.EINTR, "stopped before its files were there")

        copy_layers([os.path.realpath(f"{self.run}/{layer}") for layer in spec["layers"]], root, go_on)
        for name in ("root", "tmp"):
            os.makedirs(f"{root}/{name}", exist_ok=True)
        for source, target, _ in spec["mounts"]:
            point = resolve_inside(root, target)
            if os.path.isdir(point) and not os.listdir(point):
                os.rmdir(point)
            if os.path.lexists(point):
                raise OSError(errno.EEXIST, "the image has files there, which a link cannot hide (plain tier)", target)
            os.makedirs(os.path.dirname(point), exist_ok=True)
            os.symlink(source, point)

    def _supervise(
        self, container: Container, asked: dict[str, Any], stdio: list[int], report: int, lifeline: int
    ) -> NoReturn:
        apps: list[int] = []

        def start() -> int:
            pid = os.fork()
            if pid == 0:
                try:
                    signal.set_wakeup_fd(-1)
                    os.close(lifeline)
                    os.setsid()
                    self._run_program(container, asked, stdio, report)
                except BaseException as error:
                    launch.fail(report, error)
            apps.append(pid)
            launch.tell(report, pid=pid)
            for descriptor in {*stdio, report}:
                os.close(descriptor)  # else nobody would see the end of them
            return pid

        launch.supervise(start, lifeline, lambda _: kill_below(apps))

    def _run_program(self, container: Container, asked: dict[str, Any], stdio: list[int], report: int) -> NoReturn:
        spec, root = container.spec, f"{self.run}/{container.folder}/root"
        argv, pty = asked["argv"], asked["pty"]
        launch.take_stdio(stdio, pty)
        launch.set_limits({"nofile": self.usual_nofile, **spec["ulimits"]})
        cwd = _working_folder(spec, root)
        os.makedirs(cwd, exist_ok=True)
        os.chdir(cwd)
        env = {**asked["env"], **self._environment(container, root)}
        if pty:
            env.setdefault("TERM", "xterm")
        found = [self._command(argv[0], root), *(_rewritten(word, root) for word in argv[1:])]
        launch.run(found, env, report, named=argv[0])

    def _command(self, word: str, root: str) -> str:
        found = _rewritten(word, root)
        ours = f"{self.run}/bin/{os.path.basename(word)}"
        if found == word and word.startswith("/") and not os.path.exists(word) and os.path.exists(ours):
            return ours  # /usr/local/bin/python
        return found

    def _environment(self, container: Container, root: str) -> dict[str, str]:
        given: dict[str, str] = {
            "PATH": launch.DEFAULT_PATH,
            "HOME": f"{root}/root",
            "HOSTNAME": container.spec["hostname"],
            "TMPDIR": f"{root}/tmp",
            **container.spec["env"],
        }
        wanted = given["PATH"].split(":")
        first = [root + entry for entry in wanted if os.path.isdir(root + entry)]
        given["PATH"] = ":".join([*first, f"{self.run}/bin", *wanted])
        below = [_rewritten(entry, root) for entry in given.get("PYTHONPATH", "").split(":") if entry]
        given["PYTHONPATH"] = ":".join([_INJECTED, *below])
        given["DRYDOCK_PORTS"] = f"{self.run}/ports"
        given["DRYDOCK_ADDRESSES"] = ",".join(container.sandbox.addresses)
        return given

    # ------------------------------------------------------------------ ends

    def kill(self, process: Container | Exec) -> None:
        self.cut_lifeline(process)

    def ended(self, process: Container | Exec) -> bool:
        self.kill(process)
        return False

    def remove(self, folders: set[str]) -> None:
        for folder in folders:
            if os.path.isdir(f"{self.run}/{folder}"):
                remove_tree(f"{self.run}/{folder}")

    def kill_strays(self, known: set[int]) -> None:
        """Children that are ours only because their keeper was killed. Nothing of them is left when this returns."""
        while strays := _children() - known:
            for pid in [*strays, *descendants(strays, snapshot())]:
                kill(pid)
            for pid in strays:
                os.waitpid(pid, 0)  # what was below it comes to us now

    def end_all(self, processes: list[Container | Exec]) -> None:
        for process in processes:
            self.kill(process)
        known = {process.pid for process in processes}
        while True:
            try:
                pid, _ = os.wait()
            except ChildProcessError:
                return
            if pid in known:
                known.discard(pid)
                if not known:
                    self.kill_strays(set())


def _children() -> set[int]:
    """Ours; none where it cannot be told (not Linux, or no descriptor left to ask with)."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return {int(word) for word in file.read().split()}
    except OSError:
        return set()


def _working_folder(spec: dict[str, Any], root: str) -> str:
    """Where the program stands. A volume is a link out of the root, so what is in one is looked up by its mount."""
    wanted = os.path.normpath(spec["cwd"])
    for source, target, _ in sorted(spec["mounts"], key=lambda mount: len(mount[1]), reverse=True):
        point = os.path.normpath(target)
        if wanted == point or wanted.startswith(f"{point}/"):
            return f"{source}{wanted[len(point) :]}"
    return resolve_inside(root, wanted)


def _rewritten(word: str, root: str) -> str:
    """An absolute path that the image has, as it is really found."""
    if word.startswith("/") and word.strip("/") and os.path.lexists(root + word):
        return root + word
    return word
