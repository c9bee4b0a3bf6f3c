"""URLs that reach what runs on the target, from this machine."""

from __future__ import annotations

from labkit import target as targets
from labkit.errors import LabError


def url(dns_or_target: str, port: int = 80, path: str = "/") -> str:
    """For a load balancer's DNSName or an address: works in a browser, curl, requests and ab on this machine.

    On AWS ``http://<DNSName>``; on the emulator wherever it listens for that name. Raises LabError if nothing does.
    """
    target = targets.current()
    path = path if path.startswith("/") else f"/{path}"
    if target.is_drydock:
        for entry in target.ask("/_drydock/endpoints")["load_balancers"]:
            if (entry["dns"], entry["port"]) == (dns_or_target, port):
                return str(entry["url"]).rstrip("/") + path
        if dns_or_target.endswith(".localhost"):
            raise LabError(
                f"No listener of {dns_or_target} is on port {port}.", "Look at describe_listeners, or wait until it is."
            )
    scheme = "https" if port == 443 else "http"
    shown = "" if port in (80, 443) else f":{port}"
    return f"{scheme}://{dns_or_target}{shown}{path}"
