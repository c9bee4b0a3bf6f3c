"""The ECS agent of a machine made from an ECS-optimized AMI: registers it with a cluster, under the instance's role.

It runs in the emulator, not in the machine, but only while the machine runs. It does what the real agent does as far as
others can see it: reads ``/etc/ecs/ecs.config`` from the machine's disk, makes the cluster ``default`` if it is to use
that and there is none, registers, and says in ``/var/log/ecs/ecs-agent.log`` and on the console what comes of it, in the
agent's words. It tries again for ever, ever more slowly, as the real one that is started again.

Source of the words: the logs of amazon-ecs-agent 1.8x and later.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drydock import durations
from drydock.clock import Clock
from drydock.errors import AwsError
from drydock.network.rules import PUBLIC_SERVICE, reaches_service
from drydock.request import Principal
from drydock.runtime.interface import Exit, Runtime, RuntimeFailure
from drydock.services.ec2 import agent_config
from drydock.services.ec2.identity_document import identity_document
from drydock.services.ec2.model import Machine
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ec2.machines import Machines

CONFIG = "/etc/ecs/ecs.config"
FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0
"""Seconds of lab time between two attempts"""


@dataclass
class Ecs:
    """What ECS wants to be told; its own methods once it is there."""

    connected: Callable[[Scope, str, bool], Awaitable[None] | None] = lambda scope, arn, connected: None
    """(whose, container instance's ARN, whether its agent is connected)"""
    gone: Callable[[Scope, str, str], Awaitable[None] | None] = lambda scope, instance_id, how: None
    """(whose, EC2 instance's id, ``terminated``, ``stopped``, ``rebooted`` or ``failed``): before its processes end"""

    async def tell_connected(self, scope: Scope, machine: Machine, connected: bool) -> None:
        """The agent of a registered machine has connected, or goes."""
        answer = self.connected(scope, machine.container_instance_arn, connected)
        if inspect.isawaitable(answer):
            await answer

    async def tell_gone(self, scope: Scope, machine: Machine, how: str) -> None:
        """The machine goes, and all its tasks with it."""
        answer = self.gone(scope, machine.id, how)
        if inspect.isawaitable(answer):
            await answer


class _Unreachable(Exception):
    """There is no answer from ECS, or nobody to ask it as; the message is the agent's."""


class Agent:
    """Of one boot of one machine. ``run`` ends by being cancelled, or where the real agent gives up."""

    def __init__(self, house: Machines, scope: Scope, machine: Machine, clock: Clock) -> None:
        self._house = house
        self._scope = scope
        self._machine = machine
        self._clock = clock
        self._log = house.home(machine) / "log" / "ecs-agent.log"

    async def run(self) -> None:
        """Register, and stay connected until cancelled."""
        machine = self._machine
        await self._clock.sleep(durations.scaled(durations.ECS_AGENT_START, self._house.instant))
        self.say("info", "Loading configuration")
        config = agent_config.parse(await read_file(self._house.runtime, machine.id, CONFIG))
        for warning in config.warnings:
            self.say("warn", warning)
        self.say("info", f"Amazon ECS agent Version: {agent_config.AGENT_VERSION}, run by Drydock")
        if not await self._register(config):
            return
        registered = False
        try:
            await self._house.ecs.tell_connected(self._scope, machine, True)
            registered = True
            self.say("info", "Connected to ACS endpoint")
            await asyncio.Event().wait()
        finally:
            if registered:
                await self._house.ecs.tell_connected(self._scope, machine, False)

    async def _register(self, config: agent_config.AgentConfig) -> bool:
        machine, known = self._machine, bool(self._machine.container_instance_arn)
        cluster = config.cluster or "default"
        if known:
            self.say("info", "Restored from checkpoint file", containerInstanceARN=machine.container_instance_arn)
        document = identity_document(self._scope, machine)
        delay = FIRST_RETRY
        while True:
            self.say("info", "Registering Instance with ECS")
            try:
                if not known and not config.cluster:
                    await self._ensure_default_cluster()
                params = agent_config.registration(config, machine, document)
                answer = await self._call("RegisterContainerInstance", params)
            except (AwsError, _Unreachable) as error:
                self.say("error", "Unable to register as a container instance with ECS", error=str(error))
                self.say("error", f"Error {'re-' if known else ''}registering container instance", error=str(error))
                if isinstance(error, AwsError) and known and "not registered" in error.message:
                    self.say("critical", "Agent will terminally exit, unable to register container instance")
                    return False
                await self._clock.budget(delay)
                delay = min(delay * 2, LONGEST_RETRY)
                continue
            machine.container_instance_arn = answer["containerInstance"]["containerInstanceArn"]
            self._house.machines.put(self._scope, machine.id, machine)
            self.say("info", "Registered container instance with cluster!")
            arn = machine.container_instance_arn
            self.say("info", f"Registration completed successfully. I am running as '{arn}' in cluster '{cluster}'")
            return True

    async def _ensure_default_cluster(self) -> None:
        """As the real agent: only for its default, and a role that may not make it may still register."""
        found = await self._call("DescribeClusters", {"clusters": ["default"]}, quietly=True)
        if any(cluster["status"] == "ACTIVE" for cluster in (found or {}).get("clusters", [])):
            return
        try:
            await self._call("CreateCluster", {"clusterName": "default"})
            self.say("info", "Created a cluster!", cluster="default")
        except AwsError as error:
            self.say("error", "Could not create cluster", cluster="default", error=str(error))

    async def _call(self, operation: str, params: dict[str, Any], quietly: bool = False) -> dict[str, Any]:
        """Under the instance's role. Raises AwsError; _Unreachable where no answer can come."""
        await self._check_way_out()
        principal = self._house.roles.principal(self._scope, self._machine)
        if principal is None:
            raise _Unreachable(
                "NoCredentialProviders: no valid providers in chain. Deprecated.\n"
                "\tFor verbose messaging see aws.Config.CredentialsChainVerboseErrors"
            )
        if quietly:  # what the service itself would know
            principal = Principal.of_service(self._scope.account, "ecs.amazonaws.com")
        return await self._house.platform.call(principal, self._scope.region, "ecs", operation, params)

    async def _check_way_out(self) -> None:
        """On AWS the commonest mistake: an instance in a subnet from which ECS cannot be reached."""
        machine = self._machine
        subnet = await self._house.network.subnet(self._scope, machine.subnet_id)
        if subnet is not None and not reaches_service(subnet, "ecs", bool(machine.public_address)):
            raise _Unreachable(
                f'RequestError: send request failed\ncaused by: Post "https://ecs.{self._scope.region}.amazonaws.com/": '
                f"dial tcp {PUBLIC_SERVICE}:443: i/o timeout"
            )

    def say(self, level: str, message: str, **members: str) -> None:
        """A line of its log, which the console shows too."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        further = "".join(f" {name}={json.dumps(value)}" for name, value in members.items())
        line = f"level={level} time={now} msg={json.dumps(message)}{further}"
        with self._log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._house.console(self._machine.id).write(f"ecs-agent: {line}".encode())


async def read_file(runtime: Runtime, container: str, path: str) -> str:
    """A file as the programs of a container see it; empty if there is none or it cannot be asked."""
    ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def on_exit(how: Exit) -> None:
        if not ended.done():
            ended.set_result(how)

    with tempfile.TemporaryFile() as output, open(os.devnull, "r+b") as null:
        stdio = (null.fileno(), output.fileno(), null.fileno())
        try:
            await runtime.exec(f"{container}-read", container, ("cat", path), on_exit, pty=False, stdio=stdio)
        except RuntimeFailure:
            return ""
        await ended
        output.seek(0)
        return output.read(1 << 20).decode("utf-8", "replace")
