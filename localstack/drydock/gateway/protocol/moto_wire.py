"""The query, EC2 and REST protocols through moto's parser and serializer.

Only the few modules of moto that speak the wire are loaded, and only when the first such request comes: importing the
package itself would bring boto3, requests and all of moto's machinery (a quarter of a second and 20 MB), which the
emulator never needs. So ``moto`` and ``moto.core`` are put in place as bare packages whose ``__init__`` does not run.
The real moto lives in a process of its own (``moto_backend``).
"""

from __future__ import annotations

import bisect
import functools
import importlib
import importlib.util
import json
import math
import re
import sys
import warnings
from datetime import UTC, datetime
from typing import Any

from drydock.errors import AwsError
from drydock.gateway.protocol.shapes import malformed
from drydock.gateway.protocol.validation import malformed_xml
from drydock.gateway.wire import WireRequest, WireResponse

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What no XML may hold, not even escaped: an error that quotes it could not be read"""


@functools.cache
def _moto(module: str) -> Any:
    for name in ("moto", "moto.core"):
        if name not in sys.modules:
            spec = importlib.util.find_spec(name)
            assert spec is not None, f"{name} is not installed"
            sys.modules[name] = importlib.util.module_from_spec(spec)  # made, not executed
    return importlib.import_module(f"moto.core.{module}")


class _Values(dict[str, Any]):
    """The little of werkzeug's MultiDict that moto's parser asks for."""

    def __init__(self, lists: dict[str, list[str]]) -> None:
        super().__init__({key: values[0] for key, values in lists.items()})
        self._lists = lists

    def getlist(self, key: str) -> list[str]:
        """All values of a key."""
        return self._lists.get(key, [])

    def to_dict(self, flat: bool = True) -> dict[str, Any]:
        """All keys, with one value or all of them."""
        return dict(self) if flat else dict(self._lists)

    def lists(self) -> Any:
        """Pairs of key and all its values."""
        return self._lists.items()


class _Headers(dict[str, str]):
    """Header look-up that does not mind the case."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.lower(), default)

    def __getitem__(self, key: str) -> str:
        return super().__getitem__(key.lower())

    def __contains__(self, key: object) -> bool:
        return super().__contains__(str(key).lower())


@functools.cache
def _model(service: str, operation: str) -> Any:
    return _moto("utils").get_service_model(service).operation_model(operation)


def parse(service: str, operation: str, protocol: str, request: WireRequest, uri: dict[str, str]) -> dict[str, Any]:
    """Parameters of a request. Raises AwsError (SerializationException)."""
    lists = dict(request.arguments)
    if protocol in ("query", "ec2"):
        lists |= {key: [value] for key, value in request.form.items()}
    wire = {
        "method": request.method,
        "values": _Values(lists),
        "headers": _Headers(request.headers),
        "body": request.body,
        "url_path": request.decoded_path,
        "url_params": uri,
    }
    model = _model(service, operation)
    try:
        if protocol == "rest-json":
            _check_json(request.body, model)
        parser = _parser(protocol)(model)
        parser.sorted_keys = sorted(lists)
        return _settled(dict(parser.parse(wire)))
    except Exception as error:  # whatever hostile input brings out of the parser, it is the input's fault
        if protocol == "rest-xml":
            raise malformed_xml() from error
        raise malformed("The request cannot be read as the operation's input.") from error


@functools.cache
def _parser(protocol: str) -> Any:
    """moto's parser class. Whether a form has anything under a prefix is found by bisection: moto's own look at every
    argument for every prefix takes minutes for a large form."""

    def is_done(parser: Any, _arguments: Any, prefix: str) -> bool:
        if prefix == "":
            return False
        at = bisect.bisect_left(parser.sorted_keys, prefix)
        return at == len(parser.sorted_keys) or not parser.sorted_keys[at].startswith(prefix)

    base = _moto("parse").PROTOCOL_PARSERS[protocol]
    return type(base.__name__, (base,), {"_gonna_recurse": is_done})


def _check_json(body: bytes, model: Any) -> None:
    """moto takes a body that is no JSON for a message. Raises ValueError."""
    shape = model.input_shape
    payload = shape.serialization.get("payload") if shape else None
    is_json = shape is not None and (payload is None or shape.members[payload].type_name == "structure")
    if body and is_json and not isinstance(json.loads(body), dict):
        raise ValueError("not an object")


def _settled(value: Any) -> Any:
    """moto's parser gives naive datetimes in UTC; ours are always aware. Raises ValueError for numbers and texts that
    the store could not write down."""
    if isinstance(value, dict):
        return {_settled(key): _settled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_settled(inner) for inner in value]
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    if isinstance(value, str) and not value.isascii():
        value.encode()
    elif (isinstance(value, int) and not -(2**63) <= value < 2**63) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise ValueError("not a number that fits")
    return value


def write(service: str, operation: str, protocol: str, result: dict[str, Any], request_id: str) -> WireResponse:
    """The answer in the operation's protocol."""
    response = _serialize(service, operation, protocol, result, request_id)
    shape = _model(service, operation).output_shape
    for name, member in shape.members.items() if shape else ():
        if member.serialization.get("location") == "statusCode" and name in result:
            response.status = result[name]
    return response


def write_error(service: str, operation: str, protocol: str, error: AwsError, request_id: str) -> WireResponse:
    """An error in the operation's protocol; ``error.status`` wins over the model's."""
    plain = _WireError(error.message)
    plain.code, plain.message = error.code, error.message
    plain.__dict__.update(error.members)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # codes that AWS sends and does not model
        response = _serialize(service, operation, protocol, plain, request_id)
    if error.status is not None:
        response.status = error.status
    return response


class _WireError(Exception):
    code = ""
    message = ""


def _serialize(service: str, operation: str, protocol: str, result: Any, request_id: str) -> WireResponse:
    serialize = _moto("serialize")
    serializer = serialize.get_serializer_class(service, protocol)
    context = serialize.SerializationContext(request_id)
    out = serializer(operation_model=_model(service, operation), context=context).serialize(result)
    body = out["body"] or b""  # None where an optional payload was left out
    if isinstance(body, str):
        body = (_NOT_IN_XML.sub("\ufffd", body) if protocol != "rest-json" else body).encode()
    return WireResponse(out["status_code"], bytes(body), dict(out["headers"]))
