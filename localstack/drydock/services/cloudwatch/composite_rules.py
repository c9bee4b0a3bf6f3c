"""The rule of a composite alarm, and when its actions are held back.

Grammar (API reference, PutCompositeAlarm)::

    rule    = either
    either  = both { OR both }
    both    = one { AND one }
    one     = NOT one | "(" rule ")" | TRUE | FALSE | state "(" alarm ")"
            | AT_LEAST "(" many "," [ NOT ] state "," "(" alarm { "," alarm } ")" ")"
    many    = a number, or a percentage in double quotes
    state   = ALARM | OK | INSUFFICIENT_DATA
    alarm   = a name or an ARN, in double quotes if it has other characters than letters, digits and ``._:/-``

Suppression ("Alarm suppression" in the User Guide): while the suppressor alarm is in ALARM the composite alarm changes
its state but does nothing. Going to ALARM it waits for the suppressor to follow (WaitPeriod), and after the suppressor has
left ALARM it goes on being silent (ExtensionPeriod). At the end it does what its state asks for, if it has changed
meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from drydock.services.cloudwatch.alarm_rules import ALARM, OK, STATES

MOST_CHILDREN = 100
MOST_ELEMENTS = 500
_TOKEN = re.compile(r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<sign>[()])|(?P<word>[^\s()"]+))')

State = Callable[[str], str | None]
"""The state of the alarm of a name, None if there is none"""
Truth = Callable[[State], bool]


class BadRule(Exception):
    """What is wrong, as a sentence."""


@dataclass(frozen=True)
class Atom:
    """``ALARM("x")``. ``alarm`` is its name."""

    state: str
    alarm: str


@dataclass(frozen=True)
class AlarmRule:
    """``atoms`` in the order of the text."""

    truth: Truth
    atoms: tuple[Atom, ...]

    @property
    def children(self) -> list[str]:
        """Names of the alarms that it speaks of, each once."""
        return list(dict.fromkeys(atom.alarm for atom in self.atoms))

    def holds(self, state: State) -> bool:
        """Whether the composite alarm is to be in ALARM."""
        return self.truth(state)


def parse(text: str, name_of: Callable[[str], str]) -> AlarmRule:
    """``name_of`` gives an alarm's name for a name or an ARN. Raises BadRule."""
    return _Parser(_tokens(text), name_of).whole()


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadRule(f"unexpected character at position {at}")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        at = match.end()
    if len(found) > MOST_ELEMENTS * 4:
        raise BadRule(f"it has more than {MOST_ELEMENTS} elements")
    return found


def _at_commas(token: tuple[str, str]) -> list[tuple[str, str]]:
    kind, text = token
    if kind != "word":
        return [token]
    return [("sign" if part == "," else "word", part) for part in re.split("(,)", text) if part]


def _needed(many: str, of: int) -> int:
    """How many alarms ``2`` or ``50%`` are."""
    match = re.fullmatch(r"(\d{1,3})(%?)", many)
    count = int(match[1]) if match else 0
    most = 100 if match and match[2] else of
    if not 1 <= count <= most:
        raise BadRule(f"AT_LEAST cannot be of '{many}'")
    return -(-count * of // 100) if match and match[2] else count


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], name_of: Callable[[str], str]) -> None:
        self._tokens = tokens
        self._name_of = name_of
        self._at = 0
        self._depth = 0
        self._atoms: list[Atom] = []

    def whole(self) -> AlarmRule:
        truth = self._either()
        if self._at < len(self._tokens):
            raise BadRule(f"unexpected '{self._tokens[self._at][1]}'")
        return AlarmRule(truth, tuple(self._atoms))

    def _word(self) -> str:
        """The next token if it is a keyword or a sign, in capitals."""
        if self._at >= len(self._tokens):
            return ""
        kind, text = self._tokens[self._at]
        return "" if kind == "quoted" else text.upper()

    def _take(self, wanted: str) -> bool:
        if self._word() != wanted:
            return False
        self._at += 1
        return True

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            found = f"'{self._tokens[self._at][1]}'" if self._at < len(self._tokens) else "the end"
            raise BadRule(f"expected '{wanted}', found {found}")

    def _either(self) -> Truth:
        parts = [self._both()]
        while self._take("OR"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda state: any(part(state) for part in parts)

    def _both(self) -> Truth:
        parts = [self._one()]
        while self._take("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda state: all(part(state) for part in parts)

    def _one(self) -> Truth:
        self._depth += 1
        if self._depth > MOST_CHILDREN:
            raise BadRule("it is nested too deeply")
        try:
            if self._take("NOT"):
                inner = self._one()
                return lambda state: not inner(state)
            if self._take("("):
                inner = self._either()
                self._expect(")")
                return inner
            if self._take("TRUE"):
                return lambda state: True
            if self._take("FALSE"):
                return lambda state: False
            return self._at_least() if self._take("AT_LEAST") else self._atom()
        finally:
            self._depth -= 1

    def _atom(self) -> Truth:
        wanted = self._state()
        self._expect("(")
        name = self._alarm(wanted)
        self._expect(")")
        return lambda state: state(name) == wanted

    def _state(self) -> str:
        wanted = self._word()
        if wanted not in STATES:
            found = f"'{self._tokens[self._at][1]}'" if self._at < len(self._tokens) else "the end"
            raise BadRule(f"expected a function such as ALARM(name), found {found}")
        self._at += 1
        return wanted

    def _alarm(self, wanted: str) -> str:
        name = self._name_of(self._text(f"{wanted} needs the name or the ARN of an alarm"))
        self._atoms.append(Atom(wanted, name))
        return name

    def _text(self, lacking: str) -> str:
        """The next token as it is meant: without quotes."""
        if self._at >= len(self._tokens) or self._tokens[self._at][0] == "sign":
            raise BadRule(lacking)
        kind, text = self._tokens[self._at]
        self._at += 1
        return re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "quoted" else text

    def _at_least(self) -> Truth:
        """Commas are signs within its parentheses only; elsewhere they may be part of a name."""
        self._tokens[self._at :] = [part for token in self._tokens[self._at :] for part in _at_commas(token)]
        self._expect("(")
        many = self._text("AT_LEAST needs a number or a percentage")
        self._expect(",")
        negated = self._take("NOT")
        wanted = self._state()
        self._expect(",")
        self._expect("(")
        names = [self._alarm(wanted)]
        while self._take(","):
            names.append(self._alarm(wanted))
        self._expect(")")
        self._expect(")")
        needed = _needed(many, len(names))
        return lambda state: sum((state(name) == wanted) != negated for name in names) >= needed


def in_cycle(name: str, children: Mapping[str, list[str]]) -> bool:
    """Whether a composite alarm depends on itself. ``children`` are those of all composite alarms by name."""
    seen: set[str] = set()
    ahead = list(children.get(name, ()))
    while ahead:
        one = ahead.pop()
        if one == name:
            return True
        if one not in seen:
            seen.add(one)
            ahead += children.get(one, ())
    return False


# --- suppression ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Suppression:
    """``by`` is AWS's ActionsSuppressedBy, empty when nothing is held back. ``until`` in lab seconds, 0 while the
    suppressor is in ALARM. ``pending``: the state has changed since, so there is something to do at the end."""

    by: str = ""
    until: float = 0.0
    pending: bool = False

    @property
    def reason(self) -> str:
        """ActionsSuppressedReason"""
        return f"Actions suppressed by {self.by}" if self.by else ""


def on_change(held: Suppression, state: str, suppressor: str, now: float, wait: int) -> tuple[Suppression, bool]:
    """The composite alarm has gone to ``state`` while its suppressor is in ``suppressor``. The second says whether its
    actions are due."""
    if suppressor == ALARM:
        return Suppression("Alarm", 0.0, True), False
    if held.by == "ExtensionPeriod" and now < held.until:
        return replace(held, pending=True), False
    if state == ALARM and wait > 0:
        return Suppression("WaitPeriod", now + wait, True), False
    return Suppression(), True


def on_time(held: Suppression, suppressor: str, now: float, extension: int) -> tuple[Suppression, bool]:
    """Time has passed, or the suppressor has changed. The second says whether actions that were held back are due."""
    if suppressor == ALARM:
        return (held if held.by == "Alarm" else Suppression("Alarm", 0.0, held.pending)), False
    if held.by == "Alarm" and extension > 0:
        return Suppression("ExtensionPeriod", now + extension, held.pending), False
    if held.by and (held.by == "Alarm" or now >= held.until):
        return Suppression(), held.pending
    return held, False


def result(holds: bool) -> str:
    """The state of a composite alarm whose rule holds or does not."""
    return ALARM if holds else OK
