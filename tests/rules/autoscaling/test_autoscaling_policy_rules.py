"""What is in effect of a group's last scaling, and when its scheduled actions run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from drydock.services.application_autoscaling.rules import Cooldowns
from drydock.services.autoscaling.policy_model import GroupSchedule, ScalingState
from drydock.services.autoscaling.policy_rules import in_effect, metric_of, next_run, settled


def facts(desired: int, *members: tuple[str, float]) -> dict[str, Any]:
    return {"desired": desired, "members": [{"lifecycle": life, "launched": at} for life, at in members]}


def test_a_group_is_settled_when_all_that_it_wants_are_in_service() -> None:
    assert settled(facts(0)) == 0
    assert settled(facts(1)) is None
    assert settled(facts(1, ("Pending", 100))) is None
    assert settled(facts(2, ("InService", 100), ("InService", 200))) == 215
    assert settled(facts(1, ("InService", 100), ("InService", 200))) is None
    assert settled(facts(1, ("InService", 100), ("Terminating", 200))) == 115


def test_instances_count_as_there_until_they_have_warmed_up() -> None:
    state = ScalingState(Cooldowns().began(1, 2), began=190, warmup=60)
    pending, running = facts(2, ("InService", 0), ("Pending", 200)), facts(2, ("InService", 0), ("InService", 200))
    assert in_effect(state, pending, 10_000).cooldowns.out_base == 1
    assert in_effect(state, running, 274).cooldowns.out_base == 1
    assert in_effect(state, running, 275).cooldowns.out_base is None


def test_the_cooldown_of_a_simple_policy_begins_when_its_instances_are_in_service() -> None:
    state = ScalingState(simple_at=190, cooldown=60)
    assert in_effect(state, facts(1, ("Pending", 200)), 10_000).simple_at == 190
    assert in_effect(state, facts(1, ("InService", 200)), 274).simple_at == 190
    assert in_effect(state, facts(1, ("InService", 200)), 275).simple_at is None
    assert in_effect(state, facts(0), 249).simple_at == 190
    assert in_effect(state, facts(0), 250).simple_at is None


def stamp(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("start", "end", "recurrence", "done", "expected"),
    [
        ("2026-11-28T10:00", None, "", "2026-11-27T00:00", "2026-11-28T10:00"),
        ("2026-11-28T10:00", None, "", "2026-11-28T10:00", None),
        (None, None, "0 22 * * *", "2026-11-27T00:00", "2026-11-27T22:00"),
        (None, None, "0 22 * * *", "2026-11-27T22:00", "2026-11-28T22:00"),
        ("2026-12-01T22:00", None, "0 22 * * *", "2026-11-27T22:00", "2026-12-01T22:00"),
        (None, "2026-11-28T00:00", "0 22 * * *", "2026-11-27T22:00", None),
    ],
)
def test_when_a_scheduled_action_runs(
    start: str | None, end: str | None, recurrence: str, done: str, expected: str | None
) -> None:
    times = [None if each is None else stamp(each) for each in (start, end)]
    one = GroupSchedule("arn", "s", "g", {"MinSize": 1}, times[0], times[1], recurrence, "", stamp(done))
    assert next_run(one) == (None if expected is None else stamp(expected))


def test_what_target_tracking_looks_at() -> None:
    found = metric_of({"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}}, "fleet")
    assert (found["Namespace"], found["MetricName"], found["Statistic"], found["Period"]) == (
        "AWS/EC2", "CPUUtilization", "Average", 60
    )  # fmt: skip
    assert found["Dimensions"] == [{"Name": "AutoScalingGroupName", "Value": "fleet"}]
    query = {
        "Id": "m1",
        "MetricStat": {"Metric": {"Namespace": "App", "MetricName": "Load"}, "Stat": "Sum"},
        "Period": 30,
    }
    found = metric_of({"CustomizedMetricSpecification": {"Metrics": [query]}}, "fleet")
    assert found == {"Metrics": [{"Id": "m1", "MetricStat": {"Period": 30, **query["MetricStat"]}}]}
