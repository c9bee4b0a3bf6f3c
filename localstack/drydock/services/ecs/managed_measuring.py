"""Measures how much of the groups of capacity providers is in use, each minute of an account's lab time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drydock.errors import AwsError
from drydock.services.cloudwatch.model import Datum, Record, metric
from drydock.services.ec2.types import TYPES
from drydock.services.ecs.capacity_estimate import Size, Use, reservation
from drydock.services.ecs.instance_types import interfaces_of
from drydock.services.ecs.managed_scaling import METRIC, NAMESPACE, alive
from drydock.services.ecs.model import Cluster
from drydock.services.ecs.provider_model import CapacityProvider
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ecs.api import Ecs

Params = dict[str, Any]
UNITS = 1024
"""CPU units of a vCPU"""


class Reservations:
    """A source of the heartbeat. It also looks whether policies and protection are as they should be."""

    def __init__(self, ecs: Ecs, record: Record) -> None:
        self._ecs = ecs
        self._managed = ecs.managed
        self._record = record

    def _scopes(self, account: str) -> set[Scope]:
        scopes = {scope for scope, _, _ in self._ecs.providers.all() if scope.account == account}
        return {scope for scope in scopes if self._managed.wanted(scope) or self._managed.policies.of(scope)}

    def wanted(self, account: str) -> bool:
        """Whether there is anything to measure."""
        return bool(self._scopes(account))

    async def collect(self, account: str, minutes: tuple[float, ...]) -> None:
        """Record what is true now for the minutes that have passed."""
        for scope in self._scopes(account):
            await self._managed.look(scope)
            for provider, cluster in self._managed.wanted(scope).values():
                try:
                    value = await self._reservation(scope, provider, cluster)
                except AwsError:
                    continue  # Auto Scaling could not be asked; the next minute is another one
                if value is not None:
                    names = {"CapacityProviderName": provider.name, "ClusterName": cluster.name}
                    measured = metric(NAMESPACE, METRIC, names)
                    data = [Datum(measured, at, ((value, 1.0),), unit="Percent") for at in minutes]
                    self._record(scope, data)

    async def _reservation(self, scope: Scope, provider: CapacityProvider, cluster: Cluster) -> float | None:
        """None if the group has gone. Raises AwsError."""
        group = await self._managed.group(scope, provider.group_name)
        if group is None:
            return None
        waiting = [one for one in self._ecs.waiting.tasks(scope, cluster.arn) if one.capacity_provider == provider.name]
        members = {member["InstanceId"] for member in alive(group)}
        use = Use(
            instances=len(members),
            busy=len(members & self._managed.busy(scope, cluster.arn)),
            waiting=tuple(self._ecs.waiting.need_of(scope, task) for task in waiting),
            sizes=await self._sizes(scope, group) if waiting else (),
            least=provider.managed_scaling["minimumScalingStepSize"],
            most=provider.managed_scaling["maximumScalingStepSize"],
        )
        return reservation(use)

    async def _sizes(self, scope: Scope, group: Params) -> tuple[Size, ...]:
        """Of the types that the group launches; none if one is not known."""
        names = await self._types(scope, group)
        if not names or not names <= set(TYPES):
            return ()
        found = [TYPES[name] for name in sorted(names)]
        return tuple(Size(each.vcpus * UNITS, each.seen_memory, interfaces_of(each.name)) for each in found)

    async def _types(self, scope: Scope, group: Params) -> set[str]:
        mixed = (group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
        if named := {one["InstanceType"] for one in mixed.get("Overrides") or [] if one.get("InstanceType")}:
            return named
        template = group.get("LaunchTemplate") or mixed.get("LaunchTemplateSpecification")
        if template:
            asked = {"Versions": [template.get("Version") or "$Default"]}
            by = "LaunchTemplateId" if template.get("LaunchTemplateId") else "LaunchTemplateName"
            asked[by] = template[by]
            answer = await self._managed.ask(scope, "ec2", "DescribeLaunchTemplateVersions", asked)
            found = [one["LaunchTemplateData"].get("InstanceType") for one in answer["LaunchTemplateVersions"]]
        else:
            asked = {"LaunchConfigurationNames": [group.get("LaunchConfigurationName", "")]}
            answer = await self._managed.ask(scope, "autoscaling", "DescribeLaunchConfigurations", asked)
            found = [one.get("InstanceType") for one in answer["LaunchConfigurations"]]
        return {name for name in found if name}
