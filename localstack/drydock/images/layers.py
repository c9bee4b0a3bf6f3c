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
                tar.extractall(unpacking, filter=_within_layer)  # noqa: S202 (filtered)
            os.chmod(unpacking, 0o755)  # noqa: S103 (mkdtemp made it 0700)
            try:
                os.rename(unpacking, target)
            except OSError:
                if not target.exists():  # else another thread was faster
                    raise
        finally:
            shutil.rmtree(unpacking, ignore_errors=True)
        return target


def _within_layer(member: tarfile.TarInfo, target: str) -> tarfile.TarInfo | None:
    """Python's own "tar" filter, but absolute links stay: they are meant inside the container's root."""
    if member.issym():
        checked = tarfile.tar_filter(member.replace(linkname="x", deep=False), target)
        return checked.replace(linkname=member.linkname, deep=False)
    if member.ischr() or member.isblk() or member.isfifo():
        raise tarfile.ExtractError(f"{member.name} is a device")
    return tarfile.tar_filter(member, target)
