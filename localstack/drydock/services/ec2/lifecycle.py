"""The life of an EC2 instance, as data.

1. A client's request only asks (moto puts the instance into ``pending``, ``stopping`` or ``shutting-down``); what the
   machine does takes it from there.
2. ``running`` is shown while the machine's first process runs. Booting again (a reboot, the end of the host) happens
   within ``running`` for the first and by way of ``pending`` for the second.
3. From ``stopped`` on there is no process; from ``terminated`` on there is no disk either.

Source: "Amazon EC2 instance state changes" of the EC2 User Guide.
"""

from __future__ import annotations

from typing import Literal

State = Literal["pending", "running", "stopping", "stopped", "shutting-down", "terminated"]
Event = Literal[
    "booted", "not booted", "host lost", "asked to stop", "asked to terminate", "asked to start", "ended", "failed"
]

LIFE: dict[str, dict[str, str]] = {
    "pending": {"booted": "running", "not booted": "terminated", "asked to terminate": "shutting-down"},
    "running": {
        "host lost": "pending",
        "asked to stop": "stopping",
        "asked to terminate": "shutting-down",
        "failed": "stopping",
    },
    "stopping": {"ended": "stopped", "asked to terminate": "shutting-down"},
    "stopped": {"asked to start": "pending", "asked to terminate": "shutting-down"},
    "shutting-down": {"ended": "terminated"},
    "terminated": {},
}
AT_REST = ("stopped", "terminated")
"""Nothing happens by itself any more"""
WITH_PROCESS = ("pending", "running", "stopping", "shutting-down")
"""States in which there may be one"""

REASONS: dict[str, tuple[str, str, str]] = {
    "not booted": ("Server.InternalError", "Server.InternalError", "Server.InternalError: Internal error on launch"),
    "failed": ("Server.InternalError", "Server.InternalError", "Server.InternalError: Internal error"),
    "shut down inside": (
        "Client.InstanceInitiatedShutdown",
        "Client.InstanceInitiatedShutdown",
        "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
    ),
}
"""(StateTransitionReason, StateReason's code and message) of what no request asked for ("StateReason" in the EC2 API
Reference)"""


def from_states(event: Event) -> list[str]:
    """The states in which an event can happen."""
    return [state for state, events in LIFE.items() if event in events]


def following(state: str, event: Event) -> str | None:
    """Where it leads; None if it cannot happen there."""
    return LIFE[state].get(event)
