"""Image references as Docker reads them (distribution's "reference" grammar). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<host>localhost(?::\d+)?|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d+)?|[A-Za-z0-9-]+:\d+)/)?"
    rf"(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)


class InvalidReference(ValueError):
    """Not an image reference."""


@dataclass(frozen=True)
class Reference:
    """``host/path:tag@digest`` with Docker's defaults filled in."""

    host: str
    path: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def parse(text: str) -> Reference:
    """Raises InvalidReference."""
    match = _REFERENCE.fullmatch(text)
    if not match or len(text) > 512:
        raise InvalidReference(f"invalid reference format: {text!r}")
    host, path, tag, digest = match["host"] or "docker.io", match["path"], match["tag"], match["digest"] or ""
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return Reference(host, path, tag or ("" if digest else "latest"), digest)
