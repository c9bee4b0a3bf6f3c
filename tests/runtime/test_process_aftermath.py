"""What remains of the process runtime: nothing, also after ``kill -9`` of the emulator; and who may run it."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from drydock.errors import UserError
from drydock.runtime.interface import Exit, RuntimeFailure, SandboxSpec
from drydock.runtime.process.cgroups import own_folders
from drydock.runtime.process.driver import ProcessRuntime
from drydock.runtime.process.kernel import mount, unmount

from tests.runtime.conftest import ADDRESS, need_namespaces, running, sh, start

SCENARIO = str(Path(__file__).with_name("scenario.py"))
SOURCES = str(Path(__file__).parents[2] / "localstack")
BECOME = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--reset-env"]
ENV = ["env", f"PYTHONPATH={SOURCES}", "PYTHONDONTWRITEBYTECODE=1"]


def below(pid: int) -> list[int]:
    """Everybody under a process, as the host sees them."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except OSError:
                continue
            parents[int(folder.name)] = int(text.rpartition(")")[2].split()[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if state_of(pid) not in "ZX"]


def state_of(pid: int) -> str:
    """One letter; that of a zombie, which has let go of everything, also for who is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def cgroups(runs: list[str]) -> set[str]:
    """Of the runs with these folder names."""
    folders = own_folders(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    return {
        str(path) for folder in set(folders.values()) for run in runs for path in Path(folder).glob(f"drydock-{run}")
    }


def mounts(state: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(state) in line]


def started(state: Path, tier: str) -> tuple[subprocess.Popen[str], dict[str, object]]:
    command = [sys.executable, SCENARIO, "keep", str(state), tier]
    emulator = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": SOURCES})
    assert emulator.stdout is not None
    return emulator, json.loads(emulator.stdout.readline())


def wait_until_gone(pids: list[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := alive(pids):
        assert time.monotonic() < deadline, f"still there: {left}"
        os.sched_yield()


@pytest.mark.parametrize("others", ["nobody else", "helper as well"])
def test_nothing_is_left_after_kill_9(tmp_path: Path, tier: str, others: str) -> None:
    """The emulator alone: its helper cleans up. Both: the next start does."""
    state = tmp_path / "state"
    emulator, said = started(state, tier)
    runs = os.listdir(state)
    if os.getuid() == 0 and tier == "namespaces":
        assert cgroups(runs), "this test should see what it is about"
    everybody = below(emulator.pid)
    assert len(everybody) >= 5, everybody
    if others == "helper as well":
        assert isinstance(said["helper"], int)
        os.kill(said["helper"], signal.SIGSTOP)  # so that it cannot clean up before it goes
        os.kill(emulator.pid, signal.SIGKILL)
        os.kill(said["helper"], signal.SIGKILL)
    else:
        os.kill(emulator.pid, signal.SIGKILL)
    emulator.wait()
    wait_until_gone(everybody, 1.0)
    if others == "nobody else":
        assert os.listdir(state) == []
        assert cgroups(runs) == set()

    async def next_start() -> None:
        async with running(state, tier):
            assert len(os.listdir(state)) == 1

    asyncio.run(next_start())
    assert os.listdir(state) == []
    assert cgroups(runs) == set()
    assert mounts(tmp_path) == []


def test_a_helper_that_hangs_goes_too(tmp_path: Path) -> None:
    """Namespaces tier: the process outside kills the helper that does not notice the emulator's death."""
    need_namespaces(tmp_path)
    emulator, said = started(tmp_path / "state", "namespaces")
    everybody = below(emulator.pid)
    assert isinstance(said["helper"], int)
    os.kill(said["helper"], signal.SIGSTOP)
    os.kill(emulator.pid, signal.SIGKILL)
    emulator.wait()
    wait_until_gone(everybody, 2.0)
    asyncio.run(_start_and_close(tmp_path / "state", "namespaces"))
    assert os.listdir(tmp_path / "state") == []


async def _start_and_close(state: Path, tier: str) -> ProcessRuntime:
    runtime = ProcessRuntime(state, tier)
    await runtime.start(lambda _: None)
    await runtime.close()
    return runtime


def test_two_emulators_share_a_state_folder(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "one", tier) as first:
            a = await start(first, "a", sh("echo up; exec sleep 300"), memory=64 << 20)
            await a.line()
            second = ProcessRuntime(tmp_path / "one", tier)
            await second.start(lambda _: None)
            await second.close()
            assert (await first.usage())["a"].processes == 1
            b = await start(first, "b", sh("true"), memory=64 << 20)
            assert await b.end() == Exit(0)

    asyncio.run(go())


def test_the_helpers_own_end_is_told(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        runtime = ProcessRuntime(tmp_path / "state", tier)
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await runtime.start(lost.set_result)
        await runtime.create_sandbox(SandboxSpec("box", "box", (ADDRESS,)))
        a = await start(runtime, "a", ("sleep", "300"), memory=64 << 20)
        runs = os.listdir(tmp_path / "state")
        assert runtime.info.pid is not None
        os.kill(runtime.info.pid, signal.SIGKILL)
        assert "helper" in await asyncio.wait_for(lost, 5)
        assert (await a.end()).code == 137
        async with asyncio.timeout(1):
            while os.path.exists(f"/proc/{a.pid}"):
                await asyncio.sleep(0)
        with pytest.raises(RuntimeFailure):
            await start(runtime, "b", sh("true"))
        await runtime.close()
        assert os.listdir(tmp_path / "state") == []
        assert cgroups(runs) == set()

    asyncio.run(go())


# ---------------------------------------------------------------------------------------------- who may run it


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """pytest's own are closed to others."""
    folder = tempfile.mkdtemp(prefix="drydock-test-", dir="/var/tmp")
    os.chmod(folder, 0o777)  # noqa: S103
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("tier_asked", ["namespaces", "plain"])
def test_a_normal_user_can_run_it(open_folder: Path, normal_user: pwd.struct_passwd, tier_asked: str) -> None:
    command = [*BECOME, *ENV, "/usr/bin/python3", SCENARIO, "trip", str(open_folder / "state"), tier_asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    if "refused" in seen:
        pytest.skip(seen["refused"])
    assert seen["tier"] == tier_asked
    assert seen["answer"] == "HTTP/1.0 200 OK"
    assert seen["hog"] == [137, True]
    assert seen["exec"] == 3
    assert seen["tty"].startswith("/dev/pts/")
    if tier_asked == "namespaces":
        assert seen["id"] == [0, "0", "owned"]
        assert seen["reason"] == "unprivileged user namespace"
        assert "user 33 cannot be had" in done.stderr
    else:
        assert "user 33 is ignored" in done.stderr
    assert os.listdir(open_folder / "state") == []


def test_the_step_that_fails_is_named(open_folder: Path, normal_user: pwd.struct_passwd) -> None:
    """In a user namespace that may have no further net namespaces."""
    script = 'echo 0 > /proc/sys/user/max_net_namespaces; exec "$0" "$@"'
    inside = ["unshare", "--user", "--map-root-user", "sh", "-c", script]
    command = [*BECOME, *ENV, *inside, "/usr/bin/python3", SCENARIO, "trip", str(open_folder / "state")]
    forced = subprocess.run([*command, "namespaces"], capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in forced.stderr:
        pytest.skip(forced.stderr)
    refused = json.loads(forced.stdout)["refused"]
    assert "unshare(" in refused
    assert "max_*_namespaces is 0 or used up" in refused
    assert "sysctl" in refused
    done = subprocess.run([*command, "auto"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["tier"] == "plain"
    assert "unshare(" in seen["reason"]


def test_an_unknown_tier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such runtime tier"):
        ProcessRuntime(tmp_path, "chroot")


def test_forced_namespaces_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_namespaces(tmp_path)
    monkeypatch.setattr("drydock.runtime.process.hostfiles.described", lambda: {"folders": ["no-such"], "prefixes": []})
    runtime = ProcessRuntime(tmp_path / "state", "namespaces")
    with pytest.raises(UserError, match="namespaces tier does not work here: mount overlay on"):
        asyncio.run(runtime.start(lambda _: None))
    assert os.listdir(tmp_path / "state") == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount the overlay that this needs")
def test_a_state_folder_on_an_overlay(tmp_path: Path) -> None:
    need_namespaces(tmp_path)
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    mount("overlay", str(tmp_path / "merged"), "overlay", 0, options)
    try:

        async def go() -> None:
            async with running(tmp_path / "merged" / "state", "namespaces") as runtime:
                a = await start(runtime, "a", sh("echo x > /etc/x && cat /etc/x"))
                assert await a.end() == Exit(0)
                assert a.stdout == ["x"]
                assert "kept in memory" in runtime.info.reason

        asyncio.run(go())
    finally:
        unmount(str(tmp_path / "merged"))


# ---------------------------------------------------------------------------------------------- figures


def test_the_helper_stays_small(tmp_path: Path, tier: str) -> None:
    """The memory that is a helper's own when it has nothing to do (the interpreter's pages are anybody's, and how many of
    them count as ours depends on who else runs); and that none of what makes Python big was imported."""

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            text = Path(f"/proc/{runtime.info.pid}/smaps_rollup").read_text()
            own = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Anonymous:"))
            assert own < 6 * 1024, f"{own} KiB"

    asyncio.run(go())
    modules = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _IMPORT.format(SOURCES)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "drydock.runtime.process.helper" in modules
    assert not {"asyncio", "typing", "dataclasses", "inspect", "logging", "subprocess", "shutil"} & set(modules)


_IMPORT = """
import sys
sys.path.insert(0, {!r})
import drydock.runtime.process.entry, drydock.runtime.process.namespaces, drydock.runtime.process.plain
print(*sys.modules)
"""


# ---------------------------------------------------------------------------------------------- cgroups, on paper


def test_own_cgroups_are_found() -> None:
    version_1 = "33 31 0:30 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    version_1 += "34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    both = version_1 + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    membership = "4:memory:/user/one\n3:cpu,cpuacct:/\n0::/\n"
    assert own_folders(both, membership) == {
        "memory": "/sys/fs/cgroup/memory/user/one",
        "cpu": "/sys/fs/cgroup/cpu,cpuacct",
        "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
        "2": "/sys/fs/cgroup/unified",
    }
    delegated = "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    path = "/user.slice/user-1000.slice/user@1000.service/app.slice/lab.scope"
    assert own_folders(delegated, f"0::{path}\n") == {"2": "/sys/fs/cgroup" + path}
    in_container = "30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup cgroup rw,memory\n"
    assert own_folders(in_container, "5:memory:/docker/abc/sub\n") == {"memory": "/sys/fs/cgroup/sub"}
    assert own_folders(in_container, "5:memory:/elsewhere\n") == {}
