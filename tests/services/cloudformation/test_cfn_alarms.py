"""Alarms by CloudFormation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.services.cloudformation.conftest import Stacks


def template(threshold: float, value: str = "a") -> dict[str, Any]:
    return {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Busy": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "MetricName": "CPUUtilization", "Namespace": "AWS/ECS", "Statistic": "Average", "Period": "60",
                    "EvaluationPeriods": 2, "DatapointsToAlarm": 1, "Threshold": threshold,
                    "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
                    "Dimensions": [{"Name": "ClusterName", "Value": "c"}], "AlarmActions": [{"Ref": "Topic"}],
                    "Tags": [{"Key": "team", "Value": value}],
                },
            },
            "Sum": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": "sum", "EvaluationPeriods": 1, "Threshold": 1,
                    "ComparisonOperator": "LessThanThreshold",
                    "Metrics": [
                        {
                            "Id": "m",
                            "MetricStat": {
                                "Metric": {"Namespace": "App", "MetricName": "Errors"}, "Period": 60, "Stat": "Sum",
                            },
                        }
                    ],
                },
            },
            "Both": {
                "Type": "AWS::CloudWatch::CompositeAlarm",
                "Properties": {
                    "AlarmRule": {"Fn::Sub": 'ALARM("${Busy.Arn}") AND NOT OK(${Sum})'},
                    "ActionsSuppressor": {"Ref": "Sum"}, "ActionsSuppressorWaitPeriod": 10,
                    "ActionsSuppressorExtensionPeriod": 20,
                },
            },
        },
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Both", "Arn"]}}, "Name": {"Value": {"Ref": "Busy"}}},
    }  # fmt: skip


def test_alarms_are_made_changed_and_deleted(stacks: Stacks, aws: Callable[..., Any], account: str) -> None:
    cw = aws("cloudwatch")
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stacks.create("s", template(70))["Outputs"]}
    busy, both = stacks.physical("s", "Busy"), stacks.physical("s", "Both")
    assert outputs == {"Arn": f"arn:aws:cloudwatch:us-east-1:{account}:alarm:{both}", "Name": busy}
    assert busy.startswith("s-Busy-")
    (made,) = cw.describe_alarms(AlarmNames=[busy])["MetricAlarms"]
    assert (made["Threshold"], made["Period"], made["AlarmActions"]) == (70.0, 60, [stacks.physical("s", "Topic")])
    assert cw.list_tags_for_resource(ResourceARN=made["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "a"}]
    (rule,) = cw.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert rule["AlarmRule"] == f'ALARM("{made["AlarmArn"]}") AND NOT OK(sum)'
    stacks.update("s", template(80, "b"))
    (changed,) = cw.describe_alarms(AlarmNames=[busy])["MetricAlarms"]
    assert changed["Threshold"] == 80.0
    assert cw.list_tags_for_resource(ResourceARN=made["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "b"}]
    stacks.delete("s")
    assert cw.describe_alarms()["MetricAlarms"] == []
    assert cw.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"] == []


def test_an_alarm_that_aws_refuses_fails_with_its_message(stacks: Stacks) -> None:
    bad = template(70)
    bad["Resources"]["Busy"]["Properties"]["DatapointsToAlarm"] = 3
    stacks.create("s", bad, expect="ROLLBACK_COMPLETE")
    refused = "DatapointsToAlarm must be less than or equal to EvaluationPeriods (Service: CloudWatch, Status Code: 400"
    assert refused in "\n".join(event.get("ResourceStatusReason", "") for event in stacks.events("s"))
