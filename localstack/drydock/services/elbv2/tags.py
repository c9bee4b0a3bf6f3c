"""Operations on tags, and the account's limits."""

from __future__ import annotations

from typing import Any

from drydock.request import Request
from drydock.services.elbv2 import checks, errors
from drydock.services.elbv2.model import Listener, LoadBalancer, Rule, TargetGroup
from drydock.services.elbv2.registry import Params
from drydock.services.elbv2.targets import TargetOperations
from drydock.store import Collection, Scope

Tagged = LoadBalancer | Listener | Rule | TargetGroup
MOST_AT_ONCE = 20
LIMITS = {
    "application-load-balancers": 50, "target-groups": 3000, "targets-per-application-load-balancer": 1000,
    "listeners-per-application-load-balancer": 50, "rules-per-application-load-balancer": 100,
    "network-load-balancers": 50, "targets-per-network-load-balancer": 3000,
    "targets-per-availability-zone-per-network-load-balancer": 500, "listeners-per-network-load-balancer": 50,
    "condition-values-per-alb-rule": 5, "condition-wildcards-per-alb-rule": 6, "target-groups-per-application-load-balancer": 100,
    "target-groups-per-action-on-application-load-balancer": 5, "target-groups-per-action-on-network-load-balancer": 1,
    "certificates-per-application-load-balancer": 25, "certificates-per-network-load-balancer": 25,
    "targets-per-target-group": 1000, "target-id-registrations-per-application-load-balancer": 1000,
    "network-load-balancer-enis-per-vpc": 1200, "application-load-balancer-enis-per-vpc": 1200,
    "gateway-load-balancers": 100, "gateway-load-balancers-per-vpc": 100, "geneve-target-groups": 100,
    "targets-per-availability-zone-per-gateway-load-balancer": 300,
}  # fmt: skip
"""AWS's default quotas; those that concern Application Load Balancers are enforced"""


class TagOperations(TargetOperations):
    """AddTags, RemoveTags, DescribeTags, DescribeAccountLimits."""

    def _tagged(self, scope: Scope, arn: str) -> tuple[Collection[Any], Tagged]:
        """The resource that an ARN names. Raises AwsError."""
        kind = arn.split(":", 5)[-1].partition("/")[0]
        match kind:
            case "loadbalancer":
                return self.balancers, self.balancer(scope, arn)
            case "listener":
                return self.listeners, self.listener(scope, arn)
            case "targetgroup":
                return self.groups, self.group(scope, arn)
            case "listener-rule":
                found = self.rules.get(scope, arn)
                if found is None:
                    raise errors.no_rule(arn)
                return self.rules, found
        raise errors.invalid(f"'{arn}' is not a valid ARN")  # (?)

    def add_tags(self, request: Request, params: Params) -> dict[str, Any]:
        """Those of the same key are replaced."""
        checks.check_tags(params["Tags"])
        keys = {tag["Key"] for tag in params["Tags"]}
        found = [self._tagged(request.scope, arn) for arn in params["ResourceArns"]]
        for _, resource in found:
            kept = [tag for tag in resource.tags if tag["Key"] not in keys]
            checks.check_tags([tag for tag in kept if not tag["Key"].startswith("aws:")] + params["Tags"])
        for collection, resource in found:
            resource.tags = [tag for tag in resource.tags if tag["Key"] not in keys] + list(params["Tags"])
            collection.put(request.scope, resource.arn, resource)
        return {}

    def remove_tags(self, request: Request, params: Params) -> dict[str, Any]:
        """Keys that are not there are passed over."""
        for collection, resource in [self._tagged(request.scope, arn) for arn in params["ResourceArns"]]:
            resource.tags = [tag for tag in resource.tags if tag["Key"] not in params["TagKeys"]]
            collection.put(request.scope, resource.arn, resource)
        return {}

    def describe_tags(self, request: Request, params: Params) -> dict[str, Any]:
        """Of up to 20 resources."""
        if len(params["ResourceArns"]) > MOST_AT_ONCE:
            raise errors.invalid(f"You can specify at most '{MOST_AT_ONCE}' resources")  # (?)
        found = [self._tagged(request.scope, arn)[1] for arn in params["ResourceArns"]]
        return {"TagDescriptions": [{"ResourceArn": each.arn, "Tags": each.tags} for each in found]}

    def describe_account_limits(self, request: Request, params: Params) -> dict[str, Any]:
        """AWS's defaults."""
        shown, more = self.page(list(LIMITS.items()), params)
        return {"Limits": [{"Name": name, "Max": str(most)} for name, most in shown], **more}
