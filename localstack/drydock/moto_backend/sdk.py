"""Calls moto as an SDK would: botocore's serialisers and parsers, cached, without a client. Imported late."""

from __future__ import annotations

import functools
import io
from typing import Any

import botocore.parsers
import botocore.serialize
from botocore.compat import HTTPHeaders
from botocore.model import OperationModel
from botocore.utils import percent_encode_sequence

from drydock.botocore_models import service_model
from drydock.errors import AwsError
from drydock.moto_backend.wire import MotoRequest, MotoResponse


@functools.cache
def _operation(service: str, operation: str) -> OperationModel:
    return service_model(service).operation_model(operation)


@functools.cache
def _serializer(service: str) -> Any:
    protocol = service_model(service).resolved_protocol
    return botocore.serialize.create_serializer(protocol, include_validation=False)


@functools.cache
def _parser(service: str) -> Any:
    return botocore.parsers.create_parser(service_model(service).resolved_protocol)


def request(service: str, operation: str, params: dict[str, Any], account: str, region: str, now: float) -> MotoRequest:
    """The request for an operation, as it would go over the wire. S3 by path."""
    serialised = _serializer(service).serialize_to_request(params, _operation(service, operation))
    query = serialised["query_string"]
    if isinstance(query, dict):
        query = percent_encode_sequence(query)
    body, headers = serialised["body"], dict(serialised["headers"])
    if isinstance(body, dict):
        body = percent_encode_sequence(body)
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
    if isinstance(body, str):
        body = body.encode()
    path = serialised["url_path"] + (("&" if "?" in serialised["url_path"] else "?") + query if query else "")
    return MotoRequest(
        method=serialised["method"],
        url=f"http://{service_model(service).endpoint_prefix}.{region}.amazonaws.com{path}",
        headers=[(name, str(value)) for name, value in headers.items()],
        body=bytes(body or b""),
        account=account,
        region=region,
        service=service,
        operation=operation,
        now=now,
    )


def result(service: str, operation: str, response: MotoResponse) -> dict[str, Any]:
    """The output of an operation. Raises AwsError for an error that AWS models."""
    shape = _operation(service, operation)
    streams = shape.has_streaming_output and response.status < 300  # the parser would decode plain bytes as text
    parsed: dict[str, Any] = _parser(service).parse(
        {
            "status_code": response.status,
            "headers": HTTPHeaders.from_pairs(response.headers),
            "body": io.BytesIO(response.body) if streams else response.body,
        },
        shape.output_shape,
    )
    if streams:
        parsed[shape.output_shape.serialization["payload"]] = response.body
    if response.status >= 300:
        error = parsed.get("Error", {})
        raise AwsError(error.get("Code") or str(response.status), error.get("Message", ""), response.status)
    parsed.pop("ResponseMetadata", None)
    return parsed
