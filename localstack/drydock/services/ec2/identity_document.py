"""The instance identity document: who a machine is, as AWS attests it. Pure.

Source: "Instance identity documents for Amazon EC2 instances". Its signature here is a hash and proves nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from drydock.services.ec2.model import Machine
from drydock.store import Scope


def identity_document(scope: Scope, machine: Machine) -> dict[str, Any]:
    """Its members in AWS's order."""
    return {
        "accountId": scope.account,
        "architecture": machine.architecture,
        "availabilityZone": machine.availability_zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": machine.image_id,
        "instanceId": machine.id,
        "instanceType": machine.instance_type,
        "kernelId": None,
        "pendingTime": machine.launch_time,
        "privateIp": machine.private_address,
        "ramdiskId": None,
        "region": scope.region,
        "version": "2017-09-30",
    }


def as_text(document: dict[str, Any]) -> str:
    """As the metadata service gives it."""
    return json.dumps(document, indent=2, separators=(",", " : "))


def signature(document: dict[str, Any]) -> str:
    """A stand-in: base64 of a hash."""
    return base64.b64encode(hashlib.sha512(as_text(document).encode()).digest()).decode()
