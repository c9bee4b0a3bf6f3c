"""The scheduler of services: one worker for each, which looks, decides (``scheduling``) and acts.

A worker is level-triggered: it looks at the service and its tasks when something about them has changed, and when a time
that it waits for has come (a delayed start, a deployment that settles, a protection that ends). What it knows is in the
store, so after a restart it goes on where it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from drydock import durations
from drydock.services.ecs.model import Task
from drydock.services.ecs.service_model import Service
from drydock.services.ecs.service_work import ServiceWork
from drydock.services.service import Platform
from drydock.store import Collection, Scope

log = logging.getLogger(__name__)
Key = tuple[Scope, str]


class ServiceController:
    """``work`` makes what does the work of one look (:class:`ServiceWork`)."""

    def __init__(
        self,
        platform: Platform,
        services: Collection[Service],
        tasks: Collection[Task],
        work: Callable[[Scope, Service], ServiceWork],
        instant: bool,
    ) -> None:
        self.on_capacity: Callable[[Scope, str], None] = lambda scope, cluster_arn: None
        """Told first that the capacity of a cluster has changed"""
        self._platform = platform
        self._services = services
        self._tasks = tasks
        self._work = work
        self._instant = instant
        self._changed: dict[Key, asyncio.Event] = {}
        self._workers: dict[Key, asyncio.Task[Any]] = {}
        self._closing = False

    def start(self) -> None:
        """Take up the services of an earlier life."""
        for scope, key, service in list(self._services.all()):
            if service.status != "INACTIVE":
                self.notice(scope, key)

    async def stop(self) -> None:
        """End the workers; the services stay as they are."""
        self._closing = True
        await self._cancel(list(self._workers))

    async def reset(self, account: str | None) -> None:
        """Before the services of an account are forgotten."""
        await self._cancel([key for key in self._workers if account in (None, key[0].account)])

    async def _cancel(self, keys: list[Key]) -> None:
        workers = [self._workers.pop(key) for key in keys]
        for key in keys:
            self._changed.pop(key, None)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def notice(self, scope: Scope, key: str) -> None:
        """Something about a service (cluster/name) has changed."""
        if self._closing:
            return
        event = self._changed.setdefault((scope, key), asyncio.Event())
        event.set()
        if (scope, key) not in self._workers:
            worker = self._platform.spawn(self._live(scope, key, event), f"scheduler of {key}")
            self._workers[scope, key] = worker

    def task_changed(self, scope: Scope, task: Task) -> None:
        """Of whatever service it is; a task that ended gives room to others on its instance."""
        if task.group.startswith("service:"):
            key = f"{task.cluster_arn.rpartition('/')[2]}/{task.group.partition(':')[2]}"
            if (scope, key) in self._workers or self._services.get(scope, key) is not None:
                self.notice(scope, key)
        if task.last_status == "STOPPED" and task.container_instance_arn:
            self.look(scope, task.cluster_arn)

    def look(self, scope: Scope, cluster_arn: str) -> None:
        """The capacity of a cluster has changed: all its services look again, after the tasks that wait
        for it."""
        self.on_capacity(scope, cluster_arn)
        for service in self._services.of(scope):
            if service.cluster_arn == cluster_arn and service.status != "INACTIVE":
                self.notice(scope, service.key)

    async def _live(self, scope: Scope, key: str, changed: asyncio.Event) -> None:
        clock = self._platform.clock(scope.account)
        try:
            while True:
                await clock.sleep(durations.scaled(durations.SCHEDULER_ROUND, self._instant))
                changed.clear()
                service = self._services.get(scope, key)
                if service is None or service.status == "INACTIVE":
                    return
                try:
                    wake_at = await self._work(scope, service).look()
                except Exception:  # a defect of ours must not end the scheduler of a service
                    log.exception("the scheduler of %s", key)
                    wake_at = clock.now() + 60.0
                await self._wait(clock, changed, wake_at)
        finally:
            if self._workers.get((scope, key)) is asyncio.current_task():
                del self._workers[scope, key]
                self._changed.pop((scope, key), None)

    @staticmethod
    async def _wait(clock: Any, changed: asyncio.Event, wake_at: float | None) -> None:
        """Until something changes, or until the lab time ``wake_at``."""
        if wake_at is None:
            await changed.wait()
            return
        waits = [asyncio.ensure_future(changed.wait()), asyncio.ensure_future(clock.sleep_until(wake_at))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
