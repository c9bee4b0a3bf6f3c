"""The data plane's process: accepts connections, asks for a socket into the task, forwards bytes both ways.

It ends when the emulator's end of the control socket closes.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import signal
import socket
import sys
from collections.abc import Coroutine
from typing import Any

from drydock.dataplane.balancing.balancers import Balancers
from drydock.dataplane.outbox import Outbox
from drydock.runtime.process.messages import MOST_DESCRIPTORS, RECEIVE_SIZE, Inbox

PIECE = 1 << 16
CONNECT_PATIENCE = 10.0
"""Real seconds; AWS's load balancers wait as long for a target to accept a connection"""

COLLECT_AFTER = 50_000
"""Objects; connections take care of their own cycles, and thousands of them are long to look through"""


class Child:
    """One control socket, any number of listeners."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._inbox = Inbox()
        self._numbers = itertools.count(1)
        self._wanted: dict[int, asyncio.Future[socket.socket]] = {}
        self._servers: dict[int, asyncio.Server] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._outbox = Outbox(control)
        self._balancers = Balancers(self._say, self._spawn, control.fileno(), self._readable)

    async def run(self) -> None:
        """Until the emulator is gone."""
        self._control.setblocking(False)
        asyncio.get_running_loop().add_reader(self._control, self._readable)
        await self._ended.wait()

    def _readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, RECEIVE_SIZE, MOST_DESCRIPTORS)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            self._ended.set()
            return
        for message, mine in self._inbox.feed(data, descriptors):
            self._take(message, mine)

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        match message["do"]:
            case "open":
                self._spawn(self._open(message, descriptors))
            case "close":
                if server := self._servers.pop(message["id"], None):
                    server.close()
            case "connected":
                if not message.get("silent"):  # else nobody answers, and the time-out ends it
                    self._connected(message, descriptors)
            case _:
                self._balancers.take(message, descriptors)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def _connected(self, message: dict[str, Any], descriptors: list[int]) -> None:
        found = socket.socket(fileno=descriptors[0]) if descriptors else None
        waiting = self._wanted.pop(message["id"], None)
        if waiting is None or waiting.done():
            if found:
                found.close()
        elif found:
            waiting.set_result(found)
        else:
            waiting.set_exception(ConnectionRefusedError(message["error"]))

    def _say(self, message: dict[str, Any]) -> None:
        self._outbox.send(message)

    async def _open(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """On an address of this machine, or with a listening socket that was passed."""
        number = message["id"]
        target = {"sandbox": message["sandbox"], "port": message["target_port"]}
        if message.get("inside"):
            target["inside"] = True

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._forward(target, reader, writer)

        try:
            if descriptors:
                listener = socket.socket(fileno=descriptors[0])
                server = await asyncio.start_server(accepted, sock=listener, backlog=1024)
            else:
                server = await asyncio.start_server(accepted, message["host"], message["port"], backlog=1024)
        except OSError as error:
            self._say({"opened": number, "error": error.strerror or str(error)})
            return
        self._servers[number] = server
        self._say({"opened": number, "port": server.sockets[0].getsockname()[1]})

    async def _forward(
        self, target: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        number = next(self._numbers)
        wanted = self._wanted[number] = asyncio.get_running_loop().create_future()
        self._say({"connect": number, **target})
        try:
            inside = await asyncio.wait_for(wanted, CONNECT_PATIENCE)
        except (OSError, TimeoutError):
            self._wanted.pop(number, None)
            writer.transport.abort()  # a reset, as a closed port answers
            return
        other_reader, other_writer = await asyncio.open_connection(sock=inside)
        try:
            await asyncio.gather(_pump(reader, other_writer), _pump(other_reader, writer))
        except OSError:
            pass  # one side reset the connection; both are closed below
        finally:
            for end in (writer, other_writer):
                end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes one way, until the sender has no more; then the receiver is told so."""
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def main() -> None:
    """``child FD``"""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)
    try:
        import uvloop
    except ImportError:
        asyncio.run(_live(int(sys.argv[1])))
    else:
        uvloop.run(_live(int(sys.argv[1])))


async def _live(control: int) -> None:
    await Child(socket.socket(fileno=control)).run()


if __name__ == "__main__":
    main()
