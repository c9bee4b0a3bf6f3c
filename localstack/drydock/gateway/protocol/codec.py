"""One face over the protocols: :func:`parse` a request, :func:`write` an answer or :func:`write_error` an error."""

from __future__ import annotations

import json
from typing import Any

from drydock.errors import AwsError
from drydock.gateway.models import error_status, operation_model, service_model
from drydock.gateway.protocol import shapes
from drydock.gateway.wire import WireRequest, WireResponse

JSON, CBOR = "json", "smithy-rpc-v2-cbor"


def parse(service: str, operation: str, protocol: str, request: WireRequest, uri: dict[str, str]) -> dict[str, Any]:
    """The operation's parameters. Raises AwsError (SerializationException)."""
    if protocol == JSON:
        return shapes.parse_json(request.body, operation_model(service, operation).input_shape)
    if protocol == CBOR:
        return shapes.parse_cbor(request.body, operation_model(service, operation).input_shape)
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
    status = error.status or (error_status(service).get(error.code) if service else None) or 400
    if protocol in ("query", "ec2", "rest-xml") and service:
        from drydock.gateway.protocol import moto_wire

        known = operation or service_model(service).operation_names[0]  # the form is the same for all of a service
        response = moto_wire.write_error(service, known, protocol, error, request_id)
        response.status = status
        return response
    if protocol == CBOR:
        import cbor2

        body = cbor2.dumps({"__type": error.code, "message": error.message, **error.members})
        return WireResponse(status, body, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"})
    body = json.dumps({"__type": error.code, "message": error.message, **error.members}, default=str).encode()
    kind = json_type(service) if service else "application/x-amz-json-1.1"
    return WireResponse(status, body, {"Content-Type": kind, "x-amzn-ErrorType": error.code})


def json_type(service: str) -> str:
    """The content type of a JSON service."""
    metadata = service_model(service).metadata
    version = metadata.get("jsonVersion")
    return f"application/x-amz-json-{version}" if version else "application/json"
