"""Operations on task protection: for a time neither a scale-in nor a deployment stops the task.

Source: "Protect your Amazon ECS tasks from being terminated by scale-in events". The texts marked with (?) are ours.
"""

from __future__ import annotations

from typing import Any

from drydock.clock import as_datetime
from drydock.request import Request
from drydock.services.ecs import rules
from drydock.services.ecs.model import Cluster, Task
from drydock.services.ecs.task_sets import TaskSetOperations
from drydock.store import Scope

Params = dict[str, Any]
MOST_TASKS = 10
DEFAULT_MINUTES, LONGEST_MINUTES = 120, 2880


class ProtectionOperations(TaskSetOperations):
    """UpdateTaskProtection, GetTaskProtection."""

    def update_task_protection(self, request: Request, params: Params) -> dict[str, Any]:
        """Asked for again, the time begins anew."""
        minutes = params.get("expiresInMinutes", DEFAULT_MINUTES)
        if not 1 <= minutes <= LONGEST_MINUTES:
            raise rules.invalid(f"expiresInMinutes must be between 1 and {LONGEST_MINUTES}.")  # (?)
        cluster = self.active_cluster(request.scope, params["cluster"])
        found, failures = self._protectable(request.scope, cluster, params["tasks"])
        now = self.platform.clock(request.account).now()
        for task in found:
            task.protected_until = now + 60.0 * minutes if params["protectionEnabled"] else None
            self.tasks.put(request.scope, task.arn, task)
            self.services_controller.task_changed(request.scope, task)
        return {"protectedTasks": [self._protection(task) for task in found], "failures": failures}

    def get_task_protection(self, request: Request, params: Params) -> dict[str, Any]:
        """Of the tasks named, or of all service tasks of the cluster."""
        cluster = self.active_cluster(request.scope, params["cluster"])
        everything = [
            task.arn
            for task in self.tasks.of(request.scope)
            if task.cluster_arn == cluster.arn and task.group.startswith("service:") and task.is_active
        ]
        names = params.get("tasks") or everything[:MOST_TASKS]
        found, failures = self._protectable(request.scope, cluster, names) if names else ([], [])
        return {"protectedTasks": [self._protection(task) for task in found], "failures": failures}

    def _protectable(self, scope: Scope, cluster: Cluster, names: list[str]) -> tuple[list[Task], list[dict[str, str]]]:
        if not 1 <= len(names) <= MOST_TASKS:
            raise rules.invalid(f"tasks can have at most {MOST_TASKS} items.")  # (?)
        found, failures = [], []
        for name in names:
            task = self._find_task(scope, cluster, name)
            prefix = f"arn:aws:ecs:{scope.region}:{scope.account}:task/{cluster.name}/"
            if task is None or not task.is_active:
                failures.append({"arn": name if name.startswith("arn:") else prefix + name, "reason": "MISSING"})
            elif not task.group.startswith("service:"):
                detail = "The specified task isn't part of an Amazon ECS service."  # (?)
                failures.append({"arn": task.arn, "reason": "TASK_NOT_VALID", "detail": detail})
            else:
                found.append(task)
        return found, failures

    def _protection(self, task: Task) -> dict[str, Any]:
        now = self.platform.clock(task.arn.split(":")[4]).now()
        until = task.protected_until
        if until is None or until <= now:
            return {"taskArn": task.arn, "protectionEnabled": False}
        return {"taskArn": task.arn, "protectionEnabled": True, "expirationDate": as_datetime(until)}
