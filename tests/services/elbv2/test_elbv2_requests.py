"""Requests go through a load balancer to tasks, or are answered as AWS answers them."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from tests.emulator_process import wait_until
from tests.services.elbv2.story import Balanced


def test_a_request_reaches_a_task(web: Balanced) -> None:
    clock = {"account": web.ecs.account}
    _, address = web.opened().task("blue")
    web.emulator.get("/_drydock/clock", {**clock, "speed": 1})  # so that it is not active before one looks
    web.made()
    assert web.state() == "provisioning"
    web.register(address)
    assert web.health()[0][:2] == ("initial", "Elb.RegistrationInProgress")
    web.emulator.get("/_drydock/clock", {**clock, "speed": 100})
    web.active().until("healthy")
    status, told, fields = web.ask("/some/path?x=1", X_Mine="yes")
    assert (status, told["name"], told["path"], told["method"]) == (200, "blue", "/some/path?x=1", "GET")
    headers = told["headers"]
    assert headers["x-mine"] == "yes"
    assert headers["x-forwarded-for"] == "198.51.100.1"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("http", "80")
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert "python" in fields["server"].lower()
    status, told, _ = web.ask("/form", "POST", b"a=1")
    assert (status, told["method"], told["body"]) == (200, "POST", "a=1")


def test_the_dns_name_leads_there_at_the_emulators_own_port(web: Balanced) -> None:
    web.opened().made()
    _, address = web.task("blue")
    web.register(address)
    web.active().until("healthy")
    place = urlsplit(web.emulator.url)
    for host in (web.dns, f"{web.dns}:{place.port}", web.dns.upper()):
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
        for _ in range(2):  # the connection stays the load balancer's
            connection.request("GET", "/", headers={"Host": host})
            assert b'"name": "blue"' in connection.getresponse().read()
        connection.close()
    assert web.emulator.get("/_drydock/health")["ready"]


def test_without_targets_it_is_503_and_stopped_targets_are_found_out(web: Balanced) -> None:
    web.opened().made().active()
    status, body, fields = web.ask()
    assert status == 503 and fields["server"] == "awselb/2.0" and fields["content-type"] == "text/html"
    assert body == (
        "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n"
        "<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    _, address = web.task("blue")
    web.register(address)
    web.until("healthy")
    web.ask("/break")
    web.until("unhealthy", "Target.ResponseCodeMismatch")
    assert web.health()[0][2] == "Health checks failed with these codes: [500]"
    assert web.ask()[0] == 200  # all targets are unhealthy, so all of them get requests
    web.ask("/mend")
    web.until("healthy")


def test_draining(web: Balanced) -> None:
    web.opened().made()
    _, address = web.task("blue")
    web.register(address)
    web.active().until("healthy")
    web.elb.deregister_targets(TargetGroupArn=web.group, Targets=[{"Id": address}])
    assert web.health() == [("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")]
    assert web.ask()[0] == 503
    wait_until(lambda: web.health() == [], "it is not registered any more")
    named = web.health(Targets=[{"Id": address}])
    assert named == [("unused", "Target.NotRegistered", "Target is not registered to the target group")]


def test_a_forgotten_rule_is_a_time_out(web: Balanced) -> None:
    web.open(web.front, 80)
    web.made()
    _, address = web.task("blue")
    web.register(address)
    web.active().until("unhealthy", "Target.Timeout")
    assert web.health()[0][2] == "Request timed out"
    web.open(web.back, 8000, web.front)
    web.until("healthy")
    assert web.ask()[1]["name"] == "blue"
