"""Capacity provider strategies, overrides, tags and settings: what is refused, and how tasks are shared out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.ecs import capacity, cluster_rules, overrides, tag_rules
from drydock.services.ecs.model import TaskDefinition
from hypothesis import given
from hypothesis import strategies as st

BOTH = list(capacity.FARGATE_PROVIDERS)
WEIGHTS = st.lists(st.integers(1, 50), min_size=1, max_size=6)


def strategy(*items: tuple[str, int, int]) -> capacity.Strategy:
    return [{"capacityProvider": name, "weight": weight, "base": base} for name, weight, base in items]


def message(call: Any, *given: Any, **named: Any) -> str:
    with pytest.raises(AwsError) as caught:
        call(*given, **named)
    assert caught.value.code in ("InvalidParameterException", "ClientException")
    return caught.value.message


def test_the_base_comes_first_then_the_weights() -> None:
    found = capacity.share_out(strategy(("FARGATE", 1, 2), ("FARGATE_SPOT", 3, 0)), 10)
    assert found[:2] == ["FARGATE", "FARGATE"]
    assert Counter(found[2:]) == {"FARGATE": 2, "FARGATE_SPOT": 6}


def test_a_weight_of_0_gets_its_base_and_no_more() -> None:
    found = capacity.share_out(strategy(("FARGATE", 0, 1), ("FARGATE_SPOT", 1, 0)), 5)
    assert found == ["FARGATE"] + ["FARGATE_SPOT"] * 4


def test_a_single_task_goes_to_the_heavier() -> None:
    assert capacity.share_out(strategy(("FARGATE", 1, 0), ("FARGATE_SPOT", 4, 0)), 1) == ["FARGATE_SPOT"]


def test_of_equals_the_first_named_is_taken() -> None:
    assert capacity.share_out(strategy(("FARGATE_SPOT", 1, 0), ("FARGATE", 1, 0)), 3) == [
        "FARGATE_SPOT", "FARGATE", "FARGATE_SPOT"
    ]  # fmt: skip


def test_what_runs_already_counts() -> None:
    both = strategy(("FARGATE", 1, 1), ("FARGATE_SPOT", 1, 0))
    assert capacity.share_out(both, 2, {"FARGATE": 3}) == ["FARGATE_SPOT", "FARGATE_SPOT"]
    assert capacity.share_out(both, 1, {"FARGATE_SPOT": 3}) == ["FARGATE"]


def test_a_single_provider_needs_no_weight() -> None:
    assert capacity.share_out(strategy(("FARGATE_SPOT", 0, 0)), 2) == ["FARGATE_SPOT"] * 2


@given(WEIGHTS, st.integers(0, 30), st.integers(0, 10))
def test_no_share_is_further_than_one_task_from_its_weight(weights: list[int], count: int, base: int) -> None:
    items = [(f"p{number}", weight, base if number == 0 else 0) for number, weight in enumerate(weights)]
    found = Counter(capacity.share_out(strategy(*items), count))
    assert sum(found.values()) == count
    assert found["p0"] >= min(base, count)
    rest = max(0, count - base)
    for number, weight in enumerate(weights):
        beyond_base = found[f"p{number}"] - (min(base, count) if number == 0 else 0)
        assert beyond_base >= rest * weight // sum(weights), "each has at least its whole share"


@pytest.mark.parametrize("items, words", [
    ([("FARGATE", 1, 0), ("FARGATE", 1, 0)], "duplicate"),
    ([("mine", 1, 0)], "cannot contain a capacity provider that is not associated with the cluster"),
    ([("FARGATE", 1001, 0)], "Weight must be between 0 and 1000."),
    ([("FARGATE", -1, 0)], "Weight"),
    ([("FARGATE", 1, 100_001)], "Base must be between 0 and 100000."),
    ([("FARGATE", 1, 1), ("FARGATE_SPOT", 1, 1)], "Only one capacity provider"),
    ([("p", 1, 0)] * 21, "a maximum of 20"),
])  # fmt: skip
def test_strategies_that_are_refused(items: list[tuple[str, int, int]], words: str) -> None:
    assert words in message(capacity.check_strategy, strategy(*items), BOTH)


def test_fargate_and_auto_scaling_groups_do_not_mix() -> None:
    mixed = strategy(("FARGATE", 1, 0), ("mine", 1, 0))
    assert message(capacity.check_strategy, mixed, [*BOTH, "mine"]) == (
        "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate "
        "providers. Specify one or the other and try again."
    )


def test_a_strategy_without_weights_can_be_kept_but_not_used() -> None:
    idle = strategy(("FARGATE", 0, 0), ("FARGATE_SPOT", 0, 0))
    capacity.check_strategy(idle, BOTH)
    assert "defined in the default capacity provider strategy" in message(capacity.check_usable, idle, default=True)
    assert "greater than zero" in message(capacity.check_usable, idle, default=False)
    assert "default" in message(capacity.check_usable, idle[:1], default=True)
    capacity.check_usable(idle[:1], default=False)


def test_providers_that_are_refused() -> None:
    capacity.check_providers(BOTH)
    assert message(capacity.check_providers, ["nobody"]) == (
        "The specified capacity provider was not found. Specify a valid capacity provider and try again."
    )
    assert "more than once" in message(capacity.check_providers, ["FARGATE", "FARGATE"])
    many = tuple(f"p{number}" for number in range(21))
    assert message(capacity.check_providers, list(many), many) == (
        "The maximum number of capacity providers per cluster has been exceeded."
    )


def test_strategies_are_shown_whole() -> None:
    arn = "arn:aws:ecs:us-east-1:123456789012:capacity-provider/FARGATE"
    assert capacity.normalised([{"capacityProvider": arn}]) == strategy(("FARGATE", 0, 0))


# -- overrides
def definition(**given: Any) -> TaskDefinition:
    containers = [{"name": "a", "cpu": 0, "memory": 256}, {"name": "b", "cpu": 0}]
    document = {"cpu": "256", "memory": "512", "containerDefinitions": containers} | given
    return TaskDefinition("arn", "family", 1, document, 0.0, "me")


@pytest.mark.parametrize("given, words", [
    ({"containerOverrides": [{"name": "a", "memory": 600}]}, "'memory' setting for container 'a' is greater than for task."),
    ({"containerOverrides": [{"name": "a", "memory": 5}]}, "at least 6 MiB"),
    ({"containerOverrides": [{"name": "a", "memoryReservation": 300}]}, "greater than its 'memory'"),
    ({"containerOverrides": [{"name": "b", "memoryReservation": 513}]}, "'memoryReservation' setting for container 'b'"),
    ({"containerOverrides": [{"name": "a", "cpu": 200}, {"name": "b", "cpu": 100}]}, "greater than for task"),
    ({"containerOverrides": [{"name": "a", "cpu": -1}]}, "Invalid 'cpu' setting"),
    ({"containerOverrides": [{"memory": 100}]}, "must specify a container name"),
    ({"containerOverrides": [{"name": "c"}]}, "named c is not a container in the TaskDefinition."),
    ({"containerOverrides": [{"name": "a", "command": ["x" * 9000]}]}, "Container Overrides length must be at most 8192"),
    ({"cpu": "512"}, "No Fargate configuration exists for given values: 512 CPU, 512 memory."),
    ({"cpu": "much"}, "Invalid 'cpu' setting for task."),
    ({"ephemeralStorage": {"sizeInGiB": 201}}, "between 21 and 200 GiB"),
])  # fmt: skip
def test_overrides_that_are_refused(given: dict[str, Any], words: str) -> None:
    assert words in message(overrides.check, given, definition(), fargate=True)


@pytest.mark.parametrize("given", [
    {"inferenceAcceleratorOverrides": [{"deviceName": "d"}]},
    {"containerOverrides": [{"name": "a", "resourceRequirements": [{"type": "GPU", "value": "1"}]}]},
])  # fmt: skip
def test_overrides_that_are_lacking(given: dict[str, Any]) -> None:
    with pytest.raises(AwsError) as caught:
        overrides.check(given, definition(), fargate=True)
    assert (caught.value.code, caught.value.status) == ("NotImplemented", 501)


def test_a_larger_task_may_have_larger_containers() -> None:
    given = {"cpu": "1 vCPU", "memory": "2 GB", "containerOverrides": [{"name": "a", "memory": 2048, "cpu": 1024}]}
    overrides.check(given, definition(), fargate=True)
    assert overrides.size(given, definition()) == ("1024", "2048")
    assert overrides.size({}, definition(cpu=None, memory=None)) == ("", "")
    shown = overrides.limits({"cpu": 1, "memory": 256}, overrides.override_of(given["containerOverrides"], "a"))  # type: ignore[arg-type]
    assert shown == {"cpu": 1024, "memory": 2048}


# -- tags, settings and configuration of a cluster
@pytest.mark.parametrize("tags", [
    [{"key": "", "value": "v"}], [{"value": "v"}], [{"key": "k" * 129, "value": "v"}],
    [{"key": "k", "value": "v" * 257}], [{"key": "aws:k", "value": "v"}], [{"key": "AwS:k", "value": "v"}],
    [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}], [{"key": f"k{n}", "value": ""} for n in range(51)],
])  # fmt: skip
def test_tags_that_are_refused(tags: tag_rules.Tags) -> None:
    message(tag_rules.check_tags, tags)
    message(tag_rules.added, [], tags)


def test_tags_are_replaced_and_awss_own_do_not_count() -> None:
    held = [{"key": "aws:ecs:clusterName", "value": "c"}, *({"key": f"k{n}", "value": ""} for n in range(50))]
    assert tag_rules.added(held, [{"key": "k0", "value": "new"}])[-1] == {"key": "k0", "value": "new"}
    message(tag_rules.added, held, [{"key": "one more", "value": ""}])


def test_settings_of_a_cluster() -> None:
    held = [{"name": "containerInsights", "value": "disabled"}]
    new = [{"name": "containerInsights", "value": "enhanced"}]
    cluster_rules.check_settings(new)
    assert cluster_rules.with_settings(held, new) == new
    assert cluster_rules.with_settings(held, []) == held
    assert message(cluster_rules.check_settings, [{"name": "containerInsights", "value": "enhaced"}]) == (
        "Invalid setting 'value'"
    )
    message(cluster_rules.check_settings, [{"name": "insights", "value": "enabled"}])


@pytest.mark.parametrize("command", [
    {"logging": "NONE", "logConfiguration": {"s3BucketName": "b"}}, {"logConfiguration": {"s3BucketName": "b"}},
    {"logging": "OVERRIDE"}, {"logging": "SOME"},
])  # fmt: skip
def test_configurations_that_are_refused(command: dict[str, Any]) -> None:
    message(cluster_rules.check_configuration, {"executeCommandConfiguration": command})


def test_configurations_that_are_kept() -> None:
    assert cluster_rules.check_configuration({}) is None
    assert cluster_rules.check_configuration(None) is None
    given = {"executeCommandConfiguration": {"logConfiguration": {}}, "managedStorageConfiguration": {"kmsKeyId": "k"}}
    assert cluster_rules.check_configuration(given) == {
        "executeCommandConfiguration": {"logConfiguration": {}, "logging": "DEFAULT"},
        "managedStorageConfiguration": {"kmsKeyId": "k"},
    }
