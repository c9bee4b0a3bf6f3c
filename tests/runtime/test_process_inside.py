"""What a container of the process runtime finds: environment, files, users, the network."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from drydock.runtime.interface import Exit, Mount, SandboxSpec

from tests.runtime.conftest import ADDRESS, need_namespaces, running, sh, start

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
    # without root the host's own folders below /usr are somebody else's; those below /usr/local are made anew
    share = "/usr/share/x" if os.geteuid() == 0 else "/usr/local/share/x"

    async def go() -> None:
        async with running(tmp_path / "state", "namespaces") as runtime:
            write = sh(f"touch /etc/x {share} /tmp/x /root/x && ls -a /dev/shm >/dev/null && echo written")
            a = await start(runtime, "a", write)
            await a.end()
            assert a.stdout == ["written"]
            b = await start(runtime, "b", sh(f"ls /etc/x {share} /tmp/x /root/x 2>/dev/null; true"))
            await b.end()
            assert b.stdout == []
        assert not os.path.exists(share)

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


def test_users(tmp_path: Path, layer: Layer) -> None:
    """Without root there is one, whoever is asked for; but one that is not there is refused in any case."""
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
                if os.getuid() == 0:
                    assert [*words[:2], *sorted(words[2:-1], key=int), words[-1]] == _sorted_groups(expected), user
                else:
                    assert [*words[:3], words[-1]] == ["0", "0", "0", "/root"], user
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


class Served:
    """What a runtime gave us to listen on, by network."""

    def __init__(self) -> None:
        self.listeners: dict[str, socket.socket] = {}

    async def __call__(self, network: str, listener: socket.socket) -> Callable[[], None]:
        self.listeners[network] = listener

        def end() -> None:
            listener.close()
            del self.listeners[network]

        return end


ASK = "import socket; s = socket.create_connection(('{}', 80), 5); print(s.recv(10).decode())"


def test_the_routers_addresses(tmp_path: Path) -> None:
    need_namespaces(tmp_path)

    async def go() -> None:
        loop = asyncio.get_running_loop()
        async with running(tmp_path / "state", "namespaces") as runtime:
            bound = await start(runtime, "server", ("python", "-c", SERVER.format(answer=b"")))
            await bound.line()  # an app on 0.0.0.0:80 is not in the way
            for address in ("169.254.170.2", "169.254.170.3", "169.254.169.254"):
                served = Served()
                assert await runtime.listen(address, 80, served)
                a = await start(runtime, address, ("python", "-c", ASK.format(address)))
                connection, peer = await asyncio.wait_for(loop.sock_accept(served.listeners[""]), 10)
                assert peer[0] == ADDRESS
                connection.send(b"hello")
                connection.close()
                await a.end()
                assert a.stdout == ["hello"]

    asyncio.run(go())


def test_networks_may_have_the_same_addresses_and_do_not_meet(tmp_path: Path) -> None:
    need_namespaces(tmp_path)

    async def go() -> None:
        loop = asyncio.get_running_loop()
        async with running(tmp_path / "state", "namespaces") as runtime:
            served = Served()
            assert await runtime.listen("169.254.170.2", 80, served)
            for network in ("red", "blue"):
                await runtime.create_sandbox(SandboxSpec(f"{network}-1", "one", ("172.31.0.4",), network))
            await runtime.create_sandbox(SandboxSpec("red-2", "two", ("172.31.0.5",), "red"))
            assert sorted(served.listeners) == ["", "blue", "red"]
            for network in ("red", "blue"):
                asks = await start(
                    runtime, f"asks-{network}", ("python", "-c", ASK.format("169.254.170.2")), sandbox=f"{network}-1"
                )
                connection, peer = await asyncio.wait_for(loop.sock_accept(served.listeners[network]), 10)
                assert peer[0] == "172.31.0.4"
                connection.send(network.encode())
                connection.close()
                await asks.end()
                assert asks.stdout == [network]
            server = await start(runtime, "server", ("python", "-c", SERVER.format(answer=b"red-2")), sandbox="red-2")
            assert await server.line() == "listening"
            near = await start(runtime, "near", ("python", "-c", ASK.format("172.31.0.5")), sandbox="red-1")
            far = await start(runtime, "far", ("python", "-c", ASK.format("172.31.0.5")), sandbox="blue-1")
            assert (await near.end()).code == 0
            assert near.stdout == ["red-2"]
            assert (await far.end()).code != 0
            for sandbox in ("red-1", "red-2", "blue-1"):
                await runtime.remove_sandbox(sandbox)
            assert sorted(served.listeners) == [""]

    asyncio.run(go())


def test_the_plain_tier_has_no_addresses_inside(tmp_path: Path) -> None:
    async def go() -> None:
        async with running(tmp_path / "state", "plain") as runtime:
            assert not await runtime.listen("169.254.170.2", 80, Served())

    asyncio.run(go())
