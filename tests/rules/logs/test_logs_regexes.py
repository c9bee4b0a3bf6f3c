"""The regular expressions of filter patterns: AWS's operators, and matching in bounded time."""

from __future__ import annotations

import random
import re
import time

import pytest
from drydock.services.logs.regexes import Automaton, InvalidPattern, Regex
from hypothesis import given, settings
from hypothesis import strategies as st

DOCUMENTED = [
    ("^[hc]at", ["hat", "cattle"], ["that", "bat"]),
    ("[hc]at$", ["that", "cat"], ["hats", "bat"]),
    ("colou?r", ["color", "colour"], ["colouur"]),
    ("[abc]", ["a", "xbx"], ["xyz"]),
    ("[a-z]", ["q"], ["Q", "1"]),
    ("[abcx-z]", ["y", "b"], ["d"]),
    ("[^a-c]", ["d"], ["abc"]),
    ("^a{3,5}$", ["aaa", "aaaa", "aaaaa"], ["aa", "aaaaaa"]),
    ("gray|grey", ["gray", "grey"], ["groy"]),
    ("10\\.10\\.0\\.1", ["10.10.0.1"], ["10.10x0.1"]),
    ("ab*c", ["ac", "abc", "abbbc"], ["adc"]),
    ("ab+c", ["abc", "abbbc"], ["ac"]),
    ("^.at$", ["hat", "cat", "bat"], ["at", "that"]),
    ("\\d\\D\\s\\S\\w\\W", ["1a xy!"], ["1a xyz"]),
    ("\\x3A", [":"], [";"]),
    ("\\[ERROR\\]", ["[ERROR]"], ["ERROR"]),
    ("a|^$", ["a", ""], ["b"]),
    ("^", ["anything", ""], []),
    ("a{0,2}b{2}", ["bb", "abb"], ["ab"]),
    ("[\\d-]+x", ["1-2x", "-x"], ["x"]),
]


@pytest.mark.parametrize(("source", "matching", "others"), DOCUMENTED)
def test_documented_operators(source: str, matching: list[str], others: list[str]) -> None:
    regex = Regex(source)
    automaton = Automaton(regex.alternatives)
    for text, expected in [(text, True) for text in matching] + [(text, False) for text in others]:
        assert regex.search(text) is expected
        assert automaton.search(text) is expected


@settings(max_examples=500, deadline=None)
@given(
    st.text(alphabet="ab01^$?[]{}|\\*+.,-dsw", max_size=14),
    st.lists(st.text(alphabet="ab01 \n-é\u2028\x7f\x80", max_size=12), max_size=6),
)
def test_the_automaton_agrees_with_pythons_engine(source: str, texts: list[str]) -> None:
    try:
        regex = Regex(source)
    except InvalidPattern:
        return
    automaton = Automaton(regex.alternatives)
    for text in texts:
        assert automaton.search(text) is regex.search(text), text


@given(st.text(alphabet="abc01_#=@/;,-:", min_size=1, max_size=10), st.text(max_size=30))
def test_a_plain_word_is_found_where_it_stands(source: str, text: str) -> None:
    assert Regex(source).search(text + source + text)
    assert Regex(source).search(text) is (source in text)
    assert Automaton(Regex(source).alternatives).search(text) is (source in text)


@pytest.mark.parametrize("source", [".*.*.*.*x", "a*a*a*a*a*b", "[a-z]+[a-z]+[a-z]+$1", "a{1,1000}a{1,1000}b", "(a"])
def test_no_expression_is_slow(source: str) -> None:
    try:
        regex = Regex(source)
    except InvalidPattern:
        assert source in ("[a-z]+[a-z]+[a-z]+$1", "(a")
        return
    for text in ("a" * 100, "a" * 3000, "a" * 200_000):
        began = time.perf_counter()
        assert regex.search(text) is False
        assert time.perf_counter() - began < 5


def test_a_million_states_are_no_trouble() -> None:
    """Whether ``[ab]*a[ab]{500}c`` matches depends on the last 500 characters: 2^500 states, met one after another."""
    text = "".join(random.Random(1).choices("ab", k=200_000))
    began = time.perf_counter()
    assert Regex("[ab]*a[ab]{500}c").search(text) is False
    assert Regex("[ab]*a[ab]{500}c").search(text + "a" + "b" * 500 + "c") is True
    assert time.perf_counter() - began < 10


def test_alternatives_and_repeats_are_bounded() -> None:
    with pytest.raises(InvalidPattern):
        Regex("|".join(["a{1000}"] * 5))
    assert re.escape("-") in Regex("a-b").alternatives[0].atoms[1].characters
