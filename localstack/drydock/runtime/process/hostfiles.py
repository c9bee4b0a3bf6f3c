"""What of this machine lies under an image that is a stand-in: the skeleton folder, and where the Python interpreter is.

Only :func:`described` runs in the emulator, the rest in the helper.
"""

from __future__ import annotations

import os
import sys

from drydock.runtime.process.copies import copy_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FOLDERS = (
    *("dev", "etc", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "usr", "var"),
    *("var/cache", "var/lib", "var/log", "var/spool", "var/tmp"),
)  # fmt: skip
_LOCAL = ("bin", "etc", "include", "lib", "sbin", "share", "src")
_ETC = (
    *("alternatives", "group", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf"),
    *("os-release", "passwd", "profile", "protocols", "services", "shells", "ssl/certs", "ssl/openssl.cnf", "terminfo"),
)  # fmt: skip
_FROM_ROOT = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def make_bare(path: str) -> None:
    """The lowest layer of a real image: only the folders that something is mounted on."""
    for name in _FOLDERS:
        os.makedirs(f"{path}/{name}", exist_ok=True)
    os.chmod(path, 0o755)  # noqa: S103 - it is the containers' /
    for name in ("tmp", "var/tmp"):
        os.chmod(f"{path}/{name}", 0o1777)  # noqa: S103
    os.symlink("/run", f"{path}/var/run")


def make_base(path: str) -> None:
    """The lowest layer of a stand-in: links into /usr, *copies* of some files of /etc (a container may edit its own),
    folders of our own in /usr/local (in a user namespace nobody may write to host root's), and the interpreter's names."""
    make_bare(path)
    os.makedirs(f"{path}/usr/local")
    for name in _LOCAL:
        os.mkdir(f"{path}/usr/local/{name}")
    for name in _FROM_ROOT:
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{path}/{name}")
        elif os.path.isdir(f"/{name}"):
            os.mkdir(f"{path}/{name}")
    for name in _ETC:
        os.makedirs(os.path.dirname(f"{path}/etc/{name}"), exist_ok=True)
        _copy(f"/etc/{name}", f"{path}/etc/{name}")
    link_python(f"{path}/usr/local/bin")


def link_python(folder: str) -> None:
    """``python``, ``python3`` and ``python3.x`` in ``folder``: links to the interpreter that runs the emulator."""
    interpreter = os.path.realpath(sys.executable)
    for name in ("python", "python3", f"python3.{sys.version_info.minor}"):
        os.symlink(interpreter, f"{folder}/{name}")


def _copy(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.mkdir(target)
        for name in os.listdir(source):
            _copy(f"{source}/{name}", f"{target}/{name}")
    elif os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isfile(source) and os.access(source, os.R_OK):
        copy_file(source, target)


def described() -> dict[str, Any]:
    """For :func:`rootfs.build`: the folders overlaid lowest, and the interpreter's folder if it is in none of them."""
    folders = ["usr", *(n for n in _FROM_ROOT if os.path.isdir(f"/{n}") and not os.path.islink(f"/{n}"))]
    prefix = os.path.abspath(sys.base_prefix)
    real = os.path.realpath(prefix)
    targets = {prefix, real} if real.strip("/").partition("/")[0] not in folders else set()
    return {"folders": folders, "prefixes": [[real, target] for target in sorted(targets)]}
