"""Tasks that wait in PROVISIONING for an instance of a capacity provider whose scaling ECS manages.

They are placed, oldest first, when the capacity of their cluster has changed; their drivers wait meanwhile, and give up
after half an hour. That they wait, and what they need, is in the store.

Sources: "Deep Dive on Amazon ECS Cluster Auto Scaling", "Amazon ECS service quotas", "Amazon ECS API failure reasons"
(DescribeTasks).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from drydock.services.ecs import new_tasks, placement
from drydock.services.ecs.model import Task
from drydock.services.ecs.placement import Constraint, Host, Need, Strategy
from drydock.services.ecs.rules import client_error
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ecs.api import Ecs

MOST = 500
"""Tasks in PROVISIONING of a cluster ("Amazon ECS service quotas")"""
LIMIT = "Tasks provisioning capacity limit exceeded."
EMPTY, INACTIVE = "EMPTY CAPACITY PROVIDER", "NO ACTIVE INSTANCES"


class Waiting:
    """Of all clusters."""

    def __init__(self, ecs: Ecs) -> None:
        self._ecs = ecs

    def start(self) -> None:
        """Place what waits since an earlier life."""
        for scope, cluster in {(scope, task.cluster_arn) for scope, _, task in self._ecs.tasks.all() if task.waiting}:
            self.place(scope, cluster)

    def may_wait(self, scope: Scope, provider: str) -> bool:
        """Whether tasks wait for instances of this provider."""
        found = self._ecs.providers.get(scope, provider) if provider else None
        return found is not None and found.is_managed

    def room(self, scope: Scope, cluster_arn: str) -> int:
        """How many more tasks may wait."""
        return MOST - len(self.tasks(scope, cluster_arn))

    def check_room(self, scope: Scope, cluster_arn: str, count: int) -> None:
        """For RunTask. Raises ClientException."""
        if count and count > self.room(scope, cluster_arn):
            raise client_error(LIMIT)

    def tasks(self, scope: Scope, cluster_arn: str) -> list[Task]:
        """Oldest first."""
        return [
            task
            for task in self._ecs.tasks.of(scope)
            if task.waiting and task.cluster_arn == cluster_arn and task.desired_status == "RUNNING"
        ]

    def need_of(self, scope: Scope, task: Task) -> Need:
        """What it takes of an instance."""
        definition = self._ecs.definition_of(scope, task.task_definition_arn)
        constraints = tuple(Constraint(each["type"], each.get("expression", "")) for each in task.constraints)
        return new_tasks.need_of(definition, task.overrides, task.group, constraints)

    def place(self, scope: Scope, cluster_arn: str) -> None:
        """Those for which there is room now."""
        waiting = self.tasks(scope, cluster_arn)
        if not waiting:
            return
        hosts, hopeless = self._ecs.hosts(scope, cluster_arn), set[tuple[Need, str]]()
        for task in waiting:
            need, mine = self.need_of(scope, task), [host for host in hosts if host.provider == task.capacity_provider]
            if (need, task.capacity_provider) in hopeless:
                continue
            strategies = tuple(Strategy(each["type"], each.get("field", "")) for each in task.strategies)
            draw = int.from_bytes(self._ecs.platform.ids.digest(scope, "placement", task.group)[:4], "big")
            host = placement.choose(need, mine, strategies, draw).host
            if host is None:  # nor does one find a place that needs the same
                hopeless.add((need, task.capacity_provider))
                continue
            host.take(need)
            self._take(scope, task, host, need)

    def _take(self, scope: Scope, task: Task, host: Host, need: Need) -> None:
        own = host.attributes.get("ecs.subnet-id", "")
        for interface in task.interfaces:
            if own in task.network.get("subnets", []):
                interface.subnet_id = own
        new_tasks.place(task, host, need)
        self._ecs.tasks.put(scope, task.arn, task)
        self._ecs.controller.placed(task)
        self._ecs.managed.changed(scope)

    def why(self, scope: Scope, task: Task) -> str:
        """Why none has taken it: the ``stoppedReason`` of one that has waited too long."""
        known = self._ecs.instances_of(scope, task.cluster_arn)
        mine = [one for one in known if one.capacity_provider == task.capacity_provider]
        if not mine:
            return EMPTY
        hosts = [host for host in self._ecs.hosts(scope, task.cluster_arn) if host.provider == task.capacity_provider]
        closest = placement.choose(self.need_of(scope, task), hosts).closest()
        return closest[1] if closest is not None else INACTIVE


def order_of(order: new_tasks.Order, provider: str) -> new_tasks.Order:
    """One that waits for an instance of the provider."""
    return replace(order, launch_type="EC2", capacity_provider=provider, waiting=True)
