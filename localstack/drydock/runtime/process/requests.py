"""A ContainerSpec as the helper takes it, and what of it cannot be had here, said aloud."""

from __future__ import annotations

import resource
from typing import Any

from drydock.runtime.interface import ContainerSpec

_ROOT = ("", "0", "root", "0:0", "root:root")


def container_request(spec: ContainerSpec, tier: str, rootless: bool) -> tuple[dict[str, Any], list[str]]:
    """(the message's spec, warnings)."""
    ulimits, warnings = _possible_limits(spec, rootless)
    if tier == "plain":
        warnings += _not_in_plain(spec)
    elif rootless and spec.user not in _ROOT:
        warnings.append(
            f"user {spec.user} cannot be had without root (there is one id in our user namespace): runs as root"
        )
    request = {
        "layers": [str(layer) for layer in spec.layers],
        "argv": [str(word) for word in spec.argv],
        "env": {str(name): str(value) for name, value in spec.env.items()},
        "cwd": spec.cwd or "/",
        "user": spec.user,
        "host_files": spec.host_files,
        "mounts": [[str(mount.source), str(mount.target), mount.read_only] for mount in spec.mounts],
        "memory": int(spec.memory),
        "cpu": float(spec.cpu),
        "init": spec.init,
        "read_only": spec.read_only,
        "ulimits": ulimits,
        "disk": "" if tier == "plain" else spec.disk,
    }
    return request, warnings


def _not_in_plain(spec: ContainerSpec) -> list[str]:
    warnings = []
    if spec.user not in _ROOT:
        warnings.append(f"user {spec.user} is ignored by the plain tier: it runs as the emulator's user")
    if spec.disk:
        warnings.append("the plain tier keeps no disk: what it writes goes with the container")
    if spec.read_only:
        warnings.append("a read-only root file system cannot be had in the plain tier")
    if any(mount.read_only for mount in spec.mounts):
        warnings.append("volumes are links in the plain tier: read-only is not enforced")
    return warnings


def _possible_limits(spec: ContainerSpec, rootless: bool) -> tuple[dict[str, list[int]], list[str]]:
    """Without root nobody may raise a hard limit above the one they have."""
    limits: dict[str, list[int]] = {}
    warnings = []
    for name, (soft, hard) in spec.ulimits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        most = resource.getrlimit(number)[1] if rootless and number is not None else resource.RLIM_INFINITY
        if most != resource.RLIM_INFINITY and (hard > most or hard == resource.RLIM_INFINITY):
            warnings.append(f"ulimit {name}={hard} is above this machine's hard limit {most}, which is used instead")
            soft, hard = most if soft == resource.RLIM_INFINITY else min(soft, most), most
        limits[name] = [soft, hard]
    return limits, warnings
