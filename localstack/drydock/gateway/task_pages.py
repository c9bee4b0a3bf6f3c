"""What ECS tells containers about themselves, as an HTTP application: metadata and credentials."""

from __future__ import annotations

import json
import logging

from drydock.gateway.app import Receive, Scope, Send, respond
from drydock.gateway.wire import WireResponse
from drydock.services.ecs.identities import Identities

log = logging.getLogger(__name__)


class TaskPages:
    """Of one network (a VPC); its peers are the tasks in it. ``network`` is empty where nobody can tell who asks."""

    def __init__(self, identities: Identities, network: str) -> None:
        self._identities = identities
        self._network = network

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http":
            return
        if scope["method"] != "GET":
            await respond(send, WireResponse(405))
            return
        peer = (scope.get("client") or ("", 0))[0]
        try:
            status, document = await self._identities.answer(scope["path"], self._network, peer)
        except Exception:
            log.exception("a container's question failed")
            status, document = 500, {"error": "internal error"}
        await respond(send, WireResponse(status, json.dumps(document).encode(), {"Content-Type": "application/json"}))
