"""The table of a task's life: forward only, and always to an end."""

from __future__ import annotations

import pytest
from drydock.services.ecs.lifecycle import LIFE, WITH_PROCESSES, following
from hypothesis import given
from hypothesis import strategies as st

ORDER = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]


def test_the_states_are_those_of_aws() -> None:
    assert list(LIFE) == ORDER


@pytest.mark.parametrize("stopping", [True, False])
@pytest.mark.parametrize("status", ORDER)
def test_never_back(status: str, stopping: bool) -> None:
    then = following(status, stopping)
    assert then is None or ORDER.index(then) > ORDER.index(status)


@pytest.mark.parametrize("status", ORDER)
def test_a_task_that_is_to_stop_comes_to_its_end(status: str) -> None:
    steps = 0
    while (then := following(status, True)) is not None:
        status, steps = then, steps + 1
        assert steps < len(ORDER)
    assert status == "STOPPED"


@pytest.mark.parametrize("status, then, when_stopping", [
    ("PROVISIONING", "PENDING", "DEPROVISIONING"), ("PENDING", "ACTIVATING", "DEACTIVATING"),
    ("ACTIVATING", "RUNNING", "DEACTIVATING"), ("RUNNING", None, "DEACTIVATING"),
    ("DEACTIVATING", "STOPPING", "STOPPING"), ("STOPPING", "DEPROVISIONING", "DEPROVISIONING"),
    ("DEPROVISIONING", "STOPPED", "STOPPED"), ("STOPPED", None, None),
])  # fmt: skip
def test_every_transition(status: str, then: str | None, when_stopping: str | None) -> None:
    assert following(status, False) == then
    assert following(status, True) == when_stopping


def test_what_is_no_state() -> None:
    with pytest.raises(KeyError):
        following("RUNING", False)


@pytest.mark.parametrize("status", sorted(WITH_PROCESSES))
def test_who_may_have_processes_passes_through_stopping(status: str) -> None:
    seen = {status}
    while (then := following(status, True)) is not None:
        seen.add(then)
        status = then
    assert {"STOPPING", "DEPROVISIONING"} <= seen


@given(st.lists(st.booleans(), max_size=30))
def test_whatever_happens_when_it_only_goes_forward(events: list[bool]) -> None:
    """``stopping`` may become true at any moment and stays so."""
    status, stopping, walked = ORDER[0], False, [ORDER[0]]
    for event in events:
        stopping = stopping or event
        status = following(status, stopping) or status
        walked.append(status)
    assert walked == sorted(walked, key=ORDER.index)
    if "RUNNING" in walked:
        assert walked[:4] == ORDER[:4], "nothing runs that was not provisioned, pulled and started"
