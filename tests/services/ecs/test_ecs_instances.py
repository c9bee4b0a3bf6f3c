"""Container instances: joining, what is left of them, where tasks go and how they are reached."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.instances import JOIN, Instances, answers

INVALID = "InvalidParameterException"
AGENTS_PORTS = ["22", "2375", "2376", "51678", "51679"]


@pytest.fixture
def yard(aws: Callable[..., Any], account: str, emulator: EmulatorProcess) -> Instances:
    status = emulator.get("/_drydock/status")["runtime"]
    if status["tier"] != "namespaces":
        pytest.skip(f"instances need the namespaces tier: {status['reason']}")
    return Instances(aws, account)


def refused(call: Callable[..., Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_an_instance_joins_with_what_its_type_has(yard: Instances) -> None:
    [arn] = yard.launch()
    found = yard.instance(arn)
    assert found["ec2InstanceId"] == yard.instances[0]
    assert (found["status"], found["agentConnected"]) == ("ACTIVE", True)
    registered = yard.left(arn, "registered")
    assert registered["CPU"] == 2048
    assert 1800 < registered["MEMORY"] < 2048  # the kernel's and the agent's part is gone
    assert sorted(registered["PORTS"], key=int) == AGENTS_PORTS
    assert yard.left(arn) == registered
    attributes = {each["name"]: each.get("value") for each in found["attributes"]}
    assert attributes["ecs.instance-type"] == "t3.small"
    assert attributes["ecs.availability-zone"].startswith("us-east-1")
    assert "com.amazonaws.ecs.capability.task-iam-role" in attributes
    cluster = yard.ecs.describe_clusters(clusters=["yard"])["clusters"][0]
    assert cluster["registeredContainerInstancesCount"] == 1
    assert refused(yard.ecs.delete_cluster, cluster="yard")[0] == "ClusterContainsContainerInstancesException"


def test_several_copies_on_one_instance_each_with_a_port_of_its_own(yard: Instances) -> None:
    [arn] = yard.launch()
    tasks, failures = yard.place(yard.web(), count=3)
    assert failures == []
    ports = []
    for task in tasks:
        found = yard.until(task)
        assert found["containerInstanceArn"] == arn
        assert found["launchType"] == "EC2"
        [binding] = found["containers"][0]["networkBindings"]
        everywhere = ".".join("0000")
        assert (binding["containerPort"], binding["bindIP"], binding["protocol"]) == (80, everywhere, "tcp")
        ports.append(binding["hostPort"])
    assert len(set(ports)) == 3
    assert all(32768 <= port <= 60999 for port in ports)
    assert {answers(f"http://{yard.address(arn)}:{port}/") for port in ports} == {200}
    assert set(yard.left(arn)["PORTS"]) == {*AGENTS_PORTS, *map(str, ports)}
    for task in tasks:
        yard.stop(task)
    assert yard.left(arn) == yard.left(arn, "registered")


def test_fixed_ports_collide_on_one_instance_and_not_on_two(yard: Instances) -> None:
    yard.launch(2)
    definition = yard.web(host_port=8081)
    tasks, failures = yard.place(definition, count=3)
    assert len(tasks) == 2
    assert failures == ["RESOURCE:PORTS", "RESOURCE:PORTS"]
    places = [yard.until(task)["containerInstanceArn"] for task in tasks]
    assert len(set(places)) == 2
    assert {answers(f"http://{yard.address(place)}:8081/") for place in places} == {200}


def test_the_security_group_decides_about_host_ports(yard: Instances) -> None:
    closed = yard.ec2.create_security_group(GroupName="closed", Description="closed")["GroupId"]
    [arn] = yard.launch(SecurityGroupIds=[closed])
    [task], _ = yard.place(yard.web(host_port=8081))
    yard.until(task)
    with pytest.raises(OSError, match="timed out"):
        urllib.request.urlopen(f"http://{yard.address(arn)}:8081/", timeout=0.5)
    allowed = {"IpProtocol": "tcp", "FromPort": 8081, "ToPort": 8081, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    yard.ec2.authorize_security_group_ingress(GroupId=closed, IpPermissions=[allowed])
    assert answers(f"http://{yard.address(arn)}:8081/") == 200


def test_a_host_port_is_there_inside_the_instance_too(yard: Instances) -> None:
    """A task in host mode is in the instance's own network."""
    yard.launch()
    [web], _ = yard.place(yard.web(host_port=8081))
    yard.until(web)
    ask = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8081/').status)"
    python = {"image": "python:3-slim", "command": ["python", "-c", ask], "logConfiguration": yard.logging()}
    yard.aws("logs").create_log_group(logGroupName="/yard")
    policy = {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
    definition = yard.definition(
        "client", python, networkMode="host", executionRoleArn=yard.role("execution", **policy)
    )
    [client], _ = yard.place(definition)
    assert yard.stopped(client)["containers"][0]["exitCode"] == 0
    assert yard.lines(f"p/c0/{client.rpartition('/')[2]}") == ["200"]


def test_host_mode_uses_the_instances_own_ports(yard: Instances) -> None:
    [arn] = yard.launch()
    serve = {"image": "python:3-slim", "command": ["python", "-m", "http.server", "8085"]}
    definition = yard.definition("host", serve | {"portMappings": [{"containerPort": 8085}]}, networkMode="host")
    [task], _ = yard.place(definition)
    found = yard.until(task)
    assert [each["hostPort"] for each in found["containers"][0]["networkBindings"]] == [8085]
    assert answers(f"http://{yard.address(arn)}:8085/") == 200
    assert yard.place(definition) == ([], ["RESOURCE:PORTS"])
    yard.stop(task)
    [again], _ = yard.place(definition)
    yard.until(again)
    assert answers(f"http://{yard.address(arn)}:8085/") == 200


def test_a_program_of_the_instance_has_the_port_already(yard: Instances) -> None:
    """The scheduler does not know of it; the container cannot be started, in Docker's words."""
    serve = f"{JOIN.format('yard')}nohup python3 -m http.server 8081 >/dev/null 2>&1 &\n"
    yard.launch(UserData=serve)
    [task], _ = yard.place(yard.web(host_port=8081))
    told = yard.stopped(task)
    assert (told["stopCode"], told["stoppedReason"]) == ("TaskFailedToStart", "Task failed to start")
    container = told["containers"][0]
    assert "Bind for 0.0.0.0:8081 failed: port is already allocated" in container["reason"]


def test_awsvpc_tasks_have_an_interface_of_their_own(yard: Instances) -> None:
    [arn] = yard.launch()
    definition = yard.definition("own", networkMode="awsvpc")
    subnet = next(each["value"] for each in yard.instance(arn)["attributes"] if each["name"] == "ecs.subnet-id")
    network = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [yard.group]}}}
    tasks, failures = yard.place(definition, count=3, **network)
    assert (len(tasks), failures) == (2, ["RESOURCE:ENI"])  # a t3.small bears two more than its own
    for task in tasks:
        found = yard.until(task)
        assert found["attachments"][0]["status"] == "ATTACHED"
        assert found["containers"][0]["networkBindings"] == []
    public = network["networkConfiguration"]["awsvpcConfiguration"] | {"assignPublicIp": "ENABLED"}
    assert refused(
        yard.ecs.run_task, cluster="yard", taskDefinition=definition,
        networkConfiguration={"awsvpcConfiguration": public},
    ) == (INVALID, "Assign public IP is not supported for this launch type.")  # fmt: skip


def test_none_has_no_network(yard: Instances) -> None:
    yard.launch()
    [task], _ = yard.place(yard.definition("alone", networkMode="none"))
    found = yard.until(task)
    assert (found["attachments"], found["containers"][0]["networkBindings"]) == ([], [])
    assert found["containers"][0]["networkInterfaces"] == []


@pytest.mark.parametrize("container, reason", [
    ({"cpu": 4096}, "RESOURCE:CPU"),
    ({"memory": 4096}, "RESOURCE:MEMORY"),
    ({"portMappings": [{"containerPort": 80, "hostPort": 22}]}, "RESOURCE:PORTS"),
])  # fmt: skip
def test_why_a_task_finds_no_place(yard: Instances, container: dict[str, Any], reason: str) -> None:
    [arn] = yard.launch()
    answer = yard.ecs.run_task(cluster="yard", taskDefinition=yard.definition("big", container))
    assert answer["tasks"] == []
    assert answer["failures"] == [{"arn": arn, "reason": reason}]


def test_what_a_task_takes_is_counted_exactly(yard: Instances) -> None:
    [arn] = yard.launch()
    before = yard.left(arn)
    soft = {"cpu": 100, "memory": 500, "memoryReservation": 200}
    tasks, _ = yard.place(yard.definition("two", soft, {"cpu": 28, "memory": 100}), count=2)
    left = yard.left(arn)
    assert before["CPU"] - left["CPU"] == 2 * 128
    assert before["MEMORY"] - left["MEMORY"] == 2 * 300  # the soft limit is what is reserved
    found = yard.instance(arn)
    assert found["runningTasksCount"] + found["pendingTasksCount"] == 2
    for task in tasks:
        yard.stop(task)
    assert yard.left(arn) == before


def test_constraints_and_strategies(yard: Instances) -> None:
    first, second = yard.launch(2)
    yard.ecs.put_attributes(cluster="yard", attributes=[{"name": "stack", "value": "blue", "targetId": first}])
    definition = yard.definition("small")
    blue = [{"type": "memberOf", "expression": "attribute:stack == blue"}]
    tasks, _ = yard.place(definition, count=3, placementConstraints=blue)
    assert {yard.describe(task)["containerInstanceArn"] for task in tasks} == {first}
    green = [{"type": "memberOf", "expression": "attribute:stack == green"}]
    assert yard.place(definition, placementConstraints=green)[1] == ["MemberOf placement constraint unsatisfied."] * 2
    distinct = [{"type": "distinctInstance"}]
    tasks, failures = yard.place(definition, count=3, group="each", placementConstraints=distinct)
    assert {yard.describe(task)["containerInstanceArn"] for task in tasks} == {first, second}
    assert failures == ["DistinctInstance placement constraint unsatisfied."] * 2
    spread = [{"type": "spread", "field": "instanceId"}]
    tasks, _ = yard.place(definition, count=4, group="spread", placementStrategy=spread)
    places = [yard.describe(task)["containerInstanceArn"] for task in tasks]
    assert (places.count(first), places.count(second)) == (2, 2)
    pack = [{"type": "binpack", "field": "memory"}]
    tasks, _ = yard.place(definition, count=4, group="packed", placementStrategy=pack)
    assert {yard.describe(task)["containerInstanceArn"] for task in tasks} == {first}
    attributes = yard.ecs.list_attributes(cluster="yard", targetType="container-instance", attributeName="stack")
    assert [(each["value"], each["targetId"]) for each in attributes["attributes"]] == [("blue", first)]
    chosen = yard.ecs.list_container_instances(cluster="yard", filter="not(attribute:stack exists)")
    assert chosen["containerInstanceArns"] == [second]


def test_start_task_where_it_is_told(yard: Instances) -> None:
    first, second = yard.launch(2)
    definition = yard.web(host_port=8081)
    gone = first[:-32] + "0" * 32
    start = yard.ecs.start_task
    answer = start(cluster="yard", taskDefinition=definition, containerInstances=[first, gone, second])
    assert [task["containerInstanceArn"] for task in answer["tasks"]] == [first, second]
    assert answer["failures"] == [{"arn": gone, "reason": "MISSING"}]
    again = start(cluster="yard", taskDefinition=definition, containerInstances=[first])
    assert again["failures"] == [{"arn": first, "reason": "RESOURCE:PORTS"}]
    found = yard.ecs.list_tasks(cluster="yard", containerInstance=first)["taskArns"]
    assert found == [answer["tasks"][0]["taskArn"]]


def test_deregistration(yard: Instances) -> None:
    [arn] = yard.launch()
    [task], _ = yard.place(yard.definition("small"))
    yard.until(task)
    deregister = yard.ecs.deregister_container_instance
    assert refused(deregister, cluster="yard", containerInstance=arn) == (
        INVALID, "Found running tasks on the instance."
    )  # fmt: skip
    found = deregister(cluster="yard", containerInstance=arn, force=True)["containerInstance"]
    assert (found["status"], found["agentConnected"]) == ("INACTIVE", False)
    assert yard.stopped(task)["stoppedReason"] == "Container instance deregistration forced by user"
    assert yard.registered() == []
    yard.ecs.delete_cluster(cluster="yard")


def test_the_default_cluster_is_where_an_instance_without_a_word_goes(yard: Instances) -> None:
    yard.cluster = "default"
    yard.ecs.create_cluster(clusterName="default")
    [arn] = yard.launch(UserData="#!/bin/bash\ntrue\n")
    assert ":container-instance/default/" in arn


def test_without_a_role_it_never_joins(yard: Instances) -> None:
    ami = yard.aws("ssm").get_parameter(Name="/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id")
    made = yard.ec2.run_instances(
        ImageId=ami["Parameter"]["Value"], InstanceType="t3.small", MinCount=1, MaxCount=1,
        UserData=JOIN.format("yard"),
    )  # fmt: skip
    yard.instances.append(made["Instances"][0]["InstanceId"])
    wait_until(lambda: "register" in yard.consoles().lower(), "its console tells of it", yard.consoles)
    assert yard.registered() == []
