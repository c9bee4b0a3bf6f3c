"""Required members, lengths and ranges: what is said of them."""

from __future__ import annotations

import pytest
from drydock.errors import AwsError
from drydock.gateway.protocol.validation import require, validate


@pytest.mark.parametrize(
    ("operation", "params", "fault"),
    [
        ("PutMetricAlarm", {"AlarmName": "a", "Period": 0}, "Value '0' at 'period' failed to satisfy constraint: Member must "
            "have value greater than or equal to"),
        ("DeleteAlarms", {}, "Value null at 'alarmNames' failed to satisfy constraint: Member must not be null"),
        ("PutMetricData", {"Namespace": "A", "MetricData": [{"Dimensions": [{"Name": "d"}], "MetricName": "m"}]},
            "Value null at 'metricData.1.member.dimensions.1.member.value' failed"),
    ],
)  # fmt: skip
def test_members_are_called_as_aws_calls_them(operation: str, params: dict, fault: str) -> None:
    with pytest.raises(AwsError) as caught:
        validate("cloudwatch", operation, params)
    assert f"1 validation error detected: {fault}" in caught.value.message


def test_so_where_only_the_required_ones_are_looked_at() -> None:
    with pytest.raises(AwsError) as caught:
        require("autoscaling", "PutScalingPolicy", {"PolicyName": "p"})
    assert "Value null at 'autoScalingGroupName' failed" in caught.value.message
