"""The emulator's side of load balancers: tells the data plane's process what there is, answers its questions for connections.

What was told is kept, so that a new process can be told again when one has died.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from drydock.dataplane.refusals import NotAdmitted, PlaneFailure

Reach = Callable[[str, str, int], Awaitable[socket.socket]]
"""(load balancer, target, port) -> a connected socket. Raises OSError; NotAdmitted where nobody answers."""
Admits = Callable[[str, str, str], Awaitable[bool]]
"""(load balancer, listener, client's address): may a client within the VPC connect?"""
Say = Callable[[dict[str, Any], Sequence[int]], None]
MOST_AT_ONCE = 32
"""Sockets passed in one message"""
PATIENCE = 15.0
"""Real seconds that the kernel gets to connect; the process waits less than that"""


async def none_admitted(balancer: str, listener: str, client: str) -> bool:
    """No load balancers are there yet."""
    return False


async def nobody(balancer: str, target: str, port: int) -> socket.socket:
    """No load balancers are there yet."""
    raise ConnectionRefusedError


class Balancers:
    """``say`` sends to the process, starting it if need be."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.reach: Reach = nobody
        self.admits: Admits = none_admitted
        self._configurations: dict[str, dict[str, Any]] = {}
        self._listeners: dict[tuple[str, str], list[tuple[socket.socket, bool]]] = {}
        """Each with whether it is within the VPC"""
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._connected: list[tuple[int, socket.socket]] = []
        self._refused: list[int] = []

    @property
    def any(self) -> bool:
        """Whether a process is needed."""
        return bool(self._configurations)

    def configure(self, configuration: dict[str, Any]) -> None:
        """All about one load balancer, in place of what was told before."""
        if self._configurations.get(configuration["lb"]) == configuration:
            return
        self._configurations[configuration["lb"]] = configuration
        self._say({"do": "balance", "config": configuration}, ())
        listeners = {listener["id"] for listener in configuration["listeners"]}
        for key in [key for key in self._listeners if key[0] == configuration["lb"] and key[1] not in listeners]:
            self._close(key)

    def listen(self, balancer: str, listener: str, found: socket.socket) -> None:
        """Accept connections there; the socket becomes ours."""
        self._listen(balancer, listener, found, False)

    def listen_inside(self, balancer: str, listener: str, found: socket.socket) -> None:
        """The same within its VPC, where each client is asked about."""
        self._listen(balancer, listener, found, True)

    def _listen(self, balancer: str, listener: str, found: socket.socket, inside: bool) -> None:
        self._listeners.setdefault((balancer, listener), []).append((found, inside))
        self._say(_listen_message(balancer, listener, inside), [found.fileno()])

    def listens(self, balancer: str, listener: str) -> list[tuple[str, int]]:
        """Addresses and ports of this machine at which a listener accepts connections."""
        known = self._listeners.get((balancer, listener), [])
        return [found.getsockname() for found, inside in known if not inside]

    def listens_inside(self, balancer: str, listener: str) -> bool:
        """Whether it accepts connections within its VPC."""
        return any(inside for _, inside in self._listeners.get((balancer, listener), []))

    def close_inside(self, balancer: str) -> None:
        """Its place in the VPC goes."""
        for key, known in self._listeners.items():
            if key[0] == balancer:
                for found, inside in known:
                    if inside:
                        found.close()
                self._listeners[key] = [(found, inside) for found, inside in known if not inside]
        self._say({"do": "close_inside", "lb": balancer}, ())

    def accepted(self, balancer: str, listener: str, descriptor: int, data: bytes) -> None:
        """A connection that came to the emulator's own port, and what was read from it. The descriptor stays the caller's."""
        message = {"do": "accepted", "lb": balancer, "id": listener, "data": data, "fds": 1}
        self._say(message, [descriptor])

    def forget(self, balancer: str) -> None:
        """It is deleted."""
        if self._configurations.pop(balancer, None) is not None:
            self._say({"do": "unbalance", "lb": balancer}, ())
        for key in [key for key in self._listeners if key[0] == balancer]:
            self._close(key)

    def _close(self, key: tuple[str, str]) -> None:
        for found, _ in self._listeners.pop(key):
            found.close()

    async def attempt(self, balancer: str, target: str, port: int, asked: dict[str, Any]) -> dict[str, Any]:
        """One request of a health check (see ``balancing/checks.py``). Raises PlaneFailure."""
        return await self._ask({"do": "try", "lb": balancer, "target": target, "port": port, **asked})

    async def counted(self, balancers: list[str]) -> dict[str, Any]:
        """What was counted since the last time, by load balancer, and its connections just now. Raises PlaneFailure."""
        return await self._ask({"do": "count", "lbs": balancers})

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._say({**message, "id": number}, ())
        try:
            return await answer
        finally:
            self._answers.pop(number, None)

    # -- what the process says
    def take(self, message: dict[str, Any]) -> None:
        """A message that is for load balancers."""
        if "reach" in message:
            for number, balancer, target, port in message["reach"]:
                self._spawn(self._let_in(number, balancer, target, port))
            return
        if "admit" in message:
            self._spawn(self._admit(message))
            return
        answer = self._answers.get(message.get("tried") or message.get("counted") or 0)
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _admit(self, message: dict[str, Any]) -> None:
        admitted = await self.admits(message["lb"], message["listener"], message["client"])
        self._say({"do": "admitted", "id": message["admit"], "admitted": admitted}, ())

    async def _let_in(self, number: int, balancer: str, target: str, port: int) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                inside = await self.reach(balancer, target, port)
        except (NotAdmitted, TimeoutError):
            return
        except OSError:
            self._refused.append(number)
        else:
            self._connected.append((number, inside))
        if len(self._connected) + len(self._refused) == 1:
            asyncio.get_running_loop().call_soon(self._pass_on)

    def _pass_on(self) -> None:
        """In as few messages as can be."""
        connected, self._connected = self._connected, []
        refused, self._refused = self._refused, []
        while connected or refused:
            now, connected = connected[:MOST_AT_ONCE], connected[MOST_AT_ONCE:]
            numbers = [number for number, _ in now]
            message = {"do": "reached", "connected": numbers, "refused": refused, "fds": len(now)}
            self._say(message, [inside.fileno() for _, inside in now])
            for _, inside in now:
                inside.close()
            refused = []

    # -- its life
    def lost(self) -> None:
        """The process has died."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(PlaneFailure("the data plane's process has ended"))

    def tell_again(self) -> None:
        """To a new process."""
        for configuration in self._configurations.values():
            self._say({"do": "balance", "config": configuration}, ())
        for (balancer, listener), sockets in self._listeners.items():
            for found, inside in sockets:
                self._say(_listen_message(balancer, listener, inside), [found.fileno()])

    def close(self) -> None:
        """Close the sockets."""
        for key in list(self._listeners):
            self._close(key)
        self._configurations.clear()


def _listen_message(balancer: str, listener: str, inside: bool) -> dict[str, Any]:
    return {"do": "listen", "lb": balancer, "id": listener, "inside": inside, "fds": 1}
