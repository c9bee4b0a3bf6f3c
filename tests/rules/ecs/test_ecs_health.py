"""A container's health from the results of its check."""

from __future__ import annotations

import pytest
from drydock.services.ecs.health import Check, Health, after
from hypothesis import given
from hypothesis import strategies as st


def statuses(check: Check, *results: tuple[float, bool]) -> list[str]:
    """The status after each of the results (time since the start, passed)."""
    health, told = Health(), []
    for since, passed in results:
        health = after(health, check, passed, since)
        told.append(health.status)
    return told


def test_defaults_are_those_of_the_api_reference() -> None:
    check = Check.of({"command": ["CMD-SHELL", "true"]})
    assert (check.interval, check.timeout, check.retries, check.start_period) == (30, 5, 3, 0)


@pytest.mark.parametrize("command, argv", [
    (["CMD-SHELL", "curl -f localhost || exit 1"], ("/bin/sh", "-c", "curl -f localhost || exit 1")),
    (["CMD", "test", "-f", "/x"], ("test", "-f", "/x")), (["test", "-f", "/x"], ("test", "-f", "/x")),
])  # fmt: skip
def test_forms_of_the_command(command: list[str], argv: tuple[str, ...]) -> None:
    assert Check.of({"command": command}).command == argv


def test_it_is_unknown_until_a_check_passed_or_too_many_failed() -> None:
    check = Check(("x",), retries=3)
    assert Health().status == "UNKNOWN"
    assert statuses(check, (30, True)) == ["HEALTHY"]
    assert statuses(check, (30, False), (60, False), (90, False)) == ["UNKNOWN", "UNKNOWN", "UNHEALTHY"]


def test_failures_must_be_in_a_row() -> None:
    check = Check(("x",), retries=2)
    told = statuses(check, (1, True), (2, False), (3, True), (4, False), (5, False), (6, False), (7, True))
    assert told == ["HEALTHY", "HEALTHY", "HEALTHY", "HEALTHY", "UNHEALTHY", "UNHEALTHY", "HEALTHY"]


def test_failures_in_the_start_period_do_not_count() -> None:
    check = Check(("x",), retries=2, start_period=100)
    assert statuses(check, (30, False), (60, False), (90, False), (120, False), (150, False))[-2:] == [
        "UNKNOWN",
        "UNHEALTHY",
    ]


def test_a_success_ends_the_start_period() -> None:
    check = Check(("x",), retries=2, start_period=1000)
    assert statuses(check, (30, True), (60, False), (90, False)) == ["HEALTHY", "HEALTHY", "UNHEALTHY"]


@given(st.integers(1, 10), st.lists(st.booleans(), max_size=40))
def test_unhealthy_means_exactly_that_the_last_ones_failed(retries: int, results: list[bool]) -> None:
    health = Health()
    for passed in results:
        health = after(health, Check(("x",), retries=retries), passed, 1.0)
    failed = len(results) >= retries and not any(results[-retries:])
    assert (health.status == "UNHEALTHY") == failed
    assert (health.status == "UNKNOWN") == (not failed and not any(results))
