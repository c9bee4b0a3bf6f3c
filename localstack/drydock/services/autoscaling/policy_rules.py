"""What a group's policies and scheduled actions are checked for, and what is still in effect of the last scaling. Pure.

Sources: API reference of PutScalingPolicy, ExecutePolicy and PutScheduledUpdateGroupAction; Amazon EC2 Auto Scaling User Guide,
"Step and simple scaling policies", "Scaling cooldowns", "Set the default instance warmup". (?) marks our own words.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drydock import durations
from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.application_autoscaling import checks, cron, schedules, steps, tracking
from drydock.services.autoscaling.policy_model import SIMPLE, STEP, TRACK, GroupSchedule, ScalingState
from drydock.services.autoscaling.rules import ALIVE, stamp

Params = dict[str, Any]
INVALID = "ValidationError"
ALL_ALIKE = ("AutoScalingGroupName", "PolicyName", "PolicyType", "Enabled", "EstimatedInstanceWarmup")
OF_KIND = {
    SIMPLE: ("AdjustmentType", "ScalingAdjustment", "Cooldown", "MinAdjustmentStep", "MinAdjustmentMagnitude"),
    STEP: ("AdjustmentType", "StepAdjustments", "MinAdjustmentStep", "MinAdjustmentMagnitude", "MetricAggregationType"),
    TRACK: ("TargetTrackingConfiguration",),
}
CPU = "ASGAverageCPUUtilization"
PREDEFINED = (
    CPU, "ASGAverageCPUUtilizationHighResolution", "ASGAverageNetworkIn", "ASGAverageNetworkOut", "ALBRequestCountPerTarget",
)  # fmt: skip


def invalid(message: str) -> AwsError:
    """ValidationError."""
    return AwsError(INVALID, message)


def policy(params: Params) -> tuple[str, Params]:
    """The kind and the configuration of a policy. Raises AwsError."""
    kind = params.get("PolicyType") or SIMPLE
    if kind == "PredictiveScaling":
        raise NotImplementedByDrydock(
            "autoscaling", "PutScalingPolicy", "Use StepScaling or TargetTrackingScaling; nothing is forecast."
        )
    if kind not in OF_KIND:
        raise invalid(f"Invalid PolicyType: {kind}")  # (?)
    for member in params:
        if member not in (*ALL_ALIKE, *OF_KIND[kind]) or (kind == SIMPLE and member == "EstimatedInstanceWarmup"):
            raise invalid(f"{member} is not supported for policy type {kind}")  # (?)
    if params.get("EstimatedInstanceWarmup", 0) < 0 or params.get("Cooldown", 0) < 0:
        raise invalid("Cooldown and EstimatedInstanceWarmup cannot be negative")  # (?)
    given = {name: params[name] for name in OF_KIND[kind] if name in params}
    if kind == TRACK:
        return kind, _tracking(given.get("TargetTrackingConfiguration"))
    if given.get("AdjustmentType", steps.CHANGE) not in steps.ADJUSTMENT_TYPES:
        raise invalid(f"Invalid AdjustmentType: {given['AdjustmentType']}")  # (?)
    if kind == STEP:
        steps.check(given.get("AdjustmentType"), given.get("StepAdjustments", []), least(given), INVALID)
        return kind, {"MetricAggregationType": "Average", **given}
    if not given.get("AdjustmentType") or given.get("ScalingAdjustment") is None:
        raise invalid(
            "You must specify an AdjustmentType and a ScalingAdjustment for policy type: SimpleScaling"
        )  # (?)
    if given["AdjustmentType"] == steps.EXACT and given["ScalingAdjustment"] < 0:
        raise invalid("Scaling adjustment cannot be less than 0 when adjustment type is ExactCapacity")
    return kind, given


def least(given: Params) -> int | None:
    """MinAdjustmentMagnitude; MinAdjustmentStep is its old name."""
    found: int | None = given.get("MinAdjustmentMagnitude", given.get("MinAdjustmentStep"))
    return found


def _tracking(given: Params | None) -> Params:
    if given is None:
        raise invalid("TargetTrackingConfiguration must be specified for policy type: TargetTrackingScaling")  # (?)
    predefined, customized = given.get("PredefinedMetricSpecification"), given.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        raise invalid(
            "One of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified."
        )  # (?)
    if given["TargetValue"] <= 0:
        raise invalid("Target value must be greater than 0")  # (?)
    if predefined is not None and predefined["PredefinedMetricType"] != CPU:
        if predefined["PredefinedMetricType"] not in PREDEFINED:
            raise invalid(
                f"1 validation error detected: Value '{predefined['PredefinedMetricType']}' at 'targetTrackingConfiguration."
                "predefinedMetricSpecification.predefinedMetricType' failed to satisfy constraint: Member must satisfy enum "
                f"value set: [{', '.join(PREDEFINED)}]"
            )
        instead = f"Use {CPU}, or a metric of your own as CustomizedMetricSpecification."
        raise NotImplementedByDrydock("autoscaling", "PutScalingPolicy", instead)
    if predefined is not None and predefined.get("ResourceLabel"):
        raise invalid(f"Resource label should not be specified for predefined metric type {CPU}")  # (?)
    if customized is not None:
        checks.customised({name: value for name, value in customized.items() if name != "Period"}, INVALID)
    return {"DisableScaleIn": False, **given}


def metric_of(configuration: Params, group: str) -> Params:
    """What the alarms of target tracking look at."""
    if "CustomizedMetricSpecification" in configuration:
        return tracking.customised(configuration["CustomizedMetricSpecification"])
    return {
        "Namespace": "AWS/EC2",
        "MetricName": "CPUUtilization",
        "Statistic": "Average",
        "Period": tracking.PERIOD,
        "Dimensions": tracking.dimensions({"AutoScalingGroupName": group}),
    }


def settled(facts: Params) -> float | None:
    """When the newest of a group's instances came into service; None while it has too few or too many, or some pending."""
    alive = [member for member in facts["members"] if member["lifecycle"] in ALIVE]
    if len(alive) != facts["desired"] or any(member["lifecycle"] != "InService" for member in alive):
        return None
    return max((member["launched"] + durations.EC2_PENDING for member in alive), default=0.0)


def in_effect(state: ScalingState, facts: Params, now: float) -> ScalingState:
    """Of the last scaling, what has an effect still: instances that warm up, a simple policy's cooldown."""
    since = settled(facts)
    cooldowns = state.cooldowns
    if since is not None and cooldowns.out_base is not None and cooldowns.out_until is None:
        cooldowns = cooldowns.completed(max(since, state.began), state.warmup)
    cooldowns = cooldowns.at(now)
    simple = state.simple_at
    if simple is not None and since is not None and max(simple, since) + state.cooldown <= now:
        simple = None
    return ScalingState(cooldowns, state.began, state.warmup, simple, state.cooldown)


def schedule(params: Params, now: float) -> None:
    """Of PutScheduledUpdateGroupAction. Raises ValidationError."""
    sizes = [params.get(name) for name in ("MinSize", "MaxSize", "DesiredCapacity")]
    if all(size is None for size in sizes):
        raise invalid("At least one of minSize, maxSize, or desiredCapacity must be specified.")  # (?)
    low, high, desired = sizes
    if low is not None and high is not None and low > high:
        raise invalid(f"Max bound, {high}, must be greater than or equal to min bound, {low}")
    if desired is not None and not (low or 0) <= desired <= (desired if high is None else high):
        raise invalid(f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}")
    start, end, recurrence = params.get("StartTime"), params.get("EndTime"), params.get("Recurrence")
    if start is None and not recurrence:
        raise invalid("Start Time or Recurrence must be specified")  # (?)
    if start is not None and start.timestamp() < now:
        raise invalid("Given start time is in the past")  # (?)
    if start is not None and end is not None and end <= start:
        raise invalid("End time must be after start time")  # (?)
    if recurrence:
        try:
            cron.unix(recurrence)
        except ValueError:
            raise invalid(f"Given recurrence string:{recurrence} is invalid") from None  # (?)
    if params.get("TimeZone"):
        try:
            schedules.time_zone(params["TimeZone"])
        except AwsError as error:
            raise invalid(error.message) from None


def next_run(one: GroupSchedule) -> float | None:
    """After what has been done; None if it does not run any more."""
    if not one.recurrence:
        return one.start if one.start is not None and one.start > one.done else None
    after = max(one.done, one.start - 1 if one.start is not None else one.done)
    found = schedules.next_of(cron.unix(one.recurrence), after, schedules.time_zone(one.timezone or "UTC"))
    return None if found is None or (one.end is not None and found > one.end) else found


def told_of_alarm(alarm: str, state: str, name: str, before: int, after: int, at: float) -> str:
    """The sentence of an activity's cause."""
    return (
        f"At {stamp(at)} a monitor alarm {alarm} in state {state} triggered policy {name} changing the desired capacity "
        f"from {before} to {after}.  "
    )


def told_of_user(name: str, before: int, after: int, at: float) -> str:
    """ExecutePolicy's."""
    return f"At {stamp(at)} a user request executed policy {name} changing the desired capacity from {before} to {after}.  "


def told_of_schedule(sizes: Params, before: int, at: float) -> str:
    """A scheduled action's; ``sizes`` are the group's as they will be."""
    now = f"min: {sizes['MinSize']}, max: {sizes['MaxSize']}, desired: {sizes['DesiredCapacity']}"
    return (
        f"At {stamp(at)} a scheduled action update of AutoScalingGroup constraints to {now} changing the desired capacity "
        f"from {before} to {sizes['DesiredCapacity']}.  "
    )


def seconds(moment: datetime | None) -> float | None:
    """Of a parameter."""
    return None if moment is None else moment.timestamp()
