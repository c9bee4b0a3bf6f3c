"""Services on container instances: spread, drained, daemons, lost instances, capacity providers."""

from __future__ import annotations

import base64
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.instances import AMI, JOIN, Instances, answers
from tests.services.ecs.story import processes
from tests.services.ecs.test_ecs_instances import refused

TERMINATED = "Host EC2 (instance {}) terminated."


@pytest.fixture
def yard(aws: Callable[..., Any], account: str, emulator: EmulatorProcess) -> Instances:
    status = emulator.get("/_drydock/status")["runtime"]
    if status["tier"] != "namespaces":
        pytest.skip(f"instances need the namespaces tier: {status['reason']}")
    return Instances(aws, account)


def test_a_service_spreads_over_zones_and_answers(yard: Instances) -> None:
    first, second = yard.launch(2)
    yard.service("web", yard.web(), 4)
    yard.steady("web")
    places = yard.on("web")
    assert (places.count(first), places.count(second)) == (2, 2)
    for arn in yard.ecs.list_tasks(cluster="yard", serviceName="web")["taskArns"]:
        task = yard.describe(arn)
        port = task["containers"][0]["networkBindings"][0]["hostPort"]
        assert answers(f"http://{yard.address(task['containerInstanceArn'])}:{port}/") == 200


def test_a_terminated_instances_tasks_are_replaced(yard: Instances) -> None:
    first, second = yard.launch(2)
    yard.service("web", yard.definition("web"), 4)
    yard.steady("web")
    lost = yard.ecs.list_tasks(cluster="yard", containerInstance=first)["taskArns"]
    yard.ec2.terminate_instances(InstanceIds=[yard.instance(first)["ec2InstanceId"]])
    wait_until(lambda: yard.on("web") == [second] * 4, "all are on the other", lambda: yard.events("web"))
    task = yard.stopped(lost[0])
    assert task["stopCode"] == "TerminationNotice"
    assert task["stoppedReason"] == TERMINATED.format(yard.instances[0])
    assert yard.registered() == [second]


def test_an_instance_is_drained(yard: Instances) -> None:
    first, second = yard.launch(2)
    yard.service("web", yard.definition("web"), 4)
    yard.service("agent", yard.definition("agent"), None, schedulingStrategy="DAEMON")
    yard.steady("web"), yard.steady("agent")
    yard.ecs.update_container_instances_state(cluster="yard", containerInstances=[first], status="DRAINING")
    wait_until(lambda: yard.on("web") == [second] * 4, "drained", lambda: yard.events("web"))
    wait_until(lambda: yard.on("agent") == [second], "the daemon has left last", lambda: yard.events("agent"))
    yard.steady("web")
    assert yard.ecs.list_tasks(cluster="yard", containerInstance=first)["taskArns"] == []
    assert yard.place(yard.definition("web"), placementConstraints=[
        {"type": "memberOf", "expression": f"ec2InstanceId == {yard.instances[0]}"}
    ]) == ([], ["MemberOf placement constraint unsatisfied."])  # fmt: skip
    yard.ecs.update_container_instances_state(cluster="yard", containerInstances=[first], status="ACTIVE")
    wait_until(lambda: sorted(yard.on("agent")) == sorted([first, second]), "the daemon is back")


def test_a_daemon_on_every_instance_that_joins(yard: Instances) -> None:
    yard.launch()
    yard.service("agent", yard.definition("agent"), None, schedulingStrategy="DAEMON")
    yard.steady("agent")
    yard.launch()
    wait_until(lambda: len(set(yard.on("agent"))) == 2, "it is on both", lambda: yard.events("agent"))
    found = yard.steady("agent")
    assert (found["desiredCount"], found["schedulingStrategy"]) == (2, "DAEMON")
    yard.ecs.update_service(cluster="yard", service="agent", taskDefinition=yard.definition("agent"))
    yard.steady("agent")
    yard.ecs.delete_service(cluster="yard", service="agent")
    wait_until(lambda: yard.told("agent")["status"] == "INACTIVE", "it has gone")


@pytest.mark.parametrize("container, reason", [
    ({"cpu": 4096}, "has insufficient CPU units available."),
    ({"memory": 4096}, "has insufficient memory available."),
    ({"portMappings": [{"containerPort": 80, "hostPort": 22}]}, "is already using a port required by your task."),
])  # fmt: skip
def test_a_service_that_cannot_be_placed_says_why(yard: Instances, container: dict[str, Any], reason: str) -> None:
    [arn] = yard.launch()
    yard.service("big", yard.definition("big", container))
    wait_until(lambda: yard.events("big"), "an event")
    assert yard.events("big") == [
        "(service big) was unable to place a task because no container instance met all of its requirements. The closest "
        f"matching (container-instance {arn.rpartition('/')[2]}) {reason} For more information, see the Troubleshooting "
        "section of the Amazon ECS Developer Guide."
    ]
    found = yard.told("big")
    assert (found["runningCount"], found["pendingCount"]) == (0, 0)


def test_a_service_without_instances_waits_for_one(yard: Instances) -> None:
    yard.service("web", yard.definition("web"), 2)
    wait_until(lambda: yard.events("web"), "an event")
    assert yard.events("web") == [
        "(service web) was unable to place a task because no container instance met all of its requirements. Reason: No "
        "Container Instances were found in your cluster. For more information, see the Troubleshooting section of the "
        "Amazon ECS Developer Guide."
    ]
    yard.launch()
    yard.steady("web")


def test_the_next_revision_waits_for_the_fixed_port(yard: Instances) -> None:
    """On one instance the old task must go before the new one fits: with a minimum of 0 it does, with 100 it never can."""
    yard.launch()
    configuration = {"minimumHealthyPercent": 0, "maximumPercent": 100}
    yard.service("web", yard.web(host_port=8081), 1, deploymentConfiguration=configuration)
    yard.steady("web")
    yard.ecs.update_service(cluster="yard", service="web", taskDefinition=yard.web(host_port=8081))
    yard.steady("web")
    careful = {"minimumHealthyPercent": 100, "maximumPercent": 200}
    yard.ecs.update_service(
        cluster="yard", service="web", taskDefinition=yard.web(host_port=8081), deploymentConfiguration=careful
    )
    wanted = "is already using a port required by your task."
    wait_until(lambda: any(wanted in event for event in yard.events("web")), "it says why", lambda: yard.events("web"))
    assert yard.told("web")["runningCount"] == 1


def test_a_capacity_provider_of_an_auto_scaling_group(yard: Instances) -> None:
    template = {
        "ImageId": yard.aws("ssm").get_parameter(Name=AMI)["Parameter"]["Value"],
        "InstanceType": "t3.small", "SecurityGroupIds": [yard.group],
        "IamInstanceProfile": {"Name": yard.profile},
        "UserData": base64.b64encode(JOIN.format("yard").encode()).decode(),
    }  # fmt: skip
    yard.ec2.create_launch_template(LaunchTemplateName="node", LaunchTemplateData=template)
    scaling = yard.aws("autoscaling")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="nodes", MinSize=0, MaxSize=3, DesiredCapacity=0, VPCZoneIdentifier=yard.subnet,
        LaunchTemplate={"LaunchTemplateName": "node", "Version": "$Latest"},
    )  # fmt: skip
    group = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["AutoScalingGroupARN"]
    create = yard.ecs.create_capacity_provider
    assert (
        refused(create, name="ecs-mine", autoScalingGroupProvider={"autoScalingGroupArn": group})[0]
        == "ClientException"
    )
    made = create(name="mine", autoScalingGroupProvider={"autoScalingGroupArn": group})["capacityProvider"]
    assert made["autoScalingGroupProvider"]["managedDraining"] == "ENABLED"
    yard.ecs.put_cluster_capacity_providers(
        cluster="yard", capacityProviders=["mine"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "mine", "weight": 1}],
    )  # fmt: skip
    yard.ecs.create_service(cluster="yard", serviceName="web", taskDefinition=yard.definition("web"), desiredCount=2)
    wanted = "Reason: No Container Instances were found in your capacity provider."
    wait_until(lambda: any(wanted in event for event in yard.events("web")), "it says why", lambda: yard.events("web"))
    scaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
    wait_until(yard.connected, "the instance has joined")
    yard.steady("web")
    assert yard.described()[0]["capacityProviderName"] == "mine"
    tasks = [yard.describe(arn) for arn in yard.ecs.list_tasks(cluster="yard", serviceName="web")["taskArns"]]
    assert {task["capacityProviderName"] for task in tasks} == {"mine"}
    failed = yard.ecs.delete_capacity_provider(capacityProvider="mine")["capacityProvider"]
    assert failed["updateStatus"] == "DELETE_FAILED"


def test_an_instance_that_comes_back_is_the_same(yard: Instances) -> None:
    [arn] = yard.launch()
    yard.service("web", yard.definition("web"), 1)
    yard.steady("web")
    ids = [yard.instances[0]]
    yard.ec2.stop_instances(InstanceIds=ids)
    wait_until(lambda: not yard.connected(), "its agent is gone")
    assert yard.registered() == [arn]
    yard.ec2.get_waiter("instance_stopped").wait(InstanceIds=ids, WaiterConfig={"Delay": 1})
    yard.ec2.start_instances(InstanceIds=ids)
    wait_until(lambda: yard.connected() == [arn], "it has come back", yard.consoles)
    yard.steady("web")


def _round(chance: random.Random, yard: Instances, emulator: EmulatorProcess) -> str:
    """Something bad happens."""
    what = chance.choice(["task", "process", "reboot", "terminate", "emulator"])
    tasks = yard.ecs.list_tasks(cluster="yard", serviceName="web")["taskArns"]
    running = [i["InstanceId"] for r in yard.ec2.describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["running"]}])["Reservations"] for i in r["Instances"]]  # fmt: skip
    if what == "task" and tasks:
        yard.ecs.stop_task(cluster="yard", task=chance.choice(tasks))
    elif what == "process":
        for pid in processes("31415")[:1]:
            os.kill(pid, signal.SIGKILL)
    elif what == "reboot" and running:
        yard.ec2.reboot_instances(InstanceIds=[chance.choice(running)])
    elif what == "terminate" and running:
        yard.ec2.terminate_instances(InstanceIds=[chance.choice(running)])
        yard.launch()
    else:
        emulator.kill()
        emulator.start()
        yard.aws = lambda service: emulator.client(service, account=yard.account)
        yard.ecs, yard.ec2 = yard.aws("ecs"), yard.aws("ec2")
    return what


def test_ten_rounds_of_bad_luck_always_converge(tmp_path: Path) -> None:
    chance = random.Random(20261127)
    with EmulatorProcess(tmp_path / "state", "--speed", "200") as emulator:
        status = emulator.get("/_drydock/status")["runtime"]
        if status["tier"] != "namespaces":
            pytest.skip(f"instances need the namespaces tier: {status['reason']}")
        yard = Instances(lambda service: emulator.client(service, account="123456789012"), "123456789012")
        yard.launch(2)
        yard.service("web", yard.definition("web", {"command": ["sleep", "31415"]}), 4)
        yard.steady("web")
        story = []
        for _ in range(10):
            story.append(_round(chance, yard, emulator))

            def whole() -> bool:
                found = yard.told("web")
                return len(processes("31415")) == 4 and (found["runningCount"], found["pendingCount"]) == (4, 0)

            wait_until(whole, "the service is whole again", lambda: (story, yard.events("web"), yard.consoles()))
            wait_until(lambda: emulator.faults() == [], "the invariants hold", emulator.faults)
    assert processes("31415") == []
