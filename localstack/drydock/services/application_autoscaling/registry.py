"""What there is of an account and region, and calls of other services' APIs under the service-linked role."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from drydock.errors import AwsError
from drydock.request import Principal
from drydock.services.application_autoscaling import errors
from drydock.services.application_autoscaling.model import (
    DESIRED_COUNT,
    Activity,
    Policy,
    ScalableTarget,
    ScheduledAction,
)
from drydock.services.iam.api import Iam
from drydock.services.service import Platform
from drydock.store import Scope

Params = dict[str, Any]
NAME = "application-autoscaling"
LINKED = "ecs.application-autoscaling.amazonaws.com"
T = TypeVar("T")


class Registry:
    """The collections, by account and region."""

    def __init__(self, platform: Platform, iam: Iam) -> None:
        self.platform = platform
        self.iam = iam
        store = platform.store
        self.targets = store.collection(ScalableTarget, NAME, "target")
        self.policies = store.collection(Policy, NAME, "policy")
        self.actions = store.collection(ScheduledAction, NAME, "scheduled-action")
        self.activities = store.collection(Activity, NAME, "activity")

    # -- finding
    def target(self, scope: Scope, resource_id: str) -> ScalableTarget:
        """Raises ObjectNotFoundException, as those that need one do."""
        found = self.targets.get(scope, resource_id)
        if found is None:
            raise errors.not_registered(resource_id, DESIRED_COUNT)
        return found

    def policies_of(self, scope: Scope, resource_id: str) -> list[Policy]:
        """Of a scalable target, oldest first."""
        return [policy for policy in self.policies.of(scope) if policy.resource_id == resource_id]

    def actions_of(self, scope: Scope, resource_id: str) -> list[ScheduledAction]:
        """Of a scalable target, oldest first."""
        return [action for action in self.actions.of(scope) if action.resource_id == resource_id]

    def activities_of(self, scope: Scope, resource_id: str) -> list[Activity]:
        """Of a scalable target, oldest first."""
        return [activity for activity in self.activities.of(scope) if activity.resource_id == resource_id]

    def now(self, scope: Scope) -> float:
        """The account's lab time."""
        return self.platform.clock(scope.account).now()

    # -- other services
    def role(self, scope: Scope) -> str:
        """The ARN of the service-linked role, made if it is not there."""
        return self.iam.ensure_service_linked_role(scope.account, LINKED)

    async def call(self, scope: Scope, session: str, service: str, operation: str, params: Params) -> Params:
        """Another service's API, in a session of the service-linked role. Raises AwsError."""
        arn = self.role(scope)
        name = arn.rpartition("/")[2]
        role = self.iam.directory.role_by_arn(arn)
        principal = Principal(
            account=scope.account,
            arn=f"arn:aws:sts::{scope.account}:assumed-role/{name}/{session}",
            kind="role",
            user_id=f"{role.id if role else ''}:{session}",
            name=name,
        )
        return await self.platform.call(principal, scope.region, service, operation, params)

    async def service_of(self, scope: Scope, resource_id: str) -> Params | None:
        """An ECS service as ECS describes it, None if there is none that is active."""
        _, cluster, service = resource_id.split("/")
        asked = {"cluster": cluster, "services": [service]}
        try:
            found = await self.call(scope, "AutoScaling-ReadDesiredCapacity", "ecs", "DescribeServices", asked)
        except AwsError as error:
            if error.code == "ClusterNotFoundException":
                return None
            raise
        services = found.get("services") or []
        return services[0] if services and services[0]["status"] == "ACTIVE" else None

    async def delete_alarms(self, scope: Scope, names: Sequence[str]) -> None:
        """Those that are there. Raises AwsError."""
        if not names:
            return
        asked = {"AlarmNames": list(names), "AlarmTypes": ["MetricAlarm"]}
        found = await self.call(scope, "AutoScaling-ManageAlarms", "cloudwatch", "DescribeAlarms", asked)
        there = [alarm["AlarmName"] for alarm in found.get("MetricAlarms") or []]
        if there:
            await self.call(scope, "AutoScaling-ManageAlarms", "cloudwatch", "DeleteAlarms", {"AlarmNames": there})

    async def sweep(self, scope: Scope, target: ScalableTarget) -> None:
        """Delete the alarms that are no policy's (any more). Raises AwsError."""
        if not target.loose:
            return
        owned = {name for policy in self.policies_of(scope, target.resource_id) for name in policy.alarms}
        await self.delete_alarms(scope, [name for name in target.loose if name not in owned])
        target.loose = []
        self.targets.put(scope, target.resource_id, target)

    async def forget(self, scope: Scope, resource_id: str) -> None:
        """A scalable target with its policies, their alarms and its scheduled actions. Raises AwsError."""
        policies = self.policies_of(scope, resource_id)
        target = self.targets.get(scope, resource_id)
        loose = target.loose if target else []
        await self.delete_alarms(scope, [*loose, *(name for policy in policies for name in policy.alarms)])
        for policy in policies:
            self.policies.delete(scope, policy.key)
        for action in self.actions_of(scope, resource_id):
            self.actions.delete(scope, action.key)
        self.targets.delete(scope, resource_id)


def page(items: list[T], params: Params, most: int) -> tuple[list[T], Params]:
    """One page, and NextToken if there is more. Raises AwsError."""
    size = params.get("MaxResults", most)
    if size < 0:
        raise errors.invalid("MaxResults cannot be less than 0")
    size = min(size or most, most)
    start = _opened(params["NextToken"]) if params.get("NextToken") else 0
    token = base64.urlsafe_b64encode(f"aas:{start + size}".encode()).decode()
    return items[start : start + size], {"NextToken": token} if len(items) > start + size else {}


def _opened(token: str) -> int:
    try:
        kind, _, start = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if kind != "aas" or not start.isdecimal():
            raise ValueError
        return int(start)
    except (ValueError, binascii.Error):
        raise AwsError("InvalidNextTokenException", "The next token supplied was invalid.") from None  # (?)
