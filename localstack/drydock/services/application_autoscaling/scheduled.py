"""Operations on scheduled actions."""

from __future__ import annotations

from typing import Any

from drydock.request import Request
from drydock.services.application_autoscaling import checks, errors
from drydock.services.application_autoscaling.model import DESIRED_COUNT, ECS, ScheduledAction, policy_key
from drydock.services.application_autoscaling.policies import PolicyOperations
from drydock.services.application_autoscaling.registry import Params, page
from drydock.store import Scope

MOST_ACTIONS = 200
"""Of a scalable target ("Application Auto Scaling quotas")"""
PAGE = 50


class ScheduledOperations(PolicyOperations):
    """PutScheduledAction, DescribeScheduledActions, DeleteScheduledAction."""

    def put_scheduled_action(self, request: Request, params: Params) -> None:
        """Made, or changed in what is given; times that are not given are forgotten."""
        scope, resource_id = request.scope, checks.place("PutScheduledAction", params)
        name = params["ScheduledActionName"]
        key = policy_key(resource_id, name)
        held = self.registry.actions.get(scope, key)
        merged = dict(params)
        if held is not None:
            merged.setdefault("Schedule", held.schedule)
            merged.setdefault("ScalableTargetAction", held.action)
            if held.timezone:
                merged.setdefault("Timezone", held.timezone)
        checks.scheduled(merged)
        self.registry.target(scope, resource_id)
        if held is None and len(self.registry.actions_of(scope, resource_id)) >= MOST_ACTIONS:
            raise errors.too_many("scheduled actions", MOST_ACTIONS)
        now = self.registry.now(scope)
        made = ScheduledAction(
            arn=held.arn if held else self._new_action_arn(scope, resource_id, name),
            name=name,
            resource_id=resource_id,
            schedule=merged["Schedule"],
            created=held.created if held else now,
            timezone=merged.get("Timezone", ""),
            start=_seconds(params.get("StartTime")),
            end=_seconds(params.get("EndTime")),
            action=dict(merged["ScalableTargetAction"]),
            done=now,
        )
        self.registry.actions.put(scope, key, made)
        self.scheduler.changed(scope.account)

    def _new_action_arn(self, scope: Scope, resource_id: str, name: str) -> str:
        made = self.platform.ids.uuid(scope, "scheduled-action", f"{resource_id}|{name}")
        where = f"arn:aws:autoscaling:{scope.region}:{scope.account}:scheduledAction:{made}"
        return f"{where}:resource/{ECS}/{resource_id}:scheduledActionName/{name}"

    def describe_scheduled_actions(self, request: Request, params: Params) -> dict[str, Any]:
        """Of the namespace, of a resource, or by their names."""
        checks.namespace(params)
        resource_id, names = params.get("ResourceId"), params.get("ScheduledActionNames")
        if params.get("ScalableDimension") and not resource_id:
            raise errors.invalid("ResourceId must be specified when ScalableDimension is specified")
        if params["ServiceNamespace"] != ECS:
            return {"ScheduledActions": []}
        if resource_id:
            checks.resource(resource_id, params.get("ScalableDimension"))
        found = [
            one
            for one in self.registry.actions.of(request.scope)
            if resource_id in (None, one.resource_id) and (not names or one.name in names)
        ]
        shown, token = page(found, params, PAGE)
        return {"ScheduledActions": [one.describe() for one in shown], **token}

    def delete_scheduled_action(self, request: Request, params: Params) -> None:
        """Raises ObjectNotFoundException."""
        scope, resource_id = request.scope, checks.place("DeleteScheduledAction", params)
        name = params["ScheduledActionName"]
        key = policy_key(resource_id, name)
        if self.registry.actions.get(scope, key) is None:
            further = f", scheduled action name: {name}"
            raise errors.absent("No scheduled action found", resource_id, DESIRED_COUNT, further)
        self.registry.actions.delete(scope, key)
        self.scheduler.changed(scope.account)


def _seconds(moment: Any) -> float | None:
    return None if moment is None else float(moment.timestamp())
