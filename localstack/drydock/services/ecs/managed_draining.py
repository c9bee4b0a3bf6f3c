"""Managed draining: an instance of a capacity provider's group that Auto Scaling is about to terminate is drained first.

Auto Scaling asks about it again and again (AWS does the same by a lifecycle hook), so nothing is kept but the instance's status.

Source: "Safely stop Amazon ECS workloads running on EC2 instances" (managed instance draining).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ecs.api import Ecs


def holds(ecs: Ecs, scope: Scope, group: str, ec2_instance_id: str) -> bool:
    """Whether an instance of a group is to be kept still, since it runs more than daemons; its container instance is DRAINING
    from then on, which moves the tasks of services elsewhere."""
    drained = {
        provider.name
        for provider in ecs.providers.of(scope)
        if provider.group_name == group and provider.managed_draining == "ENABLED" and provider.status == "ACTIVE"
    }
    for instance in ecs.instances.of(scope):
        mine = instance.ec2_instance_id == ec2_instance_id and instance.capacity_provider in drained
        if not mine or instance.status == "INACTIVE" or not instance.connected:
            continue
        if instance.status != "DRAINING":
            instance.status = "DRAINING"
            instance.version += 1
            ecs.instances.put(scope, instance.arn, instance)
            ecs.services_controller.look(scope, instance.cluster_arn)
        return ec2_instance_id in ecs.managed.busy(scope, instance.cluster_arn)
    return False
