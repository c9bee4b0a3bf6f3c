"""The content store: OCI blobs by their digest, in files. What is in it has been checked against its digest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import threading
from pathlib import Path
from typing import Any

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class ContentStore:
    """``<folder>/blobs/sha256/<hex>``. Safe for several threads: a blob appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs" / "sha256"
        self._tags = folder / "tags.json"
        self._turn = threading.Lock()

    def path(self, digest: str) -> Path:
        """Where a blob is or would be. Raises ValueError for what is not a digest."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"not a digest: {digest!r}")
        return self._blobs / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        """Whether it is here."""
        return self.path(digest).exists()

    def put(self, data: bytes) -> str:
        """Keep it; the answer is its digest."""
        digest = digest_of(data)
        target = self.path(digest)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(name, target)
        return digest

    def read(self, digest: str) -> bytes:
        """Raises FileNotFoundError."""
        return self.path(digest).read_bytes()

    def put_json(self, document: dict[str, Any]) -> tuple[str, int]:
        """Digest and size of a document in the one form that always gives the same digest."""
        data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        return self.put(data), len(data)

    def read_json(self, digest: str) -> Any:
        """Raises FileNotFoundError."""
        return json.loads(self.read(digest))

    def tagged(self, tag: str) -> str | None:
        """The digest under a name, if both name and blob are here."""
        digest = self._read_tags().get(tag)
        return digest if digest and self.has(digest) else None

    def tag(self, tag: str, digest: str) -> None:
        """Give a digest a name."""
        with self._turn:  # several threads make images
            tags = {**self._read_tags(), tag: digest}
            temporary = self._tags.with_suffix(".new")
            temporary.write_text(json.dumps(tags, indent=1, sort_keys=True))
            temporary.replace(self._tags)

    def _read_tags(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._tags.read_text()))
        except (OSError, ValueError):
            return {}


def digest_of(data: bytes) -> str:
    """``sha256:<hex>``"""
    return "sha256:" + hashlib.sha256(data).hexdigest()
