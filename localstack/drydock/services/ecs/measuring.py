"""Measures clusters, services and tasks, each minute of an account's lab time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from drydock.services.cloudwatch.model import Datum, Record
from drydock.services.ecs import measures
from drydock.services.ecs.measures import Used
from drydock.services.ecs.model import Cluster, Task
from drydock.services.usage import Meter, Usages
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ecs.api import Ecs


class Measuring:
    """A source of the heartbeat."""

    def __init__(self, ecs: Ecs, usages: Usages, record: Record) -> None:
        self._ecs = ecs
        self._meter = Meter(usages)
        self._record = record

    def wanted(self, account: str) -> bool:
        """Whether there is anything to measure."""
        tasks = any(scope.account == account and task.is_active for scope, _, task in self._ecs.tasks.all())
        return tasks or any(scope.account == account for scope, _, _ in self._watched())

    def _watched(self) -> Iterator[tuple[Scope, str, Cluster]]:
        """Clusters of which there is something to say without a task."""
        for scope, name, cluster in self._ecs.clusters.all():
            if cluster.status == "ACTIVE" and measures.insights(cluster) != "disabled":
                yield scope, name, cluster

    async def collect(self, account: str, minutes: tuple[float, ...]) -> None:
        """Record what is true now for the minutes that have passed."""
        mine = [
            (scope, task) for scope, _, task in self._ecs.tasks.all() if scope.account == account and task.is_active
        ]
        names = [c.runtime_id for _, task in mine for c in task.containers if c.status == "RUNNING"]
        rates = await self._meter.rates(account, names)
        for scope in {scope for scope, _, _ in self._ecs.clusters.all() if scope.account == account}:
            active = [task for where, task in mine if where == scope]
            running = [task for task in active if task.last_status == "RUNNING"]
            used = [one for task in running if (one := measures.used(task, rates)) is not None]
            data: list[Datum] = []
            for cluster in self._ecs.clusters.of(scope):
                if cluster.status == "ACTIVE":
                    data += self._of_cluster(scope, cluster, minutes, used, active)
            if data:
                self._record(scope, data)

    def _of_cluster(
        self, scope: Scope, cluster: Cluster, minutes: tuple[float, ...], used: list[Used], active: list[Task]
    ) -> Iterator[Datum]:
        here = [one for one in used if one.task.cluster_arn == cluster.arn]
        tasks = [task for task in active if task.cluster_arn == cluster.arn]
        known = [i for i in self._ecs.instances.of(scope) if i.cluster_arn == cluster.arn and i.status != "INACTIVE"]
        services = [s for s in self._ecs.services.of(scope) if s.cluster_arn == cluster.arn and s.status == "ACTIVE"]
        for at in minutes:
            yield from measures.of_services(at, cluster.name, here)
            yield from measures.of_instances(at, cluster.name, known, here, tasks)
            if measures.insights(cluster) != "disabled":
                yield from measures.of_insights(at, cluster.name, len(known), services, here, tasks)
            if measures.insights(cluster) == "enhanced":
                yield from measures.of_single_tasks(at, cluster.name, here)
