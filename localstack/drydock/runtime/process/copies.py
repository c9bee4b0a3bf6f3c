"""The plain tier's stand-in for an overlay: the layers' files copied into the container's own folder, lowest first."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
_CHUNK = 1 << 20


def copy_layers(layers: list[str], root: str, go_on: Callable[[], None]) -> None:
    """``go_on`` is called before each file and may raise. Links to absolute paths that exist inside are made relative."""
    os.makedirs(root, exist_ok=True)
    links: list[str] = []
    for layer in layers:
        _copy_folder(layer, root, links, go_on)
    for link in links:
        if not os.path.islink(link):
            continue  # a higher layer put something else there
        target = root + os.readlink(link)
        if os.path.lexists(target):
            os.unlink(link)
            os.symlink(os.path.relpath(target, os.path.dirname(link)), link)


def _copy_folder(source: str, target: str, links: list[str], go_on: Callable[[], None]) -> None:
    if _is_opaque(source):
        for name in os.listdir(target):
            _remove(f"{target}/{name}")
    with os.scandir(source) as entries:
        for entry in entries:
            go_on()
            inside = f"{target}/{entry.name}"
            if entry.is_symlink():
                _remove(inside)
                os.symlink(os.readlink(entry.path), inside)
                if os.readlink(entry.path).startswith("/"):
                    links.append(inside)
            elif entry.is_dir():
                if os.path.islink(inside) or not os.path.isdir(inside):
                    _remove(inside)
                    os.mkdir(inside)
                _copy_folder(entry.path, inside, links, go_on)
            elif entry.is_file():
                _remove(inside)
                copy_file(entry.path, inside)
            elif _is_whiteout(entry.stat(follow_symlinks=False)):
                _remove(inside)


def _is_opaque(folder: str) -> bool:
    if not hasattr(os, "listxattr"):
        return False
    try:
        return any(name in _OPAQUE and os.getxattr(folder, name) == b"y" for name in os.listxattr(folder))
    except OSError:
        return False  # a file system without attributes has no such marks


def _is_whiteout(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def copy_file(source: str, target: str) -> None:
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        mode = stat.S_IMODE(os.fstat(reading).st_mode)
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            while data := os.read(reading, _CHUNK):
                while data:
                    data = data[os.write(writing, data) :]
            os.fchmod(writing, mode)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _remove(path: str) -> None:
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
    elif os.path.isdir(path):
        for name in os.listdir(path):
            _remove(f"{path}/{name}")
        os.rmdir(path)
