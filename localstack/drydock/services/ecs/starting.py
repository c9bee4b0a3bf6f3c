"""Starting tasks for a service, where its revision says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from drydock.errors import AwsError
from drydock.services.ecs import capacity, new_tasks, placement, waiting
from drydock.services.ecs.model import Task
from drydock.services.ecs.service_model import Revision, Service
from drydock.services.ecs.service_story import unplaced
from drydock.services.ecs.tasks import on_host
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ecs.api import Ecs

RETRY = 60.0
"""Lab seconds until a start that was refused is tried again; a change of the cluster's capacity comes before"""


class NotStarted(Exception):
    """Some tasks, or all, could not be started; the message is the event's. ``started`` are those that could."""

    def __init__(self, kind: str, message: str, started: list[Task] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry = RETRY
        self.started = started or []


class Starter:
    """For one service."""

    def __init__(self, ecs: Ecs, scope: Scope, service: Service) -> None:
        self._ecs = ecs
        self._scope = scope
        self._service = service

    async def start(self, revision_arn: str, started_by: str, count: int) -> list[Task]:
        """Raises NotStarted."""
        revision = self._revision(revision_arn)
        zones = await self._check(revision)
        providers = self._providers(revision, count)
        if providers[0] in capacity.FARGATE:
            return self._start_on_fargate(revision, started_by, providers, zones)
        return self._start_on_instances(revision, started_by, providers)

    def _revision(self, arn: str) -> Revision:
        found = self._ecs.revisions.get(self._scope, arn)
        assert found is not None, arn
        return found

    async def _check(self, revision: Revision) -> dict[str, str]:
        """The roles can be assumed, the subnets are there; the zone of each subnet. Raises NotStarted."""
        definition = self._ecs.definition_of(self._scope, revision.task_definition_arn)
        try:
            for role in (definition.document.get("executionRoleArn"), definition.document.get("taskRoleArn")):
                if role:
                    self._ecs.roles.check_assumable(role)
            return await self._ecs.controller.interfaces.zones(self._scope, revision.network)
        except AwsError as error:
            raise NotStarted("failed", f"failed to launch a task with (error {error.message}).") from error

    def _providers(self, revision: Revision, count: int) -> list[str]:
        if not revision.strategy:
            return [capacity.LAUNCH_TYPE if revision.launch_type == "FARGATE" else ""] * count
        running: dict[str, int] = {}
        for task in self._ecs.tasks_of_service(self._scope, self._service):
            if task.desired_status == "RUNNING":
                running[task.capacity_provider] = running.get(task.capacity_provider, 0) + 1
        return capacity.share_out(revision.strategy, count, running)

    def _order(self, revision: Revision, started_by: str) -> new_tasks.Order:
        service = self._service
        definition = self._ecs.definition_of(self._scope, revision.task_definition_arn)
        cluster = self._ecs.clusters.get(self._scope, service.cluster_arn.rpartition("/")[2])
        assert cluster is not None
        inherited = {"TASK_DEFINITION": definition.tags, "SERVICE": service.tags}.get(service.propagate_tags, [])
        return new_tasks.Order(
            cluster=cluster,
            definition=definition,
            group=service.group,
            network=revision.network,
            load_balancers=revision.load_balancers,
            started_by=started_by,
            execution_role=definition.document.get("executionRoleArn", ""),
            task_role=definition.document.get("taskRoleArn", ""),
            execute_command=service.execute_command,
            tags=new_tasks.tags(cluster, [], inherited, service.managed_tags, service.name),
        )

    def _start_on_fargate(
        self, revision: Revision, started_by: str, providers: list[str], zones: dict[str, str]
    ) -> list[Task]:
        """Each in the subnet that has the fewest of the service's tasks."""
        version = revision.platform_version
        order = replace(self._order(revision, started_by), platform_version="1.4.0" if version == "LATEST" else version)
        used = dict.fromkeys(zones, 0)
        for task in self._ecs.tasks_of_service(self._scope, self._service):
            for interface in task.interfaces if task.desired_status == "RUNNING" else []:
                if interface.subnet_id in used:
                    used[interface.subnet_id] += 1
        orders = []
        for provider in providers:
            subnet = min(used, key=lambda name: used[name])
            used[subnet] += 1
            orders.append(replace(order, subnet=subnet, zone=zones[subnet], capacity_provider=capacity.shown(provider)))
        return self._launch(orders)

    def _start_on_instances(self, revision: Revision, started_by: str, providers: list[str]) -> list[Task]:
        service, order = self._service, self._order(revision, started_by)
        need = self._need(order)
        strategies = tuple(placement.Strategy(each["type"], each.get("field", "")) for each in service.strategies)
        if not strategies:
            strategies = (placement.Strategy("spread", placement.ZONE),)
        hosts = self._ecs.hosts(self._scope, service.cluster_arn)
        orders, failure, room = [], None, self._ecs.waiting.room(self._scope, service.cluster_arn)
        for name in providers:
            mine = [host for host in hosts if name in ("", host.provider)]
            draw = int.from_bytes(self._ecs.platform.ids.digest(self._scope, "placement", service.arn)[:4], "big")
            choice = placement.choose(need, mine, strategies, draw)
            if choice.host is None and self._ecs.waiting.may_wait(self._scope, name):
                if room <= 0:
                    failure = f"was unable to place a task. Reason: {waiting.LIMIT}"  # (?)
                    continue
                room -= 1
                orders.append(self._to_wait(revision, order, name, strategies))
                continue
            if choice.host is None:
                failure = unplaced(choice.closest(), bool(name))
                continue
            choice.host.take(need)
            subnet = self._subnet_in(revision, choice.host)
            orders.append(replace(on_host(order, choice.host, name), subnet=subnet))
        started = self._launch(orders)
        if failure:
            raise NotStarted("unplaced", failure, started)
        return started

    def _to_wait(
        self, revision: Revision, order: new_tasks.Order, provider: str, strategies: tuple[placement.Strategy, ...]
    ) -> new_tasks.Order:
        subnet = next(iter(revision.network.get("subnets", [])), "")
        order = replace(order, subnet=subnet, constraints=self._constraints(), strategies=strategies)
        return waiting.order_of(order, provider)

    def _need(self, order: new_tasks.Order) -> placement.Need:
        return new_tasks.need_of(order.definition, {}, order.group, self._constraints())

    def _constraints(self) -> tuple[placement.Constraint, ...]:
        given = self._service.constraints
        return tuple(placement.Constraint(each["type"], each.get("expression", "")) for each in given)

    @staticmethod
    def _subnet_in(revision: Revision, host: placement.Host) -> str:
        """Of awsvpc tasks; the instance's own if it is among the service's."""
        subnets: list[str] = revision.network.get("subnets", [])
        own = host.attributes.get("ecs.subnet-id", "")
        return own if own in subnets else next(iter(subnets), "")

    # -- daemons
    def daemon_hosts(self, revision_arn: str) -> dict[str, placement.Host]:
        """The ACTIVE instances that have what the definition requires, by ARN; how much is left of them does not matter."""
        need = self._need(self._order(self._revision(revision_arn), ""))
        bare = replace(need, cpu=0, memory=0, tcp=frozenset(), udp=frozenset(), interfaces=0)
        found = self._ecs.hosts(self._scope, self._service.cluster_arn)
        return {host.arn: host for host in found if placement.obstacle(bare, host) is None}

    def start_on(self, revision_arn: str, started_by: str, arns: list[str]) -> list[Task]:
        """One on each of these instances that has room for it."""
        revision = self._revision(revision_arn)
        order = self._order(revision, started_by)
        need = self._need(order)
        hosts = {host.arn: host for host in self._ecs.hosts(self._scope, self._service.cluster_arn)}
        fitting = [hosts[arn] for arn in arns if arn in hosts and placement.obstacle(need, hosts[arn]) is None]
        return self._launch(
            [replace(on_host(order, host, ""), subnet=self._subnet_in(revision, host)) for host in fitting]
        )

    def _launch(self, orders: list[new_tasks.Order]) -> list[Task]:
        tasks = [new_tasks.make(self._ecs.platform, self._scope, order) for order in orders]
        for task in tasks:
            self._ecs.tasks.put(self._scope, task.arn, task)
        for task in tasks:
            self._ecs.controller.drive(self._scope, task)
        self._ecs.managed.changed(self._scope)
        return tasks
