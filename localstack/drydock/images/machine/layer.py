"""The layer of a stand-in for Amazon Linux: a skeleton, and the commands that a machine needs."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

INIT = "usr/lib/drydock/init.py"
_HERE = Path(__file__).resolve().parent
_PYTHON = b"#!/usr/local/bin/python3 -IS\n"
_OS_RELEASE = b"""NAME="Amazon Linux"
VERSION="2023"
ID="amzn"
ID_LIKE="fedora"
VERSION_ID="2023"
PLATFORM_ID="platform:al2023"
PRETTY_NAME="Drydock's stand-in for Amazon Linux 2023, made of this computer's own files"
VARIANT="Drydock stand-in"
"""
_PASSWD = b"""root:x:0:0:root:/root:/bin/bash
ec2-user:x:1000:1000:EC2 Default User:/home/ec2-user:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = b"root:x:0:\nwheel:x:10:ec2-user\nec2-user:x:1000:\nnogroup:x:65534:\n"


class Layer(Protocol):
    """Where it is written."""

    def folder(self, *names: str, mode: int = 0o755) -> None: ...

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None: ...


def fill(layer: Layer) -> None:
    """Write everything."""
    layer.folder("etc", "etc/ecs", "etc/profile.d", "home", "home/ec2-user", "opt", "var", "var/log", "var/log/ecs")
    layer.folder("var/lib", "var/lib/cloud", "var/lib/cloud/instances", "var/lib/ecs", "usr", "usr/bin", "usr/lib")
    layer.folder("usr/local", "usr/local/sbin", "usr/lib/drydock")
    layer.folder("root", mode=0o700)
    layer.folder("tmp", "var/tmp", mode=0o1777)
    layer.file("etc/os-release", _OS_RELEASE)
    layer.file("etc/system-release", b"Amazon Linux release 2023 (Drydock's stand-in)\n")
    layer.file("etc/passwd", _PASSWD)
    layer.file("etc/group", _GROUP)
    layer.file("etc/ecs/ecs.config", b"")
    layer.file(INIT, (_HERE / "init.py").read_bytes())
    packages, power = (_PYTHON + (_HERE / name).read_bytes() for name in ("packages.py", "power.py"))
    for name in ("yum", "dnf", "apt", "apt-get", "microdnf"):
        layer.file(f"usr/bin/{name}", packages, 0o755)
    for name in ("shutdown", "poweroff", "halt", "reboot"):
        layer.file(f"usr/local/sbin/{name}", power, 0o755)


def sources() -> bytes:
    """All that goes into it from here, to tell one version from another."""
    return b"".join(path.read_bytes() for path in sorted(_HERE.glob("*.py")))
