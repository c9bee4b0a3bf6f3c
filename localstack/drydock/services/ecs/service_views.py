"""Services as they are: their tasks, and what describe returns of them with the counts of what is there now."""

from __future__ import annotations

from typing import Any

from drydock.clock import as_datetime
from drydock.services.ecs import rules
from drydock.services.ecs.clusters import PENDING
from drydock.services.ecs.model import Task, TaskDefinition
from drydock.services.ecs.service_model import Deployment, Service, TaskSet
from drydock.services.ecs.tasks import TaskOperations
from drydock.store import Scope


class ServiceViews(TaskOperations):
    """What the scheduler asks, and AWS's forms."""

    # -- what the scheduler asks
    def tasks_of_service(self, scope: Scope, service: Service) -> list[Task]:
        """All that are known, stopped ones too, oldest first."""
        return [
            task
            for task in self.tasks.of(scope)
            if task.group == service.group and task.cluster_arn == service.cluster_arn
        ]

    def has_health_check(self, scope: Scope, task: Task) -> bool:
        """Whether the task's health says something."""
        definition = self.definition_of(scope, task.task_definition_arn)
        return any("healthCheck" in each and each["essential"] for each in definition.containers)

    def is_draining(self, scope: Scope, task: Task) -> bool:
        """Whether its container instance is."""
        if not task.container_instance_arn:
            return False
        instance = self.instances.get(scope, task.container_instance_arn)
        return instance is not None and instance.status == "DRAINING"

    def definition_of(self, scope: Scope, arn: str) -> TaskDefinition:
        """Which is kept as long as something refers to it."""
        found = self.definitions.get(scope, rules.task_id(arn))
        assert found is not None, arn
        return found

    def uses_definition(self, scope: Scope, arn: str) -> bool:
        """Whether a service is to run it."""
        used = {
            revision_arn
            for service in self.services.of(scope)
            if service.status != "INACTIVE"
            for revision_arn in service.revision_arns
        }
        return any(one.task_definition_arn == arn for one in self.revisions.of(scope) if one.arn in used)

    def forget_definitions(self, scope: Scope) -> None:
        """Those that were asked to be deleted and that nothing uses any more."""
        for definition in self.definitions.of(scope):
            self.controller.forget_if_unused(scope, definition)

    # -- AWS's form
    def describe_service(self, scope: Scope, service: Service, tags: bool) -> dict[str, Any]:
        """With the counts of what is there now."""
        tasks = self.tasks_of_service(scope, service)
        primary = service.primary or next((one for one in service.task_sets if one.status == "PRIMARY"), None)
        revision = self.revisions.get(scope, primary.revision_arn) if primary else None
        shown: dict[str, Any] = {
            "serviceArn": service.arn,
            "serviceName": service.name,
            "clusterArn": service.cluster_arn,
            "loadBalancers": revision.load_balancers if revision else [],
            "serviceRegistries": [],
            "status": service.status,
            "desiredCount": service.desired_count,
            **_counts(tasks),
            **(revision.placement() if revision else {}),
            "deploymentConfiguration": service.configuration,
            "deployments": [self._describe_deployment(scope, each, tasks) for each in service.deployments],
            "events": [event.describe() for event in reversed(service.events)],
            "createdAt": as_datetime(service.created_at),
            "createdBy": service.created_by,
            "placementConstraints": service.constraints,
            "placementStrategy": service.strategies,
            "schedulingStrategy": service.strategy_kind,
            "deploymentController": {"type": service.controller},
            "enableECSManagedTags": service.managed_tags,
            "propagateTags": service.propagate_tags,
            "enableExecuteCommand": service.execute_command,
            "availabilityZoneRebalancing": "DISABLED",
            "tags": service.tags if tags else [],
        }
        if service.grace is not None:
            shown["healthCheckGracePeriodSeconds"] = service.grace
        if service.controller == "EXTERNAL":
            shown["taskSets"] = [self.describe_task_set(scope, service, each) for each in service.task_sets]
        elif service.primary is not None:
            shown["currentServiceDeployment"] = service.primary.service_deployment_arn
            shown["currentServiceRevisions"] = [
                {"arn": arn, **counts} for arn, counts in self.counts_by_revision(scope, service).items()
            ]
        return shown

    def _describe_deployment(self, scope: Scope, deployment: Deployment, tasks: list[Task]) -> dict[str, Any]:
        revision = self.revisions.get(scope, deployment.revision_arn)
        mine = [task for task in tasks if task.started_by == deployment.id]
        return {
            "id": deployment.id,
            "status": deployment.status,
            "desiredCount": deployment.desired_count,
            **_counts(mine),
            "failedTasks": deployment.failed_tasks,
            "createdAt": as_datetime(deployment.created_at),
            "updatedAt": as_datetime(deployment.updated_at),
            **(revision.placement() if revision else {}),
            "rolloutState": deployment.rollout_state,
            "rolloutStateReason": deployment.rollout_reason,
        }

    def counts_by_revision(self, scope: Scope, service: Service) -> dict[str, dict[str, int]]:
        """Requested, running and pending tasks of each revision that is in use."""
        tasks = self.tasks_of_service(scope, service)
        found = {}
        for deployment in service.deployments:
            counts = _counts([task for task in tasks if task.started_by == deployment.id])
            found[deployment.revision_arn] = {
                "requestedTaskCount": deployment.desired_count,
                "runningTaskCount": counts["runningCount"],
                "pendingTaskCount": counts["pendingCount"],
            }
        return found

    def describe_task_set(self, scope: Scope, service: Service, task_set: TaskSet) -> dict[str, Any]:
        """AWS's form; in ``task_sets``."""
        raise NotImplementedError

    def launch_type_of(self, scope: Scope, service: Service) -> str:
        """Of its primary deployment; empty for capacity providers."""
        revision = self.revisions.get(scope, service.primary.revision_arn) if service.primary else None
        return revision.placement().get("launchType", "") if revision else ""


def _counts(tasks: list[Task]) -> dict[str, int]:
    states = [task.last_status for task in tasks]
    return {"runningCount": states.count("RUNNING"), "pendingCount": sum(state in PENDING for state in states)}
