"""A machine's programs are reached at its public address, as far as security groups and routes let anybody in."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from typing import Any

from tests.emulator_process import wait_until
from tests.services.ec2.yard import Yard

SERVER = """cat > /serve.py <<'P'
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[2].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer((sys.argv[3], int(sys.argv[1])), Page).serve_forever()
P
"""


def serving(port: int, text: str, host: str = "''") -> str:
    return f"python3 /serve.py {port} {text} {host} &\n"


def group(yard: Yard, *ports: int) -> str:
    """A security group that lets everybody in at these ports."""
    made = yard.ec2.create_security_group(GroupName="open", Description="open")["GroupId"]
    for port in ports:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        yard.ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[rule])
    return str(made)


def page(url: str) -> str:
    """Its text, or why there is none."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return str(answer.read().decode())
    except urllib.error.URLError as error:
        return str(error.reason)
    except OSError as error:
        return str(error)


def test_a_program_is_reached_at_the_public_address(yard: Yard) -> None:
    script = SERVER + serving(8081, "one") + serving(8082, "two")
    both = [yard.booted(script, SecurityGroupIds=[group(yard, 8081)])[0]]
    address = yard.describe(both[0])["PublicIpAddress"]
    wait_until(lambda: page(f"http://{address}:8081/") == "one", "it answers", lambda: page(f"http://{address}:8081/"))
    closed = f"http://{address}:8082/"  # refused until the program listens
    wait_until(lambda: "timed out" in page(closed), "nobody is let in there", lambda: page(closed))
    yard.ec2.terminate_instances(InstanceIds=both)
    yard.until(both[0], "terminated")
    assert "refused" in page(f"http://{address}:8081/")


def test_two_machines_may_use_the_same_port(yard: Yard) -> None:
    wanted = group(yard, 8081)
    machines = [yard.booted(SERVER + serving(8081, text), SecurityGroupIds=[wanted])[0] for text in ("one", "two")]
    for machine, text in zip(machines, ("one", "two"), strict=True):
        address = yard.describe(machine)["PublicIpAddress"]
        wait_until(lambda at=address, text=text: page(f"http://{at}:8081/") == text, f"{text} answers")


def test_who_listens_to_itself_only_is_not_reached(yard: Yard) -> None:
    script = SERVER + serving(8081, "open") + serving(8082, "closed", "127.0.0.1")
    machine, _ = yard.booted(script, SecurityGroupIds=[group(yard, 8081, 8082)])
    address = yard.describe(machine)["PublicIpAddress"]
    wait_until(lambda: page(f"http://{address}:8081/") == "open", "it answers")
    assert "refused" in page(f"http://{address}:8082/")


def test_a_program_that_ends_and_one_that_comes(yard: Yard) -> None:
    script = SERVER + "(python3 /serve.py 8081 first '' & sleep 2; kill $!; wait; python3 /serve.py 8082 second '') &"
    machine, _ = yard.booted(script, SecurityGroupIds=[group(yard, 8081, 8082)])
    address = yard.describe(machine)["PublicIpAddress"]
    wait_until(lambda: page(f"http://{address}:8082/") == "second", "the second answers")
    wait_until(lambda: "refused" in page(f"http://{address}:8081/"), "the first is gone")


def test_an_address_that_moves(yard: Yard) -> None:
    machine, _ = yard.booted(SERVER + serving(8081, "moved"), SecurityGroupIds=[group(yard, 8081)])
    before = yard.describe(machine)["PublicIpAddress"]
    wait_until(lambda: page(f"http://{before}:8081/") == "moved", "it answers")
    allocated: dict[str, Any] = yard.ec2.allocate_address(Domain="vpc")
    yard.ec2.associate_address(InstanceId=machine, AllocationId=allocated["AllocationId"])
    wait_until(lambda: page(f"http://{allocated['PublicIp']}:8081/") == "moved", "it answers there")
    assert "refused" in page(f"http://{before}:8081/")


def test_the_public_addresses_are_this_computer_s_own(yard: Yard) -> None:
    address = yard.until(yard.launch())["PublicIpAddress"]
    with socket.socket() as probe:
        probe.bind((address, 0))


def test_they_are_listed(yard: Yard, emulator: Any) -> None:
    machine, _ = yard.booted(SERVER + serving(8081, "x"), SecurityGroupIds=[group(yard, 8081)])
    address = yard.describe(machine)["PublicIpAddress"]

    def listed() -> Any:
        return emulator.get("/_drydock/endpoints")["addresses"].get(address)

    assert wait_until(listed, "it is listed") == {"8081": f"http://{address}:8081"}
