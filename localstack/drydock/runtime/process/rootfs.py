"""A container's root file system: image layers under a writable overlay, /dev, /proc, mounts; then pivot_root into it.

Runs in the container's first process, in a mount namespace of its own. All overlay paths are relative to the run's
folder, and layers go by short links in it (``l/7``), because the kernel takes one page of mount options. What is ours and
small (skeletons, mount points, /etc/hosts) is in ``s``, a tmpfs; only what the container itself writes is on disk: making
and removing a folder there can cost milliseconds.
"""

from __future__ import annotations

import errno
import os

from drydock.runtime.process import kernel
from drydock.runtime.process.kernel import MS_NODEV, MS_NOEXEC, MS_NOSUID, bind, mount, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SMALL = "s"
"""The tmpfs in the run's folder"""
NAME_SERVER = "169.254.169.253"
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = (
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "fd/0"),
    ("stdout", "fd/1"),
    ("stderr", "fd/2"),
)
_MOST_LINKS = 40


def resolve_inside(root: str, path: str) -> str:
    """Where ``path`` is for a process whose root is ``root``: links are followed, but never out. Raises OSError (ELOOP)."""
    current, waiting, links = root, path.split("/")[::-1], 0
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            current = os.path.dirname(current) if current != root else root
            continue
        candidate = f"{current}/{part}"
        if not os.path.islink(candidate):
            current = candidate
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(candidate)
        if target.startswith("/"):
            current = root
        waiting += target.split("/")[::-1]
    return current


def overlay(target: str, lower: list[str], name: str, rootless: bool, again: bool = False) -> None:
    """Mount at ``target`` the folders in ``lower`` (topmost first) under a writable layer in ``<name>-upper``, which may
    be there already if it is used ``again``."""
    os.makedirs(f"{name}-upper", exist_ok=again)
    os.makedirs(f"{name}-work", exist_ok=again)
    data = f"lowerdir={':'.join(lower)},upperdir={name}-upper,workdir={name}-work"
    # In a user namespace the overlay's own marks (opaque folders) have to be user.* attributes.
    mount("overlay", target, "overlay", MS_NODEV, data + (",userxattr" if rootless else ""))


def build(run: str, folder: str, spec: dict[str, Any], host: dict[str, Any], rootless: bool) -> None:
    """Make and enter the root of the container whose files are in ``<run>/<folder>``. ``spec["layers"]`` are links in ``run``."""
    mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    os.chdir(run)
    root = f"{SMALL}/{folder}/root"
    os.makedirs(root)
    _write_names(f"{SMALL}/{folder}/names/etc", spec)
    layers = spec["layers"][::-1]
    skeleton = f"{SMALL}/base" if spec["host_files"] else f"{SMALL}/bare"
    disk = spec["disk"]
    writable = f"{disk}/root" if disk else folder
    overlay(root, [f"{SMALL}/{folder}/names", *layers, skeleton], writable, rootless, again=bool(disk))
    parts = [""]
    if spec["host_files"]:
        for name in host["folders"]:  # usr, and lib, bin, ... where they are no links into it
            lower = [f"{layer}/{name}" for layer in [*layers, skeleton] if os.path.isdir(f"{layer}/{name}")]
            overlay(f"{root}/{name}", [*lower, f"/{name}"], f"{writable}-{name}", rootless, again=bool(disk))
            parts.append(f"/{name}")
        for source, target in host["prefixes"]:
            point = resolve_inside(root, target)
            os.makedirs(point, exist_ok=True)
            bind(source, point, read_only=True)
    _mount_proc(root, rootless)
    _make_devices(f"{root}/dev", rootless)
    for source, target, read_only in spec["mounts"]:
        _mount_volume(root, source, target, read_only)
    if spec["read_only"]:
        for part in parts:
            kernel.make_read_only(root + part)
    kernel.pivot_into(root)


def _write_names(etc: str, spec: dict[str, Any]) -> None:
    """As the topmost of the layers: in the mounted root the image's own file may be a link to anywhere."""
    os.makedirs(etc)
    hosts = f"127.0.0.1 localhost\n{spec['address']} {spec['hostname']}\n"
    resolver = f"nameserver {NAME_SERVER}\noptions use-vc timeout:2\n"  # over TCP: only that is answered there
    for name, text in (("hostname", spec["hostname"] + "\n"), ("hosts", hosts), ("resolv.conf", resolver)):
        write_file(f"{etc}/{name}", text)


def _mount_proc(root: str, rootless: bool) -> None:
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if rootless:
        return  # uid 0 is nobody special here: the kernel protects its own files
    bind(f"{root}/proc/sys", f"{root}/proc/sys", read_only=True)
    if os.path.exists(f"{root}/proc/sysrq-trigger"):
        bind("/dev/null", f"{root}/proc/sysrq-trigger")


def _make_devices(dev: str, rootless: bool) -> None:
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755")
    for name in _DEVICES:  # by bind: mknod is EPERM in a user namespace
        write_file(f"{dev}/{name}", "")
        bind(f"/dev/{name}", f"{dev}/{name}")
    os.mkdir(f"{dev}/pts")
    group = "" if rootless else ",gid=5"  # a gid that is not mapped is EINVAL
    mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620" + group)
    os.mkdir(f"{dev}/shm")
    mount("tmpfs", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m")
    for name, target in _DEVICE_LINKS:
        os.symlink(target, f"{dev}/{name}")


def _mount_volume(root: str, source: str, target: str, read_only: bool) -> None:
    point = resolve_inside(root, target)
    if os.path.isdir(source):
        os.makedirs(point, exist_ok=True)
    elif not os.path.exists(point):
        os.makedirs(os.path.dirname(point), exist_ok=True)
        write_file(point, "")
    bind(source, point, read_only)
