"""Cookies of sticky sessions. Pure.

``AWSALBTG`` remembers the target group of a weighted rule, ``AWSALB`` the target (each with a twin ``...CORS``);
``AWSALBAPP-0`` the target as long as the application's own cookie lasts. Their values are AWS's secret; ours are a digest.

Source: "Edit target group attributes for your Application Load Balancer", sticky sessions.
"""

from __future__ import annotations

import base64
import hashlib
from email.utils import formatdate

from drydock.dataplane.balancing.heads import RequestHead

TARGET, GROUP, APPLICATION = b"AWSALB", b"AWSALBTG", b"AWSALBAPP-0"


def token(salt: str, name: str) -> bytes:
    """The value that stands for a target or a group. ``salt`` is of one load balancer."""
    return base64.b64encode(hashlib.sha384(f"{salt}|{name}".encode()).digest())


def value_of(head: RequestHead, *names: bytes) -> bytes:
    """Of the first of these cookies that the client sent; empty if it sent none."""
    for field in head.values(b"cookie"):
        for pair in field.split(b";"):
            name, _, value = pair.strip(b" ").partition(b"=")
            if name in names:
                return value
    return b""


def lasting(name: bytes, value: bytes, seconds: float, now: float) -> list[bytes]:
    """Set-Cookie lines of a cookie and its twin; ``now`` and ``seconds`` are real time, as a browser counts."""
    expires = formatdate(now + seconds, usegmt=True).encode()
    line = b"Set-Cookie: %b%b=%b; Expires=%b; Path=/"
    return [line % (name, b"", value, expires), line % (name, b"CORS", value, expires) + b"; SameSite=None"]


def of_session(value: bytes) -> bytes:
    """The Set-Cookie line that goes with the application's own cookie."""
    return b"Set-Cookie: %b=%b; Path=/" % (APPLICATION, value)


def sets(cookies: list[bytes], name: bytes) -> bool:
    """Whether an answer's Set-Cookie fields set this cookie."""
    return any(cookie.partition(b"=")[0].strip() == name for cookie in cookies)
