"""Which ``Host`` and ``Origin`` headers are let in.

The emulator listens on loopback, but a web page that the learner happens to visit can send requests there too, also
under a name of its own that resolves to 127.0.0.1 (DNS rebinding). So only names that can mean nobody else are answered.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

_LOCAL_NAMES = ("localhost", "localhost.localstack.cloud")


class AllowedHosts:
    """Loopback addresses and names, ``*.localhost``, what ``--host`` and ``--allow-host`` gave."""

    def __init__(self, extra: Iterable[str] = ()) -> None:
        self._extra = {name.lower() for name in extra if name not in ("", "0.0.0.0", "::")}  # noqa: S104

    def admits(self, host_header: str) -> bool:
        """Whether a request under this ``Host`` is answered."""
        name = hostname(host_header)
        if name in self._extra or name in _LOCAL_NAMES or name.endswith(tuple("." + n for n in _LOCAL_NAMES)):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or name in ("169.254.170.2", "169.254.170.3")

    def admits_origin(self, origin: str) -> bool:
        """Whether a browser's page of this ``Origin`` may ask. ``null`` (a file, a sandboxed frame) may not."""
        try:
            parts = urlsplit(origin)
        except ValueError:  # an unfinished IPv6 address
            return False
        return parts.scheme in ("http", "https") and self.admits(parts.netloc)


def hostname(host_header: str) -> str:
    """The name without its port, in lower case and without the dot of the root or brackets."""
    name = host_header.strip().lower()
    if name.startswith("["):
        address, closed, _ = name[1:].partition("]")
        return address if closed else ""
    return name.partition(":")[0].rstrip(".")
