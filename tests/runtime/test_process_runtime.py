"""The process runtime in both tiers: output, exits, stopping, exec, limits, usage."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from drydock.runtime.interface import Exit, RuntimeFailure, SandboxSpec

from tests.runtime.conftest import ADDRESS, need_namespaces, running, sh, start

Layer = Callable[[dict[str, str]], str]


# ---------------------------------------------------------------------------------------------- output and exit


def test_output_comes_before_the_exit(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", sh("echo one; echo two >&2; printf three; exit 7"))
            assert await a.end() == Exit(7)
            assert a.stdout == ["one", "three"]
            assert ("stderr", b"two") in a.lines

    asyncio.run(go())


@pytest.mark.parametrize("init", [False, True])
def test_exit_codes_are_dockers(tmp_path: Path, tier: str, init: bool) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            never = await start(runtime, "a", ("no-such-program",), init=init)
            assert never.pid is None
            missing = await never.end()
            assert missing.code == 127
            assert "no-such-program" in (missing.error or "")
            assert (await (await start(runtime, "b", ("/etc/hostname",), init=init)).end()).code == 126
            assert await (await start(runtime, "c", sh("kill -TERM $$; sleep 9"), init=True)).end() == Exit(143)
            bad = await (await start(runtime, "d", sh("true"), init=init, ulimits={"nonsense": (1, 1)})).end()
            assert bad.code == 125
            assert "nonsense" in (bad.error or "")

    asyncio.run(go())


def test_the_pid_is_the_hosts(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", ("sleep", "77.125"))
            assert Path(f"/proc/{a.pid}/cmdline").read_bytes() == b"sleep\00077.125\0"

    asyncio.run(go())


def test_long_lines_are_cut(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", ("python", "-c", "print('x' * 600000)"))
            await a.end()
            assert [len(line) for _, line in a.lines] == [262144, 262144, 600000 - 2 * 262144]

    asyncio.run(go())


def test_a_slow_consumer_stops_the_printing(tmp_path: Path, tier: str) -> None:
    """Nothing is read while the awaitable that on_output returned is not done: the writer blocks in its pipe."""

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            gate = asyncio.get_running_loop().create_future()
            ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
            seen = 0

            def slow(_: str, line: bytes) -> object:
                nonlocal seen
                seen += 1
                return None if gate.done() else gate

            from drydock.runtime.interface import ContainerSpec

            count = 400_000
            program = f"import os\nfor _ in range({count // 1000}): os.write(1, (b'x' * 99 + b'\\n') * 1000)"
            await runtime.start_container(
                ContainerSpec("a", "box", (), ("python", "-c", program), host_files=True), slow, ended.set_result
            )
            async with asyncio.timeout(10):
                while not seen:
                    await asyncio.sleep(0)
            await asyncio.wait([ended], timeout=0.3)
            assert seen == 1
            assert not ended.done()
            gate.set_result(None)
            assert (await asyncio.wait_for(ended, 30)).code == 0
            assert seen == count

    asyncio.run(go())


def test_a_pipe_that_somebody_holds_does_not_hold_up_the_exit(tmp_path: Path) -> None:
    from drydock.runtime.process.output import LineReader, finish

    async def go() -> None:
        ours, theirs = os.pipe()
        lines: list[bytes] = []
        reader = LineReader(ours, lines.append)
        os.write(theirs, b"last words\n")
        await asyncio.wait_for(finish([reader], 0.1), 5)
        assert lines == [b"last words"]
        os.close(theirs)

    asyncio.run(go())


# ---------------------------------------------------------------------------------------------- stopping


def test_stop_is_sigterm_then_sigkill(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            polite = await start(runtime, "polite", sh("trap 'exit 0' TERM; echo up; while :; do sleep 0.02; done"))
            deaf = await start(runtime, "deaf", sh("trap '' TERM; echo up; while :; do sleep 0.02; done"))
            await polite.line()
            await deaf.line()
            for name in ("polite", "deaf", "deaf", "never-was"):  # twice, and one that is not there: harmless
                await runtime.stop_container(name, 0.1)
            assert await polite.end() == Exit(0)
            assert await deaf.end() == Exit(137)
            await runtime.stop_container("deaf", 0.1)

    asyncio.run(go())


def test_who_is_asked_again_has_the_shorter_time_and_no_second_sigterm(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            deaf = await start(runtime, "deaf", sh("trap 'echo told' TERM; echo up; while :; do sleep 0.02; done"))
            await deaf.line()
            await runtime.stop_container("deaf", 60)
            async with asyncio.timeout(20):
                while len(deaf.stdout) < 2:
                    await asyncio.sleep(0)
            await runtime.stop_container("deaf", 0.3)
            assert await deaf.end() == Exit(137)
            assert deaf.stdout == ["up", "told"]

    asyncio.run(go())


def test_removing_a_sandbox_ends_what_runs_in_it(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", sh("sleep 300 & sleep 300"))
            await runtime.remove_sandbox("box")
            assert a.exit.done()
            assert a.exit.result().code == 137
            await runtime.remove_sandbox("box")
            assert await runtime.usage() == {}
            with pytest.raises(RuntimeFailure, match="no such sandbox"):
                await start(runtime, "b", sh("true"))
            await runtime.create_sandbox(SandboxSpec("box", "again", (ADDRESS,)))
            assert await (await start(runtime, "a", sh("true"))).end() == Exit(0)

    asyncio.run(go())


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(300)
    os._exit(0)
time.sleep({main})
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="orphans come to nobody here who knows them")
def test_whose_keeper_is_killed_has_ended_when_that_is_told(tmp_path: Path) -> None:
    """Plain tier: the program, and a daemon of it, are not there any more; not only told to go."""

    async def go() -> None:
        async with running(tmp_path / "state", "plain") as runtime:
            for number in range(5):
                a = await start(runtime, f"a{number}", ("python", "-c", DAEMON.format(main=300)))
                daemon = int(await a.line())
                keeper = int(Path(f"/proc/{a.pid}/stat").read_text().rpartition(")")[2].split()[1])
                left: list[bool] = []
                a.exit.add_done_callback(lambda _: left.extend(os.path.exists(f"/proc/{p}") for p in (a.pid, daemon)))
                os.kill(keeper, signal.SIGKILL)
                assert (await a.end()).code == 137
                await asyncio.sleep(0)
                assert left == [False, False]

    asyncio.run(go())


def test_a_daemon_ends_with_its_container(tmp_path: Path) -> None:
    """Plain tier: forked twice, in a session of its own, its parents gone."""

    async def go() -> None:
        async with running(tmp_path / "state", "plain") as runtime:
            a = await start(runtime, "a", ("python", "-c", DAEMON.format(main=300)))
            daemon = int(await a.line())
            assert (await runtime.usage())["a"].processes == 2
            await runtime.stop_container("a", 5)
            await a.end()
            assert not os.path.exists(f"/proc/{daemon}")
            b = await start(runtime, "b", ("python", "-c", DAEMON.format(main=0.05)))
            daemon = int(await b.line())
            assert await b.end() == Exit(0)
            assert not os.path.exists(f"/proc/{daemon}")

    asyncio.run(go())


def test_names_are_unique(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            await start(runtime, "a", ("sleep", "300"))
            with pytest.raises(RuntimeFailure, match="already"):
                await start(runtime, "a", ("sleep", "300"))
            with pytest.raises(RuntimeFailure, match="already"):
                await runtime.create_sandbox(SandboxSpec("box", "x", ("10.0.1.6",)))

    asyncio.run(go())


# ---------------------------------------------------------------------------------------------- exec


def test_exec_with_a_terminal(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            await start(runtime, "a", ("sleep", "300"), env={"COLOUR": "blue"})
            ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
            script = sh("tty; echo $COLOUR $TERM; read word; echo got $word; exit 4")
            master = await runtime.exec("e", "a", script, ended.set_result)
            assert master is not None
            os.write(master, b"hello\n")
            assert await asyncio.wait_for(ended, 10) == Exit(4)
            text = await asyncio.to_thread(_read_all, master)
            os.close(master)
            assert "/dev/pts/" in text
            assert "blue xterm" in text
            assert "got hello" in text

    asyncio.run(go())


def _read_all(descriptor: int) -> str:
    text = b""
    while True:
        try:
            data = os.read(descriptor, 4096)
        except OSError as error:
            assert error.errno == errno.EIO  # how the end of a terminal reads
            return text.decode()
        if not data:
            return text.decode()
        text += data


def test_exec_with_descriptors(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            await start(runtime, "a", ("sleep", "300"))
            ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
            ours, theirs = os.pipe()
            null = os.open(os.devnull, os.O_RDWR)
            assert (
                await runtime.exec("e", "a", sh("echo inside"), ended.set_result, False, (null, theirs, null)) is None
            )
            os.close(theirs)
            os.close(null)
            assert await asyncio.wait_for(ended, 10) == Exit(0)
            assert os.read(ours, 100) == b"inside\n"
            os.close(ours)
            missing: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
            master = await runtime.exec("f", "a", ("no-such",), missing.set_result)
            assert (await asyncio.wait_for(missing, 10)).code == 127
            assert master is not None
            os.close(master)
            with pytest.raises(RuntimeFailure, match="no such running container"):
                await runtime.exec("g", "never-was", sh("true"), print)

    asyncio.run(go())


def test_an_exec_ends_with_its_container(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", ("sleep", "300"))
            ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
            master = await runtime.exec("e", "a", sh("echo up; exec sleep 300"), ended.set_result)
            assert master is not None
            assert await asyncio.to_thread(os.read, master, 100) == b"up\r\n"
            await runtime.stop_container("a", 0)
            await a.end()
            assert (await asyncio.wait_for(ended, 10)).code == 137
            os.close(master)

    asyncio.run(go())


# ---------------------------------------------------------------------------------------------- limits and usage


@pytest.mark.parametrize("init", [False, True])
def test_a_memory_limit_kills(tmp_path: Path, tier: str, init: bool) -> None:
    hog = "x = []\nwhile True: x.append(bytearray(1 << 20)); x[-1][::4096] = b'x' * 256"

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", ("python", "-c", hog), memory=64 << 20, init=init)
            b = await start(runtime, "b", ("python", "-c", "print(len(bytearray(20 << 20)))"), memory=64 << 20)
            assert await a.end() == Exit(137, out_of_memory=True)
            assert await b.end() == Exit(0)
            c = await start(runtime, "c", sh("kill -9 $$"), memory=64 << 20, init=True)
            assert await c.end() == Exit(137, out_of_memory=False)

    asyncio.run(go())


def test_a_cpu_limit_slows(tmp_path: Path) -> None:
    need_namespaces(tmp_path)
    spin = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(time.process_time())"

    async def go() -> None:
        async with running(tmp_path / "state", "namespaces") as runtime:
            if "CPU measured only" in runtime.info.memory:
                pytest.skip("no CPU cgroup can be written here")
            a = await start(runtime, "a", ("python", "-c", spin), cpu=0.2)
            await a.end()
            assert float(a.stdout[0]) < 0.5

    asyncio.run(go())


def test_usage_counts_all_processes(tmp_path: Path, tier: str) -> None:
    work = "import os, time\nos.fork()\nx = bytearray(30 << 20)\nend = time.process_time() + .2\n"
    work += "while time.process_time() < end: pass\nprint('done', flush=True)\ntime.sleep(300)"

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", ("python", "-c", work))
            await start(runtime, "b", ("sleep", "300"), init=True)
            async with asyncio.timeout(20):
                while len(a.lines) < 2:
                    await asyncio.sleep(0)
            used = await runtime.usage()
            assert used["a"].processes == 2
            assert used["a"].memory > 60 << 20
            assert 0.3 < used["a"].cpu < 5
            assert used["b"].processes == 1
            assert 0 < used["b"].memory < 10 << 20

    asyncio.run(go())


def test_signals_are_as_a_program_expects_them(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", ("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"))
            await a.end()
            assert [int(line.split()[1], 16) for line in a.stdout] == [0, 0]
            b = await start(runtime, "b", sh("ls /proc/self/fd | tr '\\n' ' '"))
            await b.end()
            assert set(b.stdout[0].split()) == {"0", "1", "2", "3"}  # 3 is ls's own look at the folder

    asyncio.run(go())


def test_two_hundred_containers(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            names = [f"n{number}" for number in range(200)]
            for name in names:
                await runtime.create_sandbox(SandboxSpec(name, name, (f"10.1.{names.index(name)}.1",)))
            script = sh("echo $HOSTNAME; exec sleep 300")
            started = await asyncio.gather(*(start(runtime, name, script, sandbox=name) for name in names))
            for name, each in zip(names, started, strict=True):
                assert await each.line() == name
            used = await runtime.usage()
            assert used.keys() == set(names)
            assert all(each.processes == 1 for each in used.values())

    asyncio.run(go())


@pytest.mark.parametrize("tier", ["namespaces", "plain"])
def test_containers_of_a_sandbox_share_its_memory_limit(tmp_path: Path, tier: str) -> None:
    if tier == "namespaces":
        need_namespaces(tmp_path)
    eat = "data = bytearray(60 << 20); print('has it', flush=True); import time; time.sleep(60)"

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            await runtime.create_sandbox(SandboxSpec("small", "small", ("10.0.1.9",), memory=96 << 20, cpu=2))
            first = await start(runtime, "first", ("python", "-c", eat), sandbox="small")
            assert await first.line() == "has it"
            second = await start(runtime, "second", ("python", "-c", eat), sandbox="small")
            ends = {asyncio.ensure_future(one.end()) for one in (first, second)}
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            assert [(end.result().code, end.result().out_of_memory) for end in done] == [(137, True)]
            await runtime.remove_sandbox("small")
            await asyncio.wait(ends)

    asyncio.run(go())


@pytest.mark.parametrize("script, processes", [
    ("sleep 50; true", 2),
    ("sleep 50 & sleep 50 & wait", 3),
    ("(trap '' TERM; sleep 50; true) & sleep 50; true", 4),
    ("(setsid sleep 50 &); sleep 50; true", 3),
])  # fmt: skip
def test_an_exec_can_be_killed(tmp_path: Path, tier: str, script: str, processes: int) -> None:
    """With all that it started; and when its end is told, they are gone. The container goes on."""

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", ("sleep", "100"))
            ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
            null = os.open(os.devnull, os.O_RDWR)
            await runtime.exec("check", "a", sh(script), ended.set_result, pty=False, stdio=(null, null, null))
            os.close(null)
            async with asyncio.timeout(10):
                while (await runtime.usage())["a"].processes != 1 + processes:
                    await asyncio.sleep(0)
                await runtime.kill_exec("check")
                assert (await ended).code == 137
            assert (await runtime.usage())["a"].processes == 1
            assert not a.exit.done()

    asyncio.run(go())


def test_an_exec_can_be_killed_at_once(tmp_path: Path, tier: str) -> None:
    """Before its program has started; the next one of that name may follow."""

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            await start(runtime, "a", ("sleep", "100"))
            null = os.open(os.devnull, os.O_RDWR)
            for _ in range(20):
                ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
                await runtime.exec(
                    "check", "a", sh("sleep 50; true"), ended.set_result, pty=False, stdio=(null, null, null)
                )
                await runtime.kill_exec("check")
                assert (await asyncio.wait_for(ended, 10)).code == 137
                assert (await runtime.usage())["a"].processes == 1
            os.close(null)

    asyncio.run(go())


def test_an_exec_whose_caller_is_cancelled(tmp_path: Path, tier: str) -> None:
    """While the helper has not answered yet: it is killed if it was started, and its name is free if it was refused."""

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            await start(runtime, "a", ("sleep", "100"))
            null = os.open(os.devnull, os.O_RDWR)

            def execute(container: str) -> asyncio.Task[int | None]:
                doing = runtime.exec(
                    "check", container, ("sleep", "50"), told.append, pty=False, stdio=(null, null, null)
                )
                return asyncio.ensure_future(doing)

            told: list[Exit] = []
            for container in ("a", "gone"):
                task = execute(container)
                await asyncio.sleep(0)  # it has asked
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                with pytest.raises(RuntimeFailure, match="no such running container: gone"):
                    await execute("gone")
            async with asyncio.timeout(10):
                while (await runtime.usage())["a"].processes != 1:
                    await asyncio.sleep(0)
            assert told == []
            os.close(null)

    asyncio.run(go())
