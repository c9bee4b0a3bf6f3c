"""Network Load Balancers: TCP listeners, bytes both ways, health by connection or by HTTP."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

from tests.emulator_process import wait_until
from tests.services.ecs.story import PYTHON
from tests.services.elbv2.story import ECHO, Balanced
from tests.services.elbv2.test_elbv2_errors import refused

SPEAKS_FIRST = r"""
import socketserver, sys
class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"welcome\n")
        whole = self.rfile.read()
        self.wfile.write(b"%d bytes from " % len(whole) + self.client_address[0].encode() + b"\n" + whole)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 64
Server(("", int(sys.argv[1])), Talk).serve_forever()
"""


def passing(web: Balanced, protocol: str = "TCP", **given: Any) -> Balanced:
    """A network load balancer without security groups, and its target group."""
    made = web.elb.create_load_balancer(Name="net", Type="network", Subnets=[web.subnets[0]["SubnetId"]], **given)
    found = made["LoadBalancers"][0]
    web.arn, web.dns = found["LoadBalancerArn"], found["DNSName"]
    health: dict[str, Any] = (
        {} if protocol == "TCP" else {"HealthCheckProtocol": protocol, "HealthCheckPath": "/health"}
    )
    web.group = web.elb.create_target_group(
        Name="net", Protocol="TCP", Port=8000, VpcId=web.vpc, TargetType="ip", HealthyThresholdCount=2,
        HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=5, **health,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    action = {"Type": "forward", "TargetGroupArn": web.group}
    listener = web.elb.create_listener(LoadBalancerArn=web.arn, Protocol="TCP", Port=80, DefaultActions=[action])
    web.listener = listener["Listeners"][0]["ListenerArn"]
    return web


def talk(web: Balanced, text: bytes) -> bytes:
    """Say something, then that there is no more, and hear the answer to its end."""
    place = urlsplit(web.endpoint()["url"])
    with socket.create_connection((str(place.hostname), place.port or 0), timeout=20) as connection:
        heard = connection.recv(100)  # the target speaks first
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            heard += piece
    return heard


def test_bytes_go_both_ways_until_both_sides_have_ended(web: Balanced) -> None:
    passing(web)
    web.open(web.back, 8000)
    container = {
        "image": PYTHON,
        "command": ["python", "-c", SPEAKS_FIRST, "8000"],
        "portMappings": [{"containerPort": 8000}],
    }
    network = {"subnets": [web.subnets[0]["SubnetId"]], "securityGroups": [web.back], "assignPublicIp": "ENABLED"}
    task = web.ecs.run(web.ecs.register(container), networkConfiguration={"awsvpcConfiguration": network})
    web.register(str(web.ecs.until(task)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]))
    web.active().until("healthy")
    wanted = [{"Name": "description", "Values": [f"ELB {web.arn.partition(':loadbalancer/')[2]}"]}]
    address = web.ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"][0]["PrivateIpAddress"]
    for size in (0, 1, 3_000_000):
        text = b"x" * size
        assert talk(web, text) == b"welcome\n%d bytes from %b\n%b" % (size, address.encode(), text)
    web.ecs.stop(task)
    web.until("unhealthy", "Target.Timeout")  # nobody is at its address any more


def test_http_through_a_network_load_balancer(web: Balanced) -> None:
    """Headers stay as they are; health is asked for by HTTP."""
    passing(web, "HTTP")
    web.open(web.back, 8000)
    for name in ("one", "two"):
        web.register(web.task(name)[1])
    web.active().until("healthy")
    told = [web.ask("/a") for _ in range(4)]
    assert {answer[1]["name"] for answer in told} == {"one", "two"}
    assert not any(name.startswith("x-") for name in told[0][1]["headers"])
    web.ask("/break")
    wait_until(lambda: "unhealthy" in {state for state, *_ in web.health()}, "one fails its check", web.health)
    assert len({web.ask("/a")[1]["name"] for _ in range(4)}) == 1


def test_who_is_admitted(web: Balanced) -> None:
    """Security groups decide if it was made with some; the target's own decide anyway."""
    passing(web, SecurityGroups=[web.front])
    web.register(web.task("tea")[1])
    web.active().until("unhealthy", "Target.Timeout")  # the task's group admits nobody
    web.open(web.back, 8000, web.front)
    web.until("healthy")
    assert "No ingress rule" in web.endpoint()["blocked"]
    web.open(web.front, 80)
    wait_until(lambda: web.endpoint()["blocked"] == "", "the rule is seen")
    assert web.ask("/a")[0] == 200


def test_how_it_is_described_and_what_is_refused(web: Balanced) -> None:
    passing(web)
    found = web.elb.describe_load_balancers(LoadBalancerArns=[web.arn])["LoadBalancers"][0]
    assert found["Type"] == "network" and ":loadbalancer/net/net/" in web.arn and "SecurityGroups" not in found
    assert found["DNSName"].startswith(f"net-{web.arn[-16:]}.")
    group = web.elb.describe_target_groups(TargetGroupArns=[web.group])["TargetGroups"][0]
    assert (group["Protocol"], group["HealthCheckProtocol"]) == ("TCP", "TCP")
    assert not {"HealthCheckPath", "Matcher", "ProtocolVersion"} & set(group)
    keys = {one["Key"] for one in web.elb.describe_target_group_attributes(TargetGroupArn=web.group)["Attributes"]}
    assert "preserve_client_ip.enabled" in keys and "slow_start.duration_seconds" not in keys
    create, forward = web.elb.create_listener, [{"Type": "forward", "TargetGroupArn": web.group}]
    base = {"LoadBalancerArn": web.arn, "Port": 81, "Protocol": "TCP", "DefaultActions": forward}
    assert refused(create, **base | {"Protocol": "HTTP"})[0] == "ValidationError"
    for protocol in ("TLS", "UDP", "TCP_UDP"):
        assert refused(create, **base | {"Protocol": protocol})[0] == "NotImplemented"
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
    assert refused(create, **base | {"DefaultActions": fixed})[0] == "InvalidLoadBalancerAction"
    other = web.target_group("web")
    wrong = [{"Type": "forward", "TargetGroupArn": other}]
    assert refused(create, **base | {"DefaultActions": wrong})[0] == "IncompatibleProtocols"
    condition = {"Field": "path-pattern", "Values": ["/a"]}
    rule = {"ListenerArn": web.listener, "Priority": 1, "Conditions": [condition], "Actions": forward}
    assert refused(web.elb.create_rule, **rule)[0] == "InvalidConfigurationRequest"
    preserve = [{"Key": "preserve_client_ip.enabled", "Value": "true"}]
    attributes = {"TargetGroupArn": web.group, "Attributes": preserve}
    assert refused(web.elb.modify_target_group_attributes, **attributes)[0] == "NotImplemented"
    groups = {"LoadBalancerArn": web.arn, "SecurityGroups": [web.front]}
    assert refused(web.elb.set_security_groups, **groups)[0] == "InvalidConfigurationRequest"
    idle = [{"Key": "tcp.idle_timeout.seconds", "Value": "60"}]
    told = web.elb.modify_listener_attributes(ListenerArn=web.listener, Attributes=idle)["Attributes"]
    assert {"Key": "tcp.idle_timeout.seconds", "Value": "60"} in told


def test_a_service_behind_a_network_load_balancer(web: Balanced) -> None:
    """Its tasks are registered, and leave when it is deleted."""
    passing(web)
    web.open(web.back, 8000)
    ecs, container = web.aws("ecs"), {
        "image": PYTHON, "command": ["python", "-c", ECHO, "tea", "8000"], "portMappings": [{"containerPort": 8000}],
    }  # fmt: skip
    network = {"subnets": [web.subnets[0]["SubnetId"]], "securityGroups": [web.back], "assignPublicIp": "ENABLED"}
    ecs.create_service(
        cluster=web.ecs.cluster, serviceName="net", taskDefinition=web.ecs.register(container), desiredCount=2,
        launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": network},
        loadBalancers=[{"targetGroupArn": web.group, "containerName": "c0", "containerPort": 8000}],
    )  # fmt: skip
    wait_until(lambda: [h[0] for h in web.health()] == ["healthy"] * 2, "both are healthy", web.health)
    assert web.ask("/a")[1]["name"] == "tea"
    ecs.delete_service(cluster=web.ecs.cluster, service="net", force=True)
    wait_until(lambda: web.health() == [], "both have left", web.health)
