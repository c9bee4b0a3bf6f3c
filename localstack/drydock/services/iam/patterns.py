"""Matching of names and ARNs against what policies write: wildcards, policy variables, and ARNs part by part.

Sources: "IAM JSON policy elements: Resource", "IAM policy elements: Variables and tags", "IAM JSON policy elements:
Condition operators" (ARN operators).

A pattern is cut once into pieces (literal text, ``*``, ``?``, a variable). Without variables it becomes one regular
expression; with them it is put together for each request, the variable's value standing for itself (a ``*`` in a
user's name is no wildcard).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

ContextValue = str | list[str]
Context = Mapping[str, ContextValue]
"""What is known of a request: condition keys in lower case, each with one value or several"""

ARN_PARTS = 6
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_DEFAULTED = re.compile(r"\s*([^,\s]+)\s*,\s*'([^']*)'\s*")
_ESCAPES = {"*": "*", "?": "?", "$": "$"}


class Kind(Enum):
    """What a piece of a pattern is."""

    LITERAL = 1
    MANY = 2
    ONE = 3
    VARIABLE = 4


class Piece(NamedTuple):
    """``text`` is the literal or the variable's key in lower case; ``default`` is a variable's, None without one."""

    kind: Kind
    text: str = ""
    default: str | None = None


def cut(pattern: str, *, wildcards: bool, variables: bool) -> list[Piece]:
    """The pieces of a pattern. ``variables`` is False for policies of version 2008-10-17, where ``${`` is plain text."""
    pieces: list[Piece] = []
    at = 0
    if variables:
        for found in _VARIABLE.finditer(pattern):
            pieces.extend(_cut_plain(pattern[at : found.start()], wildcards))
            pieces.append(_variable(found.group(1)))
            at = found.end()
    pieces.extend(_cut_plain(pattern[at:], wildcards))
    return pieces


def _variable(inside: str) -> Piece:
    if inside in _ESCAPES:
        return Piece(Kind.LITERAL, _ESCAPES[inside])
    with_default = _DEFAULTED.fullmatch(inside)
    if with_default:
        return Piece(Kind.VARIABLE, with_default.group(1).lower(), with_default.group(2))
    return Piece(Kind.VARIABLE, inside.strip().lower())


def _cut_plain(text: str, wildcards: bool) -> Iterable[Piece]:
    if not wildcards:
        return [Piece(Kind.LITERAL, text)] if text else []
    special = {"*": Piece(Kind.MANY), "?": Piece(Kind.ONE)}
    return [special.get(part) or Piece(Kind.LITERAL, part) for part in re.split(r"([*?])", text) if part]


def fill(pieces: Iterable[Piece], context: Context) -> list[Piece] | None:
    """The pieces with variables replaced by their values; None if one has no single value in this request."""
    filled = []
    for piece in pieces:
        if piece.kind is Kind.VARIABLE:
            value = context.get(piece.text, piece.default)
            if not isinstance(value, str):
                return None
            piece = Piece(Kind.LITERAL, value)
        filled.append(piece)
    return filled


def plain_expression(pieces: Iterable[Piece]) -> str:
    """The regular expression of pieces without variables; ``*`` stands for anything."""
    sources = {Kind.MANY: ".*", Kind.ONE: "."}
    return "".join(sources.get(piece.kind) or re.escape(piece.text) for piece in pieces)


def arn_expression(pieces: list[Piece]) -> str:
    """The same for an ARN in a Resource element: within the first five parts a wildcard stays in its part, unless it
    is the part's last character ("it can expand to match beyond the colon boundaries")."""
    colons, out = 0, []
    for index, piece in enumerate(pieces):
        if piece.kind is Kind.LITERAL:
            colons += piece.text.count(":")
            out.append(re.escape(piece.text))
            continue
        following = pieces[index + 1].text if index + 1 < len(pieces) else ":"
        free = colons >= ARN_PARTS - 1 or (piece.kind is Kind.MANY and following.startswith(":"))
        out.append(("." if free else "[^:]") + ("*" if piece.kind is Kind.MANY else ""))
    return "".join(out)


@lru_cache(maxsize=4096)
def compiled(expression: str, ignore_case: bool = False) -> re.Pattern[str]:
    """A regular expression, kept: patterns with variables come again for the same caller."""
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


class Names:
    """Several patterns, one of which must match a name: action names (case does not matter)."""

    def __init__(self, patterns: Iterable[str]) -> None:
        exact, wild = set(), []
        for pattern in patterns:
            if "*" in pattern or "?" in pattern:
                wild.append(plain_expression(cut(pattern, wildcards=True, variables=False)))
            else:
                exact.add(pattern.lower())
        self._exact = frozenset(exact)
        self._wild = compiled("|".join(f"(?:{one})" for one in wild), True) if wild else None

    def match(self, name: str) -> bool:
        """``name`` as AWS writes it or in lower case."""
        return name.lower() in self._exact or (self._wild is not None and self._wild.fullmatch(name) is not None)


class Resources:
    """Several patterns of a Resource element, one of which must match an ARN (or ``*``)."""

    def __init__(self, patterns: Iterable[str], variables: bool) -> None:
        fixed, dynamic, self._all = [], [], False
        for pattern in patterns:
            if pattern == "*":
                self._all = True
                continue
            pieces = cut(pattern, wildcards=True, variables=variables)
            if any(piece.kind is Kind.VARIABLE for piece in pieces):
                dynamic.append(pieces)
            else:
                fixed.append(arn_expression(pieces))
        self._fixed = compiled("|".join(f"(?:{one})" for one in fixed)) if fixed else None
        self._dynamic = tuple(dynamic)

    def match(self, resource: str, context: Context) -> bool:
        """Does the element name this resource?"""
        if self._all or (self._fixed is not None and self._fixed.fullmatch(resource) is not None):
            return True
        for pieces in self._dynamic:
            filled = fill(pieces, context)
            if filled is not None and compiled(arn_expression(filled)).fullmatch(resource) is not None:
                return True
        return False


def arn_like(pattern: list[Piece], arn: str) -> bool:
    """ArnLike and ArnEquals: each of the six parts is compared by itself, with wildcards."""
    expected, given = _parts(pattern), arn.split(":", ARN_PARTS - 1)
    if len(expected) != len(given):
        return False
    return all(
        compiled(plain_expression(part)).fullmatch(text) is not None for part, text in zip(expected, given, strict=True)
    )


def _parts(pieces: list[Piece]) -> list[list[Piece]]:
    parts: list[list[Piece]] = [[]]
    for piece in pieces:
        if piece.kind is not Kind.LITERAL:
            parts[-1].append(piece)
            continue
        first, *others = piece.text.split(":", ARN_PARTS - len(parts))
        parts[-1].append(Piece(Kind.LITERAL, first))
        parts.extend([Piece(Kind.LITERAL, other)] for other in others)
    return parts
