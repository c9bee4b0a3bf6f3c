"""What the operations check before they change anything. Pure.

The messages are AWS's as others have met them; those marked with (?) say the same in our words.
"""

from __future__ import annotations

import re
from typing import Any

from drydock import botocore_models
from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.application_autoscaling import schedules, steps
from drydock.services.application_autoscaling.errors import invalid
from drydock.services.application_autoscaling.model import DESIRED_COUNT, ECS

Params = dict[str, Any]
SERVICE = "application-autoscaling"
CPU, MEMORY, ALB = (
    "ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization", "ALBRequestCountPerTarget",
)  # fmt: skip
STATISTICS = ("Average", "Minimum", "Maximum", "SampleCount", "Sum")
_RESOURCE = re.compile(r"service/[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}")
_LABEL = re.compile(r"(app/[^/]+/[0-9a-f]+)/(targetgroup/[^/]+/[0-9a-f]+)")
_NAME = re.compile(r"(?! )[^\x00-\x1f\x7f-\x9f:/|]+(?<! )")
_LARGEST_TARGET = 2.0**360


def enum(params: Params, member: str, shape: str) -> None:
    """Raises ValidationException for a value that is none of the model's."""
    value = params.get(member)
    allowed = botocore_models.service_model(SERVICE).shape_for(shape).enum
    if value is not None and value not in allowed:
        where = member[0].lower() + member[1:]
        raise invalid(
            f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: Member must satisfy "
            f"enum value set: [{', '.join(sorted(allowed))}]"
        )


def place(operation: str, params: Params) -> str:
    """The resource id of a request about one scalable target. Raises AwsError; 501 for what is no ECS service."""
    namespace(params)
    if params["ServiceNamespace"] != ECS:
        instead = "Of the scalable resources there are ECS services (namespace ecs)."
        raise NotImplementedByDrydock(SERVICE, operation, instead)
    resource(params["ResourceId"], params["ScalableDimension"])
    return str(params["ResourceId"])


def namespace(params: Params) -> None:
    """Raises ValidationException."""
    enum(params, "ServiceNamespace", "ServiceNamespace")
    enum(params, "ScalableDimension", "ScalableDimension")


def resource(resource_id: str, dimension: str | None) -> None:
    """Raises ValidationException."""
    if dimension not in (None, DESIRED_COUNT) or not _RESOURCE.fullmatch(resource_id):
        raise invalid("Unsupported service namespace, resource type or scalable dimension")


def bounds(least: int | None, most: int | None) -> None:
    """Of a target that is new, or as it will be. Raises ValidationException."""
    if least is None:
        raise invalid("Minimum capacity must be specified")
    if most is None:
        raise invalid("Maximum capacity must be specified")
    if least < 0:
        raise invalid("Minimum capacity cannot be less than 0")
    if most < least:
        raise invalid("Maximum capacity cannot be less than minimum capacity")


def policy(params: Params) -> tuple[str, Params]:
    """The kind and the checked configuration of a policy, defaults filled in. Raises AwsError."""
    kind = params.get("PolicyType")
    enum(params, "PolicyType", "PolicyType")
    given = {
        name: params[f"{name}PolicyConfiguration"]
        for name in ("StepScaling", "TargetTrackingScaling", "PredictiveScaling")
        if params.get(f"{name}PolicyConfiguration") is not None
    }
    if kind is None:
        raise invalid("Policy type must be specified")  # (?)
    if kind == "PredictiveScaling":
        raise NotImplementedByDrydock(
            SERVICE, "PutScalingPolicy", "Use StepScaling or TargetTrackingScaling; nothing is forecast."
        )
    if kind not in given:
        raise invalid(f"{kind} policy configuration must be specified")
    if len(given) > 1:
        raise invalid("Only one policy configuration can be specified, that of the policy type")  # (?)
    return kind, _step(given[kind]) if kind == "StepScaling" else tracking(given[kind])


def _step(given: Params) -> Params:
    enum(given, "AdjustmentType", "AdjustmentType")
    enum(given, "MetricAggregationType", "MetricAggregationType")
    steps.check(given.get("AdjustmentType"), given.get("StepAdjustments", []), given.get("MinAdjustmentMagnitude"))
    _cooldown(given, "Cooldown")
    return dict(given)


def _cooldown(given: Params, member: str) -> None:
    if given.get(member, 0) < 0:
        raise invalid(f"{member} cannot be less than 0")  # (?)


def tracking(given: Params) -> Params:
    """A configuration of target tracking. Raises AwsError."""
    predefined, customized = given.get("PredefinedMetricSpecification"), given.get("CustomizedMetricSpecification")
    if predefined is None and customized is None:
        raise invalid(
            "PredefinedMetricSpecification or CustomizedMetricSpecification must be set for target tracking scaling."
        )
    if predefined is not None and customized is not None:
        raise invalid("Only one of PredefinedMetricSpecification and CustomizedMetricSpecification can be set.")  # (?)
    if not 0 < given["TargetValue"] <= _LARGEST_TARGET:
        raise invalid("Target value must be greater than 0 and at most 2^360")  # (?)
    _cooldown(given, "ScaleOutCooldown")
    _cooldown(given, "ScaleInCooldown")
    if predefined is not None:
        _predefined(predefined)
    if customized is not None:
        customised(customized)
    return {"DisableScaleIn": False, **given}


def _predefined(given: Params) -> None:
    kind, label = given["PredefinedMetricType"], given.get("ResourceLabel")
    enum(given, "PredefinedMetricType", "MetricType")
    if kind in (f"{CPU}HighResolution", f"{MEMORY}HighResolution"):
        instead = f"ECS sends a value each minute: use {kind.removesuffix('HighResolution')}."
        raise NotImplementedByDrydock(SERVICE, "PutScalingPolicy", instead)
    if kind not in (CPU, MEMORY, ALB):
        raise invalid(f"Predefined metric type {kind} is not supported for scalable dimension {DESIRED_COUNT}")  # (?)
    if kind == ALB and not label:
        raise invalid(f"Resource label should be specified for predefined metric type {kind}")
    if kind != ALB and label:
        raise invalid(f"Resource label should not be specified for predefined metric type {kind}")  # (?)
    if kind == ALB:
        parts_of_label(label or "")


def parts_of_label(label: str) -> tuple[str, str]:
    """The load balancer and the target group of a resource label. Raises ValidationException."""
    found = _LABEL.fullmatch(label)
    if found is None:
        raise invalid(
            f"Resource label {label} is not valid. It has the format app/<load-balancer-name>/<load-balancer-id>/"
            "targetgroup/<target-group-name>/<target-group-id>"
        )  # (?)
    return found[1], found[2]


def customised(given: Params, code: str = "ValidationException") -> None:
    """A metric of one's own, or metric math. Raises AwsError."""
    single = [name for name in ("MetricName", "Namespace", "Statistic", "Dimensions", "Unit") if name in given]
    queries = given.get("Metrics")
    if queries is not None:
        returning = [query for query in queries if query.get("ReturnData", True)]
        formed = all(("Expression" in query) != ("MetricStat" in query) for query in queries)
        if single or len(returning) != 1 or not formed:
            raise AwsError(code, "The customized metric specification is not valid.")
        return
    if not {"MetricName", "Namespace", "Statistic"} <= set(single) or given["Statistic"] not in STATISTICS:
        raise AwsError(code, "The customized metric specification is not valid.")


def metric_of(configuration: Params) -> Any:
    """What a policy of target tracking looks at; two of one target must not look at the same."""
    return configuration.get("PredefinedMetricSpecification") or configuration.get("CustomizedMetricSpecification")


def scheduled(params: Params) -> None:
    """Of PutScheduledAction, as the action will be. Raises ValidationException."""
    if not _NAME.fullmatch(params["ScheduledActionName"]):
        raise invalid(
            f"1 validation error detected: Value '{params['ScheduledActionName']}' at 'scheduledActionName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: "
            r"(?!((^[ ]+.*)|(.*([\u0000-\u001f]|[\u007f-\u009f]|[:/|])+.*)|(.*[ ]+$))).+"
        )
    if not params.get("Schedule"):
        raise invalid("Schedule must be set")  # (?)
    schedules.parse(params["Schedule"], params.get("Timezone") or "UTC")
    action = params.get("ScalableTargetAction")
    if action is None:
        raise invalid("ScalableTargetAction must be set")
    least, most = action.get("MinCapacity"), action.get("MaxCapacity")
    if least is None and most is None:
        raise invalid("At least one of minimum capacity and maximum capacity should be provided")
    bounds(0 if least is None else least, max(least or 0, 0) if most is None else most)
    start, end = params.get("StartTime"), params.get("EndTime")
    if start is not None and end is not None and start >= end:
        raise invalid("StartTime must be before EndTime")


def tags(given: dict[str, str], held: dict[str, str]) -> dict[str, str]:
    """All that there will be. Raises AwsError."""
    for key in given:
        if key.lower().startswith("aws:"):
            raise invalid("Tag keys starting with aws: are reserved for system use")  # (?)
    together = {**held, **given}
    if len(together) > 50:
        raise AwsError("TooManyTagsException", "The number of tags exceeds the limit of 50.")  # (?)
    return together
