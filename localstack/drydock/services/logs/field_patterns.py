"""Filter patterns for space-delimited events: ``[ip, user, ..., status = 4*, bytes > 1000]``.

Source: "Using filter patterns to match terms in space-delimited log events" of the CloudWatch Logs user guide. What
stands between square brackets or double quotes is one field of the event. An event matches if it has as many fields as
the pattern (the ellipsis, at most one, stands for any number) and every condition holds. A condition is about the field
in whose place it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from drydock.services.logs.operands import Comparison, skip_space, split_comparison
from drydock.services.logs.regexes import InvalidPattern, at_most_two

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
WORD = re.compile(r"\S+")
DEEPEST = 50


@dataclass(frozen=True)
class Field:
    """One place of a pattern: its name ("" if it has none) and what must hold of it."""

    name: str
    test: Callable[[str], bool] | None


class FieldPattern:
    """A compiled ``[...]``."""

    needle = ""

    def __init__(self, text: str) -> None:
        """Raises InvalidPattern."""
        if len(text) < 2 or not text.endswith("]"):
            raise InvalidPattern(text)
        self._body = text[1:-1].replace("…", "...")
        self._at = 0
        self.regexes = 0
        self._ellipsis: int | None = None
        self._fields: list[Field] = []
        while self._field():
            pass
        at_most_two(self.regexes)
        names = [field.name for field in self._fields if field.name]
        if not (names or self._ellipsis is not None) or len(names) != len(set(names)):
            raise InvalidPattern(text)

    def matches(self, message: str) -> bool:
        """Whether an event matches."""
        return self._assigned(message) is not None

    def extract(self, message: str) -> dict[str, str] | None:
        """The event's fields by ``$name``, or ``$1``, ``$2`` where there is no name; None if it does not match."""
        assigned = self._assigned(message)
        if assigned is None:
            return None
        return {f"${name or number}": value for number, (name, value) in enumerate(assigned, 1)}

    def _assigned(self, message: str) -> list[tuple[str, str]] | None:
        values = split_fields(message)
        between = len(values) - len(self._fields)
        if between < 0 or (between > 0 and self._ellipsis is None):
            return None
        at = len(self._fields) if self._ellipsis is None else self._ellipsis
        fields = self._fields[:at] + [Field("", None)] * between + self._fields[at:]
        if not all(f.test is None or f.test(value) for f, value in zip(fields, values, strict=True)):
            return None
        return [(f.name, value) for f, value in zip(fields, values, strict=True)]

    # --- parsing ---

    def _field(self) -> bool:
        """Read one place; whether another follows."""
        self._space()
        if self._take("..."):
            if self._ellipsis is not None:
                raise InvalidPattern(self._body)
            self._ellipsis = len(self._fields)
        elif self._at == len(self._body) or self._body[self._at] == ",":
            self._fields.append(Field("", None))
        else:
            self._fields.append(self._named())
        self._space()
        if self._at == len(self._body):
            return False
        if not self._take(","):
            raise InvalidPattern(self._body)
        return True

    def _named(self) -> Field:
        bare = NAME.match(self._body, self._at)
        if bare is not None:
            after = skip_space(self._body, bare.end())
            if after == len(self._body) or self._body[after] == ",":
                self._at = after
                return Field(bare[0], None)
        names: set[str] = set()
        test = self._expression(names, 0)
        if len(names) != 1:
            raise InvalidPattern(self._body)
        return Field(names.pop(), test)

    def _expression(self, names: set[str], depth: int) -> Callable[[str], bool]:
        choices = [[self._unit(names, depth)]]
        while True:
            self._space()
            if self._take("||"):
                choices.append([self._unit(names, depth)])
            elif self._take("&&"):
                choices[-1].append(self._unit(names, depth))
            else:
                return lambda value: any(all(test(value) for test in tests) for tests in choices)

    def _unit(self, names: set[str], depth: int) -> Callable[[str], bool]:
        self._space()
        if self._take("("):
            if depth == DEEPEST:
                raise InvalidPattern(self._body)
            test = self._expression(names, depth + 1)
            self._space()
            if not self._take(")"):
                raise InvalidPattern(self._body)
            return test
        name = NAME.match(self._body, self._at)
        if name is None:
            raise InvalidPattern(self._body)
        names.add(name[0])
        comparison: Comparison
        comparison, self._at = split_comparison(self._body, skip_space(self._body, name.end()))
        self.regexes += comparison.operand.regex is not None
        return comparison.of_text

    def _space(self) -> None:
        self._at = skip_space(self._body, self._at)

    def _take(self, sign: str) -> bool:
        if not self._body.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True


def split_fields(message: str) -> list[str]:
    """The fields of an event, in one pass: where the next closing sign stands is remembered, not searched for again."""
    fields: list[str] = []
    closing = {"]": -1, '"': -1}
    at = 0
    while (start := WORD.search(message, at)) is not None:
        at = start.start()
        closer = {"[": "]", '"': '"'}.get(message[at])
        if closer is not None:
            if closing[closer] <= at:
                closing[closer] = _next_closing(message, closer, at + 1)
            end = closing[closer]
            if end + 1 == len(message) or message[end + 1 : end + 2].isspace():
                fields.append(message[at + 1 : end])
                at = end + 1
                continue
        fields.append(start[0])
        at = start.end()
    return fields


def _next_closing(message: str, closer: str, at: int) -> int:
    """Where the next closing sign stands, one that no backslash escapes; the message's length + 1 if there is none."""
    while (found := message.find(closer, at)) >= 0:
        if message[found - 1] != "\\":
            return found
        at = found + 1
    return len(message) + 1
