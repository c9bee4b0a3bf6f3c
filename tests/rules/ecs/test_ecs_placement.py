"""Where a task is placed, and why nowhere: "How Amazon ECS places tasks on container instances" and its strategies."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from drydock.services.ecs.placement import (
    CHECKS,
    DISTINCT,
    MEMBER_OF,
    ZONE,
    Constraint,
    Host,
    Need,
    Strategy,
    choose,
    obstacle,
    order_of_removal,
)
from drydock.services.ecs.service_story import unplaced
from hypothesis import given
from hypothesis import strategies as st

BY_ZONE, BY_INSTANCE = Strategy("spread", ZONE), Strategy("spread", "instanceId")
PACK_CPU, PACK_MEMORY = Strategy("binpack", "cpu"), Strategy("binpack", "memory")
WEB = Need("service:web", cpu=256, memory=512)


def host(name: str, **given: Any) -> Host:
    zone = given.pop("zone", "us-east-1a")
    attributes = {"ecs.availability-zone": zone, "ecs.instance-type": "t3.medium", **given.pop("attributes", {})}
    base: dict[str, Any] = {"cpu": 2048, "memory": 3828, "interfaces": 2, "agent_version": "1.96.0"}
    arn = f"arn:aws:ecs:us-east-1:000000000000:container-instance/yard/{name}"
    return Host(arn, f"i-{name}", attributes=attributes, **(base | given))


def distinct(need: Need = WEB) -> Need:
    return replace(need, constraints=(*need.constraints, Constraint("distinctInstance")))


def member(expression: str, need: Need = WEB) -> Need:
    return replace(need, constraints=(*need.constraints, Constraint("memberOf", expression)))


def place(need: Need, hosts: list[Host], count: int, *strategies: Strategy) -> list[str]:
    """The instances of ``count`` tasks, one after the other; '-' where none takes it."""
    found = []
    for _ in range(count):
        choice = choose(need, hosts, strategies)
        if choice.host is not None:
            choice.host.take(need)
        found.append(choice.host.id if choice.host else "-")
    return found


# -- what rules an instance out
OBSTACLES: list[tuple[str, Need, dict[str, Any], str | None]] = [
    ("fits", WEB, {}, None),
    ("exactly", WEB, {"cpu": 256, "memory": 512}, None),
    ("cpu", WEB, {"cpu": 255}, "RESOURCE:CPU"),
    ("memory", WEB, {"memory": 511}, "RESOURCE:MEMORY"),
    ("cpu before memory", WEB, {"cpu": 0, "memory": 0}, "RESOURCE:CPU"),
    ("agent", WEB, {"connected": False, "cpu": 0}, "AGENT"),
    ("tcp port", replace(WEB, tcp=frozenset({80})), {"tcp": {22, 80}}, "RESOURCE:PORTS"),
    ("other port", replace(WEB, tcp=frozenset({80})), {"tcp": {22, 8080}}, None),
    ("tcp and udp are apart", replace(WEB, udp=frozenset({80})), {"tcp": {80}}, None),
    ("udp port", replace(WEB, udp=frozenset({53})), {"udp": {53}}, "RESOURCE:PORTS"),
    ("interface", replace(WEB, interfaces=1), {"interfaces": 0}, "RESOURCE:ENI"),
    ("last interface", replace(WEB, interfaces=1), {"interfaces": 1}, None),
    ("attribute", replace(WEB, attributes=("ecs.capability.task-eni",)), {}, "ATTRIBUTE"),
    ("attribute there", replace(WEB, attributes=("gpu",)), {"attributes": {"gpu": ""}}, None),
    ("one of two attributes", replace(WEB, attributes=("gpu", "ssd")), {"attributes": {"gpu": ""}}, "ATTRIBUTE"),
    ("member", member("attribute:ecs.instance-type == t3.medium"), {}, None),
    ("no member", member("attribute:ecs.instance-type == t3.large"), {}, MEMBER_OF),
    ("one of two expressions", member("agentConnected == false", member("agentConnected == true")), {}, MEMBER_OF),
    ("distinct, free", distinct(), {"groups": ["service:api"]}, None),
    ("distinct, taken", distinct(), {"groups": ["service:web"]}, DISTINCT),
    ("same group without constraint", WEB, {"groups": ["service:web"]}, None),
    ("group of a task", member("not(task:group == service:web)"), {"groups": ["service:web"]}, MEMBER_OF),
    ("few tasks", member("runningTasksCount < 2"), {"groups": ["a"]}, None),
    ("many tasks", member("runningTasksCount < 2"), {"groups": ["a", "a"]}, MEMBER_OF),
    ("new agent", member("agentVersion >= 1.100.0"), {"agent_version": "1.96.0"}, MEMBER_OF),
    ("nothing needed", Need("service:idle"), {"cpu": 0, "memory": 0, "interfaces": 0}, None),
]


@pytest.mark.parametrize("need, given, expected", [row[1:] for row in OBSTACLES], ids=[row[0] for row in OBSTACLES])
def test_what_rules_an_instance_out(need: Need, given: dict[str, Any], expected: str | None) -> None:
    one = host("a", **given)
    assert obstacle(need, one) == expected
    choice = choose(need, [one])
    assert (choice.host is one) == (expected is None)
    if expected:
        assert choice.closest() == (one, expected)


def test_no_instance_at_all() -> None:
    choice = choose(WEB, [])
    assert (choice.host, choice.ruled_out, choice.closest()) == (None, (), None)


def test_every_instance_is_named_with_its_reason() -> None:
    hosts = [host("a", cpu=0), host("b", connected=False), host("c", memory=0)]
    choice = choose(WEB, hosts)
    assert [(one.id, why) for one, why in choice.ruled_out] == [
        ("a", "RESOURCE:CPU"),
        ("b", "AGENT"),
        ("c", "RESOURCE:MEMORY"),
    ]
    closest = choice.closest()
    assert closest is not None
    assert closest[0].id == "c", "the one that came furthest"


START = "was unable to place a task because no container instance met all of its requirements."
END = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


@pytest.mark.parametrize("reason, words", [
    ("RESOURCE:CPU", "has insufficient CPU units available."),
    ("RESOURCE:MEMORY", "has insufficient memory available."),
    ("RESOURCE:PORTS", "is already using a port required by your task."),
    ("ATTRIBUTE", "is missing an attribute required by your task."),
    ("AGENT", "doesn't have the agent connected."),
    (MEMBER_OF, 'encountered error "MemberOf placement constraint unsatisfied.".'),
])  # fmt: skip
def test_how_a_services_event_says_it(reason: str, words: str) -> None:
    assert unplaced((host("a"), reason), False) == f"{START} The closest matching (container-instance a) {words} {END}"


def test_how_a_services_event_says_that_there_are_none() -> None:
    assert unplaced(None, False) == f"{START} Reason: No Container Instances were found in your cluster. {END}"
    assert unplaced(None, True) == f"{START} Reason: No Container Instances were found in your capacity provider. {END}"


# -- strategies
def yard(*zones: str, **given: Any) -> list[Host]:
    return [host(f"h{number}", zone=f"us-east-1{zone}", **given) for number, zone in enumerate(zones)]


@pytest.mark.parametrize("zones, count, strategies, expected", [
    ("ab", 4, (BY_ZONE,), {"h0": 2, "h1": 2}),
    ("ab", 3, (BY_ZONE,), {"h0": 2, "h1": 1}),
    ("aab", 4, (BY_ZONE, BY_INSTANCE), {"h0": 1, "h1": 1, "h2": 2}),
    ("aab", 4, (BY_INSTANCE,), {"h0": 2, "h1": 1, "h2": 1}),
    ("abc", 3, (BY_ZONE,), {"h0": 1, "h1": 1, "h2": 1}),
    ("aaa", 3, (PACK_CPU,), {"h0": 3}),
    ("aaa", 3, (PACK_MEMORY,), {"h0": 3}),
    ("aa", 10, (PACK_CPU,), {"h0": 7, "h1": 3}),
    ("aabb", 4, (BY_ZONE, PACK_MEMORY), {"h0": 2, "h2": 2}),
    ("aaa", 3, (), {"h0": 1, "h1": 1, "h2": 1}),
])  # fmt: skip
def test_strategies(zones: str, count: int, strategies: tuple[Strategy, ...], expected: dict[str, int]) -> None:
    """3,828 MiB take seven tasks of 512, 2,048 units eight of 256."""
    assert Counter(place(WEB, yard(*zones), count, *strategies)) == expected


def test_binpack_takes_the_fullest_that_fits() -> None:
    hosts = [host("empty"), host("full", cpu=100), host("half", cpu=300)]
    assert place(WEB, hosts, 1, PACK_CPU) == ["half"]
    assert place(WEB, [host("a", memory=2000), host("b", memory=600)], 1, PACK_MEMORY) == ["b"]


def test_spread_counts_the_tasks_of_the_group_only() -> None:
    hosts = [host("a", groups=["service:api"] * 5), host("b", groups=["service:web"])]
    assert place(WEB, hosts, 1, BY_INSTANCE) == ["a"]


def test_spread_does_not_count_tasks_that_are_stopping() -> None:
    """The replacement of a stopped task goes where the stopped one was."""
    hosts = [host("a", groups=["service:web"] * 2), host("b", groups=["service:web"] * 2, leaving=["service:web"])]
    assert place(WEB, hosts, 1, BY_INSTANCE) == ["b"]


def test_spread_over_an_attribute() -> None:
    hosts = [
        host("a", attributes={"rack": "1"}),
        host("b", attributes={"rack": "1"}),
        host("c", attributes={"rack": "2"}),
    ]
    assert Counter(place(WEB, hosts, 4, Strategy("spread", "attribute:rack"))) == {"c": 2, "a": 1, "b": 1}


def test_distinct_instances_take_one_task_each() -> None:
    assert place(distinct(), yard("a", "a"), 3, PACK_CPU) == ["h0", "h1", "-"]


def test_a_host_port_takes_one_task_on_each() -> None:
    assert place(replace(WEB, tcp=frozenset({80})), yard("a", "a"), 3, PACK_CPU) == ["h0", "h1", "-"]


def test_interfaces_run_out() -> None:
    assert place(replace(WEB, interfaces=1), yard("a"), 3) == ["h0", "h0", "-"]


def test_random_takes_any_that_fits() -> None:
    hosts = [host("a"), host("b", cpu=0), host("c")]
    found = {
        str(choice.host.id) for draw in range(10) if (choice := choose(WEB, hosts, (Strategy("random"),), draw)).host
    }
    assert found == {"a", "c"}


def test_a_full_zone_does_not_stop_a_spread() -> None:
    hosts = [host("a", zone="us-east-1a", cpu=256), host("b", zone="us-east-1b")]
    assert place(WEB, hosts, 3, BY_ZONE) == ["a", "b", "b"]


# -- a scale-in
def test_a_scale_in_takes_from_where_there_are_most_the_newest_first() -> None:
    hosts = yard("a", "a", "b")
    tasks = [(f"t{number}", hosts[at].arn) for number, at in enumerate((0, 0, 1, 2))]
    assert order_of_removal(tasks, (BY_ZONE,), "service:web", hosts)[:2] == ["t2", "t1"]
    assert order_of_removal(tasks, (BY_INSTANCE,), "service:web", hosts)[0] == "t1"
    assert sorted(order_of_removal(tasks, (), "service:web", hosts)) == ["t0", "t1", "t2", "t3"]


@given(st.lists(st.integers(0, 3), max_size=12), st.sampled_from([(), (BY_ZONE,), (BY_INSTANCE,), (PACK_CPU,)]))
def test_a_scale_in_keeps_the_spread(places: list[int], strategies: tuple[Strategy, ...]) -> None:
    """After each removal the largest share is as small as it can be."""
    hosts = yard("a", "a", "b", "c")
    tasks = [(f"t{number}", hosts[at].arn) for number, at in enumerate(places)]
    order = order_of_removal(tasks, strategies, "service:web", hosts)
    assert sorted(order) == sorted(name for name, _ in tasks)
    left = dict(tasks)
    key = (
        (lambda arn: arn)
        if strategies == (BY_INSTANCE,)
        else {h.arn: h.attributes["ecs.availability-zone"] for h in hosts}.get
    )
    for name in order:
        counts = Counter(key(arn) for arn in left.values())
        assert counts[key(left.pop(name))] == max(counts.values())


# -- whatever comes
SIZES = st.tuples(
    st.integers(0, 1024), st.integers(0, 2048), st.sets(st.integers(80, 84), max_size=2), st.integers(0, 1)
)
NEEDS = st.builds(
    lambda group, size, single: Need(
        f"service:{group}", size[0], size[1], frozenset(size[2]), interfaces=size[3],
        constraints=(Constraint("distinctInstance"),) if single else (),
    ),
    st.sampled_from("ab"), SIZES, st.booleans(),
)  # fmt: skip
STRATEGIES = st.lists(st.sampled_from([BY_ZONE, BY_INSTANCE, PACK_CPU, PACK_MEMORY, Strategy("random")]), max_size=3)


@given(st.lists(NEEDS, max_size=25), STRATEGIES, st.integers(0, 2**32))
def test_what_is_reserved_is_the_sum_of_the_tasks_and_never_too_much(
    needs: list[Need], strategies: Any, draw: int
) -> None:
    hosts = yard("a", "b", "b")
    whole = {one.arn: (one.cpu, one.memory, one.interfaces) for one in hosts}
    placed: dict[str, list[Need]] = {one.arn: [] for one in hosts}
    for need in needs:
        choice = choose(need, hosts, tuple(strategies), draw)
        if choice.host is None:
            assert {one.arn for one, _ in choice.ruled_out} == set(whole)
            assert all(reason in CHECKS for _, reason in choice.ruled_out)
            continue
        placed[choice.host.arn].append(need)
        choice.host.take(need)
    for one in hosts:
        mine = placed[one.arn]
        taken = (sum(n.cpu for n in mine), sum(n.memory for n in mine), sum(n.interfaces for n in mine))
        assert tuple(a - b for a, b in zip(whole[one.arn], taken, strict=True)) == (one.cpu, one.memory, one.interfaces)
        assert min(one.cpu, one.memory, one.interfaces) >= 0
        assert sum(len(n.tcp) for n in mine) == len(one.tcp), "no port is given twice"
        for number, need in enumerate(mine):
            if need.constraints:
                assert need.group not in [earlier.group for earlier in mine[:number]]


@given(st.integers(1, 30), st.lists(st.sampled_from("abc"), min_size=1, max_size=6))
def test_a_spread_is_even(count: int, zones: list[str]) -> None:
    hosts = yard(*zones, cpu=10**6, memory=10**6)
    by_id = {one.id: one.attributes["ecs.availability-zone"] for one in hosts}
    found = place(WEB, hosts, count, BY_ZONE, BY_INSTANCE)
    shares = Counter(by_id[name] for name in found)
    assert max(shares.values()) - min(shares[zone] for zone in set(by_id.values())) <= 1
    for zone in set(by_id.values()):
        each = [Counter(found)[name] for name, where in by_id.items() if where == zone]
        assert max(each) - min(each) <= 1
