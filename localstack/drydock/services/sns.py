"""The operations of SNS that would promise what nobody does; topics, queues' subscriptions and publishing are moto's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from drydock.errors import NotImplementedByDrydock
from drydock.request import Request
from drydock.services.service import Platform, Service

DELIVERED = ("sqs",)
_PROTOCOLS = ("application", "email", "email-json", "firehose", "http", "https", "lambda", "sms", *DELIVERED)


class Sns(Service):
    """``moto`` is the moto backend."""

    name = "sns"

    def __init__(
        self, platform: Platform, moto: Callable[[Request, str, dict[str, Any]], Awaitable[dict[str, Any]]]
    ) -> None:
        super().__init__(platform)
        self._moto = moto

    async def subscribe(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """A subscription, if something is delivered to it."""
        protocol = params["Protocol"]
        if protocol in _PROTOCOLS and protocol not in DELIVERED:
            raise NotImplementedByDrydock(
                "sns", "Subscribe", f"Nothing would be delivered by {protocol}: subscribe an SQS queue."
            )
        return await self._moto(request, "Subscribe", params)
