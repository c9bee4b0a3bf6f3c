"""Asynchronous invocations: accepted ones are in the store until they have succeeded or are given up.

Level-triggered: each has a task that looks at what the store holds; after a restart all are taken up again, and one that
was under way is invoked once more (as on AWS, an event may be delivered twice).
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from drydock.errors import AwsError, UserError
from drydock.services.functions import rules
from drydock.services.functions.model import Function, Order, Outcome, Queued
from drydock.services.service import Platform
from drydock.store import Scope

log = logging.getLogger(__name__)

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
        """Let go of those of an account, or of all; they remain in the store. An invocation that is under way goes on."""
        tasks = [task for key, task in self._driving.items() if account in (None, key[0].account)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drive(self, scope: Scope, queued: Queued) -> None:
        key = (scope, queued.request_id)
        if key in self._driving:
            return
        task = self._platform.spawn(self._work(scope, queued), f"event for function {queued.name}")
        self._driving[key] = task
        task.add_done_callback(lambda _: self._driving.pop(key, None))

    async def _work(self, scope: Scope, queued: Queued) -> None:
        clock = self._platform.clock(scope.account)
        while self._queued.get(scope, queued.request_id) is queued:
            await clock.sleep_until(queued.due)
            due = await self._attempt(scope, queued)
            if self._queued.get(scope, queued.request_id) is not queued:
                return  # the account was reset meanwhile
            if due is None:
                self._queued.delete(scope, queued.request_id)
            else:
                queued.due = due
                self._queued.put(scope, queued.request_id, queued)
            self._platform.store.commit()

    async def _attempt(self, scope: Scope, queued: Queued) -> float | None:
        """When it is to be tried again; None: it has succeeded, or is given up."""
        clock, oldest = self._platform.clock(scope.account), rules.OLDEST
        try:
            function = await self._find(scope, queued.name, queued.qualifier)
            oldest = function.oldest
            if function.reserved == 0:
                log.info("an event for function %s is given up: its reserved concurrency is zero", queued.name)
                self._dropped(scope, queued.name)
                return None
            arn = rules.arn_of(scope, queued.name, queued.qualifier)
            outcome = await self._invoke(
                scope, function, Order(queued.request_id, arn, queued.event, queued.client_context)
            )
        except (AwsError, UserError, OSError, sqlite3.Error) as error:
            log.info("an event for function %s could not be handled: %s", queued.name, error)
            if isinstance(error, AwsError) and not rules.may_pass(error):
                due = None
            else:
                queued.delays += 1
                due = rules.begun_again(queued.delays, queued.accepted, oldest, clock.now())
        else:
            queued.delays = 0
            if not outcome.error:
                return None
            queued.failures += 1
            due = rules.next_try(queued.failures, queued.accepted, function, clock.now())
        if due is None:
            log.info("an event for function %s is given up", queued.name)
            self._dropped(scope, queued.name)
        return due
