"""The two directions of a data channel: what was sent and is not acknowledged, what came and is not its turn. Pure.

1. The messages of a direction are numbered from 0. Each is acknowledged by its number when it was taken.
2. What is not acknowledged in time is sent again, the oldest first and only it, until it is or until it was tried 3,000
   times. The time is estimated as TCP does it (RFC 6298), between 10 ms and a second; at first it is 200 ms.
3. What comes before its turn is acknowledged and waits; what comes again is acknowledged again. What there is no room for
   is passed over in silence: the other side sends it again.
4. No more than a window is on its way at a time, so a reader that is slow stops the writer.

Source: aws/session-manager-plugin (``datachannel``, ``config``) and the agent's twin of it. The window is ours: AWS's
buffers hold 10,000 messages and then forget the oldest. Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from drydock.services.ssm.messages import Message

FIRST_TIMEOUT, LONGEST_TIMEOUT = 0.2, 1.0
FIRST_ROUND_TRIP = 0.1
ROUND_TRIP_SHARE, VARIATION_SHARE = 1 / 8, 1 / 4
GRANULARITY = 0.01
MOST_ATTEMPTS = 3000
WINDOW = 256
"""Messages on their way; of output with at most 1,024 bytes each"""
MOST_WAITING = 64
"""Messages that may wait for their turn, or for the program to read them"""


@dataclass
class _Sent:
    data: bytes
    at: float
    attempts: int = 0


class Outgoing:
    """What we send. ``next`` is the number of the next message."""

    def __init__(self) -> None:
        self.next = 0
        self.timeout = FIRST_TIMEOUT
        self._round_trip = FIRST_ROUND_TRIP
        self._variation = 0.0
        self._sent: dict[int, _Sent] = {}

    @property
    def has_room(self) -> bool:
        """Whether another message may be sent."""
        return len(self._sent) < WINDOW

    @property
    def is_empty(self) -> bool:
        """All was acknowledged."""
        return not self._sent

    def sent(self, data: bytes, now: float) -> None:
        """The message with the number ``next`` went out."""
        self._sent[self.next] = _Sent(data, now)
        self.next += 1

    def acknowledge(self, number: int, now: float) -> None:
        """Nothing happens if it is not on its way."""
        sent = self._sent.pop(number, None)
        if sent is None or sent.attempts:  # of a repeated one nobody knows which was acknowledged
            return
        took = now - sent.at
        self._variation += VARIATION_SHARE * (abs(self._round_trip - took) - self._variation)
        self._round_trip += ROUND_TRIP_SHARE * (took - self._round_trip)
        self.timeout = min(self._round_trip + max(GRANULARITY, 4 * self._variation), LONGEST_TIMEOUT)

    def due(self) -> float | None:
        """When the oldest is to be sent again; None if there is none."""
        first = next(iter(self._sent.values()), None)
        return None if first is None else first.at + self.timeout

    def again(self, now: float) -> bytes | None:
        """The oldest, if it is time to send it again. Raises TimeoutError after the last attempt."""
        due = self.due()
        if due is None or now < due:
            return None
        first = next(iter(self._sent.values()))
        if first.attempts >= MOST_ATTEMPTS:
            raise TimeoutError
        first.attempts += 1
        first.at = now
        return first.data

    def restart(self, now: float) -> list[bytes]:
        """All that is on its way, for a connection that replaces another."""
        for sent in self._sent.values():
            sent.attempts, sent.at = sent.attempts + 1, now
        return [sent.data for sent in self._sent.values()]


class Incoming:
    """What comes to us."""

    def __init__(self) -> None:
        self.expected = 0
        self._waiting: dict[int, Message] = {}

    def receive(self, message: Message) -> bool:
        """Whether it is to be acknowledged."""
        if message.sequence < self.expected or message.sequence in self._waiting:
            return message.sequence >= 0
        if len(self._waiting) >= MOST_WAITING and message.sequence != self.expected:
            return False
        self._waiting[message.sequence] = message
        return True

    def next(self) -> Message | None:
        """The one whose turn it is, each once; None if it has not come. Who has no room for it asks later."""
        message = self._waiting.pop(self.expected, None)
        if message is not None:
            self.expected += 1
        return message
