"""Elastic Load Balancing v2. Its operations are in the modules by topic; here they are put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drydock.dataplane.balancers import Balancers
from drydock.network.facts import Facts
from drydock.runtime.interface import Runtime
from drydock.services.elbv2.certificates import Certificates
from drydock.services.elbv2.controller import Controller
from drydock.services.elbv2.model import Listener, LoadBalancer, Rule, TargetGroup
from drydock.services.elbv2.reaching import Reaching, Whereabouts, network_of
from drydock.services.elbv2.tags import TagOperations
from drydock.services.service import Platform


class Elbv2(TagOperations):
    """``instant``: states take no lab time of their own."""

    name = "elbv2"

    def __init__(
        self,
        platform: Platform,
        plane: Balancers,
        network: Facts,
        whereabouts: Whereabouts,
        runtime: Callable[[], Runtime],
        certificates: Certificates,
        instant: bool,
    ) -> None:
        super().__init__(platform)
        self.balancers = platform.store.collection(LoadBalancer, "elbv2", "load-balancer")
        self.listeners = platform.store.collection(Listener, "elbv2", "listener")
        self.rules = platform.store.collection(Rule, "elbv2", "rule")
        self.groups = platform.store.collection(TargetGroup, "elbv2", "target-group")
        self.certificates = certificates
        reaching = Reaching(self.balancers, network, whereabouts, runtime)
        self.plane = plane
        self.controller = Controller(self, plane, network, reaching, instant)

    async def start(self) -> None:
        self.controller.start()

    async def stop(self) -> None:
        await self.controller.stop()

    async def reset(self, account: str | None) -> None:
        await self.controller.reset(account)

    def validate(self) -> list[str]:
        return list(self.controller.faults())

    def instead_of(self, operation: str) -> str:
        return "Application Load Balancers, and Network Load Balancers with TCP listeners, are there; trust stores are not."

    def named(self, host: str, port: int | None) -> tuple[str, str] | None:
        """The load balancer and the place of the listener that a Host field names: port 80 unless it names another."""
        name = host.lower()
        for scope, _, balancer in self.balancers.all():
            if balancer.dns_name.lower() == name and not balancer.deleting:
                for listener in self.listeners_of(scope, balancer.arn):
                    if listener.port == (port or 80) and listener.protocol != "HTTPS" and balancer.state == "active":
                        return balancer.arn, listener.place
        return None

    def addresses_inside(self, network: str, name: str) -> list[str]:
        """Of the load balancer with this DNS name, if it is in that VPC's network."""
        return [
            zone.address
            for scope, _, balancer in self.balancers.all()
            if balancer.dns_name.lower() == name and network_of(scope, balancer) == network
            for zone in balancer.zones
            if zone.address
        ]

    def endpoints(self) -> list[dict[str, Any]]:
        """Where this machine reaches the listeners, for ``/_drydock/endpoints``: ``blocked`` says why nobody is answered,
        ``counted`` what has been counted since the emulator's start, up to the last full minute."""
        return [
            {
                "dns": balancer.dns_name,
                "port": listener.port,
                "url": url,
                "blocked": self.controller.why_blocked.get(listener.arn, ""),
                "counted": dict(self.controller.metrics.totals.get(balancer.arn, {})),
            }
            for balancer, listener, url in self.controller.endpoints()
        ]
