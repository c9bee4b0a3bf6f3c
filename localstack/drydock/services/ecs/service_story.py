"""The events of a service, word for word as AWS writes them ("Viewing Amazon ECS service event messages")."""

from __future__ import annotations

from drydock.services.ecs.placement import CLOSEST, Host
from drydock.services.ecs.service_model import MOST_EVENTS, Event, Service
from drydock.services.service import Platform
from drydock.store import Scope

REPEATED_AFTER = 6 * 3600.0
"""Lab seconds after which a lasting condition is told again"""
TROUBLESHOOTING = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


class Story:
    """Writes them. A condition that lasts (``lasting``) is told once, and again after six hours or when it was over in
    between; ``over`` says that it is."""

    def __init__(self, platform: Platform, scope: Scope, service: Service) -> None:
        self._platform = platform
        self._scope = scope
        self._service = service

    def tell(self, text: str, task_set: str = "") -> None:
        """``(service web) <text>``"""
        who = f"{self._service.name}, taskSet {task_set}" if task_set else self._service.name
        message = f"(service {who}) {text}"
        number = self._platform.ids.uuid(self._scope, "service-event", self._service.arn)
        now = self._platform.clock(self._scope.account).now()
        self._service.events = [*self._service.events, Event(number, now, message)][-MOST_EVENTS:]

    def lasting(self, kind: str, text: str) -> None:
        """``kind`` names the condition; another text of the same kind is news."""
        now = self._platform.clock(self._scope.account).now()
        key = f"{kind}|{text}"
        told = self._service.said.get(key)
        if told is not None and now - told < REPEATED_AFTER:
            return
        self.over(kind)
        self._service.said[key] = now
        self.tell(text)

    def over(self, *kinds: str) -> None:
        """These conditions do not hold any more."""
        said = self._service.said
        self._service.said = {key: at for key, at in said.items() if key.partition("|")[0] not in kinds}

    def is_told(self, kind: str) -> bool:
        """Whether a condition of the kind holds."""
        return any(key.partition("|")[0] == kind for key in self._service.said)


def named(kind: str, names: list[str]) -> str:
    """``(task 1) (task 2)``"""
    return " ".join(f"({kind} {name})" for name in names)


def unplaced(closest: tuple[Host, str] | None, provider: bool) -> str:
    """Why no instance takes a task."""
    start = "was unable to place a task because no container instance met all of its requirements."
    if closest is None:
        where = "capacity provider" if provider else "cluster"
        return f"{start} Reason: No Container Instances were found in your {where}. {TROUBLESHOOTING}"
    host, reason = closest
    told = CLOSEST.get(reason, f'encountered error "{reason}".')
    return f"{start} The closest matching (container-instance {host.id}) {told} {TROUBLESHOOTING}"
