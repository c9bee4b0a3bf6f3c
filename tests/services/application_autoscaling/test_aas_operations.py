"""Application Auto Scaling with boto3 over an ECS whose tasks run: answers, refusals, bounds, schedules, tags, permissions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.yard import Yard, refused

WEB = "service/yard/web"
PLACE = {"ServiceNamespace": "ecs", "ResourceId": WEB, "ScalableDimension": "ecs:service:DesiredCount"}
WHERE = f"service namespace: ecs, resource ID: {WEB}, scalable dimension: ecs:service:DesiredCount"
STEPS = {"AdjustmentType": "ChangeInCapacity", "Cooldown": 60,
         "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]}  # fmt: skip
CPU = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}
INVALID, ABSENT = "ValidationException", "ObjectNotFoundException"


@pytest.fixture
def aas(aws: Callable[..., Any]) -> Any:
    return aws("application-autoscaling")


@pytest.fixture
def web(yard: Yard) -> Yard:
    """With a service of no tasks."""
    yard.create(yard.sleeper()[0], 0)
    return yard


def test_a_target_is_registered_described_changed_and_goes(aas: Any, web: Yard, aws: Callable[..., Any]) -> None:
    arn = aas.register_scalable_target(**PLACE, MinCapacity=0, MaxCapacity=4, Tags={"team": "a"})["ScalableTargetARN"]
    assert re.fullmatch(
        rf"arn:aws:application-autoscaling:us-east-1:{web.account}:scalable-target/0ec5[0-9a-f]{{32}}", arn
    )
    (target,) = aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    role = (
        f"arn:aws:iam::{web.account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_ECSService"
    )
    off = {"DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False}
    assert {**PLACE, "MinCapacity": 0, "MaxCapacity": 4, "RoleARN": role, "SuspendedState": off,
            "ScalableTargetARN": arn}.items() <= target.items()  # fmt: skip
    assert aws("iam").get_role(RoleName=role.rpartition("/")[2])["Role"]["Arn"] == role
    again = aas.register_scalable_target(
        **PLACE, MaxCapacity=6, SuspendedState={"ScheduledScalingSuspended": True}, RoleARN=role
    )
    assert again["ScalableTargetARN"] == arn
    (target,) = aas.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[WEB])["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 6)
    assert target["SuspendedState"] == off | {"ScheduledScalingSuspended": True}
    aas.tag_resource(ResourceARN=arn, Tags={"stage": "test"})
    aas.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert aas.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"stage": "test"}
    aas.deregister_scalable_target(**PLACE)
    assert aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert refused(aas.deregister_scalable_target, **PLACE) == (ABSENT, f"No scalable target found for {WHERE}")
    assert refused(aas.list_tags_for_resource, ResourceARN=arn)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"ResourceId": "service/yard/none"}, (INVALID, "ECS service doesn't exist: service/yard/none")),
        ({"ResourceId": "service/none/web"}, (INVALID, "ECS service doesn't exist: service/none/web")),
        ({"ResourceId": "service/web"}, (INVALID, "Unsupported service namespace, resource type or scalable dimension")),
        ({"ScalableDimension": "rds:cluster:ReadReplicaCount"},
         (INVALID, "Unsupported service namespace, resource type or scalable dimension")),
        ({"MinCapacity": None}, (INVALID, "Minimum capacity must be specified")),
        ({"MaxCapacity": None}, (INVALID, "Maximum capacity must be specified")),
        ({"MinCapacity": -1}, (INVALID, "Minimum capacity cannot be less than 0")),
        ({"MinCapacity": 5}, (INVALID, "Maximum capacity cannot be less than minimum capacity")),
        ({"RoleARN": "me"}, (INVALID, "'me' is not a valid ARN")),
        ({"Tags": {"aws:x": "y"}}, (INVALID, "Tag keys starting with aws: are reserved for system use")),
    ],
)  # fmt: skip
def test_targets_that_are_refused(aas: Any, web: Yard, given: dict[str, Any], error: tuple[str, str]) -> None:
    wanted = {**PLACE, "MinCapacity": 0, "MaxCapacity": 4, **given}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    assert refused(aas.register_scalable_target, **wanted) == error
    assert aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []


def test_other_namespaces(aas: Any, web: Yard) -> None:
    place = {"ServiceNamespace": "dynamodb", "ResourceId": "table/t",
             "ScalableDimension": "dynamodb:table:ReadCapacityUnits"}  # fmt: skip
    code, message = refused(aas.register_scalable_target, **place, MinCapacity=1, MaxCapacity=2)
    assert (code, "ECS services" in message) == ("NotImplemented", True)
    assert aas.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"] == []
    code, message = refused(aas.describe_scalable_targets, ServiceNamespace="none")
    assert code == INVALID
    assert message.startswith(
        "1 validation error detected: Value 'none' at 'serviceNamespace' failed to satisfy constraint: Member must "
        "satisfy enum value set: ["
    )


def test_the_bounds_move_the_service_and_tell_it(aas: Any, web: Yard) -> None:
    aas.register_scalable_target(**PLACE, MinCapacity=2, MaxCapacity=4)
    web.until_service(lambda service: service["runningCount"] == 2, "two tasks run")

    def told() -> Any:
        found = aas.describe_scaling_activities(ServiceNamespace="ecs", ResourceId=WEB)["ScalingActivities"]
        return found if found and found[0]["StatusCode"] == "Successful" else None

    (activity,) = wait_until(told, "the activity has ended")
    assert activity["Cause"] == "minimum capacity was set to 2"
    assert activity["Description"] == "Setting desired count to 2."
    assert activity["StatusMessage"] == "Successfully set desired count to 2. Change successfully fulfilled by ecs."
    aas.register_scalable_target(**PLACE, MinCapacity=0, MaxCapacity=1)
    web.until_service(lambda service: service["desiredCount"] == 1, "one is desired")
    assert wait_until(lambda: told()[0] if len(told() or []) == 2 else None, "two have ended")["Cause"] == (
        "maximum capacity was set to 1"
    )


def test_a_scheduled_action_runs(aas: Any, web: Yard, emulator: EmulatorProcess) -> None:
    aas.register_scalable_target(**PLACE, MinCapacity=0, MaxCapacity=4)
    aas.put_scheduled_action(**PLACE, ScheduledActionName="ten", Schedule="cron(0 10 * * ? *)", Timezone="Europe/Berlin",
                             ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 3})  # fmt: skip
    (action,) = aas.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    assert (action["Schedule"], action["Timezone"]) == ("cron(0 10 * * ? *)", "Europe/Berlin")
    assert re.fullmatch(
        rf"arn:aws:autoscaling:us-east-1:{web.account}:scheduledAction:[0-9a-f-]{{36}}:resource/ecs/{WEB}"
        ":scheduledActionName/ten",
        action["ScheduledActionARN"],
    )
    emulator.get("/_drydock/clock", {"account": web.account, "advance": 86400})
    web.until_service(lambda service: service["desiredCount"] == 1, "one is desired")
    (target,) = aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    causes = [one["Cause"] for one in aas.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"]]
    assert causes == ["minimum capacity was set to 1", "scheduled action name ten was triggered"]
    aas.put_scheduled_action(**PLACE, ScheduledActionName="ten", ScalableTargetAction={"MinCapacity": 2})
    (action,) = aas.describe_scheduled_actions(ServiceNamespace="ecs", ScheduledActionNames=["ten"])["ScheduledActions"]
    assert (action["Schedule"], action["ScalableTargetAction"]) == ("cron(0 10 * * ? *)", {"MinCapacity": 2})
    aas.delete_scheduled_action(**PLACE, ScheduledActionName="ten")
    assert refused(aas.delete_scheduled_action, **PLACE, ScheduledActionName="ten") == (
        ABSENT, f"No scheduled action found for {WHERE}, scheduled action name: ten"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Schedule": "0 10 * * ? *"}, "Invalid schedule expression"),
        ({"ScalableTargetAction": None}, "ScalableTargetAction must be set"),
        ({"ScalableTargetAction": {}}, "At least one of minimum capacity and maximum capacity should be provided"),
        ({"ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 1}},
         "Maximum capacity cannot be less than minimum capacity"),
        ({"Timezone": "Mars/Olympus"}, "Invalid timezone"),
        ({"StartTime": datetime.now(UTC) + timedelta(1), "EndTime": datetime.now(UTC)}, "StartTime must be before EndTime"),
        ({"ScheduledActionName": "a:b"}, "1 validation error detected: Value 'a:b' at 'scheduledActionName'"),
    ],
)  # fmt: skip
def test_scheduled_actions_that_are_refused(aas: Any, web: Yard, given: dict[str, Any], message: str) -> None:
    wanted: dict[str, Any] = {**PLACE, "ScheduledActionName": "ten", "Schedule": "rate(1 day)",
                              "ScalableTargetAction": {"MinCapacity": 1}}  # fmt: skip
    assert refused(aas.put_scheduled_action, **wanted) == (ABSENT, f"No scalable target registered for {WHERE}")
    aas.register_scalable_target(**PLACE, MinCapacity=0, MaxCapacity=4)
    wanted = {name: value for name, value in {**wanted, **given}.items() if value is not None}
    code, told = refused(aas.put_scheduled_action, **wanted)
    assert (code, told[: len(message)]) == (INVALID, message)
    assert aas.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"] == []


def test_step_policies(aas: Any, web: Yard) -> None:
    given = {**PLACE, "PolicyName": "out", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": STEPS}
    assert refused(aas.put_scaling_policy, **given) == (ABSENT, f"No scalable target registered for {WHERE}")
    aas.register_scalable_target(**PLACE, MinCapacity=0, MaxCapacity=4)
    made = aas.put_scaling_policy(**given)
    assert made["Alarms"] == []
    assert re.fullmatch(
        rf"arn:aws:autoscaling:us-east-1:{web.account}:scalingPolicy:[0-9a-f-]{{36}}:resource/ecs/{WEB}:policyName/out",
        made["PolicyARN"],
    )
    assert aas.put_scaling_policy(**given)["PolicyARN"] == made["PolicyARN"]
    aas.delete_scaling_policy(**PLACE, PolicyName="out")
    assert refused(aas.delete_scaling_policy, **PLACE, PolicyName="out") == (
        ABSENT, f"No scaling policy found for {WHERE}, policy name: out"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({}, INVALID, "Policy type must be specified"),
        ({"PolicyType": "Simple"}, INVALID, "1 validation error detected: Value 'Simple' at 'policyType'"),
        ({"PolicyType": "StepScaling"}, INVALID, "StepScaling policy configuration must be specified"),
        ({"PolicyType": "PredictiveScaling"}, "NotImplemented", "Drydock does not implement"),
        ({"StepScalingPolicyConfiguration": {**STEPS, "AdjustmentType": "x"}, "PolicyType": "StepScaling"}, INVALID,
         "1 validation error detected: Value 'x' at 'adjustmentType'"),
        ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0}}, INVALID,
         "PredefinedMetricSpecification or CustomizedMetricSpecification must be set for target tracking scaling."),
        ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 0.0, **CPU}}, INVALID, "Target value must be"),
        ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0, "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ALBRequestCountPerTarget"}}}, INVALID,
         "Resource label should be specified for predefined metric type ALBRequestCountPerTarget"),
        ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0, "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": "app/a"}}}, INVALID,
         "Resource label app/a is not valid"),
        ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0, "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ALBRequestCountPerTarget",
            "ResourceLabel": "app/a/0123456789abcdef/targetgroup/b/0123456789abcdef"}}}, INVALID,
         "Resource label app/a/0123456789abcdef/targetgroup/b/0123456789abcdef is not valid: its target group"),
        ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0, "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ECSServiceAverageCPUUtilizationHighResolution"}}}, "NotImplemented", "Drydock"),
        ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0, "PredefinedMetricSpecification": {
            "PredefinedMetricType": "DynamoDBReadCapacityUtilization"}}}, INVALID, "Predefined metric type Dynamo"),
        ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0, "CustomizedMetricSpecification": {
            "MetricName": "m"}}}, INVALID, "The customized metric specification is not valid."),
    ],
)  # fmt: skip
def test_policies_that_are_refused(aas: Any, web: Yard, given: dict[str, Any], code: str, message: str) -> None:
    aas.register_scalable_target(**PLACE, MinCapacity=0, MaxCapacity=4)
    if "TargetTrackingScalingPolicyConfiguration" in given:
        given = {"PolicyType": "TargetTrackingScaling", **given}
    found = refused(aas.put_scaling_policy, **PLACE, PolicyName="p", **given)
    assert (found[0], found[1][: len(message)]) == (code, message)


def test_pages(aas: Any, web: Yard) -> None:
    aas.register_scalable_target(**PLACE, MinCapacity=0, MaxCapacity=4)
    for name in ("a", "b", "c"):
        aas.put_scheduled_action(**PLACE, ScheduledActionName=name, Schedule="rate(1 day)",
                                 ScalableTargetAction={"MinCapacity": 1})  # fmt: skip
    pages = aas.get_paginator("describe_scheduled_actions").paginate(
        ServiceNamespace="ecs", PaginationConfig={"PageSize": 2}
    )
    assert [[one["ScheduledActionName"] for one in each["ScheduledActions"]] for each in pages] == [["a", "b"], ["c"]]
    assert refused(aas.describe_scheduled_actions, ServiceNamespace="ecs", NextToken="x")[0] == (
        "InvalidNextTokenException"
    )


def test_permissions(aas: Any, web: Yard, aws: Callable[..., Any]) -> None:
    iam = aws("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    hers = aws("application-autoscaling", aws_access_key_id=key["AccessKeyId"],
               aws_secret_access_key=key["SecretAccessKey"])  # fmt: skip
    code, message = refused(hers.describe_scalable_targets, ServiceNamespace="ecs")
    assert code == "AccessDeniedException"
    assert "is not authorized to perform: application-autoscaling:DescribeScalableTargets" in message
    statement = {"Effect": "Allow", "Action": "application-autoscaling:*", "Resource": "*"}
    iam.put_user_policy(UserName="ann", PolicyName="p",
                        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))  # fmt: skip
    hers.register_scalable_target(**PLACE, MinCapacity=1, MaxCapacity=4)
    web.until_service(lambda service: service["desiredCount"] == 1, "the service-linked role may change the service")


def test_a_service_that_is_deleted_takes_its_target_along(aas: Any, web: Yard) -> None:
    aas.register_scalable_target(**PLACE, MinCapacity=0, MaxCapacity=4)
    aas.put_scheduled_action(**PLACE, ScheduledActionName="a", Schedule="rate(1 day)",
                             ScalableTargetAction={"MinCapacity": 1})  # fmt: skip
    web.delete()
    wait_until(lambda: not aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"], "it has gone")
    assert aas.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"] == []
