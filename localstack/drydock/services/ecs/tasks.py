"""Operations on tasks: they write down what is wanted; the controller makes it true."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import capacity, overrides, rules
from drydock.services.ecs.clusters import ClusterOperations
from drydock.services.ecs.model import Cluster, Container, Interface, Task, TaskDefinition
from drydock.services.ecs.paging import page
from drydock.services.ecs.tag_rules import check_tags
from drydock.services.ecs.task_definitions import TaskDefinitionOperations, not_yet
from drydock.store import Scope

Params = dict[str, Any]
MOST_TASKS_A_CALL = 10
DEFAULT_STORAGE = 20
"""GiB"""
LAUNCH_TYPES = ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES")
PLATFORM_VERSIONS = ("LATEST", "1.4.0", "1.3.0")
LONGEST_STARTED_BY, LONGEST_TOKEN, LONGEST_REFERENCE = 128, 64, 1024


class TaskOperations(ClusterOperations, TaskDefinitionOperations):
    """RunTask, StartTask, StopTask, DescribeTasks, ListTasks."""

    async def run_task(self, request: Request, params: Params) -> dict[str, Any]:
        """On Fargate, by launch type or by capacity provider. ``failures`` stays empty: Drydock never lacks capacity.
        ``referenceId`` is ECS's own affair and shown nowhere."""
        scope = request.scope
        cluster = self.active_cluster(scope, params.get("cluster"))
        definition = self.runnable_definition(scope, params["taskDefinition"])
        count = params.get("count", 1)
        if not 1 <= count <= MOST_TASKS_A_CALL:
            raise rules.invalid(f"Count must be between 1 and {MOST_TASKS_A_CALL}.")  # (?)
        if earlier := self._made_earlier(request, params):
            return {"tasks": [task.describe(with_tags=True) for task in earlier], "failures": []}
        providers = _providers(params, cluster, count)
        _check_launch(params, definition, fargate=providers is not None)
        _check_common(params, definition, fargate=providers is not None)
        execution_role, task_role = self._roles(request, params, definition)
        network = params.get("networkConfiguration", {}).get("awsvpcConfiguration")
        if definition.document["networkMode"] == "awsvpc" and (not network or not network.get("subnets")):
            raise rules.invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        if providers is None:
            raise _no_instances()
        zone = await self.controller.interfaces.check(scope, network)
        # While EC2 was asked, the same request may have come again, and the cluster or the definition may have changed.
        if earlier := self._made_earlier(request, params):
            return {"tasks": [task.describe(with_tags=True) for task in earlier], "failures": []}
        cluster = self.active_cluster(scope, params.get("cluster"))
        definition = self.runnable_definition(scope, definition.arn)
        providers = _providers(params, cluster, count)
        if providers is None:
            raise _no_instances()
        tasks = []
        for number in range(count):
            task = self._new_task(request, params, cluster, definition, number)
            task.execution_role_arn, task.task_role_arn, task.availability_zone = execution_role, task_role, zone
            task.capacity_provider = providers[number]
            self.tasks.put(scope, task.arn, task)
            tasks.append(task)
        for task in tasks:
            self.controller.drive(scope, task)
        return {"tasks": [task.describe(with_tags=True) for task in tasks], "failures": []}

    def start_task(self, request: Request, params: Params) -> dict[str, Any]:
        """On container instances that are named. There are none yet, so each is a failure with the reason MISSING."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        definition = self.runnable_definition(request.scope, params["taskDefinition"])
        instances: list[str] = params["containerInstances"]
        if not instances:
            raise rules.invalid("Container instances cannot be empty.")  # (?)
        if len(instances) > MOST_TASKS_A_CALL:
            raise rules.invalid(f"containerInstances can have at most {MOST_TASKS_A_CALL} items.")  # (?)
        _check_common(params, definition, fargate=False)
        self._roles(request, params, definition)
        prefix = f"arn:aws:ecs:{request.region}:{request.account}:container-instance/{cluster.name}/"
        arns = [instance if instance.startswith("arn:") else prefix + instance for instance in instances]
        return {"tasks": [], "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns]}

    def _roles(self, request: Request, params: Params, definition: TaskDefinition) -> tuple[str, str]:
        """The execution role and the task role, that of the overrides first. Raises AwsError if the caller may not pass
        them, or ECS may not assume them."""
        given = params.get("overrides", {})
        found = []
        for member in ("executionRoleArn", "taskRoleArn"):
            if given.get(member):
                self.roles.check_may_pass(request, given[member])
            found.append(given.get(member) or definition.document.get(member, ""))
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

    def _new_task(
        self, request: Request, params: Params, cluster: Cluster, definition: TaskDefinition, number: int
    ) -> Task:
        scope, ids = request.scope, self.platform.ids
        task_id = ids.hexadecimal(scope, "task", cluster.arn)
        arn = f"arn:aws:ecs:{scope.region}:{scope.account}:task/{cluster.name}/{task_id}"
        given = params.get("overrides", {})
        changed = given.get("containerOverrides", [])
        cpu, memory = overrides.size(given, definition)
        containers = []
        for document in definition.containers:
            container_id = ids.uuid(scope, "container", arn)
            number_id = int.from_bytes(ids.digest(scope, "runtime-id", arn)[:4], "big")
            containers.append(
                Container(
                    arn=f"arn:aws:ecs:{scope.region}:{scope.account}:container/{cluster.name}/{task_id}/{container_id}",
                    name=document["name"],
                    image=document["image"],
                    essential=document["essential"],
                    runtime_id=f"{task_id}-{number_id}",
                    limits=_shown(overrides.limits(document, overrides.override_of(changed, document["name"]))),
                )
            )
        network = params["networkConfiguration"]["awsvpcConfiguration"]
        subnet = network["subnets"][number % len(network["subnets"])]
        version = params.get("platformVersion", "LATEST")
        tags = list(params.get("tags", []))
        if params.get("propagateTags") == "TASK_DEFINITION":
            keys = {tag["key"] for tag in tags}
            tags += [tag for tag in definition.tags if tag["key"] not in keys]
        if params.get("enableECSManagedTags"):
            tags.append({"key": "aws:ecs:clusterName", "value": cluster.name})
        return Task(
            arn=arn,
            id=task_id,
            cluster_arn=cluster.arn,
            task_definition_arn=definition.arn,
            group=params.get("group") or f"family:{definition.family}",
            launch_type="FARGATE",
            created_at=self.platform.clock(scope.account).now(),
            cpu=cpu,
            memory=memory,
            network=network,
            containers=containers,
            started_by=params.get("startedBy", ""),
            overrides={"containerOverrides": [], "inferenceAcceleratorOverrides": [], **given},
            interfaces=[Interface(ids.uuid(scope, "attachment", arn), subnet)],
            ephemeral_storage=_storage(params, definition) or DEFAULT_STORAGE,
            tags=tags,
            client_token=params.get("clientToken", ""),
            request_digest=_digest(params) if params.get("clientToken") else "",
            platform_version="1.4.0" if version == "LATEST" else version,
            architecture={"x86_64": "X86_64", "aarch64": "ARM64"}.get(platform.machine(), platform.machine()),
        )

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
        """By default those that are to run, whatever state they are in; ``desiredStatus`` PENDING finds none, as on AWS.
        There are no services and no container instances yet whose tasks could be asked for."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        if params.get("daemonName"):
            raise not_yet("daemonName of ListTasks")
        if params.get("serviceName"):
            raise AwsError("ServiceNotFoundException", "Service not found.")
        if params.get("containerInstance"):
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


def _shown(limits: dict[str, int]) -> dict[str, str]:
    """A container's, as DescribeTasks shows them: text."""
    return {name: str(value) for name, value in limits.items()}


def _storage(params: Params, definition: TaskDefinition) -> int | None:
    """GiB of ephemeral storage, if any were asked for."""
    for source in (params.get("overrides", {}), definition.document):
        if size := source.get("ephemeralStorage", {}).get("sizeInGiB"):
            return int(size)
    return None


def _providers(params: Params, cluster: Cluster, count: int) -> list[str] | None:
    """The capacity provider of each task, "" for the launch type FARGATE; None where the tasks need container instances.
    Raises InvalidParameterException."""
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
    return [""] * count if launch_type == "FARGATE" else None


def _no_instances() -> AwsError:
    return rules.invalid("No Container Instances were found in your cluster.")


def _check_launch(params: Params, definition: TaskDefinition, fargate: bool) -> None:
    """Whether the definition and the parameters of RunTask fit Fargate, or container instances."""
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
    if version == "1.3.0" and _storage(params, definition):
        raise AwsError(
            "PlatformTaskDefinitionIncompatibilityException",
            "One or more of the requested capabilities are not supported.",
        )


def _check_common(params: Params, definition: TaskDefinition, fargate: bool) -> None:
    """What RunTask and StartTask both refuse."""
    if params.get("volumeConfigurations"):
        raise not_yet("volumeConfigurations of a task")
    if params.get("enableExecuteCommand"):
        raise not_yet("ECS Exec")
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
