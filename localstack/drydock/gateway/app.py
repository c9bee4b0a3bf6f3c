"""The ASGI application: lets requests in, finds out what they mean and who asks, and has them answered.

A request goes through: host check, size and time limits, recognition, identity, parsing, authorisation, validation, the
service's method, commit, answer. What AWS lacks is UnknownOperationException, what we lack is 501, and whatever goes
wrong in our own code is a 500 in the protocol's form with the traceback in the log only.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import re
import sqlite3
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any

from drydock.errors import AccessDenied, AwsError, NotImplementedByDrydock
from drydock.gateway import data_channels, models
from drydock.gateway.detect import Detected, detect, exists
from drydock.gateway.hosts import AllowedHosts
from drydock.gateway.protocol import codec
from drydock.gateway.protocol.validation import require, validate
from drydock.gateway.wire import WireRequest, WireResponse
from drydock.request import Request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
log = logging.getLogger(__name__)

LARGEST_BODY = 16 << 20
LARGEST_OBJECT = 256 << 20
"""Of an S3 object in one request, bytes"""
LARGEST_XML = 4 << 20
"""Of S3's other operations; the parsed tree takes a hundred times its bytes in memory"""
BODY_TIMEOUT = 30.0
"""Real seconds that a client may be silent while it sends a body"""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What may not stand in a header; S3 lets clients say what some headers of its answer are"""
ADMIN_PREFIXES = ("/_drydock/", "/_localstack/", "/moto-api/")


class TooLarge(Exception):
    """The body is larger than we take."""


class Gateway:
    """One per emulator; ``house`` is the :class:`drydock.emulator.Emulator`."""

    def __init__(self, house: Any, hosts: AllowedHosts) -> None:
        self._house = house
        self._admin: Callable[[Scope, Receive, Send], Awaitable[None]] | None = None
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] not in ("http", "websocket"):
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(headers)
        if scope["type"] == "websocket":
            if refusal:
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
            else:
                await data_channels.serve(self._house.sessions, scope, receive, send)
            return
        if refusal:
            refusal.headers["Connection"] = "close"  # the body is not read
            await respond(send, refusal)
            return
        if scope["path"].startswith(ADMIN_PREFIXES):
            if self._admin is None:
                from drydock.gateway.admin import admin_app  # a tenth of a second that AWS's API need not wait for

                self._admin = admin_app(self._house)
            await self._admin(scope, receive, send)
            return
        try:
            body = await read_body(receive, headers, largest_body(scope["method"], headers))
        except TooLarge:
            refusal = plain(413, "RequestEntityTooLarge", "The request is larger than 16 MiB (an S3 object: 256 MiB).")
            refusal.headers["Connection"] = "close"
            await respond(send, refusal)
            return
        except TimeoutError:
            refusal = plain(408, "RequestTimeout", "The client was silent for too long while sending its request.")
            refusal.headers["Connection"] = "close"
            await respond(send, refusal)
            return
        except ConnectionError:
            return
        request = WireRequest(
            scope["method"],
            scope["raw_path"].decode("latin-1").partition("?")[0],
            scope["query_string"].decode("latin-1"),
            headers,
            body,
            (scope.get("client") or ("127.0.0.1", 0))[0],
            tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
        )
        await respond(send, await self.answer(request))

    def _refusal(self, headers: dict[str, str]) -> WireResponse | None:
        if not self._hosts.admits(headers.get("host", "")):
            return plain(
                403, "ForbiddenHost", "This host name is not served. Use localhost, or serve --allow-host NAME."
            )
        origin = headers.get("origin")
        if origin is not None and not self._hosts.admits_origin(origin):
            return plain(403, "ForbiddenOrigin", "Pages of other origins may not use the emulator.")
        return None

    async def answer(self, wire: WireRequest) -> WireResponse:
        """Whatever comes in, an answer in the protocol's form."""
        request_id = str(uuid.uuid4())
        detected = Detected(None, None, "", "", "")
        try:
            detected = detect(wire)
            response = await self._answer(wire, detected, request_id)
        except AwsError as error:
            if isinstance(error, AccessDenied):
                log.info("denied: %s", error.message)
            response = codec.write_error(detected.service, known(detected), detected.protocol, error, request_id)
        except sqlite3.OperationalError as error:
            log.error("the state could not be written: %s", error)
            full = AwsError("ServiceUnavailable", f"Drydock could not write its state: {error}.", status=503)
            response = codec.write_error(detected.service, known(detected), detected.protocol, full, request_id)
        except Exception:
            log.exception("%s:%s failed", detected.service, detected.operation)
            ours = AwsError("InternalFailure", "An internal error of Drydock; its log has the details.", status=500)
            response = codec.write_error(detected.service, known(detected), detected.protocol, ours, request_id)
        response.headers.setdefault("x-amzn-RequestId", request_id)
        return response

    async def _answer(self, wire: WireRequest, detected: Detected, request_id: str) -> WireResponse:
        service, operation = detected.service, detected.operation
        if service is None:
            raise AwsError("UnknownOperationException", "No AWS service is recognised in this request.", status=400)
        if operation is None or not exists(service, operation):
            raise AwsError("UnknownOperationException", f"{service} has no such operation: {operation}.", status=400)
        principal = self._house.identity.principal(wire, detected)
        if service in models.LACKING:
            raise NotImplementedByDrydock(service, operation, "This service is not part of Drydock yet.")
        if len(wire.body) > LARGEST_XML and service == "s3" and not models.takes_object(operation):
            raise AwsError("MaxMessageLengthExceeded", "Your request was too big.", status=400)
        request = Request(service, operation, detected.region, principal, request_id, wire.source_ip, wire.headers)
        params = codec.parse(service, operation, detected.protocol, wire, detected.uri)
        self._house.authorizer.check(request, params)
        if service in models.FROM_MOTO and not self._house.has_own(service, operation):
            require(service, operation, params)
            return with_id(await self._house.moto_answer(request, wire), request_id)
        validate(service, operation, params)
        result = self._house.services[service].operation(operation)(request, params)
        if inspect.isawaitable(result):
            result = await result
        self._house.store.commit()
        response = codec.write(service, operation, detected.protocol, result or {}, request_id)
        response.headers["x-drydock-lab-time"] = f"{self._house.clocks.of(principal.account).now():.3f}"
        return response


def with_id(response: WireResponse, request_id: str) -> WireResponse:
    """moto gives all its answers in XML the same request id, at their beginning or their end."""
    for start, end in ((0, 400), (max(len(response.body) - 400, 0), len(response.body))):
        part = response.body[start:end]
        if b">request-id</" in part:
            named = part.replace(b">request-id</", f">{request_id}</".encode(), 1)
            response.body = response.body[:start] + named + response.body[end:]
            break
    return response


def known(detected: Detected) -> str | None:
    """The operation, if AWS has it: its error form needs its model."""
    if detected.service and detected.operation in models.operation_names(detected.service):
        return detected.operation
    return None


def largest_body(method: str, headers: dict[str, str]) -> int:
    """Bytes that are taken: much only where it may be an S3 object."""
    form = method == "POST" and "x-www-form-urlencoded" in headers.get("content-type", "")
    return LARGEST_BODY if form or "x-amz-target" in headers or "smithy-protocol" in headers else LARGEST_OBJECT


async def read_body(receive: Receive, headers: dict[str, str], largest: int) -> bytes:
    """All of it. Raises TooLarge, TimeoutError, or ConnectionError if the client went away."""
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) > largest:
        raise TooLarge
    chunks, size = [], 0
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(BODY_TIMEOUT) as patience:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            if chunk := message.get("body", b""):
                patience.reschedule(loop.time() + BODY_TIMEOUT)
                chunks.append(chunk)
                size += len(chunk)
                if size > largest:
                    raise TooLarge
            if not message.get("more_body"):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def plain(status: int, code: str, message: str) -> WireResponse:
    """An error outside any protocol."""
    body = json.dumps({"__type": code, "message": message}).encode()
    return WireResponse(status, body, {"Content-Type": "application/json"})


async def respond(send: Send, response: WireResponse) -> None:
    """Send it whole."""
    headers = [
        (name.encode("latin-1"), _CONTROL.sub(" ", value).encode("latin-1", "replace"))
        for name, value in response.headers.items()
    ]
    names = {name.lower() for name in response.headers}
    if "content-length" not in names:
        headers.append((b"content-length", str(len(response.body)).encode()))
    if "date" not in names:
        headers.append((b"date", formatdate(usegmt=True).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
