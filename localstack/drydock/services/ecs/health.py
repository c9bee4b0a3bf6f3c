"""Container health checks: one container's health from the results of its check command. Pure.

Source: "Determine Amazon ECS task health using container health checks" and the API reference of HealthCheck.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Check:
    """A container's check, defaults filled in. Seconds of lab time; ``timeout`` is a budget for real work."""

    command: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 5.0
    retries: int = 3
    start_period: float = 0.0

    @classmethod
    def of(cls, document: dict[str, Any]) -> Check:
        """From a container definition's ``healthCheck``."""
        command = list(document["command"])
        if command and command[0] == "CMD-SHELL":
            argv = ("/bin/sh", "-c", *command[1:])
        elif command and command[0] == "CMD":
            argv = tuple(command[1:])
        else:
            argv = tuple(command)
        return cls(
            argv,
            float(document.get("interval", 30)),
            float(document.get("timeout", 5)),
            int(document.get("retries", 3)),
            float(document.get("startPeriod", 0)),
        )


@dataclass(frozen=True)
class Health:
    """``UNKNOWN`` until the first check has passed or too many have failed."""

    status: str = "UNKNOWN"
    failures: int = 0


def after(health: Health, check: Check, passed: bool, since_start: float) -> Health:
    """One success makes healthy; ``retries`` failures in a row make unhealthy, but failures within the start period do
    not count until a check has passed."""
    if passed:
        return Health("HEALTHY", 0)
    if since_start < check.start_period and health.status == "UNKNOWN":
        return health
    failures = health.failures + 1
    return Health("UNHEALTHY", failures) if failures >= check.retries else replace(health, failures=failures)
