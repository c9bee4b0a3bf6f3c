"""Services behind load balancers: tasks are registered, waited for, drained and replaced, and no request is lost."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.instances import Instances
from tests.services.ecs.story import PYTHON
from tests.services.ecs.yard import Yard

INVALID = "InvalidParameterException"
SERVE = """
import http.server, os, signal, sys
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = os.environ["TEXT"].encode()
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *what):
        pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 80), Page).serve_forever()
"""


class Front:
    """A load balancer with one listener, one target group and a service of web servers behind it."""

    def __init__(self, yard: Yard, emulator: EmulatorProcess, target_type: str = "ip") -> None:
        self.yard, self.emulator = yard, emulator
        self.ecs, self.elb, ec2 = yard.ecs, yard.aws("elbv2"), yard.aws("ec2")
        subnets = ec2.describe_subnets()["Subnets"]
        vpc, self.subnets = subnets[0]["VpcId"], [subnet["SubnetId"] for subnet in subnets[:2]]
        self.group = ec2.create_security_group(GroupName="front", Description="front", VpcId=vpc)["GroupId"]
        everybody = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[everybody])
        made = self.elb.create_load_balancer(Name="front", Subnets=self.subnets, SecurityGroups=[self.group])
        self.balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        self.targets = self.elb.create_target_group(
            Name="web", Protocol="HTTP", Port=80, VpcId=vpc, TargetType=target_type, HealthCheckIntervalSeconds=10,
            HealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "20"}
        self.elb.modify_target_group_attributes(TargetGroupArn=self.targets, Attributes=[delay])
        forward = [{"Type": "forward", "TargetGroupArn": self.targets}]
        self.elb.create_listener(LoadBalancerArn=self.balancer, Protocol="HTTP", Port=80, DefaultActions=forward)

    def page(self, text: str, **more: str) -> str:
        """A revision that serves it."""
        environment = [{"name": name, "value": value} for name, value in {"TEXT": text, **more}.items()]
        container = {"name": "web", "image": PYTHON, "command": ["python", "-c", SERVE], "environment": environment,
                     "stopTimeout": 5, "portMappings": [{"containerPort": 80}]}  # fmt: skip
        return self.yard.register(container, family="web")

    def create(self, definition: str, count: int = 2, **given: Any) -> None:
        network = {"subnets": self.subnets, "securityGroups": [self.group], "assignPublicIp": "ENABLED"}
        base = {
            "cluster": "yard", "serviceName": "web", "taskDefinition": definition, "desiredCount": count,
            "launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": network},
            "loadBalancers": [{"targetGroupArn": self.targets, "containerName": "web", "containerPort": 80}],
        }  # fmt: skip
        self.ecs.create_service(**(base | given))

    def told(self) -> dict[str, Any]:
        return dict(self.ecs.describe_services(cluster="yard", services=["web"])["services"][0])

    def events(self) -> list[str]:
        return [event["message"] for event in reversed(self.told()["events"])]

    def steady(self) -> None:
        def there() -> bool:
            found = self.told()
            done = [each["rolloutState"] for each in found["deployments"]] == ["COMPLETED"]
            return (
                done and found["runningCount"] == found["desiredCount"] and self.events()[-1].endswith("steady state.")
            )

        wait_until(there, "the service is steady", lambda: (self.events(), self.states()))

    def states(self) -> list[tuple[str, str]]:
        """(target, state)"""
        found = self.elb.describe_target_health(TargetGroupArn=self.targets)["TargetHealthDescriptions"]
        return sorted((each["Target"]["Id"], each["TargetHealth"]["State"]) for each in found)

    @property
    def url(self) -> str:
        return str(self.emulator.get("/_drydock/endpoints")["load_balancers"][-1]["url"])


@contextmanager
def visitors(url: str, count: int = 4) -> Iterator[list[str]]:
    """Ask all the time; what was answered, or how it failed."""
    answers: list[str] = []
    over = threading.Event()
    place = urlsplit(url)

    def visit() -> None:
        connection = None
        while not over.is_set():
            try:
                connection = connection or http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
                connection.request("GET", "/")
                answer = connection.getresponse()
                text = answer.read().decode()
                answers.append(text if answer.status == 200 else f"{answer.status}: {text}")
            except (OSError, http.client.HTTPException) as error:
                connection = None
                answers.append(f"failed: {error!r}")

    threads = [threading.Thread(target=visit) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def front(yard: Yard, emulator: EmulatorProcess) -> Front:
    return Front(yard, emulator)


def test_tasks_are_registered_and_serve(front: Front) -> None:
    front.create(front.page("tea"))
    front.steady()
    assert [state for _, state in front.states()] == ["healthy", "healthy"]
    tasks = front.ecs.list_tasks(cluster="yard", serviceName="web")["taskArns"]
    described = front.ecs.describe_tasks(cluster="yard", tasks=tasks)["tasks"]
    addresses = sorted(task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for task in described)
    assert [address for address, _ in front.states()] == addresses
    group = f"(target-group {front.targets})"
    registered = [event for event in front.events() if " registered " in event]
    assert sum(int(event.split()[3]) for event in registered) == 2
    assert all(event.endswith(f"targets in {group}") for event in registered)
    found = front.told()
    assert found["loadBalancers"][0]["containerName"] == "web"
    assert found["healthCheckGracePeriodSeconds"] == 0


def test_deployments_under_constant_requests_lose_none(front: Front) -> None:
    front.create(front.page("zero"))
    front.steady()
    with visitors(front.url) as answers:
        for number in ("one", "two", "three"):
            front.ecs.update_service(cluster="yard", service="web", taskDefinition=front.page(number))
            front.steady()
            wait_until(lambda number=number: answers and answers[-1] == number, "the new page is served")
    assert set(answers) == {"zero", "one", "two", "three"}
    assert len(front.states()) == 2
    assert any("has begun draining connections on" in event for event in front.events())


def test_a_task_that_fails_its_health_check_is_replaced(front: Front) -> None:
    front.create(front.page("sick", STATUS="500"), count=1)
    wanted = f"Task failed ELB health checks in (target-group {front.targets})"

    def stopped() -> list[dict[str, Any]]:
        arns = front.ecs.list_tasks(cluster="yard", serviceName="web", desiredStatus="STOPPED")["taskArns"]
        return list(front.ecs.describe_tasks(cluster="yard", tasks=arns)["tasks"]) if arns else []

    wait_until(stopped, "it was given up", lambda: (front.events(), front.states()))
    assert stopped()[0]["stoppedReason"] == wanted
    assert stopped()[0]["stopCode"] == "ServiceSchedulerInitiated"
    events = [event for event in front.events() if " is unhealthy " in event]
    assert "(port 80) is unhealthy in (target-group" in events[0]
    assert "due to (reason Health checks failed with these codes: [500])." in events[0]
    wait_until(lambda: front.events().count(events[0]) >= 1 and len(front.events()) > 4, "another one is tried")
    front.ecs.update_service(cluster="yard", service="web", taskDefinition=front.page("well"))
    front.steady()


def test_an_unhealthy_version_is_rolled_back(front: Front) -> None:
    careful = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    front.create(front.page("good"), deploymentConfiguration=careful)
    front.steady()
    with visitors(front.url, count=2) as answers:
        front.ecs.update_service(cluster="yard", service="web", taskDefinition=front.page("bad", STATUS="500"))
        wait_until(
            lambda: any("rolling back to deployment" in event for event in front.events()), "it is rolled back",
            front.events, patience=60,
        )  # fmt: skip
        front.steady()
    assert set(answers) == {"good"}


def test_deletion_takes_the_targets_out(front: Front) -> None:
    front.create(front.page("tea"), count=1)
    front.steady()
    front.ecs.delete_service(cluster="yard", service="web", force=True)
    wait_until(lambda: front.told()["status"] == "INACTIVE", "it is gone")
    assert front.states() == []


def test_host_ports_of_instances_are_targets(
    aws: Callable[..., Any], account: str, emulator: EmulatorProcess, isolated: None
) -> None:
    yard = Instances(aws, account)
    front = Front(yard, emulator, "instance")  # type: ignore[arg-type]
    [arn] = yard.launch()
    serve = {"name": "web", "image": PYTHON, "command": ["python", "-c", SERVE],
             "environment": [{"name": "TEXT", "value": "tea"}], "portMappings": [{"containerPort": 80, "hostPort": 0}]}  # fmt: skip
    front.create(yard.definition("web", serve), networkConfiguration={}, launchType="EC2")
    front.steady()
    instance = yard.instance(arn)["ec2InstanceId"]
    assert front.states() == [(instance, "healthy"), (instance, "healthy")]  # one instance, two ports: two targets
    with visitors(front.url) as answers:
        wait_until(lambda: len(answers) > 20, "requests are answered")
    assert set(answers) == {"tea"}


@pytest.mark.parametrize("given, words", [
    ({"containerName": "nobody"}, "The container nobody does not exist in the task definition."),
    ({"containerPort": 81}, "The container web did not have a container port 81 defined."),
    ({"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/none/0123456789abcdef"}, "targetGroupArn"),
])  # fmt: skip
def test_what_is_refused(front: Front, given: dict[str, Any], words: str) -> None:
    base = {"targetGroupArn": front.targets, "containerName": "web", "containerPort": 80}
    with pytest.raises(ClientError) as caught:
        front.create(front.page("tea"), loadBalancers=[base | given])
    assert caught.value.response["Error"]["Code"] == INVALID
    assert words in caught.value.response["Error"]["Message"]


def test_a_target_group_must_belong_to_a_load_balancer(front: Front) -> None:
    vpc = front.yard.aws("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    lonely = front.elb.create_target_group(Name="lonely", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    arn = lonely["TargetGroups"][0]["TargetGroupArn"]
    with pytest.raises(ClientError) as caught:
        front.create(
            front.page("tea"), loadBalancers=[{"targetGroupArn": arn, "containerName": "web", "containerPort": 80}]
        )
    assert caught.value.response["Error"]["Message"] == (
        f"The target group with targetGroupArn {arn} does not have an associated load balancer."
    )
