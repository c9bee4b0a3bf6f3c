"""RunTask's parameters, its answers, the network interface, lists and overrides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import PYTHON, Story, id_of, marked_sleep, processes, seen_id, shown

SLEEP = {"command": ["sleep", "300"], "stopTimeout": 2}


def refused(call: Callable[..., Any], *given: Any, **named: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(*given, **named)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def interfaces(story: Story) -> list[dict[str, Any]]:
    return list(story.aws("ec2").describe_network_interfaces()["NetworkInterfaces"])


def details(task: dict[str, Any]) -> dict[str, str]:
    return {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}


def test_the_network_interface_is_in_the_subnet_while_the_task_lives(story: Story) -> None:
    ec2 = story.aws("ec2")
    group = ec2.create_security_group(GroupName="app", Description="app")["GroupId"]
    subnets = ec2.describe_subnets()["Subnets"]
    subnet = subnets[1]
    network = {
        "awsvpcConfiguration": {"subnets": [subnet["SubnetId"]], "securityGroups": [group], "assignPublicIp": "ENABLED"}
    }
    before = len(interfaces(story))
    arn = story.run(story.register(SLEEP), networkConfiguration=network)
    task = story.until(arn)
    assert task["availabilityZone"] == subnet["AvailabilityZone"]
    attachment = task["attachments"][0]
    assert (attachment["type"], attachment["status"]) == ("ElasticNetworkInterface", "ATTACHED")
    told = details(task)
    found = ec2.describe_network_interfaces(NetworkInterfaceIds=[told["networkInterfaceId"]])["NetworkInterfaces"][0]
    assert found["SubnetId"] == told["subnetId"] == subnet["SubnetId"]
    assert found["PrivateIpAddress"] == told["privateIPv4Address"]
    assert [one["GroupId"] for one in found["Groups"]] == [group]
    inside = task["containers"][0]["networkInterfaces"]
    assert inside == [{"attachmentId": attachment["id"], "privateIpv4Address": told["privateIPv4Address"]}]
    task = story.stop(arn)
    assert task["attachments"][0]["status"] == "DELETED"
    assert len(interfaces(story)) == before


def test_each_task_is_in_the_zone_of_its_own_subnet(story: Story) -> None:
    subnets = story.aws("ec2").describe_subnets()["Subnets"][:2]
    zones = {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in subnets}
    answer = story.ecs.run_task(
        cluster=story.cluster, taskDefinition=story.register(SLEEP), launchType="FARGATE", count=3,
        networkConfiguration={"awsvpcConfiguration": {"subnets": list(zones), "assignPublicIp": "ENABLED"}},
    )  # fmt: skip
    tasks = [story.until(task["taskArn"]) for task in answer["tasks"]]
    assert [task["availabilityZone"] for task in tasks] == [zones[details(task)["subnetId"]] for task in tasks]
    assert {task["availabilityZone"] for task in tasks} == set(zones.values())


def test_its_address_is_the_one_inside(story: Story, isolated: EmulatorProcess) -> None:
    show = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
            "s.connect(('169.254.170.2', 9)); print(s.getsockname()[0]); print(socket.gethostname())")  # fmt: skip
    task, lines = story.logged({"image": PYTHON, "command": ["python", "-c", show]})
    told = details(task)
    assert lines == [told["privateIPv4Address"], told["privateDnsName"]]


def test_a_failed_start_leaves_no_interface(story: Story) -> None:
    before = len(interfaces(story))
    task = story.outcome({"image": "no/such"})
    assert task["attachments"][0]["status"] == "DELETED"
    assert len(interfaces(story)) == before


def test_several_at_once(story: Story) -> None:
    command, marker = marked_sleep()
    tasks = story.run_tasks(story.register({"command": command, "stopTimeout": 2}), count=3, startedBy="me", group="g")
    arns = [task["taskArn"] for task in tasks]
    assert len(set(arns)) == 3
    addresses = {details(story.until(arn))["privateIPv4Address"] for arn in arns}
    assert len(addresses) == 3
    assert len(processes(marker)) == 3
    assert {task["startedBy"] for task in tasks} == {"me"}
    assert {task["group"] for task in tasks} == {"g"}
    for arn in arns:
        story.ecs.stop_task(cluster="yard", task=id_of(arn))
    for arn in arns:
        story.stopped(arn)
    assert processes(marker) == []


def test_lists_of_tasks(story: Story) -> None:
    ecs = story.ecs
    one = story.run(story.register(SLEEP, family="one"), startedBy="me")
    two = story.run(story.register(SLEEP, family="two"))

    def listed(**given: Any) -> list[str]:
        return list(ecs.list_tasks(cluster="yard", **given)["taskArns"])

    assert set(listed()) == {one, two}
    assert listed(family="one") == listed(startedBy="me") == [one]
    assert set(listed(launchType="FARGATE")) == {one, two}
    assert listed(launchType="EC2") == listed(desiredStatus="STOPPED") == []
    page = ecs.list_tasks(cluster="yard", maxResults=1)
    assert {*page["taskArns"], *ecs.list_tasks(cluster="yard", nextToken=page["nextToken"])["taskArns"]} == {one, two}
    story.until(one)
    story.stop(one)
    assert listed() == [two]
    assert listed(desiredStatus="STOPPED") == [one]
    assert refused(ecs.list_tasks, cluster="yard", serviceName="s") == (
        "ServiceNotFoundException",
        "Service not found.",
    )
    assert refused(ecs.list_tasks, cluster="yard", desiredStatus="GONE")[0] == "InvalidParameterException"
    story.until(two)
    story.stop(two)


def test_describe_names_what_is_missing(story: Story, account: str) -> None:
    other = f"arn:aws:ecs:us-east-1:{account}:task/other/{'1' * 32}"
    answer = story.ecs.describe_tasks(cluster="yard", tasks=["0" * 32, other])
    assert answer["tasks"] == []
    assert answer["failures"] == [
        {"arn": f"arn:aws:ecs:us-east-1:{account}:task/yard/{'0' * 32}", "reason": "MISSING"},
        {"arn": other, "reason": "MISSING"},
    ]
    assert refused(story.ecs.describe_tasks, cluster="yard", tasks=[])[0] == "InvalidParameterException"
    assert refused(story.ecs.stop_task, cluster="yard", task="0" * 32) == (
        "InvalidParameterException", "The referenced task was not found."
    )  # fmt: skip


def test_tags_of_a_task(story: Story) -> None:
    definition = story.register(SLEEP, tags=[{"key": "from", "value": "definition"}, {"key": "both", "value": "d"}])
    task = story.run_tasks(
        definition, propagateTags="TASK_DEFINITION", tags=[{"key": "both", "value": "run"}], enableECSManagedTags=True
    )[0]
    tags = {tag["key"]: tag["value"] for tag in task["tags"]}
    assert tags == {"both": "run", "from": "definition", "aws:ecs:clusterName": "yard"}
    arn = task["taskArn"]
    assert story.describe(arn)["tags"] == []
    story.ecs.untag_resource(resourceArn=arn, tagKeys=["both", "from"])
    assert [tag["key"] for tag in story.describe(arn, include=["TAGS"])["tags"]] == ["aws:ecs:clusterName"]
    assert refused(story.run, definition, propagateTags="SERVICE")[0] == "InvalidParameterException"
    story.until(arn)
    story.stop(arn)


def test_the_same_client_token_runs_nothing_twice(story: Story) -> None:
    """botocore sends one with every RunTask, and sends the same again when an answer is lost."""
    command, marker = marked_sleep()
    definition = story.register({"command": command, "stopTimeout": 2})
    first = story.run(definition, clientToken="token-1")
    assert story.run(definition, clientToken="token-1") == first
    assert len(story.ecs.list_tasks(cluster="yard")["taskArns"]) == 1
    with pytest.raises(ClientError) as caught:
        story.run(definition, clientToken="token-1", count=2)
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    assert caught.value.response["resourceIds"] == [first]
    story.until(first)
    assert len(processes(marker)) == 1
    story.stop(first)


def test_overridden_memory_is_the_limit(story: Story) -> None:
    fill = "x = bytearray(b'1') * (120 << 20); print('fits')"
    definition = story.register({"image": PYTHON, "command": ["python", "-c", fill], "memory": 400})
    assert shown(story.stopped(story.run(definition)), ("exitCode",)) == [(0,)]
    small = {"containerOverrides": [{"name": "c0", "memory": 40}]}
    assert shown(story.stopped(story.run(definition, overrides=small)), ("exitCode",)) == [(137,)]


def test_a_task_can_be_found_by_its_id_and_its_arn(story: Story) -> None:
    arn = story.run(story.register({"command": ["true"]}))
    for identifier in (arn, id_of(arn)):
        found = story.ecs.describe_tasks(cluster="yard", tasks=[identifier])["tasks"]
        assert [task["taskArn"] for task in found] == [arn]
    stopped = story.stopped(arn)
    assert story.ecs.stop_task(cluster="yard", task=arn)["task"]["stoppedReason"] == stopped["stoppedReason"]


def test_entry_point_working_directory_and_user(story: Story, isolated: EmulatorProcess) -> None:
    container = {"entryPoint": ["sh", "-c"], "command": ["pwd; id -u"], "workingDirectory": "/tmp", "user": "65534"}
    task, lines = story.logged(container)
    assert shown(task) == [("STOPPED", 0, None)]
    assert lines == ["/tmp", str(seen_id(65534))]


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("no network", {"networkConfiguration": {}}, "InvalidParameterException", "Network Configuration must be provided"),
    ("no such subnet", {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0123456789abcdef0"]}}},
     "InvalidParameterException", "InvalidSubnetID.NotFound"),
    ("no such definition", {"taskDefinition": "nobody:1"}, "ClientException", "TaskDefinition not found."),
    ("no such cluster", {"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found."),
    ("too many", {"count": 11}, "InvalidParameterException", "10"),
    ("none", {"count": 0}, "InvalidParameterException", "10"),
    ("override of nobody", {"overrides": {"containerOverrides": [{"name": "x"}]}}, "InvalidParameterException", "x"),
    ("override of a size", {"overrides": {"cpu": "256", "memory": "8192"}}, "ClientException", "No Fargate configuration"),
    ("platform", {"platformVersion": "9.9.9"}, "PlatformUnknownException", "platform version"),
    ("role of nobody", {"overrides": {"taskRoleArn": "arn:aws:iam::123456789012:role/nobody"}}, "ClientException", "nobody"),
    ("launch type", {"launchType": "EC2"},
     "InvalidParameterException", "Assign public IP is not supported for this launch type."),
    ("no launch type", {"launchType": None},
     "InvalidParameterException", "Assign public IP is not supported for this launch type."),
    ("strategy", {"launchType": None, "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]},
     "InvalidParameterException", "not associated with the cluster"),
    ("exec", {"enableExecuteCommand": True}, "InvalidParameterException", "a valid taskRoleArn is not being used"),
    ("placement", {"placementConstraints": [{"type": "distinctInstance"}]},
     "InvalidParameterException", "Placement constraints are not supported with FARGATE launch type."),
    ("storage", {"overrides": {"ephemeralStorage": {"sizeInGiB": 20}}}, "InvalidParameterException", "21 and 200"),
    ("gpu", {"overrides": {"containerOverrides": [{"name": "c0", "resourceRequirements": [{"type": "GPU", "value": "1"}]}]}},
     "NotImplemented", "resourceRequirements"),
]  # fmt: skip


@pytest.mark.parametrize("given, code, words", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_refused_runs_nothing(story: Story, given: dict[str, Any], code: str, words: str) -> None:
    base = {"cluster": "yard", "launchType": "FARGATE", "networkConfiguration": story.network}
    base["taskDefinition"] = story.register(SLEEP)
    arguments = {name: value for name, value in (base | given).items() if value is not None}
    found, message = refused(story.ecs.run_task, **arguments)
    assert found == code
    assert words in message
    assert story.ecs.list_tasks(cluster="yard")["taskArns"] == []


def test_a_security_group_that_is_not_there(story: Story) -> None:
    network = {"awsvpcConfiguration": {"subnets": [story.subnet], "securityGroups": ["sg-0123456789abcdef0"]}}
    code, message = refused(story.run, story.register(SLEEP), networkConfiguration=network)
    assert code == "InvalidParameterException"
    assert "sg-0123456789abcdef0" in message
    assert story.ecs.list_tasks(cluster="yard")["taskArns"] == []


def test_a_definition_for_ec2_does_not_run_on_fargate(story: Story) -> None:
    definition = story.ecs.register_task_definition(
        family="ec2", containerDefinitions=[{"name": "a", "image": "busybox", "memory": 64}]
    )["taskDefinition"]["taskDefinitionArn"]
    assert refused(story.run, definition)[0] == "InvalidParameterException"


def test_resetting_the_account_ends_its_processes(story: Story, emulator: Any) -> None:
    command, marker = marked_sleep()
    arn = story.run(story.register({"command": command}))
    story.until(arn)
    assert len(processes(marker)) == 1
    emulator.get("/_drydock/reset", {"account": story.account})
    wait_until(lambda: not processes(marker), "its process has ended", patience=2)
    assert story.ecs.list_clusters()["clusterArns"] == []
