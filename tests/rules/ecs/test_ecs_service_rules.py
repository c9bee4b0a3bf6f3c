"""What CreateService and UpdateService take, fill in and refuse."""

from __future__ import annotations

from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.ecs import capacity, service_rules
from hypothesis import given
from hypothesis import strategies as st

INVALID = "InvalidParameterException"
NO_COUNT = (
    "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try "
    "again"
)


def refusal(call: Any, *values: Any, **named: Any) -> tuple[str, str, int]:
    with pytest.raises(AwsError) as caught:
        call(*values, **named)
    return caught.value.code, caught.value.message, caught.value.status or 400


# -- names
@pytest.mark.parametrize("name", ["a", "web", "Web-1_x", "1", "-", "n" * 255])
def test_names(name: str) -> None:
    service_rules.check_name(name)


@pytest.mark.parametrize("name", ["", " ", "a b", "a.b", "a/b", "ü", "n" * 256, "a\n", "web:1"])
def test_names_that_are_refused(name: str) -> None:
    assert refusal(service_rules.check_name, name)[0] == INVALID


# -- what is lacking is said, never ignored
@pytest.mark.parametrize("params", [
    {"serviceRegistries": [{"registryArn": "x"}]},
    {"serviceConnectConfiguration": {"enabled": True}}, {"volumeConfigurations": [{"name": "v"}]},
    {"vpcLatticeConfigurations": [{"roleArn": "r"}]},
    {"availabilityZoneRebalancing": "ENABLED"},
])  # fmt: skip
def test_parameters_that_are_lacking(params: dict[str, Any]) -> None:
    code, _, status = refusal(service_rules.check_lacking, params)
    assert (code, status) == ("NotImplemented", 501)


@pytest.mark.parametrize("params", [
    {}, {"loadBalancers": []}, {"serviceConnectConfiguration": {"enabled": False}}, {"enableExecuteCommand": True},
    {"availabilityZoneRebalancing": "DISABLED"}, {"serviceRegistries": []},
])  # fmt: skip
def test_parameters_that_ask_for_nothing(params: dict[str, Any]) -> None:
    service_rules.check_lacking(params)


def test_a_grace_period_needs_a_load_balancer() -> None:
    said = "Health check grace period is only valid for services configured to use load balancers"
    assert refusal(service_rules.check_grace, 60, False)[:2] == (INVALID, said)
    for seconds, balanced in ((None, False), (0, False), (60, True), (2**31 - 1, True)):
        service_rules.check_grace(seconds, balanced)
    for seconds in (-1, 2**31):
        assert refusal(service_rules.check_grace, seconds, True)[0] == INVALID


@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "LINEAR", "CANARY"])
@pytest.mark.parametrize("held", [None, {"minimumHealthyPercent": 50, "maximumPercent": 200, "strategy": "ROLLING"}])
def test_other_deployment_strategies_are_refused(strategy: str, held: dict[str, Any] | None) -> None:
    code, message, status = refusal(service_rules.configuration, {"strategy": strategy}, held, False)
    assert (code, status) == ("NotImplemented", 501)
    assert strategy in message


@pytest.mark.parametrize("given", [
    {"lifecycleHooks": [{"hookTargetArn": "x"}]}, {"bakeTimeInMinutes": 5},
])  # fmt: skip
def test_parts_of_a_configuration_that_are_lacking(given: dict[str, Any]) -> None:
    assert refusal(service_rules.configuration, given, None, False)[2] == 501


@pytest.mark.parametrize("names", [[], [str(n) for n in range(11)]])
def test_alarms_without_names_or_with_too_many(names: list[str]) -> None:
    given = {"alarms": {"alarmNames": names, "enable": True, "rollback": True}}
    assert refusal(service_rules.configuration, given, None, False)[0] == INVALID


def test_an_unknown_deployment_strategy() -> None:
    assert refusal(service_rules.configuration, {"strategy": "PURPLE"}, None, False)[0] == INVALID


# -- controllers
def test_controllers() -> None:
    assert service_rules.controller({}) == "ECS"
    assert service_rules.controller({"deploymentController": {"type": "ECS"}}) == "ECS"
    assert service_rules.controller({"deploymentController": {"type": "EXTERNAL"}}) == "EXTERNAL"
    assert refusal(service_rules.controller, {"deploymentController": {"type": "CODE_DEPLOY"}})[2] == 501
    assert refusal(service_rules.controller, {"deploymentController": {"type": "ME"}})[0] == INVALID


# -- desired counts
@pytest.mark.parametrize("count, daemon, required", [(0, False, True), (1, False, True), (5000, False, True), (None, False, False),
                                                     (None, True, True), (None, True, False)])  # fmt: skip
def test_counts(count: int | None, daemon: bool, required: bool) -> None:
    service_rules.check_count(count, daemon, required)


@pytest.mark.parametrize("count, daemon, required", [
    (None, False, True), (-1, False, True), (-1, False, False), (5001, False, True),
])  # fmt: skip
def test_counts_that_are_refused(count: int | None, daemon: bool, required: bool) -> None:
    assert refusal(service_rules.check_count, count, daemon, required)[0] == INVALID


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_daemon_has_no_desired_count(count: int) -> None:
    assert refusal(service_rules.check_count, count, True, False)[:2] == (INVALID, NO_COUNT)


@pytest.mark.parametrize("params, strategy, message", [
    ({"placementStrategy": [{"type": "random"}]}, False,
     "The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try again"),
    ({}, True, "Specifying a capacity provider strategy is not supported when you create a service using the DAEMON "
               "scheduling strategy."),
])  # fmt: skip
def test_what_goes_not_with_a_daemon(params: dict[str, Any], strategy: bool, message: str) -> None:
    assert refusal(service_rules.check_daemon, params, strategy)[:2] == (INVALID, message)


def test_a_daemon_does_not_run_on_fargate() -> None:
    assert refusal(service_rules.check_daemon, {"launchType": "FARGATE"}, False)[0] == INVALID
    service_rules.check_daemon({"launchType": "EC2"}, False)


# -- deployment configuration
def test_defaults() -> None:
    replica, daemon = (service_rules.configuration({}, None, kind) for kind in (False, True))
    assert (replica["minimumHealthyPercent"], replica["maximumPercent"]) == (100, 200)
    assert (daemon["minimumHealthyPercent"], daemon["maximumPercent"]) == (0, 100)
    for one in (replica, daemon):
        assert one["deploymentCircuitBreaker"] == {"enable": False, "rollback": False}
        assert one["strategy"] == "ROLLING"


@pytest.mark.parametrize("given", [
    {"minimumHealthyPercent": 0, "maximumPercent": 100}, {"minimumHealthyPercent": 50}, {"maximumPercent": 101},
    {"minimumHealthyPercent": 99, "maximumPercent": 100}, {"minimumHealthyPercent": 0, "maximumPercent": 200},
    {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}, {"strategy": "ROLLING"},
    {"alarms": {"alarmNames": [], "enable": False, "rollback": False}},
    {"alarms": {"alarmNames": ["a"], "enable": True, "rollback": True}},
])  # fmt: skip
def test_configurations(given: dict[str, Any]) -> None:
    found = service_rules.configuration(given, None, False)
    assert {name: found[name] for name in given} == given


def test_what_is_not_given_stays() -> None:
    first = service_rules.configuration({"minimumHealthyPercent": 50, "maximumPercent": 150}, None, False)
    breaker = {"enable": True, "rollback": True}
    second = service_rules.configuration({"deploymentCircuitBreaker": breaker}, first, False)
    assert second == {**first, "deploymentCircuitBreaker": breaker}
    assert service_rules.configuration({"maximumPercent": 200}, second, False)["minimumHealthyPercent"] == 50
    assert first["deploymentCircuitBreaker"]["enable"] is False, "the one held is not changed"


BLOCKS = "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."


@pytest.mark.parametrize("given, daemon, message", [
    ({"minimumHealthyPercent": 101}, False, "minimumHealthyPercent must be at most 100"),
    ({"minimumHealthyPercent": 150, "maximumPercent": 200}, False, "minimumHealthyPercent must be at most 100"),
    ({"minimumHealthyPercent": 100, "maximumPercent": 100}, False, BLOCKS),
    ({"maximumPercent": 100}, False, BLOCKS),
    ({"minimumHealthyPercent": 100}, True, BLOCKS),
    ({"maximumPercent": 101}, True, "The daemon scheduling strategy does not support values above 100 for maximumPercent"),
    ({"maximumPercent": 200}, True, "The daemon scheduling strategy does not support values above 100 for maximumPercent"),
])  # fmt: skip
def test_configurations_that_are_refused(given: dict[str, Any], daemon: bool, message: str) -> None:
    assert refusal(service_rules.configuration, given, None, daemon)[:2] == (INVALID, message)


@pytest.mark.parametrize("given", [
    {"minimumHealthyPercent": -1}, {"maximumPercent": -1, "minimumHealthyPercent": 0}, {"maximumPercent": 50},
    {"maximumPercent": 0, "minimumHealthyPercent": 0}, {"minimumHealthyPercent": 60, "maximumPercent": 50},
])  # fmt: skip
def test_other_configurations_that_are_refused(given: dict[str, Any]) -> None:
    assert refusal(service_rules.configuration, given, None, False)[0] == INVALID


def test_a_change_that_would_block_deployments() -> None:
    held = service_rules.configuration({"minimumHealthyPercent": 50, "maximumPercent": 100}, None, False)
    assert refusal(service_rules.configuration, {"minimumHealthyPercent": 100}, held, False)[1] == BLOCKS


# -- capacity providers of a service: what runs already counts
PROVIDERS = ("FARGATE", "FARGATE_SPOT")


@given(
    st.integers(0, 5), st.integers(0, 20), st.integers(0, 20), st.lists(st.integers(0, 8), max_size=8),
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
)  # fmt: skip
def test_shares_hold_however_a_service_grows(
    base: int, first: int, second: int, steps: list[int], already: tuple[int, int]
) -> None:
    """Started in steps or at once, it is the same; the base is filled first; then each is short of its weight by less than
    one task, unless it ran too many at the beginning."""
    if first == second == 0:
        second = 1
    strategy = [
        {"capacityProvider": "FARGATE", "base": base, "weight": first},
        {"capacityProvider": "FARGATE_SPOT", "base": 0, "weight": second},
    ]
    running = dict(zip(PROVIDERS, already, strict=True))
    at_once = capacity.share_out(strategy, sum(steps), dict(running))
    found: list[str] = []
    for step in steps:
        chosen = capacity.share_out(strategy, step, dict(running))
        assert len(chosen) == step
        for name in chosen:
            running[name] += 1
        found += chosen
    assert found == at_once
    missing = max(0, base - already[0])
    assert found[:missing] == ["FARGATE"] * min(missing, len(found))
    weights = {"FARGATE": first, "FARGATE_SPOT": second}
    beyond = {"FARGATE": running["FARGATE"] - base, "FARGATE_SPOT": running["FARGATE_SPOT"]}
    for name in found[missing:]:
        assert weights[name] > 0, "a weight of 0 gets nothing beyond its base"
    if set(PROVIDERS) <= set(found[missing:]):
        total = sum(beyond.values())
        for name in PROVIDERS:
            assert abs(beyond[name] - total * weights[name] / sum(weights.values())) <= 1
