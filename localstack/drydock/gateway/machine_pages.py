"""The instance metadata service, as an HTTP application."""

from __future__ import annotations

import logging

from drydock.gateway.app import Receive, Scope, Send, respond
from drydock.gateway.wire import WireResponse
from drydock.services.ec2.imds import Imds, Page

log = logging.getLogger(__name__)


class MachinePages:
    """Of one network (a VPC); its peers are the machines in it."""

    def __init__(self, imds: Imds, network: str) -> None:
        self._imds = imds
        self._network = network

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        peer = (scope.get("client") or ("", 0))[0]
        try:
            page = await self._imds.answer(scope["method"], scope["path"], headers, self._network, peer)
        except Exception:
            log.exception("a machine's question failed")
            page = Page(500)
        answer = WireResponse(
            page.status, page.body, {"Content-Type": page.kind, "Server": "EC2ws", **dict(page.headers)}
        )
        await respond(send, answer)
