"""Operations on scalable targets and their activities."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.application_autoscaling import checks, errors
from drydock.services.application_autoscaling.controller import Scaling
from drydock.services.application_autoscaling.model import DESIRED_COUNT, ECS, KEPT, ScalableTarget
from drydock.services.application_autoscaling.registry import Params, Registry, page
from drydock.services.application_autoscaling.scheduler import Scheduler
from drydock.services.service import Service
from drydock.store import Scope

MOST_TARGETS = 3000
"""ECS services of an account and region ("Application Auto Scaling quotas")"""
PAGE = 50
SUSPENSIONS = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


class TargetOperations(Service):
    """RegisterScalableTarget, DescribeScalableTargets, DeregisterScalableTarget, DescribeScalingActivities, tags."""

    registry: Registry
    scaling: Scaling
    scheduler: Scheduler

    async def register_scalable_target(self, request: Request, params: Params) -> dict[str, Any]:
        """Made, or changed in what is given; the service's count is brought within the bounds. ``RoleARN`` must be the
        service-linked role's or is overlooked, as on AWS for ECS."""
        scope, resource_id = request.scope, checks.place("RegisterScalableTarget", params)
        held = self.registry.targets.get(scope, resource_id)
        self._check(scope, params, held)
        if await self.registry.service_of(scope, resource_id) is None:
            raise errors.invalid(f"ECS service doesn't exist: {resource_id}")
        held = self.registry.targets.get(scope, resource_id)  # ECS was asked meanwhile
        target = held or ScalableTarget(
            arn=self._target_arn(scope, resource_id),
            resource_id=resource_id,
            least=params["MinCapacity"],
            most=params["MaxCapacity"],
            role_arn=self.registry.role(scope),
            created=self.registry.now(scope),
            suspended=dict.fromkeys(SUSPENSIONS, False),
            tags=dict(params.get("Tags", {})),
        )
        target.least = params.get("MinCapacity", target.least)
        target.most = params.get("MaxCapacity", target.most)
        target.suspended = {**target.suspended, **params.get("SuspendedState", {})}
        target.unbounded = True
        self.registry.targets.put(scope, resource_id, target)
        self.scaling.notice(scope, resource_id)
        return {"ScalableTargetARN": target.arn}

    def _check(self, scope: Scope, params: Params, held: ScalableTarget | None) -> None:
        role = params.get("RoleARN")
        if role is not None and not (role.startswith("arn:") and role.count(":") >= 5):
            raise errors.invalid(f"'{role}' is not a valid ARN")
        given = params.get("Tags")
        if given is not None and held is not None:
            raise errors.invalid(
                "The scalable target that you tried to tag already exists. To update tags on an existing scalable target, "
                "use the TagResource API."
            )
        checks.tags(given or {}, {})
        least, most = (held.least, held.most) if held else (None, None)
        checks.bounds(params.get("MinCapacity", least), params.get("MaxCapacity", most))
        if held is None and len(self.registry.targets.of(scope)) >= MOST_TARGETS:
            raise errors.too_many("scalable targets", MOST_TARGETS)

    def _target_arn(self, scope: Scope, resource_id: str) -> str:
        made = "0ec5" + self.platform.ids.hexadecimal(scope, "scalable-target", resource_id, 32)
        return f"arn:aws:application-autoscaling:{scope.region}:{scope.account}:scalable-target/{made}"

    def describe_scalable_targets(self, request: Request, params: Params) -> dict[str, Any]:
        """All of the namespace, or those of the resource ids."""
        checks.namespace(params)
        wanted = params.get("ResourceIds")
        if params.get("ScalableDimension") and not wanted:
            raise errors.invalid("ResourceIds must be specified when ScalableDimension is specified")
        if params["ServiceNamespace"] != ECS:
            return {"ScalableTargets": []}
        for resource_id in wanted or []:
            checks.resource(resource_id, params.get("ScalableDimension"))
        found = [one for one in self.registry.targets.of(request.scope) if not wanted or one.resource_id in wanted]
        shown, token = page(sorted(found, key=lambda one: one.resource_id), params, PAGE)
        return {"ScalableTargets": [target.describe() for target in shown], **token}

    async def deregister_scalable_target(self, request: Request, params: Params) -> None:
        """Its policies, their alarms and its scheduled actions go with it; the count stays as it is."""
        scope, resource_id = request.scope, checks.place("DeregisterScalableTarget", params)
        if self.registry.targets.get(scope, resource_id) is None:
            raise errors.absent("No scalable target found", resource_id, DESIRED_COUNT)
        async with self.scaling.lock(scope, resource_id):
            await self.registry.forget(scope, resource_id)
        self.scheduler.changed(scope.account)
        self.scaling.notice(scope, resource_id)

    def describe_scaling_activities(self, request: Request, params: Params) -> dict[str, Any]:
        """Of the last six weeks, the latest first; what was not scaled only if it is asked for."""
        checks.namespace(params)
        scope, wanted = request.scope, params.get("ResourceId")
        if params.get("ScalableDimension") and not wanted:
            raise errors.invalid("ResourceId must be specified when ScalableDimension is specified")
        if params["ServiceNamespace"] != ECS:
            return {"ScalingActivities": []}
        if wanted:
            checks.resource(wanted, params.get("ScalableDimension"))
        since = self.registry.now(scope) - KEPT
        found = [
            activity
            for activity in reversed(self.registry.activities.of(scope))
            if wanted in (None, activity.resource_id)
            and activity.start >= since
            and (params.get("IncludeNotScaledActivities") or not activity.not_scaled)
        ]
        shown, token = page(found, params, PAGE)
        return {"ScalingActivities": [activity.describe() for activity in shown], **token}

    # -- tags
    def _tagged(self, scope: Scope, arn: str) -> ScalableTarget:
        for target in self.registry.targets.of(scope):
            if target.arn == arn:
                return target
        raise AwsError("ResourceNotFoundException", "Scalable Target not found", ResourceName=arn)

    def tag_resource(self, request: Request, params: Params) -> None:
        """TagResource."""
        target = self._tagged(request.scope, params["ResourceARN"])
        target.tags = checks.tags(params["Tags"], target.tags)
        self.registry.targets.put(request.scope, target.resource_id, target)

    def untag_resource(self, request: Request, params: Params) -> None:
        """UntagResource."""
        target = self._tagged(request.scope, params["ResourceARN"])
        target.tags = {key: value for key, value in target.tags.items() if key not in params["TagKeys"]}
        self.registry.targets.put(request.scope, target.resource_id, target)

    def list_tags_for_resource(self, request: Request, params: Params) -> dict[str, Any]:
        """ListTagsForResource."""
        return {"Tags": dict(self._tagged(request.scope, params["ResourceARN"]).tags)}
