"""Carries out scheduled actions when their time has come."""

from __future__ import annotations

from drydock.services.application_autoscaling import schedules
from drydock.services.application_autoscaling.controller import Scaling
from drydock.services.application_autoscaling.model import ScheduledAction
from drydock.services.application_autoscaling.registry import Registry
from drydock.services.application_autoscaling.timetable import Timetable
from drydock.store import Scope

_WINDOWS = (3600.0, 86400.0, 32 * 86400.0, 366 * 86400.0)


class Scheduler(Timetable):
    """``changed`` after an action was put or deleted."""

    def __init__(self, registry: Registry, scaling: Scaling) -> None:
        super().__init__(registry.platform, "scheduled actions", self._due)
        self._registry = registry
        self._scaling = scaling

    def start(self) -> None:
        """Accounts with actions."""
        for account in {scope.account for scope, _, _ in self._registry.actions.all()}:
            self.changed(account)

    async def _due(self, account: str, now: float) -> float | None:
        mine = [(scope, one) for scope, _, one in self._registry.actions.all() if scope.account == account]
        self._run_due(mine, now)
        return min((at for _, one in mine if (at := next_run(one, one.done)) is not None), default=None)

    def _run_due(self, actions: list[tuple[Scope, ScheduledAction]], now: float) -> None:
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
