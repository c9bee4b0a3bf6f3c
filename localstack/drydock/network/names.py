"""Names within a VPC, as Amazon's DNS server at 169.254.169.253 answers them: load balancers, and the private names of addresses.

Containers ask over TCP (their ``resolv.conf`` says so). What is not in the VPC cannot be looked up: there is no internet inside.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Sequence
from typing import cast

ADDRESS, PORT = "169.254.169.253", 53
TIME_TO_LIVE = 60
"""Seconds; what AWS gives for load balancers"""
MOST = 4096
"""Bytes of a question"""
_PRIVATE = re.compile(r"ip-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.(ec2|[a-z0-9-]+\.compute)\.internal")

LookUp = Callable[[str], Sequence[str]]
"""The IPv4 addresses of a name (lower case, without the final dot); none if there is no such name"""


def private_address(name: str) -> list[str]:
    """Of ``ip-10-0-1-7.ec2.internal`` and its kin."""
    match = _PRIVATE.fullmatch(name)
    return [".".join(match.groups()[:4])] if match and all(int(part) < 256 for part in match.groups()[:4]) else []


def answer(message: bytes, look_up: LookUp) -> bytes | None:
    """To one question; None if it is none that one could answer."""
    import dnslib

    try:
        asked = dnslib.DNSRecord.parse(message)
        kind = dnslib.QTYPE[asked.q.qtype]
        name = str(asked.q.qname).rstrip(".").lower()
    except (dnslib.DNSError, IndexError, KeyError, ValueError):
        return None
    reply = asked.reply(ra=1)
    addresses = look_up(name) or private_address(name)
    if not addresses:
        internal = name.endswith((".internal", ".localhost"))
        reply.header.rcode = dnslib.RCODE.NXDOMAIN if internal else dnslib.RCODE.SERVFAIL
    elif kind in ("A", "ANY"):
        for address in addresses:
            reply.add_answer(dnslib.RR(asked.q.qname, dnslib.QTYPE.A, rdata=dnslib.A(address), ttl=TIME_TO_LIVE))
    return bytes(reply.pack())


class Names(asyncio.Protocol):
    """One connection: questions, each with its length before it."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._heard = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while len(self._heard) >= 2:
            length = int.from_bytes(self._heard[:2], "big")
            if not 0 < length <= MOST:
                return self._transport.close()
            if len(self._heard) < 2 + length:
                return None
            said = answer(bytes(self._heard[2 : 2 + length]), self._look_up)
            del self._heard[: 2 + length]
            if said is None:
                return self._transport.close()
            self._transport.write(len(said).to_bytes(2, "big") + said)
        return None


async def serve(listener: socket.socket, look_up: LookUp) -> Callable[[], None]:
    """Answer on a listening socket; the answer ends it."""
    server = await asyncio.get_running_loop().create_server(lambda: Names(look_up), sock=listener)
    return server.close
