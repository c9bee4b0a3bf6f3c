"""Scalable targets and scaling policies in stacks; the service is made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess
from tests.services.cloudformation.conftest import Stacks
from tests.services.ecs.yard import Yard

WEB = "service/yard/web"


def template(most: int = 4, target: float = 50.0, action: str = "night") -> dict[str, Any]:
    """A target with a scheduled action, a policy that names it, and one that names the service."""
    place = {"ServiceNamespace": "ecs", "ResourceId": WEB, "ScalableDimension": "ecs:service:DesiredCount"}
    step = {"MetricIntervalLowerBound": "0", "ScalingAdjustment": "2"}
    return {
        "Resources": {
            "Target": {
                "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                "Properties": {
                    **place,
                    "MinCapacity": "0",
                    "MaxCapacity": most,
                    "ScheduledActions": [
                        {
                            "ScheduledActionName": action,
                            "Schedule": "cron(0 22 * * ? *)",
                            "StartTime": "2030-01-01T00:00:00Z",
                            "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": "1"},
                        }
                    ],
                },
            },
            "Track": {
                "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                "Properties": {
                    "PolicyName": "track",
                    "PolicyType": "TargetTrackingScaling",
                    "ScalingTargetId": {"Ref": "Target"},
                    "TargetTrackingScalingPolicyConfiguration": {
                        "TargetValue": target,
                        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                    },
                },
            },
            "Out": {
                "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                "DependsOn": "Target",
                "Properties": {
                    "PolicyName": "out",
                    "PolicyType": "StepScaling",
                    **place,
                    "StepScalingPolicyConfiguration": {
                        "AdjustmentType": "ChangeInCapacity",
                        "Cooldown": 60,
                        "StepAdjustments": [step],
                    },
                },
            },
            "Busy": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Value": {"Fn::Sub": "${Out} ${Track.Arn} ${Target}"}, "Name": "told"},
            },
        }
    }


@pytest.fixture
def yard(aws: Any, account: str) -> Yard:
    found = Yard(aws, account)
    found.create(found.sleeper()[0], 0)
    return found


def test_scaling_in_a_stack(stacks: Stacks, yard: Yard, aws: Any) -> None:
    aas, cw = aws("application-autoscaling"), aws("cloudwatch")
    stacks.create("scaling", template(), Tags=[{"Key": "team", "Value": "a"}])
    (target,) = aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 4)
    assert aas.list_tags_for_resource(ResourceARN=target["ScalableTargetARN"])["Tags"] == {"team": "a"}
    policies = {
        one["PolicyName"]: one for one in aas.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    }
    told = aws("ssm").get_parameter(Name="told")["Parameter"]["Value"]
    assert told == " ".join(
        [policies["out"]["PolicyARN"], policies["track"]["PolicyARN"], f"{WEB}|ecs:service:DesiredCount|ecs"]
    )
    assert sorted(alarm["Threshold"] for alarm in cw.describe_alarms()["MetricAlarms"]) == [45.0, 50.0]
    stacks.update("scaling", template(most=6, target=70.0, action="evening"))
    (target,) = aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert target["MaxCapacity"] == 6
    (action,) = aas.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    assert (action["ScheduledActionName"], action["StartTime"].year) == ("evening", 2030)
    assert sorted(alarm["Threshold"] for alarm in cw.describe_alarms()["MetricAlarms"]) == [63.0, 70.0]
    stacks.delete("scaling")
    assert aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert cw.describe_alarms()["MetricAlarms"] == []


def test_a_bad_value_fails_its_resource_and_the_stack_goes_back(stacks: Stacks, yard: Yard, aws: Any) -> None:
    wrong = template()
    wrong["Resources"]["Out"]["Properties"]["StepScalingPolicyConfiguration"]["StepAdjustments"][0] = {
        "ScalingAdjustment": 1
    }
    stacks.create("wrong", wrong, expect="ROLLBACK_COMPLETE")
    assert "Both lower and upper bounds of a step adjustment cannot be left unspecified" in "\n".join(
        stacks.story("wrong")
    )
    assert aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert aws("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_policies_and_schedules_of_a_group(stacks: Stacks, aws: Any, emulator: EmulatorProcess) -> None:
    if emulator.get("/_drydock/status")["runtime"]["tier"] != "namespaces":
        pytest.skip("instances are made in the namespaces tier only")
    image = "{{resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id}}"
    step = {"MetricIntervalLowerBound": "0", "ScalingAdjustment": "1"}

    def group(cooldown: str, target: float) -> dict[str, Any]:
        of_group = {"AutoScalingGroupName": {"Ref": "Group"}}
        tracking = {
            "TargetValue": target,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        }
        sizes = {"MinSize": "0", "MaxSize": "3", "DesiredCapacity": "0"}
        template = {
            "LaunchTemplateId": {"Ref": "Template"},
            "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
        }
        return {
            "Resources": {
                "Template": {
                    "Type": "AWS::EC2::LaunchTemplate",
                    "Properties": {"LaunchTemplateData": {"ImageId": image, "InstanceType": "t3.micro"}},
                },
                "Group": {
                    "Type": "AWS::AutoScaling::AutoScalingGroup",
                    "Properties": {**sizes, "AvailabilityZones": {"Fn::GetAZs": ""}, "LaunchTemplate": template},
                },
                "Simple": {
                    "Type": "AWS::AutoScaling::ScalingPolicy",
                    "Properties": {**of_group, "AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 1,
                                   "Cooldown": cooldown},
                },
                "Step": {
                    "Type": "AWS::AutoScaling::ScalingPolicy",
                    "Properties": {**of_group, "PolicyType": "StepScaling", "AdjustmentType": "ChangeInCapacity",
                                   "StepAdjustments": [step]},
                },
                "Track": {
                    "Type": "AWS::AutoScaling::ScalingPolicy",
                    "Properties": {**of_group, "PolicyType": "TargetTrackingScaling",
                                   "TargetTrackingConfiguration": tracking},
                },
                "Nights": {
                    "Type": "AWS::AutoScaling::ScheduledAction",
                    "Properties": {**of_group, "Recurrence": "0 22 * * *", "MaxSize": 1,
                                   "EndTime": "2040-01-01T00:00:00Z"},
                },
            },
            "Outputs": {"Track": {"Value": {"Ref": "Track"}}, "Nights": {"Value": {"Ref": "Nights"}}},
        }  # fmt: skip

    api, cw = aws("autoscaling"), aws("cloudwatch")
    made = stacks.create("group", group("60", 40.0))
    told = {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}
    policies = {one["PolicyType"]: one for one in api.describe_policies()["ScalingPolicies"]}
    assert policies["SimpleScaling"]["Cooldown"] == 60
    assert policies["TargetTrackingScaling"]["PolicyARN"] == told["Track"]
    assert policies["StepScaling"]["StepAdjustments"][0]["ScalingAdjustment"] == 1
    assert sorted(alarm["Threshold"] for alarm in cw.describe_alarms()["MetricAlarms"]) == [36.0, 40.0]
    (action,) = api.describe_scheduled_actions()["ScheduledUpdateGroupActions"]
    assert (action["ScheduledActionName"], action["MaxSize"], action["EndTime"].year) == (told["Nights"], 1, 2040)
    stacks.update("group", group("90", 50.0))
    again = {one["PolicyType"]: one for one in api.describe_policies()["ScalingPolicies"]}
    assert again["SimpleScaling"]["Cooldown"] == 90
    assert again["TargetTrackingScaling"]["PolicyARN"] == told["Track"]
    assert sorted(alarm["Threshold"] for alarm in cw.describe_alarms()["MetricAlarms"]) == [45.0, 50.0]
    stacks.delete("group")
    assert api.describe_policies()["ScalingPolicies"] == []
    assert cw.describe_alarms()["MetricAlarms"] == []
