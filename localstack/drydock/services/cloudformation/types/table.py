"""The table of resource types."""

from __future__ import annotations

from drydock.services.cloudformation.types import (
    alarms,
    balancing,
    containers,
    dashboards,
    functions,
    gateways,
    groups,
    identity,
    machines,
    messages,
    own,
    scaling,
    storage,
    vpc,
)
from drydock.services.cloudformation.types.base import ResourceType

TABLE: dict[str, ResourceType] = {
    kind.name: kind()
    for module in (
        vpc,
        groups,
        identity,
        containers,
        own,
        storage,
        messages,
        balancing,
        machines,
        gateways,
        scaling,
        alarms,
        dashboards,
        functions,
    )
    for kind in module.TYPES
}
"""By the type's name"""
