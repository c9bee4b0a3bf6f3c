"""One invocation of a function: an environment of its own, the handler's deed, its log, its report.

An environment is a container with the code at /var/task, layers at /opt and the SDK beside them. Each invocation has a new
one (AWS keeps one for the next), so nothing outlives the answer. Lambda gives loading the code ten seconds of its own, and
counts the time-out from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import math
import os
import shutil
import stat
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from drydock.clock import Clock
from drydock.errors import AwsError
from drydock.images.standins import StandIns
from drydock.request import Principal
from drydock.runtime.interface import ContainerSpec, Exit, Mount, Runtime, RuntimeFailure, SandboxSpec
from drydock.services.functions import rules
from drydock.services.functions.archives import BadArchive, unpack
from drydock.services.functions.model import Function, Order, Outcome
from drydock.services.iam.api import Iam
from drydock.services.log_stream import LogStream
from drydock.services.service import Platform
from drydock.store import Scope

log = logging.getLogger(__name__)
SERVICE = "lambda.amazonaws.com"
IMAGE = "python:3-slim"
LONGEST_INIT = 10.0
"""Seconds, a budget for real work"""
AT_ONCE = 10
"""Environments on this machine; further invocations wait for one to end"""
LOOK_AGAIN = 0.02
"""Real seconds between two looks whether the code has been loaded"""
LARGEST_ANSWER = 64 << 20
"""Bytes of the file with it: the answer's 6 MiB in JSON's escapes, and a log"""
TAIL = 4096
"""Bytes of the log that a caller may ask for"""
_INSIDE = Path(__file__).parent / "inside"
_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
_ADDRESS = "169.254.100.6"


@cache
def sdk() -> tuple[Mount, ...]:
    """The packages of the SDK for Python, from where the emulator has them."""
    mounts = []
    for name in _SDK:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            path = Path(found.origin)
            path = path.parent if found.submodule_search_locations else path
            mounts.append(Mount(str(path), f"/var/lang/lib/{path.name}", read_only=True))
    return tuple(mounts)


class Log:
    """What an invocation says: into its stream, if its role may write there, and the end of it for the caller."""

    def __init__(self, stream: LogStream | None) -> None:
        self._stream = stream
        self.lines: list[str] = []
        self._size = 0

    def add(self, text: str) -> Awaitable[object] | None:
        """An event."""
        self.lines.append(text)
        self._size += len(text) + 1
        while self._size - len(self.lines[0]) - 1 > TAIL:
            self._size -= len(self.lines.pop(0)) + 1
        return self._stream.write("stdout", text.encode()) if self._stream else None

    def take(self, source: str, line: bytes) -> Awaitable[object] | None:
        """A line of output."""
        return self.add(line.decode("utf-8", "replace"))

    async def close(self) -> None:
        """The last lines go out."""
        if self._stream is not None:
            await self._stream.flush()


@dataclass
class Run:
    """An invocation that is under way."""

    scope: Scope
    function: Function
    name: str
    """Of its sandbox and container"""
    folder: Path
    ended: asyncio.Future[Exit] | None = None
    """From the start of its container on"""
    abandoned: bool = False
    """Nobody wants its answer: the account was reset, or the emulator ends"""
    work: asyncio.Task[tuple[Outcome, float]] | None = None

    def end(self) -> None:
        """What runs, if anything does, counts as killed."""
        if self.ended is not None and not self.ended.done():
            self.ended.set_result(Exit(137))


class Runner:
    """``runtime`` and ``endpoint`` (AWS's API as containers reach it) are asked each time: both may change."""

    def __init__(
        self,
        platform: Platform,
        iam: Iam,
        images: StandIns,
        runtime: Callable[[], Runtime],
        endpoint: Callable[[], str],
    ) -> None:
        self._platform = platform
        self._iam = iam
        self._images = images
        self._runtime = runtime
        self._endpoint = endpoint
        self._folder = platform.state / "functions"
        self._room = asyncio.Semaphore(AT_ONCE)
        self._keys: set[str] = set()
        """Access keys of the functions that run"""
        self.running: dict[str, Run] = {}

    def clean(self) -> None:
        """What an earlier life of the emulator left. Blocks."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def lost(self) -> None:
        """The runtime is gone, and what ran in it."""
        for run in self.running.values():
            run.end()

    async def abandon(self, account: str | None) -> None:
        """End those of an account, or all; returns when nothing is left of them."""
        runs = [run for run in self.running.values() if account in (None, run.scope.account)]
        for run in runs:
            run.abandoned = True
            run.end()
        await asyncio.gather(*(run.work for run in runs if run.work is not None), return_exceptions=True)

    async def run(self, scope: Scope, function: Function, order: Order, access_key: str) -> tuple[Outcome, float]:
        """How it ended, and how many seconds the handler took. ``access_key`` is the caller's: a function that invokes
        another takes no second place. Goes on to its end when whoever awaits it is cancelled. Raises AwsError if there
        is no environment to be had."""
        if self._iam.check_assumable(function.role, SERVICE):
            message = "The role defined for the function cannot be assumed by Lambda."
            raise AwsError("InvalidParameterValueException", message, status=400)
        name = f"function-{uuid.uuid4().hex}"
        run = self.running[name] = Run(scope, function, name, self._folder / name)
        place = contextlib.nullcontext() if access_key in self._keys else self._room
        run.work = asyncio.create_task(self._work(run, order, place), name=f"function {function.name}")
        run.work.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, if nobody waits any more
        return await asyncio.shield(run.work)

    async def _work(
        self, run: Run, order: Order, place: contextlib.AbstractAsyncContextManager[None]
    ) -> tuple[Outcome, float]:
        try:
            async with place:
                if run.abandoned:
                    raise RuntimeFailure("it is not wanted any more")
                return await self._run(run, order)
        except (RuntimeFailure, OSError) as error:
            log.warning("function %s could not be run: %s", run.function.name, error)
            raise AwsError("ServiceException", f"No environment could be made: {error}", status=500) from error
        finally:
            del self.running[run.name]
            await asyncio.to_thread(shutil.rmtree, run.folder, ignore_errors=True)

    async def _run(self, run: Run, order: Order) -> tuple[Outcome, float]:
        function, clock = run.function, self._platform.clock(run.scope.account)
        lasts = max(900.0, 2.0 * function.timeout)
        credential = self._iam.issue_session(run.scope.account, function.role, function.name, lasts)
        self._keys.add(credential.access_key_id)
        try:
            unique = self._platform.ids.hexadecimal(run.scope, "environment", function.arn)
            stream = rules.log_stream(function, clock.now(), unique)
            told = Log(await self._open(run.scope, function, credential.principal, stream))
            keys = {
                "AWS_ACCESS_KEY_ID": credential.access_key_id,
                "AWS_SECRET_ACCESS_KEY": credential.secret,
                "AWS_SESSION_TOKEN": credential.session_token or "",
                "AWS_ENDPOINT_URL": self._endpoint(),
            }
            environment = {**rules.environment(function, run.scope, stream), **keys}
            told.add(rules.started(function, order.request_id))
            outcome, took = await self._carry_out(run, order, told, environment, stream, clock)
            await told.close()
            return outcome, took
        finally:
            self._keys.discard(credential.access_key_id)
            self._iam.revoke_session(credential.access_key_id)

    async def _open(self, scope: Scope, function: Function, principal: Principal, stream: str) -> LogStream | None:
        async def send(operation: str, params: dict[str, Any]) -> dict[str, Any]:
            return await self._platform.call(principal, scope.region, "logs", operation, params)

        made = LogStream(send, self._platform.clock(scope.account), rules.log_group(function), stream)
        try:
            await made.open(create_group=True)
        except AwsError as error:  # as on AWS, the function runs without a log then
            log.info("function %s has no log: %s", function.name, error)
            return None
        return made

    async def _carry_out(
        self, run: Run, order: Order, told: Log, environment: dict[str, str], stream: str, clock: Clock
    ) -> tuple[Outcome, float]:
        function = run.function
        seconds = clock.real_budget(function.timeout)
        try:
            await asyncio.to_thread(self._lay_out, run, order, stream, seconds)
        except BadArchive as error:
            return self._closed(run, order, told, rules.not_started(order.request_id, str(error)), 0.0)
        try:
            await self._start(run, told, environment)
            began, in_time = await self._wait(run, clock)
            took = time.monotonic() - began
            used = 0 if in_time else await self._memory(run)
        finally:
            with contextlib.suppress(RuntimeFailure):
                await self._runtime().remove_sandbox(run.name)
        if not in_time:
            told.add(rules.timed_out_line(order.request_id, function, clock.now()))
            document = rules.timed_out(order.request_id, function)
            return self._closed(run, order, told, document, float(function.timeout), "timeout", used)
        answer = await asyncio.to_thread(_read, run.folder / "exchange" / "answer.json")
        lab_seconds_in_one = function.timeout / seconds
        if answer is None:
            exit = run.ended.result() if run.ended is not None and run.ended.done() else Exit(137)
            kind = "Runtime.OutOfMemory" if exit.out_of_memory else "Runtime.ExitError"
            document = rules.exited(order.request_id, exit.code)
            status = f"error\tError Type: {kind}"
            used = function.memory << 20 if exit.out_of_memory else 0
            return self._closed(run, order, told, document, took * lab_seconds_in_one, status, used)
        if answer["log"]:
            told.add(answer["log"])
        failed, payload = bool(answer["failed"]), answer["payload"]
        if len(payload.encode()) > rules.LARGEST_RESPONSE:
            failed, payload = True, rules.too_large()
        took = answer["took"] * lab_seconds_in_one
        self._report(run, order, told, took, answer["init"], int(answer["memory"]), "")
        return Outcome(payload, "Unhandled" if failed else "", told.lines), took

    async def _memory(self, run: Run) -> int:
        """Bytes that it uses now, 0 if that cannot be told."""
        with contextlib.suppress(RuntimeFailure):
            found = (await self._runtime().usage()).get(run.name)
            return found.memory if found else 0
        return 0

    def _closed(
        self, run: Run, order: Order, told: Log, document: str, took: float, status: str = "error", memory: int = 0
    ) -> tuple[Outcome, float]:
        """An invocation that ended without the handler's answer."""
        self._report(run, order, told, took, 0.0, memory, status)
        return Outcome(document, "Unhandled", told.lines), took

    @staticmethod
    def _report(run: Run, order: Order, told: Log, took: float, init: float, memory: int, status: str) -> None:
        told.add(rules.ended(order.request_id))
        told.add(rules.report(run.function, order.request_id, took, init, memory, status))

    def _lay_out(self, run: Run, order: Order, stream: str, seconds: float) -> None:
        """Blocks. Raises BadArchive, OSError."""
        function = run.function
        code, *layers = function.archives
        unpack(code, run.folder / "task")
        (run.folder / "layers").mkdir()
        for layer in layers:
            unpack(layer, run.folder / "layers")
        exchange = run.folder / "exchange"
        exchange.mkdir()
        document = {
            "request_id": order.request_id, "invoked_arn": order.invoked_arn, "event": order.event,
            "client_context": order.client_context, "name": function.name, "version": function.version,
            "handler": function.handler, "memory": function.memory, "timeout": function.timeout, "seconds": seconds,
            "log_group": rules.log_group(function), "log_stream": stream,
        }  # fmt: skip
        (exchange / "order.json").write_text(json.dumps(document))

    async def _start(self, run: Run, told: Log, environment: dict[str, str]) -> None:
        """Raises RuntimeFailure."""
        image = await asyncio.to_thread(self._images.resolve, IMAGE)
        runtime, folder = self._runtime(), run.folder
        folders = ("/var/task", "/opt", "/var/lang/lib", "/var/exchange")
        await runtime.create_sandbox(SandboxSpec(run.name, "169-254-100-6", (_ADDRESS,), run.name))
        spec = ContainerSpec(
            name=run.name,
            sandbox=run.name,
            layers=image.layers,
            argv=("python3", "-B", "/var/runtime/bootstrap.py", *folders),
            env={**image.env, **environment},
            user=image.user,
            host_files=image.host_files,
            mounts=(
                Mount(str(_INSIDE), "/var/runtime", read_only=True),
                Mount(str(folder / "task"), "/var/task", read_only=True),
                Mount(str(folder / "layers"), "/opt", read_only=True),
                Mount(str(folder / "exchange"), "/var/exchange"),
                *sdk(),
            ),
            memory=run.function.memory << 20,
        )

        ended = run.ended = asyncio.get_running_loop().create_future()

        def on_exit(exit: Exit) -> None:
            if not ended.done():
                ended.set_result(exit)

        await runtime.start_container(spec, told.take, on_exit)

    async def _wait(self, run: Run, clock: Clock) -> tuple[float, bool]:
        """Since when (monotonic) the handler works, and whether it ended in time."""
        assert run.ended is not None
        exchange = run.folder / "exchange"
        patience = asyncio.create_task(clock.budget(LONGEST_INIT))
        try:
            while not run.ended.done() and not patience.done() and not (exchange / "loaded").exists():
                await asyncio.wait({run.ended}, timeout=LOOK_AGAIN)
        finally:
            patience.cancel()
        began = time.monotonic()
        patience = asyncio.create_task(clock.budget(run.function.timeout))
        either: set[asyncio.Future[Any]] = {run.ended, patience}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
        return began, run.ended.done() or (exchange / "answer.json").exists()  # the end is told after the last line


def _read(path: Path) -> dict[str, Any] | None:
    """What the bootstrap left; None if it left nothing, or the function something else in its place. Blocks."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(opened, "rb") as file:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                return None
            answer = json.loads(file.read(LARGEST_ANSWER))
        for name in ("took", "init", "memory"):
            if not math.isfinite(answer[name]) or answer[name] < 0:
                return None
        for name in ("log", "payload"):
            answer[name] = str(answer[name]).encode("utf-8", "replace").decode()
        return {**answer, "failed": bool(answer["failed"])}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
