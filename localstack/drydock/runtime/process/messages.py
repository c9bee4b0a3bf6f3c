"""How emulator, helper and children talk: 4 bytes of length, then a dict; ``fds`` in it says how many descriptors came along.

The dict is in the interpreter's own ``marshal`` form: both ends are the same program and interpreter, and ``json`` would be
half of the helper's start-up time and a sixth of its memory. Only exact str, int, float, bool, None, list and dict.
"""

from __future__ import annotations

import errno
import marshal
import os
import struct
from collections.abc import Iterator

TYPE_CHECKING = False  # ``typing`` itself would be a fifth of the helper
if TYPE_CHECKING:
    from typing import Any

RECEIVE_SIZE = 1 << 16
MOST_DESCRIPTORS = 253
"""That the kernel passes in one go"""
EXHAUSTED = frozenset({errno.EAGAIN, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC})
"""What the kernel says when the machine has no more of something (ENOSPC: of namespaces too)"""


def pack(message: dict[str, Any]) -> bytes:
    body = marshal.dumps(message)
    return struct.pack("!I", len(body)) + body


class Inbox:
    """Cuts the byte stream into messages and gives each the descriptors that came with it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._descriptors: list[int] = []

    def feed(self, data: bytes, descriptors: list[int]) -> Iterator[tuple[dict[str, Any], list[int]]]:
        for descriptor in descriptors:  # Python 3.11's recv_fds ignores MSG_CMSG_CLOEXEC
            os.set_inheritable(descriptor, False)
        self._buffer += data
        self._descriptors += descriptors
        while len(self._buffer) >= 4:
            size = 4 + struct.unpack_from("!I", self._buffer)[0]
            if len(self._buffer) < size:
                return
            message = marshal.loads(self._buffer[4:size])  # noqa: S302 - from ourselves
            del self._buffer[:size]
            count = message.get("fds", 0)
            mine, self._descriptors = self._descriptors[:count], self._descriptors[count:]
            yield message, mine
