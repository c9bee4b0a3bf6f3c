"""A function's ZIP files become folders. Nothing gets out of its folder, and no archive becomes larger than Lambda allows."""

from __future__ import annotations

import io
import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

from drydock.services.functions.rules import LARGEST_UNZIPPED

UNREADABLE = "Could not unzip uploaded file. Please check your file, then try to upload again."
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, RuntimeError, EOFError, ValueError,
)  # fmt: skip
"""What the library raises for what is no archive, is cut off, or is packed in a way it does not know"""


class BadArchive(Exception):
    """The message says what is wrong with it."""


def unpack(archive: bytes, folder: Path) -> None:
    """Blocks. Raises BadArchive, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    if not archive:
        return
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            _check_size(opened)
            for entry in opened.infolist():
                _extract(opened, entry, folder)
    except _BROKEN as error:
        raise BadArchive(UNREADABLE) from error


def check(archive: bytes) -> None:
    """What Lambda looks at when it is given one. Raises BadArchive."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            _check_size(opened)
    except _BROKEN as error:
        raise BadArchive(UNREADABLE) from error


def _check_size(opened: zipfile.ZipFile) -> None:
    if sum(entry.file_size for entry in opened.infolist()) > LARGEST_UNZIPPED:
        raise BadArchive(f"Unzipped size must be smaller than {LARGEST_UNZIPPED} bytes")


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    target = (folder / entry.filename).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise BadArchive(f"{entry.filename} leads out of the archive")
    mode = entry.external_attr >> 16
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif stat.S_ISLNK(mode):
        raise BadArchive(f"{entry.filename} is a symbolic link")  # as it came it could lead anywhere
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        left = entry.file_size
        with opened.open(entry) as source, target.open("wb") as file:
            shutil.copyfileobj(_Limited(source, left), file)
        target.chmod(0o755 if mode & 0o111 else 0o644)


class _Limited:
    """No more than the directory of the archive said, whatever is in it."""

    def __init__(self, source: IO[bytes], left: int) -> None:
        self._source = source
        self._left = left

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(piece)
        return piece
