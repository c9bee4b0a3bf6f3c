"""What a load balancer adds to a request on its way to a target, and to the answer on its way back.

Sources: "HTTP headers and Application Load Balancers", "Request tracing for your Application Load Balancer" and "Host header
preservation" of the user guide.
"""

from __future__ import annotations

import itertools
import random
import time
from typing import TYPE_CHECKING, Any

from drydock.dataplane.balancing import cookies
from drydock.dataplane.balancing.heads import AnswerHead, RequestHead

if TYPE_CHECKING:
    from drydock.dataplane.balancing.balancer import Balancer, Group

_BEGUN = b"%016x" % random.getrandbits(64)
_numbers = itertools.count(random.getrandbits(32))
"""With which the numbers of this process's requests begin and end"""

_SCHEMES = {"http": b"http", "https": b"https"}


def written(head: RequestHead, balancer: Balancer, scheme: str, port: int, address: str, client_port: int) -> bytes:
    """A request's head as the target gets it. ``port`` is the listener's, ``address`` the client's."""
    fields = head.fields
    clients = b""
    if balancer.forwarded_for == "append":
        client = b"%b:%d" % (address.encode(), client_port) if balancer.with_client_port else address.encode()
        clients = b"X-Forwarded-For: %b\r\n" % (
            b", ".join([*fields.forwarded_for, client]) if fields.forwarded_for else client
        )
    elif balancer.forwarded_for == "preserve" and fields.forwarded_for:
        clients = b"X-Forwarded-For: %b\r\n" % b", ".join(fields.forwarded_for)
    return (
        b"%b %b HTTP/1.1\r\n%bX-Forwarded-Proto: %b\r\nX-Forwarded-Port: %d\r\nHost: %b\r\nX-Amzn-Trace-Id: %b\r\n%b"
        % (
            head.method,
            head.target,
            clients,
            _SCHEMES[scheme],
            port,
            host_of(head, balancer, port),
            traced(fields.trace),
            fields.rest,
        )
    )


def host_of(head: RequestHead, balancer: Balancer, port: int) -> bytes:
    """The client's, with the listener's port behind it where that is not a usual one and the client named none."""
    host = head.host if head.host is not None else balancer.name.encode()
    named = host.rfind(b":") > host.rfind(b"]")
    if host and not balancer.preserves_host and port not in (80, 443) and not named:
        return host + b":%d" % port
    return host


def traced(given: bytes) -> bytes:
    """A number for the request: the root of a trace, or our own part in the one that came."""
    number = b"1-%08x-%b%08x" % (int(time.time()), _BEGUN, next(_numbers) & 0xFFFFFFFF)
    if not given:
        return b"Root=" + number
    kept = b";".join(part for part in given.split(b";") if part and not part.strip().lower().startswith(b"self="))
    return b"Self=" + number + (b";" + kept if kept else b"")


def remembering(action: dict[str, Any], group: Group, token: bytes, head: AnswerHead) -> list[bytes]:
    """Cookies of sticky sessions. ``token`` stands for the target."""
    lines: list[bytes] = []
    seconds = action["stickiness"]
    if seconds and len(action["groups"]) > 1:
        lines += cookies.lasting(cookies.GROUP, group.token, seconds, time.time())
    sticky = group.sticky
    if sticky is None:
        return lines
    if sticky["type"] == "lb_cookie":
        lines += cookies.lasting(cookies.TARGET, token, sticky["seconds"], time.time())
    elif cookies.sets(head.cookies, sticky["name"]):
        lines.append(cookies.of_session(token))
    return lines
