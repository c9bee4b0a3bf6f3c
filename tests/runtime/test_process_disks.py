"""A container's disk: what it wrote is there for the next one, and goes when it is asked for."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest
from drydock.runtime.process.kernel import mount, unmount

from tests.runtime.conftest import need_namespaces, running, sh, start

WRITE = (
    "echo one > /one; mkdir -p /usr/local/share/two; echo two > /usr/local/share/two/file; rm -f /etc/motd; echo done"
)
READ = "cat /one /usr/local/share/two/file; ls /etc/motd"


@pytest.fixture(autouse=True)
def _namespaces(tmp_path: Path) -> None:
    need_namespaces(tmp_path)


async def outcome(runtime: object, name: str, script: str, disk: Path | None, **more: object) -> list[str]:
    made = await start(runtime, name, sh(script), disk=str(disk) if disk else "", **more)  # type: ignore[arg-type]
    await made.end()
    return made.stdout


def test_what_was_written_is_there_for_the_next_container(tmp_path: Path) -> None:
    disk = tmp_path / "disk"

    async def story() -> None:
        async with running(tmp_path / "run", "namespaces") as runtime:
            assert await outcome(runtime, "a", WRITE, disk) == ["done"]
            assert await outcome(runtime, "b", READ, disk) == ["one", "two"]
            assert await outcome(runtime, "c", READ, tmp_path / "other") == []
            assert await outcome(runtime, "d", READ, None) == []

    asyncio.run(story())


def test_a_disk_outlives_the_runtime_and_goes_when_asked(tmp_path: Path) -> None:
    disk = tmp_path / "disk"

    async def story() -> None:
        async with running(tmp_path / "run", "namespaces") as runtime:
            await outcome(runtime, "a", WRITE + "; mkdir /hidden; touch /hidden/x; chmod 0 /hidden", disk)
        async with running(tmp_path / "run", "namespaces") as runtime:
            assert await outcome(runtime, "a", READ, disk) == ["one", "two"]
            await runtime.remove_disk(str(disk))
            assert not disk.exists()
            assert await outcome(runtime, "b", READ, disk) == []
            await runtime.remove_disk(str(disk))
            await runtime.remove_disk(str(tmp_path / "never"))

    asyncio.run(story())


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount the overlay that this needs")
def test_on_an_overlay_it_is_kept_in_memory_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    merged = tmp_path / "merged"
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    mount("overlay", str(merged), "overlay", 0, options)
    disk = merged / "disk"

    async def story() -> None:
        async with running(merged / "run", "namespaces") as runtime:
            await outcome(runtime, "a", WRITE, disk)
            assert await outcome(runtime, "b", READ, disk) == ["one", "two"]
            await runtime.remove_disk(str(disk))
            assert await outcome(runtime, "c", READ, disk) == []
            assert not disk.exists()

    try:
        with caplog.at_level(logging.WARNING):
            asyncio.run(story())
    finally:
        unmount(str(merged))
    assert any("its disk is in memory" in record.getMessage() for record in caplog.records)
