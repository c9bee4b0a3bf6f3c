"""The two directions of a data channel: order, acknowledgement, repetition, the window."""

from __future__ import annotations

import random
import uuid

import pytest
from drydock.services.ssm.messages import Message
from drydock.services.ssm.streams import (
    FIRST_TIMEOUT,
    LONGEST_TIMEOUT,
    MOST_ATTEMPTS,
    MOST_WAITING,
    WINDOW,
    Incoming,
    Outgoing,
)
from hypothesis import given
from hypothesis import strategies as st


def numbered(number: int) -> Message:
    return Message("input_stream_data", str(number).encode(), uuid.UUID(int=1), 1, 1, number)


def drained(incoming: Incoming) -> list[int]:
    found = []
    while (message := incoming.next()) is not None:
        found.append(message.sequence)
    return found


# ---------------------------------------------------------------------------------------- incoming
def test_in_order() -> None:
    incoming = Incoming()
    for number in range(5):
        assert incoming.receive(numbered(number))
        assert drained(incoming) == [number]


def test_what_is_early_waits_and_is_acknowledged() -> None:
    incoming = Incoming()
    assert incoming.receive(numbered(2)) and drained(incoming) == []
    assert incoming.receive(numbered(1)) and drained(incoming) == []
    assert incoming.receive(numbered(0)) and drained(incoming) == [0, 1, 2]


def test_what_comes_again_is_acknowledged_again_and_given_once() -> None:
    incoming = Incoming()
    assert incoming.receive(numbered(0)) and incoming.receive(numbered(0))
    assert drained(incoming) == [0]
    assert incoming.receive(numbered(0)) and drained(incoming) == []


def test_there_is_room_for_so_many_and_always_for_the_next() -> None:
    incoming = Incoming()
    for number in range(1, MOST_WAITING + 1):
        assert incoming.receive(numbered(number))
    assert not incoming.receive(numbered(MOST_WAITING + 1)), "the other side will send it again"
    assert incoming.receive(numbered(0)), "else it would wait for ever"
    assert drained(incoming) == list(range(MOST_WAITING + 1))


def test_numbers_below_zero_are_no_messages() -> None:
    assert not Incoming().receive(numbered(-1))


@given(st.integers(1, 200), st.integers(0, 2**32), st.floats(0, 0.5), st.floats(0, 0.9))
def test_all_arrive_once_in_order_whatever_is_lost(count: int, seed: int, lost: float, busy: float) -> None:
    """A sender that repeats what was not acknowledged, over a network that loses, repeats and mixes."""
    incoming, given_out, chance = Incoming(), [], random.Random(seed)
    missing = set(range(count))
    while missing:
        batch = [chance.choice(sorted(missing)) for _ in range(20)] + sorted(missing)[:3]
        chance.shuffle(batch)
        for number in batch:
            if chance.random() < lost:
                continue
            if incoming.receive(numbered(number)) and chance.random() >= lost:
                missing.discard(number)
            if chance.random() >= busy:
                given_out += drained(incoming)
    assert given_out + drained(incoming) == list(range(count))


# ---------------------------------------------------------------------------------------- outgoing
def sent(count: int, now: float = 0.0) -> Outgoing:
    outgoing = Outgoing()
    for number in range(count):
        assert outgoing.next == number
        outgoing.sent(str(number).encode(), now)
    return outgoing


def test_a_window_is_on_its_way() -> None:
    outgoing = sent(WINDOW)
    assert not outgoing.has_room
    outgoing.acknowledge(5, 0.1)
    assert outgoing.has_room and not outgoing.is_empty


def test_the_oldest_is_sent_again_and_only_it() -> None:
    outgoing = sent(3)
    assert outgoing.due() == FIRST_TIMEOUT
    assert outgoing.again(FIRST_TIMEOUT - 0.001) is None
    assert outgoing.again(FIRST_TIMEOUT) == b"0"
    assert outgoing.again(FIRST_TIMEOUT + 0.001) is None, "it has just been sent"
    outgoing.acknowledge(0, 0.3)
    assert outgoing.again(0.3) == b"1"
    outgoing.acknowledge(1, 0.3)
    outgoing.acknowledge(2, 0.3)
    assert outgoing.is_empty and outgoing.due() is None and outgoing.again(9) is None


def test_what_is_not_on_its_way_need_not_be_acknowledged() -> None:
    outgoing = sent(1)
    for number in (7, -1, 0, 0):
        outgoing.acknowledge(number, 0.1)
    assert outgoing.is_empty


def test_it_gives_up_after_so_many_attempts() -> None:
    outgoing, now = sent(1), 0.0
    for _ in range(MOST_ATTEMPTS):
        now += LONGEST_TIMEOUT
        assert outgoing.again(now) == b"0"
    with pytest.raises(TimeoutError):
        outgoing.again(now + LONGEST_TIMEOUT)


def test_the_timeout_follows_the_round_trip_as_the_plugin_counts_it() -> None:
    outgoing = sent(1)
    outgoing.acknowledge(0, 0.1)  # as was expected: 100 ms, no variation
    assert outgoing.timeout == pytest.approx(0.1 + 0.01)
    outgoing.sent(b"", 10.0)
    outgoing.acknowledge(1, 10.5)  # variation (0 * 3 + 0.4) / 4, round trip (0.1 * 7 + 0.5) / 8
    assert outgoing.timeout == pytest.approx(0.15 + 4 * 0.1)
    outgoing.sent(b"", 20.0)
    outgoing.acknowledge(2, 29.0)
    assert outgoing.timeout == LONGEST_TIMEOUT


def test_a_repeated_message_says_nothing_about_the_round_trip() -> None:
    outgoing = sent(1)
    assert outgoing.again(1.0) == b"0"
    outgoing.acknowledge(0, 1.001)
    assert outgoing.timeout == FIRST_TIMEOUT


def test_a_new_connection_gets_all_that_is_not_acknowledged() -> None:
    outgoing = sent(4)
    outgoing.acknowledge(1, 0.1)
    assert outgoing.restart(5.0) == [b"0", b"2", b"3"]
    assert outgoing.due() == pytest.approx(5.0 + outgoing.timeout)


@given(st.lists(st.tuples(st.integers(0, 400), st.floats(0, 30)), max_size=100))
def test_the_timeout_stays_within_its_bounds(story: list[tuple[int, float]]) -> None:
    outgoing = sent(WINDOW)
    for number, now in story:
        outgoing.acknowledge(number, now)
        assert 0.01 <= outgoing.timeout <= LONGEST_TIMEOUT
