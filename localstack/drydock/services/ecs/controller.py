"""The drivers of all tasks, and what they share.

Containers do not survive the emulator; so at a start every task that had not ended is told to stop, with the reason,
and its driver walks it to STOPPED, which also deletes its network interface.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from drydock.dataplane.plane import DataPlane
from drydock.images.standins import StandIns
from drydock.network.facts import Facts
from drydock.runtime.interface import Runtime
from drydock.services.ecs import lifecycle, rules
from drydock.services.ecs.balancing import Balancing
from drydock.services.ecs.driver import TaskDriver
from drydock.services.ecs.identities import Identities
from drydock.services.ecs.interfaces import Interfaces
from drydock.services.ecs.machines import Machines
from drydock.services.ecs.model import Task, TaskDefinition
from drydock.services.ecs.roles import RoleSessions
from drydock.services.ecs.task_network import BRIDGE, DYNAMIC_PORTS, RESERVED, Reach
from drydock.services.service import Platform
from drydock.store import Collection, Scope

HOST_LOST = "Task stopped because the emulator that ran its containers had ended (as after a failure of the host)."
RUNTIME_LOST = "Task stopped because the container runtime failed (as after a failure of the host)."


class TaskController:
    """``instant``: states take no lab time of their own."""

    def __init__(
        self,
        platform: Platform,
        runtime: Runtime,
        images: StandIns,
        roles: RoleSessions,
        definitions: Collection[TaskDefinition],
        dataplane: DataPlane,
        network: Facts,
        identities: Identities,
        machines: Machines,
        instant: bool,
    ) -> None:
        self.platform = platform
        self.images = images
        self.roles = roles
        self.dataplane = dataplane
        self.network = network
        self.identities = identities
        self.machines = machines
        self.instant = instant
        self.inside: dict[str, tuple[str, tuple[str, ...]]] = identities.inside
        """Network and addresses of tasks that have a sandbox, by id"""
        self.on_change: Callable[[Scope, Task], None] = lambda scope, task: None
        """Told of every step of a task; the scheduler of services listens"""
        self.used_by_service: Callable[[Scope, str], bool] = lambda scope, definition_arn: False
        """Whether a service is to run a task definition"""
        self.why_waiting: Callable[[Scope, Task], str] = lambda scope, task: ""
        """Why no instance has taken a task"""
        self.pulled: set[tuple[str, str]] = set()
        """(EC2 instance, image): what an instance has pulled before"""
        self._bridge: dict[str, set[str]] = {}
        self._last_port: dict[str, int] = {}
        self.tasks = platform.store.collection(Task, "ecs", "task")
        self.interfaces = Interfaces(platform)
        self.balancing = Balancing(platform)
        self.volumes = platform.state / "volumes"
        self.closing = False
        """The emulator is about to end the containers: the task's reason is the next life's to give"""
        self._definitions = definitions
        self._drivers: dict[str, TaskDriver] = {}
        self._running: dict[str, asyncio.Task[Any]] = {}
        self.runtime = runtime

    @property
    def runtime(self) -> Runtime:
        """That which is in use; a new one after the earlier one was lost."""
        return self._runtime

    @runtime.setter
    def runtime(self, runtime: Runtime) -> None:
        self._runtime = self.identities.runtime = runtime

    def definition(self, scope: Scope, task: Task) -> TaskDefinition:
        """The task's definition, which is kept as long as a task refers to it."""
        found = self._definitions.get(scope, rules.task_id(task.task_definition_arn))
        assert found is not None, f"{task.arn} without its definition"
        return found

    def start(self) -> None:
        """Take up the tasks of an earlier life."""
        shutil.rmtree(self.volumes, ignore_errors=True)
        for scope, _, task in list(self.tasks.all()):
            driver = self.drive(scope, task)
            if task.last_status != "STOPPED" and not task.waiting:
                driver.processes_lost(HOST_LOST)

    def prepare(self, images: list[str]) -> None:
        """Stand-ins for them are made in the background before they are first pulled, which may be soon: it takes a second."""
        for image in images:
            if self.images.wants_making(image):
                work = asyncio.to_thread(self.images.resolve, image)
                self.platform.spawn(work, f"stand-in for {image}")

    async def stop(self) -> None:
        """End the drivers; the tasks' state stays as it is, for the next life to take up."""
        self.closing = True
        for running in list(self._running.values()):
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def drive(self, scope: Scope, task: Task) -> TaskDriver:
        """Begin to walk a task."""
        driver = self._drivers[task.arn] = TaskDriver(self, scope, task)
        running = self._running[task.arn] = self.platform.spawn(driver.run(), f"driver of {task.arn}")
        running.add_done_callback(partial(self._forget, task.arn))
        return driver

    def _forget(self, arn: str, running: asyncio.Task[Any]) -> None:
        if self._running.get(arn) is running:
            del self._running[arn], self._drivers[arn]

    def forget_if_unused(self, scope: Scope, definition: TaskDefinition) -> None:
        """A definition that was asked to be deleted goes when neither a service nor a task that is not stopped refers to
        it."""
        if definition.status != "DELETE_IN_PROGRESS" or self.used_by_service(scope, definition.arn):
            return
        users = (task for task in self.tasks.of(scope) if task.task_definition_arn == definition.arn)
        if all(task.last_status == "STOPPED" for task in users):
            self._definitions.delete(scope, f"{definition.family}:{definition.revision}")

    def reach(self, task_id: str, port: int) -> Reach | None:
        """How a port of a task that is on its way is reached."""
        for driver in self._drivers.values():
            if driver.task.id == task_id and driver.task.is_active:
                return driver.network.reach(port)
        return None

    def take_bridge_address(self, network: str) -> str:
        """An address of the bridge that no other task of the same network has."""
        taken = self._bridge.setdefault(network, set())
        address = next(str(host) for host in BRIDGE.hosts() if str(host) not in taken and host.packed[-2:] > b"\0\1")
        taken.add(address)
        return address

    def give_back_bridge_address(self, network: str, address: str) -> None:
        """Its task has gone."""
        self._bridge.get(network, set()).discard(address)

    def free_ports(self, instance_id: str) -> Iterator[int]:
        """Of an instance's ephemeral range, going on behind the last one given, as Docker does."""
        count = len(DYNAMIC_PORTS)
        first = self._last_port.get(instance_id, DYNAMIC_PORTS[-1]) + 1
        for step in range(count):
            port = DYNAMIC_PORTS[(first + step - DYNAMIC_PORTS[0]) % count]
            if port not in RESERVED:
                self._last_port[instance_id] = port
                yield port

    def host_lost(self, task: Task, reason: str) -> None:
        """Its EC2 instance does not run any more: neither do its containers."""
        driver = self._drivers.get(task.arn)
        if driver:
            driver.host_lost(reason)

    def placed(self, task: Task) -> None:
        """A task that waited has an instance now."""
        driver = self._drivers.get(task.arn)
        if driver:
            driver.placed()

    def stop_task(self, task: Task, code: str, reason: str) -> None:
        """Ask for it; the driver does it."""
        driver = self._drivers.get(task.arn)
        if driver:
            driver.ask_to_stop(code, reason)

    def runtime_lost(self) -> None:
        """All containers end, and nobody asked for it. Their ends are told one by one: STOPPED only without processes."""
        for _, _, task in self.tasks.all():
            if task.last_status in lifecycle.WITH_PROCESSES and (driver := self._drivers.get(task.arn)):
                driver.runtime_lost(RUNTIME_LOST)

    async def reset(self, account: str | None) -> None:
        """End the processes of an account's tasks at once; the store forgets them afterwards."""
        for scope, _, task in list(self.tasks.all()):
            if account in (None, scope.account):
                running = self._running.pop(task.arn, None)
                self._drivers.pop(task.arn, None)
                if running:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)
                self.dataplane.close_sandbox(task.id)
                self.inside.pop(task.id, None)
                self.identities.forget(task)
                await self.runtime.remove_sandbox(task.id)
                shutil.rmtree(self.volumes / task.id, ignore_errors=True)
