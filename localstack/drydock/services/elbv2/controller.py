"""What makes load balancers true: their interfaces, their state, where their targets stand, what the data plane is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from drydock import durations
from drydock.clock import ClockState
from drydock.dataplane.balancers import Balancers
from drydock.errors import AwsError
from drydock.network.facts import Facts
from drydock.runtime.interface import RuntimeFailure, SandboxSpec
from drydock.services.elbv2 import rules
from drydock.services.elbv2.checking import Checking
from drydock.services.elbv2.interfaces import Interfaces
from drydock.services.elbv2.metrics import Metrics
from drydock.services.elbv2.minutes import Minutes
from drydock.services.elbv2.model import Listener, LoadBalancer, Target, TargetGroup, Zone
from drydock.services.elbv2.reaching import Reaching, network_of, scope_of
from drydock.services.elbv2.sockets import bound
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.elbv2.certificates import CertificateOperations

log = logging.getLogger(__name__)


class Controller:
    """``instant``: states take no lab time of their own."""

    def __init__(
        self, registry: CertificateOperations, plane: Balancers, network: Facts, reaching: Reaching, instant: bool
    ) -> None:
        self._of = registry
        self._platform = registry.platform
        self._plane = plane
        self._reaching = reaching
        self._interfaces = Interfaces(registry.ec2)
        self._instant = instant
        self.metrics = Metrics()
        self.why_blocked: dict[str, str] = {}
        """Why nobody from this machine reaches a listener, by the listener's ARN"""
        self._told: set[str] = set()
        """Load balancers whose admissions are known"""
        self._refreshing: dict[Scope, bool] = {}
        """Whether to look again"""
        self._work: dict[str, asyncio.Task[Any]] = {}
        self.minutes = Minutes(registry, plane, self.metrics)
        self.beat: Callable[[str], None] = lambda account: None
        """Told which account has something to be counted, each minute from then on"""
        self._checking = Checking(self._platform, registry.groups, plane, reaching, self._target_changed, instant)
        plane.reach = reaching.connect
        plane.admits = self._admits
        network.on_change.append(self._network_changed)

    # ------------------------------------------------------------------ its life

    def start(self) -> None:
        """Take up what there is from an earlier life, in the background: EC2 takes a second to answer."""
        for scope, _, balancer in list(self._of.balancers.all()):
            if balancer.deleting:
                self._do(balancer, self._remove(scope, balancer))
            elif balancer.state == "provisioning":
                self.provision(scope, balancer)
        for scope, _, group in list(self._of.groups.all()):
            for target in group.targets:
                if target.state == "draining":
                    self._drain_later(scope, group, target)
        for scope in {scope for scope, _, _ in self._of.balancers.all()}:
            self.stand(scope)
            self._platform.spawn(self._take_up(scope), f"load balancers of {scope}")
        self._following = self._platform.spawn(self._follow_clocks(), "clocks of load balancers")

    async def stop(self) -> None:
        """End the loops; what was told to the data plane goes with it."""
        loops = [*self._work.values(), self._following]
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await self._checking.stop()

    async def reset(self, account: str | None) -> None:
        """Before an account, or all, is forgotten."""
        await self._checking.stop(account)
        for scope, _, balancer in list(self._of.balancers.all()):
            if account in (None, scope.account):
                if loop := self._work.pop(balancer.arn, None):
                    loop.cancel()
                    await asyncio.gather(loop, return_exceptions=True)
                await self._close(balancer)

    async def _take_up(self, scope: Scope) -> None:
        for balancer in self._of.balancers.of(scope):
            if balancer.state == "active" and not balancer.deleting:
                await self._enter(scope, balancer)
        await self.refresh(scope)

    def _do(self, balancer: LoadBalancer, work: Any) -> asyncio.Task[Any]:
        """The one thing that is being done to a load balancer in the background."""
        task = self._work[balancer.arn] = self._platform.spawn(work, f"work on {balancer.name}")
        task.add_done_callback(partial(self._done, balancer.arn))
        return task

    def _done(self, arn: str, task: asyncio.Task[Any]) -> None:
        if self._work.get(arn) is task:
            del self._work[arn]

    # ------------------------------------------------------------------ load balancers

    def provision(self, scope: Scope, balancer: LoadBalancer) -> None:
        """From ``provisioning`` to ``active``."""
        self._do(balancer, self._provision(scope, balancer))

    async def _provision(self, scope: Scope, balancer: LoadBalancer) -> None:
        clock = self._platform.clock(scope.account)
        try:
            await self._interfaces.attach(scope, balancer, balancer.zones)
        except AwsError as error:
            balancer.state, balancer.reason = "failed", f"{error.code}: {error.message}"
            self._of.balancers.put(scope, balancer.arn, balancer)
            return
        self._of.balancers.put(scope, balancer.arn, balancer)
        takes = durations.scaled(durations.LOAD_BALANCER_PROVISIONING, self._instant)
        await clock.sleep_until(balancer.created + takes)
        await self._enter(scope, balancer)
        await self._admit(scope, balancer)
        balancer.state = "active"
        self._of.balancers.put(scope, balancer.arn, balancer)
        self._tell(scope, balancer)
        await self._open_inside(scope, balancer)
        self.stand(scope)
        self._network_changed(scope.account)  # a listener may have come while this was waiting

    async def _enter(self, scope: Scope, balancer: LoadBalancer) -> None:
        """A place of its own in the VPC's network, at the addresses of its interfaces."""
        addresses = tuple(zone.address for zone in balancer.zones if zone.address)
        runtime = self._reaching.runtime()
        if not addresses or runtime.info.tier == "plain":
            return
        try:
            await runtime.create_sandbox(
                SandboxSpec(balancer.id, balancer.name[:60], addresses, network_of(scope, balancer))
            )
        except RuntimeFailure as error:
            log.error("%s has no place in its VPC: %s", balancer.name, error)
        else:
            self._reaching.inside.add(balancer.id)

    async def _leave(self, balancer: LoadBalancer) -> None:
        if balancer.id in self._reaching.inside:
            self._reaching.inside.discard(balancer.id)
            with contextlib.suppress(RuntimeFailure):
                await self._reaching.runtime().remove_sandbox(balancer.id)

    def runtime_found(self) -> None:
        """There is another runtime: the places in the one before have gone with it."""
        self._reaching.inside.clear()
        for scope in {scope for scope, _, _ in self._of.balancers.all()}:
            self._platform.spawn(self._take_up(scope), f"load balancers of {scope}")

    async def move(self, scope: Scope, balancer: LoadBalancer, zones: list[Zone]) -> None:
        """Into other subnets. Raises AwsError."""
        before = {zone.subnet_id: zone for zone in balancer.zones}
        wanted = [before.get(zone.subnet_id, zone) for zone in zones]
        if balancer.state == "active":
            await self._interfaces.attach(scope, balancer, wanted)
            await self._interfaces.detach(scope, balancer, wanted)
        balancer.zones = wanted
        self._of.balancers.put(scope, balancer.arn, balancer)
        if balancer.state == "active":
            self._plane.close_inside(balancer.arn)
            await self._leave(balancer)
            await self._enter(scope, balancer)
        self.stand(scope)
        await self.refresh(scope)

    async def remove(self, scope: Scope, balancer: LoadBalancer) -> None:
        """It is marked as being deleted; returns when it is gone. Raises AwsError."""
        if loop := self._work.pop(balancer.arn, None):
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
        self.stand(scope)
        await self._remove(scope, balancer)

    async def _remove(self, scope: Scope, balancer: LoadBalancer) -> None:
        await self._close(balancer)
        await self._interfaces.detach(scope, balancer, [])
        self._of.balancers.delete(scope, balancer.arn)

    async def _close(self, balancer: LoadBalancer) -> None:
        self._plane.forget(balancer.arn)
        await self._leave(balancer)
        self._told.discard(balancer.arn)
        self.metrics.totals.pop(balancer.arn, None)

    # ------------------------------------------------------------------ targets

    def stand(self, scope: Scope) -> None:
        """Where targets stand after something has changed: in use or not, and who is checked."""
        checked: dict[tuple[str, tuple[str, int]], str] = {}
        for group in self._of.groups.of(scope):
            found = [self._of.balancers.get(scope, arn) for arn in self._of.balancers_of(scope, group.arn)]
            users = [balancer for balancer in found if balancer is not None and not balancer.deleting]
            before = [(t.key, t.state, t.reason, t.description) for t in group.targets]
            for target in list(group.targets):
                self._place(group, target, users[0] if users else None)
                if users and users[0].state == "active" and self._is_checked(target):
                    checked[group.arn, target.key] = users[0].arn
            if before != [(t.key, t.state, t.reason, t.description) for t in group.targets]:
                self._of.groups.put(scope, group.arn, group)
        self._checking.want(scope, checked)

    @staticmethod
    def _is_checked(target: Target) -> bool:
        return target.state in ("initial", "healthy", "unhealthy") or target.reason == "Target.InvalidState"

    @staticmethod
    def _place(group: TargetGroup, target: Target, user: LoadBalancer | None) -> None:
        if target.state == "draining":
            if user is None:
                group.targets.remove(target)
            return
        outside = user is not None and target.zone != "all" and target.own_zone not in {z.name for z in user.zones}
        if user is None:
            found = rules.standing("unused", "Target.NotInUse")
        elif outside:
            found = rules.standing("unused", "Target.NotInUse", rules.OUTSIDE_ZONES)
        elif target.state == "unused" and target.reason != "Target.InvalidState":
            found = rules.standing("initial", "Elb.RegistrationInProgress")
        else:
            return
        target.state, target.reason, target.description = found.state, found.reason, found.description

    def drain(self, scope: Scope, group: TargetGroup, target: Target) -> None:
        """It is deregistered: at once if it is not in use, else when its requests have had time to end."""
        if target.state == "draining":
            return
        if target.state == "unused":
            group.targets.remove(target)
            return
        found = rules.standing("draining", "Target.DeregistrationInProgress")
        target.state, target.reason, target.description = found.state, found.reason, found.description
        target.drains_until = self._platform.clock(scope.account).now() + rules.delay_of(group)
        self._drain_later(scope, group, target)

    def _drain_later(self, scope: Scope, group: TargetGroup, target: Target) -> None:
        self._platform.spawn(self._drained(scope, group.arn, target), f"deregistration of {target.id}:{target.port}")

    async def _drained(self, scope: Scope, arn: str, target: Target) -> None:
        clock = self._platform.clock(scope.account)
        until = target.drains_until
        await clock.budget(max(until - clock.now(), 0.0))
        group = self._of.groups.get(scope, arn)
        if group is None or target not in group.targets or target.state != "draining" or target.drains_until != until:
            return
        group.targets = [each for each in group.targets if each is not target]
        self._of.groups.put(scope, arn, group)
        self._tell_of(scope, group)

    def _target_changed(self, scope: Scope, group: TargetGroup) -> None:
        self._tell_of(scope, group)

    # ------------------------------------------------------------------ the data plane

    def _network_changed(self, account: str) -> None:
        for scope in {scope for scope, _, _ in self._of.balancers.all() if scope.account == account}:
            if scope in self._refreshing:
                self._refreshing[scope] = True
            else:
                self._refreshing[scope] = False
                self._platform.spawn(self._refresh_on(scope), f"network of load balancers of {scope}")

    async def _refresh_on(self, scope: Scope) -> None:
        """Until nothing has changed meanwhile."""
        try:
            again = True
            while again:
                self._refreshing[scope] = False
                with contextlib.suppress(AwsError):  # the account is being reset
                    await self.refresh(scope)
                again = self._refreshing[scope]
        finally:
            del self._refreshing[scope]

    async def refresh(self, scope: Scope) -> None:
        """Ask the network again who is admitted, and tell the data plane what there is."""
        for balancer in self._of.balancers.of(scope):
            if balancer.state != "active" or balancer.deleting:
                continue
            await self._admit(scope, balancer)
            self._tell(scope, balancer)
            await self._open_inside(scope, balancer)

    async def _open_inside(self, scope: Scope, balancer: LoadBalancer) -> None:
        """Its listeners' ports at its addresses in the VPC, where tasks and instances reach it."""
        for listener in self._of.listeners_of(scope, balancer.arn):
            if balancer.id not in self._reaching.inside or self._plane.listens_inside(balancer.arn, listener.place):
                continue
            try:
                found = await self._reaching.runtime().bind(balancer.id, listener.port)
            except OSError as error:
                log.error("port %d of %s inside its VPC: %s", listener.port, balancer.name, error)
                continue
            if self._plane.listens_inside(balancer.arn, listener.place):
                found.close()  # somebody else was faster
            else:
                self._plane.listen_inside(balancer.arn, listener.place, found)

    async def _admit(self, scope: Scope, balancer: LoadBalancer) -> None:
        """Who may connect to its listeners."""
        for listener in self._of.listeners_of(scope, balancer.arn):
            verdict = await self._reaching.admission(scope, balancer, listener.port)
            self.why_blocked[listener.arn] = "" if verdict.allowed else verdict.reason
        self._told.add(balancer.arn)

    async def _admits(self, arn: str, place: str, client: str) -> bool:
        """For the data plane: somebody within the VPC has connected to a listener."""
        scope = scope_of(arn)
        balancer = self._of.balancers.get(scope, arn)
        if balancer is None:
            return False
        verdict = await self._reaching.admission(scope, balancer, int(place.rpartition(":")[2]), client)
        if not verdict.allowed:
            log.info("%s does not answer %s: %s", balancer.name, client, verdict.reason)
        return verdict.allowed

    def _tell_of(self, scope: Scope, group: TargetGroup) -> None:
        for arn in self._of.balancers_of(scope, group.arn):
            if balancer := self._of.balancers.get(scope, arn):
                self._tell(scope, balancer)

    def _tell(self, scope: Scope, balancer: LoadBalancer) -> None:
        if balancer.state != "active" or balancer.deleting or balancer.arn not in self._told:
            return
        if self._of.balancers.get(scope, balancer.arn) is not balancer:
            return  # the account was reset
        listeners = self._of.listeners_of(scope, balancer.arn)
        known = [self._of.groups.get(scope, arn) for arn in self._of.groups_of(scope, balancer.arn)]
        given = [
            (
                each,
                self._of.rules_of(scope, each.arn),
                not self.why_blocked.get(each.arn, "not known yet"),
                self._of.tls_of(scope, each),
            )
            for each in listeners
        ]
        speed = self._platform.clock(scope.account).speed
        groups = [group for group in known if group is not None]
        self._plane.configure(rules.configuration(balancer, given, groups, speed))
        before = [listener.local_port for listener in listeners]
        for listener in listeners:
            self._open(scope, balancer, listener)
        if before != [listener.local_port for listener in listeners]:
            self._plane.configure(rules.configuration(balancer, given, groups, speed))
        self.beat(scope.account)

    def _open(self, scope: Scope, balancer: LoadBalancer, listener: Listener) -> None:
        """Its sockets, if it has none."""
        if balancer.internal or self._plane.listens(balancer.arn, listener.place):
            return
        found = bound(listener.port, listener.local_port)
        port = found.getsockname()[1]
        if port != listener.local_port:
            listener.local_port = port
            self._of.listeners.put(scope, listener.arn, listener)
        self._plane.listen(balancer.arn, listener.place, found)

    async def _follow_clocks(self) -> None:
        """Time-outs are budgets of lab time: the data plane must know how fast it runs."""
        clocks = self._platform.store.collection(ClockState, "drydock", "clock").watch(include_existing=False)
        async for change in clocks:
            self._platform.spawn(self._tell_speed(change.scope.account), "speed of load balancers")

    async def _tell_speed(self, account: str) -> None:
        clock = self._platform.clock(account)
        while True:
            for scope, _, balancer in self._of.balancers.all():
                if scope.account == account:
                    self._tell(scope, balancer)
            if not clock.leases:
                return
            await asyncio.sleep(1.0)  # leases end by themselves

    # ------------------------------------------------------------------ for others

    @property
    def why_none_inside(self) -> str:
        """Why no load balancer can be reached within its VPC; empty if they can."""
        if self._reaching.runtime().info.tier != "plain":
            return ""
        return "In the plain tier tasks have no network of their own, so nobody could reach it."

    def endpoints(self) -> Iterator[tuple[LoadBalancer, Listener, str]]:
        """Listeners that serve, each with the address on this machine that leads to it."""
        for scope, _, balancer in self._of.balancers.all():
            if balancer.state == "active" and not balancer.deleting:
                for listener in self._of.listeners_of(scope, balancer.arn):
                    for host, port in self._plane.listens(balancer.arn, listener.place):
                        yield balancer, listener, f"{listener.scheme}://{host}:{port}"

    def faults(self) -> Iterator[str]:
        """Every listener of an active load balancer has a socket."""
        for scope, _, balancer in self._of.balancers.all():
            if balancer.state != "active" or balancer.deleting or balancer.arn not in self._told:
                continue
            for listener in self._of.listeners_of(scope, balancer.arn):
                if not balancer.internal and not self._plane.listens(balancer.arn, listener.place):
                    yield f"listener {listener.arn} has no socket"
                inside = self._plane.listens_inside(balancer.arn, listener.place)
                if balancer.internal and balancer.id in self._reaching.inside and not inside:
                    yield f"listener {listener.arn} has no socket in its VPC"
