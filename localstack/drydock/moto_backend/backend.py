"""The emulator's side of moto: starts the child when it is first needed, and sends it one request at a time.

A request that has begun is always read to its end, also when the client has gone away, so that questions and answers
never get out of step. If the child dies, the request under way gets ServiceUnavailable and the next one starts another
child, which finds everything that was acknowledged in its snapshot and journal.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock, UserError
from drydock.moto_backend.rules import refusal, snapshot_due
from drydock.moto_backend.wire import Head, MotoRequest, MotoResponse, pack, read_frame

log = logging.getLogger("drydock.moto")

IDLE_SECONDS = 1.0
CLOSING_SECONDS = 10.0
LIMIT = 1 << 20

# The client's credentials are nobody else's business, least of all the journal's; moto would look for a region in the
# user agent. The request says who asks and where.
NOT_FOR_MOTO = {"authorization", "user-agent", "x-amz-security-token", "x-moto-account-id"}

# What moto reads from its environment. AWS's own variables are set so that botocore looks nowhere else.
SETTINGS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "LANG": "C.UTF-8",
    "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(1 << 20),
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "ignore",
    "TZ": "UTC",
}


class MotoBackend:
    """moto in a child process, with its state in the folder ``state``. Belongs to one event loop.

    ``sleep(account, seconds)`` waits for so many seconds of the account's lab time (for long polling of SQS).
    """

    def __init__(
        self,
        state: Path,
        seed: str,
        python: str = sys.executable,
        sleep: Callable[[str, float], Awaitable[None]] | None = None,
    ) -> None:
        self._folder = state
        self._seed = seed
        self._python = python
        self._sleep = sleep or _sleep_really
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._stderr: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle: asyncio.TimerHandle | None = None
        self._tail = 0
        self._cost = 0.0
        self._known: set[str] = set()
        self._waiting = 0

    @property
    def running(self) -> bool:
        """Whether the child is there."""
        alive = self._process is not None and self._process.returncode is None
        return alive and self._reader is not None and not self._reader.at_eof()

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._process.pid if self._process and self.running else None

    def memory(self) -> int:
        """Resident bytes of the child, 0 if it does not run or the system does not say."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def send(self, request: MotoRequest) -> MotoResponse:
        """Have a request answered. AWS's errors are responses; raises AwsError 500/503 and NotImplementedByDrydock."""
        instead = refusal(request.service, request.operation)
        if instead is not None:
            raise NotImplementedByDrydock(request.service, request.operation, instead)
        if (request.service, request.operation) == ("sqs", "ReceiveMessage"):
            from drydock.moto_backend.long_poll import receive

            return await receive(self._send, request, self._sleep)
        return await self._send(request)

    async def call(
        self, service: str, operation: str, params: dict[str, Any], account: str, region: str, now: float
    ) -> dict[str, Any]:
        """Call an operation as an SDK would and return its parsed output. AWS's errors are raised as AwsError."""
        if service not in self._known:  # reading its model takes a while: not in the loop, and while the child starts
            await asyncio.gather(asyncio.to_thread(_learn, service), self._finish(self._ready()))
            self._known.add(service)
        from drydock.moto_backend import sdk

        request = sdk.request(service, operation, params, account, region, now)
        return sdk.result(service, operation, await self.send(request))

    async def ask(
        self, service: str, operation: str, asked: dict[str, Any], account: str, region: str, now: float
    ) -> dict[str, Any]:
        """One of the operations that no client can send (:mod:`machines`, :mod:`groups`). Raises AwsError 500/503."""
        body = json.dumps(asked, sort_keys=True).encode()
        request = MotoRequest("POST", "http://drydock/", [], body, account, region, service, operation, now)
        found: dict[str, Any] = json.loads((await self._send(request)).body)
        return found

    async def reset(self, account: str | None) -> None:
        """Forget everything of one account, or of all. Starts the child if there is state on disk."""
        if self.running or (account and (self._folder / "journal.db").exists()):
            await self._finish(self._exchange({"do": "reset", "account": account}))
        elif account is None and self._folder.exists():  # also the way out for state that no child can read
            await asyncio.to_thread(shutil.rmtree, self._folder)

    async def close(self) -> None:
        """Write a snapshot if one is due, and end the child."""
        if self._idle:
            self._idle.cancel()
        async with self._turn:
            if self._snapshot_due(idle=True):
                await self._snapshot()
            await self._end()

    async def _send(self, request: MotoRequest) -> MotoResponse:
        head: Head = {"do": "request", **vars(request)}
        del head["body"]
        head["headers"] = [pair for pair in request.headers if pair[0].lower() not in NOT_FOR_MOTO]
        answer, body = await self._finish(self._exchange(head, request.body))
        failed = answer.get("failed")
        if failed == "NotImplemented":
            raise NotImplementedByDrydock(request.service, request.operation)
        if failed:
            log.error("moto failed at %s:%s\n%s", request.service, request.operation, answer["detail"])
            raise AwsError("InternalFailure", "The request processing has failed because of an unknown error.", 500)
        return MotoResponse(answer["status"], [(name, value) for name, value in answer["headers"]], body)

    async def _finish(self, work: Any) -> Any:
        """Await something that goes on when the one who awaits it is cancelled."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever awaits it has seen it; if nobody does any more, it is not "never retrieved"

    async def _ready(self) -> None:
        async with self._turn:
            if not self.running:
                await self._start()

    async def _exchange(self, head: Head, body: bytes = b"") -> tuple[Head, bytes]:
        self._waiting += 1
        try:
            async with self._turn:
                if not self.running:
                    await self._start()
                answer = await self._ask(head, body)
                self._tail = answer[0].get("tail", self._tail)
        finally:
            self._waiting -= 1
        self._plan_snapshot()
        return answer

    async def _ask(self, head: Head, body: bytes = b"") -> tuple[Head, bytes]:
        assert self._reader and self._writer
        try:
            self._writer.write(pack(head, body))
            await self._writer.drain()
            return await read_frame(self._reader)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            log.error("moto's process died; the next request starts it again")
            await self._end()
            raise AwsError("ServiceUnavailable", "The service is temporarily unavailable. Retry.", 503) from error

    async def _start(self) -> None:
        """Start the child. Raises UserError if the state cannot be used by this version."""
        await self._end()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                self._python, "-m", "drydock.moto_backend.child", str(os.getpid()),
                stdin=theirs.fileno(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                env=environment(),
            )  # fmt: skip
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=LIMIT)
        self._stderr = asyncio.create_task(self._relay(self._process))
        ready, _ = await self._ask({"folder": str(self._folder), "seed": self._seed})
        if "ready" not in ready:
            await self._end()
            if "refused" in ready:
                raise UserError(ready["refused"], "Use that version, or start afresh with './lab reset'.")
            log.error("moto could not be started\n%s", ready["broken"])
            raise AwsError("ServiceUnavailable", "The service could not be started; see the emulator's log.", 503)
        self._tail = ready["tail"]
        for line in ready["log"]:
            log.warning("moto: %s", line)

    async def _relay(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr
        async for line in process.stderr:
            log.info("moto: %s", line.decode(errors="replace").rstrip())

    async def _end(self) -> None:
        """Close the socket, which ends the child once it has answered what it is at; kill it if it does not."""
        process, self._process = self._process, None
        if self._writer:
            self._writer.close()
            self._reader = self._writer = None
        if process is None:
            return
        try:
            await asyncio.wait_for(process.wait(), CLOSING_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._stderr:
            await self._stderr
            self._stderr = None

    async def _snapshot(self) -> None:
        began = time.monotonic()
        answer, _ = await self._ask({"do": "snapshot"})
        self._tail, self._cost = answer["tail"], time.monotonic() - began
        if "log" in answer:
            log.warning("moto: %s", answer["log"])

    def _snapshot_due(self, idle: bool) -> bool:
        return self.running and snapshot_due(self._tail, idle, self._cost)

    def _plan_snapshot(self) -> None:
        """After an answer: as soon as it is our turn, or when nobody has asked for a while."""
        if self._idle:
            self._idle.cancel()
            self._idle = None
        if self._snapshot_due(idle=False):
            self._snapshot_in_turn(idle=False)
        elif self._snapshot_due(idle=True):
            self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._idle_now)

    def _idle_now(self) -> None:
        if self._waiting == 0:
            self._snapshot_in_turn(idle=True)

    def _snapshot_in_turn(self, idle: bool) -> None:
        async def write() -> None:
            async with self._turn:
                if self._snapshot_due(idle):
                    await self._snapshot()

        task = asyncio.ensure_future(write())
        self._tasks.add(task)
        task.add_done_callback(self._done)


def environment() -> dict[str, str]:
    """The child's whole environment."""
    here = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "VIRTUAL_ENV") if name in os.environ}
    return {**kept, **SETTINGS, "PYTHONPATH": path}


def _learn(service: str) -> None:
    import drydock.moto_backend.sdk  # noqa: F401 (botocore's parsers take a tenth of a second to import)
    from drydock.botocore_models import service_model

    service_model(service)


async def _sleep_really(account: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
