"""The right-hand sides of conditions in filter patterns (``= "4*"``, ``> 1e3``, ``!= %regex%``) and their comparison.

Source: "Filter pattern syntax" of the CloudWatch Logs user guide. An asterisk stands for any text before or after a
term; ``Ev*ent`` matches that very string only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drydock.services.logs.regexes import InvalidPattern, Regex, split_regex

NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
OPERATOR = re.compile(r"!=|=!|<=|>=|=|<|>")
BARE = re.compile(r"[A-Za-z0-9_.*:/+#\-]+")


@dataclass(frozen=True)
class Operand:
    """What a value is compared with. ``number`` is set where the text is one and was not quoted."""

    text: str
    number: float | None = None
    regex: Regex | None = None

    def is_like(self, value: str) -> bool:
        """Whether a text equals it, wildcards counted in."""
        if self.regex is not None:
            return self.regex.search(value)
        begins, ends = self.text.endswith("*"), self.text.startswith("*")
        core = self.text[1 if ends else 0 : -1 if begins and len(self.text) > 1 else None]
        if self.text == "*":
            return True
        if begins and ends:
            return core in value
        if begins:
            return value.startswith(core)
        return value.endswith(core) if ends else value == core


@dataclass(frozen=True)
class Comparison:
    """An operator and its operand."""

    operator: str
    operand: Operand

    def of_text(self, value: str) -> bool:
        """With a value that is text (a field of a line, a JSON string); it is a number if it reads like one."""
        if self.operand.number is not None and (number := as_number(value)) is not None:
            return self.of_number(number)
        if self.operator in ("=", "!="):
            return self.operand.is_like(value) == (self.operator == "=")
        return False

    def of_number(self, value: float) -> bool:
        """With a value that is a number."""
        wanted = self.operand.number
        if wanted is None:
            return False
        match self.operator:
            case "=":
                return value == wanted
            case "!=":
                return value != wanted
            case "<":
                return value < wanted
            case "<=":
                return value <= wanted
            case ">":
                return value > wanted
            case _:
                return value >= wanted


def as_number(text: str) -> float | None:
    """The number that a text is, if it is one."""
    return float(text) if len(text) <= 400 and NUMBER.fullmatch(text) else None


def split_quoted(text: str, position: int) -> tuple[str, int]:
    """The string in double quotes that opens at ``position``, and where it ends. Raises InvalidPattern."""
    out, at = [], position + 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\"):
            at += 1
        out.append(text[at])
        at += 1
    if at >= len(text):
        raise InvalidPattern(text)
    return "".join(out), at + 1


def split_comparison(text: str, position: int) -> tuple[Comparison, int]:
    """The operator and operand at ``position``, and where they end. Raises InvalidPattern."""
    found = OPERATOR.match(text, position)
    if found is None:
        raise InvalidPattern(text)
    operator = "!=" if found[0] == "=!" else found[0]
    at = skip_space(text, found.end())
    if text.startswith("%", at):
        regex, at = split_regex(text, at)
        operand = Operand("", regex=regex)
    elif text.startswith('"', at):
        quoted, at = split_quoted(text, at)
        operand = Operand(quoted)
    else:
        bare = BARE.match(text, at)
        if bare is None:
            raise InvalidPattern(text)
        operand, at = Operand(bare[0], number=as_number(bare[0])), bare.end()
    if operator not in ("=", "!=") and operand.number is None:
        raise InvalidPattern(text)
    return Comparison(operator, operand), at


def skip_space(text: str, position: int) -> int:
    """The next position that is not white space."""
    while position < len(text) and text[position].isspace():
        position += 1
    return position
