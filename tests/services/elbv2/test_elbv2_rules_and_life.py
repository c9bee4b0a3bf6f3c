"""Listener rules meet real requests; counters; what outlives a kill; what a reset takes away."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from drydock.dataplane.balancing.cookies import TARGET

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.elbv2.story import Balanced


def test_rules(web: Balanced) -> None:
    web.opened().made().active()

    def rule(priority: int, action: dict[str, Any], *conditions: dict[str, Any]) -> str:
        made = web.elb.create_rule(
            ListenerArn=web.listener, Priority=priority, Conditions=list(conditions), Actions=[action]
        )
        return str(made["Rules"][0]["RuleArn"])

    def fixed(text: str) -> dict[str, Any]:
        return {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": text}}

    path = {"Field": "path-pattern", "Values": ["/api/*"]}
    rule(10, fixed("api"), path)
    posted = {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}
    first = rule(5, fixed("posted"), path, posted)
    secure = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
    rule(20, secure, {"Field": "host-header", "Values": ["old.example"]})
    assert web.ask("/api/x")[1] == "api"
    assert web.ask("/api/x", "POST", b"")[1] == "posted"
    assert web.ask("/")[0] == 503
    status, _, fields = web.ask("/a?b=c", Host="old.example")
    assert (status, fields["location"]) == (301, "https://old.example:443/a?b=c")
    web.elb.delete_rule(RuleArn=first)
    assert web.ask("/api/x", "POST", b"")[1] == "api"


def test_weights_and_stickiness(web: Balanced) -> None:
    web.opened().made()
    green = web.target_group("green")
    both = {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": web.group, "Weight": 1}, {"TargetGroupArn": green, "Weight": 1}]
        },
    }
    web.elb.modify_listener(ListenerArn=web.listener, DefaultActions=[both])
    web.register(web.task("blue")[1])
    web.register(web.task("green")[1], green)
    web.active().until("healthy")
    web.until("healthy", group=green)
    assert sorted(web.ask()[1]["name"] for _ in range(6)) == ["blue"] * 3 + ["green"] * 3
    sticky = [{"Key": "stickiness.enabled", "Value": "true"}]
    web.elb.modify_target_group_attributes(TargetGroupArn=web.group, Attributes=sticky)
    fields = next(f for f in (web.ask()[2] for _ in range(2)) if "set-cookie" in f)
    assert TARGET.decode() in fields["set-cookie"]


def test_a_group_in_no_listener_is_not_in_use(web: Balanced) -> None:
    web.made()
    alone = web.target_group("alone")
    web.register("172.31.0.99", alone)
    assert web.health(alone) == [
        (
            "unused",
            "Target.NotInUse",
            "Target group is not configured to receive traffic from the load balancer",
        )
    ]
    web.elb.deregister_targets(TargetGroupArn=alone, Targets=[{"Id": "172.31.0.99"}])
    assert web.health(alone) == []
    web.elb.delete_target_group(TargetGroupArn=alone)


def test_a_moved_listener_answers_at_its_new_port(web: Balanced) -> None:
    web.opened().made().active()
    web.open(web.front, 8080)
    web.elb.modify_listener(ListenerArn=web.listener, Port=8080)
    assert web.ask(port=8080)[0] == 503
    assert [each["port"] for each in web.emulator.get("/_drydock/endpoints")["load_balancers"]] == [8080]
    web.elb.delete_listener(ListenerArn=web.listener)
    assert web.emulator.get("/_drydock/endpoints")["load_balancers"] == []


def test_requests_are_counted(web: Balanced) -> None:
    web.opened().made()
    web.register(web.task("blue")[1])
    web.active().until("healthy")
    for _ in range(5):
        web.ask()

    def counted() -> dict[str, int]:
        return dict(web.endpoint()["counted"])

    wait_until(lambda: counted().get("RequestCount") == 5, "five requests are counted", counted)
    assert counted()["HTTPCode_Target_2XX_Count"] == 5


def test_the_data_planes_process_dies(web: Balanced) -> None:
    web.opened().made()
    web.register(web.task("blue")[1])
    web.active().until("healthy")
    pid = _data_plane(web.emulator)
    os.kill(pid, signal.SIGKILL)
    assert web.ask()[1]["name"] == "blue"
    assert _data_plane(web.emulator) != pid
    assert web.health()[0][0] == "healthy"


def _data_plane(emulator: EmulatorProcess) -> int:
    """Its pid."""
    assert emulator.process is not None
    children = Path(f"/proc/{emulator.process.pid}/task/{emulator.process.pid}/children").read_text().split()
    commands = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return next(child for child, command in commands.items() if b"drydock.dataplane.child" in command)


def test_a_reset_takes_everything_away(web: Balanced, account: str) -> None:
    web.opened().made()
    web.register(web.task("blue")[1])
    web.active().until("healthy")
    web.emulator.get("/_drydock/reset", {"account": account})
    assert web.elb.describe_load_balancers()["LoadBalancers"] == []
    assert web.elb.describe_target_groups()["TargetGroups"] == []
    assert web.emulator.get("/_drydock/endpoints")["load_balancers"] == []


def test_listeners_outlive_a_kill(tmp_path: Path, account: str) -> None:
    with EmulatorProcess(tmp_path / "state", "--speed", "100") as emulator:

        def clients(service: str, **given: Any) -> Any:
            return emulator.client(service, **({"account": account} | given))

        web = Balanced(emulator, clients, account).opened().made()
        _, address = web.task("blue")
        web.register(address)
        web.active().until("healthy")
        before = web.endpoint()["url"]
        emulator.kill()
        emulator.start()
        again = Balanced.__new__(Balanced)
        again.__dict__ |= web.__dict__
        again.elb = emulator.client("elbv2", account=account)
        wait_until(
            lambda: emulator.get("/_drydock/endpoints")["load_balancers"],
            "its listener is there again",
            emulator.output,
        )
        url = again.endpoint()["url"]
        assert url == before or _taken(before), "it has another port, though the old one is free"
        assert again.state() == "active"
        wait_until(lambda: again.ask()[0] in (502, 504), "it answers for the task that has gone", again.health)
        assert [each["Target"]["Id"] for each in _targets(again)] == [address]
        assert emulator.faults() == []


def _taken(url: str) -> bool:
    """Somebody else on this machine has the port now (an emulator of another worker may)."""
    with socket.socket() as trial:
        return trial.connect_ex((str(urlsplit(url).hostname), urlsplit(url).port or 0)) == 0


def _targets(web: Balanced) -> list[dict[str, Any]]:
    found = web.elb.describe_target_health(TargetGroupArn=web.group)
    return list(found["TargetHealthDescriptions"])
