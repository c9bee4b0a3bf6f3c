"""The emulator's end of the conversation with the helper: calls that wait for their answers, and events."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from drydock.runtime.interface import NoCapacity, RuntimeFailure
from drydock.runtime.process.messages import EXHAUSTED, MOST_DESCRIPTORS, RECEIVE_SIZE, Inbox, pack


class Channel:
    """``on_event`` gets what the helper says unasked; ``on_end`` is called once, when the helper is gone."""

    def __init__(
        self, control: socket.socket, on_event: Callable[[dict[str, Any]], None], on_end: Callable[[], None]
    ) -> None:
        self._control = control
        self._on_event = on_event
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox()
        self._pending: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}
        self._counter = 0
        self._outgoing: list[tuple[bytes, list[int]]] = []
        self.open = True
        control.setblocking(False)
        self._loop.add_reader(control, self._readable)

    async def call(
        self, operation: str, descriptors: Sequence[int] = (), **arguments: Any
    ) -> tuple[dict[str, Any], list[int]]:
        """(result, descriptors that came with it). Raises RuntimeFailure if the helper could not, or is gone;
        NoCapacity if the machine has no more of what it takes."""
        if not self.open:
            raise RuntimeFailure("the runtime's helper process has ended")
        self._counter += 1
        data = pack({"id": self._counter, "op": operation, "args": arguments, "fds": len(descriptors)})
        answer = self._pending[self._counter] = self._loop.create_future()
        self._send(data, descriptors)
        return await answer

    def _send(self, data: bytes, descriptors: Sequence[int]) -> None:
        """Now, or as soon as it can be: nobody's cancellation may leave half a message behind."""
        sent = 0
        if not self._outgoing:
            try:
                sent = socket.send_fds(self._control, [data], descriptors)
                descriptors = ()  # they went with the first byte
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # the helper is gone; the end of the reading side tells, and ends all who wait
        if sent < len(data):
            if not self._outgoing:
                self._loop.add_writer(self._control, self._flush)
            self._outgoing.append((data[sent:], [os.dup(descriptor) for descriptor in descriptors]))

    def _flush(self) -> None:
        waiting, self._outgoing = self._outgoing, []
        self._loop.remove_writer(self._control)
        for data, descriptors in waiting:
            self._send(data, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)

    def _readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self._control, RECEIVE_SIZE, MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            self.close()
            self._on_end()
            return
        for message, mine in self._inbox.feed(data, descriptors):
            if "event" in message:
                self._on_event(message)
            else:
                self._answer(message, mine)

    def _answer(self, message: dict[str, Any], descriptors: list[int]) -> None:
        answer = self._pending.pop(message["id"])
        if answer.done():  # nobody waits any more
            for descriptor in descriptors:
                os.close(descriptor)
        elif "error" in message:
            failure = NoCapacity if message["errno"] in EXHAUSTED else RuntimeFailure
            answer.set_exception(failure(message["error"]))
        else:
            answer.set_result((message["result"], descriptors))

    def close(self) -> None:
        """The helper takes the end of this as its order to kill everything, clean up and end."""
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._control)
        self._loop.remove_writer(self._control)
        for _, descriptors in self._outgoing:
            for descriptor in descriptors:
                os.close(descriptor)
        self._outgoing.clear()
        self._control.close()
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(RuntimeFailure("the runtime's helper process has ended"))
        self._pending.clear()
