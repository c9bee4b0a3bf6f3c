"""What AWS's provider schemas say about resource types, out of ``schemas.json`` (made by ``tests/cloudformation_schemas``)."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("schemas.json")


@dataclass(frozen=True)
class Schema:
    """One type's. Nested names are written ``A.B``."""

    name: str
    properties: dict[str, Any]
    """Of each property: ``t`` its type, ``p`` its own properties, ``r`` those required, ``i`` its items"""
    required: tuple[str, ...]
    create_only: frozenset[str]
    """Properties whose change replaces the resource"""
    conditional: frozenset[str]
    """Properties whose change may replace it"""
    read_only: frozenset[str]
    """What only Fn::GetAtt gives"""
    primary: tuple[str, ...]


@functools.cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text())
    return table


@functools.cache
def every_type() -> frozenset[str]:
    """The names of all types that AWS has."""
    return frozenset(_table()["every"])


@functools.cache
def schema_of(name: str) -> Schema:
    """That of a type we support. Raises KeyError."""
    row = _table()["types"][name]
    return Schema(
        name,
        row["properties"],
        tuple(row["required"]),
        frozenset(row["createOnly"]),
        frozenset(row["conditionalCreateOnly"]),
        frozenset(row["readOnly"]),
        tuple(row["primary"]),
    )
