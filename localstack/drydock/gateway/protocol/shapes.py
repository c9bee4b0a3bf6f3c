"""The JSON and CBOR protocols: parameters in, answers out, following the shapes of the service's model.

Both share one walk and differ in its leaves: JSON writes timestamps as seconds and blobs in base64; CBOR has types of
its own for both. Members that the model does not know are ignored on the way in (as AWS ignores them) and are an error
on the way out, since then we have a bug.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
from botocore.model import Shape
from botocore.utils import parse_timestamp

from drydock.errors import AwsError

_DEEPEST = 64
_LARGEST = {"integer": 2**31 - 1, "long": 2**63 - 1}
_LARGEST_FLOAT = sys.float_info.max
_SPECIAL = {text: float(text) for text in ("NaN", "Infinity", "-Infinity", "nan", "inf", "-inf")}
_NO_TIME = (ValueError, OverflowError, TypeError, OSError, RuntimeError)
"""What botocore raises for times that there are not"""


def malformed(message: str) -> AwsError:
    """The body cannot be read as the operation's input."""
    return AwsError("SerializationException", message, status=400)


def parse_json(body: bytes, shape: Shape | None, any_number: bool = False) -> dict[str, Any]:
    """``any_number``: NaN and infinity are let through. Raises AwsError (SerializationException)."""
    if not body:
        return {}
    try:
        value = json.loads(body.decode())  # as bytes it might be UTF-16, too
    except (ValueError, RecursionError) as error:
        raise malformed("The body is not valid JSON.") from error
    return _parse_top(value, shape, _any_number(_json_leaf) if any_number else _json_leaf)


def parse_cbor(body: bytes, shape: Shape | None, any_number: bool = False) -> dict[str, Any]:
    """``any_number``: NaN and infinity are let through. Raises AwsError (SerializationException)."""
    import cbor2

    if not body:
        return {}
    try:
        value = cbor2.loads(body)
    except Exception as error:  # cbor2 lets out several kinds for hostile input
        raise malformed("The body is not valid CBOR.") from error
    return _parse_top(value, shape, _any_number(_cbor_leaf) if any_number else _cbor_leaf)


def _parse_top(value: Any, shape: Shape | None, leaf: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise malformed("Start of structure or map found where not expected.")
    return {} if shape is None else _parse(value, shape, leaf, 0)


def _parse(value: Any, shape: Shape, leaf: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise malformed("The body is nested too deeply.")
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        _expect(value, dict, kind)
        members = shape.members
        out = {}
        for key, member in members.items():
            name = member.serialization.get("name", key)
            inner = value.get(name)
            if inner is not None:
                out[key] = _parse(inner, member, leaf, depth + 1)
        return out
    if kind == "list":
        _expect(value, list, kind)
        return [_parse(item, shape.member, leaf, depth + 1) for item in value if item is not None]
    if kind == "map":
        _expect(value, dict, kind)
        return {_text(k): _parse(v, shape.value, leaf, depth + 1) for k, v in value.items() if v is not None}
    if kind == "string":
        return _text(value)
    if kind == "boolean":
        _expect(value, bool, kind)
        return value
    if kind in ("integer", "long"):
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise _mismatch(value, kind)
        if not -_LARGEST[kind] - 1 <= value <= _LARGEST[kind]:
            raise malformed(f"The number does not fit into {kind.capitalize()}.")
        return value
    if kind in ("float", "double"):
        if (special := getattr(leaf, "special", {}).get(str(value))) is not None:
            return special
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _mismatch(value, kind)
        if not -_LARGEST_FLOAT <= value <= _LARGEST_FLOAT:  # NaN neither; no operation of AWS's takes them
            raise malformed(f"The number does not fit into {kind.capitalize()}.")
        return float(value)
    return leaf(value, kind)


def _json_leaf(value: Any, kind: str) -> Any:
    try:
        if kind == "timestamp":
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise _mismatch(value, kind)
            return parse_timestamp(value).astimezone(UTC)
        if kind == "blob":
            _expect(value, str, kind)
            return base64.b64decode(value)
    except _NO_TIME as error:
        raise _mismatch(value, kind) from error
    return value


def _cbor_leaf(value: Any, kind: str) -> Any:
    if kind == "timestamp":
        try:
            return (value if isinstance(value, datetime) else parse_timestamp(value)).astimezone(UTC)
        except _NO_TIME as error:
            raise _mismatch(value, kind) from error
    if kind == "blob":
        _expect(value, bytes, kind)
    return value


def _any_number(leaf: Any) -> Any:
    """The same leaf, and a mark for the walk; JSON writes them as texts, CBOR as numbers."""
    marked = functools.partial(leaf)
    marked.special = _SPECIAL  # type: ignore[attr-defined]
    return marked


def _text(value: Any) -> str:
    """Raises AwsError for what is no text, and for half a character (``"\\ud800"``), which nobody can write down."""
    _expect(value, str, "string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise malformed("The body holds a text that is not valid Unicode.") from error
    return str(value)


def _expect(value: Any, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise _mismatch(value, name)


def _mismatch(value: Any, kind: str) -> AwsError:
    json_names = {"str": "STRING_VALUE", "int": "NUMBER_VALUE", "float": "DECIMAL_VALUE", "bool": "TRUE_VALUE"}
    seen = json_names.get(type(value).__name__, type(value).__name__)
    return malformed(f"{seen} cannot be converted to {kind.capitalize()}")


def write_json(result: dict[str, Any], shape: Shape | None) -> bytes:
    """The answer's body."""
    return msgspec.json.encode(_write(result, shape, _json_out) if shape else {})


def write_cbor(result: dict[str, Any], shape: Shape | None) -> bytes:
    """The answer's body."""
    import cbor2

    def leaf(value: Any, kind: str) -> Any:
        if kind == "timestamp":  # the protocol wants seconds (tag 1), never text (tag 0)
            return cbor2.CBORTag(1, _seconds(value))
        return value.encode() if kind == "blob" and isinstance(value, str) else value

    return cbor2.dumps(_write(result, shape, leaf) if shape else {})


def _write(value: Any, shape: Shape, leaf: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        members = shape.members
        out = {}
        for key, inner in value.items():
            if inner is not None:
                member = members[key]
                out[member.serialization.get("name", key)] = _write(inner, member, leaf)
        return out
    if kind == "list":
        member = shape.member
        return [_write(item, member, leaf) for item in value]
    if kind == "map":
        member = shape.value
        return {key: _write(item, member, leaf) for key, item in value.items()}
    return leaf(value, kind) if kind in ("timestamp", "blob", "float", "double") else value


def _json_out(value: Any, kind: str) -> Any:
    if kind == "timestamp":
        return _seconds(value)
    if kind == "blob":
        return base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def _seconds(value: datetime | float) -> float:
    """Since 1970, to the millisecond, as AWS writes them."""
    return round(value.timestamp() if isinstance(value, datetime) else float(value), 3)
