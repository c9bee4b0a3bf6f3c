"""``draw_answers``: who answered the requests of a stretch of time, as a picture (SVG) with a text twin."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence

from labkit.audience import ipython

Answer = tuple[float, str]
"""When (real seconds, from any beginning), and what was answered in a word"""
_COLOURS = ("#3b6ea5", "#5aa469", "#c98a1b", "#7a5ba8")
_FAILED = "#b3261e"
_SLOTS, _WIDE, _TALL, _LEFT, _PAD = 24, 720, 150, 46, 12


def draw_answers(answers: Sequence[Answer], title: str = "answers") -> None:
    """A bar for each stretch of time, in it the answers by what they were; words that begin with "failed" or a 5xx status
    are red. Prints the same as text."""
    width, slots = by_time(answers)
    if ipython() is not None:
        from IPython.display import display

        display({"image/svg+xml": svg(width, slots, title), "text/plain": title}, raw=True)  # type: ignore[no-untyped-call]
    print(text_twin(width, slots, title))


def by_time(answers: Sequence[Answer]) -> tuple[float, list[Counter[str]]]:
    """The width of a slot in seconds, and what was answered in each."""
    if not answers:
        return 1.0, []
    first, last = min(at for at, _ in answers), max(at for at, _ in answers)
    width = (last - first) / _SLOTS or 1.0
    slots: list[Counter[str]] = [Counter() for _ in range(_SLOTS)]
    for at, what in answers:
        slots[min(int((at - first) / width), _SLOTS - 1)][what] += 1
    return width, slots


def _total(slots: Sequence[Counter[str]]) -> Counter[str]:
    """In the order in which they were seen first."""
    total: Counter[str] = Counter()
    for slot in slots:
        for what in sorted(slot, key=lambda what: (what not in total, -slot[what], what)):
            total[what] += slot[what]
    return total


def text_twin(width: float, slots: Sequence[Counter[str]], title: str) -> str:
    """The stretches in which it was the same are one line."""
    total = _total(slots)
    summary = ", ".join(f"{what}: {count}" for what, count in total.items()) or "none"
    lines = [f"{title}: {summary}"]
    runs: list[tuple[int, int, list[str]]] = []
    for number, slot in enumerate(slots):
        kinds = [what for what in total if what in slot]
        if kinds and runs and runs[-1][2] == kinds:
            runs[-1] = (runs[-1][0], number, kinds)
        elif kinds:
            runs.append((number, number, kinds))
    for first, last, kinds in runs:
        lines.append(f"  {first * width:5.1f} to {(last + 1) * width:5.1f} s: {' and '.join(kinds)}")
    return "\n".join(lines)


def svg(width: float, slots: Sequence[Counter[str]], title: str) -> str:
    """Time from left to right. It depends on its arguments only."""
    total = _total(slots)
    usual = iter(_COLOURS * (1 + len(total) // len(_COLOURS)))
    colours = {what: _FAILED if what.startswith(("failed", "5")) else next(usual) for what in total}
    most = max((sum(slot.values()) for slot in slots), default=0) or 1
    step = (_WIDE - _LEFT - _PAD) / _SLOTS
    base = _TALL + 2.0 * _PAD + 16
    drawn = [_text(_PAD, _PAD + 8, title, bold=True)]
    x = _PAD + 8.0 * len(title) + 24
    for what, count in total.items():
        label = f"{what}: {count}"
        drawn += [_rect(x, _PAD - 2, 12, 12, colours[what]), _text(x + 17, _PAD + 8, label)]
        x += 17 + 7.0 * len(label) + 20
    for number, slot in enumerate(slots):
        top = base
        for what in total:
            if slot[what]:
                tall = _TALL * slot[what] / most
                top -= tall
                drawn.append(_rect(_LEFT + number * step + 1, top, step - 2, tall, colours[what]))
    drawn.append(f'<path d="M{_LEFT} {base - _TALL:.0f} V{base:.0f} H{_WIDE - _PAD}" stroke="#888" fill="none"/>')
    drawn += [_text(_PAD, base - _TALL + 4, str(most)), _text(_PAD + 14, base, "0")]
    for number in range(0, _SLOTS + 1, _SLOTS // 4):
        drawn.append(_text(_LEFT + number * step - 10, base + 16, f"{number * width:.1f} s"))
    tall, wide = base + 24, max(_WIDE + 20.0, x)
    told = html.escape(text_twin(width, slots, title), quote=True)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {tall:.0f}" width="{wide:.0f}" '
            f'height="{tall:.0f}" role="img" aria-label="{told}" style="max-width:100%;height:auto" '
            'font-family="sans-serif" font-size="12">',
            f"<title>{html.escape(title)}</title>",
            f'<rect width="{wide:.0f}" height="{tall:.0f}" fill="#fff"/>',
            *drawn,
            "</svg>",
        ]
    )


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def _text(x: float, y: float, text: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="#111"{weight}>{html.escape(text)}</text>'
