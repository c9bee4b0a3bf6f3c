"""Writes the table of CloudFormation's resource types: ``python -m tests.cloudformation_schemas`` with cfn-lint installed.

Source: AWS's provider schemas as the package cfn-lint ships them (region us-east-1, its own patches applied). The package
weighs 70 MB, and what it needs as much again, so what the emulator needs of it is taken out here: the names of all types
that AWS has, and for those that we support the properties with their types, which of them are required, replace the
resource when changed (``createOnly``, perhaps: ``conditionalCreateOnly``) or are read-only, and the primary identifier.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from drydock.services.cloudformation.schemas import TABLE

DEEPEST = 14


def compact(schema: dict[str, Any], root: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """A property's schema without descriptions and patterns, references followed. ``t`` type, ``p`` properties, ``r``
    required, ``i`` items."""
    if "$ref" in schema:
        found: Any = root
        for part in schema["$ref"].lstrip("#/").split("/"):
            found = found[part]
        return compact(found, root, depth)
    kind = schema.get("type")
    kind = kind if isinstance(kind, str) else ("object" if "properties" in schema else "")
    small: dict[str, Any] = {"t": kind} if kind else {}
    if depth > DEEPEST:
        return {}
    if "properties" in schema and not schema.get("patternProperties"):
        small["p"] = {name: compact(one, root, depth + 1) for name, one in sorted(schema["properties"].items())}
        if schema.get("required"):
            small["r"] = schema["required"]
    if isinstance(schema.get("items"), dict):
        small["i"] = compact(schema["items"], root, depth + 1)
    return small


def names(pointers: list[str]) -> list[str]:
    """Properties' names out of JSON pointers (nested ones as ``A.B``)."""
    return [pointer.removeprefix("/properties/").replace("/", ".") for pointer in pointers]


def table(supported: list[str]) -> dict[str, Any]:
    """The whole table."""
    from cfnlint.helpers import REGIONS
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as manager

    every = sorted({name for region in REGIONS for name in manager.get_resource_types(region)})
    types = {}
    for name in supported:
        schema = manager.get_resource_schema("us-east-1", name).schema
        whole = compact({**schema, "type": "object"}, schema)
        types[name] = {
            "properties": whole["p"],
            "required": schema.get("required", []),
            "createOnly": names(schema.get("createOnlyProperties", [])),
            "conditionalCreateOnly": names(schema.get("conditionalCreateOnlyProperties", [])),
            "readOnly": names(schema.get("readOnlyProperties", [])),
            "primary": names(schema.get("primaryIdentifier", [])),
        }
    return {"every": every, "types": types}


if __name__ == "__main__":
    wanted = sys.argv[1:] or sorted(json.loads(TABLE.read_text())["types"])
    made = table(wanted)
    lines = [f'"every": {json.dumps(made["every"], separators=(",", ":"))}']
    rows = [f"{json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}" for name, one in made["types"].items()]
    lines.append('"types": {\n' + ",\n".join(rows) + "\n}")
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
