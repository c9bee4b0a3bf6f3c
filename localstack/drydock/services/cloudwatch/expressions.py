"""The grammar of metric math: an expression's text becomes a tree. Pure.

From the loosest to the tightest: ``OR ||``, ``AND &&``, comparisons, ``+ -``, ``* /``, unary ``-``, ``^``. A name in lower
case is an id; one in upper case a function, if brackets follow, or a word that a function knows (``REPEAT``, ``DESC``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

DEEPEST = 50


class Wrong(Exception):
    """What is wrong with an expression, as AWS says it after "Error in expression 'e1': "."""


@dataclass(frozen=True, slots=True)
class Number:
    """A scalar."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """In quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """An id."""

    value: str


@dataclass(frozen=True, slots=True)
class Word:
    """An option of a function."""

    value: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """``[m1, m2]``"""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    """``-m1``"""

    operand: Node


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands."""

    operator: str
    left: Node
    right: Node


Node = Number | Text | Name | Word | Call | Array | Negated | Operation

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>()\[\],])
    )""",
    re.VERBOSE,
)
_LEVELS = (("||",), ("&&",), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/"))
_SPELLED = {"AND": "&&", "OR": "||"}


def parse(text: str) -> Node:
    """Raises Wrong."""
    parser = _Parser(_tokens(text))
    node = parser.level(0, 0)
    if parser.at < len(parser.tokens):
        raise Wrong("Invalid syntax")
    return node


def names(node: Node) -> set[str]:
    """The ids that an expression needs."""
    return {one.value for one in _parts(node) if isinstance(one, Name)}


def functions(node: Node) -> set[str]:
    """The functions that an expression calls."""
    return {one.function for one in _parts(node) if isinstance(one, Call)}


def _parts(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, Call):
            waiting += one.arguments
        elif isinstance(one, Array):
            waiting += one.items
        elif isinstance(one, Negated):
            waiting.append(one.operand)
        elif isinstance(one, Operation):
            waiting += (one.left, one.right)


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise Wrong("Invalid syntax")
        value = match[match.lastgroup]
        if match.lastgroup == "name" and value in _SPELLED:
            found.append(("sign", _SPELLED[value]))
        else:
            found.append((match.lastgroup, value))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0

    def level(self, level: int, depth: int) -> Node:
        """The operators of a level and all tighter ones, from left to right."""
        if depth > DEEPEST:
            raise Wrong("Invalid syntax")
        if level == len(_LEVELS):
            return self.unary(depth)
        node = self.level(level + 1, depth)
        while self.sign() in _LEVELS[level]:
            operator = self.sign()
            self.at += 1
            node = Operation(operator, node, self.level(level + 1, depth))
        return node

    def unary(self, depth: int) -> Node:
        if self.sign() == "-":
            self.at += 1
            return Negated(self.level(len(_LEVELS), depth + 1))
        node = self.primary(depth)
        if self.sign() == "^":
            self.at += 1
            return Operation("^", node, self.level(len(_LEVELS), depth + 1))
        return node

    def primary(self, depth: int) -> Node:
        kind, value = self.next()
        if kind == "number":
            return Number(float(value))
        if kind == "text":
            return Text(unquoted(value))
        if value == "(":
            node = self.level(0, depth + 1)
            self.expect(")")
            return node
        if value == "[":
            return Array(self.listed("]", depth))
        if kind == "name" and self.sign() == "(":
            self.at += 1
            return Call(value, self.listed(")", depth))
        if kind == "name":
            return Name(value) if value[0].islower() else Word(value)
        raise Wrong("Invalid syntax")

    def listed(self, end: str, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        if self.sign() == end:
            self.at += 1
            return ()
        while True:
            items.append(self.level(0, depth + 1))
            if self.sign() != ",":
                break
            self.at += 1
        self.expect(end)
        return tuple(items)

    def sign(self) -> str:
        """The next token if it is a sign, else nothing."""
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "sign":
            return self.tokens[self.at][1]
        return ""

    def next(self) -> tuple[str, str]:
        if self.at == len(self.tokens):
            raise Wrong("Invalid syntax")
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, sign: str) -> None:
        if self.sign() != sign:
            raise Wrong("Invalid syntax")
        self.at += 1


def unquoted(text: str) -> str:
    """Without its quotes; only the quote that encloses it need be escaped, other backslashes stay."""
    return text[1:-1].replace("\\" + text[0], text[0])
