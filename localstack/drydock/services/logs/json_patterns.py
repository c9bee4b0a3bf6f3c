"""Filter patterns for JSON events: ``{ ($.user.id = 1 && $.users[0].email = "J*") || $.flag IS TRUE }``.

Source: "Using filter patterns to match terms in JSON log events" of the CloudWatch Logs user guide.

    expression  = conjunction { "||" conjunction }
    conjunction = unit { "&&" unit }
    unit        = "(" expression ")" | selector comparison | selector "IS" ("NULL" | "TRUE" | "FALSE")
                | selector "NOT" "EXISTS"
    selector    = "$" { "." name | "." "*" | [ "." ] "['" name "']" | "[" number "]" | "[*]" }

A comparison holds for a string, a number or a boolean only: where the selector points to an object, an array, null or
nothing, neither ``=`` nor ``!=`` holds. With a wildcard it is enough that one of the values found fulfils it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from drydock.services.logs.operands import Comparison, skip_space, split_comparison
from drydock.services.logs.regexes import InvalidPattern, at_most_two

DEEPEST = 50
STEP = re.compile(r"""\.?\[(?:'([^']+)'|"([^"]+)")\]|\[(\d{1,6})\]|(\[\*\])|\.([A-Za-z0-9_-]+)|(\.\*)""", re.ASCII)
STATE = re.compile(r"\s+(IS\s+NULL|IS\s+TRUE|IS\s+FALSE|NOT\s+EXISTS)\b")
ANY = object()
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True)
class Selector:
    """A path from the root: names, indexes, and ANY for a wildcard."""

    text: str
    steps: tuple[Any, ...]

    @property
    def wildcards(self) -> int:
        """How many; the quota is one in a selector, three in a pattern."""
        return sum(step is ANY for step in self.steps)

    def values(self, root: Any) -> Iterator[Any]:
        """What it points to."""
        found = [root]
        for step in self.steps:
            found = [child for node in found for child in _children(node, step)]
        yield from found


def _children(node: Any, step: Any) -> list[Any]:
    if step is ANY:
        return list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
    if isinstance(step, int):
        return [node[step]] if isinstance(node, list) and step < len(node) else []
    return [node[step]] if isinstance(node, dict) and step in node else []


Test = Callable[[Any], bool]


def _text_of(value: Any) -> str | None:
    """A scalar as the text that conditions compare; None for what is no scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else None


def _compares(selector: Selector, comparison: Comparison) -> Test:
    def holds(value: Any) -> bool:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and comparison.operand.number is not None:
            return comparison.of_number(value)
        text = _text_of(value)
        return text is not None and comparison.of_text(text)

    return lambda root: any(holds(value) for value in selector.values(root))


def _is(selector: Selector, state: str) -> Test:
    wanted = {"NULL": None, "TRUE": True, "FALSE": False}[state.split()[1]]
    return lambda root: any(value is wanted for value in selector.values(root))


def _not_exists(selector: Selector) -> Test:
    return lambda root: not any(True for _ in selector.values(root))


def _all_of(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda root: all(test(root) for test in tests)


def _any_of(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda root: any(test(root) for test in tests)


class JsonPattern:
    """A compiled ``{...}``."""

    needle = ""

    def __init__(self, text: str) -> None:
        """Raises InvalidPattern."""
        if len(text) < 2 or not text.endswith("}"):
            raise InvalidPattern(text)
        self._body = text[1:-1]
        self._at = 0
        self.regexes = 0
        self._selectors: list[Selector] = []
        self._test = self._expression(0)
        if skip_space(self._body, self._at) != len(self._body):
            raise InvalidPattern(text)
        at_most_two(self.regexes)
        wildcards = [selector.wildcards for selector in self._selectors]
        if max(wildcards) > 1 or sum(wildcards) > 3:
            raise InvalidPattern(text)

    def matches(self, message: str) -> bool:
        """Whether an event matches; what is no JSON object or array does not."""
        root = _parsed(message)
        return root is not None and self._test(root)

    def extract(self, message: str) -> dict[str, str] | None:
        """The values that its selectors point to, None if it does not match."""
        root = _parsed(message)
        if root is None or not self._test(root):
            return None
        found: dict[str, str] = {}
        for selector in self._selectors:
            for value in selector.values(root):
                if (text := _text_of(value)) is not None:
                    found.setdefault(selector.text, text)
        return found

    # --- parsing ---

    def _expression(self, depth: int) -> Test:
        tests = [self._conjunction(depth)]
        while self._take("||"):
            tests.append(self._conjunction(depth))
        return _any_of(tests)

    def _conjunction(self, depth: int) -> Test:
        tests = [self._unit(depth)]
        while self._take("&&"):
            tests.append(self._unit(depth))
        return _all_of(tests)

    def _unit(self, depth: int) -> Test:
        if self._take("("):
            if depth == DEEPEST:
                raise InvalidPattern(self._body)
            test = self._expression(depth + 1)
            if not self._take(")"):
                raise InvalidPattern(self._body)
            return test
        selector = self._selector()
        self._selectors.append(selector)
        if (state := STATE.match(self._body, self._at)) is not None:
            self._at = state.end()
            return _not_exists(selector) if state[1].startswith("NOT") else _is(selector, state[1])
        comparison, self._at = split_comparison(self._body, skip_space(self._body, self._at))
        self.regexes += comparison.operand.regex is not None
        return _compares(selector, comparison)

    def _selector(self) -> Selector:
        begin = skip_space(self._body, self._at)
        if not self._body.startswith("$", begin):
            raise InvalidPattern(self._body)
        at, steps = begin + 1, []
        while (match := STEP.match(self._body, at)) is not None:
            quoted, double, index, every, name, member = match.groups()
            steps.append(ANY if every or member else int(index) if index else quoted or double or name)
            at = match.end()
        if not steps:
            raise InvalidPattern(self._body)
        self._at = at
        return Selector(self._body[begin:at], tuple(steps))

    def _take(self, sign: str) -> bool:
        at = skip_space(self._body, self._at)
        if not self._body.startswith(sign, at):
            return False
        self._at = at + len(sign)
        return True


def _parsed(message: str) -> Any:
    """The event as JSON, None if it is not an object or an array."""
    if message.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return _decode(message)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
