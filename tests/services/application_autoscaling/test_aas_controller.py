"""From an alarm's signal to the count of a service: activities, cooldowns, bounds, alarms of target tracking, kill -9."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.request import Principal

from tests.services.application_autoscaling.house import ACCOUNT, PLACE, WEB, House, run

FULFILLED = "Successfully set desired count to {}. Change successfully fulfilled by ecs."


def test_a_step_policy_changes_the_count_and_tells_why() -> None:
    async def story(house: House) -> None:
        await house.register()
        await house.signal(await house.step(2), 80.0, "cpu-high")
        await house.settled()
        assert house.service["desiredCount"] == 4
        (activity,) = await house.activities()
        assert activity["Cause"] == "monitor alarm cpu-high in state ALARM triggered policy out"
        assert activity["Description"] == "Setting desired count to 4."
        assert (activity["StatusCode"], activity["StatusMessage"]) == ("Successful", FULFILLED.format(4))
        assert activity["EndTime"] >= activity["StartTime"]

    house = run(story)
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSServiceRoleForApplicationAutoScaling_ECSService/"
    assert all(caller.arn.startswith(role) and caller.kind == "role" for caller in house.callers)


def test_an_activity_is_in_progress_until_the_tasks_run_and_the_cooldown_begins_then() -> None:
    async def story(house: House) -> None:
        house.prompt = False
        await house.register()
        arn = await house.step(2)
        await house.signal(arn, 80.0)
        await house.later(600)
        (activity,) = await house.activities()
        assert activity["StatusCode"] == "InProgress"
        assert activity["StatusMessage"] == (
            "Successfully set desired count to 4. Waiting for change to be fulfilled by ecs."
        )
        await house.signal(arn, 80.0)
        assert house.service["desiredCount"] == 4, "the capacity that is on its way counts"
        house.service["runningCount"] = 4
        await house.later(11)
        assert (await house.activities())[0]["StatusCode"] == "Successful"
        await house.later(59)
        await house.signal(arn, 80.0)
        assert house.service["desiredCount"] == 4
        await house.later(2)
        await house.signal(arn, 80.0)
        assert house.service["desiredCount"] == 6

    run(story)


def test_somebody_elses_count_overrides_an_activity() -> None:
    async def story(house: House) -> None:
        house.prompt = False
        await house.register()
        await house.signal(await house.step(2), 80.0)
        house.service["desiredCount"] = 7
        await house.later(11)
        (activity,) = await house.activities()
        assert (activity["StatusCode"], activity["StatusMessage"]) == (
            "Overridden", "Successfully set desired count to 4. Found it was later changed to 7."
        )  # fmt: skip

    run(story)


def test_ecs_refuses() -> None:
    async def story(house: House) -> None:
        await house.register()
        arn = await house.step(2)
        house.refusing = AwsError("InvalidParameterException", "No.")
        await house.signal(arn, 80.0)
        (activity,) = await house.activities()
        assert activity["StatusCode"] == "Failed"
        assert activity["StatusMessage"].startswith(
            "Failed to set desired count to 4. Reason: No. (Service: AmazonECS; Status Code: 400; Error Code: "
            "InvalidParameterException; Request ID: "
        )
        house.refusing = None
        await house.signal(arn, 80.0)
        assert house.service["desiredCount"] == 4, "what failed begins no cooldown"

    run(story)


@pytest.mark.parametrize(("least", "most", "cause", "count"), [(3, 10, "minimum", 3), (0, 1, "maximum", 1)])
def test_bounds_take_the_count_within_them_at_once(least: int, most: int, cause: str, count: int) -> None:
    async def story(house: House) -> None:
        await house.register(least, most)
        assert house.service["desiredCount"] == count
        (activity,) = await house.activities()
        assert activity["Cause"] == f"{cause} capacity was set to {count}"
        assert (activity["StatusCode"], activity["StatusMessage"]) == ("Successful", FULFILLED.format(count))
        house.service["desiredCount"] = house.service["runningCount"] = 20
        await house.later(600)
        assert house.service["desiredCount"] == 20, "bounds are looked after when they are set"
        await house.ask("RegisterScalableTarget", **PLACE)
        await house.settled()
        assert house.service["desiredCount"] == most

    run(story)


def test_not_scaled_is_told_once_and_only_if_asked_for() -> None:
    async def story(house: House) -> None:
        await house.register(1, 2)
        out, back = await house.step(1), await house.step(-1, "in")
        for _ in range(3):
            await house.signal(out, 80.0)
        assert await house.activities() == []
        (activity,) = await house.activities(IncludeNotScaledActivities=True)
        assert activity["NotScaledReasons"] == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 2}]
        assert activity["Description"] == "Attempting to scale due to alarm triggered"
        assert activity["StatusCode"] == "Failed"
        house.service["deployments"] = [{"rolloutState": "IN_PROGRESS"}]
        await house.signal(back, 10.0, low=True)
        assert house.service["desiredCount"] == 2, "no scale-in during a deployment"
        told = await house.activities(IncludeNotScaledActivities=True)
        assert told[0]["NotScaledReasons"] == [{"Code": "TargetServicePutResourceAsUnscalable"}]
        house.service["deployments"] = [{"rolloutState": "COMPLETED"}]
        await house.signal(back, 10.0, low=True)
        assert house.service["desiredCount"] == 1

    run(story)


def test_target_tracking_makes_its_alarms_and_they_go_with_it() -> None:
    async def story(house: House) -> None:
        await house.register()
        answer = await house.track()
        high, low = (house.alarms[alarm["AlarmName"]] for alarm in answer["Alarms"])
        assert high["AlarmName"].startswith(f"TargetTracking-{WEB}-AlarmHigh-")
        assert low["AlarmName"].startswith(f"TargetTracking-{WEB}-AlarmLow-")
        assert (high["Threshold"], high["EvaluationPeriods"], high["ComparisonOperator"]) == (
            50.0, 3, "GreaterThanThreshold"
        )  # fmt: skip
        assert (low["Threshold"], low["EvaluationPeriods"], low["ComparisonOperator"]) == (
            45.0, 15, "LessThanThreshold"
        )  # fmt: skip
        (action,) = high["AlarmActions"]
        assert action.startswith(f"{answer['PolicyARN']}:createdBy/")
        assert high["AlarmDescription"] == f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}."
        assert {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average", "Period": 60,
                "Unit": "Percent"}.items() <= high.items()  # fmt: skip
        assert high["Dimensions"] == [{"Name": "ClusterName", "Value": "yard"}, {"Name": "ServiceName", "Value": "web"}]
        again = await house.track(TargetValue=70.0)
        assert again["PolicyARN"] == answer["PolicyARN"]
        assert set(house.alarms) == {alarm["AlarmName"] for alarm in again["Alarms"]}
        assert [alarm["Threshold"] for alarm in house.alarms.values()] == [70.0, 63.0]
        await house.track(DisableScaleIn=True)
        assert len(house.alarms) == 1
        await house.ask("DeleteScalingPolicy", **PLACE, PolicyName="cpu")
        assert house.alarms == {}
        await house.track()
        await house.ask("DeregisterScalableTarget", **PLACE)
        assert house.alarms == {}
        assert (await house.ask("DescribeScalingPolicies", ServiceNamespace="ecs"))["ScalingPolicies"] == []

    run(story)


def test_requests_per_target_of_the_services_own_target_group() -> None:
    async def story(house: House) -> None:
        await house.register()
        balancer, group = "app/front/0123456789abcdef", "targetgroup/web/fedcba9876543210"
        label = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": f"{balancer}/{group}"}
        with pytest.raises(AwsError, match="not attached to the ECS service"):
            await house.track("requests", PredefinedMetricSpecification=label)
        arn = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:{group}"
        house.service["loadBalancers"] = [{"targetGroupArn": arn, "containerName": "app", "containerPort": 80}]
        made = await house.track("requests", PredefinedMetricSpecification=label, TargetValue=100.0)
        high = house.alarms[made["Alarms"][0]["AlarmName"]]
        assert {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCountPerTarget", "Statistic": "Sum",
                "Period": 60, "Threshold": 100.0}.items() <= high.items()  # fmt: skip
        assert high["Dimensions"] == [
            {"Name": "LoadBalancer", "Value": balancer}, {"Name": "TargetGroup", "Value": group}
        ]  # fmt: skip
        with pytest.raises(AwsError, match="Only one TargetTrackingScaling policy for a given metric specification"):
            await house.track("again", PredefinedMetricSpecification=label)
        assert len(house.alarms) == 2

    run(story)


def test_target_tracking_out_in_proportion_in_step_by_step() -> None:
    async def story(house: House) -> None:
        await house.register()
        made = await house.track(ScaleInCooldown=60, ScaleOutCooldown=60)
        high, low = (alarm["AlarmName"] for alarm in made["Alarms"])
        action = house.alarms[high]["AlarmActions"][0]
        await house.signal(action, 100.0, high)
        assert house.service["desiredCount"] == 4
        await house.settled()
        for expected in (3, 3, 2, 2, 1, 1):
            await house.signal(action, 1.0, low, low=True)
            assert house.service["desiredCount"] == expected
            await house.later(31)
        causes = [one["Cause"] for one in reversed(await house.activities())]
        assert causes[0] == f"monitor alarm {high} in state ALARM triggered policy cpu"
        assert causes[1:] == [f"monitor alarm {low} in state ALARM triggered policy cpu"] * 3

    run(story)


def test_scale_in_waits_until_all_target_tracking_policies_agree() -> None:
    async def story(house: House) -> None:
        house.service |= {"desiredCount": 4, "runningCount": 4}
        await house.register()
        cpu = await house.track()
        memory = await house.track("memory", "ECSServiceAverageMemoryUtilization")
        cpu_low, memory_low = cpu["Alarms"][1]["AlarmName"], memory["Alarms"][1]["AlarmName"]
        action = house.alarms[cpu_low]["AlarmActions"][0]
        house.in_alarm = {cpu_low}
        await house.signal(action, 1.0, cpu_low, low=True)
        assert house.service["desiredCount"] == 4
        house.in_alarm = {cpu_low, memory_low}
        await house.signal(house.alarms[memory_low]["AlarmActions"][0], 44.0, memory_low, low=True)
        assert house.service["desiredCount"] == 4, "for the memory, four are needed"
        await house.later(200)
        await house.signal(action, 1.0, cpu_low, low=True)
        assert house.service["desiredCount"] == 3
        await house.track("memory", "ECSServiceAverageMemoryUtilization", DisableScaleIn=True)
        await house.later(600)
        house.in_alarm = {cpu_low}
        await house.signal(action, 1.0, cpu_low, low=True)
        assert house.service["desiredCount"] == 2, "one that does not scale in is not asked"

    run(story)


def test_alarms_that_cloudwatch_refuses_leave_nothing() -> None:
    async def story(house: House) -> None:
        await house.register()
        house.refusing = AwsError("ValidationError", "Invalid metrics list")
        with pytest.raises(AwsError) as caught:
            await house.track()
        assert (caught.value.code, caught.value.message) == ("FailedResourceAccessException", "Invalid metrics list")
        assert (await house.ask("DescribeScalingPolicies", ServiceNamespace="ecs"))["ScalingPolicies"] == []
        assert house.alarms == {}

    run(story)


def test_scheduled_actions_run_in_lab_time() -> None:
    async def story(house: House) -> None:
        await house.register(1, 4)
        action = {"MinCapacity": 6, "MaxCapacity": 8}
        await house.ask("PutScheduledAction", **PLACE, ScheduledActionName="morning", Schedule="rate(1 hour)",
                        ScalableTargetAction=action)  # fmt: skip
        await house.later(3500)
        assert house.service["desiredCount"] == 2
        await house.later(200)
        assert house.service["desiredCount"] == 6
        bounds, change = reversed(await house.activities())
        assert bounds["Cause"] == "scheduled action name morning was triggered"
        assert bounds["Description"] == "Setting min capacity to 6 and max capacity to 8"
        assert bounds["StatusMessage"] == "Successfully set min capacity to 6 and max capacity to 8"
        assert (bounds["StatusCode"], change["Cause"]) == ("Successful", "minimum capacity was set to 6")
        await house.ask("RegisterScalableTarget", **PLACE, MinCapacity=1, MaxCapacity=3,
                        SuspendedState={"ScheduledScalingSuspended": True})  # fmt: skip
        await house.later(7200)
        assert house.service["desiredCount"] == 3, "suspended"

    run(story)


def test_a_service_that_goes_takes_its_target_along() -> None:
    async def story(house: House) -> None:
        await house.register()
        await house.track()
        house.service = {}
        with pytest.raises(AwsError, match="ECS service doesn't exist"):
            await house.signal((await house.ask("DescribeScalingPolicies", ServiceNamespace="ecs"))["ScalingPolicies"][0][
                "PolicyARN"], 80.0)  # fmt: skip
        await house.settled()
        assert (await house.ask("DescribeScalableTargets", ServiceNamespace="ecs"))["ScalableTargets"] == []
        assert house.alarms == {}

    run(story)


def test_kill_9_in_the_middle_of_an_activity(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        house.prompt = False
        await house.register()
        arn = await house.step(2)
        reached = house.call

        async def dies(
            principal: Principal, region: str, service: str, operation: str, params: dict[str, Any]
        ) -> dict[str, Any]:
            if operation == "UpdateService":
                raise RuntimeError("killed")
            return await reached(principal, region, service, operation, params)

        house.platform.call = dies
        with pytest.raises(RuntimeError):
            await house.signal(arn, 80.0)
        before = house.looks
        await house.kill()
        await house.settled(before)
        assert house.service["desiredCount"] == 4, "what was decided is done"
        assert (await house.activities())[0]["StatusCode"] == "InProgress"
        await house.kill()
        house.service["runningCount"] = 4
        await house.later(11)
        assert [one["StatusCode"] for one in await house.activities()] == ["Successful"]
        await house.signal(arn, 80.0)
        assert house.service["desiredCount"] == 4, "the cooldown outlives it"

    run(story, tmp_path / "state.db")


def test_kill_9_between_alarms_and_policy_leaves_no_alarm(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await house.register()
        reached = house.call

        async def dies(
            principal: Principal, region: str, service: str, operation: str, params: dict[str, Any]
        ) -> dict[str, Any]:
            if operation == "PutMetricAlarm" and "AlarmLow" in params["AlarmName"]:
                raise RuntimeError("killed")
            return await reached(principal, region, service, operation, params)

        house.platform.call = dies
        with pytest.raises(RuntimeError):
            await house.track()
        assert len(house.alarms) == 1
        await house.kill()
        await house.settled()
        assert house.alarms == {}

    run(story, tmp_path / "state.db")
