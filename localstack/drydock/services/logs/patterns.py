"""Filter patterns: which events FilterLogEvents and metric filters want.

Source: "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live Tail" of the
CloudWatch Logs user guide. Three kinds, told apart by how they begin: ``{`` JSON (``json_patterns.py``), ``[`` space-
delimited (``field_patterns.py``), anything else text, whose rules are these:

1. Terms are words, "phrases in quotes" or %regular expressions%; what is not letters, digits and underscores is quoted.
2. All terms must be in the event, anywhere, in any order; case counts.
3. ``-term`` must not be in it.
4. ``?term``: one of these must be in it. Next to terms without a question mark they are ignored, as AWS does.
5. The empty pattern, and ``" "``, match everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from drydock.services.logs.field_patterns import FieldPattern
from drydock.services.logs.json_patterns import JsonPattern
from drydock.services.logs.operands import skip_space, split_quoted
from drydock.services.logs.regexes import InvalidPattern, at_most_two, split_regex

WORD = re.compile(r"[A-Za-z0-9_]+", re.ASCII)


class Pattern(Protocol):
    """A compiled filter pattern."""

    needle: str
    """A text that every matching event contains; "" if none is known"""
    regexes: int
    """How many regular expressions it has"""

    def matches(self, message: str) -> bool:
        """Whether an event matches. Never raises."""

    def extract(self, message: str) -> dict[str, str] | None:
        """The values by the names that metric filters know them by (``$.latency``, ``$bytes``), None if no match."""


class TextPattern:
    """A compiled pattern of terms."""

    def __init__(self, text: str) -> None:
        """Raises InvalidPattern."""
        self._wanted: list[Callable[[str], bool]] = []
        self._unwanted: list[Callable[[str], bool]] = []
        self._optional: list[Callable[[str], bool]] = []
        self.regexes = 0
        self.needle = ""
        at = skip_space(text, 0)
        while at < len(text):
            at = skip_space(text, self._term(text, at))
        at_most_two(self.regexes)
        if self._wanted or self._unwanted:
            self._optional = []

    def _term(self, text: str, at: int) -> int:
        """Take one term; where it ends."""
        tests = self._wanted
        if text[at] == "-":
            tests, at = self._unwanted, skip_space(text, at + 1)
        elif text[at] == "?":
            tests, at = self._optional, at + 1
        if text.startswith("%", at):
            regex, at = split_regex(text, at)
            self.regexes += 1
            tests.append(regex.search)
        else:
            literal, at = _literal(text, at)
            tests.append(lambda message: literal in message)
            if tests is self._wanted and len(literal) > len(self.needle):
                self.needle = literal
        if at < len(text) and not text[at].isspace():
            raise InvalidPattern(text)
        return at

    def matches(self, message: str) -> bool:
        """Whether an event matches."""
        for test in self._wanted:
            if not test(message):
                return False
        for test in self._unwanted:
            if test(message):
                return False
        return not self._optional or any(test(message) for test in self._optional)

    def extract(self, message: str) -> dict[str, str] | None:
        """Text patterns extract nothing: an empty dictionary if the event matches."""
        return {} if self.matches(message) else None


def _literal(text: str, at: int) -> tuple[str, int]:
    """A word or a phrase. A phrase of nothing but white space is "", which everything contains."""
    if text.startswith('"', at):
        phrase, at = split_quoted(text, at)
        return (phrase if phrase.strip() else ""), at
    word = WORD.match(text, at)
    if word is None:
        raise InvalidPattern(text)
    return word[0], word.end()


@lru_cache(maxsize=256)
def compiled(text: str) -> Pattern:
    """The matcher of a filter pattern. Raises InvalidPattern."""
    pattern = text.strip()
    if pattern.startswith("{"):
        return JsonPattern(pattern)
    if pattern.startswith("["):
        return FieldPattern(pattern)
    return TextPattern(pattern)
