"""Operations on service deployments and service revisions.

Source: "View service history using Amazon ECS service deployments" and the API reference. The messages marked with (?) say
the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import rules
from drydock.services.ecs.capacity_providers import CapacityProviderOperations
from drydock.services.ecs.paging import page
from drydock.services.ecs.rollout import FINISHED
from drydock.services.ecs.service_model import Service, ServiceDeployment
from drydock.store import Scope

Params = dict[str, Any]
DEFAULT_PAGE, MOST_DESCRIBED = 20, 20
STATUSES = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", *FINISHED)


class ServiceDeploymentOperations(CapacityProviderOperations):
    """ListServiceDeployments, DescribeServiceDeployments, DescribeServiceRevisions, StopServiceDeployment."""

    def list_service_deployments(self, request: Request, params: Params) -> dict[str, Any]:
        """Of one service, the newest first."""
        scope = request.scope
        cluster = self.active_cluster(scope, params.get("cluster"))
        service = self.find_service(scope, cluster, params["service"])
        wanted, created = params.get("status", []), params.get("createdAt", {})
        for status in wanted:
            if status not in STATUSES:
                raise rules.invalid(f"Invalid status: {status}")  # (?)
        found = {
            record.arn: record
            for record in self.records.of(scope)
            if record.service_arn == service.arn
            and record.created_at >= service.created_at
            and (not wanted or record.status in wanted)
            and _within(record.created_at, created)
        }
        order = {arn: number for number, arn in enumerate(found)}
        given = {"maxResults": DEFAULT_PAGE, **params}
        shown, token = page(list(found), given, key=lambda arn: order.get(arn, -1), descending=True)
        return {"serviceDeployments": [found[arn].brief() for arn in shown], **token}

    def describe_service_deployments(self, request: Request, params: Params) -> dict[str, Any]:
        """What is not there is a failure with the reason MISSING."""
        arns: list[str] = params["serviceDeploymentArns"]
        if not 1 <= len(arns) <= MOST_DESCRIBED:
            raise rules.invalid(f"serviceDeploymentArns can have at most {MOST_DESCRIBED} items.")  # (?)
        found, failures = [], []
        for arn in arns:
            record = self.records.get(request.scope, arn)
            if record is None:
                failures.append({"arn": arn, "reason": "MISSING"})
                continue
            service = self._service_of(request.scope, record)
            found.append(record.describe(self.counts_by_revision(request.scope, service) if service else {}))
        return {"serviceDeployments": found, "failures": failures}

    def describe_service_revisions(self, request: Request, params: Params) -> dict[str, Any]:
        """What is not there is a failure with the reason MISSING."""
        arns: list[str] = params["serviceRevisionArns"]
        if not 1 <= len(arns) <= MOST_DESCRIBED:
            raise rules.invalid(f"serviceRevisionArns can have at most {MOST_DESCRIBED} items.")  # (?)
        found = [revision for arn in arns if (revision := self.revisions.get(request.scope, arn)) is not None]
        known = {revision.arn for revision in found}
        return {
            "serviceRevisions": [revision.describe() for revision in found],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known],
        }

    def stop_service_deployment(self, request: Request, params: Params) -> dict[str, Any]:
        """The one that is on its way is rolled back to the last that completed."""
        kind = params.get("stopType", "ROLLBACK")
        if kind != "ROLLBACK":
            raise rules.invalid("The valid value of stopType is ROLLBACK.")  # (?)
        record = self.records.get(request.scope, params["serviceDeploymentArn"])
        service = self._service_of(request.scope, record) if record else None
        if record is None or service is None:
            raise AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")  # (?)
        current = service.primary
        if (
            current is None
            or current.service_deployment_arn != record.arn
            or record.status in FINISHED
            or record.rollback
        ):
            raise AwsError(
                "ConflictException", f"The service deployment is in the status {record.status} and cannot be stopped."
            )  # (?)
        self.rollout_of(request.scope, service).stop()
        self.services.put(request.scope, service.key, service)
        self.services_controller.notice(request.scope, service.key)
        return {"serviceDeploymentArn": record.arn}

    def _service_of(self, scope: Scope, record: ServiceDeployment) -> Service | None:
        service = self.services.get(scope, record.service_arn.partition("service/")[2])
        return service if service is not None and service.arn == record.service_arn else None


def _within(at: float, created: dict[str, Any]) -> bool:
    """``created`` has datetimes ``after`` and ``before``."""
    after, before = created.get("after"), created.get("before")
    return (after is None or at >= after.timestamp()) and (before is None or at <= before.timestamp())
