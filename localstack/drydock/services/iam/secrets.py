"""Key ids, secrets and session tokens, made of the bytes that the emulator's ids are derived from. Pure.

An access key's id carries its account, as AWS's do: of the 10 bytes behind the prefix, 40 bits after the first are the
account's number.
"""

from __future__ import annotations

import base64
import hashlib

_ACCOUNT_SHIFT = 7
_ACCOUNT_MASK = 0x7FFFFFFFFF80


def key_id(prefix: str, account: str, digest: bytes) -> str:
    """``AKIA`` or ``ASIA`` and 16 characters."""
    head = int.from_bytes(digest[:6], "big") & ~_ACCOUNT_MASK | (int(account) << _ACCOUNT_SHIFT) & _ACCOUNT_MASK
    return prefix + base64.b32encode((head | 1 << 47).to_bytes(6, "big") + digest[6:10]).decode()


def account_of(access_key_id: str) -> str:
    """The account that a key's id carries. Raises ValueError if it is not of that form."""
    head = int.from_bytes(base64.b32decode(access_key_id[4:])[:6], "big")
    return f"{(head & _ACCOUNT_MASK) >> _ACCOUNT_SHIFT:012d}"


def secret(digest: bytes) -> str:
    """40 characters."""
    return base64.b64encode(hashlib.sha512(b"secret" + digest).digest()[:30]).decode()


def session_token(digest: bytes) -> str:
    """A long opaque text."""
    blocks = b"".join(hashlib.sha512(b"token%d" % number + digest).digest() for number in range(4))
    return base64.b64encode(b"\x21\x0a" + blocks).decode()
