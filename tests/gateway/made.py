"""Parameters and answers made from botocore's shapes, and what of a difference between two of them matters."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

DEEPEST = 4
WORDS = ("plain", "é ü 漢字 🐳", '<a & "b">', "a/b?c=d&e", "100% + 1", "two  spaces", "line\nbreak", "")
HEADER_WORDS = ("plain", "a-b_c.d", "100%", "a=b;c")
NAN_FREE_FLOATS = (0.0, 1.5, -2.25, 1e-7, 123456789.125)


class Maker:
    """Draws values of a shape: every member of a structure once in a while, required ones always."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self._within: list[str] = []

    def structure(self, shape: Shape | None) -> dict[str, Any]:
        """A value of a whole input or output."""
        return {} if shape is None else (self._structure(shape, 0) or {})

    def _make(self, shape: Shape, depth: int) -> Any:
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape, depth)
        if kind == "list":
            items = [self._make(shape.member, depth + 1) for _ in range(self.random.choice((1, 1, 2, 3)))]
            return [item for item in items if item is not None] or None
        if kind == "map":
            value = self._make(shape.value, depth + 1)
            return None if value is None else {self._text(shape.key) or "key": value}
        return self._leaf(shape)

    def _structure(self, shape: Shape, depth: int) -> dict[str, Any] | None:
        if getattr(shape, "is_document_type", False):
            return {"document": [1, "two", {"three": None}]}
        made: dict[str, Any] = {}
        for name, member in shape.members.items():
            wanted = name in shape.required_members or (depth < DEEPEST and self.random.random() < 0.7)
            if not wanted or member.name in self._within or getattr(member, "is_eventstream", False):
                continue
            self._within.append(member.name)
            value = self._make(member, depth + 1)
            self._within.pop()
            if value is not None:
                made[name] = value
        if getattr(shape, "is_tagged_union", False) and made:
            name = self.random.choice(sorted(made))
            made = {name: made[name]}
        return made or ({} if depth == 0 else None)  # an empty structure cannot be told from none in most protocols

    def _leaf(self, shape: Shape) -> Any:
        kind = shape.type_name
        if kind == "string":
            return self._text(shape)
        if kind in ("integer", "long", "short", "byte"):
            return self.random.choice((0, 1, 7, 2147483647, -5))
        if kind in ("float", "double"):
            return self.random.choice(NAN_FREE_FLOATS)
        if kind == "boolean":
            return self.random.choice((True, False))
        if kind == "timestamp":
            return datetime(2026, 1, 2, 3, 4, self.random.randrange(60), tzinfo=UTC)
        assert kind == "blob", kind
        return bytes(self.random.randrange(256) for _ in range(self.random.choice((1, 2, 9))))

    def _text(self, shape: Shape) -> str:
        if getattr(shape, "enum", None):
            return str(self.random.choice(shape.enum))
        if shape.serialization.get("hostLabel"):
            return "label"
        location = shape.serialization.get("location")
        if location in ("header", "headers", "statusCode"):
            return self.random.choice(HEADER_WORDS)
        word = self.random.choice(WORDS)
        return word or "x" if location == "uri" else word


def settled(value: Any) -> Any:
    """Without what no protocol carries: empty members, the response's metadata, how a time is written."""
    if isinstance(value, dict):
        inner = {key: settled(item) for key, item in value.items() if key != "ResponseMetadata"}
        return {key: item for key, item in inner.items() if item not in ({}, [], None)}
    if isinstance(value, list):
        return [settled(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if hasattr(value, "read"):
        return value.read()
    return bytes(value) if isinstance(value, bytearray) else value


def difference(sent: Any, got: Any, path: str = "") -> str:
    """The first place where they differ, in words; empty if they are equal."""
    if isinstance(sent, dict) and isinstance(got, dict):
        for key in sorted(sent.keys() | got.keys()):
            if key not in got:
                return f"{path}.{key} is lost ({sent[key]!r:.60})"
            if key not in sent:
                return f"{path}.{key} came from nowhere ({got[key]!r:.60})"
            if found := difference(sent[key], got[key], f"{path}.{key}"):
                return found
        return ""
    if isinstance(sent, list) and isinstance(got, list) and len(sent) == len(got):
        return next(filter(None, (difference(a, b, f"{path}[{i}]") for i, (a, b) in enumerate(zip(sent, got)))), "")
    if isinstance(sent, float) and isinstance(got, float | int) and math.isclose(sent, got):
        return ""
    return "" if sent == got and type(sent) is type(got) else f"{path}: {sent!r:.60} became {got!r:.60}"
