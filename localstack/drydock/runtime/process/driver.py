"""The process runtime as the emulator sees it: the asyncio parent of the helper.

Back-pressure: ``on_output`` may return an awaitable; until it is done nothing more is read from that stream of that
container, so its writes block (:mod:`output`). A consumer that only appends to memory needs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from drydock.runtime.interface import (
    ContainerSpec,
    Exit,
    OnExit,
    OnOutput,
    Runtime,
    RuntimeFailure,
    RuntimeInfo,
    SandboxSpec,
    Serve,
    Usage,
)
from drydock.runtime.process import hostfiles, portmap
from drydock.runtime.process.channel import Channel
from drydock.runtime.process.folders import remove_run, take_run_folder
from drydock.runtime.process.listeners import Networks
from drydock.runtime.process.messages import EXHAUSTED, pack
from drydock.runtime.process.output import LineReader, finish
from drydock.runtime.process.probe import HelperRefused, choose_tier
from drydock.runtime.process.requests import container_request

log = logging.getLogger("drydock.runtime")

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[3])
_ENTRY = (
    "import sys; sys.path.insert(0, {!r}); from drydock.runtime.process.entry import run_from_command_line as go; go()"
)
_START_TIMEOUT = 20.0
_END_TIMEOUT = 10.0
_LEAK_PATIENCE = 1.0
"""Seconds to wait for the end of a pipe that outlives its container and in which nothing comes any more"""


class _Running:
    """A container or an exec whose owner has not been told its end yet."""

    def __init__(self, sandbox: str, on_exit: OnExit, readers: list[LineReader]) -> None:
        self.sandbox = sandbox
        self.on_exit = on_exit
        self.started = False
        self.finishing = False
        self.readers = readers
        self.ended = asyncio.get_running_loop().create_future()


class ProcessRuntime(Runtime):
    """``tier`` is ``auto`` (namespaces if they work here, else plain, ``info.reason`` says why), ``namespaces`` (or
    UserError) or ``plain``. ``state`` is a folder for what containers write while they run; several may share it."""

    def __init__(self, state: Path, tier: str = "auto") -> None:
        if tier not in ("auto", "namespaces", "plain"):
            raise ValueError(f"no such runtime tier: {tier}")
        self._state = state
        self._wanted = tier
        self.info = RuntimeInfo("process", tier, "not started")
        self._tier = ""
        self._run = ""
        self._helper: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._ready: asyncio.Future[dict[str, Any]] | None = None
        self._running: dict[tuple[bool, str], _Running] = {}
        self._execs: dict[str, str] = {}
        """What the helper calls an exec, by its name: a name may be used again while an earlier bearer's end is on its way"""
        self._exec_numbers = itertools.count(1)
        self._finishing: set[asyncio.Task[None]] = set()
        self._sandboxes: dict[str, SandboxSpec] = {}
        self._networks = Networks(self._call)
        self._on_lost: Callable[[str], None] | None = None
        self._rootless = True
        self._keeps_disks = True

    # ------------------------------------------------------------------ start and end

    async def start(self, on_lost: Callable[[str], None]) -> None:
        """Raises UserError if the tier that was asked for does not work here."""
        self.info = await choose_tier(self, self._wanted)
        self._on_lost = on_lost

    async def launch(self, tier: str) -> dict[str, Any]:
        """Start a helper for the tier: what it says of itself. Raises HelperRefused."""
        loop = asyncio.get_running_loop()
        self._run, lock = await asyncio.to_thread(take_run_folder, str(self._state))  # may have much to sweep
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        configuration = {"tier": tier, "run": self._run, "lock": lock, "host": hostfiles.described()}
        # -I -S: nothing of the user's environment, and half the start-up time. A session of its own: Ctrl-C is ours.
        command = [sys.executable, "-I", "-S", "-c", _ENTRY.format(_PACKAGE_ROOT), str(theirs.fileno())]
        with ours, theirs:
            ours.sendall(pack(configuration))
            self._helper = subprocess.Popen(  # noqa: ASYNC220 - takes a millisecond, and a thread's end would end it
                command,
                env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
                pass_fds=(theirs.fileno(), lock),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            self._ready = loop.create_future()
            self._channel = Channel(ours.dup(), self._handle_event, self._handle_end)
        os.close(lock)
        try:
            said = await asyncio.wait_for(self._ready, _START_TIMEOUT)
        except (HelperRefused, TimeoutError) as error:
            await self.close()
            if isinstance(error, TimeoutError):
                raise HelperRefused(f"the helper did not become ready within {_START_TIMEOUT:.0f} seconds") from error
            raise
        self._tier = tier
        self._rootless = said.get("rootless", True)
        self._keeps_disks = said.get("scratch") != "memory"
        return said

    async def close(self) -> None:
        """Also after a failed start. Containers that still run end with code 137, and their ``on_exit`` is called."""
        self._on_lost = None
        if self._channel is not None and self._channel.open:
            if self._running:
                await self._end_running()
            self._channel.close()
        self._channel = None
        if self._finishing:
            await asyncio.wait(self._finishing)
        if self._helper is not None:
            await asyncio.to_thread(self._wait_for_helper, self._helper)
            self._helper = None
        if self._run and os.path.isdir(self._run):  # the helper removes it, unless it was killed
            await asyncio.to_thread(remove_run, self._run)
        self._sandboxes.clear()
        self._networks.forget()

    async def _end_running(self) -> None:
        waiting = [running.ended for running in self._running.values()]
        try:
            await self._call("end")
        except RuntimeFailure as error:
            log.warning("the runtime's helper went before its containers: %s", error)
            return
        await asyncio.wait(waiting, timeout=_END_TIMEOUT)

    @staticmethod
    def _wait_for_helper(helper: subprocess.Popen[bytes]) -> None:
        try:
            helper.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            log.warning("the runtime's helper process %d did not end by itself; it was killed", helper.pid)
            helper.kill()
            helper.wait()

    # ------------------------------------------------------------------ what the helper says

    async def _call(
        self, operation: str, descriptors: list[int] | None = None, **arguments: Any
    ) -> tuple[Any, list[int]]:
        if self._channel is None:
            raise RuntimeFailure("the runtime is not started")
        return await self._channel.call(operation, descriptors or [], **arguments)

    def _handle_event(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "exit":
            self._handle_exit(event)
        elif self._ready is not None and not self._ready.done():
            if kind == "ready":
                self._ready.set_result(event)
            else:
                self._ready.set_exception(HelperRefused(event["error"], event["errno"]))

    def _handle_exit(self, event: dict[str, Any]) -> None:
        key = (event["exec"], event["name"])
        refused = not event["exec"] and event["errno"] in EXHAUSTED  # its start was answered so, and raises
        if key in self._running and not refused:
            self._finish(key, Exit(event["code"], event["out_of_memory"], event["error"]))

    def _finish(self, key: tuple[bool, str], how: Exit) -> None:
        running = self._running[key]
        if running.finishing:
            return
        running.finishing = True

        async def after_output() -> None:
            if running.readers:
                await finish(running.readers, _LEAK_PATIENCE)
            self._forget(key)
            try:
                running.on_exit(how)
            finally:
                running.ended.set_result(None)

        task = asyncio.get_running_loop().create_task(after_output())
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    def _handle_end(self) -> None:
        """The helper is gone, and its containers with it."""
        why = "the runtime's helper process ended"
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(HelperRefused(f"{why} while it made ready"))
        for key, running in self._running.items():
            if running.started:  # the others' starts fail
                self._finish(key, Exit(137, error=why))
        self._sandboxes.clear()
        self._networks.forget()
        if self._on_lost is not None:
            self._on_lost(why)

    # ------------------------------------------------------------------ sandboxes

    async def create_sandbox(self, spec: SandboxSpec) -> None:
        await self._networks.enter(spec.network)
        try:
            await self._call("create_sandbox", **{**asdict(spec), "addresses": list(spec.addresses)})
        except RuntimeFailure:
            await self._networks.leave(spec.network)
            raise
        self._sandboxes[spec.name] = spec

    async def remove_sandbox(self, name: str) -> None:
        spec = self._sandboxes.pop(name, None)
        if spec is None:
            return
        waiting = [running.ended for running in self._running.values() if running.sandbox == name]
        await self._call("remove_sandbox", name=name)
        if waiting:
            await asyncio.wait(waiting, timeout=_END_TIMEOUT)
        portmap.forget(self._run, spec.addresses)
        await self._networks.leave(spec.network)

    async def connect(self, sandbox: str, port: int, address: str | None = None) -> socket.socket:
        spec = self._sandboxes.get(sandbox)
        if spec is None:
            raise ConnectionRefusedError(f"no such sandbox: {sandbox}")
        if self._tier == "plain":
            target = ("127.0.0.1", await self._real_port(spec, port))
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        else:
            target = (address or spec.addresses[0], port)
            try:
                _, descriptors = await self._call("sockets", sandbox=sandbox, count=1)
            except RuntimeFailure as error:
                raise ConnectionRefusedError(str(error)) from error
            made = socket.socket(fileno=descriptors[0])
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, target)
        except BaseException:
            made.close()
            raise
        return made

    async def bind(self, sandbox: str, port: int) -> socket.socket:
        if self._tier == "plain":
            raise OSError(errno.EOPNOTSUPP, "the plain tier has no network of its own")
        try:
            _, descriptors = await self._call("sockets", sandbox=sandbox, count=1)
        except RuntimeFailure as error:
            raise OSError(errno.ENETDOWN, str(error)) from error
        made = socket.socket(fileno=descriptors[0])
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("0.0.0.0", port))  # noqa: S104 - of the sandbox, whose network the socket is of
            made.listen(1024)
        except OSError:
            made.close()
            raise
        return made

    async def _real_port(self, spec: SandboxSpec, port: int) -> int:
        mapped = portmap.find(self._run, spec.addresses, port)
        if mapped is not None:
            return mapped
        result, _ = await self._call("owns_port", sandbox=spec.name, port=port)
        if not result["owns"]:
            raise ConnectionRefusedError(f"nothing in {spec.name} listens on port {port}")
        return port

    async def listen(self, address: str, port: int, serve: Serve) -> bool:
        if self._tier == "plain":
            return False
        await self._networks.listen(address, port, serve)
        return True

    # ------------------------------------------------------------------ containers

    async def start_container(self, spec: ContainerSpec, on_output: OnOutput, on_exit: OnExit) -> int | None:
        if (False, spec.name) in self._running:
            raise RuntimeFailure(f"there is a container {spec.name} already")
        request, warnings = container_request(spec, self._tier, self._rootless)
        if request["disk"]:
            request["disk"] = os.path.realpath(spec.disk)
            if not self._keeps_disks:
                warnings.append("its disk is in memory (the state folder is on an overlay), and goes with the emulator")
        for warning in warnings:
            log.warning("container %s: %s", spec.name, warning)
        ends, readers = [os.open(os.devnull, os.O_RDONLY)], []
        for stream in ("stdout", "stderr"):
            ours, theirs = os.pipe()
            ends.append(theirs)
            readers.append(LineReader(ours, _line_to(on_output, stream)))
        running = self._running[False, spec.name] = _Running(spec.sandbox, on_exit, readers)
        try:
            result, _ = await self._call("start", ends, name=spec.name, sandbox=spec.sandbox, spec=request)
            running.started = True
        except RuntimeFailure:
            del self._running[False, spec.name]
            for reader in readers:
                reader.close()
            raise
        finally:
            for descriptor in ends:
                os.close(descriptor)  # ours would keep the pipes from ending
        pid: int | None = result["pid"]
        return pid

    async def stop_container(self, name: str, timeout: float) -> None:
        if (False, name) in self._running:
            await self._call("stop", name=name, timeout=timeout)

    async def kill_exec(self, name: str) -> None:
        if name in self._execs:
            await self._call("kill_exec", name=self._execs[name])

    async def remove_disk(self, disk: str) -> None:
        await self._call("remove_disk", disk=os.path.realpath(disk))

    async def listening(self, container: str, known: Collection[int] = ()) -> list[int]:
        if self._tier == "plain":
            return []
        result, _ = await self._call("listening", container=container, known=list(known))
        return list(result["ports"])

    async def usage(self) -> dict[str, Usage]:
        result, _ = await self._call("usage")
        return {name: Usage(memory, cpu, count) for name, (memory, cpu, count) in result.items()}

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
        """The descriptors in ``stdio`` stay the caller's, who closes them when this returns."""
        if name in self._execs:
            raise RuntimeFailure(f"there is an exec {name} already")
        if not pty and stdio is None:
            raise RuntimeFailure("an exec needs a pty or three descriptors")
        inner = self._execs[name] = f"{name}.{next(self._exec_numbers)}"
        running = self._running[True, inner] = _Running("", on_exit, [])
        passed = [] if pty or stdio is None else list(stdio)
        try:
            asked = {"argv": list(argv), "pty": pty, "user": user, "env": env or {}}
            _, descriptors = await self._call("exec", passed, name=inner, container=container, spec=asked)
            running.started = True
        except RuntimeFailure:
            self._forget((True, inner))
            raise
        except asyncio.CancelledError:  # perhaps the helper starts it, perhaps it refuses; then it kills it
            self._forget((True, inner))
            killing = asyncio.get_running_loop().create_task(self._kill_unanswered(inner))
            self._finishing.add(killing)
            killing.add_done_callback(self._finishing.discard)
            raise
        return descriptors[0] if descriptors else None

    def _forget(self, key: tuple[bool, str]) -> None:
        self._running.pop(key, None)
        if key[0]:
            self._execs = {name: inner for name, inner in self._execs.items() if inner != key[1]}

    async def _kill_unanswered(self, name: str) -> None:
        with contextlib.suppress(RuntimeFailure):  # then the helper has ended, and all execs with it
            await self._call("kill_exec", name=name)


def _line_to(on_output: Callable[[str, bytes], object], stream: str) -> Callable[[bytes], object]:
    return lambda line: on_output(stream, line)
