"""kill -9 of the emulator: targets, policies, their alarms and schedules are still there, and go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.emulator_process import EmulatorProcess
from tests.services.application_autoscaling.test_aas_operations import CPU, PLACE
from tests.services.ecs.yard import Yard

ACCOUNT = "123456789012"


def test_kill_9(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "state", "--speed", "100") as mine:

        def client(service: str, **given: Any) -> Any:
            return mine.client(service, **({"account": ACCOUNT} | given))

        yard = Yard(client, ACCOUNT)
        yard.create(yard.sleeper()[0], 0)
        aas = client("application-autoscaling")
        aas.register_scalable_target(**PLACE, MinCapacity=0, MaxCapacity=4)
        made = aas.put_scaling_policy(**PLACE, PolicyName="cpu", PolicyType="TargetTrackingScaling",
                                      TargetTrackingScalingPolicyConfiguration={"TargetValue": 50.0, **CPU})  # fmt: skip
        aas.put_scheduled_action(**PLACE, ScheduledActionName="day", Schedule="rate(1 day)",
                                 ScalableTargetAction={"MinCapacity": 1})  # fmt: skip
        mine.kill()
        mine.start()
        yard.ecs, aas = client("ecs"), client("application-autoscaling")
        (policy,) = aas.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
        assert (policy["PolicyARN"], policy["Alarms"]) == (made["PolicyARN"], made["Alarms"])
        alarms = client("cloudwatch").describe_alarms()["MetricAlarms"]
        assert {one["AlarmName"] for one in alarms} == {one["AlarmName"] for one in made["Alarms"]}
        mine.get("/_drydock/clock", {"account": ACCOUNT, "advance": 86400})
        yard.until_service(lambda service: service["runningCount"] == 1, "the schedule goes on")
        assert mine.faults() == []
