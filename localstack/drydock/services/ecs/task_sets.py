"""Operations on task sets: the parts of a service whose deployments a third party controls (EXTERNAL).

Source: "Deploy Amazon ECS services using a third-party controller" and the API reference. The messages marked with (?) say
the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

from typing import Any

from drydock.clock import as_datetime
from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import rules, scheduling
from drydock.services.ecs.clusters import PENDING
from drydock.services.ecs.model import Cluster
from drydock.services.ecs.service_deployments import ServiceDeploymentOperations
from drydock.services.ecs.service_model import Service, TaskSet
from drydock.services.ecs.service_rules import check_lacking
from drydock.services.ecs.tag_rules import check_tags
from drydock.store import Scope

Params = dict[str, Any]
MOST_TASK_SETS = 5


class TaskSetOperations(ServiceDeploymentOperations):
    """CreateTaskSet, UpdateTaskSet, DeleteTaskSet, DescribeTaskSets, UpdateServicePrimaryTaskSet."""

    async def create_task_set(self, request: Request, params: Params) -> dict[str, Any]:
        """With ``scale`` percent of the service's desired count. Sent again with the same client token it changes
        nothing."""
        scope = request.scope
        cluster, service = self._external(scope, params)
        if earlier := _made_before(service, params):
            return {"taskSet": self.describe_task_set(scope, service, earlier)}
        check_lacking(params)
        check_tags(params.get("tags", []))
        definition = self.runnable_definition(scope, params["taskDefinition"])
        where = self._where(params, cluster, definition, daemon=False)
        await self.controller.balancing.check(scope, where["load_balancers"], definition)
        if where["network"]:
            await self.controller.interfaces.check(scope, where["network"])
            cluster, service = self._external(scope, params)
            if earlier := _made_before(service, params):  # while EC2 was asked
                return {"taskSet": self.describe_task_set(scope, service, earlier)}
        if len(service.task_sets) >= MOST_TASK_SETS:
            raise rules.invalid(
                f"{MOST_TASK_SETS} deployments exist on the service. Unable to create new TaskSet since this exceeds the "
                "maximum limit."
            )
        now = self.platform.clock(scope.account).now()
        digest = self.platform.ids.digest(scope, "task-set", service.arn)
        number = str(10**18 + int.from_bytes(digest[:16], "big") % (9 * 10**18))
        made = TaskSet(
            id=f"ecs-svc/{number}",
            arn=f"arn:aws:ecs:{scope.region}:{scope.account}:task-set/{service.key}/ecs-svc/{number}",
            revision_arn=self.rollout_of(scope, service).revision(definition, **where).arn,
            created_at=now,
            updated_at=now,
            scale=_scale(params.get("scale", {})),
            external_id=params.get("externalId", ""),
            started_by=request.principal.arn,
            stability_at=now,
            client_token=params.get("clientToken", ""),
            tags=list(params.get("tags", [])),
        )
        service.task_sets.append(made)
        self._changed(scope, service)
        return {"taskSet": self.describe_task_set(scope, service, made)}

    def update_task_set(self, request: Request, params: Params) -> dict[str, Any]:
        """Its scale."""
        _, service = self._external(request.scope, params)
        found = self._task_set(service, params["taskSet"])
        found.scale = _scale(params["scale"])
        found.updated_at = self.platform.clock(request.account).now()
        self._changed(request.scope, service)
        return {"taskSet": self.describe_task_set(request.scope, service, found)}

    def delete_task_set(self, request: Request, params: Params) -> dict[str, Any]:
        """One that is not scaled to zero needs ``force``. It is DRAINING until its tasks have stopped."""
        _, service = self._external(request.scope, params)
        found = self._task_set(service, params["taskSet"])
        if found.scale > 0 and not params.get("force"):
            raise rules.invalid("The TaskSet cannot be deleted while it is scaled above 0.")  # (?)
        found.status, found.scale = "DRAINING", 0.0
        found.updated_at = self.platform.clock(request.account).now()
        self._changed(request.scope, service)
        return {"taskSet": self.describe_task_set(request.scope, service, found)}

    def update_service_primary_task_set(self, request: Request, params: Params) -> dict[str, Any]:
        """The others become ACTIVE."""
        params = {**params, "taskSet": params["primaryTaskSet"]}
        _, service = self._external(request.scope, params)
        found = self._task_set(service, params["taskSet"])
        if found.status == "DRAINING":
            raise rules.invalid("The TaskSet is DRAINING.")  # (?)
        for other in service.task_sets:
            other.status = "ACTIVE" if other.status == "PRIMARY" else other.status
        found.status = "PRIMARY"
        self._changed(request.scope, service)
        return {"taskSet": self.describe_task_set(request.scope, service, found)}

    def describe_task_sets(self, request: Request, params: Params) -> dict[str, Any]:
        """Those named, or all of the service."""
        _, service = self._external(request.scope, params)
        names = params.get("taskSets") or [one.arn for one in service.task_sets]
        found = [one for one in service.task_sets if one.arn in names or one.id in names]
        known = {name for one in found for name in (one.arn, one.id)}
        return {
            "taskSets": [
                self.describe_task_set(request.scope, service, one)
                | ({} if "TAGS" in params.get("include", []) else {"tags": []})
                for one in found
            ],
            "failures": [{"arn": name, "reason": "MISSING"} for name in names if name not in known],
        }

    def _external(self, scope: Scope, params: Params) -> tuple[Cluster, Service]:
        cluster = self.active_cluster(scope, params["cluster"])
        service = self.existing_service(scope, cluster, params["service"])
        if service.controller != "EXTERNAL":
            raise rules.invalid("The service does not have the deployment controller EXTERNAL.")  # (?)
        return cluster, service

    def _task_set(self, service: Service, identifier: str) -> TaskSet:
        for found in service.task_sets:
            if identifier in (found.arn, found.id):
                return found
        raise AwsError("TaskSetNotFoundException", "The specified task set wasn't found.")  # (?)

    def _changed(self, scope: Scope, service: Service) -> None:
        self.services.put(scope, service.key, service)
        self.services_controller.notice(scope, service.key)

    def describe_task_set(self, scope: Scope, service: Service, task_set: TaskSet) -> dict[str, Any]:
        """AWS's form."""
        revision = self.revisions.get(scope, task_set.revision_arn)
        tasks = [task for task in self.tasks_of_service(scope, service) if task.started_by == task_set.id]
        return {
            "id": task_set.id,
            "taskSetArn": task_set.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster_arn,
            "startedBy": task_set.started_by,
            "externalId": task_set.external_id,
            "status": task_set.status,
            "computedDesiredCount": scheduling.computed_count(service.desired_count, task_set.scale),
            "pendingCount": sum(task.last_status in PENDING for task in tasks),
            "runningCount": sum(task.last_status == "RUNNING" for task in tasks),
            "createdAt": as_datetime(task_set.created_at),
            "updatedAt": as_datetime(task_set.updated_at),
            **(revision.placement() if revision else {}),
            "loadBalancers": revision.load_balancers if revision else [],
            "serviceRegistries": [],
            "scale": {"value": task_set.scale, "unit": "PERCENT"},
            "stabilityStatus": task_set.stability,
            "stabilityStatusAt": as_datetime(task_set.stability_at),
            "tags": task_set.tags,
        }


def _made_before(service: Service, params: Params) -> TaskSet | None:
    token = params.get("clientToken")
    return next((one for one in service.task_sets if token and one.client_token == token), None)


def _scale(given: Params) -> float:
    value, unit = given.get("value", 0.0), given.get("unit", "PERCENT")
    if unit != "PERCENT" or not 0 <= value <= 100:
        raise rules.invalid("The scale of a task set must be between 0 and 100 PERCENT.")  # (?)
    return float(value)
