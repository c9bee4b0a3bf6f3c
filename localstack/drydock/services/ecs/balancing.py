"""A service's tasks behind load balancers: ECS registers them with target groups, takes them out before it stops them, and
asks how they are. All through Elastic Load Balancing's API, under ECS's service-linked role.

Source: "Use load balancing to distribute Amazon ECS service traffic", and AWS's messages; those marked with (?) say the same
in our words.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from drydock import durations
from drydock.clock import Clock
from drydock.errors import AwsError
from drydock.request import Principal
from drydock.services.ecs.interfaces import ECS
from drydock.services.ecs.model import Target, Task, TaskDefinition
from drydock.services.ecs.rules import invalid
from drydock.services.service import Platform
from drydock.store import Scope

log = logging.getLogger(__name__)
MOST_GROUPS = 5
"""Target groups of a service"""
TARGET_TYPES = {"awsvpc": "ip", "bridge": "instance", "host": "instance"}
"""That fit a network mode; the two modes with ports of an instance may also have ``ip`` targets nowhere"""


@dataclass(frozen=True)
class TargetHealth:
    """Of one task in one target group, in Elastic Load Balancing's words."""

    state: str
    """``initial``, ``healthy``, ``unhealthy``, ``draining``, ``unused``, or "" if it is not registered"""
    reason: str = ""


class Balancing:
    """What ECS asks of Elastic Load Balancing."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def _call(self, scope: Scope, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        principal = Principal.of_service(scope.account, ECS)
        return await self._platform.call(principal, scope.region, "elbv2", operation, params)

    async def check(self, scope: Scope, given: list[dict[str, Any]], definition: TaskDefinition) -> None:
        """The loadBalancers of a service. Raises InvalidParameterException."""
        if len(given) > MOST_GROUPS:
            raise invalid(f"load balancers can have at most {MOST_GROUPS} items.")
        for each in given:
            if each.get("loadBalancerName"):
                raise AwsError("NotImplemented", "Drydock does not implement classic load balancers yet.", status=501)
            if each.get("advancedConfiguration"):
                raise AwsError(
                    "NotImplemented",
                    "Drydock does not implement advancedConfiguration of a load balancer yet.",
                    status=501,
                )
            _check_container(each, definition)
            await self._check_group(scope, str(each.get("targetGroupArn", "")), definition.document["networkMode"])

    async def _check_group(self, scope: Scope, arn: str, mode: str) -> None:
        try:
            found = await self._call(scope, "DescribeTargetGroups", {"TargetGroupArns": [arn]})
        except AwsError as error:
            if error.status == 501:
                raise
            raise invalid(
                "Unable to assume role and validate the specified targetGroupArn. Please verify that the ECS service role "
                f"being passed has the proper permissions. ({error.message})"
            ) from error
        group = found["TargetGroups"][0]
        if not group.get("LoadBalancerArns"):
            raise invalid(f"The target group with targetGroupArn {arn} does not have an associated load balancer.")
        wanted = TARGET_TYPES.get(mode)
        if wanted is None:
            raise invalid(f"The network mode {mode} of the task definition does not support load balancers.")  # (?)
        if group["TargetType"] != wanted:
            raise invalid(
                f"The provided target group {arn} has target type {group['TargetType']}, which is incompatible with the "
                f"{mode} network mode specified in the task definition."
            )

    async def register(self, scope: Scope, task: Task) -> None:
        """With every target group of its service. Raises AwsError."""
        for target in task.targets:
            if target.state == "registered":
                continue
            target.id, target.port = _place_of(task, target)
            described = {"Id": target.id, "Port": target.port}
            await self._call(scope, "RegisterTargets", {"TargetGroupArn": target.group_arn, "Targets": [described]})
            target.state = "registered"

    async def deregister(self, scope: Scope, task: Task) -> None:
        """Nothing new is sent to it from now on. A target group that is gone is no error."""
        for target in task.targets:
            if target.state != "registered":
                continue
            described = {"Id": target.id, "Port": target.port}
            try:
                await self._call(
                    scope, "DeregisterTargets", {"TargetGroupArn": target.group_arn, "Targets": [described]}
                )
            except AwsError as error:
                log.warning("%s stays in %s: %s", task.arn, target.group_arn, error.message)
            target.state = "deregistered"

    async def drained(self, scope: Scope, task: Task, clock: Clock) -> None:
        """Returns when the load balancers have nothing more to do with it."""
        while any([(await self.health(scope, target)).state == "draining" for target in task.targets if target.id]):
            await clock.sleep(durations.TARGETS_LOOKED_AT)

    async def health(self, scope: Scope, target: Target) -> TargetHealth:
        """As its target group has it."""
        described = {"Id": target.id, "Port": target.port}
        try:
            found = await self._call(
                scope, "DescribeTargetHealth", {"TargetGroupArn": target.group_arn, "Targets": [described]}
            )
        except AwsError:
            return TargetHealth("")
        for each in found.get("TargetHealthDescriptions", []):
            health = each["TargetHealth"]
            return TargetHealth(health["State"], health.get("Description", health.get("Reason", "")))
        return TargetHealth("")


def _check_container(given: dict[str, Any], definition: TaskDefinition) -> None:
    name, port = given.get("containerName", ""), given.get("containerPort")
    containers = {container["name"]: container for container in definition.containers}
    if name not in containers:
        raise invalid(f"The container {name} does not exist in the task definition.")
    mapped = {mapping.get("containerPort") for mapping in containers[name]["portMappings"]}
    if port not in mapped:
        raise invalid(f"The container {name} did not have a container port {port} defined.")


def targets_of(load_balancers: list[dict[str, Any]]) -> list[Target]:
    """Of a new task of a service."""
    return [Target(each["targetGroupArn"], each["containerName"], each["containerPort"]) for each in load_balancers]


def _place_of(task: Task, target: Target) -> tuple[str, int]:
    """(id, port) as a target group wants them: an address, or an instance with the host port."""
    if task.interfaces:
        return task.interfaces[0].address, target.container_port
    for container in task.containers:
        for binding in container.bindings:
            if container.name == target.container_name and binding.container_port == target.container_port:
                return task.ec2_instance_id, binding.host_port
    return task.ec2_instance_id, target.container_port
