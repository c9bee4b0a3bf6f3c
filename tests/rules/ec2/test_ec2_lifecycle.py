"""The life of an instance is as AWS draws it."""

from __future__ import annotations

from typing import get_args

import pytest
from drydock.services.ec2 import lifecycle
from drydock.services.ec2.lifecycle import LIFE, Event, State, following
from drydock.services.ec2.rules import touches_machines

EVENTS = get_args(Event)


def test_every_state_and_event_is_in_the_table() -> None:
    assert set(LIFE) == set(get_args(State))
    assert {event for events in LIFE.values() for event in events} == set(EVENTS)
    assert {state for events in LIFE.values() for state in events.values()} <= set(LIFE)


def test_the_end_is_the_end() -> None:
    assert all(following("terminated", event) is None for event in EVENTS)


@pytest.mark.parametrize("state", ["pending", "running", "stopping", "stopped"])
def test_it_can_be_terminated_from_anywhere(state: str) -> None:
    assert following(state, "asked to terminate") == "shutting-down"


@pytest.mark.parametrize(
    ("state", "event", "to"),
    [
        ("pending", "booted", "running"),
        ("pending", "not booted", "terminated"),
        ("running", "asked to stop", "stopping"),
        ("running", "failed", "stopping"),
        ("running", "host lost", "pending"),
        ("stopping", "ended", "stopped"),
        ("shutting-down", "ended", "terminated"),
        ("stopped", "asked to start", "pending"),
    ],
)
def test_transitions(state: str, event: Event, to: str) -> None:
    assert following(state, event) == to


@pytest.mark.parametrize(
    ("state", "event"),
    [("pending", "asked to stop"), ("stopped", "booted"), ("stopped", "asked to stop"), ("running", "asked to start"),
     ("shutting-down", "asked to start"), ("stopping", "booted")],
)  # fmt: skip
def test_what_cannot_happen(state: str, event: Event) -> None:
    assert following(state, event) is None


def test_at_rest_only_a_request_goes_on() -> None:
    for state in lifecycle.AT_REST:
        assert all(event.startswith("asked") for event in LIFE[state])
        assert state not in lifecycle.WITH_PROCESS


@pytest.mark.parametrize(
    ("service", "operation", "answer"),
    [
        ("ec2", "RunInstances", True), ("ec2", "TerminateInstances", True), ("ec2", "RebootInstances", True),
        ("ec2", "CreateTags", True), ("ec2", "AssociateAddress", True), ("ec2", "DescribeInstances", False),
        ("ec2", "CreateNetworkInterface", False), ("ec2", "CreateSecurityGroup", False), ("ec2", "GetConsoleOutput", False),
        ("ec2", "ModifyNetworkInterfaceAttribute", True), ("ec2", "ReplaceIamInstanceProfileAssociation", True),
        ("autoscaling", "SetDesiredCapacity", True), ("autoscaling", "DescribeAutoScalingGroups", False),
        ("s3", "PutObject", False), ("lambda", "CreateFunction", False),
    ],
)  # fmt: skip
def test_which_requests_may_change_a_machine(service: str, operation: str, answer: bool) -> None:
    assert touches_machines(service, operation) is answer
