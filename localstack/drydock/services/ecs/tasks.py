"""Operations on tasks: they write down what is wanted; the controller makes it true."""

from __future__ import annotations

import hashlib
import json
import platform
from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import rules
from drydock.services.ecs.clusters import ClusterOperations
from drydock.services.ecs.model import Cluster, Container, Interface, Task, TaskDefinition
from drydock.services.ecs.paging import page
from drydock.services.ecs.task_definitions import TaskDefinitionOperations, not_yet
from drydock.store import Scope

Params = dict[str, Any]
MOST_TASKS_A_CALL = 10


class TaskOperations(ClusterOperations, TaskDefinitionOperations):
    """RunTask, StopTask, DescribeTasks, ListTasks."""

    async def run_task(self, request: Request, params: Params) -> dict[str, Any]:
        """Fargate only, so far."""
        scope = request.scope
        cluster = self.active_cluster(scope, params.get("cluster"))
        definition = self.runnable_definition(scope, params["taskDefinition"])
        count = params.get("count", 1)
        if not 1 <= count <= MOST_TASKS_A_CALL:
            raise rules.invalid(f"Count must be between 1 and {MOST_TASKS_A_CALL}.")
        if earlier := self._made_earlier(request, params):
            return {"tasks": [task.describe(with_tags=True) for task in earlier], "failures": []}
        self._check_launch_type(params, definition)
        overrides = params.get("overrides", {})
        self._check_overrides(overrides, definition)
        execution_role = overrides.get("executionRoleArn") or definition.document.get("executionRoleArn", "")
        task_role = overrides.get("taskRoleArn") or definition.document.get("taskRoleArn", "")
        for role in (overrides.get("executionRoleArn"), overrides.get("taskRoleArn")):
            if role:
                self.roles.check_may_pass(request, role)
        for role in (execution_role, task_role):
            if role:
                self.roles.check_assumable(role)
        network = params.get("networkConfiguration", {}).get("awsvpcConfiguration")
        if not network or not network.get("subnets"):
            raise rules.invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        zone = await self.controller.interfaces.check(scope, network)
        tasks = []
        for number in range(count):
            task = self._new_task(request, params, cluster, definition, number)
            task.execution_role_arn, task.task_role_arn, task.availability_zone = execution_role, task_role, zone
            self.tasks.put(scope, task.arn, task)
            tasks.append(task)
        for task in tasks:
            self.controller.drive(scope, task)
        return {"tasks": [task.describe(with_tags=True) for task in tasks], "failures": []}

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

    def _check_launch_type(self, params: Params, definition: TaskDefinition) -> None:
        for member in ("capacityProviderStrategy", "placementConstraints", "placementStrategy", "volumeConfigurations"):
            if params.get(member):
                raise not_yet(f"{member} of RunTask")
        if params.get("enableExecuteCommand"):
            raise not_yet("ECS Exec")
        if params.get("propagateTags") == "SERVICE":
            raise rules.invalid("propagateTags SERVICE is not supported when running a task.")
        launch_type = params.get("launchType", "EC2")
        if launch_type != "FARGATE":
            raise not_yet(f"the launch type {launch_type}; use launchType FARGATE: {launch_type} of RunTask")
        if "FARGATE" not in definition.document["compatibilities"]:
            raise rules.invalid("Task definition does not support launch_type FARGATE.")
        version = params.get("platformVersion", "LATEST")
        if version not in ("LATEST", "1.4.0", "1.3.0"):
            raise AwsError("PlatformUnknownException", "The specified platform version does not exist.")

    def _check_overrides(self, overrides: dict[str, Any], definition: TaskDefinition) -> None:
        names = {container["name"] for container in definition.containers}
        for member in ("inferenceAcceleratorOverrides", "ephemeralStorage"):
            if overrides.get(member):
                raise not_yet(f"{member} of an override")
        for override in overrides.get("containerOverrides", []):
            if not override.get("name"):
                raise rules.invalid("Override for container must specify a container name.")
            if override["name"] not in names:
                raise rules.invalid(
                    f"Override for container named {override['name']} is not a container in the TaskDefinition."
                )
            for member in ("environmentFiles", "resourceRequirements"):
                if override.get(member):
                    raise not_yet(f"{member} of an override")
        if overrides.get("cpu") or overrides.get("memory"):
            document = definition.document
            rules.check_fargate_size(
                overrides.get("cpu") or document.get("cpu"), overrides.get("memory") or document.get("memory")
            )

    def _new_task(
        self, request: Request, params: Params, cluster: Cluster, definition: TaskDefinition, number: int
    ) -> Task:
        scope, ids = request.scope, self.platform.ids
        task_id = ids.hexadecimal(scope, "task", cluster.arn)
        arn = f"arn:aws:ecs:{scope.region}:{scope.account}:task/{cluster.name}/{task_id}"
        overrides = params.get("overrides", {})
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
                    limits=_limits(document),
                )
            )
        network = params["networkConfiguration"]["awsvpcConfiguration"]
        subnet = network["subnets"][number % len(network["subnets"])]
        version = params.get("platformVersion", "LATEST")
        tags = list(params.get("tags", []))
        if params.get("propagateTags") == "TASK_DEFINITION":
            given = {tag["key"] for tag in tags}
            tags += [tag for tag in definition.tags if tag["key"] not in given]
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
            cpu=str(overrides.get("cpu") or definition.document.get("cpu", "")),
            memory=str(overrides.get("memory") or definition.document.get("memory", "")),
            network=network,
            containers=containers,
            started_by=params.get("startedBy", ""),
            overrides={"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides},
            interfaces=[Interface(ids.uuid(scope, "attachment", arn), subnet)],
            ephemeral_storage=definition.document.get("ephemeralStorage", {}).get("sizeInGiB", 20),
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
            raise rules.invalid("Tasks cannot be more than 100.")
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
        """By default those that are to run, whatever state they are in."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        for member in ("serviceName", "containerInstance", "daemonName"):
            if params.get(member):
                raise not_yet(f"{member} of ListTasks")
        desired = params.get("desiredStatus", "RUNNING")
        if desired not in ("RUNNING", "PENDING", "STOPPED"):
            raise rules.invalid(f"Invalid desiredStatus: {desired}")
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


def _limits(document: dict[str, Any]) -> dict[str, str]:
    """A container's, as DescribeTasks shows them: text."""
    shown = {name: document.get(name) for name in ("cpu", "memory", "memoryReservation")}
    return {name: str(value) for name, value in shown.items() if value is not None}
