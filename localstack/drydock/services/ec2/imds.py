"""The instance metadata service at 169.254.169.254: who asks is known by the network and the address it asks from.

Version 2 (a token by PUT, then in every GET) always works; version 1 where the instance's options allow it. The hop limit
is not looked at: a container on the machine reaches what the machine reaches.

Source: "Use the Instance Metadata Service to access instance metadata".
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drydock.services.ec2 import metadata, user_data
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ec2.machines import Machines

ADDRESS = "169.254.169.254"
LONGEST = 21600
"""Real seconds that a token may live"""


@dataclass(frozen=True)
class Page:
    """An answer."""

    status: int
    body: bytes = b""
    kind: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


class Imds:
    """Of all machines."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines
        self._tokens: dict[str, tuple[str, float]] = {}
        """token -> (machine, the real time of its end)"""

    async def answer(self, method: str, path: str, headers: dict[str, str], network: str, peer: str) -> Page:
        """``headers`` with names in lower case."""
        found = self._machines.by_address(network, peer)
        if found is None:
            return _error(404, "Not Found")
        scope, machine = found
        if machine.endpoint == "disabled":
            return _error(403, "Forbidden")
        if method == "PUT" and path.rstrip("/") == "/latest/api/token":
            return self._token(machine.id, headers)
        if method not in ("GET", "HEAD"):
            return _error(405, "Method Not Allowed")
        token = headers.get("x-aws-ec2-metadata-token")
        if token is None and machine.tokens == "required":
            return _error(401, "Unauthorized")
        if token is not None and not self._is_valid(token, machine.id):
            return _error(401, "Unauthorized")
        return await self._page(scope, machine.id, [name for name in path.split("/") if name])

    def _token(self, machine_id: str, headers: dict[str, str]) -> Page:
        wanted = headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if "x-forwarded-for" in headers:
            return _error(403, "Forbidden")
        if not wanted.isdigit() or not 1 <= int(wanted) <= LONGEST:
            return _error(400, "Bad Request")
        now = time.time()
        self._tokens = {token: entry for token, entry in self._tokens.items() if entry[1] > now}
        token = secrets.token_urlsafe(39) + "=="
        self._tokens[token] = (machine_id, now + int(wanted))
        return Page(200, token.encode(), headers=(("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", wanted),))

    def _is_valid(self, token: str, machine_id: str) -> bool:
        owner, ends = self._tokens.get(token, ("", 0.0))
        return owner == machine_id and ends > time.time()

    async def _page(self, scope: Scope, machine_id: str, path: list[str]) -> Page:
        machine = self._machines.find(scope, machine_id)
        if machine is None or (path and path[0] not in metadata.VERSIONS):
            return _error(404, "Not Found")
        if not path:
            return Page(200, "\n".join(metadata.VERSIONS).encode())
        role = self._machines.roles.role(scope, machine)
        asks_for_keys = path[1:4] == ["meta-data", "iam", "security-credentials"]
        credentials = self._machines.roles.credentials(scope, machine, role) if role and asks_for_keys else None
        raw = await self._user_data(scope, machine_id) if path[1:2] in ([], ["user-data"]) else b""
        found = metadata.look_up(metadata.tree(scope, machine, raw, role.name if role else "", credentials), path[1:])
        if found is None:
            return _error(404, "Not Found")
        return Page(200, found, "application/octet-stream" if path[1:2] == ["user-data"] else "text/plain")

    async def _user_data(self, scope: Scope, machine_id: str) -> bytes:
        told = await self._machines.ask(scope, "ec2", "DescribeMachines", {"userDataOf": [machine_id]})
        encoded = next((m.get("user_data", "") for m in told["machines"] if m["id"] == machine_id), "")
        try:
            return user_data.raw(encoded)
        except user_data.BadUserData:
            return b""


def _error(status: int, title: str) -> Page:
    """As AWS's answers: a small page of XHTML."""
    text = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n'
        '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n <head>\n'
        f"  <title>{status} - {title}</title>\n </head>\n <body>\n  <h1>{status} - {title}</h1>\n </body>\n</html>\n"
    )
    return Page(status, text.encode(), "text/html")
