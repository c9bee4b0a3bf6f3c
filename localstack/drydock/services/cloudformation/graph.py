"""Which resource waits for which. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from drydock.errors import AwsError
from drydock.services.cloudformation.faults import invalid

Graph = Mapping[str, frozenset[str]]
"""Of each resource those that must be there before it"""


def check_acyclic(graph: Graph) -> None:
    """Raises ValidationError, naming what is in the circle or behind it."""
    rest = {name: set(needs) & set(graph) for name, needs in graph.items()}
    while free := [name for name, needs in rest.items() if not needs]:
        for name in free:
            del rest[name]
        gone = set(free)
        for needs in rest.values():
            needs -= gone
    if rest:
        raise circular(_only_circles(rest))


def _only_circles(rest: dict[str, set[str]]) -> list[str]:
    """Without what merely waits for a circle."""
    while loose := [name for name in rest if not any(name in needs for needs in rest.values())]:
        for name in loose:
            del rest[name]
    return sorted(rest)


def circular(names: list[str]) -> AwsError:
    """The error for resources that wait for each other."""
    return invalid(f"Circular dependency between resources: [{', '.join(names)}]")


def ready(graph: Graph, done: set[str], begun: set[str]) -> list[str]:
    """What may be begun now, in the template's order."""
    return [name for name, needs in graph.items() if name not in begun and needs & set(graph) <= done]


def reverse(graph: Graph) -> dict[str, frozenset[str]]:
    """For deletion: of each resource those that must be gone before it."""
    found: dict[str, set[str]] = {name: set() for name in graph}
    for name, needs in graph.items():
        for need in needs:
            if need in found:
                found[need].add(name)
    return {name: frozenset(users) for name, users in found.items()}
