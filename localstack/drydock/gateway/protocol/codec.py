"""One face over the protocols: :func:`parse` a request, :func:`write` an answer or :func:`write_error` an error."""

from __future__ import annotations

import json
from typing import Any

from drydock.errors import AwsError
from drydock.gateway.models import error_name, error_status, operation_model, service_model, speaks_query_too
from drydock.gateway.protocol import shapes
from drydock.gateway.wire import WireRequest, WireResponse

JSON, CBOR = "json", "smithy-rpc-v2-cbor"
ANY_NUMBER = ("PutMetricData",)
"""Operations that say themselves what is wrong with NaN and infinity"""


def parse(service: str, operation: str, protocol: str, request: WireRequest, uri: dict[str, str]) -> dict[str, Any]:
    """The operation's parameters. Raises AwsError (SerializationException)."""
    if protocol == JSON:
        return shapes.parse_json(
            request.content, operation_model(service, operation).input_shape, operation in ANY_NUMBER
        )
    if protocol == CBOR:
        return shapes.parse_cbor(
            request.content, operation_model(service, operation).input_shape, operation in ANY_NUMBER
        )
    from drydock.gateway.protocol import moto_wire

    return moto_wire.parse(service, operation, protocol, request, uri)


def write(service: str, operation: str, protocol: str, result: dict[str, Any], request_id: str) -> WireResponse:
    """A successful answer."""
    if protocol == JSON:
        body = shapes.write_json(result, operation_model(service, operation).output_shape)
        return WireResponse(200, body, {"Content-Type": json_type(service)})
    if protocol == CBOR:
        body = shapes.write_cbor(result, operation_model(service, operation).output_shape)
        return WireResponse(200, body, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"})
    from drydock.gateway.protocol import moto_wire

    return moto_wire.write(service, operation, protocol, result, request_id)


def write_error(
    service: str | None, operation: str | None, protocol: str, error: AwsError, request_id: str
) -> WireResponse:
    """An error in the form of the protocol, whatever is known of the request."""
    name, code = error_name(service, error.code) if service else (error.code, error.code)
    status = error.status or (error_status(service).get(code) if service else None) or 400
    if protocol in ("query", "ec2", "rest-xml") and service:
        from drydock.gateway.protocol import moto_wire

        known = operation or service_model(service).operation_names[0]  # the form is the same for all of a service
        plain = AwsError(code, error.message, error.status, **error.members)
        response = moto_wire.write_error(service, known, protocol, plain, request_id)
        response.status = status
        return response
    headers, told = {}, {"__type": error.code, "message": error.message, **error.members}
    if service and speaks_query_too(service):  # a client finds the code of the query protocol in the header
        headers["x-amzn-query-error"] = f"{code};{'Receiver' if status >= 500 else 'Sender'}"
        told["__type"] = name
    if protocol == CBOR:
        import cbor2

        return WireResponse(
            status, cbor2.dumps(told), {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", **headers}
        )
    kind = json_type(service) if service else "application/x-amz-json-1.1"
    body = json.dumps(told, default=str).encode()
    return WireResponse(status, body, {"Content-Type": kind, "x-amzn-ErrorType": told["__type"], **headers})


def json_type(service: str) -> str:
    """The content type of a JSON service."""
    metadata = service_model(service).metadata
    version = metadata.get("jsonVersion")
    return f"application/x-amz-json-{version}" if version else "application/json"
