"""Operations on the scaling policies of groups."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.application_autoscaling import tracking
from drydock.services.application_autoscaling.policy_rules import Signal
from drydock.services.autoscaling import policy_rules as rules
from drydock.services.autoscaling.policy_model import STEP, GroupPolicy
from drydock.services.autoscaling.scaling import GroupScaling, Params
from drydock.services.service import Service
from drydock.store import Scope

MOST_POLICIES = 50
"""Of a group ("Quotas for Amazon EC2 Auto Scaling")"""
PAGE = 50


class PolicyOperations(Service):
    """PutScalingPolicy, DescribePolicies, DeletePolicy, ExecutePolicy."""

    scaling: GroupScaling

    async def put_scaling_policy(self, request: Request, params: Params) -> dict[str, Any]:
        """Made, or replaced: then its ARN stays. Target tracking makes its alarms, which go with it."""
        scope, group, name = request.scope, params["AutoScalingGroupName"], params["PolicyName"]
        kind, configuration = rules.policy(params)
        await self.scaling.facts(scope, group)
        held = self.scaling.policies.get(scope, f"{group}|{name}")
        if held is None and len(self.scaling.policies_of(scope, group)) >= MOST_POLICIES:
            raise AwsError("LimitExceeded", f"A group can have at most {MOST_POLICIES} scaling policies.")  # (?)
        made = GroupPolicy(
            arn=held.arn if held else self._new_arn(scope, group, name),
            name=name,
            group=group,
            kind=kind,
            configuration=configuration,
            enabled=params.get("Enabled", True),
            warmup=params.get("EstimatedInstanceWarmup"),
        )
        alarms = self._alarms_of(scope, made) if made.tracks else []
        made.alarms = [alarm["AlarmName"] for alarm in alarms]
        self.scaling.policies.put(scope, made.key, made)
        self.platform.store.commit()  # who is killed now leaves no alarm that is nobody's
        try:
            for alarm in alarms:
                await self.scaling.cloudwatch(scope, "PutMetricAlarm", alarm)
        except AwsError:
            await self.scaling.delete_alarms(scope, made.alarms)
            self.scaling.policies.delete(scope, made.key)
            if held is not None:
                self.scaling.policies.put(scope, held.key, held)
            raise
        await self.scaling.delete_alarms(scope, held.alarms if held else [])
        return {"PolicyARN": made.arn, "Alarms": [_alarm(scope, each) for each in made.alarms]}

    def _new_arn(self, scope: Scope, group: str, name: str) -> str:
        made = self.platform.ids.uuid(scope, "scaling-policy", f"{group}|{name}")
        where = f"arn:aws:autoscaling:{scope.region}:{scope.account}:scalingPolicy:{made}"
        return f"{where}:autoScalingGroupName/{group}:policyName/{name}"

    def _alarms_of(self, scope: Scope, policy: GroupPolicy) -> list[Params]:
        given = policy.configuration
        ids = [self.platform.ids.uuid(scope, "alarm", policy.arn) for _ in range(2)]
        metric = rules.metric_of(given, policy.group)
        return tracking.alarms(policy.group, metric, given["TargetValue"], policy.arn, ids, policy.scales_in)

    def _found(self, scope: Scope, params: Params) -> GroupPolicy:
        """By its ARN, or its name and its group. Raises ValidationError."""
        name, group = params["PolicyName"], params.get("AutoScalingGroupName")
        for policy in self.scaling.policies.of(scope):
            if policy.arn == name or (policy.name == name and policy.group == group):
                return policy
        raise rules.invalid(f"PolicyName not found - Cannot find AutoScaling policy '{name}'")  # (?)

    async def describe_policies(self, request: Request, params: Params) -> dict[str, Any]:
        """With the alarms that trigger them."""
        scope, group = request.scope, params.get("AutoScalingGroupName")
        names, kinds = params.get("PolicyNames"), params.get("PolicyTypes")
        found = [
            policy
            for policy in self.scaling.policies.of(scope)
            if group in (None, policy.group)
            and (not names or policy.name in names or policy.arn in names)
            and (not kinds or policy.kind in kinds)
        ]
        shown, token = page(found, params, PAGE)
        return {"ScalingPolicies": [one.describe(await self._alarms(scope, one)) for one in shown], **token}

    async def _alarms(self, scope: Scope, policy: GroupPolicy) -> list[dict[str, str]]:
        if policy.tracks:
            return [_alarm(scope, name) for name in policy.alarms]
        found = await self.scaling.cloudwatch(scope, "DescribeAlarms", {"ActionPrefix": policy.arn})
        alarms = [*(found.get("MetricAlarms") or []), *(found.get("CompositeAlarms") or [])]
        return [{"AlarmName": one["AlarmName"], "AlarmARN": one["AlarmArn"]} for one in alarms]

    async def delete_policy(self, request: Request, params: Params) -> None:
        """Its own alarms go too; those that others have made stay, without a policy."""
        policy = self._found(request.scope, params)
        await self.scaling.delete_alarms(request.scope, policy.alarms)
        self.scaling.policies.delete(request.scope, policy.key)

    async def execute_policy(self, request: Request, params: Params) -> None:
        """Simple policies, and those of steps for a value of the metric."""
        policy = self._found(request.scope, params)
        if policy.tracks:
            raise rules.invalid("Policies of type TargetTrackingScaling cannot be executed")  # (?)
        value, threshold = params.get("MetricValue"), params.get("BreachThreshold")
        if policy.kind == STEP and (value is None or threshold is None):
            raise rules.invalid("MetricValue and BreachThreshold are required for policies of type StepScaling")  # (?)
        if policy.kind == STEP and params.get("HonorCooldown"):
            raise rules.invalid("HonorCooldown is not supported for policies of type StepScaling")  # (?)
        values = () if value is None else (float(value),)
        signal = Signal(values, threshold, 60.0, rising=threshold is None or value is None or value >= threshold)
        await self.scaling.execute(request.scope, policy, signal, bool(params.get("HonorCooldown")))


def page(items: list[Any], params: Params, most: int) -> tuple[list[Any], Params]:
    """One page, and NextToken if there is more. Raises AwsError."""
    token = params.get("NextToken") or "0"
    if not token.isdecimal():
        raise AwsError("InvalidNextToken", "The NextToken value is not valid.")  # (?)
    start, size = int(token), params.get("MaxRecords") or most
    return items[start : start + size], {"NextToken": str(start + size)} if len(items) > start + size else {}


def _alarm(scope: Scope, name: str) -> dict[str, str]:
    return {"AlarmName": name, "AlarmARN": f"arn:aws:cloudwatch:{scope.region}:{scope.account}:alarm:{name}"}
