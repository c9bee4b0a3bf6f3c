"""What a group does next. Pure: what is in, decisions out.

Sources: "Health checks for instances in an Auto Scaling group", "How Amazon EC2 Auto Scaling works with termination
policies", "Suspend and resume processes"; the causes are those that DescribeScalingActivities shows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

ALIVE = ("Pending", "InService")
"""Lifecycle states that count towards the desired capacity"""
WAITING = "Terminating:Wait"
"""Of a member that is to be terminated as soon as nobody holds it any more"""
GONE = ("stopping", "stopped", "shutting-down", "terminated")
"""States of an instance that its group's health check does not pass"""
ENDING = ("shutting-down", "terminated")
HEALTH, USER_HEALTH, SIZE, USER = "health", "user health", "size", "user"


@dataclass(frozen=True)
class Member:
    """``state`` is the instance's, ``launched`` a time."""

    id: str
    lifecycle: str
    health: str
    protected: bool
    state: str
    zone: str
    launched: float


@dataclass(frozen=True)
class Group:
    """``suspended`` are names of processes (Launch, Terminate, HealthCheck, ReplaceUnhealthy)."""

    desired: int
    members: tuple[Member, ...]
    suspended: frozenset[str] = frozenset()
    policies: tuple[str, ...] = ("Default",)


@dataclass
class Decision:
    """``show``: member to (lifecycle, health). ``terminate``: (member, why). ``wake``: lab seconds until it should be
    looked at again."""

    show: dict[str, tuple[str, str]] = field(default_factory=dict)
    leave: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """Members that were to be terminated before, and are held, or were not when the emulator was killed"""
    terminate: list[tuple[str, str]] = field(default_factory=list)
    launch: int = 0
    alive: int = 0
    """How many count before anything is launched or terminated for the size's sake"""
    wake: float | None = None


def decide(group: Group, bad_for: dict[str, float], patience: float) -> Decision:
    """``bad_for``: for how many seconds a member's instance has not been running; it is noticed after ``patience``."""
    decision = Decision()
    alive: list[Member] = []
    for member in group.members:
        if member.lifecycle not in ALIVE:
            if member.state == "terminated":
                decision.leave.append(member.id)
            elif member.lifecycle in (WAITING, "Terminating") and member.state not in ENDING:
                decision.waiting.append(member.id)
            continue
        reason = _fault(group, member, bad_for.get(member.id, 0.0) >= patience)
        if reason and "ReplaceUnhealthy" not in group.suspended and "Terminate" not in group.suspended:
            decision.terminate.append((member.id, reason))
            decision.show[member.id] = ("Terminating", "Unhealthy")
            continue
        if member.state in GONE and not reason and "HealthCheck" not in group.suspended:
            rest = patience - bad_for.get(member.id, 0.0)
            decision.wake = rest if decision.wake is None else min(decision.wake, rest)
        if reason and member.health != "Unhealthy":
            decision.show[member.id] = (member.lifecycle, "Unhealthy")
        elif member.lifecycle == "Pending" and member.state == "running":
            decision.show[member.id] = ("InService", member.health)
        alive.append(member)
    decision.alive = len(alive)
    if len(alive) < group.desired and "Launch" not in group.suspended:
        decision.launch = group.desired - len(alive)
    elif len(alive) > group.desired and "Terminate" not in group.suspended:
        for member in _surplus(alive, len(alive) - group.desired, group.policies):
            decision.terminate.append((member.id, SIZE))
            decision.show[member.id] = ("Terminating", member.health)
    return decision


def _fault(group: Group, member: Member, noticed: bool) -> str:
    if member.health == "Unhealthy":
        return HEALTH if member.state in GONE else USER_HEALTH
    if member.state in GONE and noticed and "HealthCheck" not in group.suspended:
        return HEALTH
    return ""


def _surplus(alive: list[Member], count: int, policies: tuple[str, ...]) -> list[Member]:
    """Who goes: of the zone with most members, there the one that the first policy names (by default the oldest);
    members protected from scale-in stay, even if too few go."""
    newest = bool(policies) and policies[0] == "NewestInstance"
    rest, chosen = list(alive), list[Member]()
    while len(chosen) < count:
        zones = Counter(member.zone for member in rest)
        free = [member for member in rest if not member.protected]
        if not free:
            break
        most = max(zones[member.zone] for member in free)
        there = [member for member in free if zones[member.zone] == most]
        pick = max if newest else min
        victim = pick(there, key=lambda member: (member.launched, member.id))
        chosen.append(victim)
        rest.remove(victim)
    return chosen


def next_place(places: list[str], used: list[str]) -> str:
    """The subnet or zone with the fewest members, the first of equals."""
    counts = Counter(used)
    return min(places, key=lambda place: (counts[place], places.index(place)))


def stamp(lab: float) -> str:
    """A time as causes show it."""
    return datetime.fromtimestamp(lab, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def told(operation: str, before: tuple[int, int, int], after: tuple[int, int, int], at: float) -> str:
    """The sentence about a request that changed a group's (desired, min, max); empty if it did not change what is
    desired."""
    if before[0] == after[0]:
        return ""
    change = f"changing the desired capacity from {before[0]} to {after[0]}."
    if operation == "CreateAutoScalingGroup":
        return f"At {stamp(at)} a user request created an AutoScalingGroup {change}  "
    if operation == "UpdateAutoScalingGroup":
        sizes = f"min: {after[1]}, max: {after[2]}, desired: {after[0]}"
        return f"At {stamp(at)} a user request update of AutoScalingGroup constraints to {sizes} {change}  "
    return f"At {stamp(at)} a user request explicitly set group desired capacity {change}  "


def launch_cause(before: str, at: float, alive: int, launched: int, replaces: bool) -> str:
    """Why instances are launched; ``before`` is the sentence about a request."""
    if replaces and not before:
        return f"At {stamp(at)} an instance was launched in response to an unhealthy instance needing to be replaced."
    return (
        f"{before}At {stamp(at)} an instance was started in response to a difference between desired and actual capacity, "
        f"increasing the capacity from {alive} to {alive + launched}."
    )


def terminate_cause(before: str, why: str, at: float, instance: str, alive: int, left: int) -> str:
    """Why an instance is terminated."""
    now = stamp(at)
    if why == HEALTH:
        return (
            f"At {now} an instance was taken out of service in response to an EC2 health check indicating it has been "
            "terminated or stopped."
        )
    if why == USER_HEALTH:
        return f"At {now} an instance was taken out of service in response to a user health-check."
    if why == USER:
        return f"At {now} instance {instance} was taken out of service in response to a user request."
    return (
        f"{before}At {now} an instance was taken out of service in response to a difference between desired and actual "
        f"capacity, shrinking the capacity from {alive} to {left}.  At {now} instance {instance} was selected for "
        "termination."
    )
