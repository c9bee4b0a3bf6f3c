"""Operations on tasks: they write down what is wanted; the controller makes it true."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from dataclasses import replace
from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import capacity, exec_rules, new_tasks, overrides, placement, placement_rules, rules, waiting
from drydock.services.ecs.instances import InstanceOperations
from drydock.services.ecs.model import Cluster, Task, TaskDefinition
from drydock.services.ecs.paging import page
from drydock.services.ecs.tag_rules import check_tags
from drydock.services.ecs.task_definitions import TaskDefinitionOperations, not_yet
from drydock.store import Scope

Params = dict[str, Any]
MOST_TASKS_A_CALL = 10
LAUNCH_TYPES = ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES")
PLATFORM_VERSIONS = ("LATEST", "1.4.0", "1.3.0")
LONGEST_STARTED_BY, LONGEST_TOKEN, LONGEST_REFERENCE = 128, 64, 1024


class TaskOperations(InstanceOperations, TaskDefinitionOperations):
    """RunTask, StartTask, StopTask, DescribeTasks, ListTasks."""

    waiting: waiting.Waiting

    async def run_task(self, request: Request, params: Params) -> dict[str, Any]:
        """On Fargate or on container instances, by launch type or by capacity provider. On Fargate ``failures`` stays
        empty: that this machine lacks capacity shows when a task is started, which is then STOPPED with the reason that
        AWS gives. ``referenceId`` is ECS's own affair and shown nowhere."""
        scope = request.scope
        cluster = self.active_cluster(scope, params.get("cluster"))
        definition = self.runnable_definition(scope, params["taskDefinition"])
        count = params.get("count", 1)
        if not 1 <= count <= MOST_TASKS_A_CALL:
            raise rules.invalid(f"Count must be between 1 and {MOST_TASKS_A_CALL}.")  # (?)
        if earlier := self._made_earlier(request, params):
            return {"tasks": [task.describe(with_tags=True) for task in earlier], "failures": []}
        providers = _providers(params, cluster, count)
        fargate = providers[0] in capacity.FARGATE
        check_launch(params, definition, fargate)
        _check_common(params, definition, fargate)
        execution_role, task_role = self._roles(request, params, definition)
        network = network_of(params, definition, fargate)
        zones = await self.controller.interfaces.zones(scope, network)
        # While EC2 was asked, the same request may have come again, and the cluster or the definition may have changed.
        if earlier := self._made_earlier(request, params):
            return {"tasks": [task.describe(with_tags=True) for task in earlier], "failures": []}
        cluster = self.active_cluster(scope, params.get("cluster"))
        definition = self.runnable_definition(scope, definition.arn)
        order = self._order(params, cluster, definition, network)
        order = replace(order, execution_role=execution_role, task_role=task_role)
        if fargate:
            version = params.get("platformVersion", "LATEST")
            order = replace(order, platform_version="1.4.0" if version == "LATEST" else version)
            orders = [
                replace(order, subnet=subnet, zone=zone, capacity_provider=capacity.shown(name))
                for name, (subnet, zone) in zip(providers, itertools.cycle(zones.items()), strict=False)
            ]
            return {"tasks": self._launch(scope, orders), "failures": []}
        orders, failures = self._placed(scope, order, params, providers)
        return {"tasks": self._launch(scope, orders), "failures": failures}

    def _order(
        self, params: Params, cluster: Cluster, definition: TaskDefinition, network: dict[str, Any]
    ) -> new_tasks.Order:
        inherited = definition.tags if params.get("propagateTags") == "TASK_DEFINITION" else []
        return new_tasks.Order(
            cluster=cluster,
            definition=definition,
            group=new_tasks.group_of(definition, params.get("group", "")),
            network=network,
            overrides=params.get("overrides", {}),
            started_by=params.get("startedBy", ""),
            tags=new_tasks.tags(
                cluster, list(params.get("tags", [])), inherited, bool(params.get("enableECSManagedTags"))
            ),
            client_token=params.get("clientToken", ""),
            request_digest=_digest(params) if params.get("clientToken") else "",
            execute_command=bool(params.get("enableExecuteCommand")),
        )

    def _placed(
        self, scope: Scope, order: new_tasks.Order, params: Params, providers: list[str]
    ) -> tuple[list[new_tasks.Order], list[dict[str, str]]]:
        """On container instances: those that found a place, or wait for one, and for each of the others why not, for every
        instance."""
        constraints = placement_rules.constraints(params.get("placementConstraints", []))
        strategies = placement_rules.strategies(params.get("placementStrategy", []))
        need = new_tasks.need_of(order.definition, order.overrides, order.group, constraints)
        hosts = self.hosts(scope, order.cluster.arn)
        placed, failures = [], []
        for name in providers:
            mine = [host for host in hosts if name in ("", host.provider)]
            may_wait = self.waiting.may_wait(scope, name)
            if not mine and not may_wait:
                raise rules.invalid("No Container Instances were found in your cluster.")
            draw = int.from_bytes(self.platform.ids.digest(scope, "placement", order.cluster.arn)[:4], "big")
            choice = placement.choose(need, mine, strategies, draw)
            if choice.host is None and may_wait:
                placed.append(waiting.order_of(replace(order, constraints=constraints, strategies=strategies), name))
                continue
            if choice.host is None:
                failures += [{"arn": host.arn, "reason": reason} for host, reason in choice.ruled_out]
                continue
            choice.host.take(need)
            placed.append(on_host(order, choice.host, name))
        self.waiting.check_room(scope, order.cluster.arn, sum(one.waiting for one in placed))
        return placed, failures

    def _launch(self, scope: Scope, orders: list[new_tasks.Order]) -> list[dict[str, Any]]:
        """Write the tasks down, then begin to walk them."""
        tasks = []
        for number, order in enumerate(orders):
            subnets = order.network.get("subnets") or [""]
            subnet = order.subnet or subnets[number % len(subnets)]
            tasks.append(new_tasks.make(self.platform, scope, replace(order, subnet=subnet)))
        for task in tasks:
            self.tasks.put(scope, task.arn, task)
        for task in tasks:
            self.controller.drive(scope, task)
        self.managed.changed(scope)
        return [task.describe(with_tags=True) for task in tasks]

    async def start_task(self, request: Request, params: Params) -> dict[str, Any]:
        """On the container instances that are named, one task each."""
        scope = request.scope
        cluster = self.active_cluster(scope, params.get("cluster"))
        definition = self.runnable_definition(scope, params["taskDefinition"])
        instances: list[str] = params["containerInstances"]
        if not instances:
            raise rules.invalid("Container instances cannot be empty.")  # (?)
        if len(instances) > MOST_TASKS_A_CALL:
            raise rules.invalid(f"containerInstances can have at most {MOST_TASKS_A_CALL} items.")  # (?)
        _check_common(params, definition, fargate=False)
        execution_role, task_role = self._roles(request, params, definition)
        network = network_of(params, definition, fargate=False)
        if network:
            await self.controller.interfaces.check(scope, network)
        cluster = self.active_cluster(scope, params.get("cluster"))
        order = self._order(params, cluster, definition, network)
        order = replace(order, execution_role=execution_role, task_role=task_role)
        need = new_tasks.need_of(definition, order.overrides, order.group)
        hosts = {host.arn: host for host in self.hosts(scope, cluster.arn)}
        orders, failures = [], []
        for identifier in instances:
            arn = self.instance_arn(scope, cluster, identifier)
            found = self.instances.get(scope, arn)
            if found is None or found.cluster_arn != cluster.arn:
                failures.append({"arn": arn, "reason": "MISSING"})
                continue
            host = hosts.get(arn)
            reason = placement.obstacle(need, host) if host is not None else "INACTIVE"
            if reason or host is None:
                failures.append({"arn": arn, "reason": str(reason)})
                continue
            host.take(need)
            orders.append(on_host(order, host, ""))
        return {"tasks": self._launch(scope, orders), "failures": failures}

    def _roles(self, request: Request, params: Params, definition: TaskDefinition) -> tuple[str, str]:
        """The execution role and the task role, that of the overrides first. Raises AwsError if the caller may not pass
        them, or ECS may not assume them."""
        given = params.get("overrides", {})
        found = []
        for member in ("executionRoleArn", "taskRoleArn"):
            if given.get(member):
                self.roles.check_may_pass(request, given[member])
            found.append(given.get(member) or definition.document.get(member, ""))
        if params.get("enableExecuteCommand"):
            exec_rules.check_role(found[1], "task couldn't be started")  # (?)
        for role in found:
            if role:
                self.roles.check_assumable(role)
        return found[0], found[1]

    def _made_earlier(self, request: Request, params: Params) -> list[Task]:
        """The tasks of an earlier request with this ``clientToken``: a request that is sent again runs nothing twice.
        Raises ConflictException if it was another request ("Ensuring idempotency")."""
        token = params.get("clientToken")
        if not token:
            return []
        tasks = [task for task in self.tasks.of(request.scope) if task.client_token == token]
        if any(task.request_digest != _digest(params) for task in tasks):
            raise AwsError(
                "ConflictException",
                "The provided clientToken is already in use with a different RunTask request.",
                resourceIds=[task.arn for task in tasks],
            )
        return tasks

    def stop_task(self, request: Request, params: Params) -> dict[str, Any]:
        """Stopping a stopped task changes nothing."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        task = self._find_task(request.scope, cluster, params["task"])
        if task is None:
            raise rules.invalid("The referenced task was not found.")
        self.controller.stop_task(task, "UserInitiated", params.get("reason") or "Task stopped by user")
        return {"task": task.describe(with_tags=True)}

    def describe_tasks(self, request: Request, params: Params) -> dict[str, Any]:
        """What is not there, or in another cluster, is a failure with the reason MISSING."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        if not params["tasks"]:
            raise rules.invalid("Tasks cannot be empty.")
        if len(params["tasks"]) > 100:
            raise rules.invalid("taskIds can have at most 100 items.")
        with_tags = "TAGS" in params.get("include", [])
        found, failures = [], []
        for identifier in params["tasks"]:
            task = self._find_task(request.scope, cluster, identifier)
            if task is None:
                prefix = f"arn:aws:ecs:{request.region}:{request.account}:task/{cluster.name}/"
                arn = identifier if identifier.startswith("arn:") else prefix + identifier
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(task.describe(with_tags))
        return {"tasks": found, "failures": failures}

    def list_tasks(self, request: Request, params: Params) -> dict[str, Any]:
        """By default those that are to run, whatever state they are in; ``desiredStatus`` PENDING finds none, as on AWS."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        if params.get("daemonName"):
            raise not_yet("daemonName of ListTasks")
        group = (
            f"service:{self.find_service(request.scope, cluster, params['serviceName']).name}"
            if (params.get("serviceName"))
            else None
        )
        instance = self.instance_arn(request.scope, cluster, params.get("containerInstance") or "")
        if params.get("containerInstance") and self.instances.get(request.scope, instance) is None:
            raise rules.invalid("The referenced container instance was not found.")  # (?)
        desired = params.get("desiredStatus", "RUNNING")
        if desired not in ("RUNNING", "PENDING", "STOPPED"):
            raise rules.invalid(f"Invalid desiredStatus: {desired}")  # (?)
        if params.get("launchType", "EC2") not in LAUNCH_TYPES:
            raise rules.invalid(f"Invalid launchType: {params['launchType']}")  # (?)
        wanted = {"startedBy": "started_by", "launchType": "launch_type"}
        arns = [
            task.arn
            for task in self._tasks_of(request.scope, cluster)
            if task.desired_status == desired
            and group in (None, task.group)
            and (not params.get("containerInstance") or task.container_instance_arn == instance)
            and params.get("family") in (None, _family_of(task))
            and all(params.get(member) in (None, getattr(task, name)) for member, name in wanted.items())
        ]
        shown, token = page(arns, params)
        return {"taskArns": shown, **token}

    def _find_task(self, scope: Scope, cluster: Cluster, identifier: str) -> Task | None:
        arn = f"arn:aws:ecs:{scope.region}:{scope.account}:task/{cluster.name}/{rules.task_id(identifier)}"
        task = self.tasks.get(scope, arn)
        return None if task is None or (identifier.startswith("arn:") and identifier != arn) else task


def _digest(params: Params) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True, default=str).encode()).hexdigest()


def _family_of(task: Task) -> str:
    name = rules.definition_name(task.task_definition_arn)
    return name.family if name else ""


def on_host(order: new_tasks.Order, host: placement.Host, provider: str) -> new_tasks.Order:
    """Placed there."""
    zone = host.attributes.get("ecs.availability-zone", "")
    return replace(order, host=host, launch_type="EC2", zone=zone, capacity_provider=provider)


def network_of(params: Params, definition: TaskDefinition, fargate: bool) -> dict[str, Any]:
    """The awsvpcConfiguration; empty in the other network modes. Raises InvalidParameterException."""
    network: dict[str, Any] = params.get("networkConfiguration", {}).get("awsvpcConfiguration") or {}
    if definition.document["networkMode"] != "awsvpc":
        if network:
            raise rules.invalid("Network Configuration is not valid for the given networkMode of this task definition.")
        return {}
    if not network:
        raise rules.invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if not network.get("subnets"):
        raise rules.invalid("subnets can not be empty.")
    if not fargate and network.get("assignPublicIp") == "ENABLED":
        raise rules.invalid("Assign public IP is not supported for this launch type.")
    return network


def _providers(params: Params, cluster: Cluster, count: int) -> list[str]:
    """What each task is launched on: a capacity provider, ``FARGATE`` by launch type (:data:`capacity.LAUNCH_TYPE`), or ""
    for container instances. Raises InvalidParameterException."""
    strategy, launch_type = params.get("capacityProviderStrategy") or [], params.get("launchType")
    if strategy and launch_type:
        raise rules.invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    if strategy:
        strategy = capacity.normalised(strategy)
        capacity.check_strategy(strategy, cluster.capacity_providers)
        capacity.check_usable(strategy, default=False)
    elif not launch_type and cluster.default_strategy:
        strategy = cluster.default_strategy
        capacity.check_usable(strategy, default=True)
    if strategy:
        return capacity.share_out(strategy, count)
    launch_type = launch_type or "EC2"
    if launch_type not in LAUNCH_TYPES:
        raise rules.invalid(f"Invalid launchType: {launch_type}")  # (?)
    if launch_type == "MANAGED_INSTANCES":
        raise not_yet("the launch type MANAGED_INSTANCES")
    return [capacity.LAUNCH_TYPE if launch_type == "FARGATE" else ""] * count


def check_launch(params: Params, definition: TaskDefinition, fargate: bool) -> None:
    """Whether the definition and the parameters of RunTask or of a service fit Fargate, or container instances."""
    version = params.get("platformVersion")
    if not fargate:
        if version:
            raise rules.invalid("The platform version must be null when specifying an EC2 launch type.")
        return
    if "FARGATE" not in definition.document["compatibilities"]:
        raise rules.invalid("Task definition does not support launch_type FARGATE.")
    for member, what in (("placementConstraints", "constraints"), ("placementStrategy", "strategies")):
        if params.get(member):
            raise rules.invalid(f"Placement {what} are not supported with FARGATE launch type.")
    if version and version not in PLATFORM_VERSIONS:
        raise AwsError("PlatformUnknownException", "The specified platform version does not exist.")
    storage = new_tasks.storage(params.get("overrides", {}), definition)
    if version == "1.3.0" and (storage or params.get("enableExecuteCommand")):
        raise AwsError(
            "PlatformTaskDefinitionIncompatibilityException",
            "One or more of the requested capabilities are not supported.",
        )


def _check_common(params: Params, definition: TaskDefinition, fargate: bool) -> None:
    """What RunTask and StartTask both refuse."""
    if params.get("volumeConfigurations"):
        raise not_yet("volumeConfigurations of a task")
    if params.get("group", "").startswith("service:"):
        raise rules.invalid("Invalid namespace for group.")
    if params.get("propagateTags") == "SERVICE":
        raise rules.invalid("propagateTags SERVICE is not supported when running a task.")  # (?)
    lengths = {"startedBy": LONGEST_STARTED_BY, "clientToken": LONGEST_TOKEN, "referenceId": LONGEST_REFERENCE}
    for member, longest in lengths.items():
        if len(params.get(member, "")) > longest:
            raise rules.invalid(f"{member} longer than {longest}.")
    if not re.fullmatch(r"[\w/-]*", params.get("startedBy", ""), re.ASCII):
        raise rules.invalid("startedBy may contain letters, numbers, hyphens, forward slashes and underscores.")  # (?)
    check_tags(params.get("tags", []))
    overrides.check(params.get("overrides", {}), definition, fargate)
