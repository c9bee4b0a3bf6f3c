"""Service-linked roles: those that a service makes for itself, with AWS's names, trust and policy.

Source: "AWS services that work with IAM" and each service's page on its service-linked role.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from drydock.request import Request
from drydock.services.iam import managed, rules
from drydock.services.iam.base import IamOperations, Params
from drydock.services.iam.directory import scope_of
from drydock.services.iam.model import Role, role_shape


class Linked(NamedTuple):
    """A service's role: its name, and AWS's policy for it."""

    role: str
    policy: str


LINKED = {
    "ecs.amazonaws.com": Linked("AWSServiceRoleForECS", "AmazonECSServiceRolePolicy"),
    "elasticloadbalancing.amazonaws.com": Linked(
        "AWSServiceRoleForElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy"
    ),
    "autoscaling.amazonaws.com": Linked("AWSServiceRoleForAutoScaling", "AutoScalingServiceRolePolicy"),
    "ecs.application-autoscaling.amazonaws.com": Linked(
        "AWSServiceRoleForApplicationAutoScaling_ECSService", "AWSApplicationAutoscalingECSServicePolicy"
    ),
    "events.amazonaws.com": Linked("AWSServiceRoleForCloudWatchEvents", "CloudWatchEventsServiceRolePolicy"),
    "redshift.amazonaws.com": Linked("AWSServiceRoleForRedshift", "AmazonRedshiftServiceLinkedRolePolicy"),
    "ssm.amazonaws.com": Linked("AWSServiceRoleForAmazonSSM", "AmazonSSMServiceRolePolicy"),
    "spot.amazonaws.com": Linked("AWSServiceRoleForEC2Spot", "AWSEC2SpotServiceRolePolicy"),
    "replication.ecr.amazonaws.com": Linked("AWSServiceRoleForECRReplication", "ECRReplicationServiceRolePolicy"),
    "codestar-notifications.amazonaws.com": Linked(
        "AWSServiceRoleForCodeStarNotifications", "AWSCodeStarNotificationsServiceRolePolicy"
    ),
}
SUFFIXED = ("autoscaling.amazonaws.com",)


class ServiceLinkedRoles(IamOperations):
    """Operations on service-linked roles."""

    def create_service_linked_role(self, request: Request, params: Params) -> dict[str, Any]:
        """CreateServiceLinkedRole."""
        service, suffix = params["AWSServiceName"], params.get("CustomSuffix")
        known = LINKED.get(service)
        if known is None:
            raise rules.invalid_input(f"Service role is not supported for {service} or you may not have permission.")
        if suffix and service not in SUFFIXED:
            raise rules.invalid_input(f"Custom suffix is not allowed for {service}")
        name = rules.check_name("roleName", f"{known.role}_{suffix}" if suffix else known.role)
        if self.directory.roles.get(request.global_scope, name.lower()):
            raise rules.invalid_input(
                f"Service role name {name} has been taken in this account, please try a different suffix."
            )
        role = self._make(request.account, service, name, params.get("Description"))
        return {"Role": role_shape(role)}

    def ensure_service_linked_role(self, account: str, service: str) -> str:
        """The ARN of a service's own role in the account, made if it is not there yet (as AWS's services do when they
        are first used). ``service`` must be one of LINKED."""
        known = LINKED[service]
        role = self.directory.roles.get(scope_of(account), known.role.lower())
        return (role or self._make(account, service, known.role, None)).arn

    def _make(self, account: str, service: str, name: str, description: str | None) -> Role:
        path = f"/aws-service-role/{service}/"
        arn = f"arn:aws:iam::{account}:role{path}{name}"
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        policy = managed.named(LINKED[service].policy)
        role = Role(
            name=name,
            path=path,
            id=self.directory.unique_id(account, "AROA", arn),
            arn=arn,
            created=self.platform.clock(account).now(),
            trust=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
            description=description,
            service=service,
            attached=[policy.arn] if policy else [],
        )
        self.directory.put(account, role)
        return role

    def delete_service_linked_role(self, request: Request, params: Params) -> dict[str, Any]:
        """DeleteServiceLinkedRole: it is gone at once; the task id is for asking."""
        role = self.directory.role(request.account, params["RoleName"])
        if not role.service:
            raise rules.invalid_input(f"The role {role.name} is not a service-linked role.")
        self.directory.forget(request.account, self.directory.roles, role.name)
        task = self.platform.ids.uuid(request.global_scope, "role-deletion", role.arn)
        return {"DeletionTaskId": f"task{role.path}{role.name}/{task}"}

    def get_service_linked_role_deletion_status(self, request: Request, params: Params) -> dict[str, Any]:
        """GetServiceLinkedRoleDeletionStatus. A task id names its role; one that is no task's is NoSuchEntity."""
        task = params["DeletionTaskId"]
        parts = task.split("/")
        if len(parts) != 5 or parts[:2] != ["task", "aws-service-role"] or parts[2] not in LINKED:
            raise rules.no_such(f"Deletion task {task} cannot be found.")
        return {"Status": "SUCCEEDED"}
