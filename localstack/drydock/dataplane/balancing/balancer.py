"""What the emulator has told about load balancers: listeners, rules, target groups, targets.

A configuration comes whole and replaces the one before in one step, so that a request sees the old rules or the new, never
half of each. What outlives it: the connections to targets, counters, and whose turn it is.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from drydock.dataplane.balancing import choosing, cookies
from drydock.dataplane.balancing.counting import Counts
from drydock.dataplane.balancing.heads import RequestHead
from drydock.dataplane.balancing.matching import Rule, chain

if TYPE_CHECKING:
    from drydock.dataplane.balancing.back import Upstream
    from drydock.dataplane.balancing.front import Client
    from drydock.dataplane.balancing.links import Door
    from drydock.dataplane.balancing.streams import Stream

MOST_CONNECTING = 64
"""Connections to one target that are being made at a time; more requests wait for one of these, or for one that becomes
free"""
MOST_IDLE = 512
LEAST_REAL = 2.0
"""Seconds; see ``clock.py`` about budgets for real work"""
CONNECT_PATIENCE = 10.0
"""Lab seconds; "the load balancer failed to establish a connection to the target before the connection timeout expired" """


def budget(seconds: float, speed: float) -> float:
    """Lab seconds as the real ones that real work gets."""
    return max(seconds / speed, min(seconds, LEAST_REAL))


class Target:
    """One address and port in one group, and the connections to it."""

    def __init__(self, group: Group, name: str, port: int, zone: str) -> None:
        self.group = group
        self.name, self.port = name, port
        self.state = ""
        self.outstanding = 0
        self.idle: dict[Upstream, None] = {}
        self.waiting: dict[Client | Stream, None] = {}
        self.connecting = 0
        self.all: set[Upstream] = set()
        self.ramp_from: float | None = None
        self.gone = False
        self.token = cookies.token(group.balancer.salt, f"{group.arn}|{name}|{port}")
        self.tally = group.balancer.counts.tally(group.arn, zone)

    def take(self) -> Upstream | None:
        """A connection that is free; the one used last, so that the others can be closed by time."""
        while self.idle:
            upstream, _ = self.idle.popitem()
            if not upstream.transport.is_closing():
                return upstream
        return None

    def wait(self, client: Client | Stream) -> None:
        """The client is attached as soon as there is a connection."""
        self.waiting[client] = None
        self.fill()

    def fill(self) -> None:
        """See to it that enough connections are being made for those that wait."""
        while self.connecting < min(len(self.waiting), MOST_CONNECTING) and not self.gone:
            self.connecting += 1
            self.group.balancer.connect(self)

    def free(self, upstream: Upstream) -> None:
        """A connection is new, or has no request any more."""
        if self.waiting and not self.gone:
            client = next(iter(self.waiting))
            del self.waiting[client]
            client.attach(upstream)
        elif self.gone or self.state == "draining" or len(self.idle) >= MOST_IDLE:
            upstream.transport.close()
        else:
            self.idle[upstream] = None

    def failed(self, status: int) -> None:
        """A connection could not be made: it was meant for the one that waits longest."""
        self.tally.connection_errors += 1
        if self.waiting:
            client = next(iter(self.waiting))
            del self.waiting[client]
            self.outstanding -= 1
            client.fail(status)
        self.fill()

    def close_idle(self) -> None:
        """No more requests come."""
        for upstream in list(self.idle):
            upstream.transport.close()
        self.idle.clear()

    def leave(self) -> None:
        """It is not registered any more: what is still under way is cut off."""
        self.gone = True
        self.close_idle()
        for client in list(self.waiting):
            client.fail(502)
        self.waiting.clear()
        for upstream in list(self.all):
            upstream.transport.abort()


class Group:
    """A target group of a load balancer."""

    def __init__(self, balancer: Balancer, arn: str) -> None:
        self.balancer = balancer
        self.arn = arn
        self.token = cookies.token(balancer.salt, arn)
        self.targets: dict[tuple[str, int], Target] = {}
        self.ready: list[Target] = []
        self.by_token: dict[bytes, Target] = {}
        self.algorithm = "round_robin"
        self.slow_start = 0.0
        self.sticky: dict[str, Any] | None = None
        self._turn = -1

    def learn(self, given: dict[str, Any], now: float) -> None:
        """What the emulator says of it."""
        self.algorithm, self.slow_start = given["algorithm"], given["slow_start"]
        self.sticky = given["stickiness"]
        before, self.targets = self.targets, {}
        settled = any(t.state == "healthy" and self.share(t, now) >= 1.0 for t in before.values())
        for name, port, zone, state in given["targets"]:
            target = before.pop((name, port), None) or Target(self, name, port, zone)
            if state == "healthy" and target.state != "healthy" and self.slow_start and settled:
                target.ramp_from = now
            if state == "draining" and target.state != "draining":
                target.close_idle()
            target.state = state
            self.targets[name, port] = target
        for target in before.values():
            target.leave()
        self.ready = choosing.eligible(list(self.targets.values()), given["least"], given["least_percentage"])
        self.by_token = {target.token: target for target in self.ready}

    def share(self, target: Target, now: float) -> float:
        """Of its turns, in slow start."""
        if target.ramp_from is None or not self.slow_start:
            return 1.0
        return choosing.ramp((now - target.ramp_from) * self.balancer.speed, self.slow_start)

    def choose(self, head: RequestHead | None, now: float) -> Target | None:
        """For a request, or for a TCP connection (``head`` None); None if nobody can take it."""
        ready = self.ready
        if not ready:
            return None
        if self.sticky is not None and head is not None:
            kept = self.by_token.get(cookies.value_of(head, *self.sticky["cookies"]))
            if kept is not None:
                return kept
        self._turn += 1
        if self.algorithm == "least_outstanding_requests":
            return choosing.least_outstanding(ready, self._turn)
        if self.algorithm == "weighted_random":
            return random.choice(ready)
        if not self.slow_start:
            return ready[self._turn % len(ready)]
        return choosing.rotation(ready, self._turn, lambda target: self.share(target, now), random.random)


class Place:
    """A listener."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self.port = 80
        self.rules: list[Rule] = []
        self.shows_server = True
        self.scheme = "http"
        self.stream = False
        """TCP: bytes are passed on as they come"""
        self.tls: dict[str, Any] | None = None
        self.serves: dict[str, Any] | None = None
        """The TLS with which ``servers`` accept"""
        self.context: ssl.SSLContext | None = None
        self.admitted = True
        self.listeners: list[socket.socket] = []
        self.servers: list[asyncio.Server | Door] = []
        self.inside: list[socket.socket] = []
        """Listeners within the VPC, read by our own hand: each client is asked about first"""
        self.turn = asyncio.Lock()
        self.closed = False


class Balancer:
    """A load balancer. ``connect`` asks for a connection to a target."""

    def __init__(self, arn: str, salt: str, connect: Callable[[Balancer, Target], None]) -> None:
        self.arn, self.salt = arn, salt
        self.counts = Counts()
        self.places: dict[str, Place] = {}
        self.groups: dict[str, Group] = {}
        self.speed = 1.0
        self.idle_seconds = 60.0
        self.keep_alive_seconds = 3600.0
        self.name = ""
        self.drops_odd_names = False
        self.preserves_host = False
        self.forwarded_for = "append"
        self.with_client_port = False
        self.ports: dict[int, int] = {}
        """Of this machine, by those of the listeners that they lead to"""
        self._connect = connect

    def connect(self, target: Target) -> None:
        """Ask for a connection."""
        self._connect(self, target)

    @property
    def idle(self) -> float:
        """Real seconds."""
        return budget(self.idle_seconds, self.speed)

    @property
    def patience(self) -> float:
        """Real seconds for a connection to be made."""
        return budget(CONNECT_PATIENCE, self.speed)

    def learn(self, given: dict[str, Any], now: float) -> list[Place]:
        """A whole configuration; the listeners that are no more."""
        self.name, self.speed = given["name"], given["speed"]
        self.idle_seconds, self.keep_alive_seconds = given["idle"], given["keep_alive"]
        self.drops_odd_names, self.preserves_host = given["drop_odd_names"], given["preserve_host"]
        self.forwarded_for, self.with_client_port = given["forwarded_for"], given["client_port"]
        self.ports = dict(given["ports"])
        before, self.groups = self.groups, {}
        for each in given["groups"]:
            group = self.groups[each["arn"]] = (
                before.pop(each["arn"]) if each["arn"] in before else Group(self, each["arn"])
            )
            group.learn(each, now)
        places, self.places = self.places, {}
        for each in given["listeners"]:
            place = self.places[each["id"]] = places.pop(each["id"]) if each["id"] in places else Place(self)
            place.port, place.rules = each["port"], chain(each["rules"])
            place.shows_server, place.admitted = each["shows_server"], each["admitted"]
            place.stream = each["stream"]
            place.tls, place.scheme = each["tls"], "https" if each["tls"] else "http"
        for group in before.values():
            for target in group.targets.values():
                target.leave()
        return list(places.values())

    def leave(self) -> list[Place]:
        """It is deleted; its listeners."""
        for group in self.groups.values():
            for target in group.targets.values():
                target.leave()
        return list(self.places.values())
