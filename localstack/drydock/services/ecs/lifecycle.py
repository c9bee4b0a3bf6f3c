"""The life of a task, as a table.

1. A task moves along one line; it never goes back.
2. In every state there is one piece of work. When it is done, the task goes to ``then``.
3. If the task is to stop (``desiredStatus`` STOPPED), it goes to ``when_stopping`` instead: what was never started
   need not be stopped, but what was attached must be detached.
4. RUNNING has no end of its own: only stopping ends it.

Source: "Amazon ECS task lifecycle".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One state. ``work`` is the name of what the controller does in it."""

    work: str
    then: str | None
    when_stopping: str | None


LIFE: dict[str, Stage] = {
    "PROVISIONING": Stage("attach the network interface", "PENDING", "DEPROVISIONING"),
    "PENDING": Stage("pull images, start the containers", "ACTIVATING", "DEACTIVATING"),
    "ACTIVATING": Stage("register with load balancers", "RUNNING", "DEACTIVATING"),
    "RUNNING": Stage("watch the containers", None, "DEACTIVATING"),
    "DEACTIVATING": Stage("deregister from load balancers", "STOPPING", "STOPPING"),
    "STOPPING": Stage("stop the containers", "DEPROVISIONING", "DEPROVISIONING"),
    "DEPROVISIONING": Stage("delete the network interface", "STOPPED", "STOPPED"),
    "STOPPED": Stage("nothing", None, None),
}

WITH_PROCESSES = frozenset({"PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING"})
"""States in which a container of the task may have a process"""


def following(status: str, stopping: bool) -> str | None:
    """The state after ``status`` when its work is done; None where the task stays.

    Raises KeyError for what is not a state.
    """
    stage = LIFE[status]
    return stage.when_stopping if stopping else stage.then
