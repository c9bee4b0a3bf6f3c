"""EC2 instances whose states follow what really runs. Runs in the child.

moto's instances are ``running`` the moment they are asked for. Here a request only asks: it puts an instance into
``pending``, ``stopping`` or ``shutting-down``, or counts a reboot. Where it goes from there says the emulator, which has
the machine, by operations that no client can send because EC2 has none of these names (:data:`OPERATIONS`). They are
requests like any other to the journal, so a replay gives the same states.

Public addresses are loopback addresses of their own, out of 127.16.0.0/12, never one twice in any account.
"""

from __future__ import annotations

import base64
import copy
import ipaddress
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
_UNGIVEN = "ABCDE"
"""moto's client token where a request had none"""
_WHILE_STOPPED = ("instance_type", "kernel", "ramdisk", "user_data", "ebs_optimized")
PUBLIC_RANGE = ipaddress.ip_network("127.16.0.0/12")
USER_REASON = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")


def adapt() -> None:
    """Take over the states of moto's instances, and the public addresses."""
    from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces, instances
    from moto.ec2.responses.instances import InstanceResponse

    _adapt_states(instances)
    _adapt_launch(instances.InstanceBackend)
    _adapt_changes(instances.InstanceBackend)
    _adapt_answers(InstanceResponse)
    elastic_network_interfaces.random_public_ip = public_address
    elastic_ip_addresses.random_ip = public_address


def public_address() -> str:
    """One that no interface and no elastic address has, in no account."""
    from moto.moto_api._internal import mock_random

    used = set(_public_addresses())
    while True:
        address = PUBLIC_RANGE[mock_random.randrange(PUBLIC_RANGE.num_addresses)]
        if str(address) not in used and address.packed[3] not in (0, 255):
            return str(address)


def _backends() -> Iterator[Any]:
    from moto.ec2.models import ec2_backends

    for account in list(ec2_backends.values()):
        yield from list(account.values())


def _public_addresses() -> Iterator[str]:
    for backend in _backends():
        yield from (interface.public_ip for interface in backend.enis.values() if interface.public_ip)
        yield from (address.public_ip for address in backend.addresses)


# ---------------------------------------------------------------------- states


def put(instance: Any, state: str, reason: str = "", code: str = "", message: str = "") -> None:
    """Into a state, with its reasons as AWS words them."""
    from moto.ec2.models.instances import InstanceState, StateReason

    instance._state = InstanceState(state, CODES[state])
    instance._reason = reason
    instance.state_reason = StateReason(message, code) if code else None  # AWS shows none where there is none


def _refuse(instance: Any, what: str) -> None:
    from moto.ec2.exceptions import EC2ClientError

    message = f"The instance '{instance.id}' is not in a state from which it can be {what}."
    raise EC2ClientError("IncorrectInstanceState", message)


def _by_user() -> tuple[str, str, str]:
    from moto.core.utils import utcnow

    return (f"User initiated ({utcnow():%Y-%m-%d %H:%M:%S} GMT)", *USER_REASON)


def _image_name(instance: Any) -> str:
    image = instance.ec2_backend.amis.get(instance.image_id)
    return (image.name if image else "") or ""


def _adapt_states(instances: Any) -> None:
    from moto.core.utils import utcnow

    kind = instances.Instance
    initialise, kind._finish_termination = kind.__init__, kind.terminate

    def __init__(made: Any, *arguments: Any, **named: Any) -> None:
        initialise(made, *arguments, **named)
        if not made.security_groups and 0 in made.nics:
            made.security_groups = list(made.nics[0]._group_set)  # shown by DescribeInstances, as the interface's are
        if made.client_token == _UNGIVEN:
            made.client_token = None
        made.reboots = 0
        made.checks_pass_at = 0.0
        put(made, "pending")

    def setup_defaults(made: Any) -> None:
        volume = made.ec2_backend.create_volume(
            size=30 if "-ecs-" in _image_name(made) else 8, zone_name=made._placement.zone
        )
        made.ec2_backend.attach_volume(volume.id, made.id, made.root_device_name, True)

    def start(instance: Any) -> Any:
        previous = copy.copy(instance._state)
        if previous.name in ("pending", "running"):
            return previous
        if previous.name != "stopped":
            _refuse(instance, "started")
        for interface in instance.nics.values():
            interface.start()
        instance.launch_time = utcnow()
        put(instance, "pending")
        return previous

    def stop(instance: Any) -> Any:
        previous = copy.copy(instance._state)
        if previous.name in ("stopping", "stopped"):
            return previous
        if previous.name != "running":
            _refuse(instance, "stopped")
        put(instance, "stopping", *_by_user())
        return previous

    def terminate(instance: Any) -> Any:
        previous = copy.copy(instance._state)
        if previous.name not in ("shutting-down", "terminated"):
            put(instance, "shutting-down", *_by_user())
        return previous

    def reboot(instance: Any) -> None:
        if instance._state.name != "running":
            _refuse(instance, "rebooted")
        instance.reboots += 1

    def status(instance: Any) -> dict[str, Any]:
        if instance._state.name != "running":
            return {"Status": "not-applicable"}
        passed = utcnow().timestamp() >= instance.checks_pass_at
        detail = {"Name": "reachability", "Status": "passed" if passed else "initializing"}
        return {"Status": "ok" if passed else "initializing", "Details": [detail]}

    kind.setup_defaults = setup_defaults
    kind.__init__, kind.start, kind.stop, kind.terminate, kind.reboot = __init__, start, stop, terminate, reboot
    kind.instance_status = kind.system_status = property(status)


def _adapt_launch(backend: Any) -> None:
    """moto gives an instance profile to the first instance of a request only."""
    launch = backend.run_instances

    def run_instances(ec2: Any, *arguments: Any, **named: Any) -> Any:
        reservation = launch(ec2, *arguments, **named)
        for which in ("iam_instance_profile_name", "iam_instance_profile_arn"):
            for instance in reservation.instances[1:] if named.get(which) else ():
                ec2.associate_iam_instance_profile(instance_id=instance.id, **{which: named[which]})
        return reservation

    backend.run_instances = run_instances


def _adapt_changes(backend: Any) -> None:
    """What a machine has only from its next boot on can be changed while it is stopped only."""
    change = backend.modify_instance_attribute

    def modify_instance_attribute(ec2: Any, instance_id: str, key: str, value: Any) -> Any:
        from moto.ec2.exceptions import EC2ClientError

        instance = ec2.get_instance(instance_id)
        if key in _WHILE_STOPPED and instance._state.name != "stopped":
            message = f"The instance '{instance_id}' is not in the 'stopped' state."
            raise EC2ClientError("IncorrectInstanceState", message)
        return change(ec2, instance_id, key, value)

    backend.modify_instance_attribute = modify_instance_attribute


def _adapt_answers(response: Any) -> None:
    """Their answers say into which state each instance was put; moto's say what it would have been."""
    from moto.core.responses import ActionResult

    module = sys.modules[response.__module__]
    read = module.parse_user_data

    def parse_user_data(value: Any) -> Any:
        """Of ModifyInstanceAttribute it is decoded already, which moto does not expect."""
        return read(base64.b64encode(value).decode() if isinstance(value, bytes) else value)

    module.parse_user_data = parse_user_data  # type: ignore[attr-defined]

    def changed(pairs: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
        return [
            {"InstanceId": instance.id, "CurrentState": copy.copy(instance._state), "PreviousState": previous}
            for instance, previous in pairs
        ]

    def answering(member: str, action: str) -> Callable[[Any], Any]:
        def answer(self: Any) -> Any:
            wanted = self._get_param("InstanceIds", [])
            self.error_on_dryrun()
            kept = [(i, vars(i).copy()) for i in self.ec2_backend.get_multi_instances_by_id(wanted)]
            try:
                return ActionResult({member: changed(getattr(self.ec2_backend, action)(wanted))})
            except Exception:  # all or none, as on AWS
                for instance, before in kept:
                    vars(instance).update(before)
                raise

        return answer

    response.start_instances = answering("StartingInstances", "start_instances")
    response.stop_instances = answering("StoppingInstances", "stop_instances")
    response.terminate_instances = answering("TerminatingInstances", "terminate_instances")


# ---------------------------------------------------------------------- what the emulator asks


def answer(account: str, region: str, operation: str, body: bytes) -> bytes:
    """One of :data:`OPERATIONS`, JSON in and out."""
    from moto.ec2.models import ec2_backends

    return json.dumps(OPERATIONS[operation](ec2_backends[account][region], json.loads(body or b"{}"))).encode()


def describe_machines(ec2: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """All instances, as the emulator wants to know them; with their user data those of ``userDataOf``."""
    wanted = asked.get("userDataOf", [])
    return {"machines": [facts(instance, instance.id in wanted) for instance in ec2.all_instances()]}


def set_machine(ec2: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Put the instance ``id`` into the state ``to``, if it is in one of ``from``; else nothing happens."""
    from moto.core.utils import utcnow

    instance = ec2.get_instance_by_id(asked["id"])
    if instance is None:
        return {"machine": None}
    if instance._state.name not in asked["from"]:
        return {"machine": facts(instance, False)}
    to, kept = asked["to"], (instance._reason, instance.state_reason)
    if to == "terminated":
        instance._finish_termination()
    elif to == "stopped":
        for interface in instance.nics.values():
            interface.stop()
    if "code" in asked:
        reason = f"{asked['reason']} ({utcnow():%Y-%m-%d %H:%M:%S} GMT)" if asked["reason"] else ""
        put(instance, to, reason, asked["code"], asked["message"])
    else:
        put(instance, to)
        if to in ("terminated", "stopped"):
            instance._reason, instance.state_reason = kept
    instance.checks_pass_at = asked.get("checksPassAt", 0.0)
    return {"machine": facts(instance, False)}


def forget_machines(ec2: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Terminated instances go from the descriptions."""
    gone = set(asked["ids"])
    for name, reservation in list(ec2.reservations.items()):
        reservation.instances = [i for i in reservation.instances if i.id not in gone or i._state.name != "terminated"]
        if not reservation.instances:
            del ec2.reservations[name]
    return {}


def another_address(ec2: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Another public address for an instance whose own somebody else on this machine has."""
    instance = ec2.get_instance_by_id(asked["id"])
    interface = instance.nics[0]
    if interface.public_ip == asked["address"] and interface.public_ip_auto_assign:
        interface.public_ip = public_address()
    return {"machine": facts(instance, False)}


OPERATIONS: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    "DescribeMachines": describe_machines,
    "SetMachine": set_machine,
    "ForgetMachines": forget_machines,
    "ReplaceMachineAddress": another_address,
}


def facts(instance: Any, with_user_data: bool) -> dict[str, Any]:
    """An instance in JSON."""
    interface = instance.nics.get(0)
    groups = sorted(interface.group_set, key=lambda g: g.id) if interface else []
    subnet = interface.subnet if interface else None
    vpc = instance.ec2_backend.vpcs.get(subnet.vpc_id) if subnet else None  # a terminated one may outlive its VPC
    profile = instance.iam_instance_profile or {}
    found: dict[str, Any] = {
        "id": instance.id,
        "state": instance._state.name,
        "reboots": instance.reboots,
        "image_id": instance.image_id,
        "image_name": _image_name(instance),
        "architecture": instance.architecture or "x86_64",
        "instance_type": instance.instance_type,
        "profile": profile.get("Arn", "") or "",
        "profile_id": profile.get("Id", "") or "",
        "subnet_id": subnet.id if subnet else "",
        "subnet_cidr": subnet.cidr_block if subnet else "",
        "vpc_id": subnet.vpc_id if subnet else "",
        "vpc_cidr": vpc.cidr_block if vpc else "",
        "availability_zone": instance.availability_zone or "",
        "zone_id": getattr(subnet, "availability_zone_id", "") or "" if subnet else "",
        "private_address": (interface.private_ip_address if interface else "") or "",
        "public_address": (interface.public_ip if interface else "") or "",
        "mac": interface.mac_address if interface else "",
        "interface_id": interface.id if interface else "",
        "private_dns": instance.private_dns_name if interface else "",
        "public_dns": (instance.public_dns_name if interface else "") or "",
        "groups": [group.id for group in groups],
        "group_names": [group.name for group in groups],
        "key_name": instance.key_name or "",
        "launch_time": f"{instance.launch_time:%Y-%m-%dT%H:%M:%SZ}",
        "launch_index": instance.ami_launch_index,
        "reservation": next((r.id for r in instance.ec2_backend.reservations.values() if instance in r.instances), ""),
        "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()},
        "tokens": instance.metadata_options.http_tokens,
        "endpoint": instance.metadata_options.http_endpoint,
        "metadata_tags": instance.metadata_options.instance_metadata_tags,
        "monitored": instance.monitored,
        "shutdown_behavior": instance.instance_initiated_shutdown_behavior,
    }
    if with_user_data:
        found["user_data"] = str(instance.user_data) if instance.user_data else ""
    return found
