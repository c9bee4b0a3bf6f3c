"""Makes tasks true: one driver for each task walks it through ``lifecycle.LIFE``, doing the work of each state.

A driver looks at the task and at its containers, never at what it did before, so that it can be started again at any
state. Containers do not survive the emulator; so at a start every task that had not ended is told to stop, with the
reason, and its driver walks it to STOPPED, which also deletes its network interface.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from functools import partial
from typing import Any

from drydock import durations
from drydock.clock import Clock
from drydock.dataplane.plane import DataPlane, PlaneFailure
from drydock.errors import AwsError
from drydock.images.standins import ImageNotFound, StandIns
from drydock.runtime.interface import ContainerSpec, Exit, Runtime, RuntimeFailure, SandboxSpec
from drydock.services.ecs import awslogs, lifecycle, rules
from drydock.services.ecs.awslogs import LogStream
from drydock.services.ecs.interfaces import Interfaces
from drydock.services.ecs.model import Container, Task, TaskDefinition
from drydock.services.ecs.roles import RoleSessions
from drydock.services.service import Platform
from drydock.store import Collection, Scope

log = logging.getLogger(__name__)
STOP_TIMEOUT = 30.0
NOT_STARTED = (125, 126, 127)
"""Docker's exit codes for a command that could not be started"""
LONGEST_STOP_TIMEOUT = 120.0
HOST_LOST = "Task stopped because the emulator that ran its containers had ended (as after a failure of the host)."
RUNTIME_LOST = "Task stopped because the container runtime failed (as after a failure of the host)."


class TaskFailed(Exception):
    """The task cannot go on; the message is its ``stoppedReason``, ``container`` the one to blame."""

    def __init__(self, reason: str, container: Container | None = None) -> None:
        super().__init__(reason)
        self.container = container


class TaskDriver:
    """One task on its way. ``wake`` it when something about the task has changed."""

    def __init__(self, house: TaskController, scope: Scope, task: Task) -> None:
        self._house = house
        self._scope = scope
        self._task = task
        self._changed = asyncio.Event()
        self._streams: dict[str, LogStream] = {}
        self._clock: Clock = house.platform.clock(scope.account)
        self._endings: set[asyncio.Task[None]] = set()

    # -- the walk
    async def run(self) -> None:
        """To the end of the task's life, and until it is forgotten."""
        task = self._task
        while task.last_status != "STOPPED":
            try:
                await self._work()
            except TaskFailed as failure:
                if failure.container is not None:
                    failure.container.reason = str(failure)
                self.ask_to_stop("TaskFailedToStart", str(failure))
            following = lifecycle.following(task.last_status, task.desired_status == "STOPPED")
            if following is not None:
                self._enter(following)
                if following == "STOPPED":
                    self._house.forget_if_unused(self._scope, self._house.definition(self._scope, task))
        age = self._clock.now() - task.times.get("stoppedAt", self._clock.now())
        await self._clock.sleep(durations.STOPPED_TASK_KEPT - age)
        self._house.tasks.delete(self._scope, task.arn)

    def ask_to_stop(self, code: str, reason: str) -> None:
        """The first reason stays."""
        if self._task.desired_status != "STOPPED":
            self._task.desired_status = "STOPPED"
            self._task.stop_code = self._task.stop_code or code
            self._task.stopped_reason = self._task.stopped_reason or reason
            self._task.times.setdefault("stoppingAt", self._clock.now())
            self._save()
        self._changed.set()

    def _enter(self, status: str) -> None:
        task, now = self._task, self._clock.now()
        task.last_status = status
        if status == "RUNNING":
            task.times["startedAt"] = now
        elif status == "STOPPING":
            task.times.setdefault("stoppingAt", now)
        elif status == "DEPROVISIONING":
            task.times["executionStoppedAt"] = now
            for container in task.containers:
                container.status = "STOPPED"
                container.pid = None
        elif status == "STOPPED":
            task.times["stoppedAt"] = now
        self._save()

    def _save(self) -> None:
        self._task.version += 1
        self._house.tasks.put(self._scope, self._task.arn, self._task)

    async def _work(self) -> None:
        match self._task.last_status:
            case "PROVISIONING":
                await self._provision()
            case "PENDING":
                await self._prepare()
            case "ACTIVATING":
                await self._start()
            case "RUNNING":
                await self._watch()
            case "STOPPING":
                await self._stop()
            case "DEPROVISIONING":
                await self._deprovision()

    async def _takes(self, seconds: float) -> None:
        """Let lab time pass, but not longer than until the task is to stop."""
        if seconds <= 0 or self._house.instant:
            return
        pause = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            while not pause.done() and self._task.desired_status != "STOPPED":
                self._changed.clear()
                change = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait({pause, change}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
        finally:
            pause.cancel()

    # -- what is done in each state
    async def _provision(self) -> None:
        await self._takes(durations.FARGATE_PROVISIONING)
        if self._task.desired_status == "STOPPED":
            return
        for interface in self._task.interfaces:
            try:
                await self._house.interfaces.attach(self._scope, self._task, interface)
            except AwsError as error:
                raise TaskFailed(f"Unexpected EC2 error while creating the network interface: {error}") from error
        self._save()

    async def _prepare(self) -> None:
        task = self._task
        task.times["connectivityAt"] = task.times["pullStartedAt"] = self._clock.now()
        await self._takes(durations.FARGATE_PULL)
        if task.desired_status == "STOPPED":
            return
        for container in task.containers:
            try:
                image = await asyncio.to_thread(self._house.images.resolve, container.image)
            except ImageNotFound as error:
                raise TaskFailed(
                    "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                    f"failed to resolve ref {error}",
                    container,
                ) from error
            container.image_digest = image.digest
        task.times["pullStoppedAt"] = self._clock.now()
        await self._open_logs()
        addresses = tuple(interface.address for interface in task.interfaces)
        hostname = (
            task.interfaces[0].dns_name or f"ip-{addresses[0].replace('.', '-')}.{self._scope.region}.compute.internal"
        )
        try:
            await self._house.runtime.create_sandbox(SandboxSpec(task.id, hostname, addresses, self._network()))
        except RuntimeFailure as error:
            raise TaskFailed(f"ResourceInitializationError: the task's network could not be made: {error}") from error

    def _network(self) -> str:
        """A VPC of an account in a region."""
        return f"{self._scope.account}/{self._scope.region}/{self._task.interfaces[0].vpc_id}"

    async def _open_logs(self) -> None:
        definition = self._house.definition(self._scope, self._task)
        for container in self._task.containers:
            configuration = definition.container(container.name).get("logConfiguration")
            if not configuration or configuration["logDriver"] != "awslogs":
                continue
            options = configuration.get("options", {})
            prefix = options.get("awslogs-stream-prefix", "")
            name = awslogs.stream_name(prefix, container.name, self._task) if prefix else container.runtime_id
            region = options.get("awslogs-region", self._scope.region)
            send = partial(self._house.roles.call_as_execution_role, self._scope, self._task, region, "logs")
            stream = LogStream(send, self._clock, options.get("awslogs-group", ""), name)
            try:
                await stream.open(options.get("awslogs-create-group", "false").lower() == "true")
            except AwsError as error:
                raise TaskFailed(awslogs.failure_reason(error)) from error
            self._streams[container.name] = stream
            container.log_stream = name

    async def _start(self) -> None:
        definition = self._house.definition(self._scope, self._task)
        for container in self._task.containers:
            spec = await self._container_spec(definition, container)
            try:
                container.pid = await self._house.runtime.start_container(
                    spec, partial(self._on_output, container), partial(self._on_exit, container)
                )
            except RuntimeFailure as error:
                raise TaskFailed(f"CannotStartContainerError: {error}", container) from error
            if container.status == "PENDING":  # else it has ended already
                container.status = "RUNNING"
        self._save()
        self._stop_if_essential_ended()
        self._house.platform.spawn(self._open_ports(definition), f"ports of {self._task.arn}")

    async def _open_ports(self, definition: TaskDefinition) -> None:
        """Make the containers' TCP ports reachable from this machine (``/_drydock/endpoints`` tells where)."""
        for document in definition.containers:
            for mapping in document.get("portMappings", []):
                if mapping["protocol"] != "tcp" or "containerPort" not in mapping:
                    continue
                try:
                    await self._house.dataplane.open(self._task.id, mapping["containerPort"])
                except PlaneFailure as error:
                    log.error("port %s of %s: %s", mapping["containerPort"], self._task.arn, error)
        if self._task.last_status not in ("ACTIVATING", "RUNNING"):  # it went meanwhile
            self._house.dataplane.close_sandbox(self._task.id)

    async def _container_spec(self, definition: TaskDefinition, container: Container) -> ContainerSpec:
        document = definition.container(container.name)
        override = self._override(container.name)
        image = await asyncio.to_thread(self._house.images.resolve, container.image)
        region = self._scope.region
        env = {
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self._house.endpoint_inside,
        } | rules.environment(document, override, image.env)
        return ContainerSpec(
            name=container.runtime_id,
            sandbox=self._task.id,
            layers=image.layers,
            argv=rules.command(document, override, image.entrypoint, image.command),
            env=env,
            cwd=document.get("workingDirectory") or image.cwd,
            user=document.get("user") or image.user,
            host_files=image.host_files,
            memory=rules.container_memory(document, override, self._task.memory),
            init=bool(document.get("linuxParameters", {}).get("initProcessEnabled")),
            read_only=bool(document.get("readonlyRootFilesystem")),
        )

    def _override(self, name: str) -> dict[str, Any]:
        overrides = self._task.overrides.get("containerOverrides", [])
        return next((override for override in overrides if override.get("name") == name), {})

    def _on_output(self, container: Container, source: str, line: bytes) -> Awaitable[object] | None:
        stream = self._streams.get(container.name)
        return stream.write(source, line) if stream else None

    def _on_exit(self, container: Container, exit: Exit) -> None:
        ending = self._house.platform.spawn(self._ended(container, exit), f"end of {container.runtime_id}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _ended(self, container: Container, exit: Exit) -> None:
        """The last lines first, so that who sees the exit code sees the log too."""
        stream = self._streams.pop(container.name, None)
        if stream:
            await stream.close()
        container.status = "STOPPED"
        container.exit_code = exit.code
        container.pid = None
        if exit.out_of_memory:
            container.reason = "OutOfMemoryError: Container killed due to memory usage"
        elif exit.error and exit.code in NOT_STARTED:
            container.reason = f"CannotStartContainerError: {exit.error}"
        self._save()
        self._stop_if_essential_ended()
        self._changed.set()

    def _stop_if_essential_ended(self) -> None:
        if rules.essential_ended(self._task.containers) and not self._house.closing:
            self.ask_to_stop("EssentialContainerExited", "Essential container in task exited")

    async def _watch(self) -> None:
        while self._task.desired_status != "STOPPED":
            self._changed.clear()
            await self._changed.wait()

    async def _stop(self) -> None:
        definition = self._house.definition(self._scope, self._task)
        for container in self._task.containers:
            if container.status == "RUNNING":
                timeout = min(
                    definition.container(container.name).get("stopTimeout", STOP_TIMEOUT), LONGEST_STOP_TIMEOUT
                )
                await self._as_far_as_it_lives(
                    self._house.runtime.stop_container(container.runtime_id, self._clock.real_budget(timeout))
                )
        while any(container.status == "RUNNING" for container in self._task.containers):
            self._changed.clear()
            await self._changed.wait()

    async def _deprovision(self) -> None:
        self._house.dataplane.close_sandbox(self._task.id)
        await self._as_far_as_it_lives(self._house.runtime.remove_sandbox(self._task.id))
        for stream in self._streams.values():
            await stream.close()
        self._streams.clear()
        if self._task.stop_code != "TerminationNotice":
            await self._passes(durations.FARGATE_DEPROVISIONING)
        for interface in self._task.interfaces:
            try:
                await self._house.interfaces.delete(self._scope, interface)
            except AwsError as error:
                log.error("the network interface of %s stays behind: %s", self._task.arn, error)

    async def _as_far_as_it_lives(self, work: Awaitable[None]) -> None:
        """What the runtime cannot do any more because it has died need not be done: its containers died with it."""
        try:
            await work
        except RuntimeFailure as failure:
            log.warning("%s: %s", self._task.arn, failure)

    async def _passes(self, seconds: float) -> None:
        await self._clock.sleep(durations.scaled(seconds, self._house.instant))

    def processes_lost(self, reason: str) -> None:
        """Every process of the task has ended without our doing."""
        for container in self._task.containers:
            if container.status == "RUNNING":
                container.status = "STOPPED"
                container.pid = None
                container.exit_code = 137
        self.ask_to_stop("TerminationNotice", reason)


class TaskController:
    """The drivers of all tasks."""

    def __init__(
        self,
        platform: Platform,
        runtime: Runtime,
        images: StandIns,
        roles: RoleSessions,
        definitions: Collection[TaskDefinition],
        dataplane: DataPlane,
        instant: bool,
    ) -> None:
        self.platform = platform
        self.runtime = runtime
        self.images = images
        self.roles = roles
        self.dataplane = dataplane
        self.instant = instant
        self.tasks = platform.store.collection(Task, "ecs", "task")
        self.interfaces = Interfaces(platform)
        self.endpoint_inside = ""
        self.closing = False
        """The emulator is about to end the containers: the task's reason is the next life's to give"""
        self._definitions = definitions
        self._drivers: dict[str, TaskDriver] = {}
        self._running: dict[str, asyncio.Task[Any]] = {}

    def definition(self, scope: Scope, task: Task) -> TaskDefinition:
        """The task's definition, which is kept as long as a task refers to it."""
        found = self._definitions.get(scope, rules.task_id(task.task_definition_arn))
        assert found is not None, f"{task.arn} without its definition"
        return found

    def forget_if_unused(self, scope: Scope, definition: TaskDefinition) -> None:
        """A definition that was asked to be deleted goes when no task that is not stopped refers to it."""
        users = (task for task in self.tasks.of(scope) if task.task_definition_arn == definition.arn)
        if definition.status == "DELETE_IN_PROGRESS" and all(task.last_status == "STOPPED" for task in users):
            self._definitions.delete(scope, f"{definition.family}:{definition.revision}")

    def start(self) -> None:
        """Take up the tasks of an earlier life."""
        for scope, _, task in list(self.tasks.all()):
            driver = self.drive(scope, task)
            if task.last_status != "STOPPED":
                driver.processes_lost(HOST_LOST)

    async def stop(self) -> None:
        """End the drivers; the tasks' state stays as it is, for the next life to take up."""
        self.closing = True
        for running in list(self._running.values()):
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def drive(self, scope: Scope, task: Task) -> TaskDriver:
        """Begin to walk a task."""
        driver = self._drivers[task.arn] = TaskDriver(self, scope, task)
        running = self._running[task.arn] = self.platform.spawn(driver.run(), f"driver of {task.arn}")
        running.add_done_callback(partial(self._forget, task.arn))
        return driver

    def _forget(self, arn: str, running: asyncio.Task[Any]) -> None:
        if self._running.get(arn) is running:
            del self._running[arn], self._drivers[arn]

    def stop_task(self, task: Task, code: str, reason: str) -> None:
        """Ask for it; the driver does it."""
        driver = self._drivers.get(task.arn)
        if driver:
            driver.ask_to_stop(code, reason)

    def runtime_lost(self) -> None:
        """All containers end, and nobody asked for it. Their ends are told one by one: STOPPED only without processes."""
        for _, _, task in self.tasks.all():
            if task.last_status in lifecycle.WITH_PROCESSES and (driver := self._drivers.get(task.arn)):
                driver.ask_to_stop("TerminationNotice", RUNTIME_LOST)

    async def reset(self, account: str | None) -> None:
        """End the processes of an account's tasks at once; the store forgets them afterwards."""
        for scope, _, task in list(self.tasks.all()):
            if account in (None, scope.account):
                running = self._running.pop(task.arn, None)
                self._drivers.pop(task.arn, None)
                if running:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)
                await self.runtime.remove_sandbox(task.id)
