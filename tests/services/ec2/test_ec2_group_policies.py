"""Scaling policies and scheduled actions of Auto Scaling groups: alarms and people trigger them, and activities tell so."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ec2.test_ec2_groups import Fleet
from tests.services.ec2.yard import Yard
from tests.services.ecs.yard import refused

LOAD = {"Namespace": "App", "MetricName": "Load", "Statistic": "Average"}
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
GROUP = {"AutoScalingGroupName": "fleet"}
STEPS = {"PolicyType": "StepScaling", "AdjustmentType": "ChangeInCapacity", "EstimatedInstanceWarmup": 60,
         "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 20.0, "ScalingAdjustment": 1},
                             {"MetricIntervalLowerBound": 20.0, "ScalingAdjustment": 2}]}  # fmt: skip
TRACK: dict[str, Any] = {"PolicyType": "TargetTrackingScaling", "TargetTrackingConfiguration": {
    "TargetValue": 50.0, "CustomizedMetricSpecification": {**LOAD}}}  # fmt: skip


@pytest.fixture
def fleet(yard: Yard) -> Fleet:
    return Fleet(yard)


def desired(fleet: Fleet) -> int:
    found = fleet.api.describe_auto_scaling_groups(AutoScalingGroupNames=["fleet"])["AutoScalingGroups"][0]
    return int(found["DesiredCapacity"])


def measured(fleet: Fleet, value: float, wanted: int) -> None:
    """Returns when the group has so many instances in service, while the metric has a value."""
    cw = fleet.yard.aws("cloudwatch")

    def there() -> bool:
        cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Load", "Value": value}])
        return len(fleet.members()) == wanted and desired(fleet) == wanted

    wait_until(there, f"{wanted} instances", lambda: f"{fleet.activities()}\n{cw.describe_alarms()}", patience=60)


def test_a_step_policy_by_an_alarm(fleet: Fleet, yard: Yard) -> None:
    fleet.create(DesiredCapacity=0)
    arn = fleet.api.put_scaling_policy(**GROUP, PolicyName="out", **STEPS)["PolicyARN"]
    assert re.fullmatch(
        r"arn:aws:autoscaling:us-east-1:\d{12}:scalingPolicy:[0-9a-f-]{36}:autoScalingGroupName/fleet:policyName/out",
        arn,
    )
    yard.aws("cloudwatch").put_metric_alarm(AlarmName="busy", **LOAD, Period=60, EvaluationPeriods=1, Threshold=70.0,
                                            ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn])  # fmt: skip
    (policy,) = fleet.api.describe_policies(**GROUP)["ScalingPolicies"]
    assert [alarm["AlarmName"] for alarm in policy["Alarms"]] == ["busy"]
    assert (policy["EstimatedInstanceWarmup"], policy["StepAdjustments"]) == (60, STEPS["StepAdjustments"])
    measured(fleet, 95.0, 2)
    cause = fleet.cause("Launching a new EC2 instance")
    assert re.fullmatch(
        rf"At {STAMP} a monitor alarm busy in state ALARM triggered policy out changing the desired capacity from 0 to 2\.  "
        rf"At {STAMP} an instance was started in response to a difference between desired and actual capacity, increasing "
        r"the capacity from 0 to 2\.",
        cause,
    ), cause


def test_target_tracking_out_and_in_and_its_alarms_go_with_the_group(fleet: Fleet, yard: Yard) -> None:
    cw = yard.aws("cloudwatch")
    fleet.create(DesiredCapacity=1, DefaultCooldown=30)
    fleet.in_service(1)
    made = fleet.api.put_scaling_policy(**GROUP, PolicyName="track", **TRACK)
    high, low = (alarm["AlarmName"] for alarm in made["Alarms"])
    assert high.startswith("TargetTracking-fleet-AlarmHigh-")
    alarms = {alarm["AlarmName"]: alarm for alarm in cw.describe_alarms()["MetricAlarms"]}
    assert (alarms[high]["Threshold"], alarms[low]["Threshold"]) == (50.0, 45.0)
    assert alarms[low]["AlarmActions"] == [made["PolicyARN"]]
    measured(fleet, 100.0, 2)
    measured(fleet, 1.0, 1)
    cause = fleet.cause("Terminating EC2 instance")
    assert (
        f"a monitor alarm {low} in state ALARM triggered policy track changing the desired capacity from 2 to 1."
        in cause
    )
    fleet.api.delete_auto_scaling_group(**GROUP, ForceDelete=True)
    wait_until(lambda: not cw.describe_alarms()["MetricAlarms"], "the alarms have gone")
    assert fleet.api.describe_policies()["ScalingPolicies"] == []


def test_simple_policies_are_executed_and_honour_their_cooldown(fleet: Fleet) -> None:
    fleet.create(DesiredCapacity=0)
    fleet.api.put_scaling_policy(**GROUP, PolicyName="one", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1,
                                 Cooldown=86400)  # fmt: skip
    fleet.api.execute_policy(**GROUP, PolicyName="one")
    fleet.in_service(1)
    assert "a user request executed policy one changing the desired capacity from 0 to 1." in fleet.cause("Launching")
    assert refused(fleet.api.execute_policy, **GROUP, PolicyName="one", HonorCooldown=True)[0] == (
        "ScalingActivityInProgress"
    )
    assert desired(fleet) == 1
    fleet.api.execute_policy(**GROUP, PolicyName="one")
    assert desired(fleet) == 2
    fleet.api.put_scaling_policy(**GROUP, PolicyName="none", AdjustmentType="ExactCapacity", ScalingAdjustment=0)
    fleet.api.execute_policy(**GROUP, PolicyName="none")
    assert desired(fleet) == 0


def test_a_step_policy_is_executed_for_a_value(fleet: Fleet) -> None:
    fleet.create(DesiredCapacity=0)
    fleet.api.put_scaling_policy(**GROUP, PolicyName="out", **STEPS)
    assert refused(fleet.api.execute_policy, **GROUP, PolicyName="out")[0] == "ValidationError"
    fleet.api.execute_policy(**GROUP, PolicyName="out", MetricValue=75.0, BreachThreshold=70.0)
    assert desired(fleet) == 1
    fleet.api.execute_policy(**GROUP, PolicyName="out", MetricValue=75.0, BreachThreshold=70.0)
    assert desired(fleet) == 1, "the instance that warms up counts"
    fleet.api.execute_policy(**GROUP, PolicyName="out", MetricValue=95.0, BreachThreshold=70.0)
    assert desired(fleet) == 2, "a larger breach adds the difference"


def test_scheduled_actions_run_in_lab_time(fleet: Fleet, emulator: EmulatorProcess, account: str) -> None:
    fleet.create(DesiredCapacity=0)
    now = datetime.fromtimestamp(emulator.get(f"/_drydock/clock?account={account}")["now"], UTC)
    fleet.api.put_scheduled_update_group_action(**GROUP, ScheduledActionName="once", MinSize=1, MaxSize=3,
                                                DesiredCapacity=1, StartTime=now + timedelta(days=2))  # fmt: skip
    fleet.api.put_scheduled_update_group_action(**GROUP, ScheduledActionName="nights", MinSize=0, MaxSize=4,
                                                Recurrence="0 22 * * *", TimeZone="Europe/Berlin")  # fmt: skip
    found = {one["ScheduledActionName"]: one for one in fleet.api.describe_scheduled_actions(**GROUP)[
        "ScheduledUpdateGroupActions"]}  # fmt: skip
    assert set(found) == {"once", "nights"}
    assert found["nights"]["Recurrence"] == "0 22 * * *"
    emulator.get("/_drydock/clock", {"account": account, "advance": 2 * 86400 + 60})
    fleet.in_service(1)
    cause = fleet.cause("Launching")
    assert re.match(rf"At {STAMP} a scheduled action update of AutoScalingGroup constraints to min: 1, max: 3, desired: 1 "
                    r"changing the desired capacity from 0 to 1\.  At ", cause), cause  # fmt: skip
    left = fleet.api.describe_scheduled_actions(**GROUP)["ScheduledUpdateGroupActions"]
    assert [one["ScheduledActionName"] for one in left] == ["nights"], "what runs once goes"
    fleet.api.delete_scheduled_action(**GROUP, ScheduledActionName="nights")
    assert refused(fleet.api.delete_scheduled_action, **GROUP, ScheduledActionName="nights")[0] == "ValidationError"


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"PolicyType": "PredictiveScaling"}, "NotImplemented", "Drydock does not implement"),
        ({"PolicyType": "Other"}, "ValidationError", "Invalid PolicyType"),
        ({"AdjustmentType": "ChangeInCapacity"}, "ValidationError", "You must specify"),
        ({"PolicyType": "StepScaling", "AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 1}, "ValidationError",
         "ScalingAdjustment is not supported"),
        ({**STEPS, "StepAdjustments": [{"ScalingAdjustment": 1}]}, "ValidationError", "Both lower and upper bounds"),
        ({"PolicyType": "TargetTrackingScaling"}, "ValidationError", "TargetTrackingConfiguration must be"),
        ({"PolicyType": "TargetTrackingScaling", "TargetTrackingConfiguration": {
            "TargetValue": 5.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageNetworkIn"}}},
         "NotImplemented", "Drydock does not implement"),
        ({"PolicyType": "TargetTrackingScaling", "TargetTrackingConfiguration": {
            "TargetValue": 5.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "Mood"}}},
         "ValidationError", "1 validation error detected: Value 'Mood' at 'targetTrackingConfiguration."),
    ],
)  # fmt: skip
def test_policies_that_are_refused(fleet: Fleet, given: dict[str, Any], code: str, message: str) -> None:
    fleet.create(DesiredCapacity=0)
    found = refused(fleet.api.put_scaling_policy, **GROUP, PolicyName="p", **given)
    assert (found[0], found[1][: len(message)]) == (code, message)
    assert fleet.api.describe_policies()["ScalingPolicies"] == []


@pytest.mark.parametrize(
    "given",
    [{}, {"MinSize": 1}, {"Recurrence": "0 0 0 * * *", "MinSize": 1}, {"Recurrence": "0 0 * * *"},
     {"Recurrence": "0 0 * * *", "MinSize": 3, "MaxSize": 1}, {"StartTime": datetime(2020, 1, 1, tzinfo=UTC), "MinSize": 1},
     {"Recurrence": "0 0 * * *", "MinSize": 1, "TimeZone": "Mars/Olympus"}],
)  # fmt: skip
def test_scheduled_actions_that_are_refused(fleet: Fleet, given: dict[str, Any]) -> None:
    fleet.create(DesiredCapacity=0)
    call = fleet.api.put_scheduled_update_group_action
    assert refused(call, **GROUP, ScheduledActionName="s", **given)[0] == "ValidationError"
    assert fleet.api.describe_scheduled_actions()["ScheduledUpdateGroupActions"] == []


def test_a_group_that_is_not_there(fleet: Fleet) -> None:
    code, message = refused(fleet.api.put_scaling_policy, **GROUP, PolicyName="out", **STEPS)
    assert (code, "AutoScalingGroup 'fleet' not found" in message) == ("ValidationError", True)
    assert refused(fleet.api.execute_policy, **GROUP, PolicyName="out")[0] == "ValidationError"
