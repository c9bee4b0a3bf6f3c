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

    def dropped() -> Any:
        return room.cw.list_metrics(Namespace="AWS/Lambda", MetricName="AsyncEventsDropped")["Metrics"]

    wait_until(dropped, "it was given up", room.lines)
    started = room.lines(pattern='"START RequestId"')
    assert len(started) == 3 and len({line.split()[2] for line in started}) == 1
    found = room.logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern='"tried 1"')["events"]
    first, second, third = (event["timestamp"] / 1000 for event in found)
    assert second - first >= 60 and third - second >= 120


def test_retries_as_configured(room: Room) -> None:
    room.function(FAILS)
    room.lam.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    room.lam.invoke(FunctionName="f", InvocationType="Event", Payload=b"1")
    wait_until(
        lambda: room.cw.list_metrics(Namespace="AWS/Lambda", MetricName="AsyncEventsDropped")["Metrics"],
        "it was given up", room.lines,
    )  # fmt: skip
    assert len(room.lines(pattern="tried")) == 1


def test_accepted_ones_survive_kill_9(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "state", "--speed", "100") as emulator:
        room = Room(emulator.client)
        room.function("def h(event, context):\n    print('got', event)\n")
        room.lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)  # so they must wait
        for number in range(3):
            room.lam.invoke(FunctionName="f", InvocationType="Event", Payload=str(number).encode())
        emulator.kill()
        emulator.start()
        lam, logs = emulator.client("lambda"), emulator.client("logs")
        lam.delete_function_concurrency(FunctionName="f")

        def got() -> set[str]:
            groups = logs.describe_log_groups()["logGroups"]
            found = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="got") if groups else {}
            return {event["message"] for event in found.get("events", [])}

        wait_until(lambda: got() == {"got 0", "got 1", "got 2"}, "all were handled", emulator.output)
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


def test_a_function_that_has_gone(alarmed: Alarmed) -> None:
    alarmed.room.lam.delete_function(FunctionName="f")
    alarmed.room.cw.set_alarm_state(AlarmName="busy", StateValue="ALARM", StateReason="x")
    (acted,) = wait_until(alarmed.acted, "the action is in the history")
    assert acted["error"] == f"Function not found: {alarmed.function}"
