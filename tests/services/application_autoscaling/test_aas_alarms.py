"""The loop as a whole: a metric, an alarm, a policy, tasks; with CloudWatch's own alarms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator_process import wait_until
from tests.services.application_autoscaling.test_aas_operations import PLACE, STEPS, WEB, refused
from tests.services.ecs.yard import Yard

Aws = Callable[..., Any]
LOAD = {"Namespace": "App", "MetricName": "Load", "Statistic": "Average"}


class Loop:
    """A service of one task, scaled between 1 and 4."""

    def __init__(self, aws: Aws, yard: Yard) -> None:
        self.aas, self.cw, self.yard = aws("application-autoscaling"), aws("cloudwatch"), yard
        yard.create(yard.sleeper()[0], 1)
        yard.steady(running=1)
        self.aas.register_scalable_target(**PLACE, MinCapacity=1, MaxCapacity=4)

    def put(self, name: str, kind: str, configuration: dict[str, Any]) -> Any:
        return self.aas.put_scaling_policy(
            **PLACE, PolicyName=name, PolicyType=kind, **{f"{kind}PolicyConfiguration": configuration}
        )

    def measured(self, value: float, condition: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
        """The service when the condition holds, while the metric has a value."""
        last: dict[str, Any] = {}

        def there() -> Any:
            self.cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Load", "Value": value}])
            last.update(self.yard.service())
            return condition(last)

        wait_until(there, what, lambda: (last, self.activities(), self.cw.describe_alarms()), patience=60)
        return last

    def activities(self) -> list[dict[str, Any]]:
        return list(self.aas.describe_scaling_activities(ServiceNamespace="ecs", ResourceId=WEB)["ScalingActivities"])


@pytest.fixture
def loop(aws: Aws, yard: Yard) -> Loop:
    return Loop(aws, yard)


def test_a_step_policy_by_an_alarm_of_ones_own(loop: Loop) -> None:
    arn = loop.put("out", "StepScaling", STEPS)["PolicyARN"]
    loop.cw.put_metric_alarm(AlarmName="busy", **LOAD, Period=60, EvaluationPeriods=1, Threshold=70.0,
                             ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn])  # fmt: skip
    (policy,) = loop.aas.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    assert [alarm["AlarmName"] for alarm in policy["Alarms"]] == ["busy"]
    loop.measured(90.0, lambda service: service["runningCount"] >= 2, "a second task runs")
    cause = "monitor alarm busy in state ALARM triggered policy out"
    assert loop.activities()[-1]["Cause"] == cause
    loop.aas.delete_scaling_policy(**PLACE, PolicyName="out")
    assert loop.cw.describe_alarms()["MetricAlarms"], "the alarm is not the policy's"


def test_target_tracking_out_and_in_again(loop: Loop) -> None:
    metric = {"CustomizedMetricSpecification": {**LOAD}}
    made = loop.put("track", "TargetTrackingScaling", {"TargetValue": 50.0, "ScaleInCooldown": 30, **metric})
    high, low = (alarm["AlarmName"] for alarm in made["Alarms"])
    found = {alarm["AlarmName"]: alarm for alarm in loop.cw.describe_alarms()["MetricAlarms"]}
    assert (found[high]["Threshold"], found[low]["Threshold"]) == (50.0, 45.0)
    assert found[high]["AlarmActions"] == found[low]["AlarmActions"]
    loop.measured(100.0, lambda service: service["runningCount"] >= 2, "twice the target needs two tasks")
    loop.measured(5.0, lambda service: service["desiredCount"] == 1, "and little load one")
    loop.yard.steady(running=1)
    causes = [one["Cause"] for one in loop.activities()]
    assert causes[-1] == f"monitor alarm {high} in state ALARM triggered policy track"
    assert causes[0] == f"monitor alarm {low} in state ALARM triggered policy track"
    loop.aas.deregister_scalable_target(**PLACE)
    assert loop.cw.describe_alarms()["MetricAlarms"] == []


def test_what_cloudwatch_refuses_leaves_nothing(loop: Loop) -> None:
    metric = {"CustomizedMetricSpecification": {**LOAD, "Unit": "Bananas"}}
    given = {"PolicyType": "TargetTrackingScaling",
             "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 5.0, **metric}}  # fmt: skip
    code, _ = refused(loop.aas.put_scaling_policy, **PLACE, PolicyName="fruit", **given)
    assert code == "FailedResourceAccessException"
    assert loop.cw.describe_alarms()["MetricAlarms"] == []
    assert loop.aas.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []


def test_metric_math(loop: Loop) -> None:
    stat = {"Metric": {"Namespace": "App", "MetricName": "Load"}, "Stat": "p90"}
    queries = [
        {"Id": "load", "MetricStat": stat, "ReturnData": False},
        {"Id": "half", "Expression": "load / 2", "Label": "half of it"},
    ]
    made = loop.put(
        "half", "TargetTrackingScaling", {"TargetValue": 50.0, "CustomizedMetricSpecification": {"Metrics": queries}}
    )
    found = loop.cw.describe_alarms(AlarmNames=[made["Alarms"][0]["AlarmName"]])["MetricAlarms"][0]
    asked = {one["Id"]: one for one in found["Metrics"]}
    assert (asked["load"]["MetricStat"]["Stat"], asked["load"]["MetricStat"]["Period"]) == ("p90", 60)
    assert asked["half"]["Expression"] == "load / 2"
    loop.measured(200.0, lambda service: service["desiredCount"] == 2, "twice the target needs two tasks")
