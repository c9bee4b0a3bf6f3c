"""SQS long polling on the emulator's side, because moto's own would keep its only thread waiting.

moto is asked to receive without waiting. If nothing came, the queue is looked at every half second of lab time (a
question, which is not journaled), and asked to receive again when it shows a message.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from drydock.moto_backend.wire import MotoRequest, MotoResponse

INTERVAL = 0.5
_WAIT = "WaitTimeSeconds"
_LOOK = ["ApproximateNumberOfMessages", "ReceiveMessageWaitTimeSeconds"]


async def receive(
    send: Callable[[MotoRequest], Awaitable[MotoResponse]],
    request: MotoRequest,
    sleep: Callable[[str, float], Awaitable[None]],
) -> MotoResponse:
    """Answer ReceiveMessage, waiting for up to WaitTimeSeconds (the queue's own if not given) of lab time."""
    params = parameters(request)
    wait = params.get(_WAIT)
    if wait is not None and not (str(wait).isdigit() and int(wait) <= 20):
        return await send(request)  # moto has the error for it
    now = request.now
    response = await send(with_parameters(request, {**params, _WAIT: 0}))
    if not is_empty(response) or (wait is not None and int(wait) == 0):
        return response
    visible, of_queue = await _look(send, request, params, now)
    end = now + (of_queue if wait is None else int(wait))
    while now < end:
        pause = min(INTERVAL, end - now)
        await sleep(request.account, pause)
        now += pause
        visible, _ = await _look(send, request, params, now)
        if visible:
            response = await send(replace(with_parameters(request, {**params, _WAIT: 0}), now=now))
            if not is_empty(response):
                return response
    return response


def parameters(request: MotoRequest) -> dict[str, Any]:
    """The request's parameters, in either of SQS's protocols."""
    if is_json(request):
        found: dict[str, Any] = json.loads(request.body or b"{}")
        return found
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def with_parameters(request: MotoRequest, params: dict[str, Any]) -> MotoRequest:
    """The same request with other parameters."""
    body = json.dumps(params) if is_json(request) else urlencode(params)
    return replace(request, body=body.encode())


def is_json(request: MotoRequest) -> bool:
    """Whether the client speaks SQS's JSON protocol (else its older query protocol)."""
    return any(name.lower() == "x-amz-target" for name, _ in request.headers)


def is_empty(response: MotoResponse) -> bool:
    """Whether a successful answer brings no message."""
    return response.status == 200 and b"ReceiptHandle" not in response.body


async def _look(
    send: Callable[[MotoRequest], Awaitable[MotoResponse]], request: MotoRequest, params: dict[str, Any], now: float
) -> tuple[int, int]:
    """How many messages the queue shows, and its own waiting time."""
    question = replace(
        request,
        operation="GetQueueAttributes",
        headers=[("Content-Type", "application/x-amz-json-1.0"), ("X-Amz-Target", "AmazonSQS.GetQueueAttributes")],
        body=json.dumps({"QueueUrl": params["QueueUrl"], "AttributeNames": _LOOK}).encode(),
        now=now,
    )
    response = await send(question)
    if response.status != 200:
        return 1, 0  # the queue went away: receiving once more gives the error
    attributes = json.loads(response.body)["Attributes"]
    return int(attributes[_LOOK[0]]), int(attributes[_LOOK[1]])
