"""Security groups, schemes and the VPC decide who reaches a load balancer and whom it reaches."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from tests.emulator_process import wait_until
from tests.services.ecs.story import PYTHON
from tests.services.elbv2.story import Balanced

LOOK = (
    "import json, sys, urllib.request as u, urllib.error\n"
    "try: print('GOT', u.urlopen(sys.argv[1], timeout=3).read().decode(), flush=True)\n"
    "except Exception as e: print('FAILED', e, flush=True)\n"
)


def addresses_of(web: Balanced) -> list[str]:
    """Of the load balancer's interfaces."""
    name = web.arn.partition("loadbalancer/")[2]
    wanted = [{"Name": "description", "Values": [f"ELB {name}"]}]
    found = web.ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    return [str(each["PrivateIpAddress"]) for each in found]


def seen_from_a_task(web: Balanced, url: str, group: str) -> str:
    """What a task with this security group is answered."""
    web.aws("logs").create_log_group(logGroupName="/yard")
    role = web.ecs.execution_role()
    network = {"subnets": [web.subnets[0]["SubnetId"]], "securityGroups": [group], "assignPublicIp": "ENABLED"}
    container = {"image": PYTHON, "command": ["python", "-c", LOOK, url], "logConfiguration": web.ecs.logging()}
    arn = web.ecs.run(
        web.ecs.register(container, executionRoleArn=role), networkConfiguration={"awsvpcConfiguration": network}
    )
    task = web.ecs.stopped(arn)
    return web.ecs.lines(f"p/{task['containers'][0]['name']}/{arn.rpartition('/')[2]}")[0]


def test_interfaces_come_and_go_with_it(web: Balanced) -> None:
    web.opened().made().active()
    addresses = addresses_of(web)
    assert len(addresses) == 2
    web.elb.delete_load_balancer(LoadBalancerArn=web.arn)
    assert addresses_of(web) == []


def test_the_target_sees_the_load_balancers_own_address(web: Balanced) -> None:
    web.opened().made()
    _, address = web.task("blue")
    web.register(address)
    web.active().until("healthy")
    assert web.ask()[1]["peer"] in addresses_of(web)


def test_without_a_rule_of_its_own_it_does_not_answer(web: Balanced) -> None:
    web.made().active()
    endpoint = web.endpoint()
    assert endpoint["blocked"] == f"No ingress rule of {web.front} allows tcp 80 from 198.51.100.1."
    place = urlsplit(endpoint["url"])
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        connection.settimeout(1.0)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        web.open(web.front, 80)
        connection.settimeout(10)
        assert connection.recv(100).startswith(b"HTTP/1.1 503")
    assert web.endpoint()["blocked"] == ""


def test_an_internal_one_answers_within_its_vpc_only(web: Balanced) -> None:
    web.open(web.front, 80, web.back)
    web.open(web.back, 8000, web.front)
    web.made(Scheme="internal").active()
    assert web.dns.startswith("internal-web-")
    _, address = web.task("blue")
    web.register(address)
    web.until("healthy")
    assert all(each["dns"] != web.dns for each in web.emulator.get("/_drydock/endpoints")["load_balancers"])
    url = f"http://{addresses_of(web)[0]}/inside"
    assert '"path": "/inside"' in seen_from_a_task(web, url, web.back)


def test_a_client_in_the_vpc_needs_a_rule_too(web: Balanced) -> None:
    web.open(web.front, 80, web.back)
    web.made(Scheme="internal").active()
    assert seen_from_a_task(web, f"http://{addresses_of(web)[0]}/", web.front).startswith("FAILED")


def test_an_address_where_nobody_is(web: Balanced) -> None:
    web.opened().made().register("172.31.9.9")
    web.active().until("unhealthy", "Target.Timeout")


def test_a_port_where_nobody_listens(web: Balanced) -> None:
    web.opened().made()
    web.open(web.back, 9000, web.front)
    _, address = web.task("blue")
    web.register(address, Port=9000)
    web.active().until("unhealthy", "Target.FailedHealthChecks")
    assert web.ask()[0] == 502


def test_one_address_with_two_ports_is_two_targets(web: Balanced) -> None:
    web.opened().made()
    web.open(web.back, 8001, web.front)
    _, address = web.task("blue")
    web.register(address)
    web.register(address, Port=8001)
    web.active()
    wait_until(lambda: sorted(each[0] for each in web.health()) == ["healthy", "unhealthy"], "one of two", web.health)
    assert {web.ask()[0] for _ in range(4)} == {200}
    web.elb.deregister_targets(TargetGroupArn=web.group, Targets=[{"Id": address}])
    assert [each[0] for each in web.health()] == ["draining", "draining"]


def test_its_name_is_known_in_its_vpc(web: Balanced) -> None:
    web.open(web.front, 80, web.back)
    web.open(web.back, 8000, web.front)
    web.made().active()
    web.register(web.task("blue")[1])
    web.until("healthy")
    assert '"path": "/by-name"' in seen_from_a_task(web, f"http://{web.dns}/by-name", web.back)
