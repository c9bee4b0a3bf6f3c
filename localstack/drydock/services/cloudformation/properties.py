"""Properties against their schema: refused, or brought to the types that the services want. Pure.

Source: what CloudFormation reports for types of its registry ("Properties validation failed for resource ...").
"""

from __future__ import annotations

import re
from typing import Any

from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.intrinsics import text_of
from drydock.services.cloudformation.schemas import Schema

_INTEGER = re.compile(r"[-+]?\d{1,18}")
_NUMBER = re.compile(r"[-+]?\d{1,18}(\.\d+)?")
_NAMES = {bool: "Boolean", int: "Integer", float: "Number", str: "String", list: "JSONArray", dict: "JSONObject"}
_WANTED = {
    "string": "String", "integer": "Integer", "number": "Number", "boolean": "Boolean", "array": "JSONArray",
    "object": "JSONObject",
}  # fmt: skip


def checked(name: str, properties: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """The properties with the types of the schema. Raises Failed."""
    faults: list[str] = []
    whole = {"t": "object", "p": schema.properties, "r": schema.required}
    found = _check(properties, whole, "#", faults)
    strange = sorted(schema.read_only & set(properties))
    if strange:
        faults.append(f"#: extraneous key [{strange[0]}] is not permitted")
    if faults:
        listed = ", ".join(faults)
        raise Failed(f"Properties validation failed for resource {name} with message:\n[{listed}]")
    return dict(found)


def _check(value: Any, schema: dict[str, Any], path: str, faults: list[str]) -> Any:
    kind = schema.get("t", "")
    if kind == "object" and isinstance(value, dict):
        return _object(value, schema, path, faults)
    if kind == "array" and isinstance(value, list):
        items = schema.get("i", {})
        return [_check(one, items, f"{path}/{number}", faults) for number, one in enumerate(value)]
    if kind in ("object", "array") or isinstance(value, dict | list):
        if kind:
            _mismatch(value, kind, path, faults)
        return value
    if kind == "string":
        return text_of(value)
    if kind == "boolean" and not isinstance(value, bool):
        if text_of(value).lower() in ("true", "false"):
            return text_of(value).lower() == "true"
        _mismatch(value, kind, path, faults)
    elif kind == "integer" and not _is_integer(value):
        if _INTEGER.fullmatch(text_of(value)):
            return int(value)
        _mismatch(value, kind, path, faults)
    elif kind == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
        if _NUMBER.fullmatch(text_of(value)):
            return float(value) if "." in str(value) else int(value)
        _mismatch(value, kind, path, faults)
    return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _object(value: dict[str, Any], schema: dict[str, Any], path: str, faults: list[str]) -> dict[str, Any]:
    known = schema.get("p")
    if known is None:
        return value
    for name in schema.get("r", ()):
        if name not in value:
            faults.append(f"{path}: required key [{name}] not found")
    found = {}
    for name, one in value.items():
        if name in known:
            found[name] = _check(one, known[name], f"{path}/{name}", faults)
        else:
            faults.append(f"{path}: extraneous key [{name}] is not permitted")
    return found


def _mismatch(value: Any, kind: str, path: str, faults: list[str]) -> None:
    given = _NAMES.get(type(value), "Null")
    faults.append(f"{path}: expected type: {_WANTED[kind]}, found: {given}")
