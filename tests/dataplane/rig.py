"""The data plane's process without an emulator: load balancers whose targets are programs on loopback addresses."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from drydock.dataplane.plane import DataPlane
from drydock.dataplane.refusals import NotAdmitted

T = TypeVar("T")
LB = "arn:lb"
GROUP = "arn:group"


def listening(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A socket that listens."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind((host, port))
    found.listen(1024)
    return found


def forward(*groups: str, stickiness: int = 0, weights: tuple[int, ...] = ()) -> dict[str, Any]:
    """An action."""
    weights = weights or (1,) * len(groups)
    return {
        "type": "forward",
        "groups": [[name, weight] for name, weight in zip(groups, weights, strict=True)],
        "stickiness": stickiness,
    }


def group(arn: str, *targets: tuple[str, int, str], **given: Any) -> dict[str, Any]:
    """A target group; of each target its name, port and state."""
    base = {
        "arn": arn, "algorithm": "round_robin", "slow_start": 0.0, "stickiness": None, "least": 1, "least_percentage": 0.0,
        "targets": [[name, port, "az", state] for name, port, state in targets],
    }  # fmt: skip
    return base | given


def configuration(groups: list[dict[str, Any]], rules: list[dict[str, Any]], **given: Any) -> dict[str, Any]:
    """Of a load balancer with one listener, ``l``."""
    admitted = given.pop("admitted", True)
    listener = {
        "id": "l",
        "port": 80,
        "admitted": admitted,
        "shows_server": True,
        "rules": rules,
        "stream": given.pop("stream", False),
        "tls": given.pop("tls", None),
    }
    base = {
        "lb": LB, "name": "web-1.us-east-1.elb.localhost", "salt": "salt", "speed": 1.0, "idle": 60.0, "keep_alive": 3600.0,
        "drop_odd_names": False, "preserve_host": False, "forwarded_for": "append", "client_port": False,
        "ports": [], "groups": groups, "listeners": [listener],
    }  # fmt: skip
    return base | given


class Rig:
    """Runs the emulator's side in a thread of its own. ``reach`` is what decides about connections: by default a target's
    name is its address."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        """Targets that nobody may reach"""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.plane: DataPlane = self.run(self._made())

    async def _made(self) -> DataPlane:
        async def connect(sandbox: str, port: int, inside: bool) -> socket.socket:
            raise ConnectionRefusedError

        plane = DataPlane(connect)
        plane.balancers.reach = self._reach
        return plane

    async def _reach(self, balancer: str, target: str, port: int) -> socket.socket:
        if target in self.silent:
            raise NotAdmitted
        found = socket.socket()
        found.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(found, (target, port))
        except BaseException:
            found.close()
            raise
        return found

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """In the emulator's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def do(self, work: Callable[[], T]) -> T:
        """The same for what is no coroutine."""

        async def done() -> T:
            return work()

        return self.run(done())

    def configure(self, given: dict[str, Any]) -> None:
        self.do(lambda: self.plane.balancers.configure(given))

    def listen(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """The listener ``l`` gets a socket; its address."""
        found = listening(host, port)
        address = found.getsockname()
        self.do(lambda: self.plane.balancers.listen(LB, "l", found))
        return (str(address[0]), int(address[1]))

    def close(self) -> None:
        self.run(self.plane.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
