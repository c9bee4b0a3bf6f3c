"""Operations on capacity providers: FARGATE and FARGATE_SPOT, which every account has, and those of Auto Scaling groups.

An instance of the group that registers with a cluster that has the provider belongs to it. What managed scaling and managed
termination protection do is in :mod:`managed_scaling`, what managed draining does in :mod:`managed_draining`.

Sources: API reference of CreateCapacityProvider and answers of AWS. The messages marked with (?) say the same in our words.
"""

from __future__ import annotations

import re
from typing import Any

from drydock.request import Principal, Request
from drydock.services.ecs import capacity, rules
from drydock.services.ecs.interfaces import ECS
from drydock.services.ecs.paging import page
from drydock.services.ecs.provider_model import CapacityProvider
from drydock.services.ecs.service_rules import not_yet
from drydock.services.ecs.services import ServiceOperations
from drydock.services.ecs.tag_rules import check_tags
from drydock.store import Scope

Params = dict[str, Any]
LARGEST_PAGE, MOST_DESCRIBED = 10, 100
_INVALID_PROTECTION = "The managed termination protection setting for the capacity provider is invalid."
_NAME = re.compile(r"(?!aws|ecs|fargate)[A-Za-z0-9_-]{1,255}", re.IGNORECASE)
_SCALING = {
    "status": "DISABLED", "targetCapacity": 100, "minimumScalingStepSize": 1, "maximumScalingStepSize": 10000,
    "instanceWarmupPeriod": 300,
}  # fmt: skip


class CapacityProviderOperations(ServiceOperations):
    """CreateCapacityProvider, UpdateCapacityProvider, DeleteCapacityProvider, DescribeCapacityProviders."""

    async def create_capacity_provider(self, request: Request, params: Params) -> dict[str, Any]:
        """Of an Auto Scaling group that is there."""
        name, scope = params["name"], request.scope
        if params.get("managedInstancesProvider"):
            raise not_yet("managed instances")
        if not _NAME.fullmatch(name):
            raise rules.client_error(
                "The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters (upper "
                "and lowercase), numbers, underscores, and hyphens. The name cannot be prefixed with "
                '"aws", "ecs", or "fargate". Specify a valid name and try again.'
            )
        given = params.get("autoScalingGroupProvider")
        if not given:
            raise rules.invalid("An Auto Scaling group provider must be specified.")  # (?)
        scaling = {**_SCALING, **given.get("managedScaling", {})}
        protection = given.get("managedTerminationProtection", "DISABLED")
        _check(scaling, protection, given.get("managedDraining", "ENABLED"))
        check_tags(params.get("tags", []))
        found = await self._group(scope, given["autoScalingGroupArn"])
        group = str(found["AutoScalingGroupARN"])
        _check_protection(found, protection)
        held = self.providers.get(scope, name)
        if held is not None and held.status == "ACTIVE":
            raise rules.client_error(
                "The specified capacity provider already exists. To change the configuration of an existing capacity "
                "provider, update the capacity provider."
            )
        if any(other.group_arn == group and other.status == "ACTIVE" for other in self.providers.of(scope)):
            raise rules.client_error(
                "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique "
                "Auto Scaling group ARN and try again."
            )
        made = CapacityProvider(
            arn=f"arn:aws:ecs:{scope.region}:{scope.account}:capacity-provider/{name}",
            name=name,
            group_arn=group,
            managed_scaling=scaling,
            managed_draining=given.get("managedDraining", "ENABLED"),
            termination_protection=protection,
            tags=list(params.get("tags", [])),
        )
        self.providers.put(scope, name, made)
        return {"capacityProvider": made.describe(tags=True)}

    async def _group(self, scope: Scope, identifier: str) -> Params:
        """From an ARN or a name. Raises ClientException."""
        name = identifier.rpartition("autoScalingGroupName/")[2]
        principal = Principal.of_service(scope.account, ECS)
        found = await self.platform.call(
            principal, scope.region, "autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroupNames": [name]}
        )
        groups = found.get("AutoScalingGroups", [])
        if not groups:
            raise rules.client_error(
                "The specified Auto Scaling group ARN is invalid. Specify a valid Auto Scaling group ARN and try again."
            )  # (?)
        return dict(groups[0])

    def _own(self, scope: Scope, identifier: str) -> CapacityProvider:
        found = self.providers.get(scope, capacity.provider_name(identifier))
        if found is None or found.status != "ACTIVE":
            raise rules.client_error(
                "The specified capacity provider does not exist. Specify a valid name or ARN and try again."
            )
        return found

    async def update_capacity_provider(self, request: Request, params: Params) -> dict[str, Any]:
        """What is not given stays."""
        scope, given = request.scope, params.get("autoScalingGroupProvider", {})
        provider = self._own(scope, params["name"])
        protection = given.get("managedTerminationProtection", provider.termination_protection)
        draining = given.get("managedDraining", provider.managed_draining)
        _check({**provider.managed_scaling, **given.get("managedScaling", {})}, protection, draining)
        if protection != provider.termination_protection:
            _check_protection(await self._group(scope, provider.group_arn), protection)
        provider = self._own(scope, params["name"])  # while Auto Scaling was asked, it may have changed
        scaling = {**provider.managed_scaling, **given.get("managedScaling", {})}
        if scaling["status"] == "ENABLED" and len(self._clusters_with(scope, provider)) > 1:
            raise rules.client_error(
                "Managed scaling cannot be enabled for a capacity provider that is associated with more than one cluster."
            )  # (?)
        provider.managed_scaling, provider.termination_protection = scaling, protection
        provider.managed_draining = given.get("managedDraining", provider.managed_draining)
        provider.update_status = "UPDATE_COMPLETE"
        self.providers.put(scope, provider.name, provider)
        self.managed.changed(scope)
        return {"capacityProvider": provider.describe(tags=True)}

    def delete_capacity_provider(self, request: Request, params: Params) -> dict[str, Any]:
        """One that a cluster still has stays, and says why."""
        identifier = params["capacityProvider"]
        if capacity.provider_name(identifier) in capacity.FARGATE_PROVIDERS:
            raise rules.client_error("The specified capacity provider is reserved and cannot be deleted.")  # (?)
        provider = self._own(request.scope, identifier)
        clusters = self._clusters_with(request.scope, provider)
        if clusters:
            provider.update_status = "DELETE_FAILED"
            provider.update_reason = (
                f"The capacity provider cannot be deleted because it is associated with cluster: {clusters[0]}. Remove the "
                "capacity provider from the cluster and try again."
            )
        else:
            provider.status, provider.update_status, provider.update_reason = "INACTIVE", "DELETE_COMPLETE", ""
        self.providers.put(request.scope, provider.name, provider)
        return {"capacityProvider": provider.describe(tags=True)}

    def _clusters_with(self, scope: Scope, provider: CapacityProvider) -> list[str]:
        """Names of those that it is associated with."""
        active = [cluster for cluster in self.clusters.of(scope) if cluster.status == "ACTIVE"]
        return [cluster.name for cluster in active if provider.name in cluster.capacity_providers]

    def describe_capacity_providers(self, request: Request, params: Params) -> dict[str, Any]:
        """All of the account, or those that ``cluster`` may use; what is not there is a failure with the reason MISSING."""
        scope = request.scope
        known = [*capacity.FARGATE_PROVIDERS, *(one.name for one in self.providers.of(scope))]
        if params.get("cluster"):
            cluster = self.active_cluster(scope, params["cluster"])
            known = [name for name in known if name in cluster.capacity_providers]
        elif not params.get("capacityProviders"):
            known = [*capacity.FARGATE_PROVIDERS, *(p.name for p in self.providers.of(scope) if p.status == "ACTIVE")]
        prefix = f"arn:aws:ecs:{scope.region}:{scope.account}:capacity-provider/"
        asked = params.get("capacityProviders") or known
        if len(asked) > MOST_DESCRIBED:
            raise rules.invalid(f"capacityProviders can have at most {MOST_DESCRIBED} items.")  # (?)
        names = [identifier if identifier.startswith("arn:") else prefix + identifier for identifier in asked]
        there = [arn for arn in names if arn in {prefix + name for name in known}]
        shown, token = page(list(dict.fromkeys(there)), params, largest=LARGEST_PAGE)
        tags = "TAGS" in params.get("include", [])
        return {
            "capacityProviders": [self._describe_provider(scope, arn, tags) for arn in shown],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in names if arn not in there],
            **token,
        }

    def _describe_provider(self, scope: Scope, arn: str, tags: bool) -> dict[str, Any]:
        name = capacity.provider_name(arn)
        own = self.providers.get(scope, name)
        if own is not None:
            return own.describe(tags)
        return {"capacityProviderArn": arn, "name": name, "status": "ACTIVE", "type": name, "tags": []}


def _check(scaling: Params, protection: str, draining: str) -> None:
    """What is neither on nor off, and what does not go together; ranges are the model's. Raises ClientException."""
    if not {scaling["status"], protection, draining} <= {"ENABLED", "DISABLED"}:
        raise rules.client_error("The specified status is invalid. Specify ENABLED or DISABLED and try again.")  # (?)
    if scaling["minimumScalingStepSize"] > scaling["maximumScalingStepSize"]:
        raise rules.client_error("The minimum or maximum scaling step size value is invalid.")  # (?)
    if protection == "ENABLED" and scaling["status"] != "ENABLED":
        raise rules.client_error(
            f"{_INVALID_PROTECTION} To enable managed termination protection for a capacity provider, managed scaling must be "
            "enabled."
        )  # (?)


def _check_protection(group: Params, protection: str) -> None:
    """Raises ClientException."""
    if protection == "ENABLED" and not group.get("NewInstancesProtectedFromScaleIn"):
        raise rules.client_error(
            f"{_INVALID_PROTECTION} To enable managed termination protection for a capacity provider, the Auto Scaling group "
            "must have instance protection from scale in enabled."
        )
