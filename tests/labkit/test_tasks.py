"""What labkit makes of a task that runs: a URL, a picture, and nothing after the clean-up."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import labkit as lab
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.usefixtures("lab_environment")
SERVE = (
    "import http.server, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
    "http.server.test(http.server.SimpleHTTPRequestHandler, port=8080)"
)
IMAGE = "public.ecr.aws/docker/library/python:3.12-slim"


@pytest.fixture
def task() -> dict[str, Any]:
    """A web server in a task of chapter 04, running."""
    lab.begin("04")
    ecs, ec2 = lab.client("ecs"), lab.client("ec2")
    ecs.create_cluster(clusterName="lab04")
    container = {
        "name": "web",
        "image": IMAGE,
        "command": ["python", "-c", SERVE],
        "portMappings": [{"containerPort": 8080}],
        "memory": 128,
    }
    ecs.register_task_definition(
        family="lab04-web", containerDefinitions=[container], requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc", cpu="256", memory="512",
    )  # fmt: skip
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="lab04-web", Description="8080", VpcId=vpc)["GroupId"]
    everybody = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everybody])
    subnet = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"][0]["SubnetId"]
    place = {"subnets": [subnet], "securityGroups": [group], "assignPublicIp": "ENABLED"}
    arn = ecs.run_task(
        cluster="lab04", taskDefinition="lab04-web", launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": place},
    )["tasks"][0]["taskArn"]  # fmt: skip
    return lab.wait(lambda: ecs.describe_tasks(cluster="lab04", tasks=[arn])["tasks"][0], until="RUNNING")


def _fetch(url: str) -> bytes:
    def look() -> bytes:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bytes(answer.read())
        except OSError:  # the program has started, and does not listen yet
            return b""

    return lab.wait(look, until=bool, name="page")


def test_a_tasks_url_works_until_it_stops(task: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"Directory listing" in _fetch(lab.url(task["taskArn"], port=8080))
    details = {pair["name"]: pair["value"] for pair in task["attachments"][0]["details"]}
    interfaces = lab.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])
    address = interfaces["NetworkInterfaces"][0]["Association"]["PublicIp"]
    assert b"Directory listing" in _fetch(lab.url(address, port=8080))
    with pytest.raises(lab.LabError, match=f"Nothing leads to port 9090 of {address}"):
        lab.url(address, port=9090)
    monkeypatch.setattr("labkit.addresses.PORT_OPENS_WITHIN", 0.0)
    with pytest.raises(lab.LabError, match="Nothing leads to port 9090"):
        lab.url(task["taskArn"], port=9090)
    with pytest.raises(lab.LabError, match="There is no task"):
        lab.url(task["taskArn"][:-4] + "0000", port=8080)
    ecs = lab.client("ecs")
    ecs.stop_task(cluster="lab04", task=task["taskArn"])
    lab.wait(lambda: ecs.describe_tasks(cluster="lab04", tasks=[task["taskArn"]])["tasks"][0], until="STOPPED")
    with pytest.raises(lab.LabError, match="The task is STOPPED"):
        lab.url(task["taskArn"], port=8080)


def test_a_cluster_is_drawn_from_what_ecs_describes(task: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    lab.draw_cluster("lab04")
    short = task["taskArn"].rpartition("/")[2][:8]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("cluster lab04 (ACTIVE, running tasks: 1, services: ")
    assert lines[1:] == [
        f"  task {short}... (RUNNING)",
        "    container web (RUNNING)",
        "task definition lab04-web:1 (256 CPU units, 512 MiB, awsvpc)",
        "  container definition web (python:3.12-slim, hard 128 MiB)",
        f"task definition lab04-web:1 --is the recipe of--> task {short}...",
    ]


def test_clusters_are_drawn_together_without_containers(
    task: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    lab.client("ecs").create_cluster(clusterName="lab04-other")
    capsys.readouterr()
    lab.draw_cluster("lab04", "lab04-other", containers=False)
    assert capsys.readouterr().out.splitlines() == [
        "cluster lab04 (ACTIVE, running tasks: 1, services: 0)",
        f"  task {task['taskArn'].rpartition('/')[2][:8]}... (RUNNING)",
        "cluster lab04-other (ACTIVE, running tasks: 0, services: 0)",
    ]


def test_cleanup_deletes_a_service_with_its_tasks_and_cluster(
    task: dict[str, Any], aws: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ecs = aws("ecs")
    details = {pair["name"]: pair["value"] for pair in task["attachments"][0]["details"]}
    ecs.create_service(
        cluster="lab04", serviceName="web", taskDefinition=task["taskDefinitionArn"], desiredCount=1, launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [details["subnetId"]], "assignPublicIp": "ENABLED"}},
    )  # fmt: skip
    lab.wait(
        lambda: ecs.describe_services(cluster="lab04", services=["web"])["services"][0]["runningCount"], until=bool
    )
    lab.cleanup()
    assert "services                   1        none" in capsys.readouterr().out
    assert ecs.list_clusters()["clusterArns"] == []


def test_cleanup_takes_down_tasks_groups_and_parameters(
    task: dict[str, Any], aws: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ssm, ec2 = aws("ssm"), aws("ec2")
    ssm.put_parameter(Name="/lab04/password", Value="x", Type="SecureString")
    ssm.put_parameter(Name="/lab040/password", Value="x", Type="String")
    ec2.create_security_group(GroupName="theirs", Description="theirs")
    lab.cleanup()
    told = capsys.readouterr().out
    assert "security groups            1        none" in told and "running tasks              1        none" in told
    assert [each["Name"] for each in ssm.describe_parameters()["Parameters"]] == ["/lab040/password"]
    assert {each["GroupName"] for each in ec2.describe_security_groups()["SecurityGroups"]} == {"default", "theirs"}
    assert aws("ecs").list_clusters()["clusterArns"] == []


def test_what_the_target_does_not_have_is_skipped_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with lab.skip_what_is_missing():
        role = "arn:aws:iam::111122223333:role/r"
        lab.client("ecs").create_express_gateway_service(
            executionRoleArn=role, infrastructureRoleArn=role, primaryContainer={"image": IMAGE}
        )
        pytest.fail("Drydock has express services now: choose another operation here")
    told = capsys.readouterr().out
    assert told.startswith("Skipped on this target, which answers:\nNotImplemented: ")


def test_other_errors_are_not_skipped() -> None:
    with pytest.raises(ClientError, match="ClusterNotFound"), lab.skip_what_is_missing():
        lab.client("ecs").list_tasks(cluster="none")


def test_on_aws_a_tasks_url_is_its_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """EC2 and ECS are put in here; all else is as it would be."""
    details = [{"name": "networkInterfaceId", "value": "eni-1"}]
    described: dict[str, Any] = {"lastStatus": "RUNNING", "containers": [], "attachments": [{"details": details}]}
    interface: dict[str, Any] = {"Association": {"PublicIp": "203.0.113.7"}}
    monkeypatch.setenv("LAB_TARGET", "aws")
    monkeypatch.setattr("labkit.addresses.client", lambda name: _Described(described, interface))
    arn = "arn:aws:ecs:us-east-1:1:task/lab04/0123"
    assert lab.url(arn, 8080) == "http://203.0.113.7:8080/"
    interface.clear()
    with pytest.raises(lab.LabError, match="no public address"):
        lab.url(arn, 8080)
    described["containers"] = [{"networkBindings": [{"containerPort": 8080, "hostPort": 32768}]}]
    assert lab.url(arn, 8080, "x") == "http://127.0.0.1:32768/x"
    assert json.dumps(described)


class _Described:
    """What the two describe calls answer."""

    def __init__(self, task: dict[str, Any], interface: dict[str, Any]) -> None:
        self._task, self._interface = task, interface

    def describe_tasks(self, **_: Any) -> dict[str, Any]:
        return {"tasks": [self._task]}

    def describe_network_interfaces(self, **_: Any) -> dict[str, Any]:
        return {"NetworkInterfaces": [self._interface]}
