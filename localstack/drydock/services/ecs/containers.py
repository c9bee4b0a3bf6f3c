"""One container of a task: what it is started with, its output, its health checks, its restarts and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from drydock.clock import Clock
from drydock.images.standins import Image
from drydock.runtime.interface import ContainerSpec, Exit, Mount, Runtime, RuntimeFailure
from drydock.services.ecs import rules, startup
from drydock.services.ecs.health import Check, Health, after
from drydock.services.ecs.model import Container, Task
from drydock.services.ecs.startup import Seen
from drydock.services.log_stream import LogStream
from drydock.services.stopping import hasten

log = logging.getLogger(__name__)
NOT_STARTED = (125, 126, 127)
"""Docker's exit codes for a command that could not be started"""
NO_PROCESS = (
    "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create "
    "shim task: OCI runtime create failed: runc create failed: unable to start container process: {}: unknown"
)


class ContainerRun:
    """Drives one container. ``changed`` is called when something about it is different."""

    def __init__(
        self, task: Task, container: Container, document: dict[str, Any], clock: Clock, changed: Callable[[], None]
    ) -> None:
        self.container = container
        self.document = document
        self.stream: LogStream | None = None
        self.image: Image | None = None
        self.injected: dict[str, str] = {}
        """From secrets and environment files"""
        self._task = task
        self._clock = clock
        self._changed = changed
        self._runtime: Runtime | None = None
        self._spec: ContainerSpec | None = None
        self._ended = asyncio.Event()
        self._health: asyncio.Task[None] | None = None
        self._hastening: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self.stopping = False

    @property
    def essential(self) -> bool:
        """Whether the task ends with it."""
        return self.container.essential

    def seen(self) -> Seen:
        """What the planner needs to know of it."""
        document, container = self.document, self.container
        return Seen(
            name=container.name,
            status=container.status,  # type: ignore[arg-type]
            exit_code=container.exit_code,
            health=container.health,
            depends_on=tuple((d["containerName"], d["condition"]) for d in document.get("dependsOn", [])),
            start_timeout=document.get("startTimeout"),
            started_at=container.started_at,
            image=container.image,
        )

    def spec(
        self, sandbox: str, override: dict[str, Any], environment: dict[str, str], mounts: tuple[Mount, ...]
    ) -> ContainerSpec:
        """What the runtime is asked for. ``environment`` is ECS's own part."""
        assert self.image is not None
        document, image = self.document, self.image
        env = {**image.env, **environment, **self.injected}
        env |= rules.environment(document, override)
        linux = document.get("linuxParameters", {})
        return ContainerSpec(
            name=self.container.runtime_id,
            sandbox=sandbox,
            layers=image.layers,
            argv=rules.command(document, override, image.entrypoint, image.command),
            env=env,
            cwd=document.get("workingDirectory") or image.cwd,
            user=document.get("user") or image.user,
            host_files=image.host_files,
            mounts=mounts,
            memory=int(override.get("memory") or document.get("memory") or 0) << 20,
            init=bool(linux.get("initProcessEnabled")),
            read_only=bool(document.get("readonlyRootFilesystem")),
            ulimits={u["name"]: (u["softLimit"], u["hardLimit"]) for u in document.get("ulimits", [])},
        )

    async def start(self, runtime: Runtime, spec: ContainerSpec) -> None:
        """Raises RuntimeFailure. Where the command cannot be run, the container goes from PENDING to STOPPED, with 127, a
        reason and no ``started_at``; ``changed`` is not called then."""
        self._runtime, self._spec = runtime, spec
        container = self.container
        self._ended.clear()
        container.started_at = self._clock.now()  # its end may be told before the answer to its start
        try:
            pid = await runtime.start_container(spec, self._on_output, self._on_exit)
        except (RuntimeFailure, OSError):
            container.started_at = None
            raise
        if pid is None:
            await self._ended.wait()
            container.started_at = None
            return
        if container.status == "PENDING":  # else it has ended already
            container.status, container.pid = "RUNNING", pid
        if "healthCheck" in self.document and container.status == "RUNNING":
            self._health = asyncio.get_running_loop().create_task(self._check_health(), name="health checks")
        self._changed()

    def give_up(self, reason: str) -> None:
        """It will never be started: what it depends on can never hold."""
        self.container.status, self.container.exit_code = "STOPPED", startup.GIVEN_UP
        self.container.reason = reason

    async def stop(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL after so long (a budget for real work). Raises RuntimeFailure."""
        self.stopping = True
        if self._runtime is not None:
            name = self.container.runtime_id
            await self._runtime.stop_container(name, self._clock.real_budget(seconds))
            self._hastening = asyncio.create_task(hasten(self._runtime, self._clock, name, seconds))

    async def close(self) -> None:
        """After the end of its task: the last lines go out, nothing is checked any more."""
        self.stopping = True
        if self._hastening is not None:
            self._hastening.cancel()
        if self._health is not None:
            self._health.cancel()
        if self._endings:
            await asyncio.wait(set(self._endings))
        if self.stream is not None:
            await self.stream.flush()

    def lost(self) -> None:
        """Its process has ended with the runtime, and nobody will tell us."""
        self.stopping = True
        if self.container.status == "RUNNING":
            self.container.status, self.container.pid, self.container.exit_code = "STOPPED", None, 137

    # -- output and end
    def _on_output(self, source: str, line: bytes) -> Awaitable[object] | None:
        return self.stream.write(source, line) if self.stream else None

    def _on_exit(self, exit: Exit) -> None:
        ending = asyncio.get_running_loop().create_task(self._end(exit), name=f"end of {self.container.runtime_id}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _end(self, exit: Exit) -> None:
        """The last lines first, so that who sees the exit code sees the log too."""
        if self._health is not None:
            self._health.cancel()
        if self.stream is not None:
            await self.stream.flush()
        container = self.container
        ran_for = self._clock.now() - (container.started_at or self._clock.now())
        container.pid = None
        has_run = exit.error is None or exit.code not in NOT_STARTED
        policy = self.document.get("restartPolicy")
        if has_run and not self.stopping and startup.should_restart(policy, exit.code, ran_for):
            await self._restart()
            return
        container.status = "STOPPED"
        container.exit_code = exit.code
        if exit.out_of_memory:
            container.reason = "OutOfMemoryError: Container killed due to memory usage"
        elif not has_run:
            container.reason = NO_PROCESS.format(exit.error)
        self._ended.set()
        if has_run:
            self._changed()  # else whoever starts it sees to that

    async def _restart(self) -> None:
        assert self._runtime is not None and self._spec is not None
        self.container.restarts += 1
        self.container.health = "UNKNOWN"
        self.container.status = "PENDING"
        try:
            await self.start(self._runtime, self._spec)
        except RuntimeFailure as error:
            self.container.status, self.container.exit_code = "STOPPED", 125
            self.container.reason = f"CannotStartContainerError: {error}"
        if self.container.status == "STOPPED":
            self._changed()

    # -- health
    async def _check_health(self) -> None:
        """Every interval of lab time; the time-out is a budget for real work. A check is a program, which takes its real
        time however fast the clock runs: there is a pause of twice that (the interval at most) before the next one, or
        checks alone would keep this machine busy while somebody waits."""
        check, health = Check.of(self.document["healthCheck"]), Health()
        begun = self._clock.now()
        number, took = 0, 0.0
        while True:
            await asyncio.gather(self._clock.sleep(check.interval), asyncio.sleep(min(2 * took, check.interval)))
            number += 1
            started = time.monotonic()
            passed = await self._passes(check, f"{self.container.runtime_id}-check-{self.container.restarts}-{number}")
            took = time.monotonic() - started
            health = after(health, check, passed, self._clock.now() - begun)
            if health.status != self.container.health:
                self.container.health = health.status
                self._changed()

    async def _passes(self, check: Check, name: str) -> bool:
        assert self._runtime is not None
        ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

        def on_exit(exit: Exit) -> None:
            if not ended.done():
                ended.set_result(exit)

        null = os.open(os.devnull, os.O_RDWR)
        try:
            await self._runtime.exec(
                name, self.container.runtime_id, check.command, on_exit, pty=False, stdio=(null, null, null)
            )
            await asyncio.wait({ended}, timeout=self._clock.real_budget(check.timeout))
            if not ended.done():
                await self._runtime.kill_exec(name)
                await ended  # so that there is never more than one of them
                return False
            return ended.result().code == 0
        except RuntimeFailure as error:
            log.info("health check of %s: %s", self.container.runtime_id, error)
            return False
        finally:
            os.close(null)
