"""The machines of all instances: looks at what EC2 says there should be, and has it made true.

Level-triggered: after any request that may have changed an instance, :meth:`Machines.changed` compares moto's instances
of that account and region with the machines here; each that has something to do has a driver (:mod:`driver`), which
looks at the machine and not at what was asked.

Machines do not survive the emulator, their disks do: at its next start those that ran are booted again, as after the
recovery of a failed host (same id, addresses and disk).
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from drydock import durations
from drydock.dataplane.plane import DataPlane
from drydock.errors import AwsError
from drydock.images.standins import StandIns
from drydock.network.facts import Facts
from drydock.network.rules import End
from drydock.runtime.interface import Runtime, RuntimeFailure
from drydock.services.ec2 import lifecycle
from drydock.services.ec2.agent import Ecs
from drydock.services.ec2.claims import Claims
from drydock.services.ec2.console import Console
from drydock.services.ec2.driver import MachineDriver
from drydock.services.ec2.model import Machine
from drydock.services.ec2.roles import InstanceRoles
from drydock.services.iam.api import Iam
from drydock.services.service import Platform
from drydock.store import Scope


@dataclass
class InUse:
    """That there may be instances in an account and region, of which the machines here may know nothing yet: an earlier
    life may have been killed while it launched them."""


Ask = Callable[[Scope, str, str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""``await ask(scope, "ec2", "SetMachine", {...})``: moto's operations that no client can send. Raises AwsError."""


class Machines:
    """``instant``: states take no lab time of their own. ``ecs`` is what ECS wants to be told."""

    def __init__(
        self,
        platform: Platform,
        runtime: Runtime,
        images: StandIns,
        iam: Iam,
        ask: Ask,
        ecs: Ecs,
        network: Facts,
        dataplane: DataPlane,
        instant: bool,
    ) -> None:
        self.platform = platform
        self.dataplane = dataplane
        self.network = network
        self.runtime = runtime
        self.images = images
        self.roles = InstanceRoles(iam)
        self.ask = ask
        self.ecs = ecs
        self.instant = instant
        self.claims = Claims()
        self.endpoint = ""
        """Of AWS's API, as machines reach it"""
        self.on_state: Callable[[Scope], None] = lambda scope: None
        """Called when an instance has come into another state (Auto Scaling groups look then)"""
        self.beat: Callable[[str], None] = lambda account: None
        """Told which account has something to be measured, each minute from then on"""
        self.machines = platform.store.collection(Machine, "ec2", "machine")
        self._in_use = platform.store.collection(InUse, "ec2", "in-use")
        self._launching: Counter[Scope] = Counter()
        self.folder = platform.state / "machines"
        self.closing = False
        self._consoles: dict[str, Console] = {}
        self._drivers: dict[str, MachineDriver] = {}
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._looking: dict[Scope, asyncio.Task[None]] = {}
        self._again: set[Scope] = set()
        self._taken_up = asyncio.Event()
        self._runtime_there = asyncio.Event()
        self._runtime_there.set()

    # ------------------------------------------------------------------ what others want to know

    def find(self, scope: Scope, instance_id: str) -> Machine | None:
        """The machine of an instance that is on its way up, runs or is on its way down."""
        machine = self.machines.get(scope, instance_id)
        if machine is None or machine.state in lifecycle.AT_REST:
            return None
        role = self.roles.role(scope, machine)
        machine.role_arn = role.arn if role else ""
        return machine

    def deregistered(self, scope: Scope, instance_id: str, container_instance_arn: str) -> None:
        """ECS does not know its agent any more: the agent ends, as the real one does."""
        driver = self._drivers.get(instance_id)
        if driver is not None and driver.machine.container_instance_arn == container_instance_arn:
            driver.deregistered()

    def place_of(self, sandbox: str) -> tuple[Scope, Machine] | None:
        """The running machine whose sandbox this is."""
        driver = self._drivers.get(sandbox)
        return (driver.scope, driver.machine) if driver is not None else None

    def end_of(self, sandbox: str) -> tuple[Scope, str, End, str] | None:
        """(whose, subnet, the end of a connection, public address if any): for who decides about connections."""
        found = self.place_of(sandbox)
        if found is None:
            return None
        scope, machine = found
        end = End(machine.private_address, machine.groups, machine.vpc_id)
        return scope, machine.subnet_id, end, machine.public_address

    def by_address(self, network: str, address: str) -> tuple[Scope, Machine] | None:
        """The machine with this private address on a network of the runtime."""
        for driver in self._drivers.values():
            if driver.machine.private_address == address and driver.machine.network == network:
                return driver.scope, driver.machine
        return None

    def tagged(self, scope: Scope) -> dict[str, str]:
        """Instances that are on their way up or run, and have the tag with a group's name."""
        tag = "aws:autoscaling:groupName"
        alive = ("pending", "running")
        return {m.id: m.tags[tag] for m in self.machines.of(scope) if tag in m.tags and m.state in alive}

    def console(self, instance_id: str) -> Console:
        """Of a machine that is or was."""
        if instance_id not in self._consoles:
            self._consoles[instance_id] = Console(self.folder / "consoles" / f"{instance_id}.log")
        return self._consoles[instance_id]

    def home(self, machine: Machine) -> Path:
        """The folder with its disk."""
        return self.folder / machine.id

    async def ready(self) -> None:
        """Returns when the machines of an earlier life have been taken up, so that EC2 shows what is."""
        await self._taken_up.wait()

    async def runtime_there(self) -> None:
        """Returns when there is a runtime."""
        await self._runtime_there.wait()

    # ------------------------------------------------------------------ looking

    @contextlib.asynccontextmanager
    async def launching(self, scope: Scope) -> AsyncIterator[None]:
        """Around a request that may make instances: afterwards they are known here, also if we are killed in it."""
        self._launching[scope] += 1
        self._in_use.put(scope, "scope", InUse())
        self.platform.store.commit()
        try:
            yield
        finally:
            self._launching[scope] -= 1
            await asyncio.shield(self.changed(scope))

    def changed(self, scope: Scope) -> asyncio.Task[None]:
        """Something may be different in EC2: look soon. The answer is done when it was looked."""
        looking = self._looking.get(scope)
        if looking is not None:
            self._again.add(scope)
            return looking
        looking = self._looking[scope] = self.platform.spawn(self._look(scope), f"look at instances of {scope}")
        looking.add_done_callback(lambda _: self._looking.pop(scope, None))
        return looking

    async def _look(self, scope: Scope) -> None:
        while True:
            self._again.discard(scope)
            if self.closing:
                return
            await self._compare(scope)
            if scope not in self._again:
                return

    async def _compare(self, scope: Scope) -> None:
        found = await self.ask(scope, "ec2", "DescribeMachines", {})
        for facts in found["machines"]:
            self.learn(scope, facts)
        told = {facts["id"] for facts in found["machines"]}
        for machine in self.machines.of(scope):
            if machine.id not in told and machine.state != "terminated":  # e.g. moto's state was reset
                await self._end(scope, machine)
                self.machines.delete(scope, machine.id)
        if not self._launching[scope] and all(machine.state == "terminated" for machine in self.machines.of(scope)):
            self._in_use.delete(scope, "scope")

    def learn(self, scope: Scope, facts: dict[str, Any]) -> Machine | None:
        """Take over what EC2 says of an instance, and see to it that somebody acts on it."""
        machine = self.machines.get(scope, facts["id"])
        if machine is None:
            if facts["state"] == "terminated":
                return None
            machine = Machine(facts["id"])
        before = machine.state
        if machine.learn(facts, f"{scope.account}/{scope.region}/{facts['vpc_id']}"):
            self.machines.put(scope, machine.id, machine)
        driver = self._drivers.get(machine.id)
        if driver is not None:
            driver.notice()
        elif machine.state not in lifecycle.AT_REST and not self.closing:
            self._drive(scope, machine)
        if machine.state != before:
            if machine.state == "terminated":
                machine.ended_at = self.platform.clock(scope.account).now()
                self.machines.put(scope, machine.id, machine)
                self.forget_later(scope, machine)
            self.on_state(scope)
            self.beat(scope.account)
        return machine

    async def set_state(
        self, scope: Scope, machine: Machine, event: lifecycle.Event, reason: str = "", **further: Any
    ) -> None:
        """An event has happened to it: EC2 shows where that leads, unless it has come into another state meanwhile."""
        to = lifecycle.following(machine.state, event)
        if to is None:
            return
        asked = {"id": machine.id, "from": [machine.state], "to": to, **further}
        if reason:
            asked["reason"], asked["code"], asked["message"] = lifecycle.REASONS[reason]
        answer = await self.ask(scope, "ec2", "SetMachine", asked)
        if answer["machine"] is not None:
            self.learn(scope, answer["machine"])

    # ------------------------------------------------------------------ drivers

    def _drive(self, scope: Scope, machine: Machine) -> None:
        driver = self._drivers[machine.id] = MachineDriver(self, scope, machine)
        running = self._running[machine.id] = self.platform.spawn(driver.run(), f"driver of {machine.id}")
        running.add_done_callback(partial(self._forget_driver, scope, machine))

    def _forget_driver(self, scope: Scope, machine: Machine, running: asyncio.Task[Any]) -> None:
        if self._running.get(machine.id) is running:
            del self._running[machine.id], self._drivers[machine.id]
            if machine.state not in lifecycle.AT_REST and not self.closing and not running.cancelled():
                self._drive(scope, machine)  # it was asked to start while its driver came to its end

    async def start(self) -> None:
        """Take up the machines of an earlier life, in the background: moto takes a second to start."""
        known = {machine.id for _, _, machine in self.machines.all() if machine.state != "terminated"}
        if self.folder.is_dir():
            for folder in self.folder.iterdir():
                if folder.name.startswith("i-") and folder.name not in known:
                    await self.remove_disk(folder)
        for scope, _, machine in self.machines.all():
            if machine.state == "terminated":
                self.forget_later(scope, machine)
        scopes = {scope for scope, _, machine in self.machines.all() if machine.state != "terminated"}
        scopes |= {scope for scope, _, _ in self._in_use.all()}
        if scopes:
            self.platform.spawn(self._take_up(scopes), "machines of an earlier life")
        else:
            self._taken_up.set()

    async def _take_up(self, scopes: set[Scope]) -> None:
        try:
            for scope in sorted(scopes):
                for machine in self.machines.of(scope):
                    machine.pid = None
                found = await self.ask(scope, "ec2", "DescribeMachines", {})
                for facts in found["machines"]:
                    known = self.machines.get(scope, facts["id"])
                    if known is not None and facts["state"] in ("running", "pending"):
                        known.state = facts["state"]
                        known.recovering = known.boots > 0
                        known.rebooted = facts["reboots"]
                        await self.set_state(scope, known, "host lost")
                await self._compare(scope)
        finally:
            self._taken_up.set()

    async def stop(self) -> None:
        """End the drivers; the machines end with the runtime."""
        self.closing = True
        for running in [*self._running.values(), *self._looking.values()]:
            running.cancel()
        await asyncio.gather(*self._running.values(), *self._looking.values(), return_exceptions=True)
        for console in self._consoles.values():
            console.close()

    def runtime_lost(self) -> None:
        """All machines' processes end, and nobody asked for it: they are booted again when there is a runtime."""
        self._runtime_there.clear()
        for driver in self._drivers.values():
            driver.host_lost()

    def runtime_found(self, runtime: Runtime) -> None:
        """There is another one."""
        self.runtime = runtime
        self._runtime_there.set()

    async def remove_disk(self, home: Path) -> None:
        """With all that is in the folder beside it."""
        with contextlib.suppress(RuntimeFailure):  # it has died, and disks in memory with it
            await self.runtime.remove_disk(str(home / "disk"))
        await asyncio.to_thread(shutil.rmtree, home, True)

    async def _end(self, scope: Scope, machine: Machine) -> None:
        """At once, whatever it is at."""
        running = self._running.pop(machine.id, None)
        driver = self._drivers.pop(machine.id, None)
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        if driver is not None:
            await driver.leave("reset")
        await self.remove_disk(self.home(machine))
        self.console(machine.id).forget()
        self._consoles.pop(machine.id, None)

    async def reset(self, account: str | None) -> None:
        """End an account's machines; the store forgets them afterwards."""
        for scope, _, machine in list(self.machines.all()):
            if account in (None, scope.account):
                await self._end(scope, machine)

    def forget_later(self, scope: Scope, machine: Machine) -> None:
        """A terminated one: it can be described for an hour more."""
        self.platform.spawn(self._forget(scope, machine), f"{machine.id} is terminated")

    async def _forget(self, scope: Scope, machine: Machine) -> None:
        clock = self.platform.clock(scope.account)
        await clock.sleep(durations.EC2_TERMINATED_KEPT - (clock.now() - machine.ended_at))
        if self.machines.get(scope, machine.id) is not machine:
            return  # the account was reset
        with contextlib.suppress(AwsError):
            await self.ask(scope, "ec2", "ForgetMachines", {"ids": [machine.id]})
        self.console(machine.id).forget()
        self._consoles.pop(machine.id, None)
        self.machines.delete(scope, machine.id)

    def faults(self) -> Iterator[str]:
        """No instance running without a process, no process without an instance that may have one."""
        for scope, _, machine in self.machines.all():
            driver = self._drivers.get(machine.id)
            with_process = driver is not None and driver.has_process
            if machine.state == "running" and not with_process and not (driver and driver.between):
                yield f"instance {machine.id} of {scope.account} is running without a process"
            if with_process and machine.state not in lifecycle.WITH_PROCESS:
                yield f"instance {machine.id} of {scope.account} is {machine.state}, but its process runs"
