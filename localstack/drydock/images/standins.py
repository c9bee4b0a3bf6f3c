"""Images for the embedded runtime: stand-ins for a few well-known bases, made of the host's own files.

No image can be pulled without internet, so ``python:3.x-slim`` and ``busybox`` (also under
``public.ecr.aws/docker/library/``) are real OCI images of a few megabytes at most whose programs are links into the
host's ``/usr`` and Python. The label ``dev.drydock.stand-in`` in the image's configuration says so, and the runtime lays
the host's files under the layers of such an image only. Whatever 3.x the reference names, the Python inside is the
host's; the emulator's log says which.
"""

from __future__ import annotations

import gzip
import io
import logging
import os
import platform
import re
import sys
import tarfile
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drydock.images.content import ContentStore, digest_of
from drydock.images.layers import LayerStore
from drydock.images.machine import layer as machine
from drydock.images.reference import InvalidReference, Reference, parse

log = logging.getLogger(__name__)
STAND_IN_LABEL = "dev.drydock.stand-in"
FORMAT = 1
"""Counts up when what a stand-in contains changes"""
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_BASES = ("docker.io/library/", "public.ecr.aws/docker/library/")
_PYTHON_TAG = re.compile(r"(latest|3(\.\d+){0,2})(-slim)?(-(bullseye|bookworm|trixie|alpine))?|slim")
_BUSYBOX_TAG = re.compile(r"(latest|stable|unstable|1(\.\d+){0,2})(-(glibc|musl|uclibc))?|glibc|musl|uclibc")
"""Tags of the kinds that the registries have: a mistyped one must not be found"""
MACHINE = "amazonlinux"
"""The kind that stands in for the AMIs of Amazon Linux; no container image"""
OFFERED = "python:3.x-slim and busybox, also as public.ecr.aws/docker/library/..."


class ImageNotFound(Exception):
    """There is no such image here; the message says what there is."""


@dataclass(frozen=True)
class Image:
    """What is needed to start a container from it."""

    reference: str
    digest: str
    """Of the manifest"""
    layers: tuple[str, ...]
    """Folders, the lowest first"""
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    user: str
    host_files: bool


class StandIns:
    """Finds the image for a reference, making it on first use."""

    def __init__(self, content: ContentStore, layers: LayerStore) -> None:
        self._content = content
        self._layers = layers
        self._made: dict[str, Image] = {}
        self._making = threading.Lock()  # ten tasks that start at once resolve it in ten threads

    def resolve(self, text: str) -> Image:
        """Blocks for some milliseconds at the first use of an image. Raises ImageNotFound."""
        try:
            reference = parse(text)
        except InvalidReference as error:
            raise ImageNotFound(str(error)) from error
        kind = self._kind(reference)
        if kind is None:
            raise ImageNotFound(f"{reference}: not found (without internet the embedded runtime offers {OFFERED})")
        with self._making:
            image = self._made.get(kind)
            if image is None:
                image = self._made[kind] = self._find_or_make(kind, str(reference))
                if kind == "python":
                    log.info("%s is a stand-in: Python %s of this machine", reference, platform.python_version())
        if reference.digest and reference.digest != image.digest:
            raise ImageNotFound(f"{reference}: not found (the stand-in's digest is {image.digest})")
        return image

    def wants_making(self, text: str) -> bool:
        """Whether there is a stand-in for a reference that has not been asked for yet."""
        try:
            kind = self._kind(parse(text))
        except InvalidReference:
            return False
        return kind is not None and kind not in self._made and "@" not in text

    def machine(self) -> Image:
        """What the disk of an EC2 instance begins with. Blocks for some milliseconds at its first use."""
        with self._making:
            if MACHINE not in self._made:
                self._made[MACHINE] = self._find_or_make(MACHINE, MACHINE)
            return self._made[MACHINE]

    def _kind(self, reference: Reference) -> str | None:
        name = f"{reference.host}/{reference.path}"
        for base in _BASES:
            if name == base + "python" and (reference.digest or _PYTHON_TAG.fullmatch(reference.tag)):
                return "python"
            if name == base + "busybox" and (reference.digest or _BUSYBOX_TAG.fullmatch(reference.tag)):
                return "busybox"
        return None

    def _find_or_make(self, kind: str, reference: str) -> Image:
        """Made once for a state folder and an interpreter; it takes a second."""
        tag = f"{kind} {sys.base_prefix} {platform.python_version()} {FORMAT}"
        if kind == MACHINE:
            tag += f" {digest_of(machine.sources())}"
        digest = self._content.tagged(tag)
        if digest is None:
            digest = self._make(kind)
            self._content.tag(tag, digest)
        return self._open(reference, digest)

    def _make(self, kind: str) -> str:
        tar = layer_of(kind)
        blob = gzip.compress(tar, 6, mtime=0)
        config: dict[str, Any] = {
            "Env": [f"PATH={PATH}"],
            "Cmd": ["python3"] if kind == "python" else ["sh"],
            "WorkingDir": "/",
            "Labels": {STAND_IN_LABEL: kind},
        }
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        config_digest, config_size = self._content.put_json(
            {
                "architecture": machine,
                "os": "linux",
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": [digest_of(tar)]},
                "history": [{"created_by": f"stand-in for {kind}, made of the host's own files"}],
            }
        )
        layer_digest = self._content.put(blob)
        digest, _ = self._content.put_json(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": config_digest,
                    "size": config_size,
                },
                "layers": [
                    {
                        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                        "digest": layer_digest,
                        "size": len(blob),
                    }
                ],
            }
        )
        return digest

    def _open(self, reference: str, digest: str) -> Image:
        manifest = self._content.read_json(digest)
        document = self._content.read_json(manifest["config"]["digest"])
        config = document["config"]
        blobs = [layer["digest"] for layer in manifest["layers"]]
        folders = [self._layers.folder(*pair) for pair in zip(blobs, document["rootfs"]["diff_ids"], strict=True)]
        return Image(
            reference,
            digest,
            tuple(str(folder) for folder in folders),
            tuple(config.get("Entrypoint") or ()),
            tuple(config.get("Cmd") or ()),
            dict(entry.split("=", 1) for entry in config.get("Env", [])),
            config.get("WorkingDir") or "/",
            config.get("User", ""),
            STAND_IN_LABEL in config.get("Labels", {}),
        )


class _Layer:
    """Writes a layer's tar whose digest depends on nothing but its content."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 (done() closes it)

    def folder(self, *names: str, mode: int = 0o755) -> None:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            self._tar.addfile(entry)

    def link(self, name: str, target: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
        self._tar.addfile(entry)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), mode
        self._tar.addfile(entry, io.BytesIO(data))

    def done(self) -> bytes:
        self._tar.close()
        return self._buffer.getvalue()


def busybox_layer() -> bytes:
    """``sh`` and the coreutils are the host's; only what every image has is here."""
    layer = _Layer()
    _foundation(layer)
    return layer.done()


def machine_layer() -> bytes:
    """A machine's: no interpreter of its own, but a first process and the commands that AMIs have."""
    layer = _Layer()
    machine.fill(layer)
    return layer.done()


def python_layer() -> bytes:
    """A virtual environment at /usr/local over the host's interpreter, so that ``pip install`` writes into the layer."""
    layer = _Layer()
    _foundation(layer)
    minor = f"python3.{sys.version_info[1]}"
    site = f"usr/local/lib/{minor}/site-packages"
    interpreter = os.path.realpath(os.path.join(sys.base_prefix, "bin", minor))
    layer.folder("usr", "usr/local", "usr/local/bin", "usr/local/lib", f"usr/local/lib/{minor}", site)
    for name in ("python", "python3", minor):
        layer.link(f"usr/local/bin/{name}", interpreter)
    layer.file(
        "usr/local/pyvenv.cfg",
        f"home = {os.path.dirname(interpreter)}\ninclude-system-site-packages = false\n"
        f"version = {platform.python_version()}\n".encode(),
    )
    for wheel in bundled_pip():
        with zipfile.ZipFile(wheel) as archive:
            folders: set[str] = set()
            for entry in sorted(archive.namelist()):
                parents = [str(parent) for parent in Path(entry).parents if str(parent) != "."]
                for parent in reversed(parents):
                    if parent not in folders:
                        folders.add(parent)
                        layer.folder(f"{site}/{parent}")
                layer.file(f"{site}/{entry}", archive.read(entry))
    script = b"#!/usr/local/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
    for name in ("pip", "pip3"):
        layer.file(f"usr/local/bin/{name}", script, 0o755)
    return layer.done()


def _foundation(layer: _Layer) -> None:
    layer.folder("etc", "root", "var", "home")
    layer.folder("tmp", "var/tmp", mode=0o1777)
    layer.file(
        "etc/passwd",
        b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    )
    layer.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n")


def bundled_pip() -> list[Path]:
    """pip's wheel as the interpreter (or Debian) ships it; none is no error: the image then has no pip."""
    import ensurepip

    places = [Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels")]
    return [wheel for place in places for wheel in sorted(place.glob("pip-*.whl"))][:1]


def layer_of(kind: str) -> bytes:
    """The one layer of a stand-in."""
    if kind == MACHINE:
        return machine_layer()
    return python_layer() if kind == "python" else busybox_layer()
