"""What a service's scheduler does in one look: account for tasks that ended, decide, start, stop, tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drydock import durations
from drydock.services.ecs import placement, scheduling
from drydock.services.ecs.deployment_alarms import POLL, DeploymentAlarms
from drydock.services.ecs.model import Task
from drydock.services.ecs.rollout import Rollout
from drydock.services.ecs.scheduling import Ended, Limits, Plan, Seen
from drydock.services.ecs.service_model import Deployment, Service, TaskSet
from drydock.services.ecs.service_targets import Targets
from drydock.services.ecs.starting import NotStarted, Starter
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ecs.api import Ecs

MOST_STARTS = 100
"""In one look"""
SCHEDULER = "ServiceSchedulerInitiated"
STARTS_WITHIN = 2.0
"""Real seconds that a program has at least until it must answer its load balancer: it does not start faster because the lab
clock does"""


@dataclass
class _Batch:
    """Tasks of one deployment or task set, and how many there should be."""

    id: str
    revision_arn: str
    desired: int
    limits: Limits
    task_set: str = ""


class ServiceWork:
    """Made anew for each look."""

    def __init__(self, ecs: Ecs, scope: Scope, service: Service) -> None:
        self._ecs = ecs
        self._scope = scope
        self._service = service
        self._clock = ecs.platform.clock(scope.account)
        self._now = self._clock.now()
        self._wakes: list[float] = []
        self.rollout = Rollout(ecs.platform, scope, service, ecs.revisions, ecs.records)
        self._alarms = DeploymentAlarms(ecs.platform, scope, service, ecs.records)
        self._story = self.rollout.story
        self._starter = Starter(ecs, scope, service)
        self._targets = Targets(ecs.controller.balancing, scope, ecs.tasks, self._story)

    async def look(self) -> float | None:
        """When to look again at the latest (lab time); None: when something changes."""
        service = self._service
        if asked := await self._targets.ask(self._tasks()):
            self._wakes.append(self._clock.now() + asked)
        self._account()
        tasks = self._tasks()
        if service.status == "DRAINING":
            self._drain(tasks)
        elif service.controller == "EXTERNAL":
            await self._keep_task_sets(tasks)
        elif service.primary is not None:
            self.rollout.started()
            if self.rollout.is_broken:
                self.rollout.break_off()
            else:
                await self._watch_alarms(service.primary, tasks)
            await self._keep_deployment(service.primary, tasks)
        self._keep()
        return min(self._wakes, default=None)

    def _keep(self) -> None:
        self._ecs.services.put(self._scope, self._service.key, self._service)

    def _tasks(self) -> list[Task]:
        """That run or are to run, oldest first."""
        return [task for task in self._ecs.tasks_of_service(self._scope, self._service) if task.is_active]

    # -- health
    def _has_check(self, task: Task) -> bool:
        return self._ecs.has_health_check(self._scope, task)

    def _health_of(self, task: Task) -> str:
        """Of its containers' checks and its targets together."""
        if not task.targets or task.health == "UNHEALTHY":
            return task.health
        grace = max(self._service.grace or 0, STARTS_WITHIN * self._clock.speed)
        until = task.times.get("startedAt", self._now) + grace
        if until > self._now:
            self._wakes.append(until)
        found = self._targets.health_of(task, in_grace=until > self._now)
        return "UNKNOWN" if found == "HEALTHY" and self._has_check(task) and task.health != "HEALTHY" else found

    async def _watch_alarms(self, primary: Deployment, tasks: list[Task]) -> None:
        """One that is in ALARM ends the deployment."""
        running = any(task.started_by == primary.id and task.last_status == "RUNNING" for task in tasks)
        ringing = await self._alarms.ask(primary, running)
        if ringing and self._service.primary is primary:
            self.rollout.alarm_detected(ringing)
        elif self._alarms.watches(primary):
            self._wakes.append(self._now + POLL)

    # -- tasks that ended
    def _account(self) -> None:
        """Every task that ends is counted once: for the circuit breaker, and for the throttle."""
        service, primary, failed, failed_starts = self._service, self._service.primary, 0, 0
        for task in self._ecs.tasks_of_service(self._scope, service):
            if task.desired_status != "STOPPED" or task.accounted:
                continue
            task.accounted = True
            self._ecs.tasks.put(self._scope, task.arn, task)
            ended = Ended(task.stop_code or "", "startedAt" in task.times, task.failed_checks)
            if primary is None or task.started_by == primary.id:
                failed += scheduling.is_failure(ended)
                failed_starts += scheduling.is_failed_start(ended)
        if failed:
            self.rollout.count_failures(failed, steady=False)
        if failed_starts:
            service.failed_starts += failed_starts
            delay = scheduling.delay_after(service.failed_starts)
            if delay:
                service.next_start = self._now + delay
                self._story.lasting(
                    "throttled",
                    "is unable to consistently start tasks successfully. For more information, see the Troubleshooting "
                    "section of the Amazon ECS Developer Guide.",
                )

    # -- the ECS controller: rolling deployments
    async def _keep_deployment(self, primary: Deployment, tasks: list[Task]) -> None:
        service = self._service
        live = [task for task in tasks if task.desired_status == "RUNNING"]
        eligible = None
        if service.strategy_kind == "DAEMON":
            eligible = self._starter.daemon_hosts(primary.revision_arn)
            live = [task for task in live if not self._leaves_last(task)]
        desired = service.desired_count if eligible is None else len(eligible)
        if eligible is not None:
            service.desired_count = desired
        stalled = primary.rollout_state == "FAILED"
        if not stalled:
            primary.desired_count = desired
        for older in service.deployments[1:]:
            older.desired_count = sum(task.started_by == older.id for task in live)
        seen = [self._seen(task, primary.id, eligible) for task in live]
        self._prove(live, seen, primary)
        self._note_images(primary.id, primary.revision_arn, live)
        limits = Limits.of(
            desired, service.configuration["minimumHealthyPercent"], service.configuration["maximumPercent"]
        )
        if stalled:  # nothing more is started, and what the older deployments have stays
            if desired == 0:
                self._stop(live, Plan(stop=tuple(task.arn for task in live)))
            return
        surplus = sum(not one.outdated and not one.unhealthy for one in seen) > desired
        plan = scheduling.plan(desired, limits, seen, self._removal_order(live) if surplus else ())
        self._stop(live, plan)
        batch = _Batch(primary.id, primary.revision_arn, desired, limits)
        if eligible is not None:
            stopped = {*plan.stop, *plan.stop_unhealthy}
            await self._start_daemons(batch, eligible, [task for task in live if task.arn not in stopped])
        else:
            sick = sum(one.unhealthy and not one.outdated for one in seen)
            await self._start(batch, plan.start, min(plan.start, sick))
        self._tell_blocked(plan)
        self._finish(primary, desired, tasks)

    def _seen(self, task: Task, deployment_id: str, eligible: dict[str, placement.Host] | None = None) -> Seen:
        protected = task.protected_until is not None and task.protected_until > self._now
        if protected and task.protected_until is not None:
            self._wakes.append(task.protected_until)
        elsewhere = eligible is not None and task.container_instance_arn not in eligible
        return Seen(
            name=task.arn,
            running=task.last_status == "RUNNING",
            health=self._health_of(task),
            outdated=task.started_by != deployment_id or elsewhere or self._ecs.is_draining(self._scope, task),
            protected=protected,
            checked=bool(task.targets) or self._has_check(task),
        )

    def _leaves_last(self, task: Task) -> bool:
        """A daemon stays on a draining instance as long as other tasks are there."""
        return self._ecs.is_draining(self._scope, task) and any(
            other.container_instance_arn == task.container_instance_arn
            and other.group != task.group
            and other.is_active
            for other in self._ecs.tasks.of(self._scope)
        )

    def _settles_at(self, task: Task) -> float:
        """Lab time from which on a running task has proved itself."""
        settle = durations.scaled(durations.DEPLOYMENT_SETTLES, self._ecs.controller.instant)
        return task.times.get("startedAt", self._now) + max(settle, min(1.0, settle) * self._clock.speed)

    def _prove(self, live: list[Task], seen: list[Seen], primary: Deployment) -> None:
        """A task of the primary deployment that is steady sets the counts of failures back."""
        for task, one in zip(live, seen, strict=True):
            if one.counts and task.started_by == primary.id and self._settles_at(task) <= self._now:
                self.rollout.count_failures(0, steady=True)
                self._service.failed_starts, self._service.next_start = 0, 0.0
                self._story.over("throttled")
                return

    def _note_images(self, started_by: str, revision_arn: str, live: list[Task]) -> None:
        """What the first running task's images were resolved to is kept in the revision."""
        revision = self._ecs.revisions.get(self._scope, revision_arn)
        first = next((t for t in live if t.started_by == started_by and t.last_status == "RUNNING"), None)
        if revision is None or first is None or any("imageDigest" in image for image in revision.images):
            return
        digests = {each.name: each.image_digest for each in first.containers if each.image_digest}
        if digests:
            revision.images = [
                image | {"imageDigest": digests[name]} if (name := image["containerName"]) in digests else image
                for image in revision.images
            ]
            self._ecs.revisions.put(self._scope, revision_arn, revision)

    def _finish(self, primary: Deployment, desired: int, tasks: list[Task]) -> None:
        """Completed, and steady, when every task has settled and nothing is left of what was stopped."""
        tasks = self._tasks()
        seen = [self._seen(task, primary.id) for task in tasks]
        if not scheduling.is_steady(desired, seen):
            self._story.over("steady")
            return
        last = max((self._settles_at(task) for task in tasks), default=self._now)
        if last > self._now:
            self._wakes.append(last)
            return
        if primary.rollout_state == "IN_PROGRESS":
            if (until := self._alarms.bakes_until(primary, self._now)) > self._now:
                self._wakes.append(until)
                return
            self._story.over("steady")
            self.rollout.complete()
            self._ecs.forget_definitions(self._scope)
        self._story.lasting("steady", "has reached a steady state.")
        self._story.over("blocked", "unplaced", "protected", "failed")
        self._wakes.append(self._now + 6 * 3600.0)

    def _tell_blocked(self, plan: Plan) -> None:
        if plan.blocked:
            self._story.lasting(
                "blocked",
                "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
                "Update the minimumHealthyPercent or maximumPercent value and try again.",
            )
        if plan.held and self._service.primary is not None:
            self._story.lasting(
                "protected",
                f"was unable to reach steady state because (taskSet {self._service.primary.id}) was unable to scale in due "
                f"to (reason {plan.held} tasks under protection)",
            )

    # -- starting and stopping
    async def _start(self, batch: _Batch, count: int, replaced: int = 0) -> list[Task]:
        """``replaced``: how many of them stand in for unhealthy ones."""
        if count <= 0:
            return []
        if self._service.next_start > self._now:
            self._wakes.append(self._service.next_start)
            return []
        started: list[Task] = []
        try:
            started = await self._starter.start(batch.revision_arn, batch.id, min(count, MOST_STARTS))
        except NotStarted as reason:
            started = reason.started
            self._story.lasting(reason.kind, str(reason))
            if reason.retry:
                self._wakes.append(self._now + reason.retry)
        if started:
            text = "has started {} tasks: {}."
            if replaced:
                text += f" Amazon ECS replaced {replaced} tasks due to an unhealthy status."
            self._tell(text, started, batch.task_set)
            self._story.over("steady")
        if 0 < len(started) < count:
            self._wakes.append(self._now)
        return started

    def _stop(self, live: list[Task], plan: Plan, task_set: str = "") -> None:
        by_arn = {task.arn: task for task in live}
        for arn in plan.stop_unhealthy:
            task = by_arn[arn]
            task.failed_checks = True
            told, reason = "failed container health checks.", "Task failed container health checks"
            if task.health != "UNHEALTHY" and task.targets:
                event, reason = self._targets.why_unhealthy(task)
                self._story.tell(event)
            else:
                self._story.tell(f"(task {task.id}) {told}")
            self._ecs.controller.stop_task(task, SCHEDULER, reason)
        chosen = [by_arn[arn] for arn in plan.stop]
        for task in chosen:
            reason = f"Scaling activity initiated by (deployment {task.started_by})"
            self._ecs.controller.stop_task(task, SCHEDULER, reason)
        gone = [*(by_arn[arn] for arn in plan.stop_unhealthy), *chosen]
        if gone:
            self._story.over("steady")
        running = [task for task in gone if task.last_status == "RUNNING"]
        if running:
            self._tell("has stopped {} running tasks: {}.", running, task_set)
        if len(gone) > len(running):
            self._story.tell(f"stopped {len(gone) - len(running)} pending tasks.", task_set)

    def _tell(self, text: str, tasks: list[Task], task_set: str = "") -> None:
        self._story.tell(text.format(len(tasks), " ".join(f"(task {task.id})" for task in tasks)), task_set)

    def _removal_order(self, live: list[Task]) -> tuple[str, ...]:
        """Of a scale-in."""
        service = self._service
        hosts = self._ecs.hosts(self._scope, service.cluster_arn)
        strategies = tuple(placement.Strategy(each["type"], each.get("field", "")) for each in service.strategies)
        pairs = [(task.arn, task.container_instance_arn) for task in live]
        if any(arn for _, arn in pairs):
            return tuple(placement.order_of_removal(pairs, strategies, service.group, hosts))
        zones = {task.arn: task.availability_zone for task in live}
        places = [placement.Host(zone, "", 0, 0, {"ecs.availability-zone": zone}) for zone in set(zones.values())]
        return tuple(placement.order_of_removal([(arn, zones[arn]) for arn, _ in pairs], (), service.group, places))

    async def _start_daemons(self, batch: _Batch, hosts: dict[str, placement.Host], live: list[Task]) -> None:
        taken = {task.container_instance_arn for task in live}
        free = [arn for arn in hosts if arn not in taken][: max(0, batch.limits.upper - len(live))]
        if not free:
            return
        if self._service.next_start > self._now:
            self._wakes.append(self._service.next_start)
            return
        started = self._starter.start_on(batch.revision_arn, batch.id, free)
        if started:
            self._tell("has started {} tasks: {}.", started)
            self._story.over("steady")

    # -- the EXTERNAL controller: task sets
    async def _keep_task_sets(self, tasks: list[Task]) -> None:
        for task_set in self._service.task_sets:
            live = [t for t in tasks if t.started_by == task_set.id and t.desired_status == "RUNNING"]
            desired = (
                0
                if task_set.status == "DRAINING"
                else scheduling.computed_count(self._service.desired_count, task_set.scale)
            )
            self._note_images(task_set.id, task_set.revision_arn, live)
            limits = Limits(0, max(desired, len(live)))
            plan = scheduling.plan(desired, limits, [self._seen(task, task_set.id) for task in live])
            self._stop(live, plan, task_set.id)
            batch = _Batch(task_set.id, task_set.revision_arn, desired, limits, task_set.id)
            await self._start(batch, plan.start)
            self._settle_task_set(task_set, desired)
        everything = {task.started_by for task in self._tasks()}
        self._service.task_sets = [
            one for one in self._service.task_sets if one.status != "DRAINING" or one.id in everything
        ]

    def _settle_task_set(self, task_set: TaskSet, desired: int) -> None:
        live = [task for task in self._tasks() if task.started_by == task_set.id]
        steady = scheduling.is_steady(desired, [self._seen(task, task_set.id) for task in live])
        stability = "STEADY_STATE" if steady else "STABILIZING"
        if stability != task_set.stability:
            task_set.stability, task_set.stability_at = stability, self._now

    # -- the end
    def _drain(self, tasks: list[Task]) -> None:
        live = [task for task in tasks if task.desired_status == "RUNNING"]
        self._stop(live, Plan(stop=tuple(task.arn for task in live)))
        if not tasks:
            self._service.status = "INACTIVE"
            self._ecs.forget_definitions(self._scope)
            self._service.task_sets = []
