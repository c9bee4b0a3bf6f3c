"""What the tests of load balancers need again and again: subnets, groups, a load balancer, targets that answer."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import PYTHON, Story, id_of

Clients = Callable[..., Any]
ECHO = r"""
import http.server, json, sys, socket
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    healthy = True
    def do_GET(self):
        size = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(size).decode()
        told = {"name": sys.argv[1], "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                "method": self.command, "body": body, "peer": self.client_address[0]}
        status = 200
        if self.path == "/break": Echo.healthy = False
        if self.path == "/mend": Echo.healthy = True
        if self.path == "/health" and not Echo.healthy: status = 500
        text = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(text)
    do_POST = do_HEAD = do_PUT = do_GET
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
Server(("", int(sys.argv[2])), Echo).serve_forever()
"""


class Balanced:
    """One account's load balancer, ``web``, and its target group."""

    def __init__(self, emulator: EmulatorProcess, aws: Clients, account: str) -> None:
        self.emulator, self.aws = emulator, aws
        self.elb, self.ec2 = aws("elbv2"), aws("ec2")
        self.ecs = Story(aws, account)
        self.subnets = self.ec2.describe_subnets()["Subnets"]
        self.vpc = self.subnets[0]["VpcId"]
        self.front = self.security_group("front")
        self.back = self.security_group("back")
        self.arn = self.dns = self.group = self.listener = ""
        self._headers: dict[str, str] = {}

    def security_group(self, name: str) -> str:
        found = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        return str(found["GroupId"])

    def open(self, group: str, port: int, source: str = "0.0.0.0/0") -> None:
        """A rule of ingress, from a range or from a group."""
        pairs = {"UserIdGroupPairs": [{"GroupId": source}]} if source.startswith("sg-") else {}
        ranges = {} if pairs else {"IpRanges": [{"CidrIp": source}]}
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **pairs, **ranges}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def opened(self) -> Balanced:
        """The rules that there must be."""
        self.open(self.front, 80)
        self.open(self.back, 8000, self.front)
        return self

    def made(self, **given: Any) -> Balanced:
        """Load balancer, target group and listener; returns at once."""
        names = [subnet["SubnetId"] for subnet in self.subnets[:2]]
        base = {"Name": "web", "Subnets": names, "SecurityGroups": [self.front]}
        found = self.elb.create_load_balancer(**(base | given))["LoadBalancers"][0]
        self.arn, self.dns = found["LoadBalancerArn"], found["DNSName"]
        self.group = self.target_group("web")
        self.listener = self.listen(80, self.group)
        return self

    def target_group(self, name: str, **given: Any) -> str:
        base = {
            "Name": name, "Protocol": "HTTP", "Port": 8000, "VpcId": self.vpc, "TargetType": "ip", "HealthCheckPath": "/health",
            "HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 2,
        }  # fmt: skip
        return str(self.elb.create_target_group(**(base | given))["TargetGroups"][0]["TargetGroupArn"])

    def listen(self, port: int, group: str) -> str:
        action = {"Type": "forward", "TargetGroupArn": group}
        made = self.elb.create_listener(LoadBalancerArn=self.arn, Protocol="HTTP", Port=port, DefaultActions=[action])
        return str(made["Listeners"][0]["ListenerArn"])

    def active(self) -> Balanced:
        wait_until(lambda: self.state() == "active", "the load balancer is active", self.state)
        return self

    def state(self) -> str:
        found = self.elb.describe_load_balancers(LoadBalancerArns=[self.arn])["LoadBalancers"][0]
        return str(found["State"]["Code"])

    # -- targets
    def task(self, name: str, port: int = 8000, **container: Any) -> tuple[str, str]:
        """A task that says its name; its ARN and address."""
        base = {
            "image": PYTHON, "command": ["python", "-c", ECHO, name, str(port)], "portMappings": [{"containerPort": port}],
        }  # fmt: skip
        network = {"subnets": [self.subnets[0]["SubnetId"]], "securityGroups": [self.back], "assignPublicIp": "ENABLED"}
        arn = self.ecs.run(self.ecs.register(base | container), networkConfiguration={"awsvpcConfiguration": network})
        return arn, str(self.ecs.until(arn)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"])

    def register(self, address: str, group: str = "", **given: Any) -> None:
        self.elb.register_targets(TargetGroupArn=group or self.group, Targets=[{"Id": address, **given}])

    def health(self, group: str = "", **given: Any) -> list[tuple[str, str, str]]:
        """State, reason and description of each target."""
        found = self.elb.describe_target_health(TargetGroupArn=group or self.group, **given)
        healths = [each["TargetHealth"] for each in found["TargetHealthDescriptions"]]
        return [(h["State"], h.get("Reason", ""), h.get("Description", "")) for h in healths]

    def until(self, state: str, reason: str = "", group: str = "") -> None:
        """All targets are so."""
        wait_until(
            lambda: {each[:2] for each in self.health(group)} == {(state, reason)},
            f"targets are {state} {reason}",
            lambda: self.health(group),
        )

    # -- requests
    def endpoint(self, port: int = 80, dns: str = "") -> dict[str, Any]:
        """Where this machine reaches a listener."""
        found = self.emulator.get("/_drydock/endpoints")["load_balancers"]
        return dict(next(e for e in found if (e["dns"], e["port"]) == (dns or self.dns, port)))

    def ask(
        self,
        path: str = "/",
        method: str = "GET",
        body: bytes | None = None,
        port: int = 80,
        url: str = "",
        **headers: str,
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body (the echo's document if it is one) and fields of an answer."""
        place = urlsplit(url or self.endpoint(port)["url"])
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
        try:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            text = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text), found
        except ValueError:
            return answer.status, text.decode(), found


__all__ = ["Balanced", "id_of"]
