"""The emulator's side of the data plane: opens ports, and decides about every connection."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drydock.dataplane.balancers import Balancers
from drydock.dataplane.outbox import Outbox
from drydock.dataplane.refusals import NotAdmitted, PlaneFailure
from drydock.runtime.process.messages import RECEIVE_SIZE, Inbox

log = logging.getLogger(__name__)
Connect = Callable[[str, int, bool], Awaitable[socket.socket]]
"""(sandbox, port, from inside of its network) -> a connected socket. Raises OSError, also for what may not be reached."""


RESTART_AFTER = 0.2
"""Real seconds; a process that dies at once must not keep us busy"""


@dataclass
class Port:
    """A port of ours that leads into a sandbox, or a listener inside one that does (then we keep its socket)."""

    number: int
    sandbox: str
    target_port: int
    host: str = ""
    outside: int = 0
    listener: socket.socket | None = None

    @property
    def message(self) -> dict[str, Any]:
        """What the process is told."""
        found = {"do": "open", "id": self.number, "sandbox": self.sandbox, "target_port": self.target_port}
        if self.listener is not None:
            return {**found, "inside": True, "fds": 1}
        return {**found, "host": self.host, "port": self.outside}


class DataPlane:
    """Starts its child when it is first needed; if the child dies, another one is started and told everything again."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._child: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._outbox: Outbox | None = None
        self._inbox = Inbox()
        self._numbers = itertools.count(1)
        self._opening: dict[int, asyncio.Future[int]] = {}
        self._open: dict[tuple[str, int], Port] = {}
        self._adopted: list[Port] = []
        self._work: set[asyncio.Task[None]] = set()
        self._closed = False
        self.balancers = Balancers(self._say)

    @property
    def pid(self) -> int | None:
        """The child's, while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    def endpoints(self) -> list[tuple[str, int, str, int]]:
        """(sandbox, port inside, address and port on this machine)"""
        return [(each.sandbox, each.target_port, each.host, each.outside) for each in self._open.values()]

    async def open(self, sandbox: str, port: int, host: str = "127.0.0.1", outside: int = 0) -> int:
        """Forward a port of ours (0: any free one) to a port in a sandbox; the answer is ours. Raises PlaneFailure."""
        if (sandbox, port) in self._open:
            return self._open[sandbox, port].outside
        opened = Port(next(self._numbers), sandbox, port, host, outside)
        opened.outside = await self._opened(opened)
        self._open[sandbox, port] = opened
        return opened.outside

    async def adopt(self, sandbox: str, port: int, listener: socket.socket) -> None:
        """Forward what comes to ``listener``, a socket inside some network, to a port in a sandbox. The socket stays the
        caller's, who may close it. Raises PlaneFailure."""
        opened = Port(next(self._numbers), sandbox, port, listener=listener.dup())
        await self._opened(opened)
        self._adopted.append(opened)

    async def _opened(self, port: Port) -> int:
        answer = self._opening[port.number] = asyncio.get_running_loop().create_future()
        self._say(port.message, [port.listener.fileno()] if port.listener else [])
        return await answer

    def close_sandbox(self, sandbox: str) -> None:
        """Stop forwarding into a sandbox that goes."""
        gone = [each for each in self._adopted if each.sandbox == sandbox]
        self._adopted = [each for each in self._adopted if each.sandbox != sandbox]
        gone += [self._open.pop(key) for key in [key for key in self._open if key[0] == sandbox]]
        for each in gone:
            if each.listener is not None:
                each.listener.close()
            if self.pid:
                self._say({"do": "close", "id": each.number})

    def close_port(self, sandbox: str, port: int) -> None:
        """Stop forwarding one port that :meth:`open` opened."""
        entry = self._open.pop((sandbox, port), None)
        if entry is not None and self.pid:
            self._say({"do": "close", "id": entry.number})

    async def close(self) -> None:
        """End the child."""
        self._closed = True
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            if self._outbox is not None:
                self._outbox.close()
            self._control.close()
            self._control = None
        if self._child is not None:
            await asyncio.to_thread(self._child.wait, 10)
            self._child = None
        self._open.clear()
        self.balancers.close()

    def _start(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        ours, theirs = socket.socketpair()
        with theirs:
            root = str(Path(__file__).resolve().parents[2])
            self._child = subprocess.Popen(
                [sys.executable, "-m", "drydock.dataplane.child", str(theirs.fileno())],
                env={"PYTHONPATH": root, "PATH": os.defpath},
                pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        ours.setblocking(False)
        self._control, self._inbox, self._outbox = ours, Inbox(), Outbox(ours)
        asyncio.get_running_loop().add_reader(ours, self._readable, ours)

    def _readable(self, control: socket.socket) -> None:
        try:
            data = control.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost(control)
            return
        for message, _ in self._inbox.feed(data, []):
            self._take(message)

    def _lost(self, control: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(control)
        if self._outbox is not None:
            self._outbox.close()
        control.close()
        self._control = self._outbox = None
        for answer in self._opening.values():
            if not answer.done():
                answer.set_exception(PlaneFailure("the data plane's process has ended"))
        self._opening.clear()
        self.balancers.lost()
        log.error("the data plane's process has ended; another one takes over its ports")
        asyncio.get_running_loop().call_later(RESTART_AFTER, self._restart)

    def _restart(self) -> None:
        """Sockets in which others listen have kept their place: what came meanwhile is waiting there."""
        if not self._closed and self._control is None and (self._open or self._adopted or self.balancers.any):
            self._start()
            self._tell_again()

    def _tell_again(self) -> None:
        for each in [*self._open.values(), *self._adopted]:
            self._say(each.message, [each.listener.fileno()] if each.listener else [])
        self.balancers.tell_again()

    def _take(self, message: dict[str, Any]) -> None:
        if "opened" in message:
            answer = self._opening.pop(message["opened"], None)
            if answer is None or answer.done():
                return
            if "error" in message:
                answer.set_exception(PlaneFailure(message["error"]))
            else:
                answer.set_result(message["port"])
        elif "connect" in message:
            work = asyncio.get_running_loop().create_task(self._let_in(message))
            self._work.add(work)
            work.add_done_callback(self._work.discard)
        else:
            self.balancers.take(message)

    async def _let_in(self, message: dict[str, Any]) -> None:
        try:
            inside = await self._connect(message["sandbox"], message["port"], bool(message.get("inside")))
        except OSError as error:
            silent = isinstance(error, NotAdmitted)
            self._say({"do": "connected", "id": message["connect"], "error": str(error), "silent": silent})
            return
        with inside:
            self._say({"do": "connected", "id": message["connect"], "fds": 1}, [inside.fileno()])

    def _say(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        if self._closed:
            return
        if self._control is None:
            self._start()
            self._tell_again()
            if message["do"] in ("balance", "listen"):
                return  # it was among what was told
        assert self._outbox is not None
        self._outbox.send(message, descriptors)
