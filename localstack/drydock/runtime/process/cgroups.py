"""The kernel's limits: a cgroup per container where we may make one (memory and CPU, version 1 or a delegated 2).

A run's cgroups are ``<our own cgroup>/drydock-<run>/<container>``. Version 1: below our own cgroup of each controller.
Version 2: below the nearest ancestor that already gives its children the controller (we change nobody's settings).
Everything made is written down in the run's folder, so that a later start can remove it (:mod:`folders`).
"""

from __future__ import annotations

import os

from drydock.runtime.process.folders import CGROUP_LIST, remove_cgroup
from drydock.runtime.process.kernel import write_file

_PERIOD = 100_000  # microseconds; the kernel's default, as Docker's


def _unescape(path: str) -> str:
    return path.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def own_folders(mountinfo: str, membership: str) -> dict[str, str]:
    """Controller -> our own cgroup's folder, for version 1; and ``"2"`` -> that of version 2.

    From the texts of ``/proc/self/mountinfo`` and ``/proc/self/cgroup``.
    """
    own: dict[str, str] = {}
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(",") if controllers else ("2",):
            own[controller] = path
    found = {}
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.partition(" ")
        if kind not in ("cgroup", "cgroup2"):
            continue
        root, point = left.split()[3:5]
        for controller in ["2"] if kind == "cgroup2" else options.split()[-1].split(","):
            ours = own.get(controller)
            if ours is not None and (ours + "/").startswith(root.rstrip("/") + "/"):
                found[controller] = (_unescape(point) + ours[len(root.rstrip("/")) :]).rstrip("/")
    return found


def _try_folder(parent: str, name: str) -> str | None:
    path = f"{parent}/{name}"
    try:
        os.mkdir(path)
    except OSError:
        return None  # not ours to make: the caller goes on without
    return path


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


class Cgroups:
    """``memory`` and ``cpu`` say how they are limited: ``cgroup v1``, ``cgroup v2`` or empty."""

    def __init__(self, run: str) -> None:
        self.memory = self.cpu = ""
        self._parents: dict[str, str] = {}
        self._run = run
        name = f"drydock-{os.path.basename(run)}"
        try:
            folders = own_folders(_read("/proc/self/mountinfo"), _read("/proc/self/cgroup"))
        except OSError:
            return  # a kernel without cgroups
        for controller, proof in (("memory", "memory.limit_in_bytes"), ("cpu", "cpu.cfs_quota_us")):
            path = _try_folder(folders[controller], name) if controller in folders else None
            if path is not None:
                self._keep(controller, path, proof)
        if "2" in folders and "memory" not in self._parents:
            self._make_version_2(folders["2"], name)
        if "memory" in self._parents:
            self.memory = "cgroup v2" if self._parents["memory"] == self._parents.get("2") else "cgroup v1"
        if "cpu" in self._parents:
            self.cpu = "cgroup v2" if self._parents["cpu"] == self._parents.get("2") else "cgroup v1"

    def _keep(self, controller: str, path: str, proof: str) -> None:
        if os.access(f"{path}/{proof}", os.W_OK):
            self._parents[controller] = path
            self._note(path)
        else:
            os.rmdir(path)

    def _note(self, path: str) -> None:
        with open(f"{self._run}/{CGROUP_LIST}", "a", encoding="utf-8") as list_:
            list_.write(path + "\n")

    def _make_version_2(self, own: str, name: str) -> None:
        folder = own
        while os.path.exists(f"{folder}/cgroup.subtree_control"):
            given = _read(f"{folder}/cgroup.subtree_control").split()
            if "memory" in given and os.access(f"{folder}/cgroup.procs", os.W_OK):
                break
            folder = os.path.dirname(folder)
        else:
            return
        path = _try_folder(folder, name)
        if path is None:
            return
        self._note(path)
        wanted = [controller for controller in ("memory", "cpu") if controller in given]
        try:
            write_file(f"{path}/cgroup.subtree_control", " ".join("+" + controller for controller in wanted))
        except OSError:
            os.rmdir(path)
            return
        self._parents["2"] = path
        for controller in wanted:
            self._parents.setdefault(controller, path)

    def create_group(self, name: str, memory: int, cpu: float) -> list[str]:
        """For a sandbox whose containers share a limit; theirs are made below it."""
        made = self._make({controller: f"{parent}/{name}" for controller, parent in self._parents.items()}, memory, cpu)
        version_2 = [path for path in made if path.startswith(self._parents.get("2", "\0") + "/")]
        try:
            for path in version_2:
                given = _read(f"{os.path.dirname(path)}/cgroup.subtree_control").split()
                write_file(f"{path}/cgroup.subtree_control", " ".join("+" + controller for controller in given))
        except OSError:
            self.remove(made)
            raise
        return made

    def create(self, name: str, memory: int, cpu: float, below: list[str]) -> list[str]:
        """The folders that the container's first process must join (write itself into ``cgroup.procs``).

        ``below`` is what :meth:`create_group` gave for its sandbox.
        """
        places = {}
        for controller, parent in self._parents.items():
            group = next((path for path in below if path.startswith(parent + "/")), None)
            places[controller] = f"{group or parent}/{name}"
        return self._make(places, memory, cpu, [path for path in places.values() if os.path.dirname(path) in below])

    def _make(self, places: dict[str, str], memory: int, cpu: float, always: list[str] | None = None) -> list[str]:
        """All or none of them."""
        made: list[str] = []
        try:
            for controller, wanted in (("memory", memory), ("cpu", cpu)):
                path = places.get(controller)
                if path is None or not (wanted or path in (always or [])):
                    continue
                if path not in made:
                    os.mkdir(path)
                    made.append(path)
                if wanted:
                    for file, value in self._settings(controller, path, memory, cpu):
                        write_file(f"{path}/{file}", value)
        except OSError:
            self.remove(made)
            raise
        return made

    def _settings(self, controller: str, path: str, memory: int, cpu: float) -> list[tuple[str, str]]:
        version_2 = path.startswith(self._parents.get("2", "\0") + "/")
        if controller == "cpu":
            quota = max(1000, int(cpu * _PERIOD))
            return [("cpu.max", f"{quota} {_PERIOD}")] if version_2 else [("cpu.cfs_quota_us", str(quota))]
        if version_2:
            settings = [("memory.max", str(memory)), ("memory.swap.max", "0")]
        else:
            settings = [("memory.limit_in_bytes", str(memory)), ("memory.memsw.limit_in_bytes", str(memory))]
        # The second, so that it does not swap instead; a kernel without swap accounting has no such file.
        return [(file, value) for file, value in settings if os.path.exists(f"{path}/{file}")]

    @staticmethod
    def killed_for_memory(folders: list[str]) -> bool:
        """Did the kernel kill a process in it for its limit?"""
        for folder in folders:
            for file in ("memory.oom_control", "memory.events"):
                if os.path.exists(f"{folder}/{file}"):
                    words = _read(f"{folder}/{file}").split()
                    if "oom_kill" in words and words[words.index("oom_kill") + 1] != "0":
                        return True
        return False

    @staticmethod
    def remove(folders: list[str]) -> None:
        for folder in folders:
            remove_cgroup(folder)

    def close(self) -> None:
        for path in set(self._parents.values()):
            remove_cgroup(path)
