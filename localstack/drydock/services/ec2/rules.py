"""Pure decisions about requests to EC2."""

from __future__ import annotations

_UNRELATED = frozenset({"CreateNetworkInterface", "DeleteNetworkInterface"})
_WORDS = ("Address", "Instance", "NetworkInterface", "Tags", "Vpc")
_READS = ("Describe", "Get", "List")


def touches_machines(service: str, operation: str) -> bool:
    """Whether a request may have changed what there is to know of an instance or a group."""
    if operation.startswith(_READS):
        return False
    if service == "autoscaling":
        return True
    return service == "ec2" and operation not in _UNRELATED and any(word in operation for word in _WORDS)
