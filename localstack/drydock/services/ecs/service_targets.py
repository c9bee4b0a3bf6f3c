"""What load balancers say of a service's tasks, and what its events tell of it."""

from __future__ import annotations

from drydock import durations
from drydock.services.ecs.balancing import Balancing, TargetHealth
from drydock.services.ecs.model import Target, Task
from drydock.services.ecs.service_story import Story
from drydock.store import Collection, Scope


class Targets:
    """Asked anew in each look of a service's scheduler."""

    def __init__(self, balancing: Balancing, scope: Scope, tasks: Collection[Task], story: Story) -> None:
        self._balancing = balancing
        self._scope = scope
        self._tasks = tasks
        self._story = story
        self._found: dict[str, list[tuple[Target, TargetHealth]]] = {}

    async def ask(self, tasks: list[Task]) -> float | None:
        """How each task's targets are; tells of those that were registered and deregistered. Lab seconds after which to
        ask again, None if no task has targets."""
        balanced = [task for task in tasks if task.targets]
        for task in balanced:
            if task.desired_status == "RUNNING" and task.last_status == "RUNNING":
                self._found[task.arn] = [
                    (target, await self._balancing.health(self._scope, target)) for target in task.targets
                ]
        self._tell("registered", balanced)
        draining = self._tell("deregistered", balanced)
        if draining:
            self._story.tell(f"has begun draining connections on {draining} tasks.")
        return durations.TARGETS_LOOKED_AT if balanced else None

    def _tell(self, state: str, tasks: list[Task]) -> int:
        """The number of tasks that have come into the state since the last time."""
        counts: dict[str, int] = {}
        changed = 0
        for task in tasks:
            news = [target for target in task.targets if target.state == state and target.told != state]
            for target in news:
                target.told = state
                counts[target.group_arn] = counts.get(target.group_arn, 0) + 1
            if news:
                changed += 1
                self._tasks.put(self._scope, task.arn, task)
        for arn, count in counts.items():
            self._story.tell(f"{state} {count} targets in (target-group {arn})")
        return changed

    def health_of(self, task: Task, in_grace: bool) -> str:
        """HEALTHY in all target groups, UNHEALTHY in one (but not ``in_grace``), or UNKNOWN."""
        found = self._found.get(task.arn, [])
        if any(health.state == "unhealthy" for _, health in found) and not in_grace:
            return "UNHEALTHY"
        return "HEALTHY" if found and all(health.state == "healthy" for _, health in found) else "UNKNOWN"

    def why_unhealthy(self, task: Task) -> tuple[str, str]:
        """The event, and the task's ``stoppedReason``."""
        target, health = next((t, h) for t, h in self._found[task.arn] if h.state == "unhealthy")
        who = f"(task {task.id})" if task.interfaces else f"(instance {target.id})"
        group = f"(target-group {target.group_arn})"
        event = f"{who} (port {target.port}) is unhealthy in {group} due to (reason {health.reason})."
        return event, f"Task failed ELB health checks in {group}"
