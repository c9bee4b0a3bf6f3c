"""Layers are unpacked within their folder, whatever they say."""

from __future__ import annotations

import gzip
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from drydock.images import standins
from drydock.images.content import ContentStore, digest_of
from drydock.images.layers import LayerStore
from drydock.images.reference import InvalidReference, parse
from drydock.images.standins import ImageNotFound, StandIns


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    return made


def unpack(folder: Path, *entries: tarfile.TarInfo) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for each in entries:
            data = b"x" if each.isreg() else b""
            each.size = len(data)
            tar.addfile(each, io.BytesIO(data))
    content = ContentStore(folder)
    blob = content.put(gzip.compress(buffer.getvalue()))
    return LayerStore(folder, content).folder(blob, digest_of(buffer.getvalue()))


def test_files_folders_and_links(tmp_path: Path) -> None:
    place = unpack(
        tmp_path,
        entry("app", tarfile.DIRTYPE, mode=0o755),
        entry("app/run", mode=0o755),
        entry("usr/bin/python", tarfile.SYMTYPE, "/opt/python"),
        entry("app/again", tarfile.LNKTYPE, "app/run"),
    )
    assert (place / "app/run").read_bytes() == b"x"
    assert (place / "app/run").stat().st_mode & 0o777 == 0o755
    assert (place / "usr/bin/python").readlink() == Path("/opt/python")
    assert (place / "app/again").samefile(place / "app/run")


@pytest.mark.parametrize(
    "entries",
    [
        [entry("../outside")],
        [entry("a/../../outside")],
        [entry("way", tarfile.SYMTYPE, "/tmp"), entry("way/outside")],
        [entry("way", tarfile.SYMTYPE, "../.."), entry("way/outside")],
        [entry("link", tarfile.LNKTYPE, "../../blobs")],
        [entry("link", tarfile.LNKTYPE, "/etc/passwd")],
        [entry("way", tarfile.SYMTYPE, "/etc/passwd"), entry("link", tarfile.LNKTYPE, "way")],
        [entry("device", tarfile.CHRTYPE)],
        [entry("pipe", tarfile.FIFOTYPE)],
    ],
)
def test_nothing_leads_out_of_a_layer(tmp_path: Path, entries: list[tarfile.TarInfo]) -> None:
    before = sorted(tmp_path.parent.iterdir())
    with pytest.raises((tarfile.TarError, OSError)):
        unpack(tmp_path / "state", *entries)
    assert sorted(tmp_path.parent.iterdir()) == before
    assert not Path("/tmp/outside").exists()
    assert list((tmp_path / "state" / "layers").iterdir()) == []


def test_a_stand_in_is_a_real_image_of_the_same_digest_again(tmp_path: Path) -> None:
    def store() -> StandIns:
        content = ContentStore(tmp_path)
        return StandIns(content, LayerStore(tmp_path, content))

    first = store().resolve("public.ecr.aws/docker/library/python:3.12-slim")
    again = store().resolve(f"python@{first.digest}")
    assert (first.digest, first.layers, first.host_files) == (again.digest, again.layers, True)
    manifest = ContentStore(tmp_path).read_json(first.digest)
    for blob in [manifest["config"], *manifest["layers"]]:
        assert len(ContentStore(tmp_path).read(blob["digest"])) == blob["size"]


@pytest.mark.parametrize(
    "name", ["nginx", "python:2.7", "library/python/extra", "PYTHON", "a b", "python@sha256:" + "0" * 64]
)
def test_an_image_that_is_not_here_says_so(tmp_path: Path, name: str) -> None:
    content = ContentStore(tmp_path)
    with pytest.raises(ImageNotFound):
        StandIns(content, LayerStore(tmp_path, content)).resolve(name)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("python", "docker.io/library/python:latest"),
        ("me/app:1.0", "docker.io/me/app:1.0"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("1.dkr.ecr.us-east-1.amazonaws.com/team/app:v1", "1.dkr.ecr.us-east-1.amazonaws.com/team/app:v1"),
        ("app@sha256:" + "a" * 64, "docker.io/library/app@sha256:" + "a" * 64),
    ],
)
def test_references(text: str, full: str) -> None:
    assert str(parse(text)) == full


@pytest.mark.parametrize("text", ["", "App", "app:", "app@sha256:1", "-app", "a" * 600, "app\n"])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(InvalidReference):
        parse(text)


@pytest.mark.parametrize("tag", ["3.12-slmi", "3.12-slim-bookwrom", "2.7", "three"])
def test_a_mistyped_tag_is_not_found(tmp_path: Path, tag: str) -> None:
    content = ContentStore(tmp_path)
    with pytest.raises(ImageNotFound, match=f"python:{tag}: not found"):
        StandIns(content, LayerStore(tmp_path, content)).resolve(f"public.ecr.aws/docker/library/python:{tag}")


def test_ten_that_want_an_image_at_once_make_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = standins.busybox_layer
    monkeypatch.setattr(standins, "busybox_layer", lambda: made.append(1) or make())
    content = ContentStore(tmp_path)
    images = StandIns(content, LayerStore(tmp_path, content))
    with ThreadPoolExecutor(10) as threads:
        found = list(threads.map(images.resolve, ["busybox:stable"] * 10))
    assert len(made) == 1 and len({image.digest for image in found}) == 1
