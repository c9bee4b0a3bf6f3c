"""All load balancers of the process: what the emulator says goes in here, what is asked of it goes out.

There is no way into a task from here: for every new connection the emulator is asked, in one message for all of a turn of the
loop, and passes a connected socket or says why not. If nobody answers it says nothing, and our own patience ends it.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from drydock.dataplane.balancing import checks, links, tls
from drydock.dataplane.balancing.back import Upstream
from drydock.dataplane.balancing.balancer import Balancer, Place, Target
from drydock.dataplane.balancing.front import Client
from drydock.dataplane.balancing.links import Door, Links
from drydock.dataplane.balancing.streams import Stream
from drydock.dataplane.balancing.ticker import Ticker

BACKLOG = 4096
MOST_PARKED = 1024
"""Connections from elsewhere to a listener that does not answer"""


class Balancers:
    """``say`` sends a message to the emulator, ``spawn`` runs something in the background, ``hear`` reads what the emulator says
    on ``control``."""

    def __init__(
        self,
        say: Callable[[dict[str, Any]], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        control: int,
        hear: Callable[[], None],
    ) -> None:
        self._say, self._spawn = say, spawn
        self._control, self._hear = control, hear
        self._ticker = Ticker()
        self._ticker.also.append(self._expire)
        self._links: Links | None = None
        """None where the transports are asyncio's"""
        self._all: dict[str, Balancer] = {}
        self._numbers = itertools.count(1)
        self._asked: dict[int, tuple[Target | asyncio.Future[socket.socket], float]] = {}
        """Whom a connection is for, and until when it is waited for"""
        self._questions: list[list[Any]] = []
        self._parked: list[socket.socket] = []
        self._knocking: dict[int, tuple[Place, socket.socket]] = {}
        """Clients within a VPC who are asked about, or are not admitted"""

    def take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """A message for load balancers."""
        match message["do"]:
            case "balance":
                self._learn(message["config"])
            case "unbalance":
                if found := self._all.pop(message["lb"], None):
                    self._close(found.leave())
            case "listen":
                self._listen(message, socket.socket(fileno=descriptors[0]))
            case "close_inside":
                if found := self._all.get(message["lb"]):
                    for place in found.places.values():
                        self._close_inside(place)
            case "admitted":
                self._admitted(message)
            case "accepted":
                self._accepted(message, socket.socket(fileno=descriptors[0]))
            case "reached":
                self._reached(message, descriptors)
            case "try":
                self._spawn(self._try(message))
            case "count":
                asked = [arn for arn in message["lbs"] if arn in self._all]
                counted = {arn: self._all[arn].counts.take() for arn in asked}
                active = dict.fromkeys(asked, 0)
                for client in self._ticker.clients:
                    if client.place.balancer.arn in active:
                        active[client.place.balancer.arn] += 1
                self._say({"counted": message["id"], "of": counted, "active": active})

    # -- what there is
    def _begin(self) -> None:
        self._ticker.start()
        if self._links is None and links.available():
            self._links = links.Links(self._control, self._hear)
            self._ticker.also.append(self._links.look)

    def _learn(self, config: dict[str, Any]) -> None:
        self._begin()
        arn = config["lb"]
        balancer = self._all.get(arn)
        if balancer is None:
            balancer = self._all[arn] = Balancer(arn, config["salt"], self._connect)
        self._close(balancer.learn(config, self._ticker.now))
        for place in balancer.places.values():
            self._spawn(self._open(place))

    def _listen(self, message: dict[str, Any], listener: socket.socket) -> None:
        balancer = self._all.get(message["lb"])
        place = balancer.places.get(message["id"]) if balancer else None
        if place is None:
            listener.close()
            return
        if message["inside"]:
            listener.setblocking(False)
            place.inside.append(listener)
            asyncio.get_running_loop().add_reader(listener, self._knock, message["lb"], message["id"], place, listener)
            return
        place.listeners.append(listener)
        self._spawn(self._open(place))

    def _knock(self, balancer: str, listener: str, place: Place, socket_: socket.socket) -> None:
        """Somebody within the VPC has connected."""
        try:
            found, (client, _) = socket_.accept()
        except OSError:
            return
        number = next(self._numbers)
        self._knocking[number] = (place, found)
        while len(self._knocking) > MOST_PARKED:
            self._knocking.pop(next(iter(self._knocking)))[1].close()
        self._say({"admit": number, "lb": balancer, "listener": listener, "client": client})

    def _admitted(self, message: dict[str, Any]) -> None:
        """Who is not admitted is not answered: the connection stays as it is, until there are too many of these."""
        place, found = self._knocking.get(message["id"], (None, None))
        if place is not None and found is not None and message["admitted"]:
            del self._knocking[message["id"]]
            self._spawn(self._adopt(place, found, b""))

    @staticmethod
    def _close_inside(place: Place) -> None:
        for listener in place.inside:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        place.inside.clear()

    async def _open(self, place: Place) -> None:
        """Accept where clients are admitted; elsewhere nobody answers, as behind a security group."""
        async with place.turn:
            if not place.admitted or place.closed or place.serves != place.tls:
                for server in place.servers:
                    server.close()
                place.servers.clear()
            if place.serves != place.tls:
                place.context = tls.context_of(place.tls) if place.tls else None
                place.serves = place.tls
            if not place.admitted or place.closed:
                return
            for listener in place.listeners[len(place.servers) :]:
                place.servers.append(await self._accepting(listener.dup(), place))

    def _made(self, place: Place) -> Client | Stream:
        return (Stream if place.stream else Client)(place, self._ticker)

    async def _accepting(self, listener: socket.socket, place: Place) -> asyncio.Server | Door:
        def make() -> Client | Stream:
            return self._made(place)

        listener.listen(BACKLOG)
        if self._links is not None and place.context is None:
            return self._links.open(listener, make)
        given = tls.given(place.context)
        return await asyncio.get_running_loop().create_server(make, sock=listener, backlog=BACKLOG, **given)

    def _close(self, places: list[Place]) -> None:
        for place in places:
            place.closed = True
            self._close_inside(place)
            self._spawn(self._open(place))
            for listener in place.listeners:
                listener.close()
            for client in [client for client in self._ticker.clients if client.place is place]:
                client.transport.abort()

    def _accepted(self, message: dict[str, Any], found: socket.socket) -> None:
        """A connection that came to the emulator's own port."""
        balancer = self._all.get(message["lb"])
        place = balancer.places.get(message["id"]) if balancer else None
        if place is None:
            found.close()
        elif not place.admitted:
            self._parked.append(found)
            while len(self._parked) > MOST_PARKED:
                self._parked.pop(0).close()
        else:
            self._spawn(self._adopt(place, found, message["data"]))

    async def _adopt(self, place: Place, found: socket.socket, data: bytes) -> None:
        client = self._made(place)
        try:
            if self._links is not None and place.context is None:
                self._links.adopt(found, client)
            else:
                found.setblocking(False)
                given = tls.given(place.context)
                await asyncio.get_running_loop().connect_accepted_socket(lambda: client, found, **given)
        except OSError:
            found.close()
            return
        if data:
            client.data_received(data)

    # -- connections to targets
    def _connect(self, balancer: Balancer, target: Target) -> None:
        self._ask(balancer, target.name, target.port, target, balancer.patience)

    def _ask(
        self,
        balancer: Balancer,
        name: str,
        port: int,
        whose: Target | asyncio.Future[socket.socket],
        patience: float,
    ) -> None:
        number = next(self._numbers)
        self._asked[number] = (whose, self._ticker.now + patience)
        if not self._questions:
            asyncio.get_running_loop().call_soon(self._send_questions)
        self._questions.append([number, balancer.arn, name, port])

    def _send_questions(self) -> None:
        questions, self._questions = self._questions, []
        self._say({"reach": questions})

    def _reached(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Numbers of those that were connected, in the order of the descriptors, and of those that were refused."""
        for number, descriptor in zip(message["connected"], descriptors, strict=True):
            whose, _ = self._asked.pop(number, (None, 0.0))
            found = socket.socket(fileno=descriptor)
            if isinstance(whose, Target):
                self._spawn(self._attach(whose, found))
            elif whose is not None and not whose.done():
                whose.set_result(found)
            else:
                found.close()
        for number in message["refused"]:
            whose, _ = self._asked.pop(number, (None, 0.0))
            if isinstance(whose, Target):
                whose.connecting -= 1
                whose.failed(502)
            elif whose is not None and not whose.done():
                whose.set_exception(ConnectionRefusedError())

    async def _attach(self, target: Target, found: socket.socket) -> None:
        target.connecting -= 1
        try:
            if self._links is not None:
                self._links.adopt(found, Upstream(target))
            else:
                found.setblocking(False)
                await asyncio.get_running_loop().create_connection(lambda: Upstream(target), sock=found)
        except OSError:
            found.close()
            target.failed(502)

    def _expire(self, now: float) -> None:
        """Nobody has answered. Who waits has a patience of its own."""
        for number in [number for number, (_, until) in self._asked.items() if until < now]:
            whose, _ = self._asked.pop(number)
            if isinstance(whose, Target):
                whose.connecting -= 1
                whose.tally.connection_errors += 1
                whose.fill()

    async def _try(self, message: dict[str, Any]) -> None:
        balancer = self._all.get(message["lb"])
        if balancer is None:
            self._say({"tried": message["id"], "error": "gone"})
            return

        async def reach() -> socket.socket:
            answer: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
            self._ask(balancer, message["target"], message["port"], answer, message["patience"] + 1)
            return await answer

        self._say({"tried": message["id"], **await checks.attempt(reach, message)})
