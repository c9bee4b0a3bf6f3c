"""From a metric to a message in a queue, by boto3 on a running emulator whose minutes take half a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ec2.yard import PLAIN_PARAMETER

Aws = Callable[..., Any]
ON_CPU = {
    "MetricName": "CPU", "Namespace": "App", "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 1,
    "DatapointsToAlarm": 1, "Threshold": 70.0, "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip


class Watched:
    """A topic, a queue that it sends to, and alarms that tell the topic."""

    def __init__(self, aws: Aws) -> None:
        self.cw, self.sns, self.sqs = aws("cloudwatch"), aws("sns"), aws("sqs")
        self.topic = self.sns.create_topic(Name="ops")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)

    def alarm(self, name: str = "busy", **more: Any) -> None:
        """On CPU above 70."""
        actions = {kind: [self.topic] for kind in ("AlarmActions", "OKActions", "InsufficientDataActions")}
        self.cw.put_metric_alarm(**{"AlarmName": name, **ON_CPU, **actions, **more})

    def measure(self, value: float) -> None:
        self.cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": "CPU", "Value": value}])

    def state(self, name: str = "busy") -> str:
        found = self.cw.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        (alarm,) = found["MetricAlarms"] + found["CompositeAlarms"]
        return str(alarm["StateValue"])

    def until(self, wanted: str, name: str = "busy", measured: float | None = None) -> None:
        """The alarm is in a state, while the metric has a value."""

        def reached() -> bool:
            if measured is not None:
                self.measure(measured)
            return self.state(name) == wanted

        wait_until(reached, f"{name} is in {wanted}", lambda: self.cw.describe_alarm_history()["AlarmHistoryItems"])

    def message(self) -> dict[str, Any]:
        """The next one in the queue."""

        def received() -> Any:
            return self.sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=1).get("Messages")

        (one,) = wait_until(
            received, "there is a message", lambda: self.cw.describe_alarm_history()["AlarmHistoryItems"]
        )
        self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=one["ReceiptHandle"])
        envelope = json.loads(one["Body"])
        return {"Subject": envelope["Subject"], **json.loads(envelope["Message"])}


@pytest.fixture
def watched(aws: Aws) -> Watched:
    return Watched(aws)


def test_from_a_metric_to_a_message_and_back(watched: Watched) -> None:
    watched.alarm()
    assert watched.state() == "INSUFFICIENT_DATA"
    watched.until("ALARM", measured=92.5)
    told = watched.message()
    assert (told["Subject"], told["NewStateValue"]) == ('ALARM: "busy" in US East (N. Virginia)', "ALARM")
    assert told["NewStateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [92.5 (")
    assert told["NewStateReason"].endswith(
        ")] was greater than the threshold (70.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    watched.until("OK", measured=12.0)
    assert watched.message()["NewStateValue"] == "OK"
    watched.until("INSUFFICIENT_DATA")
    told = watched.message()
    assert told["NewStateReason"] == "Insufficient Data: 1 datapoint was unknown."
    kinds = [
        item["HistoryItemType"]
        for item in watched.cw.describe_alarm_history(AlarmName="busy", ScanBy="TimestampAscending")[
            "AlarmHistoryItems"
        ]
    ]
    assert kinds[0] == "ConfigurationUpdate"
    assert sorted(kinds[1:]) == ["Action"] * 3 + ["StateUpdate"] * 3


def test_a_composite_alarm_tells_too(watched: Watched) -> None:
    watched.alarm("child", AlarmActions=[], OKActions=[], InsufficientDataActions=[])
    watched.cw.put_composite_alarm(AlarmName="all", AlarmRule="ALARM(child)", AlarmActions=[watched.topic])
    watched.until("ALARM", "all", measured=80.0)
    told = watched.message()
    assert (told["AlarmName"], told["AlarmRule"], told["NewStateValue"]) == ("all", "ALARM(child)", "ALARM")
    with pytest.raises(ClientError, match="Cannot delete child as there are composite alarm") as caught:
        watched.cw.delete_alarms(AlarmNames=["child"])
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_errors_have_aws_s_codes_and_bad_input_changes_nothing(watched: Watched) -> None:
    with pytest.raises(watched.cw.exceptions.ResourceNotFound):
        watched.cw.set_alarm_state(AlarmName="none", StateValue="OK", StateReason="x")
    for wrong, code in (
        ({"Period": 7}, "ValidationError"),
        ({"AlarmDescription": "x" * 1025}, "ValidationError"),
        ({"AlarmActions": ["x"]}, "ValidationError"),
        ({"AlarmActions": ["arn:aws:ssm:us-east-1:000000000000:opsitem:1"]}, "NotImplemented"),
        ({"Statistic": "Best"}, "ValidationError"),
    ):
        with pytest.raises(ClientError) as caught:
            watched.alarm(**wrong)
        assert caught.value.response["Error"]["Code"] == code, wrong
    assert watched.cw.describe_alarms()["MetricAlarms"] == []


def test_metric_math_and_missing_data(watched: Watched) -> None:
    stat = {"Metric": {"Namespace": "App", "MetricName": "CPU"}, "Period": 60, "Stat": "Maximum"}
    given = {
        key: value for key, value in ON_CPU.items() if key in ("EvaluationPeriods", "Threshold", "ComparisonOperator")
    }
    watched.cw.put_metric_alarm(
        AlarmName="double",
        **given,
        Metrics=[
            {"Id": "m", "MetricStat": stat, "ReturnData": False},
            {"Id": "e", "Expression": "m * 2", "Label": "Twice", "ReturnData": True},
        ],
    )
    watched.alarm("silent", MetricName="Never", TreatMissingData="breaching")
    watched.until("ALARM", "double", measured=36.0)
    watched.until("ALARM", "silent")
    with pytest.raises(ClientError):
        watched.cw.put_metric_alarm(AlarmName="bad", **given, Metrics=[{"Id": "e", "Expression": "m * ", "Period": 60}])


def test_an_instance_is_stopped_by_its_alarm(aws: Aws, watched: Watched) -> None:
    ec2 = aws("ec2")
    image = aws("ssm").get_parameter(Name=PLAIN_PARAMETER)["Parameter"]["Value"]
    one = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0][
        "InstanceId"
    ]

    def is_in(state: str) -> Callable[[], bool]:
        def look() -> bool:
            told = ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]
            return bool(told["State"]["Name"] == state)

        return look

    wait_until(is_in("running"), "it runs")
    dimensions = [{"Name": "InstanceId", "Value": one}]
    watched.alarm(
        MetricName="Idle", Dimensions=dimensions, AlarmActions=["arn:aws:automate:us-east-1:ec2:stop"], OKActions=[],
        InsufficientDataActions=[],
    )  # fmt: skip
    watched.cw.put_metric_data(
        Namespace="App", MetricData=[{"MetricName": "Idle", "Value": 100.0, "Dimensions": dimensions}]
    )
    wait_until(is_in("stopped"), "it is stopped", lambda: watched.cw.describe_alarm_history()["AlarmHistoryItems"])


def test_alarms_go_on_after_kill_9(tmp_path: Path) -> None:
    emulator = EmulatorProcess(tmp_path / "state", "--speed", "100", "--test-endpoints")
    with emulator:
        first = Watched(emulator.client)
        first.alarm()
        first.until("ALARM", measured=90.0)
        assert first.message()["NewStateValue"] == "ALARM"
        emulator.kill()
        emulator.start()
        again = Watched(emulator.client)
        again.until("OK", measured=5.0)
        wait_until(lambda: again.message()["NewStateValue"] == "OK", "it is told that all is well")
        history = again.cw.describe_alarm_history(AlarmName="busy", ScanBy="TimestampAscending")["AlarmHistoryItems"]
        assert [item["HistorySummary"] for item in history[:3]] == [
            'Alarm "busy" created',
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
            f"Successfully executed action {first.topic}",
        ]
        assert emulator.faults() == []
