"""Amazon ECS. Its operations are in the modules by topic; here they are put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drydock.dataplane.plane import DataPlane
from drydock.images.standins import StandIns
from drydock.network.facts import Facts
from drydock.runtime.interface import Runtime
from drydock.services.ecs import lifecycle
from drydock.services.ecs.controller import TaskController
from drydock.services.ecs.execute_command import ExecuteCommandOperations
from drydock.services.ecs.identities import Identities
from drydock.services.ecs.instance_model import ContainerInstance, used_ports
from drydock.services.ecs.machines import Machines
from drydock.services.ecs.managed_scaling import ManagedScaling
from drydock.services.ecs.model import AccountSetting, Cluster, Family, Task, TaskDefinition
from drydock.services.ecs.provider_model import CapacityProvider
from drydock.services.ecs.roles import RoleSessions
from drydock.services.ecs.service_controller import ServiceController
from drydock.services.ecs.service_model import Revision, Service, ServiceDeployment
from drydock.services.ecs.service_work import ServiceWork
from drydock.services.ecs.task_network import Reach
from drydock.services.ecs.waiting import Waiting
from drydock.services.iam.api import Iam
from drydock.services.service import Platform
from drydock.services.ssm.sessions import Sessions
from drydock.store import Scope


class Ecs(ExecuteCommandOperations):
    """``instant``: states take no lab time of their own (benchmarks)."""

    name = "ecs"

    def __init__(
        self,
        platform: Platform,
        runtime: Runtime,
        images: StandIns,
        iam: Iam,
        dataplane: DataPlane,
        network: Facts,
        machines: Machines,
        sessions: Sessions,
        instant: bool,
    ) -> None:
        super().__init__(platform)
        self.sessions = sessions
        self.machines = machines
        self.directory = iam.directory
        self.settings = platform.store.collection(AccountSetting, "ecs", "account-setting")
        self.clusters = platform.store.collection(Cluster, "ecs", "cluster")
        self.definitions = platform.store.collection(TaskDefinition, "ecs", "task-definition")
        self.families = platform.store.collection(Family, "ecs", "family")
        self.tasks = platform.store.collection(Task, "ecs", "task")
        self.services = platform.store.collection(Service, "ecs", "service")
        self.revisions = platform.store.collection(Revision, "ecs", "service-revision")
        self.records = platform.store.collection(ServiceDeployment, "ecs", "service-deployment")
        self.instances = platform.store.collection(ContainerInstance, "ecs", "container-instance")
        self.providers = platform.store.collection(CapacityProvider, "ecs", "capacity-provider")
        self.roles = RoleSessions(platform, iam)
        self.identities = Identities(platform, iam, self.tasks, self.definitions)
        self.controller = TaskController(
            platform,
            runtime,
            images,
            self.roles,
            self.definitions,
            dataplane,
            network,
            self.identities,
            machines,
            instant,
        )
        self.services_controller = ServiceController(
            platform, self.services, self.tasks, lambda scope, service: ServiceWork(self, scope, service), instant
        )
        self.waiting = Waiting(self)
        self.managed = ManagedScaling(self)
        self.beat: Callable[[str], None] = lambda account: None
        """Told which account has something to be measured, each minute from then on"""
        self.controller.on_change = self._task_changed
        self.controller.used_by_service = self.uses_definition
        self.controller.why_waiting = self.waiting.why
        self.services_controller.on_capacity = self.waiting.place

    async def start(self) -> None:
        self.controller.start()
        self.services_controller.start()
        self.waiting.start()
        self.managed.start()

    async def stop(self) -> None:
        await self.managed.stop()
        await self.services_controller.stop()
        await self.controller.stop()

    async def reset(self, account: str | None) -> None:
        await self.sessions.close(account)
        await self.managed.reset(account)
        await self.services_controller.reset(account)
        await self.controller.reset(account)
        await self.services_controller.reset(account)  # tasks that ended have made them look again

    def _task_changed(self, scope: Scope, task: Task) -> None:
        self.services_controller.task_changed(scope, task)
        if task.capacity_provider and task.last_status in ("PENDING", "STOPPED"):
            self.managed.changed(scope)
        self.beat(scope.account)

    def containers_on(self, scope: Scope, instance_id: str) -> list[str]:
        """What the runtime calls the containers that run on an EC2 instance."""
        return [
            container.runtime_id
            for task in self.tasks.of(scope)
            if task.ec2_instance_id == instance_id
            for container in task.containers
            if container.status == "RUNNING"
        ]

    def reach(self, task_id: str, port: int) -> Reach | None:
        """How a port of a task is reached, for who decides about connections."""
        return self.controller.reach(task_id, port)

    def summary(self) -> dict[str, int]:
        """How many tasks are in which state, over all accounts (for ``./lab status``)."""
        counts: dict[str, int] = {}
        for _, _, task in self.tasks.all():
            counts[task.last_status] = counts.get(task.last_status, 0) + 1
        return counts

    def validate(self) -> list[str]:
        """No task RUNNING without a process, none STOPPED with one."""
        faults = []
        for _, _, task in self.tasks.all():
            with_process = [c.name for c in task.containers if c.status == "RUNNING"]
            if with_process and task.last_status not in lifecycle.WITH_PROCESSES:
                faults.append(f"{task.arn} is {task.last_status}, but {with_process} are RUNNING")
            for container in task.containers:
                if container.status == "RUNNING" and not _process_exists(container.pid):
                    faults.append(f"container {container.name} of {task.arn} is RUNNING without a process")
            if task.waiting and (task.container_instance_arn or task.last_status in lifecycle.WITH_PROCESSES):
                faults.append(f"{task.arn} is {task.last_status}, but it waits for an instance")
        return faults + self._overcommitted()

    def _overcommitted(self) -> list[str]:
        """No instance gives more than it has, and no port twice."""
        faults = []
        for scope, _, instance in self.instances.all():
            if instance.status == "INACTIVE":
                continue
            tasks = self.tasks_on(scope, instance)
            host = instance.host(tasks)
            if host.cpu < 0 or host.memory < 0:
                faults.append(f"{instance.arn} has given {-host.cpu} CPU units or {-host.memory} MiB more than it has")
            ports = [port for task in tasks for port in used_ports(task)]
            if len(ports) != len(set(ports)):
                faults.append(f"{instance.arn} has given a port twice: {sorted(ports)}")
        return faults

    def instead_of(self, operation: str) -> str:
        return "Clusters, tasks, services and container instances are there; daemons are to come."


def _process_exists(pid: Any) -> bool:
    import os

    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, TypeError):
        return False
    return True
