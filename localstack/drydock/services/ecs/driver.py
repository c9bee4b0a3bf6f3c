"""Walks one task through ``lifecycle.LIFE``, doing the work of each state.

A driver looks at the task and its containers, never at what it did before. What is to be started or stopped next is
decided in ``startup``; a failure raises :class:`TaskFailed`, whose message becomes the task's ``stoppedReason``.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drydock import durations
from drydock.clock import Clock
from drydock.errors import AwsError
from drydock.runtime.interface import Mount, NoCapacity, RuntimeFailure
from drydock.services.ecs import awslogs, lifecycle, overrides, rules, secrets, startup
from drydock.services.ecs.containers import ContainerRun
from drydock.services.ecs.model import Container, Task, TaskDefinition
from drydock.services.ecs.pulling import Pull, PullFailed
from drydock.services.ecs.task_network import NetworkFailed, PortTaken, TaskNetwork
from drydock.services.log_stream import LogStream
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ecs.controller import TaskController

log = logging.getLogger(__name__)
LONGEST_WAIT = 1800.0
"""Lab seconds that a task waits for an instance ("Deep Dive on Amazon ECS Cluster Auto Scaling": between 10 and 30 minutes)"""
STOP_TIMEOUT, LONGEST_STOP_TIMEOUT = 30.0, 120.0
NO_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"


class TaskFailed(Exception):
    """The task cannot go on; the message is its ``stoppedReason``, ``container`` the one to blame."""

    def __init__(self, reason: str, container: Container | None = None) -> None:
        super().__init__(reason)
        self.container = container


class TaskDriver:
    """One task on its way. ``notice`` it when something about the task has changed."""

    def __init__(self, house: TaskController, scope: Scope, task: Task) -> None:
        self._house = house
        self.scope = scope
        self.task = task
        self._changed = asyncio.Event()
        self._clock: Clock = house.platform.clock(scope.account)
        self.network = TaskNetwork(house, scope, task)
        self._runs: list[ContainerRun] = []
        self._abandoned = False
        if task.last_status != "STOPPED":  # the definition of a stopped task may be gone
            self._definition: TaskDefinition = house.definition(scope, task)
            self._runs = [
                ContainerRun(task, container, self._definition.container(container.name), self._clock, self.notice)
                for container in task.containers
            ]

    # -- the walk
    async def run(self) -> None:
        """To the end of the task's life, and until it is forgotten."""
        try:
            await self._live()
        except asyncio.CancelledError:
            for run in self._runs:
                run.stopping = True  # nothing may be started again when nobody drives the task any more
            raise

    async def _live(self) -> None:
        task = self.task
        while task.last_status != "STOPPED":
            try:
                await self._work()
            except TaskFailed as failure:
                self._fail(failure)
            except Exception:  # a defect of ours must not leave a task that never ends
                log.exception("%s in %s", task.arn, task.last_status)
                self.ask_to_stop(
                    "TaskFailedToStart", f"InternalError: Drydock failed in {task.last_status}; see its log"
                )
            following = lifecycle.following(task.last_status, task.desired_status == "STOPPED")
            if following is not None:
                self._enter(following)
                if following == "STOPPED":
                    self._house.forget_if_unused(self.scope, self._definition)
        age = self._clock.now() - task.times.get("stoppedAt", self._clock.now())
        await self._clock.sleep(durations.STOPPED_TASK_KEPT - age)
        self._house.tasks.delete(self.scope, task.arn)

    def _fail(self, failure: TaskFailed) -> None:
        """On an instance only the container says what it was, the task no more than that it failed; on Fargate both do."""
        reason = str(failure)
        if failure.container is not None:
            failure.container.reason = reason
            reason = reason if self.task.on_fargate else "Task failed to start"
        self.ask_to_stop("TaskFailedToStart", reason)

    def ask_to_stop(self, code: str, reason: str) -> None:
        """The first reason stays."""
        task = self.task
        if task.desired_status != "STOPPED":
            task.desired_status = "STOPPED"
            task.stop_code = task.stop_code or code
            task.stopped_reason = task.stopped_reason or reason
            task.times.setdefault("stoppingAt", self._clock.now())
            self._save()
        self._changed.set()

    def notice(self) -> None:
        """A container has changed: work out what that means for the task."""
        task = self.task
        if self._house.tasks.get(self.scope, task.arn) is None:
            return  # the account was reset: what ends afterwards must not write the task down again
        task.health = startup.task_health(
            [(run.essential, "healthCheck" in run.document, run.container.health) for run in self._runs]
        )
        self._save()
        if rules.essential_ended(task.containers) and not self._house.closing:
            self.ask_to_stop("EssentialContainerExited", "Essential container in task exited")
        self._changed.set()

    def placed(self) -> None:
        """An instance has taken it."""
        self._changed.set()

    def processes_lost(self, reason: str) -> None:
        """Every process of the task has ended with an earlier life of the emulator, and nobody will tell."""
        for run in self._runs:
            run.lost()
        self.ask_to_stop("TerminationNotice", reason)

    def host_lost(self, reason: str) -> None:
        """The EC2 instance under it has gone, and its containers with it: nothing is left to be stopped gently."""
        self._abandoned = True
        for run in self._runs:
            run.stopping = True
        self.ask_to_stop("TerminationNotice", reason)

    def runtime_lost(self, reason: str) -> None:
        """Its processes end without our doing; each end is still told, and none is started again."""
        for run in self._runs:
            run.stopping = True
        self.ask_to_stop("TerminationNotice", reason)

    def _enter(self, status: str) -> None:
        task, now = self.task, self._clock.now()
        task.last_status = status
        if status == "RUNNING":
            task.times["startedAt"] = now
        elif status == "STOPPING":
            task.times.setdefault("stoppingAt", now)
        elif status == "DEPROVISIONING":
            task.times["executionStoppedAt"] = now
            for container in task.containers:
                container.status, container.pid = "STOPPED", None
        elif status == "STOPPED":
            task.times["stoppedAt"] = now
        self._save()

    def _save(self) -> None:
        self.task.version += 1
        self._house.tasks.put(self.scope, self.task.arn, self.task)
        self._house.on_change(self.scope, self.task)

    @property
    def _stopping(self) -> bool:
        return self.task.desired_status == "STOPPED"

    async def _work(self) -> None:
        match self.task.last_status:
            case "PROVISIONING":
                await self._provision()
            case "PENDING":
                await self._prepare()
                if not self._stopping:
                    await self._start()
            case "ACTIVATING":
                await self._activate()
            case "RUNNING":
                await self._watch()
            case "DEACTIVATING":
                await self._deactivate()
            case "STOPPING":
                await self._stop()
            case "DEPROVISIONING":
                await self._deprovision()

    async def _change(self, wake_at: float | None = None) -> None:
        """Wait until something changes, or until the lab time ``wake_at``."""
        self._changed.clear()
        if wake_at is None:
            await self._changed.wait()
            return
        waits = [asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(self._clock.sleep_until(wake_at))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _takes(self, seconds: float) -> None:
        """Let lab time pass, but not longer than until the task is to stop."""
        end = self._clock.now() + durations.scaled(seconds, self._house.instant)
        while not self._stopping and self._clock.now() < end:
            await self._change(end)

    # -- what is done in each state
    async def _provision(self) -> None:
        await self._find_place()
        if self.task.interfaces:
            await self._takes(self.network.provisioning)
        if self._stopping:
            return
        try:
            await self.network.attach()
        except NetworkFailed as error:
            raise TaskFailed(str(error)) from error
        self._save()

    async def _find_place(self) -> None:
        """Wait for an instance that takes it. Raises TaskFailed when it has waited too long."""
        until, waited = self.task.created_at + LONGEST_WAIT, self.task.waiting
        while self.task.waiting and not self._stopping:
            if self._clock.now() >= until:
                raise TaskFailed(self._house.why_waiting(self.scope, self.task))
            await self._change(until)
        if waited:
            self.network = TaskNetwork(self._house, self.scope, self.task)

    async def _prepare(self) -> None:
        task = self.task
        task.times["connectivityAt"] = task.times["pullStartedAt"] = self._clock.now()
        pull = Pull(self._house, self.scope, task, self.network)
        await self._takes(pull.time)
        if self._stopping:
            return
        if not await self._pull(pull):
            return
        task.times["pullStoppedAt"] = self._clock.now()
        await self._fetch_environment()
        await self._open_logs()
        try:
            await self.network.make()
        except NoCapacity as error:
            raise self._no_capacity(error) from error
        except NetworkFailed as error:
            raise TaskFailed(str(error)) from error

    async def _pull(self, pull: Pull) -> bool:
        """False if the task was told to stop meanwhile."""
        first = self._runs[0].container
        if not await pull.way_is_open(first):  # which shows only when the pull has timed out
            await self._takes(durations.PULL_TIMEOUT)
            if not self._stopping:
                raise TaskFailed(str(pull.timed_out(first)), first)
            return False
        architecture = self._definition.document.get("runtimePlatform", {}).get("cpuArchitecture")
        for run in self._runs:
            try:
                run.image = await pull.pull(run.container, architecture)
            except PullFailed as error:
                raise TaskFailed(str(error), run.container) from error
        return True

    async def _fetch_environment(self) -> None:
        ask = partial(self._house.roles.call_as_execution_role, self.scope, self.task, self.network.machine)
        for run in self._runs:
            try:
                changed = overrides.override_of(self.task.overrides.get("containerOverrides", []), run.container.name)
                document = overrides.with_files(run.document, changed)
                files = await secrets.files_of(document, self.scope.region, ask)
                run.injected = files | await secrets.secrets_of(run.document, self.scope.region, ask)
            except secrets.NotInjected as error:
                raise TaskFailed(str(error)) from error

    async def _open_logs(self) -> None:
        for run in self._runs:
            configuration = run.document.get("logConfiguration")
            if not configuration or configuration["logDriver"] != "awslogs":
                continue
            options = configuration.get("options", {})
            prefix = options.get("awslogs-stream-prefix", "")
            container = run.container
            name = awslogs.stream_name(prefix, container.name, self.task) if prefix else container.runtime_id
            region = options.get("awslogs-region", self.scope.region)
            role = self._house.roles.call_as_execution_role
            send = partial(role, self.scope, self.task, self.network.machine, region, "logs")
            stream = LogStream(send, self._clock, options.get("awslogs-group", ""), name)
            try:
                await stream.open(options.get("awslogs-create-group", "false").lower() == "true")
            except AwsError as error:
                raise TaskFailed(awslogs.failure_reason(error)) from error
            run.stream, container.log_stream = stream, name

    def _no_capacity(self, error: NoCapacity) -> TaskFailed:
        """In AWS's words; of what this machine has too little is told by the containers."""
        log.error("%s: this machine is at its limit: %s", self.task.arn, error)
        for run in self._runs:
            run.container.reason = run.container.reason or f"This machine is at its limit: {error}"
        return TaskFailed(NO_CAPACITY)

    async def _start(self) -> None:
        """Start the containers in the order of their dependencies, until each has started or the task is to stop."""
        runs = {run.container.name: run for run in self._runs}
        while not self._stopping:
            plan = startup.plan([run.seen() for run in self._runs], self._clock.now())
            for name, reason in plan.given_up:
                runs[name].give_up(reason)
                if runs[name].essential:
                    raise TaskFailed(reason, runs[name].container)
                self._save()
            for name in plan.start:
                await self._start_container(runs[name])
            if all(run.container.status != "PENDING" for run in self._runs):
                break
            if not plan.start and not plan.given_up:
                await self._change(plan.wake_at)
        if not self._stopping:
            self._house.platform.spawn(self._open_ports(), f"ports of {self.task.arn}")

    async def _start_container(self, run: ContainerRun) -> None:
        override = overrides.override_of(self.task.overrides.get("containerOverrides", []), run.container.name)
        environment = self._house.identities.environment(self.scope, self.task, run.container)
        try:
            await self.network.bind(run.container, run.document)
            spec = run.spec(self.network.sandbox, override, environment, self._mounts(run.document))
            await run.start(self._house.runtime, spec)
        except PortTaken as error:
            raise TaskFailed(str(error), run.container) from error
        except NoCapacity as error:
            raise self._no_capacity(error) from error
        except (RuntimeFailure, OSError) as error:
            raise TaskFailed(f"CannotStartContainerError: {error}", run.container) from error
        if run.container.started_at is None:  # its command cannot be run
            if run.essential:
                raise TaskFailed(run.container.reason or "CannotStartContainerError", run.container)
            self._save()

    def _mounts(self, document: dict[str, Any]) -> tuple[Mount, ...]:
        """The task's volumes, where the container wants them; made empty when the first one does."""
        points = list(document.get("mountPoints", []))
        for source in document.get("volumesFrom", []):
            other = self._definition.container(source["sourceContainer"])
            read_only = source.get("readOnly", False)
            points += [{**p, "readOnly": read_only or p.get("readOnly", False)} for p in other.get("mountPoints", [])]
        mounts = []
        for point in points:
            folder = self._volumes / point["sourceVolume"]
            folder.mkdir(parents=True, exist_ok=True)
            mounts.append(Mount(str(folder.resolve()), point["containerPath"], bool(point.get("readOnly"))))
        return tuple(mounts)

    @property
    def _volumes(self) -> Path:
        return self._house.volumes / self.task.id

    async def _open_ports(self) -> None:
        await self.network.open_ports([(run.container, run.document) for run in self._runs])
        if self.task.last_status not in ("PENDING", "ACTIVATING", "RUNNING"):  # it went meanwhile
            self._house.dataplane.close_sandbox(self.task.id)

    async def _activate(self) -> None:
        """Tell the load balancers of the task's service."""
        try:
            await self._house.balancing.register(self.scope, self.task)
        except AwsError as error:
            raise TaskFailed(f"Unable to register with the load balancer: {error.message}") from error  # (?)

    async def _deactivate(self) -> None:
        """Nothing new comes from the load balancers; what is under way is waited for, if anybody is there to answer it."""
        task = self.task
        if not task.targets:
            return
        await self._house.balancing.deregister(self.scope, task)
        self._save()
        if not self._abandoned and not rules.essential_ended(task.containers):
            await self._house.balancing.drained(self.scope, task, self._clock)

    async def _watch(self) -> None:
        while not self._stopping:
            await self._change()

    async def _stop(self) -> None:
        """In the reverse order of the dependencies."""
        runs = {run.container.name: run for run in self._runs}
        asked: set[str] = set()
        while any(run.container.status == "RUNNING" for run in self._runs):
            for name in startup.stoppable([run.seen() for run in self._runs]):
                if name not in asked:
                    asked.add(name)
                    timeout = min(runs[name].document.get("stopTimeout", STOP_TIMEOUT), LONGEST_STOP_TIMEOUT)
                    await self._as_far_as_it_lives(runs[name].stop(0.0 if self._abandoned else timeout))
            if any(run.container.status == "RUNNING" for run in self._runs):
                await self._change()

    async def _deprovision(self) -> None:
        self._house.identities.forget(self.task)
        await self._as_far_as_it_lives(self.network.remove())
        for run in self._runs:
            await run.close()
        if self._volumes.exists():
            await asyncio.to_thread(shutil.rmtree, self._volumes, True)
        if self.task.stop_code != "TerminationNotice":
            await self._clock.sleep(durations.scaled(self.network.deprovisioning, self._house.instant))
        await self.network.detach()

    async def _as_far_as_it_lives(self, work: Awaitable[None]) -> None:
        """What the runtime cannot do any more because it has died need not be done: its containers died with it."""
        try:
            await work
        except RuntimeFailure as failure:
            log.warning("%s: %s", self.task.arn, failure)
