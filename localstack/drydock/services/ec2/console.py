"""What a machine printed: the latest 64 KiB, kept in a file of its own."""

from __future__ import annotations

from pathlib import Path

SHOWN = 64 << 10
_MOST = 4 * SHOWN


class Console:
    """Of one machine. Writes are small and go to the page cache; the file is cut now and then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = None if not path.exists() else path.open("ab", buffering=0)
        self._size = path.stat().st_size if path.exists() else 0

    def begin(self) -> None:
        """A new story: the machine was stopped and starts again."""
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("wb", buffering=0)
        self._size = 0

    def write(self, line: bytes) -> None:
        """One line without its end."""
        if self._file is None:
            self.begin()
        assert self._file is not None
        self._file.write(line + b"\r\n")
        self._size += len(line) + 2
        if self._size > _MOST:
            latest = self.latest()
            self.begin()
            self._file.write(latest)
            self._size = len(latest)

    def latest(self) -> bytes:
        """What GetConsoleOutput shows, not yet base64."""
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - SHOWN))
            return file.read()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def forget(self) -> None:
        """Delete it."""
        self.close()
        self._path.unlink(missing_ok=True)
