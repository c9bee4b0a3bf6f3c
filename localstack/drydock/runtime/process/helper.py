"""The helper process: one thread, one loop, parent of all containers.

It does what the emulator asks through its socket, reaps, keeps stop time-outs and memory limits, and when the socket
ends (the emulator is gone, however it went) it kills everything and cleans up. Started by :mod:`driver` with ``-I -S``
and an empty environment; it must not import asyncio, typing, dataclasses or the rest of the emulator: every container
is forked from it, so it has to be small.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import time

from drydock.runtime.process import launch
from drydock.runtime.process.folders import remove_tree
from drydock.runtime.process.limits import Limits
from drydock.runtime.process.measure import measure
from drydock.runtime.process.messages import EXHAUSTED, MOST_DESCRIPTORS, RECEIVE_SIZE, Inbox, pack
from drydock.runtime.process.processes import held, holds_listener, listeners
from drydock.runtime.process.tier import Container, Exec, Sandbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from drydock.runtime.process.tier import Tier

_Answer = tuple["dict[str, Any]", "list[int]"]


class Helper:
    def __init__(self, control: socket.socket, tier: Tier) -> None:
        self.control = control
        self.tier = tier
        self.sandboxes: dict[str, Sandbox] = {}
        self.containers: dict[int, Container] = {}
        self.execs: dict[int, Exec] = {}
        self.reports: dict[int, Container | Exec] = {}
        self.links: dict[str, str] = {}
        self.deadlines: list[tuple[float, Container]] = []
        self.limits = Limits()
        self.removers: dict[int, int | None] = {}
        """Children that remove files, and the messages whose answers wait for them"""
        self.started = 0
        self.poll = select.poll()

    # ------------------------------------------------------------------ the loop

    def serve(self, ready: dict[str, Any]) -> None:
        wake, noted = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(noted, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(noted, warn_on_full_buffer=False)
        # The children inherit this: a SIGTERM before they are ready for it waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, launch.FORWARDED)
        inbox = Inbox()
        self.poll.register(self.control, select.POLLIN)
        self.poll.register(wake, select.POLLIN)
        self.send({"event": "ready", **ready})
        while True:
            found = {descriptor for descriptor, _ in self.poll.poll(self.patience())}
            for report in found & self.reports.keys():
                self.read_report(self.reports[report])
            if wake in found:
                os.read(wake, 4096)
                self.reap()
            if self.control.fileno() in found:
                self.receive(inbox)
            self.kill_overdue()
            self.limits.enforce(self.containers, self.execs)

    def patience(self) -> float | None:
        """Milliseconds until something is due."""
        due = [when for when, _ in self.deadlines]
        if any(container.polled or container.sandbox.polled for container in self.containers.values()):
            due.append(self.limits.next_check)
        return max(0.0, (min(due) - time.monotonic()) * 1000 + 0.5) if due else None

    def receive(self, inbox: Inbox) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self.control, RECEIVE_SIZE, MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionError:
            data, descriptors = b"", []
        if not data:
            self.shut_down()
        for message, mine in inbox.feed(data, descriptors):
            self.answer(message, mine)

    def send(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        data = pack({**message, "fds": len(descriptors or ())})
        try:
            sent = socket.send_fds(self.control, [data], descriptors or [])
            self.control.sendall(data[sent:])
        except OSError:
            self.shut_down()

    def answer(self, message: dict[str, Any], descriptors: list[int]) -> None:
        passed: list[int] = []
        try:
            if len(descriptors) < message["fds"]:  # the kernel drops those for which there is no room
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            operation = getattr(self, "do_" + message["op"])
            answered = operation(message["id"], descriptors, **message["args"])
            if answered is not None:
                result, passed = answered
                self.send({"id": message["id"], "result": result}, passed)
        except (OSError, LookupError) as error:
            self.send({"id": message["id"], **described(error)})
        for descriptor in [*descriptors, *passed]:
            os.close(descriptor)

    def shut_down(self) -> None:
        self.tier.end_all([*self.containers.values(), *self.execs.values()])
        remove_tree(self.tier.run)
        os._exit(0)

    # ------------------------------------------------------------------ sandboxes and sockets

    def do_open_network(self, _: int, __: list[int], name: str) -> _Answer:
        self.tier.open_network(name)
        return {}, []

    def do_close_network(self, _: int, __: list[int], name: str) -> _Answer:
        self.tier.close_network(name)
        return {}, []

    def do_create_sandbox(self, _: int, __: list[int], name: str, memory: int, cpu: float, **place: Any) -> _Answer:
        if name in self.sandboxes:
            raise LookupError(f"there is a sandbox {name} already")
        sandbox = Sandbox(name, place["hostname"], place["addresses"], place["network"], memory, cpu)
        self.tier.open_sandbox(sandbox)
        self.sandboxes[name] = sandbox
        return {}, []

    def do_remove_sandbox(self, _: int, __: list[int], name: str) -> _Answer:
        """Kill what runs in it; the exits follow."""
        sandbox = self.sandboxes.pop(name, None)
        if sandbox is None:
            return {}, []
        for container in self.containers.values():
            if container.sandbox is sandbox:
                self.tier.kill(container)
        try:
            self.tier.close_sandbox(sandbox)
        finally:
            self.release(sandbox)
        return {}, []

    def release(self, sandbox: Sandbox) -> None:
        """If it was removed and nothing runs in it any more."""
        if sandbox.name not in self.sandboxes and not any(c.sandbox is sandbox for c in self.containers.values()):
            self.tier.release_sandbox(sandbox)

    def do_sockets(self, _: int, __: list[int], sandbox: str, count: int) -> _Answer:
        return {}, self.tier.sockets(self.sandbox(sandbox), count)

    def do_listen(self, _: int, __: list[int], network: str, address: str, port: int) -> _Answer:
        return {}, [self.tier.listen(network, address, port)]

    def do_end(self, _: int, __: list[int]) -> _Answer:
        """Kill all containers; their exits follow."""
        for container in self.containers.values():
            self.tier.kill(container)
        return {}, []

    def sandbox(self, name: str) -> Sandbox:
        if name not in self.sandboxes:
            raise LookupError(f"no such sandbox: {name}")
        return self.sandboxes[name]

    def do_owns_port(self, _: int, __: list[int], sandbox: str, port: int) -> _Answer:
        """Does a program of this sandbox listen on that port of the host? (Linux; elsewhere it cannot be known.)"""
        place = self.sandbox(sandbox)
        pids = [
            pid
            for top, parts in measure(self.containers, self.execs).items()
            if self.containers[top].sandbox is place
            for _, _, pid in parts
        ]
        return {"owns": holds_listener(pids, port)}, []

    def do_listening(self, _: int, __: list[int], container: str, known: list[int]) -> _Answer:
        """The ports on which programs of the container listen; whose those in ``known`` are is not asked again."""
        target = self.find(container)
        found = listeners(target.pid) if target is not None else {}
        fresh = {link for port, link in found.items() if port not in known}
        mine: set[str] = set()
        if target is not None and fresh:
            mine = held([pid for _, _, pid in measure(self.containers, self.execs)[target.pid]], fresh)
        return {"ports": [port for port, link in found.items() if port in known or link in mine]}, []

    # ------------------------------------------------------------------ containers

    def do_start(self, asked: int, stdio: list[int], name: str, sandbox: str, spec: dict[str, Any]) -> None:
        """Answered when the program has started, or could not be."""
        place = self.sandbox(sandbox)
        if self.find(name) is not None:
            raise LookupError(f"there is a container {name} already")
        self.started += 1
        folder = f"c{self.started}"
        spec = {**spec, "hostname": place.hostname, "layers": [self.link(layer) for layer in spec["layers"]]}
        spec["address"] = place.addresses[0] if place.addresses else "127.0.0.1"
        if spec["disk"]:
            spec["disk"] = self.link(self.tier.disk(spec["disk"]))
        container = Container(name, place, spec, folder)
        theirs = self.open_report(container)
        try:
            self.tier.spawn(container, stdio, theirs)
        except OSError:
            self.close_report(container)
            self.remove([folder])
            raise
        finally:
            os.close(theirs)
        container.asked = asked
        self.containers[container.pid] = container
        self.limits.next_check = 0.0

    def do_exec(self, _: int, stdio: list[int], name: str, container: str, spec: dict[str, Any]) -> _Answer:
        target = self.find(container)
        if target is None or target.asked is not None:
            raise LookupError(f"no such running container: {container}")
        process, pty = Exec(name, target), spec["pty"]
        master, slave = self.tier.open_pty(target) if pty else (-1, -1)
        theirs = self.open_report(process)
        try:
            self.tier.spawn_exec(process, spec, [slave] * 3 if pty else stdio, theirs)
        except OSError:
            self.close_report(process)
            if pty:
                os.close(master)
            raise
        finally:
            os.close(theirs)
            if pty:
                os.close(slave)
        self.execs[process.pid] = process
        return {}, [master] if pty else []

    def do_kill_exec(self, _: int, __: list[int], name: str) -> _Answer:
        for process in self.execs.values():
            if process.name == name:
                self.tier.kill(process)
        return {}, []

    def do_stop(self, _: int, __: list[int], name: str, timeout: float) -> _Answer:
        container = self.find(name)
        if container is not None:
            if all(told is not container for _, told in self.deadlines):  # who is told again may have less time
                os.kill(container.pid, signal.SIGTERM)
            self.deadlines.append((time.monotonic() + timeout, container))
        return {}, []

    def do_remove_disk(self, asked: int, _: list[int], disk: str) -> None:
        """Answered when it is gone."""
        pid = os.fork()  # there may be many files, and the loop must not wait for that
        if pid == 0:
            try:
                launch.forget_parent(set())
                self.tier.remove_disk(disk)
            except OSError as error:
                os.write(2, f"drydock: a disk remains: {error}\n".encode())
            os._exit(0)
        self.removers[pid] = asked

    def find(self, name: str) -> Container | None:
        return next((container for container in self.containers.values() if container.name == name), None)

    def link(self, layer: str) -> str:
        """A short name for a layer's folder, relative to the run's."""
        if layer not in self.links:
            name = f"l/{len(self.links)}"
            os.symlink(layer, f"{self.tier.run}/{name}")
            self.links[layer] = name
        return self.links[layer]

    # ------------------------------------------------------------------ reports and ends

    def open_report(self, process: Container | Exec) -> int:
        """The child's end."""
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        process.report = ours
        self.reports[ours] = process
        self.poll.register(ours, select.POLLIN | select.POLLHUP)
        return theirs

    def close_report(self, process: Container | Exec) -> None:
        if process.report >= 0:
            self.poll.unregister(process.report)
            del self.reports[process.report]
            os.close(process.report)
            process.report = -1

    def read_report(self, process: Container | Exec) -> None:
        """Its end means that the program has started, or that there is none and an error stands in it."""
        if process.report < 0:
            return
        while True:
            try:
                data = os.read(process.report, 4096)
            except BlockingIOError:
                return
            process.said += data
            if not data:
                break
        self.close_report(process)
        said = heard(process)
        process.shown_pid = said.get("pid", process.shown_pid)
        if isinstance(process, Container) and "error" not in said:
            self.tell_started(process)

    def tell_started(self, container: Container) -> None:
        """Or that there is no program: then only when its child has ended, so that nobody takes that for the program."""
        if container.asked is not None:
            said = heard(container)
            if said.get("errno") in EXHAUSTED:
                self.send({"id": container.asked, "error": said["error"], "errno": said["errno"]})
            else:
                self.send({"id": container.asked, "result": {"pid": None if "error" in said else container.shown_pid}})
            container.asked = None

    def reap(self) -> None:
        ended: list[tuple[Container | Exec, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            process = self.containers.pop(pid, None) or self.execs.pop(pid, None)
            if process is None:
                asked = self.removers.pop(pid, None)
                if asked is not None:
                    self.send({"id": asked, "result": {}})
                continue
            ended.append((process, status))
        self.tier.kill_strays(self.containers.keys() | self.execs.keys() | self.removers.keys())
        folders = []
        for process, status in ended:  # whose end is told when nothing of them is left
            self.read_report(process)
            self.close_report(process)
            if isinstance(process, Container):
                self.tell_started(process)
                folders.append(process.folder)
                for execution in self.execs.values():
                    if execution.container is process:
                        self.tier.kill(execution)
            self.tell_exit(process, launch.exit_code(status))
            if isinstance(process, Container):
                self.release(process.sandbox)
        if folders:
            self.remove(folders)

    def tell_exit(self, process: Container | Exec, code: int) -> None:
        by_kernel = self.tier.ended(process)
        hit = by_kernel or (isinstance(process, Container) and process.limit_hit)
        event = {"event": "exit", "name": process.name, "exec": isinstance(process, Exec), "code": code}
        event["out_of_memory"] = hit and code == 128 + signal.SIGKILL
        said = heard(process)
        self.send({**event, "error": said.get("error"), "errno": said.get("errno")})

    def remove(self, folders: list[str]) -> None:
        """In a child: an image builder's container may have written many files, and the loop must not wait for that."""
        pid = os.fork()
        if pid == 0:
            try:
                launch.forget_parent(set())
                self.tier.remove(set(folders))
            except OSError as error:
                os.write(2, f"drydock: a container's folder remains: {error}\n".encode())
            os._exit(0)
        self.removers[pid] = None

    def kill_overdue(self) -> None:
        now = time.monotonic()
        for when, container in self.deadlines:
            if when <= now and self.containers.get(container.pid) is container:
                self.tier.kill(container)
        self.deadlines = [
            (when, container)
            for when, container in self.deadlines
            if when > now and self.containers.get(container.pid) is container
        ]

    # ------------------------------------------------------------------ usage

    def do_usage(self, _: int, __: list[int]) -> _Answer:
        result = {}
        for pid, parts in measure(self.containers, self.execs).items():
            programs = [memory for memory, _, _ in parts if memory >= 0]
            result[self.containers[pid].name] = [sum(programs), sum(cpu for _, cpu, _ in parts), len(programs)]
        return result, []


def heard(process: Container | Exec) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for message, _ in Inbox().feed(process.said, []):
        said.update(message)
    return said


def described(error: Exception) -> dict[str, Any]:
    if isinstance(error, OSError):
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return {"error": text, "errno": error.errno}
    return {"error": str(error.args[0] if error.args else error), "errno": None}
