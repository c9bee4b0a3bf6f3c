"""Capacity provider strategies: how tasks are shared out by base and weight. Pure.

FARGATE and FARGATE_SPOT run the same here: AWS takes a Spot task's machine away when it needs it, Drydock never does.

Source: "Amazon ECS capacity providers" and the API reference of CapacityProviderStrategyItem. The messages marked with
(?) say the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

from typing import Any

from drydock.services.ecs.rules import invalid

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
LAUNCH_TYPE = "launch type FARGATE"
"""Stands among providers for a task that is asked for by its launch type"""
FARGATE = (*FARGATE_PROVIDERS, LAUNCH_TYPE)
MOST_PROVIDERS = 20
LARGEST_BASE, LARGEST_WEIGHT = 100_000, 1000

Strategy = list[dict[str, Any]]


def shown(provider: str) -> str:
    """As a task's ``capacityProviderName``; empty where it was asked for by launch type."""
    return "" if provider == LAUNCH_TYPE else provider


def provider_name(identifier: str) -> str:
    """From a name or an ARN."""
    return identifier.rpartition("capacity-provider/")[2] if identifier.startswith("arn:") else identifier


def check_providers(names: list[str], known: tuple[str, ...] = FARGATE_PROVIDERS) -> None:
    """Those that are to be associated with a cluster. Raises InvalidParameterException."""
    for name in names:
        if name not in known:
            raise invalid(
                "The specified capacity provider was not found. Specify a valid capacity provider and try again."
            )
        if names.count(name) > 1:
            raise invalid(f"The capacity provider {name} is specified more than once.")  # (?)
    if len(names) > MOST_PROVIDERS:
        raise invalid("The maximum number of capacity providers per cluster has been exceeded.")


def normalised(strategy: Strategy) -> Strategy:
    """As AWS shows it: short names, with weight and base."""
    return [
        {
            "capacityProvider": provider_name(item["capacityProvider"]),
            "weight": item.get("weight", 0),
            "base": item.get("base", 0),
        }
        for item in strategy
    ]


def check_strategy(strategy: Strategy, attached: list[str]) -> None:
    """Raises InvalidParameterException for a strategy that AWS refuses; ``attached`` are the cluster's providers. One
    whose weights are all 0 is kept, but cannot be used: :func:`check_usable`."""
    names = [item["capacityProvider"] for item in strategy]
    if len(strategy) > MOST_PROVIDERS:
        raise invalid(
            f"A capacity provider strategy can contain a maximum of {MOST_PROVIDERS} capacity providers."
        )  # (?)
    for name in names:
        if names.count(name) > 1:
            raise invalid("The capacity provider strategy cannot contain a duplicate capacity provider.")  # (?)
        if name not in attached:
            raise invalid(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
                "the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and "
                "try again."
            )
    weights = [item.get("weight", 0) for item in strategy]
    bases = [item.get("base", 0) for item in strategy]
    if any(not 0 <= weight <= LARGEST_WEIGHT for weight in weights):
        raise invalid(f"Weight must be between 0 and {LARGEST_WEIGHT}.")  # (?)
    if any(not 0 <= base <= LARGEST_BASE for base in bases):
        raise invalid(f"Base must be between 0 and {LARGEST_BASE}.")  # (?)
    if sum(base > 0 for base in bases) > 1:
        raise invalid("Only one capacity provider in a capacity provider strategy can have a base defined.")  # (?)
    if len({name in FARGATE_PROVIDERS for name in names}) > 1:
        raise invalid(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate "
            "providers. Specify one or the other and try again."
        )


def check_usable(strategy: Strategy, default: bool) -> None:
    """For RunTask: a provider with a weight of 0 places no tasks, so one must have more. ``default`` says that it is the
    cluster's. Raises InvalidParameterException."""
    if any(item.get("weight", 0) > 0 for item in strategy):
        return
    if default:
        raise invalid(
            "There are no capacity providers with a weight value greater than zero defined in the default capacity provider "
            "strategy. At least one capacity provider must have a weight value greater than zero specified. Update the "
            "cluster's default capacity provider strategy or specify a valid capacity provider strategy and try again."
        )
    if len(strategy) > 1:
        raise invalid(
            "There are no capacity providers with a weight value greater than zero defined in the capacity provider "
            "strategy. At least one capacity provider must have a weight value greater than zero specified. Specify a valid "
            "capacity provider strategy and try again."
        )  # (?)


def share_out(strategy: Strategy, count: int, running: dict[str, int] | None = None) -> list[str]:
    """The provider of each of ``count`` new tasks: first the base is filled, then each task goes where the share would
    be furthest below its weight (the first named, of equals). ``running`` counts those that are there already (a
    service's)."""
    if len(strategy) == 1:
        return [strategy[0]["capacityProvider"]] * count
    placed = {item["capacityProvider"]: (running or {}).get(item["capacityProvider"], 0) for item in strategy}
    bases = {item["capacityProvider"]: item.get("base", 0) for item in strategy}
    weights = {item["capacityProvider"]: item.get("weight", 0) for item in strategy}
    weighted = [name for name in placed if weights[name] > 0]
    chosen = []
    for _ in range(count):
        short = [name for name in placed if placed[name] < bases[name]]
        name = short[0] if short else min(weighted, key=lambda n: (placed[n] - bases[n] + 1) / weights[n])
        placed[name] += 1
        chosen.append(name)
    return chosen
