"""Heads of HTTP/1 messages: taken apart, and refused where two readers could read them differently. Pure.

Own, and not a parser library's, for three reasons: a load balancer must refuse what a lenient parser mends (folded lines, a
length given twice, a length beside chunks); it must know that an answer to HEAD has no body; and lines that are passed on
as they came need not be taken apart.

A client says the same in one request after another, and a target in its answers: what has been made of a block of fields is
remembered (at most :data:`MOST_REMEMBERED` of each kind), so what is made of it must not be changed.

Sources: RFC 9112, sections 2.2, 5.2, 6.1 and 6.3; "Quotas for your Application Load Balancers" (request line 16 K, single
header 16 K, entire header 64 K, response header 32 K) and "Troubleshoot your Application Load Balancers" (which status for
which fault).
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST_LINE = 16 << 10
LARGEST_HEAD = 64 << 10
LARGEST_ANSWER_HEAD = 32 << 10
MOST_REMEMBERED = 1024
LONGEST_REMEMBERED = 2 << 10
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
FIELDS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*(?:\r\n|\Z))*")
_PLAIN_NAME = re.compile(rb"[0-9A-Za-z\-]+")
_HOST = re.compile(rb"[0-9A-Za-z.\-_~%!$&'()*+,;=]*(?::[0-9]*)?|\[[0-9A-Fa-f:.]+\](?::[0-9]*)?")
_DIGITS = re.compile(rb"[0-9]{1,18}")


class Refused(Exception):
    """``status`` is what the client is answered with, before its connection is closed."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(status)
        self.status = status


class RequestFields:
    """``lines`` are those that are passed on as they came; what has to do with the connection itself is not among them."""

    __slots__ = (
        "chunked", "expects", "forwarded_for", "has_body", "host", "keep", "length", "lines", "names", "rest", "trace",
        "upgrade",
    )  # fmt: skip

    def __init__(self, minor: int) -> None:
        self.lines: list[bytes] = []
        self.names: list[bytes] = []
        """Of ``lines``, in lower case"""
        self.host: bytes | None = None
        self.length = 0
        self.chunked = False
        self.has_body = False
        """Whether bytes follow the head"""
        self.keep = bool(minor)
        self.upgrade = b""
        self.expects = False
        self.forwarded_for: list[bytes] = []
        self.trace = b""
        self.rest = b""
        """The lines as they are sent, with how the body and the connection go on, and the empty line"""


class RequestHead:
    """What is asked, and the fields that go with it."""

    __slots__ = ("fields", "host", "method", "minor", "target")

    def __init__(self, method: bytes, target: bytes, minor: int, fields: RequestFields) -> None:
        self.method, self.target, self.minor, self.fields = method, target, minor, fields
        self.host = fields.host

    @property
    def lines(self) -> list[bytes]:
        """See RequestFields."""
        return self.fields.lines

    @property
    def length(self) -> int:
        """Of the body, where it is not chunked."""
        return self.fields.length

    @property
    def chunked(self) -> bool:
        """The body is."""
        return self.fields.chunked

    @property
    def keep(self) -> bool:
        """More requests may come on this connection."""
        return self.fields.keep

    @property
    def upgrade(self) -> bytes:
        """The protocol that the client would rather speak."""
        return self.fields.upgrade

    @property
    def has_body(self) -> bool:
        """Whether bytes follow the head."""
        return self.fields.has_body

    @property
    def path(self) -> bytes:
        """Without the query."""
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        """Behind the question mark."""
        return self.target.partition(b"?")[2]

    def values(self, name: bytes) -> list[bytes]:
        """Of the fields with this name (in lower case), as they came."""
        if name == b"host":
            return [self.host] if self.host is not None else []
        fields = self.fields
        if name == b"x-forwarded-for":
            return fields.forwarded_for
        return [
            line.partition(b":")[2].strip(b" \t")
            for line, given in zip(fields.lines, fields.names, strict=True)
            if given == name
        ]


_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"transfer-encoding", b"expect")
)
_OURS = frozenset((b"x-forwarded-proto", b"x-forwarded-port"))
_SPECIAL = _HOP | _OURS | {b"content-length", b"host", b"x-forwarded-for", b"x-amzn-trace-id"}


def parse_request(head: bytes, drop_odd_names: bool = False) -> RequestHead:
    """A head without the empty line that ends it. Raises Refused."""
    first, _, rest = head.partition(b"\r\n")
    if len(first) > LONGEST_LINE or len(head) > LARGEST_HEAD:
        raise Refused
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise Refused
    method, target, minor = line.groups()
    read = _remembered_fields if len(rest) <= LONGEST_REMEMBERED else request_fields
    found = RequestHead(method, target, minor == b"1", read(rest, minor == b"1", drop_odd_names))
    if method == b"TRACE":
        raise Refused(405)
    if target[:1] != b"/":
        _aim(found)
    if found.host is None and found.minor:
        raise Refused
    return found


def request_fields(rest: bytes, minor: int, drop_odd_names: bool) -> RequestFields:
    """The lines behind the first one. Raises Refused."""
    if rest and FIELDS.fullmatch(rest) is None:
        raise Refused
    found = RequestFields(minor)
    lengths: list[bytes] = []
    codings: list[bytes] = []
    connection: list[bytes] = []
    for field in rest.split(b"\r\n") if rest else ():
        name, _, value = field.partition(b":")
        if len(field) > LONGEST_LINE:
            raise Refused
        low = name.lower()
        if low not in _SPECIAL:
            if drop_odd_names and _PLAIN_NAME.fullmatch(name) is None:
                continue
            found.lines.append(field)
            found.names.append(low)
            continue
        value = value.strip(b" \t")
        if low == b"host":
            if found.host is not None or _HOST.fullmatch(value) is None:
                raise Refused
            found.host = value
        elif low == b"content-length":
            lengths.append(value)
            found.lines.append(field)
            found.names.append(low)
        elif low == b"transfer-encoding":
            codings.append(value.lower())
        elif low == b"connection":
            connection += [each.strip(b" \t").lower() for each in value.split(b",")]
        elif low == b"x-forwarded-for":
            found.forwarded_for.append(value)
        elif low == b"x-amzn-trace-id":
            found.trace = value
        elif low == b"upgrade":
            found.upgrade = value
        elif low == b"expect":
            if value.lower() != b"100-continue":
                raise Refused(417)
            found.expects = bool(minor)
    _frame(found, minor, lengths, codings)
    _connect(found, minor, connection)
    out = found.lines[:]
    if found.chunked:
        out.append(b"Transfer-Encoding: chunked")
    if found.upgrade:
        out.append(b"Connection: Upgrade\r\nUpgrade: " + found.upgrade)
    found.rest = b"\r\n".join([*out, b"\r\n"]) if out else b"\r\n"
    return found


_remembered_fields = lru_cache(MOST_REMEMBERED)(request_fields)


def _frame(head: RequestFields, minor: int, lengths: list[bytes], codings: list[bytes]) -> None:
    """How the body ends: known in one way only."""
    if codings:
        if lengths or not minor or len(codings) > 1:
            raise Refused
        if codings[0] == b"identity":
            return
        if codings[0] != b"chunked":
            raise Refused(501)
        head.chunked = head.has_body = True
    elif lengths:
        if len(lengths) > 1 or _DIGITS.fullmatch(lengths[0]) is None:
            raise Refused
        head.length = int(lengths[0])
        head.has_body = head.length > 0


def _connect(head: RequestFields, minor: int, connection: list[bytes]) -> None:
    if b"close" in connection:
        head.keep = False
    elif not minor:
        head.keep = b"keep-alive" in connection
    if b"upgrade" not in connection or not minor:
        head.upgrade = b""
    if head.upgrade and head.has_body:
        head.upgrade = b""  # an upgrade with a body is answered as if it had not been asked for
    nominated = set(connection) - {b"close", b"keep-alive", b"upgrade", b"content-length"}
    if nominated & set(head.names):
        kept = [i for i, name in enumerate(head.names) if name not in nominated]
        head.lines, head.names = [head.lines[i] for i in kept], [head.names[i] for i in kept]


def _aim(head: RequestHead) -> None:
    """The target in the form of a path; what it says about the host counts more than the Host field."""
    target = head.target
    scheme, colon, rest = target.partition(b"://")
    if colon and scheme.lower() in (b"http", b"https") and rest[:1] not in (b"", b"/"):
        end = min((i for i in (rest.find(b"/"), rest.find(b"?")) if i >= 0), default=len(rest))
        if _HOST.fullmatch(rest[:end]) is None:
            raise Refused
        head.host = rest[:end]
        head.target = rest[end:] if rest[end : end + 1] == b"/" else b"/" + rest[end:]
    elif not (target == b"*" and head.method == b"OPTIONS"):
        raise Refused


class AnswerHead:
    """Of a response. ``length`` is None where it is not known from the head."""

    __slots__ = ("_sent", "chunked", "cookies", "keep", "length", "lines", "minor", "status", "status_line", "upgrade")

    def __init__(self) -> None:
        self._sent: dict[tuple[bytes, bool], bytes] = {}
        self.status = 0
        self.status_line = b""
        self.minor = 1
        self.lines: list[bytes] = []
        self.length: int | None = None
        self.chunked = False
        self.keep = True
        self.upgrade = b""
        self.cookies: list[bytes] = []

    def sent(self, framing: bytes, keep: bool, more: list[bytes]) -> bytes:
        """As the client gets it: with how the body and the connection go on, and ``more`` lines."""
        if not more and (found := self._sent.get((framing, keep))) is not None:
            return found
        lines = [b"HTTP/1.1" + self.status_line[8:], *self.lines, *more]
        if framing:
            lines.append(framing)
        lines.append(b"Connection: keep-alive\r\n\r\n" if keep else b"Connection: close\r\n\r\n")
        out = b"\r\n".join(lines)
        if not more:
            self._sent[framing, keep] = out
        return out


_ANSWER_SPECIAL = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"transfer-encoding",
     b"content-length", b"set-cookie")
)  # fmt: skip


def parse_answer(head: bytes, to_head: bool) -> AnswerHead:
    """``to_head``: it answers a HEAD request, so no body follows. Raises Refused (the client gets a 502)."""
    return (_remembered_answer if len(head) <= LONGEST_REMEMBERED else answer_head)(head, to_head)


def answer_head(head: bytes, to_head: bool) -> AnswerHead:
    """The same, from the bytes themselves."""
    first, _, rest = head.partition(b"\r\n")
    line = _STATUS_LINE.fullmatch(first)
    if line is None or len(head) > LARGEST_ANSWER_HEAD or (rest and FIELDS.fullmatch(rest) is None):
        raise Refused(502)
    found = AnswerHead()
    found.minor, found.status, found.status_line = line[1] == b"1", int(line[2]), first
    found.keep = bool(found.minor)
    lengths: set[bytes] = set()
    for field in rest.split(b"\r\n") if rest else ():
        name, _, value = field.partition(b":")
        low = name.lower()
        if low not in _ANSWER_SPECIAL:
            found.lines.append(field)
            continue
        value = value.strip(b" \t")
        if low == b"content-length":
            lengths.add(value)
        elif low == b"set-cookie":
            found.cookies.append(value)
            found.lines.append(field)
        elif low == b"transfer-encoding":
            if value.lower() != b"chunked" or found.chunked or not found.minor:
                raise Refused(502)
            found.chunked = True
        elif low == b"connection":
            tokens = [each.strip(b" \t").lower() for each in value.split(b",")]
            found.keep = b"close" not in tokens and (found.keep or b"keep-alive" in tokens)
        elif low == b"upgrade":
            found.upgrade = value
    if lengths:
        length = next(iter(lengths))
        if len(lengths) > 1 or found.chunked or _DIGITS.fullmatch(length) is None:
            raise Refused(502)
        found.lines.append(b"Content-Length: " + length)
        found.length = int(length)
    if to_head or found.status in (204, 304) or found.status < 200:
        found.length, found.chunked = 0, False
    return found


_remembered_answer = lru_cache(MOST_REMEMBERED)(answer_head)
