"""Sandboxes, containers and images small enough to start hundreds of."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from drydock.errors import UserError
from drydock.runtime.interface import ContainerSpec, Exit, SandboxSpec
from drydock.runtime.process.driver import ProcessRuntime

ADDRESS = "10.0.1.5"


def sh(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


@dataclass
class Started:
    pid: int | None
    exit: asyncio.Future[Exit]
    lines: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def stdout(self) -> list[str]:
        return [line.decode() for stream, line in self.lines if stream == "stdout"]

    async def end(self, timeout: float = 20) -> Exit:
        return await asyncio.wait_for(asyncio.shield(self.exit), timeout)

    async def line(self, timeout: float = 20) -> str:
        """The first one, as soon as it is there."""
        async with asyncio.timeout(timeout):
            while not self.lines:
                assert not self.exit.done(), self.exit.result()
                await asyncio.sleep(0)
        return self.lines[0][1].decode()


async def start(
    runtime: ProcessRuntime, name: str, argv: tuple[str, ...], sandbox: str = "box", **more: Any
) -> Started:
    made = Started(0, asyncio.get_running_loop().create_future())
    more.setdefault("host_files", True)
    spec = ContainerSpec(name, sandbox, more.pop("layers", ()), argv, **more)
    made.pid = await runtime.start_container(spec, lambda *line: made.lines.append(line), made.exit.set_result)
    return made


@asynccontextmanager
async def running(state: Path, tier: str, sandbox: str | None = "box") -> AsyncIterator[ProcessRuntime]:
    runtime = ProcessRuntime(state, tier)
    lost: list[str] = []
    await runtime.start(lost.append)
    try:
        if sandbox:
            await runtime.create_sandbox(SandboxSpec(sandbox, f"{sandbox}-host", (ADDRESS,)))
        yield runtime
    finally:
        await runtime.close()
    assert not lost
    assert os.listdir(state) == []


@pytest.fixture(params=["namespaces", "plain"])
def tier(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "namespaces":
        need_namespaces(tmp_path)
    return str(request.param)


_why_not: list[str] = []


def need_namespaces(tmp_path: Path) -> None:
    """Skip with the reason where they cannot be had."""
    if sys.platform != "linux":
        pytest.skip("namespaces are Linux's")
    if not _why_not:

        async def once() -> str:
            runtime = ProcessRuntime(tmp_path / "probe", "namespaces")
            try:
                await runtime.start(lambda _: None)
            except UserError as error:
                return str(error)
            await runtime.close()
            return ""

        _why_not.append(asyncio.run(once()))
    if _why_not[0]:
        pytest.skip(_why_not[0])


@pytest.fixture
def layer(tmp_path: Path) -> Callable[[dict[str, str]], str]:
    """Makes an image layer of the files that it is given."""

    def make(files: dict[str, str]) -> str:
        folder = tmp_path / f"layer{len(list(tmp_path.glob('layer*')))}"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if text.startswith("#!"):
                path.chmod(0o755)
        return str(folder)

    return make


@pytest.fixture
def busybox(tmp_path: Path) -> str:
    """A layer with nothing but a static busybox."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("needs busybox-static (apt-get install busybox-static)")
    folder = tmp_path / "busybox"
    (folder / "bin").mkdir(parents=True)
    shutil.copy(program, folder / "bin/busybox")
    for name in ("sh", "ls", "cat", "echo", "id", "pwd", "test"):
        (folder / "bin" / name).symlink_to("busybox")
    return str(folder)


@pytest.fixture
def normal_user() -> pwd.struct_passwd:
    """Somebody who is not root, to run an emulator as."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else; these tests then run as a normal user anyway")
    if shutil.which("setpriv") is None or not os.path.exists("/usr/bin/python3"):
        pytest.skip("needs setpriv (util-linux) and the system's python3")
    return pwd.getpwnam("nobody")
