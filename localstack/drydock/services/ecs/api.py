"""Amazon ECS. Its operations are in the modules by topic; here they are put together."""

from __future__ import annotations

from typing import Any

from drydock.dataplane.plane import DataPlane
from drydock.images.standins import StandIns
from drydock.network.facts import Facts
from drydock.runtime.interface import Runtime
from drydock.services.ecs import lifecycle
from drydock.services.ecs.controller import TaskController
from drydock.services.ecs.identities import Identities
from drydock.services.ecs.model import AccountSetting, Cluster, Family, Interface, Task, TaskDefinition
from drydock.services.ecs.roles import RoleSessions
from drydock.services.ecs.tags import TagOperations
from drydock.services.iam.api import Iam
from drydock.services.service import Platform
from drydock.store import Scope


class Ecs(TagOperations):
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
        instant: bool,
    ) -> None:
        super().__init__(platform)
        self.directory = iam.directory
        self.settings = platform.store.collection(AccountSetting, "ecs", "account-setting")
        self.clusters = platform.store.collection(Cluster, "ecs", "cluster")
        self.definitions = platform.store.collection(TaskDefinition, "ecs", "task-definition")
        self.families = platform.store.collection(Family, "ecs", "family")
        self.tasks = platform.store.collection(Task, "ecs", "task")
        self.roles = RoleSessions(platform, iam)
        self.identities = Identities(platform, iam, self.tasks, self.definitions)
        self.controller = TaskController(
            platform, runtime, images, self.roles, self.definitions, dataplane, network, self.identities, instant
        )

    async def start(self) -> None:
        self.controller.start()

    async def stop(self) -> None:
        await self.controller.stop()

    async def reset(self, account: str | None) -> None:
        await self.controller.reset(account)

    def interface_of(self, task_id: str) -> tuple[Scope, Interface, bool] | None:
        """A task's network interface and whether it has a public address, for who decides about connections."""
        return self.controller.interface_of(task_id)

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
        return faults

    def instead_of(self, operation: str) -> str:
        return "Clusters, task definitions and Fargate tasks are there; services and instances are to come."


def _process_exists(pid: Any) -> bool:
    import os

    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, TypeError):
        return False
    return True
