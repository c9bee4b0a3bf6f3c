"""A service's deployments: begun, completed, failed, rolled back. State only; what it means for tasks is decided
elsewhere.

1. A deployment is PRIMARY from its beginning; the one before it stays ACTIVE until the new one has completed.
2. It has completed when as many tasks as wanted are steady and nothing is left of the older ones.
3. One that fails (circuit breaker, alarm, StopServiceDeployment) stays among the deployments as ACTIVE and FAILED; with roll-back
   the last completed one becomes PRIMARY again, under its own id.
4. Each change of what is to run is also a service deployment, a record that stays.

Sources: "Deploy Amazon ECS services by replacing tasks", "View service history using Amazon ECS service deployments", and
answers of AWS.
"""

from __future__ import annotations

import string
from typing import Any

from drydock.services.ecs import scheduling
from drydock.services.ecs.model import TaskDefinition
from drydock.services.ecs.service_model import Deployment, Revision, Service, ServiceDeployment
from drydock.services.ecs.service_story import Story
from drydock.services.service import Platform
from drydock.store import Collection, Scope

_LETTERS = string.ascii_letters + string.digits + "_-"
FINISHED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")


class Rollout:
    """Of one service."""

    def __init__(
        self,
        platform: Platform,
        scope: Scope,
        service: Service,
        revisions: Collection[Revision],
        records: Collection[ServiceDeployment],
    ) -> None:
        self._platform = platform
        self._scope = scope
        self._service = service
        self._revisions = revisions
        self._records = records
        self.story = Story(platform, scope, service)

    @property
    def _now(self) -> float:
        return self._platform.clock(self._scope.account).now()

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:ecs:{self._scope.region}:{self._scope.account}:{kind}/{self._service.key}/{name}"

    def revision(self, definition: TaskDefinition, **where: Any) -> Revision:
        """A new one, kept; ``where`` says how its tasks are launched."""
        number = _digits(self._platform.ids.digest(self._scope, "service-revision", self._service.arn))
        made = Revision(
            arn=self._arn("service-revision", number),
            service_arn=self._service.arn,
            cluster_arn=self._service.cluster_arn,
            task_definition_arn=definition.arn,
            created_at=self._now,
            images=[{"containerName": c["name"], "image": c["image"]} for c in definition.containers],
            **where,
        )
        self._revisions.put(self._scope, made.arn, made)
        return made

    def begin(self, revision: Revision) -> Deployment:
        """A new primary deployment. One that was still on its way is given up."""
        service, now = self._service, self._now
        id = f"ecs-svc/{_digits(self._platform.ids.digest(self._scope, 'deployment', service.arn))}"
        sources = [deployment.revision_arn for deployment in service.deployments]
        earlier = service.primary
        if earlier is not None:
            if record := self._open_record(earlier):
                record.stopped_at = now
                self._finish(record, "STOPPED", "")
            earlier.status = "ACTIVE"
        record = self._record(id, revision, sources)
        made = Deployment(
            id=id,
            revision_arn=revision.arn,
            created_at=now,
            updated_at=now,
            desired_count=service.desired_count,
            rollout_reason=f"ECS deployment {id} in progress.",
            service_deployment_arn=record.arn,
        )
        service.deployments.insert(0, made)
        service.failed_starts, service.next_start = 0, 0.0
        return made

    def _record(self, deployment_id: str, revision: Revision, sources: list[str]) -> ServiceDeployment:
        digest = self._platform.ids.digest(self._scope, "service-deployment", self._service.arn)
        name = "".join(_LETTERS[byte % 64] for byte in digest[:21])
        now, breaker, alarms = self._now, self._service.breaker["enable"], self._service.alarms
        record = ServiceDeployment(
            arn=self._arn("service-deployment", name),
            service_arn=self._service.arn,
            cluster_arn=self._service.cluster_arn,
            deployment_id=deployment_id,
            target=revision.arn,
            sources=sources,
            created_at=now,
            updated_at=now,
            configuration=self._service.configuration,
            breaker="MONITORING" if breaker else "DISABLED",
            threshold=scheduling.failure_threshold(self._service.desired_count) if breaker else 0,
            alarms="MONITORING" if alarms["enable"] else "DISABLED",
            alarm_names=list(alarms["alarmNames"]) if alarms["enable"] else [],
        )
        self._records.put(self._scope, record.arn, record)
        return record

    def _open_record(self, deployment: Deployment) -> ServiceDeployment | None:
        record = self._records.get(self._scope, deployment.service_deployment_arn)
        return record if record is not None and record.status not in FINISHED else None

    def started(self) -> None:
        """The scheduler has taken up the primary deployment."""
        primary = self._service.primary
        record = self._open_record(primary) if primary else None
        if record is not None and record.status == "PENDING":
            record.status, record.started_at, record.updated_at = "IN_PROGRESS", self._now, self._now
            self._records.put(self._scope, record.arn, record)

    def count_failures(self, failed: int, steady: bool) -> None:
        """``failed`` tasks of the primary deployment more; ``steady`` if one of its tasks has proved itself, which sets
        the count back."""
        primary = self._service.primary
        if primary is None or primary.rollout_state != "IN_PROGRESS":
            return
        primary.failed_tasks = 0 if steady else primary.failed_tasks + failed
        if record := self._open_record(primary):
            record.failures = primary.failed_tasks
            self._records.put(self._scope, record.arn, record)

    @property
    def is_broken(self) -> bool:
        """Whether the circuit breaker opens."""
        service, primary = self._service, self._service.primary
        threshold = scheduling.failure_threshold(service.desired_count)
        return (
            primary is not None
            and service.breaker["enable"]
            and primary.rollout_state == "IN_PROGRESS"
            and primary.failed_tasks >= threshold
        )

    def break_off(self) -> None:
        """The circuit breaker has opened: the deployment has failed, and is rolled back if that is wanted."""
        primary = self._service.primary
        assert primary is not None
        self.story.tell(f"(deployment {primary.id}) deployment failed: tasks failed to start.")
        record = self._fail(primary, "ECS deployment circuit breaker: tasks failed to start.")
        if record is not None:
            record.breaker = "TRIGGERED"
        if not self._service.breaker["rollback"]:
            if record is not None:
                record.stopped_at = self._now
                self._finish(record, "STOPPED", "")
            return
        reason = "Service deployment rolled back because the circuit breaker threshold was exceeded."
        if self.roll_back(primary, reason, "ECS deployment circuit breaker: rolling back to deploymentId {}."):
            self.story.tell(f"rolling back to deployment {self._service.deployments[0].id}.")

    def alarm_detected(self, names: list[str]) -> None:
        """Alarms are in ALARM: the deployment has failed, and is rolled back if that is wanted."""
        primary = self._service.primary
        assert primary is not None
        self.story.tell(f"(deployment {primary.id}) deployment failed: alarm detected.")
        record = self._fail(primary, "ECS deployment failed: alarm detected.")  # (?)
        if record is not None:
            record.alarms, record.triggered = "TRIGGERED", names
        if not self._service.alarms["rollback"]:
            if record is not None:
                record.stopped_at = self._now
                self._finish(record, "STOPPED", "")
            return
        reason = "Service deployment rolled back because a CloudWatch alarm was triggered."  # (?)
        if self.roll_back(primary, reason, "ECS deployment alarm detected: rolling back to deploymentId {}."):  # (?)
            self.story.tell(f"rolling back to deployment {self._service.deployments[0].id}.")

    def roll_back(self, failed: Deployment, reason: str, told: str) -> bool:
        """To the last completed deployment; False if there is none (the failed one then stays as it is, stalled)."""
        service, now = self._service, self._now
        record = self._open_record(failed)
        target = next((d for d in service.deployments if d is not failed and d.rollout_state == "COMPLETED"), None)
        if target is None:
            if record is not None:
                self._finish(record, "ROLLBACK_FAILED", "No rollback candidate was found to run the rollback.")
            return False
        failed.status = "ACTIVE"
        target.status, target.rollout_state, target.updated_at = "PRIMARY", "IN_PROGRESS", now
        target.rollout_reason = told.format(target.id)
        target.failed_tasks = 0
        service.deployments.remove(target)
        service.deployments.insert(0, target)
        service.failed_starts, service.next_start = 0, 0.0
        if record is not None:
            record.status, record.updated_at = "ROLLBACK_IN_PROGRESS", now
            record.rollback = {"reason": reason, "startedAt": now, "serviceRevisionArn": target.revision_arn}
            self._records.put(self._scope, record.arn, record)
            target.service_deployment_arn = record.arn
        return True

    def stop(self) -> None:
        """StopServiceDeployment: the deployment that is on its way is rolled back."""
        primary = self._service.primary
        assert primary is not None
        told = "Service deployment rolled back because it was stopped by the user."  # (?)
        self._fail(primary, "ECS deployment was stopped by the user.")  # (?)
        self.roll_back(primary, told, "ECS deployment rolling back to deploymentId {}.")  # (?)

    def _fail(self, deployment: Deployment, reason: str) -> ServiceDeployment | None:
        deployment.rollout_state, deployment.rollout_reason = "FAILED", reason
        deployment.updated_at, deployment.desired_count = self._now, 0
        return self._open_record(deployment)

    def complete(self) -> None:
        """The primary deployment is steady: the others have gone."""
        service, primary, now = self._service, self._service.primary, self._now
        assert primary is not None
        primary.rollout_state, primary.rollout_reason = "COMPLETED", f"ECS deployment {primary.id} completed."
        primary.updated_at, primary.failed_tasks, primary.bakes_until = now, 0, 0.0
        service.deployments = [primary]
        record = self._open_record(primary)
        if record is not None:
            if record.breaker == "MONITORING":
                record.breaker = "MONITORING_COMPLETE"
            if record.alarms == "MONITORING":
                record.alarms = "MONITORING_COMPLETE"
            if record.rollback:
                self._finish(record, "ROLLBACK_SUCCESSFUL", record.rollback["reason"])
            else:
                self._finish(record, "SUCCESSFUL", "")
        self.story.tell(f"(deployment {primary.id}) deployment completed.")

    def _finish(self, record: ServiceDeployment, status: str, reason: str) -> None:
        record.status, record.status_reason = status, reason
        record.finished_at = record.updated_at = self._now
        self._records.put(self._scope, record.arn, record)


def _digits(digest: bytes) -> str:
    """19 of them, as in the ids of deployments and revisions."""
    return str(10**18 + int.from_bytes(digest[:16], "big") % (9 * 10**18))
