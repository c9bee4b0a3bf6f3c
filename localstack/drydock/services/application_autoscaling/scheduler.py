"""Carries out scheduled actions when their time has come: one task for each account that has any."""

from __future__ import annotations

import asyncio
from typing import Any

from drydock.services.application_autoscaling import schedules
from drydock.services.application_autoscaling.controller import Scaling
from drydock.services.application_autoscaling.model import ScheduledAction
from drydock.services.application_autoscaling.registry import Registry
from drydock.store import Scope

_WINDOWS = (3600.0, 86400.0, 32 * 86400.0, 366 * 86400.0)


class Scheduler:
    """``changed`` after an action was put or deleted."""

    def __init__(self, registry: Registry, scaling: Scaling) -> None:
        self._registry = registry
        self._scaling = scaling
        self._loops: dict[str, asyncio.Task[Any]] = {}
        self._woken: dict[str, asyncio.Event] = {}

    def start(self) -> None:
        """Accounts with actions."""
        for account in {scope.account for scope, _, _ in self._registry.actions.all()}:
            self.changed(account)

    async def stop(self, account: str | None = None) -> None:
        """Of one account, or of all."""
        ended = [self._loops.pop(name) for name in list(self._loops) if account in (None, name)]
        for loop in ended:
            loop.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    def changed(self, account: str) -> None:
        """Its next action may be another."""
        self._woken.setdefault(account, asyncio.Event()).set()
        loop = self._loops.get(account)
        if loop is None or loop.done():
            work = self._run(account)
            self._loops[account] = self._registry.platform.spawn(work, f"scheduled actions of {account}")

    async def _run(self, account: str) -> None:
        clock, woken = self._registry.platform.clock(account), self._woken[account]
        while True:
            woken.clear()
            mine = [(s, one) for s, _, one in self._registry.actions.all() if s.account == account]
            if not mine:
                return
            self._do_due(mine, clock.now())
            due = [at for _, one in mine if (at := next_run(one, one.done)) is not None]
            waits: list[asyncio.Task[Any]] = [asyncio.create_task(woken.wait())]
            if due:
                waits.append(asyncio.create_task(clock.sleep_until(min(due))))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()

    def _do_due(self, actions: list[tuple[Scope, ScheduledAction]], now: float) -> None:
        """In the order of their times. Of what has come due several times, the last."""
        due = [(at, scope, one) for scope, one in actions if (at := last_run(one, now)) is not None]
        for _, scope, one in sorted(due, key=lambda each: each[0]):
            one.done = now
            self._registry.actions.put(scope, one.key, one)
            self._scale(scope, one)

    def _scale(self, scope: Scope, action: ScheduledAction) -> None:
        target = self._registry.targets.get(scope, action.resource_id)
        if target is None or target.suspended["ScheduledScalingSuspended"]:
            return
        least, most = action.action.get("MinCapacity"), action.action.get("MaxCapacity")
        bounds = [f"min capacity to {least}"] if least is not None else []
        bounds += [f"max capacity to {most}"] if most is not None else []
        cause = f"scheduled action name {action.name} was triggered"
        made = self._scaling.record(scope, action.resource_id, f"Setting {' and '.join(bounds)}", cause)
        least, most = target.least if least is None else least, target.most if most is None else most
        if most < least:
            made.status = "Failed"
            made.message = "Maximum capacity cannot be less than minimum capacity"  # (?)
        else:
            made.status, made.message = "Successful", f"Successfully set {' and '.join(bounds)}"
            target.least, target.most, target.unbounded = least, most, True
            self._registry.targets.put(scope, target.resource_id, target)
        self._registry.activities.put(scope, made.id, made)
        self._scaling.notice(scope, target.resource_id)


def next_run(action: ScheduledAction, after: float) -> float | None:
    """The first run of an action later than ``after``."""
    schedule = schedules.parse(action.schedule, action.timezone or "UTC")
    return schedules.next_run(schedule, after, action.created, action.start, action.end)


def last_run(action: ScheduledAction, now: float) -> float | None:
    """The last run that has come due and was not done; None if there is none. The clock may have jumped by years."""
    first = next_run(action, action.done)
    if first is None or first > now:
        return None
    for window in _WINDOWS:
        at = next_run(action, max(now - window, action.done))
        if at is None or at > now:
            continue
        while (later := next_run(action, at)) is not None and later <= now:
            at = later
        return at
    return first
