"""The emulator's side of the data plane: opens ports, and decides about every connection."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from drydock.runtime.process.messages import RECEIVE_SIZE, Inbox, pack

log = logging.getLogger(__name__)
Connect = Callable[[str, int, bool], Awaitable[socket.socket]]
"""(sandbox, port, from inside of its network) -> a connected socket. Raises OSError, also for what may not be reached."""


class PlaneFailure(Exception):
    """A port could not be opened."""


class NotAdmitted(OSError):
    """Security groups or routes keep the connection out. As on AWS nobody answers it: it hangs until it is cut."""


class DataPlane:
    """Starts its child when the first port is opened; if the child dies, the next opening starts another."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._child: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._inbox = Inbox()
        self._numbers = itertools.count(1)
        self._opening: dict[int, asyncio.Future[int]] = {}
        self._open: dict[tuple[str, int], tuple[int, str, int]] = {}
        self._adopted: list[tuple[str, int]] = []
        self._work: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The child's, while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    def endpoints(self) -> list[tuple[str, int, str, int]]:
        """(sandbox, port inside, address and port on this machine)"""
        return [(sandbox, port, host, outside) for (sandbox, port), (_, host, outside) in self._open.items()]

    async def open(self, sandbox: str, port: int, host: str = "127.0.0.1", outside: int = 0) -> int:
        """Forward a port of ours (0: any free one) to a port in a sandbox; the answer is ours. Raises PlaneFailure."""
        if (sandbox, port) in self._open:
            return self._open[sandbox, port][2]
        self._start()
        number = next(self._numbers)
        answer = self._opening[number] = asyncio.get_running_loop().create_future()
        self._say({"do": "open", "id": number, "sandbox": sandbox, "target_port": port, "host": host, "port": outside})
        found = await answer
        self._open[sandbox, port] = (number, host, found)
        return found

    async def adopt(self, sandbox: str, port: int, listener: socket.socket) -> None:
        """Forward what comes to ``listener``, a socket inside some network, to a port in a sandbox. The socket stays the
        caller's, who closes it. Raises PlaneFailure."""
        self._start()
        number = next(self._numbers)
        answer = self._opening[number] = asyncio.get_running_loop().create_future()
        message = {"do": "open", "id": number, "sandbox": sandbox, "target_port": port, "inside": True, "fds": 1}
        self._say(message, [listener.fileno()])
        self._adopted.append((sandbox, number))
        await answer

    def close_sandbox(self, sandbox: str) -> None:
        """Stop forwarding into a sandbox that goes."""
        numbers = [number for name, number in self._adopted if name == sandbox]
        self._adopted = [entry for entry in self._adopted if entry[0] != sandbox]
        numbers += [self._open.pop(key)[0] for key in [key for key in self._open if key[0] == sandbox]]
        for number in numbers if self.pid else []:
            self._say({"do": "close", "id": number})

    def close_port(self, sandbox: str, port: int) -> None:
        """Stop forwarding one port that :meth:`open` opened."""
        entry = self._open.pop((sandbox, port), None)
        if entry is not None and self.pid:
            self._say({"do": "close", "id": entry[0]})

    async def close(self) -> None:
        """End the child."""
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control = None
        if self._child is not None:
            await asyncio.to_thread(self._child.wait, 10)
            self._child = None
        self._open.clear()

    def _start(self) -> None:
        if self.pid is not None:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            root = str(Path(__file__).resolve().parents[2])
            self._child = subprocess.Popen(
                [sys.executable, "-m", "drydock.dataplane.child", str(theirs.fileno())],
                env={"PYTHONPATH": root, "PATH": os.defpath},
                pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        ours.setblocking(False)
        self._control, self._inbox = ours, Inbox()
        self._open.clear()
        self._adopted.clear()
        asyncio.get_running_loop().add_reader(ours, self._readable, ours)

    def _readable(self, control: socket.socket) -> None:
        try:
            data = control.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(control)
            log.error("the data plane's process has ended; its ports are closed")
            for answer in self._opening.values():
                if not answer.done():
                    answer.set_exception(PlaneFailure("the data plane's process has ended"))
            self._opening.clear()
            self._open.clear()
            return
        for message, _ in self._inbox.feed(data, []):
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if "opened" in message:
            answer = self._opening.pop(message["opened"])
            if answer.done():
                return
            if "error" in message:
                answer.set_exception(PlaneFailure(message["error"]))
            else:
                answer.set_result(message["port"])
        else:
            work = asyncio.get_running_loop().create_task(self._let_in(message))
            self._work.add(work)
            work.add_done_callback(self._work.discard)

    async def _let_in(self, message: dict[str, Any]) -> None:
        try:
            inside = await self._connect(message["sandbox"], message["port"], bool(message.get("inside")))
        except OSError as error:
            silent = isinstance(error, NotAdmitted)
            self._say({"do": "connected", "id": message["connect"], "error": str(error), "silent": silent})
            return
        with inside:
            self._say({"do": "connected", "id": message["connect"], "fds": 1}, [inside.fileno()])

    def _say(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Small messages to a child that reads them as they come; one that does not has died, which ``_readable`` sees."""
        if self._control is None:
            return
        try:
            socket.send_fds(self._control, [pack(message)], descriptors or [])
        except OSError as error:
            log.error("the data plane does not listen: %s", error)
