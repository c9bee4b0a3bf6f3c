"""The two alarms of a target-tracking policy, as PutMetricAlarm takes them. Pure.

Source: such alarms as DescribeAlarms shows them: 3 minutes above the target, 15 minutes below 90% of it.
"""

from __future__ import annotations

from typing import Any

from drydock.services.application_autoscaling.checks import ALB, MEMORY, parts_of_label
from drydock.services.application_autoscaling.rules import LOW_SHARE

Params = dict[str, Any]
PERIOD = 60
HIGH_PERIODS, LOW_PERIODS = 3, 15
MANAGED = "AWS/ECS/ManagedScaling"
"""Of the metric by which ECS has groups scaled: a minute above the target is enough, and any value below it is low (?)"""
HIGH, LOW = "AlarmHigh", "AlarmLow"


def low_threshold(target: float, namespace: str = "") -> float:
    """Below it a policy scales in; one that ECS has made, as soon as an instance is free."""
    return float(target) if namespace == MANAGED else round(target * LOW_SHARE, 10)


def dimensions(names: Params) -> list[dict[str, str]]:
    """As CloudWatch takes them."""
    return [{"Name": name, "Value": value} for name, value in names.items()]


def predefined(given: Params, cluster: str, service: str) -> Params:
    """The metric of a predefined type."""
    kind = given["PredefinedMetricType"]
    if kind == ALB:
        balancer, group = parts_of_label(given["ResourceLabel"])
        found = {"LoadBalancer": balancer, "TargetGroup": group}
        return _single("AWS/ApplicationELB", "RequestCountPerTarget", "Sum", found)
    name = "MemoryUtilization" if kind == MEMORY else "CPUUtilization"
    return {
        **_single("AWS/ECS", name, "Average", {"ClusterName": cluster, "ServiceName": service}),
        "Unit": "Percent",
    }


def _single(namespace: str, name: str, statistic: str, names: Params) -> Params:
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Statistic": statistic,
        "Period": PERIOD,
        "Dimensions": dimensions(names),
    }


def customised(given: Params) -> Params:
    """A metric of one's own, or metric math."""
    if "Metrics" in given:
        return {"Metrics": [_query(query) for query in given["Metrics"]]}
    found: Params = {name: given[name] for name in ("Namespace", "MetricName", "Statistic", "Unit") if name in given}
    return {**found, "Dimensions": list(given.get("Dimensions", [])), "Period": given.get("Period", PERIOD)}


def _query(query: Params) -> Params:
    if "MetricStat" not in query:
        return dict(query)
    rest = {name: value for name, value in query.items() if name != "Period"}
    return {**rest, "MetricStat": {"Period": query.get("Period", PERIOD), **query["MetricStat"]}}


def alarms(named: str, metric: Params, target: float, action: str, ids: list[str], scales_in: bool) -> list[Params]:
    """The alarms, the high one first; none below where the policy does not scale in. ``named`` is what is scaled,
    ``ids`` are two UUIDs."""
    managed = metric.get("Namespace") == MANAGED
    base = {
        **metric,
        "ActionsEnabled": True,
        "AlarmActions": [action],
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}.",
    }
    high = {
        **base,
        "AlarmName": f"TargetTracking-{named}-{HIGH}-{ids[0]}",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": float(target),
        "EvaluationPeriods": 1 if managed else HIGH_PERIODS,
    }
    low = {
        **base,
        "AlarmName": f"TargetTracking-{named}-{LOW}-{ids[1]}",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": low_threshold(target, metric.get("Namespace", "")),
        "EvaluationPeriods": LOW_PERIODS,
    }
    return [high, low] if scales_in else [high]
