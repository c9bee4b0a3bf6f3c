"""An HTTP request and response as the gateway passes them on: whole, in memory, nothing decoded that is signed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl, unquote

from drydock.errors import AwsError

MOST_ARGUMENTS = 20_000
"""In a query string or a form; each takes a hundred times its bytes in memory"""
MOST_UNPACKED = 16 * 2**20


@dataclass(frozen=True)
class WireRequest:
    """``path`` and ``query`` are as they were sent (still percent-encoded); header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    source_ip: str = "127.0.0.1"
    header_list: tuple[tuple[str, str], ...] = ()

    @cached_property
    def content(self) -> bytes:
        """The body of an API request, unpacked where the client has compressed it (SDKs do so for PutMetricData). An
        S3 object with this encoding stays as it is. Raises AwsError."""
        packed = self.headers.get("content-encoding", "").lower() == "gzip"
        if not packed or not ({"x-amz-target", "smithy-protocol"} & set(self.headers) or self._is_form):
            return self.body
        unpacker = zlib.decompressobj(wbits=31)
        try:
            unpacked = unpacker.decompress(self.body, MOST_UNPACKED)
        except zlib.error:
            raise AwsError("SerializationException", "The body is not valid gzip.", status=400) from None
        if unpacker.unconsumed_tail:
            raise AwsError("RequestEntityTooLarge", "The request is larger than 16 MiB.", status=413)
        return unpacked

    @property
    def _is_form(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")

    @cached_property
    def arguments(self) -> dict[str, list[str]]:
        """The query string's arguments, decoded, each with all its values. Raises AwsError (there are too many)."""
        out: dict[str, list[str]] = {}
        for key, value in _pairs(self.query):
            out.setdefault(key, []).append(value)
        return out

    @cached_property
    def form(self) -> dict[str, str]:
        """The arguments of a form body and of the query string, decoded; the body's win. Raises AwsError."""
        out = {key: values[0] for key, values in self.arguments.items()}
        if self._is_form:
            out |= dict(_pairs(self.content.decode("utf-8", "replace")))
        return out

    @property
    def decoded_path(self) -> str:
        """The path with its percent-encoding undone."""
        return unquote(self.path)


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_ARGUMENTS)
    except ValueError as error:
        raise AwsError("MalformedQueryString", "The query string has too many arguments.", status=400) from error


@dataclass
class WireResponse:
    """What goes back to the client."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
