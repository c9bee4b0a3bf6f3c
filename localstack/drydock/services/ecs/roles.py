"""Roles of tasks: whether ECS may assume them, and calls made under them."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Principal, Request
from drydock.services.ecs.machines import Machine
from drydock.services.ecs.model import Task
from drydock.services.ecs.rules import client_error
from drydock.services.iam.api import Iam
from drydock.services.service import Platform
from drydock.store import Scope

TASKS = "ecs-tasks.amazonaws.com"


class RoleSessions:
    """What ECS does with the roles of a task definition."""

    def __init__(self, platform: Platform, iam: Iam) -> None:
        self._platform = platform
        self._iam = iam

    def check_may_pass(self, request: Request, role_arn: str) -> None:
        """iam:PassRole of the caller. Raises AccessDenied."""
        self._iam.check_pass_role(request.principal, role_arn, TASKS)

    def check_assumable(self, role_arn: str) -> None:
        """Raises AwsError if the role is not there or does not trust ECS tasks (message: RunTask's)."""
        reason = self._iam.check_assumable(role_arn, TASKS)
        if reason:
            raise client_error(
                f"ECS was unable to assume the role '{role_arn}' that was provided for this task. Please verify that "
                "the role being passed has the proper trust relationship and permissions and that your IAM user has "
                "permissions to pass this role."
            )

    async def call_as_execution_role(
        self,
        scope: Scope,
        task: Task,
        machine: Machine | None,
        region: str,
        service: str,
        operation: str,
        params: dict[str, Any],
    ) -> dict[str, Any]:
        """As ECS's agent does it: with a session of the task execution role; on an EC2 instance, where the task has none,
        with the instance's own role. Raises AwsError."""
        role, session = task.execution_role_arn, task.id
        if role:
            self.check_assumable(role)
        elif machine is not None:
            role, session = machine.role_arn, machine.id
        if not role:
            raise AwsError("NoCredentialProviders", "no valid providers in chain (the task has no execution role)")
        return await self._platform.call(self._session(scope, role, session), region, service, operation, params)

    async def call_as_task_role(
        self, scope: Scope, task: Task, region: str, service: str, operation: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        """As what runs in the task does it. Raises AwsError."""
        self.check_assumable(task.task_role_arn)
        principal = self._session(scope, task.task_role_arn, task.id)
        return await self._platform.call(principal, region, service, operation, params)

    def task_role_may(self, scope: Scope, task: Task, service: str, action: str) -> bool:
        """Whether what runs in the task may do something that is about no resource."""
        if not task.task_role_arn or self._iam.check_assumable(task.task_role_arn, TASKS):
            return False
        principal = self._session(scope, task.task_role_arn, task.id)
        context = self._iam.principal_context(principal)
        context["aws:requestedregion"] = scope.region
        return self._iam.decide(principal, f"{service}:{action}", "*", context).allowed

    def _session(self, scope: Scope, role: str, session: str) -> Principal:
        name = role.rpartition("/")[2]
        found = self._iam.directory.role_by_arn(role)
        return Principal(
            account=scope.account,
            arn=f"arn:aws:sts::{scope.account}:assumed-role/{name}/{session}",
            kind="role",
            user_id=f"{found.id if found else ''}:{session}",
            name=name,
        )
