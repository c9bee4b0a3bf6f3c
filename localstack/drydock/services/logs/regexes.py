"""The regular expressions of filter patterns, ``%...%``: AWS's restricted syntax, matched in bounded time.

Source: "Supported regular expressions (regex) syntax" of the CloudWatch Logs user guide. Letters, digits, the symbols
``_ # = @ / ; , - :``, and the operators ``^ $ ? [ ] { } | \\ * + .``; no parentheses, no multi-byte characters.

1. Without parentheses a pattern is alternatives, each a row of single-character atoms with a quantifier.
2. Python's ``re`` tries ways to match one after another: a message of n characters and k variable quantifiers may cost
   n^(k+1) steps, each as long as the pattern. That is fine for a log line and a disaster for a megabyte. So ``re`` is
   used where that product is small, and otherwise the automaton below, which reads each character once.
3. The automaton's states are sets of places in the pattern, as bits of an integer, worked out when first met.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_#=@/;,-:")
CLASSES = frozenset("dDsSwW")
MOST_REPEATS = 1000
MOST_PLACES = 4000
STEPS_OF_RE = 2_000_000
MOVES_KEPT = 10_000


class InvalidPattern(Exception):
    """The filter pattern is not one of AWS's."""


@dataclass(frozen=True)
class Atom:
    """One character out of a set (as ``re`` writes it), so many times; ``most`` None is without end."""

    characters: str
    least: int = 1
    most: int | None = 1


@dataclass(frozen=True)
class Alternative:
    """Atoms in a row, tied to the message's start or end."""

    atoms: tuple[Atom, ...]
    at_start: bool
    at_end: bool


class Regex:
    """A compiled ``%...%``."""

    def __init__(self, source: str) -> None:
        """``source`` is what stands between the percent signs. Raises InvalidPattern."""
        self.alternatives = _parse(source)
        self._variable = max(sum(a.least != a.most for a in alt.atoms) for alt in self.alternatives)
        self._places = sum(a.most or a.least + 1 for alt in self.alternatives for a in alt.atoms)
        if self._places > MOST_PLACES:
            raise InvalidPattern(source)
        self._quick = re.compile("|".join(_as_python(alt) for alt in self.alternatives), re.ASCII)
        self._automaton: Automaton | None = None

    def search(self, text: str) -> bool:
        """Whether it matches anywhere in the text."""
        if self._places * (len(text) + 1) ** (self._variable + 1) <= STEPS_OF_RE:
            return self._quick.search(text) is not None
        if self._automaton is None:
            self._automaton = Automaton(self.alternatives)
        return self._automaton.search(text)


def _as_python(alternative: Alternative) -> str:
    parts = ["\\A" if alternative.at_start else ""]
    for atom in alternative.atoms:
        bounds = (
            "" if (atom.least, atom.most) == (1, 1) else f"{{{atom.least},{'' if atom.most is None else atom.most}}}"
        )
        parts.append(atom.characters + bounds)
    parts.append("\\Z" if alternative.at_end else "")
    return "".join(parts)


# --- parsing ----------------------------------------------------------------------------------------------------------


def _parse(source: str) -> tuple[Alternative, ...]:
    if not source:
        raise InvalidPattern(source)
    alternatives, position = [], 0
    while True:
        alternative, position = _alternative(source, position)
        alternatives.append(alternative)
        if position == len(source):
            return tuple(alternatives)
        position += 1  # the bar


def _alternative(source: str, position: int) -> tuple[Alternative, int]:
    at_start = source.startswith("^", position)
    position += at_start
    at_end, atoms = False, []
    while position < len(source) and source[position] != "|":
        if source[position] == "$":
            position += 1
            at_end = True
            if position < len(source) and source[position] != "|":
                raise InvalidPattern(source)
            break
        characters, position = _characters(source, position)
        least, most, position = _quantifier(source, position)
        atoms.append(Atom(characters, least, most))
    if not atoms and not (at_start or at_end):
        raise InvalidPattern(source)
    return Alternative(tuple(atoms), at_start, at_end), position


def _characters(source: str, position: int) -> tuple[str, int]:
    """One atom's set of characters, and where the next thing begins."""
    char = source[position]
    if char == ".":
        return "[^\\n]", position + 1
    if char == "[":
        return _bracket(source, position + 1)
    if char == "\\":
        return _escape(source, position + 1)
    if char in ALLOWED:
        return re.escape(char), position + 1
    raise InvalidPattern(source)


def _escape(source: str, position: int) -> tuple[str, int]:
    """What follows a backslash: a class, two hexadecimal digits, or a character that stands for itself."""
    char = source[position : position + 1]
    if char in CLASSES and char:
        return "\\" + char, position + 1
    if char == "x":
        digits = source[position + 1 : position + 3]
        if not re.fullmatch("[0-7][0-9A-Fa-f]", digits):
            raise InvalidPattern(source)
        return f"\\x{digits}", position + 3
    if char and char.isascii() and char.isprintable() and not char.isalnum():
        return f"\\x{ord(char):02x}", position + 1
    raise InvalidPattern(source)


def _bracket(source: str, position: int) -> tuple[str, int]:
    """A character class, after its opening bracket."""
    parts = ["[^" if source.startswith("^", position) else "["]
    position += len(parts[0]) - 1
    low: str | None = None  # the character that a following hyphen would make a range of
    while True:
        char = source[position : position + 1]
        if not char:
            raise InvalidPattern(source)
        if char == "]":
            if len(parts) == 1:
                raise InvalidPattern(source)
            return "".join(parts) + "]", position + 1
        if char == "-" and low is not None and source[position + 1 : position + 2] not in ("]", ""):
            high, position = _member(source, position + 1)
            if len(high) != 4 or high < low:
                raise InvalidPattern(source)
            parts.append("-" + high)
            low = None
            continue
        member, position = _member(source, position)
        parts.append(member)
        low = member if len(member) == 4 else None


def _member(source: str, position: int) -> tuple[str, int]:
    """One member of a class: ``\\d`` and the like, or a character as ``\\x..``, which compares as it does."""
    char = source[position]
    if char == "\\":
        found, position = _escape(source, position + 1)
        return found.lower() if len(found) == 4 else found, position
    if char in ALLOWED or char in "^$?{}|*+.":
        return f"\\x{ord(char):02x}", position + 1
    raise InvalidPattern(source)


def _quantifier(source: str, position: int) -> tuple[int, int | None, int]:
    """Least, most, and where the next thing begins."""
    simple: dict[str, tuple[int, int | None]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}
    char = source[position : position + 1]
    if char in simple:
        least, most = simple[char]
        position += 1
    elif char == "{":
        match = re.compile(r"\{(\d{1,4})(?:(,)(\d{0,4}))?\}", re.ASCII).match(source, position)
        if match is None:
            raise InvalidPattern(source)
        least = int(match[1])
        most = least if match[2] is None else int(match[3]) if match[3] else None
        position = match.end()
        if least > MOST_REPEATS or (most is not None and not max(least, 1) <= most <= MOST_REPEATS):
            raise InvalidPattern(source)
    else:
        return 1, 1, position
    if source[position : position + 1] in ("?", "*", "+", "{"):
        raise InvalidPattern(source)
    return least, most, position


# --- matching ---------------------------------------------------------------------------------------------------------


class Automaton:
    """All alternatives at once. Place i is "the atoms before i have matched"; bit i of a state is for being there."""

    def __init__(self, alternatives: tuple[Alternative, ...]) -> None:
        self._tests: list[re.Pattern[str] | None] = []
        """What must be read to go from place i to i + 1; None at an alternative's last place"""
        self._skips, self._loops = 0, 0
        begin, anywhere = 0, 0
        self._accept, self._accept_at_end = 0, 0
        for alternative in alternatives:
            first = len(self._tests)
            for atom in alternative.atoms:
                self._add(atom)
            last = len(self._tests)
            self._tests.append(None)
            begin |= 1 << first
            anywhere |= 0 if alternative.at_start else 1 << first
            self._accept_at_end |= 1 << last
            self._accept |= 0 if alternative.at_end else 1 << last
        self._begin, self._anywhere = self._reach(begin), self._reach(anywhere)

    def _add(self, atom: Atom) -> None:
        test = re.compile(atom.characters, re.ASCII)
        if atom.most is None:
            copies = [(False, False)] * (atom.least - 1) + [(atom.least == 0, True)]
        else:
            copies = [(False, False)] * atom.least + [(True, False)] * (atom.most - atom.least)
        for skip, loop in copies:
            self._skips |= skip << len(self._tests)
            self._loops |= loop << len(self._tests)
            self._tests.append(test)

    def _reach(self, state: int) -> int:
        """With the places that are reached by leaving optional atoms out. Adding a bit to a row of ones clears the row
        from there on and sets the place after it: those are the places that we want, found in one addition."""
        return state | (self._skips + (state & self._skips)) ^ self._skips

    def _readers(self, char: str) -> int:
        """The places whose atom takes this character."""
        return sum(1 << place for place, test in enumerate(self._tests) if test is not None and test.match(char))

    def search(self, text: str) -> bool:
        """Whether any alternative matches anywhere in the text."""
        state = self._begin
        readers: dict[str, int] = {}
        moves: dict[tuple[int, str], int] = {}
        for char in text:
            if state & self._accept:
                return True
            if char > "\x7f":  # patterns are ASCII, so all other characters are alike to them
                char = "\x80"
            following = moves.get((state, char))
            if following is None:
                if char not in readers:
                    readers[char] = self._readers(char)
                taken = state & readers[char]
                # Having read a repeated atom we may read it again, so we stay at its place as well as go on.
                following = self._reach(taken << 1 | taken & self._loops) | self._anywhere
                if len(moves) < MOVES_KEPT:
                    moves[state, char] = following
            state = following
        return bool(state & self._accept_at_end)


def split_regex(text: str, position: int) -> tuple[Regex, int]:
    """The regex that opens with the percent sign at ``position``, and where it ends. Raises InvalidPattern."""
    end = position + 1
    while end < len(text) and text[end] != "%":
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise InvalidPattern(text)
    return Regex(text[position + 1 : end]), end + 1


def at_most_two(regexes: int) -> None:
    """The quota of regular expressions in a filter pattern. Raises InvalidPattern."""
    if regexes > 2:
        raise InvalidPattern("more than two regular expressions")


__all__ = ["InvalidPattern", "Regex", "at_most_two", "split_regex"]
