"""The tree of the instance metadata service. Pure.

Source: "Instance metadata categories" and "Dynamic instance data" of the EC2 User Guide. A folder lists its members, one a
line, those with members of their own with a slash at the end.
"""

from __future__ import annotations

import json
from typing import Any

from drydock.services.ec2.identity_document import as_text, identity_document, signature
from drydock.services.ec2.model import Machine
from drydock.store import Scope

Tree = dict[str, Any]
VERSIONS = (
    "1.0",
    "2007-01-19",
    "2014-11-05",
    "2016-09-02",
    "2018-09-24",
    "2019-10-01",
    "2021-07-15",
    "2022-09-24",
    "latest",
)


def tree(scope: Scope, machine: Machine, user_data: bytes, role: str, credentials: Tree | None) -> Tree:
    """Everything below a version. ``role`` is the name of the profile's role, empty if there is none."""
    document = identity_document(scope, machine)
    found: Tree = {
        "dynamic": {
            "instance-identity": {"document": as_text(document), "signature": signature(document)},
        },
        "meta-data": _meta_data(scope, machine, role, credentials),
    }
    if user_data:
        found["user-data"] = user_data
    return found


def _meta_data(scope: Scope, machine: Machine, role: str, credentials: Tree | None) -> Tree:
    public = machine.public_address
    found: Tree = {
        "ami-id": machine.image_id,
        "ami-launch-index": str(machine.launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": {"ami": "/dev/xvda", "root": "/dev/xvda"},
        "hostname": machine.private_dns,
        "identity-credentials": None,
        "instance-action": "none",
        "instance-id": machine.id,
        "instance-life-cycle": "on-demand",
        "instance-type": machine.instance_type,
        "local-hostname": machine.private_dns,
        "local-ipv4": machine.private_address,
        "mac": machine.mac,
        "network": {"interfaces": {"macs": {machine.mac: _interface(scope, machine)}}},
        "placement": {
            "availability-zone": machine.availability_zone,
            "availability-zone-id": machine.zone_id,
            "region": scope.region,
        },
        "profile": "default-hvm",
        "reservation-id": machine.reservation,
        "security-groups": "\n".join(machine.group_names),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
        "system": "nitro",
    }
    if public:
        found["public-hostname"], found["public-ipv4"] = machine.public_dns, public
    if machine.key_name:
        found["public-keys"] = {f"0={machine.key_name}": None}
    if machine.profile:
        document = {
            "Code": "Success",
            "LastUpdated": (credentials or {}).get("LastUpdated", machine.launch_time),
            "InstanceProfileArn": machine.profile,
            "InstanceProfileId": machine.profile_id,
        }
        found["iam"] = {"info": json.dumps(document, indent=2), "security-credentials": {}}
        if role:
            found["iam"]["security-credentials"][role] = json.dumps(credentials, indent=2) if credentials else ""
    if machine.metadata_tags == "enabled":
        found["tags"] = {"instance": dict(machine.tags)}
    if group := machine.tags.get("aws:autoscaling:groupName"):
        found["autoscaling"] = {"target-lifecycle-state": "InService"} if group else {}
    return {name: value for name, value in found.items() if value is not None}


def _interface(scope: Scope, machine: Machine) -> Tree:
    found: Tree = {
        "device-number": "0",
        "interface-id": machine.interface_id,
        "local-hostname": machine.private_dns,
        "local-ipv4s": machine.private_address,
        "mac": machine.mac,
        "owner-id": scope.account,
        "security-group-ids": "\n".join(machine.groups),
        "security-groups": "\n".join(machine.group_names),
        "subnet-id": machine.subnet_id,
        "subnet-ipv4-cidr-block": machine.subnet_cidr,
        "vpc-id": machine.vpc_id,
        "vpc-ipv4-cidr-block": machine.vpc_cidr,
        "vpc-ipv4-cidr-blocks": machine.vpc_cidr,
    }
    if machine.public_address:
        found["public-hostname"], found["public-ipv4s"] = machine.public_dns, machine.public_address
        found["ipv4-associations"] = {machine.public_address: machine.private_address}
    return found


def look_up(found: Tree, path: list[str]) -> bytes | None:
    """What stands at a path; None if there is nothing."""
    here: Any = found
    for name in path:
        if not isinstance(here, dict) or name not in here:
            return None
        here = here[name]
    if isinstance(here, dict):
        lines = [name + ("/" if isinstance(inner, dict) and inner else "") for name, inner in sorted(here.items())]
        return "\n".join(lines).encode()
    return here if isinstance(here, bytes) else str(here if here is not None else "").encode()
