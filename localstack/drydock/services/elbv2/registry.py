"""The resources of an account and region, and how they hang together. What the operations share."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeVar

from drydock.errors import AwsError
from drydock.request import Principal, Request
from drydock.services.elbv2 import errors
from drydock.services.elbv2.model import Listener, LoadBalancer, Rule, TargetGroup, groups_in
from drydock.services.service import Service
from drydock.store import Collection, Scope

if TYPE_CHECKING:
    from drydock.services.elbv2.controller import Controller

ELB = "elasticloadbalancing.amazonaws.com"
LARGEST_PAGE = 400
Params = dict[str, Any]
T = TypeVar("T")


class Registry(Service):
    """Finds things, by ARN or by name."""

    balancers: Collection[LoadBalancer]
    listeners: Collection[Listener]
    rules: Collection[Rule]
    groups: Collection[TargetGroup]
    controller: Controller

    async def ec2(self, scope: Scope, operation: str, params: Params) -> dict[str, Any]:
        """EC2's API, under the service-linked role. Raises AwsError."""
        principal = Principal.of_service(scope.account, ELB)
        return await self.platform.call(principal, scope.region, "ec2", operation, params)

    # -- one
    def balancer(self, scope: Scope, arn: str) -> LoadBalancer:
        """Raises LoadBalancerNotFound, or ValidationError for what is no ARN of one."""
        self._check_arn(arn, "loadbalancer/", "load balancer")
        found = self.balancers.get(scope, arn)
        if found is None or found.deleting:
            raise errors.no_load_balancer(arn)
        return found

    def listener(self, scope: Scope, arn: str) -> Listener:
        """Raises ListenerNotFound or ValidationError."""
        self._check_arn(arn, "listener/", "listener")
        found = self.listeners.get(scope, arn)
        if found is None:
            raise errors.no_listener(arn)
        return found

    def group(self, scope: Scope, arn: str) -> TargetGroup:
        """Raises TargetGroupNotFound or ValidationError."""
        self._check_arn(arn, "targetgroup/", "target group")
        found = self.groups.get(scope, arn)
        if found is None:
            raise errors.no_target_group(arn)
        return found

    @staticmethod
    def _check_arn(arn: str, kind: str, what: str) -> None:
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[2] != "elasticloadbalancing" or not parts[5].startswith(kind):
            raise errors.invalid(f"'{arn}' is not a valid {what} ARN")

    # -- what belongs to what
    def listeners_of(self, scope: Scope, balancer_arn: str) -> list[Listener]:
        """Of a load balancer, by port."""
        found = [listener for listener in self.listeners.of(scope) if listener.load_balancer_arn == balancer_arn]
        return sorted(found, key=lambda listener: listener.port)

    def rules_of(self, scope: Scope, listener_arn: str) -> list[Rule]:
        """Of a listener, by priority."""
        found = [rule for rule in self.rules.of(scope) if rule.listener_arn == listener_arn]
        return sorted(found, key=lambda rule: rule.priority)

    def groups_of(self, scope: Scope, balancer_arn: str) -> list[str]:
        """ARNs of the target groups that a load balancer may forward to."""
        found: dict[str, None] = {}
        for listener in self.listeners_of(scope, balancer_arn):
            for actions in [listener.default_actions, *(r.actions for r in self.rules_of(scope, listener.arn))]:
                found |= dict.fromkeys(groups_in(actions))
        return list(found)

    def balancers_of(self, scope: Scope, group_arn: str) -> list[str]:
        """ARNs of the load balancers that use a target group; one at most, unless something is wrong."""
        found: dict[str, None] = {}
        for listener in self.listeners.of(scope):
            if group_arn in groups_in(listener.default_actions):
                found[listener.load_balancer_arn] = None
        for rule in self.rules.of(scope):
            if group_arn in groups_in(rule.actions):
                owner = self.listeners.get(scope, rule.listener_arn)
                if owner is not None:
                    found[owner.load_balancer_arn] = None
        return list(found)

    def check_groups(self, scope: Scope, balancer: LoadBalancer, actions: list[dict[str, Any]], protocol: str) -> None:
        """That a load balancer may forward there. Raises AwsError."""
        for arn in groups_in(actions):
            group = self.group(scope, arn)
            others = [other for other in self.balancers_of(scope, arn) if other != balancer.arn]
            if others:
                raise AwsError(
                    "TargetGroupAssociationLimit",
                    f"The following target groups cannot be associated with more than one load balancer: {arn}",
                )
            if (group.protocol == "TCP") != (protocol == "TCP"):
                raise AwsError(
                    "IncompatibleProtocols",
                    f"Listener protocol '{protocol}' is not supported with a target group with the protocol "
                    f"'{group.protocol}'",  # (?)
                )
            if group.vpc_id != balancer.vpc_id:
                raise errors.configuration(
                    f"The following target groups are not in the same VPC as load balancer '{balancer.arn}': '{arn}'"  # (?)
                )

    # -- pages
    @staticmethod
    def page(items: list[T], params: Params) -> tuple[list[T], dict[str, str]]:
        """One page by ``Marker`` and ``PageSize``, and the member ``NextMarker`` if there is more. Raises ValidationError."""
        try:
            start = int(base64.urlsafe_b64decode(params["Marker"])) if params.get("Marker") else 0
        except ValueError as error:
            raise errors.invalid("Invalid marker") from error  # (?)
        size = params.get("PageSize") or LARGEST_PAGE
        shown = items[start : start + size]
        if start + size >= len(items):
            return shown, {}
        return shown, {"NextMarker": base64.urlsafe_b64encode(str(start + size).encode()).decode()}

    async def changed(self, request: Request) -> None:
        """Something is different: when this returns, requests meet it."""
        self.controller.stand(request.scope)
        await self.controller.refresh(request.scope)
