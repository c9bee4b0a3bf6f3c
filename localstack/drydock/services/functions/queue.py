"""Asynchronous invocations: accepted ones are in the store until they have succeeded or are given up.

Level-triggered: each has a task that looks at what the store holds; after a restart all are taken up again, and one that
was under way is invoked once more (as on AWS, an event may be delivered twice).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from drydock.errors import AwsError
from drydock.services.functions import rules
from drydock.services.functions.model import Function, Order, Outcome, Queued
from drydock.services.service import Platform
from drydock.store import Scope

log = logging.getLogger(__name__)
THROTTLED_FOR = 1.0
"""Lab seconds until one that was throttled is tried again ("from 1 second ... up to 5 minutes": always the first here)"""

Find = Callable[[Scope, str, str], Awaitable[Function]]
Invoke = Callable[[Scope, Function, Order], Awaitable[Outcome]]


class Queue:
    """``find`` raises AwsError if the function has gone; ``invoke`` raises it if it is throttled or cannot be run."""

    def __init__(self, platform: Platform, find: Find, invoke: Invoke, dropped: Callable[[Scope, str], None]) -> None:
        self._platform = platform
        self._find = find
        self._invoke = invoke
        self._dropped = dropped
        self._queued = platform.store.collection(Queued, "lambda", "event")
        self._driving: dict[tuple[Scope, str], asyncio.Task[Any]] = {}

    def put(self, scope: Scope, queued: Queued) -> None:
        """Accept one."""
        self._queued.put(scope, queued.request_id, queued)
        self._drive(scope, queued)

    def start(self) -> None:
        """Take up what an earlier life left."""
        for scope, _, queued in self._queued.all():
            self._drive(scope, queued)

    async def stop(self, account: str | None = None) -> None:
        """Let go of those of an account, or of all; they remain in the store."""
        ended = [key for key in self._driving if account in (None, key[0].account)]
        tasks = [self._driving.pop(key) for key in ended]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drive(self, scope: Scope, queued: Queued) -> None:
        key = (scope, queued.request_id)
        task = self._platform.spawn(self._work(scope, queued), f"event for function {queued.name}")
        self._driving[key] = task
        task.add_done_callback(lambda _: self._driving.pop(key, None))

    async def _work(self, scope: Scope, queued: Queued) -> None:
        clock = self._platform.clock(scope.account)
        while self._queued.get(scope, queued.request_id) is queued:
            await clock.sleep_until(queued.due)
            try:
                function = await self._find(scope, queued.name, queued.qualifier)
            except AwsError as error:
                log.info("an event for function %s is dropped: %s", queued.name, error)
                break
            arn = rules.arn_of(scope, queued.name, queued.qualifier)
            order = Order(queued.request_id, arn, queued.event, queued.client_context)
            outcome = None
            try:
                outcome = await self._invoke(scope, function, order)
                failed = bool(outcome.error)
            except AwsError as error:
                if error.code == "TooManyRequestsException" and clock.now() - queued.accepted < function.oldest:
                    self._again(scope, queued, clock.now() + THROTTLED_FOR)
                    continue
                log.info("an event for function %s failed: %s", queued.name, error)
                failed = True
            if not failed:
                break
            queued.failures += 1
            due = rules.next_try(queued.failures, queued.accepted, function, clock.now())
            if due is None:
                self._dropped(scope, function.name)
                log.info("an event for function %s is given up after %d failures", queued.name, queued.failures)
                break
            self._again(scope, queued, due)
        if self._queued.get(scope, queued.request_id) is queued:
            self._queued.delete(scope, queued.request_id)
            self._platform.store.commit()

    def _again(self, scope: Scope, queued: Queued, due: float) -> None:
        queued.due = due
        self._queued.put(scope, queued.request_id, queued)
        self._platform.store.commit()
