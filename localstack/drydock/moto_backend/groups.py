"""Auto Scaling groups that only say what is wanted. Runs in the child.

moto's groups launch and terminate by themselves within the request, and forget what they did. Here a request changes what
is wanted (sizes, members to go); the emulator compares, launches and terminates through EC2, and tells which instances
are members and how they are (:data:`OPERATIONS`, which no client can send).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

_ALIVE = ("Pending", "InService")


def adapt() -> None:
    """Take over the deeds of moto's groups."""
    from moto.autoscaling import models
    from moto.autoscaling.responses import AutoScalingResponse

    _adapt_group(models.FakeAutoScalingGroup)
    _adapt_backend(models)
    _adapt_answers(AutoScalingResponse)


def _refuse(message: str, code: str = "ValidationError") -> None:
    from moto.autoscaling.exceptions import AutoscalingClientError

    raise AutoscalingClientError(code, message)


def _check_sizes(desired: int | None, least: int | None, most: int | None) -> None:
    if least is not None and most is not None and least > most:
        _refuse(f"Max bound, {most}, must be greater than or equal to min bound, {least}")
    if desired is not None and not (least or 0) <= desired <= (most if most is not None else desired):
        _refuse(f"Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}")


def _adapt_group(group: Any) -> None:
    change = group.update

    def set_desired_capacity(self: Any, new_capacity: int | None) -> None:
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity

    def active_instances(self: Any) -> list[Any]:
        return [member for member in self.instance_states if member.lifecycle_state in _ALIVE]

    def update(
        self: Any,
        availability_zones: Any,
        desired_capacity: Any,
        max_size: Any,
        min_size: Any,
        *rest: Any,
        **named: Any,
    ) -> None:
        least = self.min_size if min_size is None else min_size
        most = self.max_size if max_size is None else max_size
        if desired_capacity is None:
            desired_capacity = min(max(self.desired_capacity, least), most)
        _check_sizes(desired_capacity, least, most)
        policy = named.get("mixed_instances_policy")
        if policy is None:  # moto would forget it
            named["mixed_instances_policy"] = self.mixed_instances_policy
        change(self, availability_zones, desired_capacity, max_size, min_size, *rest, **named)

    group.set_desired_capacity, group.active_instances, group.update = set_desired_capacity, active_instances, update
    group.replace_autoscaling_group_instances = lambda self, count_needed, propagated_tags: None


def _adapt_backend(models: Any) -> None:
    backend = models.AutoScalingBackend
    create = backend.create_auto_scaling_group

    def create_auto_scaling_group(self: Any, name: str, *rest: Any, **named: Any) -> Any:
        if name in self.autoscaling_groups:
            _refuse(
                f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
                "AlreadyExists",
            )
        _check_sizes(named.get("desired_capacity"), named.get("min_size"), named.get("max_size"))
        return create(self, name, *rest, **named)

    def terminate_instance(self: Any, instance_id: str, should_decrement: bool) -> Any:
        found = [
            (group, member)
            for group in self.autoscaling_groups.values()
            for member in group.instance_states
            if member.instance.id == instance_id
        ]
        if not found:
            _refuse(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
        group, member = found[0]
        before = group.desired_capacity
        if should_decrement:
            if before - 1 < group.min_size:
                _refuse(
                    f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement"
                    " will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or"
                    " lower group's min size."
                )
            group.desired_capacity = before - 1
        member.lifecycle_state = "Terminating"
        self.ec2_backend.terminate_instances([instance_id])
        return models.TerminateInstanceActivity(member.instance, before)

    backend.create_auto_scaling_group = create_auto_scaling_group
    backend.terminate_instance = terminate_instance
    backend.notify_terminate_instances = lambda self, instance_ids: None


def _adapt_answers(response: Any) -> None:
    answer_delete, answer_desired = response.delete_auto_scaling_group, response.set_desired_capacity

    def group_of(self: Any) -> Any:
        name = self._get_param("AutoScalingGroupName")
        found = self.autoscaling_backend.autoscaling_groups.get(name)
        if found is None:
            _refuse(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
        return found

    def delete_auto_scaling_group(self: Any) -> Any:
        members = group_of(self).instance_states
        if members and not self._get_bool_param("ForceDelete", False):
            _refuse(
                "You cannot delete an AutoScalingGroup while there are instances still in the group.", "ResourceInUse"
            )
        if members:
            self.autoscaling_backend.ec2_backend.terminate_instances([member.instance.id for member in members])
        return answer_delete(self)

    def set_desired_capacity(self: Any) -> Any:
        group, wanted = group_of(self), self._get_int_param("DesiredCapacity")
        if wanted > group.max_size:
            _refuse(
                f"New SetDesiredCapacity value {wanted} is above max value {group.max_size} for the AutoScalingGroup."
            )
        if wanted < group.min_size:
            _refuse(
                f"New SetDesiredCapacity value {wanted} is below min value {group.min_size} for the AutoScalingGroup."
            )
        return answer_desired(self)

    response.delete_auto_scaling_group = delete_auto_scaling_group
    response.set_desired_capacity = set_desired_capacity


# ---------------------------------------------------------------------- what the emulator asks


def answer(account: str, region: str, operation: str, body: bytes) -> bytes:
    """One of :data:`OPERATIONS`, JSON in and out."""
    from moto.autoscaling.models import autoscaling_backends

    backend = autoscaling_backends[account][region]
    return json.dumps(OPERATIONS[operation](backend, json.loads(body or b"{}"))).encode()


def describe_groups(backend: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """All groups, as the emulator wants to know them."""
    return {"groups": [facts(group) for group in backend.autoscaling_groups.values()]}


def set_members(backend: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Change who belongs to ``group``: those in ``enter`` come, those in ``leave`` go, and ``members`` says of some in
    which lifecycle state and health they are. Nothing happens if the group has gone."""
    from moto.autoscaling.models import InstanceState

    group = backend.autoscaling_groups.get(asked["group"])
    if group is None:
        return {}
    known = {member.instance.id: member for member in group.instance_states}
    for instance_id in asked.get("enter", []):
        instance = backend.ec2_backend.get_instance_by_id(instance_id)
        if instance is not None and instance_id not in known:
            instance.autoscaling_group = group
            protected = bool(group.new_instances_protected_from_scale_in)
            member = InstanceState(instance, "Pending", "Healthy", protected, group)
            group.instance_states.append(member)
            known[instance_id] = member
    for instance_id, shown in asked.get("members", {}).items():
        if instance_id in known:
            known[instance_id].lifecycle_state = shown["lifecycle"]
            known[instance_id].health_status = shown["health"]
    gone = set(asked.get("leave", []))
    group.instance_states = [member for member in group.instance_states if member.instance.id not in gone]
    return {}


OPERATIONS: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    "DescribeGroups": describe_groups,
    "SetMembers": set_members,
}


def facts(group: Any) -> dict[str, Any]:
    """A group in JSON."""
    template = group.ec2_launch_template
    overrides = ((group.mixed_instances_policy or {}).get("LaunchTemplate") or {}).get("Overrides") or []
    return {
        "name": group.name,
        "arn": group.arn,
        "desired": group.desired_capacity or 0,
        "min": group.min_size or 0,
        "max": group.max_size or 0,
        "subnets": group.vpc_zone_identifier.split(",") if group.vpc_zone_identifier else [],
        "zones": list(group.availability_zones or []),
        "template": {"LaunchTemplateId": template.id, "Version": str(group.launch_template_version)}
        if template
        else {},
        "instance_type": (overrides[0].get("InstanceType") or "") if overrides else "",
        "configuration": _configuration(group.launch_config) if not template and group.launch_config else {},
        "tags": group.get_propagated_tags(),
        "suspended": sorted(group._suspended_processes),
        "cooldown": int(group.default_cooldown or 0),
        "grace": group.health_check_grace_period or 0,
        "policies": list(group.termination_policies),
        "members": [
            {
                "id": member.instance.id,
                "lifecycle": member.lifecycle_state,
                "health": member.health_status,
                "protected": bool(member.protected_from_scale_in),
                "state": member.instance._state.name,
                "zone": member.instance.availability_zone or "",
                "launched": member.instance.launch_time.timestamp(),
            }
            for member in group.instance_states
        ],
    }


def _configuration(one: Any) -> dict[str, Any]:
    """A launch configuration as parameters of RunInstances."""
    found: dict[str, Any] = {"ImageId": one.image_id, "InstanceType": one.instance_type}
    if one.key_name:
        found["KeyName"] = one.key_name
    if one.user_data:
        found["UserData"] = str(one.user_data)
    if one.security_groups:
        by_id = all(group.startswith("sg-") for group in one.security_groups)
        found["SecurityGroupIds" if by_id else "SecurityGroups"] = list(one.security_groups)
    if one.iam_instance_profile:
        kind = "Arn" if one.iam_instance_profile.startswith("arn:") else "Name"
        found["IamInstanceProfile"] = {kind: one.iam_instance_profile}
    if one.associate_public_ip_address is not None:
        found["AssociatePublicIpAddress"] = bool(one.associate_public_ip_address)
    return found
