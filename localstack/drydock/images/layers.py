"""Layers unpacked into folders, ready to be stacked. Extracted as the running user, since files of root's could not be
used from a user namespace of one uid."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from drydock.images.content import ContentStore


class LayerStore:
    """``<folder>/layers/<digest of the uncompressed layer>``"""

    def __init__(self, folder: Path, content: ContentStore) -> None:
        self._folder = folder / "layers"
        self._content = content

    def folder(self, blob: str, diff_id: str) -> Path:
        """The folder with the layer's files, unpacked at the first call. Blocks; safe for several threads.

        Raises FileNotFoundError if the blob is not here, tarfile.TarError for what must not be unpacked (paths out of
        the layer, devices).
        """
        target = self._folder / diff_id.removeprefix("sha256:")
        if target.exists():
            return target
        self._folder.mkdir(parents=True, exist_ok=True)
        unpacking = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(self._content.read(blob)))) as tar:
                for member in tar:
                    _unpack(tar, member, unpacking)
            os.chmod(unpacking, 0o755)  # noqa: S103 (mkdtemp made it 0700)
            try:
                os.rename(unpacking, target)
            except OSError:
                if not target.exists():  # else another thread was faster
                    raise
        finally:
            shutil.rmtree(unpacking, ignore_errors=True)
        return target


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    """One entry, whose place must be within the layer also through the links that earlier entries made. (Python's own
    extraction filters came with 3.11.4, and refuse the absolute links that images are full of.)"""
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if not parts:
        return
    if ".." in parts:
        raise tarfile.ExtractError(f"{member.name} leads out of the layer")
    parent = root.joinpath(*parts[:-1])
    if root not in (parent.resolve(), *parent.resolve().parents):
        raise tarfile.ExtractError(f"{member.name} leads out of the layer")
    parent.mkdir(parents=True, exist_ok=True)
    target = parent / parts[-1]
    if target.is_symlink() or (target.exists() and not member.isdir()):
        target.unlink()
    if member.isdir():
        target.mkdir(exist_ok=True)
        target.chmod(member.mode & 0o7777 | 0o700)
    elif member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        source = root.joinpath(member.linkname)
        if ".." in source.parts or root not in source.resolve().parents or source.is_symlink():
            raise tarfile.ExtractError(f"{member.name} is a link out of the layer")
        os.link(source, target)
    elif member.isreg():
        content = tar.extractfile(member)
        assert content is not None
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
        target.chmod(member.mode & 0o7777 | 0o600)
    else:
        raise tarfile.ExtractError(f"{member.name} is a device")
