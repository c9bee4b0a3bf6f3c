"""What CloudWatch has of instances. Pure.

Source: "CloudWatch metrics that are available for your instances": every five minutes, every minute with detailed monitoring;
status checks every minute. Network and disk are not measured here, and not recorded.
"""

from __future__ import annotations

from collections.abc import Iterator

from drydock.services.cloudwatch.model import Datum, metric
from drydock.services.ec2.model import Machine

BASIC = 300
"""Seconds between two data points without detailed monitoring"""
CHECKS = ("StatusCheckFailed", "StatusCheckFailed_Instance", "StatusCheckFailed_System")


def of_instance(machine: Machine, at: float, cpu: float | None, healthy: bool) -> Iterator[Datum]:
    """``cpu`` in percent of its vCPUs; ``at`` is a minute's beginning."""
    alone = {"InstanceId": machine.id}
    for name in CHECKS:
        failed = 0.0 if healthy or name.endswith("System") else 1.0
        yield Datum(metric("AWS/EC2", name, alone), at, ((failed, 1.0),), unit="Count")
    if cpu is None or not (machine.monitored or at % BASIC == 0):
        return
    groups = [alone, {"InstanceType": machine.instance_type}, {"ImageId": machine.image_id}, {}]
    if machine.group_name:
        groups.append({"AutoScalingGroupName": machine.group_name})
    for dimensions in groups:
        yield Datum(metric("AWS/EC2", "CPUUtilization", dimensions), at, ((cpu, 1.0),), unit="Percent")
