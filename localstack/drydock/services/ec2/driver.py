"""One machine on its way through ``lifecycle.LIFE``: boots it, watches it, ends it.

The machine is one sandbox with one container in it, whose first process (``images/machine/init.py``) prints the console
to its standard output and tells events on its standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from drydock import durations
from drydock.errors import AwsError
from drydock.images.machine.layer import INIT
from drydock.runtime.interface import ContainerSpec, Exit, Mount, RuntimeFailure, SandboxSpec
from drydock.services.ec2 import user_data
from drydock.services.ec2.agent import Agent
from drydock.services.ec2.model import Machine
from drydock.services.ec2.ports import Ports
from drydock.services.ec2.types import TYPES
from drydock.services.stopping import stopping
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ec2.machines import Machines

log = logging.getLogger(__name__)
STOP_TIMEOUT = 30.0
"""Seconds (a budget for real work) that a machine has to shut down"""
BOOT_TIMEOUT = 60.0
"""Real seconds until its first process must have said that it runs"""
PYTHON = "/usr/local/bin/python3"


class MachineDriver:
    """``notice`` it when something about the machine has changed."""

    def __init__(self, house: Machines, scope: Scope, machine: Machine) -> None:
        self._house = house
        self.scope = scope
        self.machine = machine
        self._clock = house.platform.clock(scope.account)
        self._console = house.console(machine.id)
        self._changed = asyncio.Event()
        self._sandbox = False
        self._exit: Exit | None = None
        self._events: list[str] = []
        self._agent: asyncio.Task[None] | None = None
        self._ports: asyncio.Task[None] | None = None
        self._host_lost = False
        self.has_process = False
        self.between = False
        """It is being rebooted: it counts as running, and there may be no process just now"""

    # ------------------------------------------------------------------ the walk

    async def run(self) -> None:
        """Until nothing more happens by itself."""
        while True:
            state = self.machine.state
            try:
                match state:
                    case "pending":
                        await self._boot_up()
                    case "running":
                        await self._watch()
                    case "stopping":
                        await self._shut_down("stopped", durations.EC2_STOPPING)
                    case "shutting-down":
                        await self._shut_down("terminated", durations.EC2_SHUTTING_DOWN)
                    case _:
                        return
            except AwsError as error:  # moto's process died, or failed
                log.error("%s in %s: %s", self.machine.id, state, error)
                await asyncio.sleep(0.5)
            except Exception:  # a defect of ours must not leave an instance that never changes
                log.exception("%s in %s", self.machine.id, state)
                await self.leave("failed")
                await self._house.set_state(self.scope, self.machine, _defect_in(state), _reason_of_defect(state))
                if self.machine.state == state:
                    await self._change()

    def notice(self) -> None:
        """Look again."""
        self._changed.set()

    def host_lost(self) -> None:
        """The runtime has died, and the machine with it."""
        self._host_lost = True
        self.notice()

    def deregistered(self) -> None:
        """ECS does not know its agent any more."""
        if self._agent is not None and not self._agent.done():
            self._agent.cancel()
            agent = Agent(self._house, self.scope, self.machine, self._clock)
            agent.say("critical", "Agent will terminally exit: the container instance is not active any more")

    async def _change(self, seconds: float | None = None) -> None:
        """Wait until something changes, or for so much lab time."""
        self._changed.clear()
        if seconds is None:
            await self._changed.wait()
            return
        waits = [asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _takes(self, seconds: float, state: str) -> None:
        """Let lab time pass, but not longer than the instance is in that state."""
        end = self._clock.now() + durations.scaled(seconds, self._house.instant)
        while self.machine.state == state and (rest := end - self._clock.now()) > 0:
            await self._change(rest)

    def _save(self) -> None:
        self._house.machines.put(self.scope, self.machine.id, self.machine)

    # ------------------------------------------------------------------ pending

    async def _boot_up(self) -> None:
        machine = self.machine
        await self._house.runtime_there()
        self._host_lost = False
        if not machine.recovering:
            self._console.begin()
            await self._takes(durations.EC2_PENDING, "pending")
        if machine.state != "pending":
            return
        try:
            await self._boot()
        except (RuntimeFailure, OSError) as error:
            log.error("%s could not be booted: %s", machine.id, error)
            self._console.write(f"Drydock: the machine could not be booted: {error}".encode())
            await self.leave("failed")
            await self._house.remove_disk(self._house.home(machine))
            await self._house.set_state(self.scope, machine, "not booted", "not booted")
            return
        machine.recovering = False
        checks = self._clock.now() + durations.scaled(durations.EC2_STATUS_CHECKS, self._house.instant)
        await self._house.set_state(self.scope, machine, "booted", checksPassAt=checks)

    async def _boot(self) -> None:
        """Start its first process. Raises RuntimeFailure or OSError; the machine then has none."""
        machine = self.machine
        home = self._house.home(machine)
        for name in ("disk", "run", "log"):
            (home / name).mkdir(parents=True, exist_ok=True)
        facts = await self._claim_address()
        plan = user_data.plan(facts.get("user_data", ""), machine.id, machine.image_name or machine.image_id)
        plan["environment"] = {"AWS_ENDPOINT_URL": self._house.endpoint}
        (home / "run" / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        image = await asyncio.to_thread(self._house.images.machine)
        runtime = self._house.runtime
        await runtime.create_sandbox(
            SandboxSpec(machine.sandbox, machine.private_dns, (machine.private_address,), machine.network)
        )
        self._sandbox = True
        self._exit, self._events = None, []
        machine.rebooted = machine.reboots
        machine.boots += 1
        machine.booted_at = self._clock.now()
        has = TYPES.get(machine.instance_type)
        spec = ContainerSpec(
            name=machine.id,
            sandbox=machine.sandbox,
            layers=image.layers,
            argv=(PYTHON, "-I", "-S", f"/{INIT}"),
            env={**image.env, "HOME": "/root", "LANG": "C.UTF-8", "AWS_ENDPOINT_URL": self._house.endpoint},
            host_files=True,
            mounts=(
                Mount(str((home / "run").resolve()), "/run/drydock", read_only=True),
                Mount(str((home / "log").resolve()), "/var/log/ecs"),
            ),
            memory=has.memory << 20 if has else 0,
            disk=str(home / "disk"),
        )
        machine.pid = await runtime.start_container(spec, self._on_output, self._on_exit)
        self.has_process = self._exit is None
        self._save()
        async with asyncio.timeout(BOOT_TIMEOUT):
            while "running" not in self._events:
                if self._exit is not None:
                    raise RuntimeFailure(f"its first process ended with {self._exit.code} {self._exit.error or ''}")
                await self._change()
        ports = Ports(self._house, machine)
        self._ports = self._house.platform.spawn(ports.run(), f"ports of {machine.id}")

    async def _claim_address(self) -> dict[str, Any]:
        """See to it that its public address is nobody else's on this computer. What moto says of it."""
        wanted = {"userDataOf": [self.machine.id]}
        found = await self._house.ask(self.scope, "ec2", "DescribeMachines", wanted)
        facts: dict[str, Any] = next(each for each in found["machines"] if each["id"] == self.machine.id)
        while self.machine.public_address and not self._house.claims.take(self.machine.public_address):
            asked = {"id": self.machine.id, "address": self.machine.public_address}
            changed = (await self._house.ask(self.scope, "ec2", "ReplaceMachineAddress", asked))["machine"]
            if changed["public_address"] == self.machine.public_address:
                log.warning("public address %s cannot be used on this computer", self.machine.public_address)
                break
            self._house.learn(self.scope, changed)
        return facts

    def _on_output(self, stream: str, line: bytes) -> None:
        if stream == "stdout":
            self._console.write(line.rstrip(b"\r"))
            return
        try:
            event = str(json.loads(line)["event"])
        except (ValueError, KeyError, TypeError):
            self._console.write(line)  # a traceback of the first process's own
            return
        self._events.append(event)
        if event == "user-data-done" and self.machine.has_ecs_agent and self._agent is None:
            agent = Agent(self._house, self.scope, self.machine, self._clock)
            self._agent = self._house.platform.spawn(agent.run(), f"ECS agent of {self.machine.id}")
        self.notice()

    def _on_exit(self, how: Exit) -> None:
        self._exit = how
        self.has_process = False
        self.machine.pid = None
        self.notice()

    # ------------------------------------------------------------------ running

    async def _watch(self) -> None:
        machine = self.machine
        while machine.state == "running":
            if self._host_lost:
                await self.leave("failed")
                machine.recovering = True
                await self._house.set_state(self.scope, machine, "host lost")
            elif self._exit is not None:
                await self._ended_by_itself()
            elif machine.rebooted != machine.reboots:
                await self._reboot()
            else:
                await self._change()

    async def _ended_by_itself(self) -> None:
        """A program in it wished to power off or to reboot, or its first process was killed."""
        if "reboot" in self._events:
            await self._reboot()
            return
        wished = "poweroff" in self._events
        if wished and self.machine.shutdown_behavior == "terminate":
            await self._house.set_state(self.scope, self.machine, "asked to terminate", "shut down inside")
        else:
            if not wished:
                log.warning("%s: its first process ended with %s", self.machine.id, self._exit)
            await self._house.set_state(self.scope, self.machine, "failed", "shut down inside" if wished else "failed")

    async def _reboot(self) -> None:
        self.between = True
        try:
            await self.leave("rebooted")
            if self.machine.state == "running":
                await self._boot()
        except (RuntimeFailure, OSError) as error:
            log.error("%s could not be booted again: %s", self.machine.id, error)
            await self._house.set_state(self.scope, self.machine, "failed", "failed")
        finally:
            self.between = False

    # ------------------------------------------------------------------ ends

    async def leave(self, how: str) -> None:
        """End its processes, its agent and its network. ``how``: ``stopped``, ``terminated``, ``rebooted``, ``failed``."""
        machine = self.machine
        if self._agent is not None:
            self._agent.cancel()
            await asyncio.gather(self._agent, return_exceptions=True)
            self._agent = None
        if self._ports is not None:
            self._ports.cancel()
            await asyncio.gather(self._ports, return_exceptions=True)
            self._ports = None
        self._house.dataplane.close_sandbox(machine.sandbox)
        if how != "reset" and (self._sandbox or machine.container_instance_arn):
            await self._house.ecs.tell_gone(self.scope, machine, how)
        if how == "terminated":
            machine.container_instance_arn = ""
        with contextlib.suppress(RuntimeFailure):  # it died, and the machine with it
            if self.has_process:
                async with stopping(self._house.runtime, self._clock, machine.id, STOP_TIMEOUT):
                    while self.has_process and not self._host_lost:
                        await self._change()
            if self._sandbox:
                await self._house.runtime.remove_sandbox(machine.sandbox)
        self._sandbox = self.has_process = False
        if how in ("stopped", "terminated", "reset"):
            self._house.claims.release(machine.public_address)
            self._house.roles.forget(machine.id)
        machine.pid = None
        self._save()

    async def _shut_down(self, how: str, seconds: float) -> None:
        machine, state = self.machine, self.machine.state
        await self.leave(how)
        if how == "terminated":
            await self._house.remove_disk(self._house.home(machine))
        await self._takes(seconds, state)
        if machine.state == state:
            await self._house.set_state(self.scope, machine, "ended")


def _defect_in(state: str) -> Any:
    return {"pending": "not booted", "running": "failed"}.get(state, "ended")


def _reason_of_defect(state: str) -> str:
    return {"pending": "not booted", "running": "failed"}.get(state, "")
