"""Which container instance a task is placed on, and why on none. Pure: what is known of the instances in, a choice out.

1. Only instances that are ACTIVE are looked at (StartTask names its own).
2. An instance is ruled out by the first thing that does not fit, in the order of :data:`CHECKS`.
3. Of those that are left the strategies choose, the first one first; what they leave equal is decided by the fewest tasks,
   then by the order of registration.

Sources: "How Amazon ECS places tasks on container instances", "Use strategies to define Amazon ECS task placement",
"Amazon ECS API failure reasons".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from drydock.services.ecs.expressions import parse

ZONE = "attribute:ecs.availability-zone"
INSTANCE = "instanceId"
DISTINCT = "DistinctInstance placement constraint unsatisfied."
MEMBER_OF = "MemberOf placement constraint unsatisfied."
CHECKS = (
    "AGENT",
    "ATTRIBUTE",
    MEMBER_OF,
    DISTINCT,
    "RESOURCE:CPU",
    "RESOURCE:MEMORY",
    "RESOURCE:PORTS",
    "RESOURCE:ENI",
)
"""Reasons of failure, in the order in which they are looked for"""

CLOSEST = {
    "AGENT": "doesn't have the agent connected.",
    "ATTRIBUTE": "is missing an attribute required by your task.",
    "RESOURCE:CPU": "has insufficient CPU units available.",
    "RESOURCE:MEMORY": "has insufficient memory available.",
    "RESOURCE:PORTS": "is already using a port required by your task.",
}
"""How a service's event puts them ("Amazon ECS service event messages")"""


@dataclass(frozen=True)
class Constraint:
    """``distinctInstance`` or ``memberOf`` with an expression."""

    kind: str
    expression: str = ""


@dataclass(frozen=True)
class Strategy:
    """``spread``, ``binpack`` or ``random`` with a field."""

    kind: str
    field: str = ""


@dataclass(frozen=True)
class Need:
    """What a task takes. CPU in units, memory in MiB."""

    group: str
    cpu: int = 0
    memory: int = 0
    tcp: frozenset[int] = frozenset()
    """Host ports that the definition names"""
    udp: frozenset[int] = frozenset()
    attributes: tuple[str, ...] = ()
    interfaces: int = 0
    constraints: tuple[Constraint, ...] = ()


@dataclass
class Host:
    """A container instance as the scheduler sees it; what is left of its resources."""

    arn: str
    ec2_instance_id: str
    cpu: int
    memory: int
    attributes: dict[str, str] = field(default_factory=dict)
    tcp: set[int] = field(default_factory=set)
    """Ports in use"""
    udp: set[int] = field(default_factory=set)
    interfaces: int = 0
    """Network interfaces that can still be attached"""
    connected: bool = True
    groups: list[str] = field(default_factory=list)
    """Of the tasks on it, one each"""
    leaving: list[str] = field(default_factory=list)
    """The groups of those among them that were told to stop: they still take resources, but a spread does not count them"""
    agent_version: str = ""
    registered_at: str = ""
    provider: str = ""

    @property
    def id(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition("/")[2]

    def subjects(self, name: str) -> list[str]:
        """For the cluster query language."""
        if name.startswith("attribute:"):
            key = name.partition(":")[2]
            return [self.attributes[key]] if key in self.attributes else []
        values = {
            "agentConnected": [str(self.connected).lower()],
            "agentVersion": [self.agent_version],
            "ec2InstanceId": [self.ec2_instance_id],
            "registeredAt": [self.registered_at],
            "runningTasksCount": [str(len(self.groups))],
            "task:group": list(self.groups),
        }
        return [value for value in values[name] if value]

    def take(self, need: Need) -> None:
        """Place it: what it needs is gone."""
        self.cpu -= need.cpu
        self.memory -= need.memory
        self.tcp |= need.tcp
        self.udp |= need.udp
        self.interfaces -= need.interfaces
        self.groups.append(need.group)


@dataclass(frozen=True)
class Choice:
    """``host`` is None if none fits; then ``ruled_out`` has every instance with its reason, in the order given."""

    host: Host | None
    ruled_out: tuple[tuple[Host, str], ...] = ()

    def closest(self) -> tuple[Host, str] | None:
        """The instance that came furthest in the checks."""
        return max(self.ruled_out, key=lambda pair: CHECKS.index(pair[1]), default=None)


def obstacle(need: Need, host: Host) -> str | None:
    """Why the task cannot be placed there, None if it can."""
    found = {
        "AGENT": not host.connected,
        "ATTRIBUTE": any(name not in host.attributes for name in need.attributes),
        MEMBER_OF: any(
            not parse(constraint.expression)(host.subjects)
            for constraint in need.constraints
            if constraint.kind == "memberOf"
        ),
        DISTINCT: any(c.kind == "distinctInstance" for c in need.constraints) and need.group in host.groups,
        "RESOURCE:CPU": need.cpu > host.cpu,
        "RESOURCE:MEMORY": need.memory > host.memory,
        "RESOURCE:PORTS": bool(need.tcp & host.tcp or need.udp & host.udp),
        "RESOURCE:ENI": need.interfaces > host.interfaces,
    }
    return next((check for check in CHECKS if found[check]), None)


def choose(need: Need, hosts: list[Host], strategies: tuple[Strategy, ...] = (), draw: int = 0) -> Choice:
    """One of the instances that fit. ``draw`` is a number drawn for the strategy ``random``."""
    judged = [(host, obstacle(need, host)) for host in hosts]
    left = [host for host, reason in judged if reason is None]
    if not left:
        return Choice(None, tuple((host, reason) for host, reason in judged if reason))
    for strategy in strategies:
        if strategy.kind == "random":
            left = [left[draw % len(left)]]
        else:
            key = _key(strategy, need.group, hosts)
            best = min(key(host) for host in left)
            left = [host for host in left if key(host) == best]
    return Choice(min(left, key=lambda host: len(host.groups)))


def _key(strategy: Strategy, group: str, hosts: list[Host]) -> Callable[[Host], float]:
    if strategy.kind == "binpack":
        return lambda host: host.cpu if strategy.field == "cpu" else host.memory
    counts = spread_counts(strategy.field, group, hosts)
    return lambda host: counts.get(value_of(strategy.field, host), 0)


def spread_counts(name: str, group: str, hosts: list[Host]) -> dict[str, int]:
    """How many tasks of a group there are for each value of a field."""
    counts: dict[str, int] = {}
    for host in hosts:
        value = value_of(name, host)
        counts[value] = counts.get(value, 0) + host.groups.count(group) - host.leaving.count(group)
    return counts


def value_of(name: str, host: Host) -> str:
    """Of a spread strategy's field on an instance; instances without it count as one."""
    if name in (INSTANCE, "host"):
        return host.id
    return next(iter(host.subjects(name)), "")


def order_of_removal(
    tasks: list[tuple[str, str]], strategies: tuple[Strategy, ...], group: str, hosts: list[Host]
) -> list[str]:
    """Tasks (name, instance's ARN; the oldest first) in the order in which a scale-in stops them: from where the first
    spread strategy counts the most, the newest there first."""
    name = next((s.field for s in strategies if s.kind == "spread"), ZONE)
    values = {host.arn: value_of(name, host) for host in hosts}
    places: dict[str, list[int]] = {}
    for number, (_, arn) in enumerate(tasks):
        places.setdefault(values.get(arn, ""), []).append(number)
    fullest = [(-len(numbers), -numbers[-1], numbers) for numbers in places.values()]
    heapify(fullest)
    order = []
    while fullest:
        _, _, numbers = heappop(fullest)
        order.append(tasks[numbers.pop()][0])
        if numbers:
            heappush(fullest, (-len(numbers), -numbers[-1], numbers))
    return order
