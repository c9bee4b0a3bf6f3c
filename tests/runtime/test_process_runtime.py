"""The process runtime, in both tiers: what every container must find and what must never be left behind."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ADDRESS, need_namespaces, running, sh, start
from drydock.runtime.interface import Exit, Mount, RuntimeFailure, SandboxSpec

Layer = Callable[[dict[str, str]], str]

SERVER = """
import socket
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("0.0.0.0", 80))
listener.listen()
print("listening", flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall({answer!r})
    connection.close()
"""


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
            missing = await (await start(runtime, "a", ("no-such-program",), init=init)).end()
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


# ---------------------------------------------------------------------------------------------- what is inside


def test_the_environment_is_what_was_given(tmp_path: Path, tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the emulator")

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", ("env",), env={"COLOUR": "blue", "HOME": "/srv"})
            await a.end()
            found = dict(line.split("=", 1) for line in a.stdout)
            assert found["COLOUR"] == "blue"
            assert found["HOME"] == "/srv"
            assert found["HOSTNAME"] == "box-host"
            assert "AWS_SECRET_ACCESS_KEY" not in found
            if tier == "namespaces":
                assert found.keys() == {"COLOUR", "HOME", "HOSTNAME", "PATH"}

    asyncio.run(go())


def test_layers_lie_over_each_other_and_the_host(tmp_path: Path, tier: str, layer: Layer) -> None:
    low = layer({"app/main.py": "print('low')", "app/data.txt": "data"})
    high = layer(
        {"app/main.py": "print(open('data.txt').read(), __file__)", "usr/local/bin/tool": "#!/bin/sh\necho tool\n"}
    )

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", ("python", "/app/main.py"), layers=(low, high), cwd="/app")
            assert await a.end() == Exit(0)
            assert a.stdout[0].startswith("data ")
            assert a.stdout[0].endswith("/app/main.py")
            b = await start(
                runtime, "b", sh("tool; python3 --version; echo changed > app/data.txt"), layers=(low, high)
            )
            assert await b.end() == Exit(0)
            assert b.stdout[0] == "tool"
            assert b.stdout[1].startswith("Python 3.")
        assert (Path(low) / "app/data.txt").read_text() == "data"

    asyncio.run(go())


def test_an_image_without_host_files_is_alone(tmp_path: Path, busybox: str) -> None:
    need_namespaces(tmp_path)

    async def go() -> None:
        async with running(tmp_path / "state", "namespaces") as runtime:
            a = await start(
                runtime, "a", sh("ls /; test -e /usr/bin/env || echo alone"), layers=(busybox,), host_files=False
            )
            assert await a.end() == Exit(0), a.lines
            assert a.stdout[-1] == "alone"
            assert {"bin", "dev", "etc", "proc", "tmp"} <= set(a.stdout)

    asyncio.run(go())


def test_files_written_are_gone_with_the_container(tmp_path: Path) -> None:
    need_namespaces(tmp_path)

    async def go() -> None:
        async with running(tmp_path / "state", "namespaces") as runtime:
            write = sh("touch /etc/x /usr/share/x /tmp/x /root/x && ls -a /dev/shm >/dev/null && echo written")
            a = await start(runtime, "a", write)
            await a.end()
            assert a.stdout == ["written"]
            b = await start(runtime, "b", sh("ls /etc/x /usr/share/x /tmp/x /root/x 2>/dev/null; true"))
            await b.end()
            assert b.stdout == []
        assert not os.path.exists("/usr/share/x")

    asyncio.run(go())


def test_a_read_only_root(tmp_path: Path) -> None:
    need_namespaces(tmp_path)
    (tmp_path / "data").mkdir()

    async def go() -> None:
        async with running(tmp_path / "state", "namespaces") as runtime:
            script = "touch /etc/x; touch /usr/share/x; touch /data/x && echo only here"
            mounts = (Mount(str(tmp_path / "data"), "/data"),)
            a = await start(runtime, "a", sh(script), read_only=True, mounts=mounts)
            await a.end()
            assert a.stdout == ["only here"]
            assert [b"Read-only" in line for stream, line in a.lines if stream == "stderr"] == [True, True]

    asyncio.run(go())


def test_mounts(tmp_path: Path, tier: str) -> None:
    folder, file = tmp_path / "volume", tmp_path / "file.txt"
    folder.mkdir()
    file.write_text("a file\n")

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            mounts = (Mount(str(folder), "/data/deep"), Mount(str(file), "/data/file.txt", read_only=True))
            script = "cat data/file.txt; echo kept > data/deep/x; (echo no > data/file.txt) 2>/dev/null; true"
            if tier == "plain":  # where read-only is not enforced, and said so
                script = "cat data/file.txt; echo kept > data/deep/x"
            a = await start(runtime, "a", sh(script), mounts=mounts)
            assert await a.end() == Exit(0)
            assert a.stdout == ["a file"]
        assert (folder / "x").read_text() == "kept\n"
        assert file.read_text() == "a file\n"

    asyncio.run(go())


def test_a_mount_does_not_follow_the_images_links_out(tmp_path: Path, layer: Layer) -> None:
    need_namespaces(tmp_path)
    image = layer({"app/readme": "x"})
    os.symlink("/app", f"{image}/shortcut")
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/here").write_text("")

    async def go() -> None:
        async with running(tmp_path / "state", "namespaces") as runtime:
            mounts = (Mount(str(tmp_path / "volume"), "/shortcut/data"),)
            a = await start(runtime, "a", sh("ls /app/data"), layers=(image,), mounts=mounts)
            await a.end()
            assert a.stdout == ["here"]
        assert not os.path.exists("/app/data")

    asyncio.run(go())


@pytest.mark.skipif(os.getuid() != 0, reason="without root there is one user in a container")
def test_users(tmp_path: Path, layer: Layer) -> None:
    need_namespaces(tmp_path)
    passwd = "root:x:0:0::/root:/bin/sh\napp:x:1234:2345::/home/app:/bin/sh\n"
    group = "root:x:0:\napps:x:2345:\nextra:x:77:app,other\n"
    image = layer({"etc/passwd": passwd, "etc/group": group, "home/app/x": ""})

    async def go() -> None:
        async with running(tmp_path / "state", "namespaces") as runtime:
            script = sh('echo $(id -u) $(id -g) $(id -G) "$HOME"; echo out > /dev/stdout')
            for number, (user, expected) in enumerate(
                [
                    ("app", "1234 2345 77 2345 /home/app"),
                    ("1234", "1234 2345 77 2345 /home/app"),
                    ("app:extra", "1234 77 77 /home/app"),
                    ("4321:5", "4321 5 5 /"),
                    ("", "0 0 0 /root"),
                ]
            ):
                a = await start(runtime, f"a{number}", script, user=user, layers=(image,))
                await a.end()
                words = a.stdout[0].split()
                assert [*words[:2], *sorted(words[2:-1], key=int), words[-1]] == _sorted_groups(expected), user
                assert a.stdout[1] == "out"
            b = await start(runtime, "b", sh("true"), user="nobody-knows", layers=(image,))
            how = await b.end()
            assert how.code == 125
            assert "unable to find user nobody-knows" in (how.error or "")

    asyncio.run(go())


def _sorted_groups(expected: str) -> list[str]:
    words = expected.split()
    return [*words[:2], *sorted(words[2:-1], key=int), words[-1]]


def test_ulimits_and_working_directory(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(
                runtime, "a", sh("ulimit -Sn; ulimit -Hn; pwd"), ulimits={"nofile": (100, 200)}, cwd="/srv/new"
            )
            await a.end()
            assert a.stdout[:2] == ["100", "200"]
            assert a.stdout[2].endswith("/srv/new")

    asyncio.run(go())


def test_an_init_reaps_and_forwards(tmp_path: Path, tier: str) -> None:
    script = "trap 'echo got it; exit 5' TERM; (sleep 0.01 &) ; echo ready; while :; do sleep 0.02; done"

    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            a = await start(runtime, "a", sh(script), init=True)
            await a.line()
            await runtime.stop_container("a", 10)
            assert await a.end() == Exit(5)
            assert a.stdout == ["ready", "got it"]

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


# ---------------------------------------------------------------------------------------------- network


def test_two_tasks_bind_the_same_port(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", tier) as runtime:
            await runtime.create_sandbox(SandboxSpec("other", "other", ("10.0.1.6",)))
            servers = {"box": b"I am box", "other": b"I am other"}
            for sandbox, answer in servers.items():
                a = await start(runtime, sandbox, ("python", "-c", SERVER.format(answer=answer)), sandbox=sandbox)
                assert await a.line() == "listening"
            for sandbox, answer in servers.items():
                connection = await runtime.connect(sandbox, 80)
                assert await asyncio.get_running_loop().sock_recv(connection, 100) == answer
                connection.close()
            ask = "import socket; print(socket.create_connection(('10.0.1.6', 80), 5).recv(100).decode())"
            b = await start(runtime, "asks", ("python", "-c", ask))
            await b.end()
            assert b.stdout == ["I am other"]
            c = await start(runtime, "sidecar", ("python", "-c", ask.replace("10.0.1.6", "localhost")))
            await c.end()
            assert c.stdout == ["I am box"]

    asyncio.run(go())


def test_connecting_to_a_closed_port_is_refused(tmp_path: Path, tier: str) -> None:
    async def go() -> None:
        with socket.socket() as somebody_elses:
            somebody_elses.bind(("127.0.0.1", 0))
            somebody_elses.listen()
            async with running(tmp_path / "state", tier) as runtime:
                for sandbox, port in (("box", 81), ("no-such", 80), ("box", somebody_elses.getsockname()[1])):
                    with pytest.raises(ConnectionRefusedError):
                        await runtime.connect(sandbox, port)

    asyncio.run(go())


def test_the_routers_addresses(tmp_path: Path) -> None:
    need_namespaces(tmp_path)
    ask = "import socket; s = socket.create_connection(('{}', 80), 5); print(s.recv(10).decode())"

    async def go() -> None:
        loop = asyncio.get_running_loop()
        async with running(tmp_path / "state", "namespaces") as runtime:
            bound = await start(runtime, "server", ("python", "-c", SERVER.format(answer=b"")))
            await bound.line()  # an app on 0.0.0.0:80 is not in the way
            for address in ("169.254.170.2", "169.254.170.3", "169.254.169.254"):
                listener = await runtime.listen(address, 80)
                assert listener is not None
                a = await start(runtime, address, ("python", "-c", ask.format(address)))
                connection, peer = await asyncio.wait_for(loop.sock_accept(listener), 10)
                assert peer[0] == ADDRESS
                connection.send(b"hello")
                connection.close()
                await a.end()
                assert a.stdout == ["hello"]
                listener.close()

    asyncio.run(go())


def test_the_plain_tier_has_no_addresses_inside(tmp_path: Path) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", "plain") as runtime:
            assert await runtime.listen("169.254.170.2", 80) is None

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


def test_the_helpers_own_end_is_told(tmp_path: Path, tier: str) -> None:
    from drydock.runtime.process.driver import ProcessRuntime

    async def go() -> None:
        runtime = ProcessRuntime(tmp_path / "state", tier)
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await runtime.start(lost.set_result)
        await runtime.create_sandbox(SandboxSpec("box", "box", (ADDRESS,)))
        a = await start(runtime, "a", ("sleep", "300"))
        assert runtime.info.pid is not None
        os.kill(runtime.info.pid, signal.SIGKILL)
        assert "helper" in await asyncio.wait_for(lost, 5)
        assert (await a.end()).code == 137
        async with asyncio.timeout(1):
            while os.path.exists(f"/proc/{a.pid}"):
                await asyncio.sleep(0.01)
        with pytest.raises(RuntimeFailure):
            await start(runtime, "b", sh("true"))
        await runtime.close()
        assert os.listdir(tmp_path / "state") == []

    asyncio.run(go())
