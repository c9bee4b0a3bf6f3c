"""Managed scaling of capacity providers: tasks wait, the group grows for them, and shrinks when they have gone."""

from __future__ import annotations

import base64
import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.instances import AMI, JOIN, Instances
from tests.services.ecs.yard import refused

ACCOUNT = "123456789012"
STRATEGY = [{"capacityProvider": "fleet", "weight": 1}]
WARMUP = 900
"""Seconds of lab time: as long as the low alarm looks back, and more than a busy machine needs until an agent connects"""
STATUS = "The specified status is invalid."
INVALID = "The managed termination protection setting for the capacity provider is invalid."


class Fleet(Instances):
    """A cluster with a group of instances that join it, and its capacity provider."""

    def made_group(self, name: str = "fleet", **given: Any) -> str:
        """Its ARN."""
        groups = self.aws("autoscaling")
        data = {
            "ImageId": self.aws("ssm").get_parameter(Name=AMI)["Parameter"]["Value"], "InstanceType": "t3.micro",
            "IamInstanceProfile": {"Name": self.profile},
            "UserData": base64.b64encode(JOIN.format(self.cluster).encode()).decode(),
        }  # fmt: skip
        self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
        subnets = [each["SubnetId"] for each in self.ec2.describe_subnets()["Subnets"]][:2]
        base: dict[str, Any] = {
            "MinSize": 0,
            "MaxSize": 4,
            "DesiredCapacity": 0,
            "VPCZoneIdentifier": ",".join(subnets),
        }
        if not given.keys() & {"MixedInstancesPolicy", "LaunchConfigurationName"}:
            base["LaunchTemplate"] = {"LaunchTemplateName": name, "Version": "$Latest"}
        groups.create_auto_scaling_group(AutoScalingGroupName=name, **(base | given))
        found = groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return str(found[0]["AutoScalingGroupARN"])

    def provide(self, group: str, name: str = "fleet", protection: str = "DISABLED", **scaling: Any) -> dict[str, Any]:
        """The provider that was made."""
        managed = {"status": "ENABLED", "instanceWarmupPeriod": WARMUP, **scaling}
        given = {"autoScalingGroupArn": group, "managedScaling": managed, "managedTerminationProtection": protection}
        return dict(self.ecs.create_capacity_provider(name=name, autoScalingGroupProvider=given)["capacityProvider"])

    def attach(self, *names: str) -> dict[str, Any]:
        answer = self.ecs.put_cluster_capacity_providers(
            cluster=self.cluster, capacityProviders=list(names), defaultCapacityProviderStrategy=[]
        )
        return dict(answer["cluster"])

    def attached(self) -> list[dict[str, Any]]:
        """The attachments of the cluster when they are as they should be."""

        def done() -> dict[str, Any]:
            found = self.ecs.describe_clusters(clusters=[self.cluster], include=["ATTACHMENTS"])["clusters"][0]
            return dict(found) if found.get("attachmentsStatus", "UPDATE_COMPLETE") == "UPDATE_COMPLETE" else {}

        wait_until(done, "the cluster is up to date")
        return list(done().get("attachments", []))

    def members(self) -> dict[str, bool]:
        """Instance to whether it is protected from scale-in."""
        found = self.aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["fleet"])
        members = found["AutoScalingGroups"][0]["Instances"]
        return {one["InstanceId"]: one["ProtectedFromScaleIn"] for one in members}

    def statuses(self, **given: Any) -> list[str]:
        arns = self.ecs.list_tasks(cluster=self.cluster, **given)["taskArns"]
        tasks = self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"] if arns else []
        return [task["lastStatus"] for task in tasks]

    def wait_for(self, definition: str, count: int) -> list[str]:
        """Tasks of RunTask, by the provider; their ARNs."""
        made = self.ecs.run_task(
            cluster=self.cluster, taskDefinition=definition, count=count, capacityProviderStrategy=STRATEGY
        )
        assert made["failures"] == []
        return [task["taskArn"] for task in made["tasks"]]

    def measured(self) -> list[float]:
        """The metric, minute by minute."""
        names = {"CapacityProviderName": "fleet", "ClusterName": self.cluster}
        metric = {
            "Namespace": "AWS/ECS/ManagedScaling", "MetricName": "CapacityProviderReservation",
            "Dimensions": [{"Name": name, "Value": value} for name, value in names.items()],
        }  # fmt: skip
        now, day = datetime.now(UTC), timedelta(days=1)
        query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}}
        found = self.aws("cloudwatch").get_metric_data(
            MetricDataQueries=[query], StartTime=now - day, EndTime=now + day, ScanBy="TimestampAscending"
        )
        return [float(value) for value in found["MetricDataResults"][0]["Values"]]

    def says(self) -> str:
        activities = self.aws("autoscaling").describe_scaling_activities()["Activities"]
        causes = [(one["StatusCode"], one["Cause"]) for one in activities]
        alarms = self.aws("cloudwatch").describe_alarms()["MetricAlarms"]
        states = [(one["AlarmName"], one["StateValue"], one.get("StateReason")) for one in alarms]
        return f"{self.statuses()}\n{self.members()}\n{causes}\n{states}\n{self.consoles()}"


@pytest.fixture
def fleet(isolated: EmulatorProcess, aws: Callable[..., Any], account: str) -> Fleet:
    return Fleet(aws, account)


def test_from_nothing_to_what_a_service_needs_and_back(fleet: Fleet) -> None:
    fleet.provide(fleet.made_group(NewInstancesProtectedFromScaleIn=True), protection="ENABLED")
    fleet.attach("fleet")
    task = fleet.definition("web", {"cpu": 1024})
    fleet.ecs.create_service(cluster=fleet.cluster, serviceName="web", taskDefinition=task, desiredCount=3,
                             capacityProviderStrategy=STRATEGY)  # fmt: skip
    wait_until(lambda: fleet.statuses() == ["PROVISIONING"] * 3, "three tasks wait", fleet.says)
    assert fleet.told("web")["pendingCount"] == 3
    wait_until(lambda: fleet.statuses() == ["RUNNING"] * 3, "three tasks run", fleet.says, patience=90)
    assert len(fleet.members()) == 2, "from nothing to two"
    wait_until(lambda: set(fleet.members().values()) == {True}, "instances with tasks are protected", fleet.says)
    assert len(set(fleet.on("web"))) == 2
    fleet.ecs.update_service(cluster=fleet.cluster, service="web", desiredCount=0)
    wait_until(lambda: fleet.members() == {}, "the group is empty again", fleet.says, patience=90)
    wait_until(lambda: fleet.registered() == [], "nothing is registered")


def test_a_task_of_its_own_waits_and_is_placed(fleet: Fleet) -> None:
    fleet.provide(fleet.made_group())
    fleet.attach("fleet")
    subnets = [each["SubnetId"] for each in fleet.ec2.describe_subnets()["Subnets"]][:2]
    task = fleet.definition("job", networkMode="awsvpc")
    made = fleet.ecs.run_task(
        cluster=fleet.cluster, taskDefinition=task, capacityProviderStrategy=STRATEGY,
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
    )  # fmt: skip
    assert made["failures"] == []
    first = made["tasks"][0]
    assert (first["lastStatus"], first["launchType"], first["capacityProviderName"]) == ("PROVISIONING", "EC2", "fleet")
    assert "containerInstanceArn" not in first
    wait_until(lambda: fleet.statuses() == ["RUNNING"], "it runs", fleet.says, patience=60)
    found = fleet.ecs.describe_tasks(cluster=fleet.cluster, tasks=[first["taskArn"]])["tasks"][0]
    facts = {each["name"]: each.get("value") for each in fleet.instance(found["containerInstanceArn"])["attributes"]}
    details = {each["name"]: each["value"] for each in found["attachments"][0]["details"]}
    assert details["subnetId"] == facts["ecs.subnet-id"]
    assert found["availabilityZone"] == facts["ecs.availability-zone"]
    assert 200.0 in fleet.measured()


def test_one_that_waits_can_be_stopped_and_does_not_wait_for_ever(fleet: Fleet, isolated: EmulatorProcess) -> None:
    fleet.provide(fleet.made_group(MaxSize=0))
    fleet.attach("fleet")
    task = fleet.definition("job")
    first, second = fleet.wait_for(task, 2)
    fleet.ecs.stop_task(cluster=fleet.cluster, task=first, reason="not now")
    stopped = fleet.stopped(first)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "not now")
    assert fleet.statuses() == ["PROVISIONING"]
    isolated.get("/_drydock/clock", {"account": fleet.account, "advance": 1800})
    stopped = fleet.stopped(second)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("TaskFailedToStart", "EMPTY CAPACITY PROVIDER")


@pytest.mark.parametrize("launched_by", ["template", "overrides", "configuration"])
def test_nothing_is_launched_for_what_no_instance_bears(fleet: Fleet, launched_by: str) -> None:
    template = {"LaunchTemplateSpecification": {"LaunchTemplateName": "fleet", "Version": "$Latest"}}
    policy = {"LaunchTemplate": {**template, "Overrides": [{"InstanceType": "t3.small"}, {"InstanceType": "t3.micro"}]}}
    given: dict[str, dict[str, Any]] = {
        "template": {}, "overrides": {"MixedInstancesPolicy": policy}, "configuration": {"LaunchConfigurationName": "old"}
    }  # fmt: skip
    image = fleet.aws("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]
    fleet.aws("autoscaling").create_launch_configuration(
        LaunchConfigurationName="old", ImageId=image, InstanceType="t3.micro"
    )
    fleet.provide(fleet.made_group(**given[launched_by]))
    fleet.attach("fleet")
    fleet.wait_for(fleet.definition("job", {"cpu": 3000}), 1)
    wait_until(lambda: len(fleet.measured()) >= 3, "it is measured", fleet.says)
    assert set(fleet.measured()) == {100.0}
    assert fleet.members() == {}
    fleet.wait_for(fleet.definition("small", {"cpu": 100}), 1)
    wait_until(lambda: 200.0 in fleet.measured(), "something is launched for another one", fleet.measured)


def test_only_so_many_wait(fleet: Fleet) -> None:
    fleet.provide(fleet.made_group(MaxSize=0))
    fleet.attach("fleet")
    task = fleet.definition("job")
    for _ in range(50):
        fleet.wait_for(task, 10)
    asked = {"cluster": fleet.cluster, "taskDefinition": task, "capacityProviderStrategy": STRATEGY}
    assert refused(fleet.ecs.run_task, **asked) == ("ClientException", "Tasks provisioning capacity limit exceeded.")
    fleet.ecs.create_service(serviceName="web", desiredCount=1, **asked)
    limit = "(service web) was unable to place a task. Reason: Tasks provisioning capacity limit exceeded."
    wait_until(lambda: limit in fleet.events("web"), "the service says so", lambda: fleet.events("web"))


def test_what_only_runs_daemons_is_free(fleet: Fleet) -> None:
    fleet.provide(
        fleet.made_group(MinSize=1, DesiredCapacity=1, NewInstancesProtectedFromScaleIn=True), protection="ENABLED"
    )
    fleet.attach("fleet")
    fleet.service("daemon", fleet.definition("daemon"), None, schedulingStrategy="DAEMON")
    wait_until(lambda: fleet.statuses() == ["RUNNING"], "the daemon runs", fleet.says)
    wait_until(lambda: set(fleet.members().values()) == {False}, "its instance is not protected", fleet.says)
    wait_until(lambda: fleet.measured()[-1:] == [0.0], "nothing is in use", fleet.measured)
    (arn,) = fleet.wait_for(fleet.definition("job"), 1)
    wait_until(lambda: set(fleet.members().values()) == {True}, "an instance with a task is", fleet.says)
    wait_until(lambda: fleet.measured()[-1:] == [100.0], "all is in use", fleet.measured)
    assert fleet.describe(arn)["lastStatus"] != "PROVISIONING"


def test_the_policy_and_its_alarms(fleet: Fleet) -> None:
    groups, cw = fleet.aws("autoscaling"), fleet.aws("cloudwatch")
    made = fleet.provide(fleet.made_group(), targetCapacity=80)
    assert made["autoScalingGroupProvider"]["managedScaling"] == {
        "status": "ENABLED", "targetCapacity": 80, "minimumScalingStepSize": 1, "maximumScalingStepSize": 10000,
        "instanceWarmupPeriod": WARMUP,
    }  # fmt: skip
    assert groups.describe_policies()["ScalingPolicies"] == []
    assert fleet.attach("fleet")["attachmentsStatus"] == "UPDATE_IN_PROGRESS"
    (attachment,) = fleet.attached()
    details = {one["name"]: one["value"] for one in attachment["details"]}
    assert (attachment["type"], attachment["status"], details["capacityProviderName"]) == (
        "as_policy",
        "CREATED",
        "fleet",
    )
    (policy,) = groups.describe_policies(AutoScalingGroupName="fleet")["ScalingPolicies"]
    assert re.fullmatch(r"ECSManagedAutoScalingPolicy-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", policy["PolicyName"])
    assert (policy["PolicyName"], policy["EstimatedInstanceWarmup"]) == (details["scalingPolicyName"], WARMUP)
    tracked = policy["TargetTrackingConfiguration"]
    metric = tracked["CustomizedMetricSpecification"]
    assert (tracked["TargetValue"], metric["Namespace"], metric["MetricName"]) == (
        80.0, "AWS/ECS/ManagedScaling", "CapacityProviderReservation"
    )  # fmt: skip
    assert {one["Name"]: one["Value"] for one in metric["Dimensions"]} == {
        "CapacityProviderName": "fleet", "ClusterName": fleet.cluster
    }  # fmt: skip
    alarms = sorted(cw.describe_alarms()["MetricAlarms"], key=lambda alarm: alarm["AlarmName"])
    assert [(one["Threshold"], one["EvaluationPeriods"]) for one in alarms] == [(80.0, 1), (80.0, 15)]
    (tag,) = groups.describe_tags(Filters=[{"Name": "key", "Values": ["AmazonECSManaged"]}])["Tags"]
    assert tag["ResourceId"] == "fleet"

    fleet.ecs.update_capacity_provider(
        name="fleet", autoScalingGroupProvider={"managedScaling": {"targetCapacity": 100}}
    )
    wait_until(
        lambda: {one["Threshold"] for one in cw.describe_alarms()["MetricAlarms"]} == {100.0}, "the alarms have changed"
    )
    fleet.attach()
    assert fleet.attached() == []
    assert groups.describe_policies()["ScalingPolicies"] == cw.describe_alarms()["MetricAlarms"] == []
    fleet.attach("fleet")
    assert len(fleet.attached()) == 1
    fleet.ecs.update_capacity_provider(
        name="fleet", autoScalingGroupProvider={"managedScaling": {"status": "DISABLED"}}
    )
    assert fleet.attached() == []
    assert groups.describe_policies()["ScalingPolicies"] == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"managedTerminationProtection": "ENABLED"},
         f"{INVALID} To enable managed termination protection for a capacity provider, managed scaling must be enabled."),
        ({"managedTerminationProtection": "ENABLED", "managedScaling": {"status": "ENABLED"}},
         f"{INVALID} To enable managed termination protection for a capacity provider, the Auto Scaling group must have "
         "instance protection from scale in enabled."),
        ({"managedScaling": {"minimumScalingStepSize": 3, "maximumScalingStepSize": 2}},
         "The minimum or maximum scaling step size value is invalid."),
        ({"managedScaling": {"status": "ON"}}, f"{STATUS} Specify ENABLED or DISABLED and try again."),
        ({"managedDraining": "ON"}, f"{STATUS} Specify ENABLED or DISABLED and try again."),
    ],
)  # fmt: skip
def test_settings_that_are_refused(fleet: Fleet, given: dict[str, Any], message: str) -> None:
    group = {"autoScalingGroupArn": fleet.made_group()}
    made = fleet.ecs.create_capacity_provider
    assert refused(made, name="p", autoScalingGroupProvider=group | given) == ("ClientException", message)
    fleet.ecs.create_capacity_provider(name="p", autoScalingGroupProvider=group)
    changed = fleet.ecs.update_capacity_provider
    assert refused(changed, name="p", autoScalingGroupProvider=given) == ("ClientException", message)
    (left,) = fleet.ecs.describe_capacity_providers(capacityProviders=["p"])["capacityProviders"]
    assert left["autoScalingGroupProvider"]["managedScaling"]["status"] == "DISABLED"


@pytest.mark.parametrize(
    "scaling",
    [{"targetCapacity": 101}, {"maximumScalingStepSize": 10001}, {"instanceWarmupPeriod": 10001}],
)
def test_values_out_of_range(fleet: Fleet, scaling: dict[str, Any]) -> None:
    given = {"autoScalingGroupArn": fleet.made_group(), "managedScaling": scaling}
    code, message = refused(fleet.ecs.create_capacity_provider, name="p", autoScalingGroupProvider=given)
    assert (code, next(iter(scaling)) in message) == ("InvalidParameterException", True)


def test_a_managed_provider_belongs_to_one_cluster(fleet: Fleet) -> None:
    fleet.provide(fleet.made_group(MaxSize=0))
    fleet.attach("fleet")
    assert refused(fleet.ecs.create_cluster, clusterName="other", capacityProviders=["fleet"])[0] == (
        "InvalidParameterException"
    )
    fleet.ecs.update_capacity_provider(
        name="fleet", autoScalingGroupProvider={"managedScaling": {"status": "DISABLED"}}
    )
    fleet.ecs.create_cluster(clusterName="other", capacityProviders=["fleet"])
    on = {"managedScaling": {"status": "ENABLED"}}
    assert (
        refused(fleet.ecs.update_capacity_provider, name="fleet", autoScalingGroupProvider=on)[0] == "ClientException"
    )


def test_kill_9(tmp_path: Path, isolated: EmulatorProcess) -> None:
    """What waits waits on, and what was made is made once."""
    with EmulatorProcess(tmp_path / "state", "--speed", "100") as mine:

        def client(service: str, **given: Any) -> Any:
            return mine.client(service, **({"account": ACCOUNT} | given))

        fleet = Fleet(client, ACCOUNT)
        fleet.provide(fleet.made_group())
        fleet.attach("fleet")
        fleet.wait_for(fleet.definition("job"), 1)
        mine.kill()
        mine.start()
        fleet = Fleet(client, ACCOUNT)
        wait_until(lambda: fleet.statuses() == ["RUNNING"], "the task runs", fleet.says, patience=60)
        assert len(fleet.attached()) == 1
        assert len(client("autoscaling").describe_policies()["ScalingPolicies"]) == 1
        assert len(client("cloudwatch").describe_alarms()["MetricAlarms"]) == 2
        assert mine.faults() == []


def lifecycle(fleet: Fleet) -> dict[str, str]:
    groups = fleet.aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["fleet"])["AutoScalingGroups"]
    return {one["InstanceId"]: one["LifecycleState"] for one in groups[0]["Instances"]}


def test_an_instance_is_drained_before_it_is_terminated(fleet: Fleet) -> None:
    fleet.provide(fleet.made_group(DesiredCapacity=1), status="DISABLED")
    fleet.attach("fleet")
    wait_until(fleet.connected, "it has joined", fleet.consoles)
    fleet.service("daemon", fleet.definition("daemon"), None, schedulingStrategy="DAEMON")
    (arn,) = fleet.wait_for(fleet.definition("job"), 1)
    wait_until(lambda: fleet.statuses() == ["RUNNING"] * 2, "both run", fleet.says)
    (instance,) = lifecycle(fleet)
    fleet.aws("autoscaling").set_desired_capacity(AutoScalingGroupName="fleet", DesiredCapacity=0)
    wait_until(lambda: lifecycle(fleet) == {instance: "Terminating:Wait"}, "it waits", fleet.says)
    assert [one["status"] for one in fleet.described()] == ["DRAINING"]
    assert fleet.describe(arn)["lastStatus"] == "RUNNING"
    fleet.stop(arn)
    wait_until(lambda: lifecycle(fleet) == {}, "it has gone", fleet.says)
    assert fleet.describe(arn)["stopCode"] == "UserInitiated"
    (activity,) = [one for one in fleet.aws("autoscaling").describe_scaling_activities()["Activities"]
                   if one["Description"].startswith("Terminating")]  # fmt: skip
    assert activity["StatusCode"] == "Successful"


def test_without_managed_draining_it_takes_its_tasks_with_it(fleet: Fleet) -> None:
    group = fleet.made_group(DesiredCapacity=1)
    fleet.ecs.create_capacity_provider(
        name="fleet", autoScalingGroupProvider={"autoScalingGroupArn": group, "managedDraining": "DISABLED"}
    )
    fleet.attach("fleet")
    wait_until(fleet.connected, "it has joined", fleet.consoles)
    (arn,) = fleet.wait_for(fleet.definition("job"), 1)
    fleet.until(arn)
    fleet.aws("autoscaling").set_desired_capacity(AutoScalingGroupName="fleet", DesiredCapacity=0)
    assert fleet.stopped(arn)["stopCode"] == "TerminationNotice"


@pytest.mark.all
def test_kills_at_any_moment(tmp_path: Path, isolated: EmulatorProcess) -> None:
    chance = random.Random(20261128)
    with EmulatorProcess(tmp_path / "state", "--speed", "100") as mine:

        def client(service: str, **given: Any) -> Any:
            return mine.client(service, **({"account": ACCOUNT} | given))

        def killed(times: int) -> Fleet:
            for _ in range(times):
                time.sleep(chance.random() * 2.5)  # the moment is what is tried
                mine.kill()
                mine.start()
            return Fleet(client, ACCOUNT)

        fleet = Fleet(client, ACCOUNT)
        fleet.provide(fleet.made_group(NewInstancesProtectedFromScaleIn=True), protection="ENABLED")
        fleet.attach("fleet")
        task = fleet.definition("web", {"cpu": 1024})
        fleet.ecs.create_service(cluster=fleet.cluster, serviceName="web", taskDefinition=task, desiredCount=3,
                                 capacityProviderStrategy=STRATEGY)  # fmt: skip
        fleet = killed(8)
        wait_until(lambda: fleet.statuses() == ["RUNNING"] * 3, "three tasks run", fleet.says, patience=90)
        wait_until(lambda: sum(fleet.members().values()) == len(set(fleet.on("web"))), "they are protected", fleet.says)
        assert len(fleet.attached()) == 1
        assert len(client("autoscaling").describe_policies()["ScalingPolicies"]) == 1
        assert len(client("cloudwatch").describe_alarms()["MetricAlarms"]) == 2
        fleet.ecs.update_service(cluster=fleet.cluster, service="web", desiredCount=0)
        fleet = killed(4)
        wait_until(lambda: fleet.members() == {}, "the group is empty again", fleet.says, patience=90)
        assert mine.faults() == []
