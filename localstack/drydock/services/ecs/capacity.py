"""Capacity provider strategies: how tasks are shared out by base and weight. Pure.

Source: "Amazon ECS capacity providers" and the API reference of CapacityProviderStrategyItem.
"""

from __future__ import annotations

from typing import Any

from drydock.services.ecs.rules import invalid

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
MOST_PROVIDERS = 20
LARGEST_BASE, LARGEST_WEIGHT = 100_000, 1000


def check_strategy(strategy: list[dict[str, Any]], attached: list[str]) -> None:
    """Raises AwsError for a strategy that AWS refuses; ``attached`` are the cluster's providers."""
    names = [item["capacityProvider"] for item in strategy]
    if len(strategy) > MOST_PROVIDERS:
        raise invalid(f"A capacity provider strategy can contain a maximum of {MOST_PROVIDERS} capacity providers.")
    for name in names:
        if names.count(name) > 1:
            raise invalid("The capacity provider strategy cannot contain a duplicate capacity provider.")
        if name not in attached:
            raise invalid(
                f"The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
                f"the cluster. Associate the capacity provider with the cluster and try again. {name}"
            )
    weights = [item.get("weight", 0) for item in strategy]
    bases = [item.get("base", 0) for item in strategy]
    if any(not 0 <= weight <= LARGEST_WEIGHT for weight in weights):
        raise invalid(f"Weight must be between 0 and {LARGEST_WEIGHT}.")
    if any(not 0 <= base <= LARGEST_BASE for base in bases):
        raise invalid(f"Base must be between 0 and {LARGEST_BASE}.")
    if sum(base > 0 for base in bases) > 1:
        raise invalid("Only one capacity provider in a capacity provider strategy can have a base defined.")
    if strategy and not any(weights):
        raise invalid(
            "The capacity provider strategy must contain at least one capacity provider with a weight greater than 0."
        )
    kinds = {name in FARGATE_PROVIDERS for name in names}
    if len(kinds) > 1:
        raise invalid(
            "The specified capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups "
            "and Fargate capacity providers."
        )


def share_out(strategy: list[dict[str, Any]], count: int, running: dict[str, int] | None = None) -> list[str]:
    """The provider of each of ``count`` new tasks: first the base is filled, then each task goes where the share is
    furthest below its weight. ``running`` counts those that are there already (a service's)."""
    placed = {item["capacityProvider"]: (running or {}).get(item["capacityProvider"], 0) for item in strategy}
    bases = {item["capacityProvider"]: item.get("base", 0) for item in strategy}
    weights = {item["capacityProvider"]: item.get("weight", 0) for item in strategy}
    chosen = []
    for _ in range(count):
        short = [name for name in placed if placed[name] < bases[name]]
        if short:
            name = short[0]
        else:
            weighted = [name for name in placed if weights[name] > 0]
            name = min(weighted, key=lambda n: ((placed[n] - bases[n]) / weights[n], weighted.index(n)))
        placed[name] += 1
        chosen.append(name)
    return chosen
