"""SEARCH: which metrics a search expression finds. Pure.

Source: "CloudWatch search expression syntax": an optional schema in braces, then terms with AND (also unspoken), OR, NOT and
brackets. A term in double quotes is an exact match, another a match of tokens; ``Name=term`` looks only there.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from drydock.services.cloudwatch.expressions import DEEPEST, Wrong
from drydock.services.cloudwatch.model import Metric

LONGEST = 1024
Matches = Callable[[Metric], bool]
_SCHEMA = re.compile(r'\s*\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*)\}\s*,?')
_PART = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,"]+?))\s*(,|$)')
_TOKEN = re.compile(r'\s*(?:(?P<bracket>[()])|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<term>[^\s(){}"=]+)|(?P<equals>=))')
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def compiled(text: str) -> Matches:
    """A search as a test of metrics. Raises Wrong."""
    if len(text) > LONGEST:
        raise Wrong("Invalid search expression")  # (?)
    schema = _SCHEMA.match(text)
    rest = text[schema.end() :] if schema else text
    of_schema = _schema(schema[1]) if schema else None
    if not rest.strip():
        if of_schema is None:
            raise Wrong("Invalid search expression")  # (?)
        return of_schema
    of_terms = _Terms(rest).whole()
    if of_schema is None:
        return of_terms
    within = of_schema
    return lambda metric: within(metric) and of_terms(metric)


def _schema(text: str) -> Matches:
    """``{Namespace, Dimension, ...}``: metrics of the namespace with exactly these dimensions; without any, with any."""
    parts, at = [], 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise Wrong("Invalid search expression")
        parts.append(_unescaped(match[1]) if match[1] is not None else match[2])
        at = match.end()
    if not parts:
        raise Wrong("Invalid search expression")
    namespace, names = parts[0], sorted(parts[1:])
    return lambda metric: (
        metric.namespace == namespace and (not names or sorted(name for name, _ in metric.dimensions) == names)
    )


class _Terms:
    """The grammar of terms."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise Wrong("Invalid search expression")
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        self.at = 0

    def whole(self) -> Matches:
        found = self.either(0)
        if self.at < len(self.tokens):
            raise Wrong("Invalid search expression")
        return found

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "")

    def either(self, depth: int) -> Matches:
        options = [self.every(depth)]
        while self.peek() == ("term", "OR"):
            self.at += 1
            options.append(self.every(depth))
        return options[0] if len(options) == 1 else lambda metric: any(one(metric) for one in options)

    def every(self, depth: int) -> Matches:
        needed = [self.single(depth)]
        while self.peek() not in (("", ""), ("bracket", ")"), ("term", "OR")):
            if self.peek() == ("term", "AND"):
                self.at += 1
            needed.append(self.single(depth))
        return needed[0] if len(needed) == 1 else lambda metric: all(one(metric) for one in needed)

    def single(self, depth: int) -> Matches:
        if depth > DEEPEST:
            raise Wrong("Invalid search expression")
        kind, value = self.peek()
        self.at += 1
        if (kind, value) == ("term", "NOT"):
            inner = self.single(depth + 1)
            return lambda metric: not inner(metric)
        if value == "(":
            found = self.either(depth + 1)
            if self.peek() != ("bracket", ")"):
                raise Wrong("Invalid search expression")
            self.at += 1
            return found
        if kind not in ("term", "quoted") or value in ("AND", "OR"):
            raise Wrong("Invalid search expression")
        if self.peek()[0] != "equals":
            return _matching(kind, value, _everything)
        self.at += 1
        name = _unescaped(value[1:-1]) if kind == "quoted" else value
        kind, value = self.peek()
        self.at += 1
        if kind not in ("term", "quoted"):
            raise Wrong("Invalid search expression")
        return _matching(kind, value, _property(name))


def _everything(metric: Metric) -> list[str]:
    return [metric.namespace, metric.name, *(part for pair in metric.dimensions for part in pair)]


def _property(name: str) -> Callable[[Metric], list[str]]:
    if name == "MetricName":
        return lambda metric: [metric.name]
    if name == "Namespace":
        return lambda metric: [metric.namespace]
    return lambda metric: [value for key, value in metric.dimensions if key == name]


def _matching(kind: str, term: str, where: Callable[[Metric], list[str]]) -> Matches:
    if kind == "quoted":
        exact = _unescaped(term[1:-1])
        return lambda metric: exact in where(metric)
    wanted = pieces(term)
    if not wanted:
        raise Wrong("Invalid search expression")
    return lambda metric: any(partly(wanted, term, text) for text in where(metric))


def partly(wanted: list[str], term: str, text: str) -> bool:
    """A whole name, or a single token, whatever the case; several tokens in the order in which they are written, in the same
    case unless the term has other characters between them (``network-errors`` finds ``NetworkErrors2``)."""
    if _joined(term).lower() == _joined(text).lower():
        return True
    found = pieces(text)
    if len(wanted) == 1 or not term.isalnum():
        wanted, found = [one.lower() for one in wanted], [one.lower() for one in found]
    return any(found[at : at + len(wanted)] == wanted for at in range(len(found) - len(wanted) + 1))


def pieces(text: str) -> list[str]:
    """The tokens of a text, in its own case: at capitals, digits, and whatever is neither letter nor digit."""
    return _PIECE.findall(text)


def _joined(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
