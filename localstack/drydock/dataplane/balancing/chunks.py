"""The chunked coding: where a body ends, without copying what is passed on. Pure. Source: RFC 9112, section 7.1."""

from __future__ import annotations

import re

from drydock.dataplane.balancing.heads import FIELDS, LONGEST_LINE, Refused

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")


class Chunks:
    """Of one body. ``pieces`` collects the payload where it is asked for (for a client that knows no chunks)."""

    __slots__ = ("_left", "_line", "_state", "_trailer", "pieces")

    def __init__(self, collect: bool = False) -> None:
        self.pieces: list[bytes] | None = [] if collect else None
        self._left = 0
        self._line = b""
        self._state = "size"
        self._trailer = 0

    def feed(self, data: bytes) -> int | None:
        """Where in ``data`` the body ends; None if it goes on. Raises Refused where the coding is broken."""
        at = 0
        while True:
            if self._left:
                step = min(self._left, len(data) - at)
                if self.pieces is not None and step:
                    self.pieces.append(data[at : at + step])
                at += step
                self._left -= step
                if self._left:
                    return None
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                if len(self._line) > LONGEST_LINE or (self._state == "end" and len(self._line) > 1):
                    raise Refused
                return None
            line, self._line = self._line + data[at : end + 1], b""
            at = end + 1
            if self._take(line):
                return at

    def _take(self, line: bytes) -> bool:
        """Whether this line ends the body."""
        if self._state == "size":
            size = _SIZE.fullmatch(line)
            if size is None or len(line) > LONGEST_LINE:
                raise Refused
            self._left = int(size[1], 16)
            self._state = "end" if self._left else "trailer"
        elif self._state == "end":
            if line != b"\r\n":
                raise Refused
            self._state = "size"
        elif line == b"\r\n":
            return True
        else:
            self._trailer += len(line)
            if self._trailer > LONGEST_LINE or FIELDS.fullmatch(line) is None:
                raise Refused
        return False
