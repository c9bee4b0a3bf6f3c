"""Operations on scaling policies. A policy of target tracking makes its alarms in CloudWatch, and they go with it."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.application_autoscaling import checks, errors, tracking
from drydock.services.application_autoscaling.model import DESIRED_COUNT, ECS, Policy, ScalableTarget, policy_key
from drydock.services.application_autoscaling.registry import Params, page
from drydock.services.application_autoscaling.targets import TargetOperations
from drydock.store import Scope

MOST_POLICIES = 50
"""Of a scalable target ("Application Auto Scaling quotas")"""
PAGE = 10
MANAGER = "AutoScaling-ManageAlarms"


class PolicyOperations(TargetOperations):
    """PutScalingPolicy, DescribeScalingPolicies, DeleteScalingPolicy."""

    async def put_scaling_policy(self, request: Request, params: Params) -> dict[str, Any]:
        """Made, or replaced: then its ARN stays, and its own alarms are new ones."""
        scope, resource_id = request.scope, checks.place("PutScalingPolicy", params)
        kind, configuration = checks.policy(params)
        async with self.scaling.lock(scope, resource_id):
            made = await self._put(scope, resource_id, params["PolicyName"], kind, configuration)
        return {"PolicyARN": made.arn, "Alarms": [_alarm(scope, each) for each in made.alarms]}

    async def _put(self, scope: Scope, resource_id: str, name: str, kind: str, configuration: Params) -> Policy:
        target = self.registry.target(scope, resource_id)
        held = self.registry.policies.get(scope, policy_key(resource_id, name))
        others = [one for one in self.registry.policies_of(scope, resource_id) if one is not held]
        if held is None and len(others) >= MOST_POLICIES:
            raise errors.too_many("scaling policies", MOST_POLICIES)
        metric = checks.metric_of(configuration)
        if metric and any(checks.metric_of(one.configuration) == metric for one in others):
            raise errors.invalid("Only one TargetTrackingScaling policy for a given metric specification is allowed.")
        made = Policy(
            arn=held.arn if held else self._new_arn(scope, resource_id, name),
            name=name,
            resource_id=resource_id,
            kind=kind,
            configuration=configuration,
            created=held.created if held else self.registry.now(scope),
            created_by=(held.created_by if held else "") or self._uuid(scope, "policy-creation", resource_id),
        )
        if made.tracks:
            await self._check_label(scope, target, configuration)
            await self._make_alarms(scope, target, made)
        self.registry.policies.put(scope, made.key, made)
        if held is not None and held.alarms:
            target.loose = [*target.loose, *held.alarms]
            self.registry.targets.put(scope, resource_id, target)
        self.platform.store.commit()
        await self.registry.sweep(scope, target)
        return made

    def _uuid(self, scope: Scope, kind: str, parent: str) -> str:
        return self.platform.ids.uuid(scope, kind, parent)

    def _new_arn(self, scope: Scope, resource_id: str, name: str) -> str:
        made = self._uuid(scope, "scaling-policy", f"{resource_id}|{name}")
        where = f"arn:aws:autoscaling:{scope.region}:{scope.account}:scalingPolicy:{made}"
        return f"{where}:resource/{ECS}/{resource_id}:policyName/{name}"

    async def _check_label(self, scope: Scope, target: ScalableTarget, configuration: Params) -> None:
        """The target group must be the service's. Raises ValidationException."""
        predefined = configuration.get("PredefinedMetricSpecification", {})
        if predefined.get("PredefinedMetricType") != checks.ALB:
            return
        group = checks.parts_of_label(predefined["ResourceLabel"])[1]
        service = await self.registry.service_of(scope, target.resource_id) or {}
        attached = [one.get("targetGroupArn", "") for one in service.get("loadBalancers", [])]
        if not any(arn.endswith(f":{group}") for arn in attached):
            raise errors.invalid(
                f"Resource label {predefined['ResourceLabel']} is not valid: its target group is not attached to the ECS "
                "service"
            )  # (?)

    async def _make_alarms(self, scope: Scope, target: ScalableTarget, policy: Policy) -> None:
        """Names into ``policy.alarms``. Raises AwsError, and then leaves none."""
        given = policy.configuration
        if "PredefinedMetricSpecification" in given:
            metric = tracking.predefined(given["PredefinedMetricSpecification"], target.cluster, target.service)
        else:
            metric = tracking.customised(given["CustomizedMetricSpecification"])
        ids = [self._uuid(scope, "alarm", policy.arn) for _ in range(2)]
        wanted = tracking.alarms(policy.resource_id, metric, given["TargetValue"], policy.action, ids, policy.scales_in)
        names = [alarm["AlarmName"] for alarm in wanted]
        target.loose = [*target.loose, *names]
        self.registry.targets.put(scope, target.resource_id, target)
        self.platform.store.commit()
        for alarm in wanted:
            try:
                await self.registry.call(scope, MANAGER, "cloudwatch", "PutMetricAlarm", alarm)
            except AwsError as error:
                await self.registry.sweep(scope, target)
                if error.code in ("ValidationError", "InvalidParameterValue", "MissingParameter"):
                    raise AwsError("FailedResourceAccessException", error.message) from error
                raise
        policy.alarms = names

    async def describe_scaling_policies(self, request: Request, params: Params) -> dict[str, Any]:
        """With the alarms that trigger them."""
        checks.namespace(params)
        scope, resource_id, names = request.scope, params.get("ResourceId"), params.get("PolicyNames")
        if params.get("ScalableDimension") and not resource_id:
            raise errors.invalid("ResourceId must be specified when ScalableDimension is specified")
        if params["ServiceNamespace"] != ECS:
            return {"ScalingPolicies": []}
        if resource_id:
            checks.resource(resource_id, params.get("ScalableDimension"))
        found = [
            policy
            for policy in self.registry.policies.of(scope)
            if resource_id in (None, policy.resource_id) and (not names or policy.name in names)
        ]
        shown, token = page(found, params, PAGE)
        return {"ScalingPolicies": [one.describe(await self._alarms(scope, one)) for one in shown], **token}

    async def _alarms(self, scope: Scope, policy: Policy) -> list[dict[str, str]]:
        """Its own, or those that somebody has made with the policy for an action."""
        if policy.tracks:
            return [_alarm(scope, name) for name in policy.alarms]
        try:
            found = await self.registry.call(
                scope, MANAGER, "cloudwatch", "DescribeAlarms", {"ActionPrefix": policy.arn}
            )
        except AwsError as error:
            raise AwsError("FailedResourceAccessException", error.message) from error
        alarms = [*(found.get("MetricAlarms") or []), *(found.get("CompositeAlarms") or [])]
        return [{"AlarmName": alarm["AlarmName"], "AlarmARN": alarm["AlarmArn"]} for alarm in alarms]

    async def delete_scaling_policy(self, request: Request, params: Params) -> None:
        """Its own alarms go too; those that others have made stay, without a policy."""
        scope, resource_id = request.scope, checks.place("DeleteScalingPolicy", params)
        name = params["PolicyName"]
        policy = self.registry.policies.get(scope, policy_key(resource_id, name))
        if policy is None:
            further = f", policy name: {name}"
            raise errors.absent("No scaling policy found", resource_id, DESIRED_COUNT, further)
        async with self.scaling.lock(scope, resource_id):
            await self.registry.delete_alarms(scope, policy.alarms)
            self.registry.policies.delete(scope, policy.key)


def _alarm(scope: Scope, name: str) -> dict[str, str]:
    return {"AlarmName": name, "AlarmARN": f"arn:aws:cloudwatch:{scope.region}:{scope.account}:alarm:{name}"}
