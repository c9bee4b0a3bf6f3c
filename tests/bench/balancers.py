"""Load balancers under load: ours, HAProxy (single-threaded) and nginx before the same two servers, in one run.

Ours is the data plane's process as the emulator starts it; connections to targets are made by the emulator's side of it and
passed. Rounds alternate. ``ab -r -c 500`` opens a connection for every request; ``wrk`` keeps 100 of them.
"""

from __future__ import annotations

import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.dataplane.rig import GROUP, Rig, configuration, forward, group
from tests.emulator_process import wait_until

PROGRAMS = ("ab", "wrk", "haproxy", "nginx")
TARGETS = (("127.0.10.1", 8001), ("127.0.10.2", 8001))
HOST = "127.0.11.1"
REQUESTS = 20_000
CONCURRENCY = 500
LEAST_RATE, MOST_P99 = 0.8, 1.5
"""Beside HAProxy's"""

_NGINX = """
worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/{name}-b; proxy_temp_path {folder}/{name}-p;
fastcgi_temp_path {folder}/{name}-f; scgi_temp_path {folder}/{name}-s; uwsgi_temp_path {folder}/{name}-u; {servers} }}
"""
_TARGET = 'server {{ listen {host}:{port} backlog=4096; location / {{ return 200 "hello from a target\\n"; }} }}'
_PROXY = """
upstream u {{ {servers} keepalive 512; keepalive_requests 100000000; }}
server {{ listen {host}:{port} backlog=4096; location / {{ proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_set_header X-Forwarded-For $remote_addr; }} }}
"""
_HAPROXY = """
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 10s
  option forwardfor
  http-reuse always
frontend f
  bind {host}:{port} backlog 4096
  default_backend b
backend b
{servers}
"""


def missing() -> list[str]:
    """Programs that are not there."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@contextmanager
def program(command: list[str], port: int, host: str) -> Iterator[None]:
    """Runs while it is needed; ready when its port answers."""
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(host, port), f"{command[0]} listens")
        yield
    finally:
        running.terminate()
        running.wait()


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def ours(port: int) -> Iterator[None]:
    """The data plane's process."""
    rig = Rig()
    targets = [(host, number, "healthy") for host, number in TARGETS]
    rig.configure(configuration([group(GROUP, *targets)], [{"conditions": [], "action": forward(GROUP)}]))
    rig.listen(HOST, port)
    try:
        yield
    finally:
        rig.close()


def ab(port: int) -> tuple[float, float, int]:
    """Requests per second, the 99th percentile in milliseconds, failed requests."""
    command = ["ab", "-q", "-r", "-c", str(CONCURRENCY), "-n", str(REQUESTS), f"http://{HOST}:{port}/"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(_found(r"Requests per second: +([0-9.]+)", told))
    failed = int(_found(r"Failed requests: +([0-9]+)", told))
    failed += int(re.search(r"Non-2xx responses: +([0-9]+)", told)[1]) if "Non-2xx" in told else 0  # type: ignore[index]
    return rate, float(_found(r"99% +([0-9]+)", told)), failed


def wrk(port: int) -> float:
    """Requests per second on connections that are kept."""
    command = ["wrk", "-t", "1", "-c", "100", "-d", "2", f"http://{HOST}:{port}/"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(_found(r"Requests/sec: +([0-9.]+)", told))


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def run(rounds: int) -> bool:
    """Prints the figures; whether they hold the bar."""
    if lacking := missing():
        print(
            f"load balancers: not measured, because {', '.join(lacking)} is missing (Debian: apache2-utils wrk haproxy nginx-light)"
        )
        return True
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        servers = "".join(_TARGET.format(host=host, port=port) for host, port in TARGETS)
        (folder / "targets.conf").write_text(_NGINX.format(folder=folder, name="targets", servers=servers))
        stack.enter_context(program(["nginx", "-c", str(folder / "targets.conf")], TARGETS[0][1], TARGETS[0][0]))
        upstream = "".join(f"server {host}:{port};" for host, port in TARGETS)
        proxy = _PROXY.format(servers=upstream, host=HOST, port=8103)
        (folder / "proxy.conf").write_text(_NGINX.format(folder=folder, name="proxy", servers=proxy))
        lines = "\n".join(f"  server s{number} {host}:{port}" for number, (host, port) in enumerate(TARGETS))
        (folder / "haproxy.cfg").write_text(_HAPROXY.format(host=HOST, port=8102, servers=lines))
        stack.enter_context(ours(8101))
        stack.enter_context(program(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], 8102, HOST))
        stack.enter_context(program(["nginx", "-c", str(folder / "proxy.conf")], 8103, HOST))
        return _measured({"drydock": 8101, "haproxy": 8102, "nginx": 8103}, rounds)


def _measured(ports: dict[str, int], rounds: int) -> bool:
    rates: dict[str, list[float]] = {}
    slow: dict[str, list[float]] = {}
    kept: dict[str, list[float]] = {}
    failed: dict[str, int] = dict.fromkeys(ports, 0)
    for _ in range(rounds):
        for name, port in ports.items():
            rate, p99, wrong = ab(port)
            rates.setdefault(name, []).append(rate)
            slow.setdefault(name, []).append(p99)
            failed[name] += wrong
            kept.setdefault(name, []).append(wrk(port))
    print(f"{'load balancer':<16}{'ab -r -c 500':>14}{'p99':>10}{'failed':>8}{'wrk -c 100':>14}")
    middle = statistics.median
    for name in ports:
        print(
            f"{name:<16}{middle(rates[name]):>10.0f}/s{middle(slow[name]):>8.0f} ms{failed[name]:>8}{middle(kept[name]):>12.0f}/s"
        )
    ratio = middle(rates["drydock"]) / middle(rates["haproxy"])
    tail = middle(slow["drydock"]) / middle(slow["haproxy"])
    holds = ratio >= LEAST_RATE and tail <= MOST_P99 and not failed["drydock"]
    print(
        f"beside HAProxy: rate {ratio:.2f} (at least {LEAST_RATE}), p99 {tail:.2f} (at most {MOST_P99}), "
        f"{failed['drydock']} failed (none): {'holds' if holds else 'DOES NOT HOLD'}"
    )
    return holds


if __name__ == "__main__":
    sys.exit(0 if run(3) else 1)
