"""Events: functions that nobody waits for, and alarms that call them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.functions.room import Room

Aws = Callable[..., Any]
FAILS = "def h(event, context):\n    print('tried', event)\n    raise ValueError('no')\n"


@pytest.fixture
def room(aws: Aws) -> Room:
    return Room(aws)


def test_an_event_is_accepted_and_handled(room: Room) -> None:
    room.function("def h(event, context):\n    print('got', event['n'])\n")
    accepted = room.lam.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"n": 7}')
    assert (accepted["StatusCode"], accepted["Payload"].read()) == (202, b"")
    wait_until(lambda: "got 7" in room.lines(), "it has run", room.lines)


def test_one_that_fails_is_tried_twice_more_and_given_up(room: Room) -> None:
    """After a minute and after two of lab time; the request id remains the same."""
    room.function(FAILS)
    room.lam.invoke(FunctionName="f", InvocationType="Event", Payload=b"1")
    wait_until(lambda: dropped(room), "it was given up", room.lines)
    started = room.lines(pattern='"START RequestId"')
    assert len(started) == 3 and len({line.split()[2] for line in started}) == 1
    found = room.logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern='"tried 1"')["events"]
    first, second, third = (event["timestamp"] / 1000 for event in found)
    assert second - first >= 60 and third - second >= 120


def test_retries_as_configured(room: Room) -> None:
    room.function(FAILS)
    room.lam.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    room.lam.invoke(FunctionName="f", InvocationType="Event", Payload=b"1")
    wait_until(lambda: dropped(room), "it was given up", room.lines)
    assert len(room.lines(pattern="tried")) == 1


def test_a_configuration_is_replaced_and_changed(room: Room) -> None:
    room.function(FAILS)
    with pytest.raises(room.lam.exceptions.ResourceNotFoundException):
        room.lam.update_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    room.lam.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=2)
    room.lam.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60)
    room.lam.update_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    found = room.lam.get_function_event_invoke_config(FunctionName="f")
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (0, 60)


BLOCKS = "import time\ndef h(event, context):\n    print('got', event)\n    if event == 'block': time.sleep(1000)\n"


def blocked(room: Room) -> None:
    """The one place that the function has is taken."""
    room.function(BLOCKS, Timeout=900)
    room.lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    room.lam.invoke(FunctionName="f", InvocationType="Event", Payload=b'"block"')
    wait_until(lambda: "got block" in room.lines(), "it runs", room.lines)


def dropped(room: Room) -> Any:
    return room.cw.list_metrics(Namespace="AWS/Lambda", MetricName="AsyncEventsDropped")["Metrics"]


def throttles(room: Room) -> Any:
    return room.cw.list_metrics(Namespace="AWS/Lambda", MetricName="Throttles")["Metrics"]


def test_throttled_ones_wait(room: Room) -> None:
    blocked(room)
    room.lam.invoke(FunctionName="f", InvocationType="Event", Payload=b"1")
    wait_until(lambda: throttles(room), "it was throttled")
    assert "got 1" not in room.lines()
    room.lam.delete_function_concurrency(FunctionName="f")
    wait_until(lambda: "got 1" in room.lines(), "it has run", room.lines)


def test_with_a_reserved_concurrency_of_zero_they_are_given_up_at_once(room: Room) -> None:
    room.function(BLOCKS)
    room.lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    room.lam.invoke(FunctionName="f", InvocationType="Event", Payload=b"1")
    wait_until(lambda: dropped(room), "it was given up")
    assert room.lines() == []


def test_accepted_ones_survive_kill_9(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "state") as emulator:
        room = Room(emulator.client)
        blocked(room)
        for number in range(3):
            room.lam.invoke(FunctionName="f", InvocationType="Event", Payload=str(number).encode())
        emulator.kill()
        emulator.start()
        emulator.client("lambda").delete_function_concurrency(FunctionName="f")
        logs = emulator.client("logs")

        def got() -> set[str]:
            found = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="got")
            return {event["message"] for event in found["events"]}

        wait_until(lambda: got() >= {"got 0", "got 1", "got 2"}, "all were handled", emulator.output)
        assert emulator.faults() == []


class Alarmed:
    """A function that prints what it is told, and an alarm whose action it is."""

    def __init__(self, room: Room, account: str) -> None:
        self.room, self.account = room, account
        self.function = room.function("import json\ndef h(event, context):\n    print('told', json.dumps(event))\n")
        room.cw.put_metric_alarm(
            AlarmName="busy", AlarmDescription="Too busy", Namespace="App", MetricName="CPU", Statistic="Average",
            Dimensions=[{"Name": "Host", "Value": "a"}], Period=60, EvaluationPeriods=1, Threshold=70,
            ComparisonOperator="GreaterThanThreshold", AlarmActions=[self.function],
        )  # fmt: skip
        self.arn = room.cw.describe_alarms()["MetricAlarms"][0]["AlarmArn"]

    def allow(self, **given: str) -> None:
        principal = "lambda.alarms.cloudwatch.amazonaws.com"
        self.room.lam.add_permission(
            **{
                "FunctionName": "f",
                "StatementId": "alarms",
                "Action": "lambda:InvokeFunction",
                "Principal": principal,
                **given,
            }
        )

    def acted(self) -> list[dict[str, Any]]:
        found = self.room.cw.describe_alarm_history(AlarmName="busy", HistoryItemType="Action")["AlarmHistoryItems"]
        return [json.loads(item["HistoryData"]) for item in found]

    def measure(self) -> None:
        data = {"MetricName": "CPU", "Dimensions": [{"Name": "Host", "Value": "a"}], "Value": 90}
        self.room.cw.put_metric_data(Namespace="App", MetricData=[data])


@pytest.fixture
def alarmed(room: Room, account: str) -> Alarmed:
    return Alarmed(room, account)


def test_from_a_metric_to_a_function(alarmed: Alarmed) -> None:
    """The event is the one of AWS's documentation."""
    alarmed.allow(SourceAccount=alarmed.account, SourceArn=alarmed.arn)

    def told() -> list[str]:
        alarmed.measure()
        return alarmed.room.lines(pattern="told")

    (line,) = wait_until(told, "the function was told", alarmed.acted)
    event = json.loads(line.removeprefix("told "))
    assert (event["source"], event["accountId"], event["region"]) == ("aws.cloudwatch", alarmed.account, "us-east-1")
    assert event["alarmArn"] == alarmed.arn
    data = event["alarmData"]
    assert data["alarmName"] == "busy"
    assert data["state"]["value"] == "ALARM" and data["state"]["reason"].startswith("Threshold Crossed: 1 ")
    assert json.loads(data["state"]["reasonData"])["threshold"] == 70.0
    assert data["previousState"]["value"] in ("INSUFFICIENT_DATA", "OK") and data["previousState"]["timestamp"]
    assert data["configuration"]["description"] == "Too busy"
    (query,) = data["configuration"]["metrics"]
    assert query["returnData"] is True
    assert query["metricStat"] == {
        "metric": {"namespace": "App", "name": "CPU", "dimensions": {"Host": "a"}}, "period": 60, "stat": "Average",
    }  # fmt: skip
    assert [one["actionState"] for one in alarmed.acted()] == ["Succeeded"]


@pytest.mark.parametrize(
    "given",
    [
        None,
        {"Principal": "arn:aws:iam::000000000000:role/other"},
        {"SourceArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:other"},
        {"Principal": "cloudwatch.amazonaws.com"},
        {"Action": "lambda:GetFunction"},
    ],
)
def test_a_function_whose_policy_does_not_let_alarms_in(alarmed: Alarmed, given: dict[str, str] | None) -> None:
    if given is not None:
        alarmed.allow(**given)
    alarmed.room.cw.set_alarm_state(AlarmName="busy", StateValue="ALARM", StateReason="x")
    (acted,) = wait_until(alarmed.acted, "the action is in the history")
    assert acted["actionState"] == "Failed"
    assert "not authorized to perform: lambda:InvokeFunction" in acted["error"]
    assert alarmed.room.lines() == []


def test_an_alias_is_let_in_by_its_own_permission(alarmed: Alarmed) -> None:
    """Also when somebody else, named by an account's id, is let in too."""
    lam = alarmed.room.lam
    lam.publish_version(FunctionName="f")
    lam.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    alarmed.allow(FunctionName="f:live")
    alarmed.allow(FunctionName="f:live", StatementId="other", Principal=alarmed.account)
    alarmed.room.cw.set_alarm_state(AlarmName="busy", StateValue="ALARM", StateReason="x")
    (acted,) = wait_until(alarmed.acted, "the action is in the history")
    assert acted["actionState"] == "Failed"  # the function itself is not the alias
    given = alarmed.room.cw.describe_alarms(AlarmNames=["busy"])["MetricAlarms"][0]
    kept = (
        "AlarmName",
        "Namespace",
        "MetricName",
        "Statistic",
        "Period",
        "EvaluationPeriods",
        "Threshold",
        "ComparisonOperator",
    )
    settings = {name: given[name] for name in kept}
    alarmed.room.cw.put_metric_alarm(**settings, AlarmActions=[f"{alarmed.function}:live"])
    for state in ("OK", "ALARM"):
        alarmed.room.cw.set_alarm_state(AlarmName="busy", StateValue=state, StateReason="x")
    wait_until(lambda: alarmed.room.lines(pattern="told"), "the alias was told", alarmed.acted)


def test_a_function_that_has_gone(alarmed: Alarmed) -> None:
    alarmed.room.lam.delete_function(FunctionName="f")
    alarmed.room.cw.set_alarm_state(AlarmName="busy", StateValue="ALARM", StateReason="x")
    (acted,) = wait_until(alarmed.acted, "the action is in the history")
    assert acted["error"] == f"Function not found: {alarmed.function}"
