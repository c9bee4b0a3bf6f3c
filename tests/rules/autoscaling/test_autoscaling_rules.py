"""What a group does next."""

from __future__ import annotations

from typing import Any

import pytest
from drydock.services.autoscaling import rules
from drydock.services.autoscaling.rules import Decision, Group, Member

PATIENCE = 30.0


def member(name: str, state: str = "running", lifecycle: str = "InService", **given: Any) -> Member:
    base: dict[str, Any] = {"health": "Healthy", "protected": False, "zone": "a", "launched": 0.0}
    return Member(name, lifecycle, state=state, **(base | given))


def decide(desired: int, *members: Member, bad_for: dict[str, float] | None = None, **given: Any) -> Decision:
    return rules.decide(Group(desired, members, **given), bad_for or {}, PATIENCE)


def test_what_is_missing_is_launched() -> None:
    assert decide(3, member("1")).launch == 2
    assert decide(0).launch == 0


def test_members_on_their_way_up_count() -> None:
    found = decide(2, member("1"), member("2", "pending", "Pending"))
    assert (found.launch, found.terminate, found.show) == (0, [], {})


def test_a_member_is_in_service_when_its_instance_runs() -> None:
    assert decide(1, member("1", "running", "Pending")).show == {"1": ("InService", "Healthy")}
    assert decide(1, member("1", "pending", "Pending")).show == {}


@pytest.mark.parametrize("state", rules.GONE)
def test_a_member_that_does_not_run_is_noticed_after_a_while(state: str) -> None:
    early = decide(1, member("1", state), bad_for={"1": 10.0})
    assert (early.terminate, early.launch, early.wake) == ([], 0, 20.0)
    late = decide(1, member("1", state), bad_for={"1": PATIENCE})
    assert late.terminate == [("1", rules.HEALTH)]
    assert late.show == {"1": ("Terminating", "Unhealthy")}
    assert late.launch == 1


def test_a_member_that_somebody_called_unhealthy_is_replaced() -> None:
    found = decide(1, member("1", health="Unhealthy"))
    assert (found.terminate, found.launch) == ([("1", rules.USER_HEALTH)], 1)


def test_members_that_are_held_are_told_until_they_have_gone() -> None:
    held = member("1", lifecycle=rules.WAITING)
    found = rules.decide(rules.Group(0, (held,)), {}, 30)
    assert (found.waiting, found.terminate, found.alive) == (["1"], [], 0)
    gone = member("1", lifecycle=rules.WAITING, state="terminated")
    found = rules.decide(rules.Group(0, (gone,)), {}, 30)
    assert (found.waiting, found.leave) == ([], ["1"])


def test_members_leave_when_they_are_terminated() -> None:
    found = decide(0, member("1", "terminated", "Terminating"), member("2", "shutting-down", "Terminating"))
    assert found.leave == ["1"]


def test_standby_members_do_not_count_and_stay() -> None:
    found = decide(1, member("1", lifecycle="Standby"), member("2"))
    assert (found.launch, found.terminate, found.leave) == (0, [], [])


def test_the_surplus_is_of_the_fullest_zone_the_oldest_first() -> None:
    members = [
        member("1", zone="a", launched=1.0),
        member("2", zone="b", launched=2.0),
        member("3", zone="b", launched=3.0),
    ]
    assert decide(2, *members).terminate == [("2", rules.SIZE)]
    assert decide(2, *members, policies=("NewestInstance",)).terminate == [("3", rules.SIZE)]
    assert decide(0, *members).terminate == [("2", rules.SIZE), ("1", rules.SIZE), ("3", rules.SIZE)]


def test_protected_members_stay_even_if_too_few_go() -> None:
    members = [member("1", protected=True), member("2", protected=True), member("3")]
    assert decide(0, *members).terminate == [("3", rules.SIZE)]


@pytest.mark.parametrize(
    ("process", "launched", "terminated"),
    [("Launch", 0, 1), ("Terminate", 0, 0), ("ReplaceUnhealthy", 0, 0), ("HealthCheck", 0, 0), ("AZRebalance", 1, 1)],
)
def test_suspended_processes(process: str, launched: int, terminated: int) -> None:
    found = decide(1, member("1", "stopped"), bad_for={"1": 99.0}, suspended=frozenset({process}))
    assert (found.launch, len(found.terminate)) == (launched, terminated)


def test_nothing_is_terminated_for_the_size_while_that_is_suspended() -> None:
    assert decide(0, member("1"), suspended=frozenset({"Terminate"})).terminate == []


def test_places_are_filled_evenly() -> None:
    used: list[str] = []
    for _ in range(5):
        used.append(rules.next_place(["x", "y"], used))
    assert used == ["x", "y", "x", "y", "x"]


def test_causes_in_aws_s_words() -> None:
    begun = rules.told("CreateAutoScalingGroup", (0, 0, 0), (2, 1, 4), 0.0)
    assert rules.launch_cause(begun, 5.0, 0, 2, False) == (
        "At 1970-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 2.  "
        "At 1970-01-01T00:00:05Z an instance was started in response to a difference between desired and actual capacity, "
        "increasing the capacity from 0 to 2."
    )
    assert rules.told("SetDesiredCapacity", (2, 1, 4), (3, 1, 4), 0.0) == (
        "At 1970-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 2 "
        "to 3.  "
    )
    assert "constraints to min: 1, max: 9, desired: 3 changing" in rules.told(
        "UpdateAutoScalingGroup", (2, 1, 4), (3, 1, 9), 0.0
    )
    assert rules.told("UpdateAutoScalingGroup", (2, 1, 4), (2, 1, 9), 0.0) == ""
    assert "unhealthy instance needing to be replaced" in rules.launch_cause("", 0.0, 0, 1, True)
    assert rules.terminate_cause("", rules.SIZE, 0.0, "i-1", 2, 1).endswith(
        "shrinking the capacity from 2 to 1.  At 1970-01-01T00:00:00Z instance i-1 was selected for termination."
    )
    assert "EC2 health check indicating it has been terminated or stopped." in rules.terminate_cause(
        "", rules.HEALTH, 0.0, "i", 1, 1
    )
