"""Managed scaling of capacity providers: a target-tracking policy on the Auto Scaling group, and protection of its
instances from scale-in as long as they run tasks.

Level-triggered: what should be (providers that clusters are associated with) is compared with what was made, which is in the
store, after every change of either and each minute of lab time. All through Auto Scaling's API, under ECS's service-linked
role; the policy makes its alarms itself.

Sources: "Automatically manage Amazon ECS capacity with cluster auto scaling", "Control the instances Amazon ECS terminates"
(managed termination protection).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from drydock.errors import AwsError
from drydock.request import Principal
from drydock.services.ecs.interfaces import ECS
from drydock.services.ecs.model import Cluster
from drydock.services.ecs.provider_model import CapacityProvider, ManagedPolicy
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ecs.api import Ecs

log = logging.getLogger(__name__)
NAMESPACE, METRIC = "AWS/ECS/ManagedScaling", "CapacityProviderReservation"
TAG = "AmazonECSManaged"
ALIVE = ("Pending", "InService")
MOST_AT_ONCE = 50
"""Instances that SetInstanceProtection takes"""
Params = dict[str, Any]


class ManagedScaling:
    """``policies`` are those that were made, by the name of their provider."""

    def __init__(self, ecs: Ecs) -> None:
        self._ecs = ecs
        self._platform = ecs.platform
        self.policies = ecs.platform.store.collection(ManagedPolicy, "ecs", "managed-policy")
        self._looking: dict[Scope, asyncio.Task[None]] = {}
        self._again: set[Scope] = set()
        self._locks: defaultdict[Scope, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closing = False

    def start(self) -> None:
        """Go on where an earlier life was."""
        for scope in {scope for scope, _, _ in self._ecs.providers.all()}:
            self.changed(scope)

    async def stop(self) -> None:
        """For good."""
        self._closing = True
        await self.reset(None)

    async def reset(self, account: str | None) -> None:
        """End what is under way."""
        scopes = [scope for scope in self._looking if account in (None, scope.account)]
        ended = [self._looking.pop(scope) for scope in scopes]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    def changed(self, scope: Scope) -> None:
        """Something may be different: look soon."""
        if self._closing or not (self.policies.of(scope) or self.wanted(scope)):
            return
        if scope in self._looking:
            self._again.add(scope)
            return
        self._ecs.beat(scope.account)
        self._again.add(scope)
        self._looking[scope] = self._platform.spawn(self._look_until_done(scope), f"managed scaling of {scope}")

    async def _look_until_done(self, scope: Scope) -> None:
        try:
            while scope in self._again:
                self._again.discard(scope)
                await self.look(scope)
        finally:
            if self._looking.get(scope) is asyncio.current_task():
                del self._looking[scope]

    def wanted(self, scope: Scope) -> dict[str, tuple[CapacityProvider, Cluster]]:
        """Providers whose scaling is managed, and the cluster that each is associated with."""
        found: dict[str, tuple[CapacityProvider, Cluster]] = {}
        for cluster in self._ecs.clusters.of(scope):
            for name in cluster.capacity_providers if cluster.status == "ACTIVE" else []:
                provider = self._ecs.providers.get(scope, name)
                if provider is not None and provider.is_managed and provider.status == "ACTIVE":
                    found.setdefault(name, (provider, cluster))
        return found

    async def look(self, scope: Scope) -> None:
        """Make it true; what fails is tried again a minute later."""
        async with self._locks[scope]:
            wanted = self.wanted(scope)
            for made in self.policies.of(scope):
                provider, cluster = wanted.get(made.provider, (None, None))
                if provider is None or cluster is None or cluster.name != made.cluster:
                    await self._remove(scope, made)
            for provider, cluster in wanted.values():
                await self._apply(scope, provider, cluster)
                if provider.termination_protection == "ENABLED":
                    await self._protect(scope, provider, cluster)

    async def ask(self, scope: Scope, service: str, operation: str, params: Params) -> Params:
        """Raises AwsError."""
        principal = Principal.of_service(scope.account, ECS)
        return await self._platform.call(principal, scope.region, service, operation, params)

    # -- the policy
    async def _apply(self, scope: Scope, provider: CapacityProvider, cluster: Cluster) -> None:
        made = self.policies.get(scope, provider.name)
        if made is None:
            number = self._platform.ids.uuid(scope, "managed-policy", f"{provider.arn} {cluster.arn}")
            made = ManagedPolicy(number, provider.name, cluster.name, provider.group_name)
            self.policies.put(scope, provider.name, made)
            self._platform.store.commit()  # who is killed now finds the policy again
        asked = _policy(made, provider)
        if made.applied == asked:
            return
        tag = {"ResourceId": made.group, "ResourceType": "auto-scaling-group", "Key": TAG, "Value": ""}
        try:
            await self.ask(scope, "autoscaling", "CreateOrUpdateTags", {"Tags": [{**tag, "PropagateAtLaunch": True}]})
            await self.ask(scope, "autoscaling", "PutScalingPolicy", asked)
            made.applied, made.failed = asked, False
        except AwsError as error:
            log.warning("scaling policy of %s: %s", provider.arn, error)
            made.failed = True
        self.policies.put(scope, provider.name, made)

    async def _remove(self, scope: Scope, made: ManagedPolicy) -> None:
        asked = {"AutoScalingGroupName": made.group, "PolicyName": made.policy}
        try:
            await self.ask(scope, "autoscaling", "DeletePolicy", asked)
        except AwsError as error:
            if error.code != "ValidationError":  # that is: it has gone already
                log.warning("scaling policy of capacity provider %s: %s", made.provider, error)
                return
        self.policies.delete(scope, made.provider)

    # -- protection
    async def group(self, scope: Scope, name: str) -> Params | None:
        """An Auto Scaling group, if it is there. Raises AwsError."""
        asked = {"AutoScalingGroupNames": [name]}
        found = (await self.ask(scope, "autoscaling", "DescribeAutoScalingGroups", asked)).get(
            "AutoScalingGroups"
        ) or []
        return found[0] if found else None

    def busy(self, scope: Scope, cluster_arn: str) -> set[str]:
        """EC2 instances that run more than the tasks of daemons."""
        services = [one for one in self._ecs.services.of(scope) if one.cluster_arn == cluster_arn]
        daemons = {one.group for one in services if one.strategy_kind == "DAEMON"}
        return {
            task.ec2_instance_id
            for task in self._ecs.tasks.of(scope)
            if task.cluster_arn == cluster_arn and task.ec2_instance_id and task.is_active and task.group not in daemons
        }

    async def _protect(self, scope: Scope, provider: CapacityProvider, cluster: Cluster) -> None:
        """Instances whose agents are connected: those with tasks are protected, the others are not. Those that join yet stay
        as their group has launched them."""
        try:
            group = await self.group(scope, provider.group_name)
            members = alive(group) if group is not None else []
            instances = self._ecs.instances_of(scope, cluster.arn)
            joined = {one.ec2_instance_id for one in instances if one.connected}
            busy = self.busy(scope, cluster.arn)
            for wanted in (True, False):
                chosen = [
                    member["InstanceId"]
                    for member in members
                    if member["InstanceId"] in joined
                    and (member["InstanceId"] in busy) == wanted != member["ProtectedFromScaleIn"]
                ]
                asked = {"AutoScalingGroupName": provider.group_name, "ProtectedFromScaleIn": wanted}
                for first in range(0, len(chosen), MOST_AT_ONCE):
                    ids = chosen[first : first + MOST_AT_ONCE]
                    await self.ask(scope, "autoscaling", "SetInstanceProtection", {**asked, "InstanceIds": ids})
        except AwsError as error:
            log.warning("protection of the instances of %s: %s", provider.arn, error)

    # -- what is shown
    def attachments(self, scope: Scope, cluster: Cluster) -> dict[str, Any]:
        """A cluster's, and how far they are, as DescribeClusters has them; nothing if there are none."""
        mine = [one for one in self.policies.of(scope) if one.cluster == cluster.name]
        wanted = {name for name, (_, other) in self.wanted(scope).items() if other.name == cluster.name}
        if not mine and not wanted:
            return {}
        under_way = wanted != {one.provider for one in mine} or any(not one.applied for one in mine)
        status = "UPDATE_IN_PROGRESS" if under_way else "UPDATE_COMPLETE"
        if any(one.failed for one in mine):
            status = "UPDATE_FAILED"
        return {"attachments": [one.describe(one.provider in wanted) for one in mine], "attachmentsStatus": status}


def alive(group: Params) -> list[Params]:
    """A group's instances that count towards its capacity."""
    return [member for member in group.get("Instances") or [] if member["LifecycleState"] in ALIVE]


def _policy(made: ManagedPolicy, provider: CapacityProvider) -> Params:
    """The parameters of PutScalingPolicy."""
    names = {"CapacityProviderName": made.provider, "ClusterName": made.cluster}
    metric = {
        "MetricName": METRIC,
        "Namespace": NAMESPACE,
        "Dimensions": [{"Name": name, "Value": value} for name, value in names.items()],
        "Statistic": "Average",
    }
    return {
        "AutoScalingGroupName": made.group,
        "PolicyName": made.policy,
        "PolicyType": "TargetTrackingScaling",
        "EstimatedInstanceWarmup": provider.managed_scaling["instanceWarmupPeriod"],
        "TargetTrackingConfiguration": {
            "CustomizedMetricSpecification": metric,
            "TargetValue": float(provider.managed_scaling["targetCapacity"]),
            "DisableScaleIn": False,
        },
    }
