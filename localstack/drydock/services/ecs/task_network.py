"""Where a task's containers are on the network, and the ports by which they are reached.

``awsvpc``: the task has an interface and a sandbox of its own. ``bridge``: a sandbox of its own with an address of the
instance's bridge; host ports are listeners in the instance that lead into it. ``host``: its containers are in the
instance's sandbox. ``none``: a sandbox without addresses.

Source: "Amazon ECS task networking options for EC2", "PortMapping" of the API reference.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drydock import durations
from drydock.dataplane.refusals import PlaneFailure
from drydock.errors import AwsError
from drydock.network.rules import End
from drydock.runtime.interface import NoCapacity, RuntimeFailure, SandboxSpec
from drydock.services.ecs.machines import Machine
from drydock.services.ecs.model import Binding, Container, Interface, Task
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ecs.controller import TaskController

log = logging.getLogger(__name__)
BRIDGE = ipaddress.ip_network("172.17.0.0/16")
DYNAMIC_PORTS = range(32768, 61000)
"""The ephemeral range of Linux (``ip_local_port_range``), from which Docker takes the host port for a 0"""
RESERVED = (51678, 51679)


class NetworkFailed(Exception):
    """The message is the task's ``stoppedReason``."""


class PortTaken(Exception):
    """On the instance; the message is the container's ``reason``."""


@dataclass(frozen=True)
class Reach:
    """How a connection into a task is decided and made: ``target`` and ``port`` are what security groups see."""

    scope: Scope
    sandbox: str
    port_inside: int
    target: End
    port: int
    subnet_id: str
    public: bool
    """Whether the target has a public address"""
    public_address: str = ""


class TaskNetwork:
    """Of one task. ``machine`` is the EC2 instance that it is on, None on Fargate."""

    def __init__(self, house: TaskController, scope: Scope, task: Task) -> None:
        self._house = house
        self._scope = scope
        self._task = task
        self.machine: Machine | None = None
        if task.ec2_instance_id:
            self.machine = house.machines.find(scope, task.ec2_instance_id)
        self._address = ""

    @property
    def own_interface(self) -> Interface | None:
        """Of awsvpc tasks."""
        return self._task.interfaces[0] if self._task.interfaces else None

    @property
    def sandbox(self) -> str:
        """To the runtime."""
        if self._task.network_mode == "host" and self.machine is not None:
            return self.machine.sandbox
        return self._task.id

    @property
    def name(self) -> str:
        """The runtime's network."""
        interface = self.own_interface
        if interface is not None:
            return f"{self._scope.account}/{self._scope.region}/{interface.vpc_id}"
        return self.machine.network if self.machine is not None else ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Inside."""
        match self._task.network_mode:
            case "awsvpc":
                return tuple(each.address for each in self._task.interfaces)
            case "host":
                return (self.machine.private_address,) if self.machine is not None else ()
            case "bridge":
                return (self._address,) if self._address else ()
        return ()

    @property
    def puller(self) -> tuple[End, str, bool]:
        """Who pulls the images: (network end, subnet, has a public address). On an instance it is the instance."""
        if self.machine is not None:
            return _end_of(self.machine), self.machine.subnet_id, bool(self.machine.public_address)
        interface = self.own_interface
        assert interface is not None
        public = self._task.network.get("assignPublicIp") == "ENABLED"
        return End(interface.address, interface.groups, interface.vpc_id), interface.subnet_id, public

    async def attach(self) -> None:
        """Raises NetworkFailed."""
        for interface in self._task.interfaces:
            try:
                await self._house.interfaces.attach(self._scope, self._task, interface)
            except AwsError as error:
                raise NetworkFailed(f"Unexpected EC2 error while creating the network interface: {error}") from error

    async def make(self) -> None:
        """The sandbox. Raises NetworkFailed, or NoCapacity."""
        task = self._task
        if task.network_mode == "host":
            self._house.inside[task.id] = (self.name, self.addresses)
            return
        if task.network_mode == "bridge":
            self._address = self._house.take_bridge_address(self.name)
        spec = SandboxSpec(
            task.id,
            self._hostname(),
            self.addresses,
            self.name,
            memory=int(task.memory or 0) << 20,
            cpu=int(task.cpu or 0) / 1024 if task.on_fargate else 0.0,
        )
        try:
            await self._house.runtime.create_sandbox(spec)
        except NoCapacity:
            raise
        except RuntimeFailure as error:
            raise NetworkFailed(
                f"ResourceInitializationError: the task's network could not be made: {error}"
            ) from error
        self._house.inside[task.id] = (self.name, self.addresses)

    def _hostname(self) -> str:
        interface = self.own_interface
        if interface is None:
            return self._task.id[:12]  # as Docker names a container
        plain = f"ip-{interface.address.replace('.', '-')}.{self._scope.region}.compute.internal"
        return interface.dns_name or plain

    # -- ports
    async def bind(self, container: Container, document: dict[str, Any]) -> None:
        """Before a container starts: what its port mappings ask of the instance. Raises PortTaken."""
        mode = self._task.network_mode
        if self.machine is None or mode not in ("bridge", "host") or container.bindings:
            return
        for mapping in document.get("portMappings", []):
            inside, outside = mapping["containerPort"], mapping["hostPort"]
            if mode == "bridge":
                outside = await self._listen(inside, outside)
            container.bindings.append(Binding(inside, outside, mapping["protocol"]))

    async def _listen(self, inside: int, wanted: int) -> int:
        """A listener in the instance that leads into the task; its port."""
        assert self.machine is not None
        for port in [wanted] if wanted else self._house.free_ports(self.machine.id):
            try:
                listener = await self._house.runtime.bind(self.machine.sandbox, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise PortTaken(f"CannotStartContainerError: {error}") from error
                if wanted:
                    raise PortTaken(
                        "CannotStartContainerError: Error response from daemon: driver failed programming external "
                        f"connectivity on endpoint {self._task.id[:12]}: Bind for 0.0.0.0:{port} failed: port is already "
                        "allocated"
                    ) from error
                continue
            with listener:
                await self._house.dataplane.adopt(self._task.id, inside, listener)
            return port
        raise PortTaken("CannotStartContainerError: Error response from daemon: all ports are allocated")

    async def open_ports(self, containers: list[tuple[Container, dict[str, Any]]]) -> None:
        """Make the containers' TCP ports reachable from this machine (``/_drydock/endpoints`` tells where)."""
        for container, document in containers:
            if self.machine is not None and self._task.network_mode in ("bridge", "host"):
                pairs = [(each.container_port, each.host_port) for each in container.bindings]
                host = self.machine.public_address
            else:
                mappings = document.get("portMappings", [])
                pairs = [(m["containerPort"], 0) for m in mappings if m["protocol"] == "tcp" and "containerPort" in m]
                host = "127.0.0.1"
            for inside, outside in pairs if host else []:
                try:
                    await self._house.dataplane.open(self._task.id, inside, host, outside)
                except PlaneFailure as error:
                    log.error("port %s of %s: %s", inside, self._task.arn, error)

    def reach(self, port: int) -> Reach | None:
        """To ``port`` of its containers."""
        interface = self.own_interface
        if interface is not None:
            target = End(interface.address, interface.groups, interface.vpc_id)
            public = self._task.network.get("assignPublicIp") == "ENABLED"
            place = (interface.subnet_id, public, interface.public_address)
            return Reach(self._scope, self.sandbox, port, target, port, *place)
        if self.machine is None:
            return None
        bindings = [each for container in self._task.containers for each in container.bindings]
        outside = next((each.host_port for each in bindings if each.container_port == port), port)
        public = bool(self.machine.public_address)
        target = _end_of(self.machine)
        place = (self.machine.subnet_id, public, self.machine.public_address)
        return Reach(self._scope, self.sandbox, port, target, outside, *place)

    async def remove(self) -> None:
        """The sandbox and the ports. Raises RuntimeFailure."""
        self._house.dataplane.close_sandbox(self._task.id)
        self._house.inside.pop(self._task.id, None)
        if self._address:
            self._house.give_back_bridge_address(self.name, self._address)
        if self._task.network_mode != "host":
            await self._house.runtime.remove_sandbox(self._task.id)

    async def detach(self) -> None:
        """Delete the interfaces; what EC2 refuses is logged."""
        for interface in self._task.interfaces:
            try:
                await self._house.interfaces.delete(self._scope, interface)
            except AwsError as error:
                log.error("the network interface of %s stays behind: %s", self._task.arn, error)

    @property
    def provisioning(self) -> float:
        """Lab seconds."""
        return durations.FARGATE_PROVISIONING if self._task.on_fargate else durations.EC2_PROVISIONING

    @property
    def deprovisioning(self) -> float:
        """Lab seconds."""
        if self._task.on_fargate:
            return durations.FARGATE_DEPROVISIONING
        return durations.EC2_DEPROVISIONING if self._task.interfaces else 0.0


def _end_of(machine: Machine) -> End:
    return End(machine.private_address, machine.groups, machine.vpc_id)
