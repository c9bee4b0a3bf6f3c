"""From a load balancer to a target: who is at the address, may the load balancer connect to it, and how.

The way is that of AWS: from the load balancer's own network interface, whose address the target sees. In a tier whose
sandboxes have no network of their own it leads into the target's sandbox directly.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from drydock.dataplane.refusals import NotAdmitted
from drydock.network.facts import Facts
from drydock.network.rules import End, Verdict, may_connect, way_out
from drydock.runtime.interface import Runtime
from drydock.services.elbv2.model import LoadBalancer
from drydock.store import Collection, Scope

log = logging.getLogger(__name__)
INTERNET = "198.51.100.1"
"""The address under which this machine's programs come to a VPC"""


@dataclass(frozen=True)
class Place:
    """Where a target is: ``end`` is what security groups see, ``sandbox`` and ``port`` the runtime's way to it."""

    end: End
    sandbox: str
    port: int


class Whereabouts(Protocol):
    """What is to be known of tasks and instances; the emulator provides it."""

    def at_address(self, scope: Scope, network: str, address: str, port: int) -> Place | None:
        """Who has a private address on a network of the runtime."""
        ...

    def of_instance(self, scope: Scope, instance_id: str, port: int) -> Place | None:
        """An EC2 instance that runs."""
        ...


class Reaching:
    """``inside``: load balancers (by id) that have a sandbox of their own."""

    def __init__(
        self,
        balancers: Collection[LoadBalancer],
        network: Facts,
        whereabouts: Whereabouts,
        runtime: Callable[[], Runtime],
    ) -> None:
        self._balancers = balancers
        self._network = network
        self._whereabouts = whereabouts
        self.runtime = runtime
        self.inside: set[str] = set()

    async def connect(self, arn: str, target: str, port: int) -> socket.socket:
        """For the data plane. Raises NotAdmitted where nobody answers, OSError."""
        scope = scope_of(arn)
        balancer = self._balancers.get(scope, arn)
        if balancer is None:
            raise ConnectionRefusedError("There is no such load balancer.")
        place = self._place(scope, balancer, target, port)
        if place is None:
            raise NotAdmitted(f"Nobody is at {target}.")
        verdict = may_connect(_end_of(balancer), place.end, port, await self._network.groups(scope))
        if not verdict.allowed:
            log.info("%s does not reach %s:%d: %s", balancer.name, target, port, verdict.reason)
            raise NotAdmitted(verdict.reason)
        if balancer.id in self.inside:
            return await self.runtime().connect(balancer.id, port, place.end.address)
        return await self.runtime().connect(place.sandbox, place.port)

    def _place(self, scope: Scope, balancer: LoadBalancer, target: str, port: int) -> Place | None:
        if target.startswith("i-"):
            return self._whereabouts.of_instance(scope, target, port)
        return self._whereabouts.at_address(scope, network_of(scope, balancer), target, port)

    def instance_runs(self, scope: Scope, instance_id: str) -> bool:
        """Whether an instance can be a target just now."""
        return self._whereabouts.of_instance(scope, instance_id, 0) is not None

    async def admission(self, scope: Scope, balancer: LoadBalancer, port: int, client: str = INTERNET) -> Verdict:
        """May somebody connect to a listener? From the internet, if the scheme, the routes and the groups allow it."""
        groups = await self._network.groups(scope)
        if client == INTERNET:
            if balancer.internal:
                return Verdict(False, "It is internal: it answers within its VPC only.")
            subnets = [await self._network.subnet(scope, zone.subnet_id) for zone in balancer.zones]
            if not any(subnet is not None and way_out(subnet, True) == "internet gateway" for subnet in subnets):
                return Verdict(False, "None of its subnets has a route to an internet gateway.")
            return may_connect(End(INTERNET), _end_of(balancer), port, groups)
        place = self._whereabouts.at_address(scope, network_of(scope, balancer), client, 0)
        source = place.end if place is not None else End(client)
        return may_connect(source, _end_of(balancer), port, groups)


def network_of(scope: Scope, balancer: LoadBalancer) -> str:
    """The runtime's name of the VPC's network."""
    return f"{scope.account}/{scope.region}/{balancer.vpc_id}"


def scope_of(arn: str) -> Scope:
    """Whose resource an ARN names."""
    parts = arn.split(":")
    return Scope(parts[4], parts[3])


def _end_of(balancer: LoadBalancer) -> End:
    address = next((zone.address for zone in balancer.zones if zone.address), "0.0.0.0")  # noqa: S104 - none yet
    return End(address, tuple(balancer.security_groups), balancer.vpc_id)
