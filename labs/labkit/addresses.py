"""URLs that reach what runs on the target, from this machine."""

from __future__ import annotations

import time
from typing import Any

from labkit import target as targets
from labkit.errors import LabError
from labkit.sessions import client
from labkit.target import Target

PORT_OPENS_WITHIN = 10.0
"""Real seconds: the emulator opens a task's ports just after its containers have started"""
LOOK_EVERY = 0.05


def url(dns_or_target: str, port: int = 80, path: str = "/") -> str:
    """For a load balancer's DNSName, a public address, or a task's ARN: works in a browser, curl, requests and ab on this machine.

    On AWS ``http://<DNSName>`` or the task's public address; on the emulator wherever it listens for that name or task.
    Raises LabError if nothing does.
    """
    target = targets.current()
    path = path if path.startswith("/") else f"/{path}"
    if ":task/" in dns_or_target:
        return _of_task(target, dns_or_target, port) + path
    if target.is_drydock:
        endpoints = target.ask("/_drydock/endpoints")
        if ports := endpoints["addresses"].get(dns_or_target):
            if str(port) not in ports:
                raise LabError(
                    f"Nothing leads to port {port} of {dns_or_target}.",
                    "Is it a containerPort in the definition's portMappings?",
                )
            return str(ports[str(port)]) + path
        for entry in endpoints["load_balancers"]:
            if (entry["dns"], entry["port"]) == (dns_or_target, port):
                return str(entry["url"]).rstrip("/") + path
        if dns_or_target.endswith(".localhost"):
            raise LabError(
                f"No listener of {dns_or_target} is on port {port}.", "Look at describe_listeners, or wait until it is."
            )
    return _plain(dns_or_target, port) + path


def _plain(host: str, port: int) -> str:
    scheme = "https" if port == 443 else "http"
    return f"{scheme}://{host}" + ("" if port in (80, 443) else f":{port}")


def _of_task(target: Target, arn: str, port: int) -> str:
    task = _described(arn)
    status = task["lastStatus"]
    if status != "RUNNING":
        raise LabError(f"The task is {status}, so it answers nobody.", "Wait until it is RUNNING.")
    if target.is_drydock:
        return _forwarded(target, arn, port)
    for container in task["containers"]:
        for binding in container.get("networkBindings", []):
            if binding.get("containerPort") == port:
                return _plain("127.0.0.1", binding["hostPort"])
    return _plain(_public_address(task), port)


def _described(arn: str) -> dict[str, Any]:
    cluster = arn.split("/")[1]
    found = client("ecs").describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
    if not found:
        raise LabError(f"There is no task {arn}.", "A stopped task is forgotten after about an hour.")
    return dict(found[0])


def _forwarded(target: Target, arn: str, port: int) -> str:
    """Where the emulator forwards to a port that the task definition declares."""
    patience = time.monotonic() + PORT_OPENS_WITHIN
    while True:
        ports = target.ask("/_drydock/endpoints")["tasks"].get(arn.rpartition("/")[2], {})
        if str(port) in ports:
            return str(ports[str(port)])
        if time.monotonic() > patience:
            raise LabError(
                f"Nothing leads to port {port} of the task.", "Is it a containerPort in the definition's portMappings?"
            )
        time.sleep(LOOK_EVERY)


def _public_address(task: dict[str, Any]) -> str:
    details = {pair["name"]: pair["value"] for each in task["attachments"] for pair in each["details"]}
    interface = details.get("networkInterfaceId", "")
    found = client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    address = found[0].get("Association", {}).get("PublicIp")
    if not address:
        raise LabError("The task has no public address.", "Run it with assignPublicIp ENABLED in a public subnet.")
    return str(address)
