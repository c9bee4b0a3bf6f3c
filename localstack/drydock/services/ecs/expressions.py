"""The cluster query language: which container instances an expression means. Pure.

``parse`` gives a function from an instance's subjects to a truth value. Grammar, as in "Create expressions to define
container instances for Amazon ECS tasks"::

    expression := term { ("or" | "||") term }
    term       := factor { ("and" | "&&") factor }
    factor     := ("not" | "!") factor | "(" expression ")" | subject operator [argument]
    subject    := agentConnected | agentVersion | ec2InstanceId | registeredAt | runningTasksCount | task:group
                | attribute:<name>
    argument   := word | "quoted" | [ word , ... ]

A subject with several values (``task:group``) fulfils a comparison if one of them does; one that is not there fulfils
none but ``!exists`` and the negated ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import ge, gt, le, lt

Subjects = Callable[[str], list[str]]
"""The values of a subject; empty if the instance does not have it"""
Predicate = Callable[[Subjects], bool]

SUBJECTS = ("agentConnected", "agentVersion", "ec2InstanceId", "registeredAt", "runningTasksCount", "task:group")
_SYNONYMS = {
    "equals": "==", "not_equals": "!=", "greater_than": ">", "greater_than_equal": ">=", "less_than": "<",
    "less_than_equal": "<=", "not_exists": "!exists", "not_in": "!in", "matches": "=~", "not_matches": "!~",
    "and": "&&", "or": "||", "not": "!",
}  # fmt: skip
_COMPARISONS = ("==", "!=", ">", ">=", "<", "<=", "=~", "!~")
_TOKEN = re.compile(
    r"\s*(?:(?P<operator>&&|\|\||==|!=|>=|<=|=~|!~|!exists\b|!in\b|[!<>()\[\],])"
    r"|\"(?P<double>(?:[^\"\\]|\\.)*)\"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<word>[^\s()\[\],\"'!<>=&|~]+))"
)
_DEEPEST = 50


class InvalidExpression(ValueError):
    """The message says where it breaks off."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def parse(text: str) -> Predicate:
    """Raises InvalidExpression."""
    reader = _Reader(_tokens(text))
    predicate = reader.expression(0)
    if reader.next is not None:
        raise InvalidExpression(f"unexpected '{reader.next.text}'")
    return predicate


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise InvalidExpression(f"unexpected '{text[at:].strip()[:20]}'")
        at = match.end()
        if match["operator"]:
            found.append(_Token("operator", match["operator"]))
        elif match["word"] is not None:
            word = match["word"]
            synonym = _SYNONYMS.get(word, word if word in ("exists", "in") else None)
            found.append(_Token("operator", synonym) if synonym else _Token("value", word))
        else:
            quoted = match["double"] if match["double"] is not None else match["single"]
            found.append(_Token("value", re.sub(r"\\(.)", r"\1", quoted)))
    return found


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, *operators: str) -> str | None:
        token = self.next
        if token is not None and token.kind == "operator" and token.text in operators:
            self._at += 1
            return token.text
        return None

    def _value(self) -> str:
        token = self.next
        if token is None or token.kind != "value":
            raise InvalidExpression(f"a value is missing at '{token.text if token else 'the end'}'")
        self._at += 1
        return token.text

    def expression(self, depth: int) -> Predicate:
        if depth > _DEEPEST:
            raise InvalidExpression("too deeply nested")
        parts = [self._term(depth)]
        while self._take("||"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else lambda subjects: any(part(subjects) for part in parts)

    def _term(self, depth: int) -> Predicate:
        parts = [self._factor(depth)]
        while self._take("&&"):
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else lambda subjects: all(part(subjects) for part in parts)

    def _factor(self, depth: int) -> Predicate:
        if depth > _DEEPEST:
            raise InvalidExpression("too deeply nested")
        if self._take("!"):
            inner = self._factor(depth + 1)
            return lambda subjects: not inner(subjects)
        if self._take("("):
            inner = self.expression(depth + 1)
            if not self._take(")"):
                raise InvalidExpression("a closing parenthesis is missing")
            return inner
        return self._condition()

    def _condition(self) -> Predicate:
        subject = self._value()
        if subject not in SUBJECTS and not re.fullmatch(r"attribute:[\w.\-/:\\]+", subject):
            raise InvalidExpression(f"unknown subject '{subject}'")
        if operator := self._take("exists", "!exists"):
            there = operator == "exists"
            return lambda subjects: bool(subjects(subject)) == there
        if operator := self._take("in", "!in"):
            wanted, inside = self._list(), operator == "in"
            return lambda subjects: any(value in wanted for value in subjects(subject)) == inside
        compared = self._take(*_COMPARISONS)
        if compared is None:
            raise InvalidExpression(f"an operator is missing behind '{subject}'")
        return _comparison(subject, compared, self._value())

    def _list(self) -> list[str]:
        if not self._take("["):
            raise InvalidExpression("a list in brackets is missing")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        if not self._take("]"):
            raise InvalidExpression("a closing bracket is missing")
        return values


def _comparison(subject: str, operator: str, argument: str) -> Predicate:
    if operator in ("=~", "!~"):
        try:
            pattern = re.compile(argument)
        except re.error as error:
            raise InvalidExpression(f"'{argument}' is no regular expression: {error}") from error
        return lambda subjects: any(pattern.fullmatch(v) for v in subjects(subject)) == (operator == "=~")
    ordered = _ORDERS.get(subject, _number)
    limit = ordered(argument)
    if operator in ("==", "!="):
        if subject not in _ORDERS or limit is None:
            return lambda subjects: (argument in subjects(subject)) == (operator == "==")
        return lambda subjects: any(ordered(v) == limit for v in subjects(subject)) == (operator == "==")
    if limit is None:
        raise InvalidExpression(f"'{argument}' cannot be ordered")
    compare = {">": gt, ">=": ge, "<": lt, "<=": le}[operator]

    def compared(subjects: Subjects) -> bool:
        values = [ordered(text) for text in subjects(subject)]
        return any(value is not None and compare(value, limit) for value in values)

    return compared


def _number(text: str) -> tuple[float, ...] | None:
    return (float(text),) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None


def _version(text: str) -> tuple[float, ...] | None:
    """1.96.0, v1.96 or 2: a part that is not named is 0."""
    if not re.fullmatch(r"v?\d+(\.\d+)*", text):
        return None
    parts = [float(part) for part in text.lstrip("v").split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _time(text: str) -> tuple[float, ...] | None:
    """A date, or a date and a time with or without an offset; without one it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp(),)


_ORDERS: dict[str, Callable[[str], tuple[float, ...] | None]] = {
    "agentVersion": _version,
    "registeredAt": _time,
    "runningTasksCount": _number,
}
"""How a subject's values are compared; attributes as numbers"""
