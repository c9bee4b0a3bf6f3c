"""Programs that the tests start as another process (to be killed) or another user: ``python scenario.py <what> <state> <tier>``.

They need nothing but the standard library and drydock.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from drydock.errors import UserError
from drydock.runtime.interface import ContainerSpec, Exit, SandboxSpec
from drydock.runtime.process.driver import ProcessRuntime

DAEMON = "import os,time\nif os.fork()==0:\n os.setsid()\n if os.fork()==0:\n  time.sleep(300)\nelse:\n time.sleep(300)"

WRITES = "id -u; touch /etc/new /usr/local/bin/x /root/y; chown 5:5 /root/y && echo owned"

SERVE = "import http.server as h; s = h.HTTPServer(('', 80), h.SimpleHTTPRequestHandler); print(1); s.serve_forever()"


async def run(
    runtime: ProcessRuntime, name: str, *argv: str, **more: object
) -> tuple[int, list[str], asyncio.Future[Exit]]:
    ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
    lines: list[str] = []
    spec = ContainerSpec(name, "box", (), argv, host_files=True, **more)  # type: ignore[arg-type]
    pid = await runtime.start_container(spec, lambda _, line: lines.append(line.decode()), ended.set_result)
    return pid, lines, ended


async def keep_running(runtime: ProcessRuntime) -> None:
    """Two containers (one a double-forked daemon too), then say who runs and wait to be killed."""
    first, _, _ = await run(runtime, "one", "sleep", "300", memory=64 << 20, cpu=0.5)
    second, _, _ = await run(runtime, "two", "python", "-c", DAEMON, init=True)
    while (await runtime.usage())["two"].processes < 2:
        await asyncio.sleep(0)
    print(json.dumps({"helper": runtime.info.pid, "containers": [first, second]}), flush=True)
    await asyncio.Event().wait()


async def round_trip(runtime: ProcessRuntime) -> None:
    """What a normal user must be able to do; prints what it saw."""
    seen: dict[str, object] = {"tier": runtime.info.tier, "reason": runtime.info.reason, "memory": runtime.info.memory}
    _, lines, ended = await run(
        runtime,
        "id",
        "sh",
        "-c",
        "id -u; touch /etc/new /usr/local/bin/x /root/y; chown 5:5 /root/y && echo owned",
        user="33",
    )
    how = await ended
    seen["id"] = [how.code, *lines]
    _, lines, ended = await run(runtime, "web", "python", "-u", "-c", SERVE)
    while not lines:
        await asyncio.sleep(0)
    connection = await runtime.connect("box", 80)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, b"GET / HTTP/1.0\r\n\r\n")
    seen["answer"] = (await loop.sock_recv(connection, 15)).decode()
    connection.close()
    _, _, hog = await run(
        runtime, "hog", "python", "-c", "x = bytearray(400 << 20)\nimport time; time.sleep(60)", memory=50 << 20
    )
    how = await hog
    seen["hog"] = [how.code, how.out_of_memory]
    gone: asyncio.Future[Exit] = loop.create_future()
    master = await runtime.exec("shell", "web", ("sh", "-c", "tty; exit 3"), gone.set_result)
    assert master is not None
    seen["exec"] = (await gone).code
    seen["tty"] = os.read(master, 100).decode().strip()
    os.close(master)
    print(json.dumps(seen), flush=True)


async def main(what: str, state: str, tier: str) -> None:
    runtime = ProcessRuntime(Path(state), tier)
    try:
        await runtime.start(lambda reason: print(reason, flush=True))
    except UserError as error:
        print(json.dumps({"refused": str(error)}), flush=True)
        return
    try:
        await runtime.create_sandbox(SandboxSpec("box", "box-host", ("10.0.1.5",)))
        await (keep_running if what == "keep" else round_trip)(runtime)
    finally:
        await runtime.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
