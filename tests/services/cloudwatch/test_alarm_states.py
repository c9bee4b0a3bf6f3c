"""Alarms change their states, and what follows from that."""

from __future__ import annotations

import json

import pytest
from drydock.errors import AwsError

from tests.services.cloudwatch.alarm_lab import ACCOUNT, POLICY, REGION, TOPIC

ALARM_TEXT = (
    "Threshold Crossed: 1 out of the last 1 datapoints [92.5 (27/11/26 12:00:00)] was greater than the threshold (70.0) "
    "(minimum 1 datapoint for OK -> ALARM transition)."
)


def test_from_creation_to_alarm_and_back(lab) -> None:
    async def story() -> None:
        await lab.put(DatapointsToAlarm=1, AlarmActions=[TOPIC], OKActions=[TOPIC], AlarmDescription="Too busy")
        made = await lab.alarm()
        assert (made["StateValue"], made["StateReason"]) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")
        assert made["AlarmArn"] == f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:cpu"
        await lab.minute(92.5)
        shown = await lab.alarm()
        assert (shown["StateValue"], shown["StateReason"]) == ("ALARM", ALARM_TEXT)
        data = json.loads(shown["StateReasonData"])
        assert {key: data[key] for key in ("version", "statistic", "period", "recentDatapoints", "threshold")} == {
            "version": "1.0", "statistic": "Average", "period": 60, "recentDatapoints": [92.5], "threshold": 70.0,
        }  # fmt: skip
        assert data["startDate"] == "2026-11-27T12:00:00.000+0000"
        assert data["evaluatedDatapoints"] == [
            {"timestamp": "2026-11-27T12:00:00.000+0000", "sampleCount": 1.0, "value": 92.5}
        ]
        await lab.minute(40.0)
        assert await lab.state() == "OK"
        await lab.minute(41.0)
        assert await lab.summaries() == [
            'Alarm "cpu" created',
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
            f"Successfully executed action {TOPIC}",
            "Alarm updated from ALARM to OK",
            f"Successfully executed action {TOPIC}",
        ]

    lab.play(story)


def test_a_topic_is_told_once_and_as_aws_tells_it(lab) -> None:
    async def story() -> None:
        await lab.put(
            DatapointsToAlarm=1,
            AlarmActions=[TOPIC],
            Dimensions=[{"Name": "Host", "Value": "h1"}],
            TreatMissingData="missing",
        )
        await lab.minute(92.5)
        await lab.minute(93.5)
        ((operation, params),) = lab.calls
        assert operation == "sns:Publish"
        assert (params["TopicArn"], params["Subject"]) == (TOPIC, 'ALARM: "cpu" in US East (N. Virginia)')
        (message,) = lab.published()
        assert message | {"AlarmConfigurationUpdatedTimestamp": "", "StateChangeTime": ""} == {
            "AlarmName": "cpu",
            "AlarmDescription": None,
            "AWSAccountId": ACCOUNT,
            "AlarmConfigurationUpdatedTimestamp": "",
            "NewStateValue": "ALARM",
            "NewStateReason": ALARM_TEXT,
            "StateChangeTime": "",
            "Region": "US East (N. Virginia)",
            "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:cpu",
            "OldStateValue": "INSUFFICIENT_DATA",
            "OKActions": [],
            "AlarmActions": [TOPIC],
            "InsufficientDataActions": [],
            "Trigger": {
                "MetricName": "CPU", "Namespace": "App", "StatisticType": "Statistic", "Statistic": "AVERAGE", "Unit": None,
                "Dimensions": [{"value": "h1", "name": "Host"}], "Period": 60, "EvaluationPeriods": 1,
                "DatapointsToAlarm": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 70.0,
                "TreatMissingData": "missing", "EvaluateLowSampleCountPercentile": "",
            },
        }  # fmt: skip
        assert message["StateChangeTime"].startswith("2026-11-27T12:01:00.")

    lab.play(story)


def test_scaling_is_told_again_each_minute_while_the_state_lasts(lab) -> None:
    async def story() -> None:
        await lab.put(AlarmActions=[POLICY, TOPIC])
        await lab.minute(90.0)
        await lab.minute(91.0)
        await lab.minute(92.0)
        await lab.minute(10.0)
        await lab.minute(10.0)
        assert [(signal.state, signal.repeated, signal.values) for signal in lab.scaled] == [
            ("ALARM", False, (90.0,)),
            ("ALARM", True, (91.0,)),
            ("ALARM", True, (92.0,)),
        ]
        assert lab.scaled[0].alarm["Threshold"] == 70.0
        assert lab.scaled[0].old_state == "INSUFFICIENT_DATA"
        assert len(lab.published()) == 1
        assert await lab.summaries(kind="Action") == [
            f"Successfully executed action {POLICY}",
            f"Successfully executed action {TOPIC}",
        ]

    lab.play(story)


def test_an_action_that_fails_is_in_the_history_and_keeps_no_other_from_being_done(lab) -> None:
    async def story() -> None:
        lab.failing = AwsError("NotFound", "Topic does not exist")
        await lab.put(AlarmActions=[TOPIC, POLICY])
        await lab.minute(90.0)
        found = (await lab("DescribeAlarmHistory", HistoryItemType="Action"))["AlarmHistoryItems"]
        assert [item["HistorySummary"] for item in reversed(found)] == [
            f"Failed to execute action {TOPIC}",
            f"Successfully executed action {POLICY}",
        ]
        data = json.loads(found[1]["HistoryData"])
        assert (data["actionState"], data["error"]) == ("Failed", "Topic does not exist")
        assert (data["notificationResource"], data["publishedMessage"]) == (TOPIC, None)
        assert len(lab.scaled) == 1

    lab.play(story)


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({"Principal": {"AWS": "*"}, "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}}, True),
        ({"Principal": {"Service": "cloudwatch.amazonaws.com"}}, True),
        (
            {
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": ACCOUNT},
                    "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"},
                },
            },
            True,
        ),
        ({"Principal": {"Service": "codepipeline.amazonaws.com"}}, False),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, False),
        ({"Effect": "Deny", "Principal": "*"}, False),
        ({"Principal": {"Service": "cloudwatch.amazonaws.com"}, "Resource": f"{TOPIC}2"}, False),
        ({"Action": "sns:Subscribe", "Principal": "*"}, False),
        ({"Principal": 7}, False),
    ],
)
def test_a_topic_s_policy_must_let_cloudwatch_in(lab, statement: dict, allowed: bool) -> None:
    whole = {"Effect": "Allow", "Action": "SNS:Publish", "Resource": TOPIC, **statement}
    lab.topic_policy = json.dumps({"Version": "2012-10-17", "Statement": [whole]})

    async def story() -> None:
        await lab.put(AlarmActions=[TOPIC])
        await lab.minute(90.0)
        (item,) = (await lab("DescribeAlarmHistory", HistoryItemType="Action"))["AlarmHistoryItems"]
        error = json.loads(item["HistoryData"])["error"]
        assert (len(lab.published()), error is None) == (int(allowed), allowed)
        if not allowed:
            assert item["HistorySummary"] == f"Failed to execute action {TOPIC}"
            assert error.startswith(f"CloudWatch Alarms is not authorized to perform: SNS:Publish on resource: {TOPIC}")

    lab.play(story)


def test_actions_that_are_switched_off_are_not_done(lab) -> None:
    async def story() -> None:
        await lab.put(AlarmActions=[TOPIC, POLICY])
        await lab("DisableAlarmActions", AlarmNames=["cpu", "nobody"])
        assert (await lab.alarm())["ActionsEnabled"] is False
        await lab.minute(90.0)
        await lab.minute(90.0)
        assert await lab.state() == "ALARM"
        assert (lab.calls, lab.scaled) == ([], [])
        await lab("EnableAlarmActions", AlarmNames=["cpu"])
        await lab.minute(90.0)
        assert lab.calls == [], "it has been in ALARM before"
        assert [signal.repeated for signal in lab.scaled] == [True]

    lab.play(story)


def test_what_is_due_is_done_after_a_kill(lab) -> None:
    async def until_death() -> None:
        await lab.put(AlarmActions=[TOPIC])
        lab.metrics.given["CPU"] = {1_795_780_800.0: 90.0}
        lab.service.alarm_controller.act = lambda *_: None  # it dies before the action
        await lab.minute()
        assert await lab.state() == "ALARM"
        lab.store.commit()

    async def afterwards() -> None:
        assert await lab.state() == "ALARM"
        assert lab.published() == []
        await lab.evaluate()
        assert [message["NewStateValue"] for message in lab.published()] == ["ALARM"]
        await lab.evaluate()
        assert len(lab.published()) == 1
        assert await lab.summaries() == [
            'Alarm "cpu" created',
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
            f"Successfully executed action {TOPIC}",
        ]

    lab.play(until_death)
    lab.open()
    lab.play(afterwards)


def test_missing_data(lab) -> None:
    async def story() -> None:
        await lab.put("missing", InsufficientDataActions=[TOPIC])
        await lab.put("breaching", TreatMissingData="breaching")
        await lab.put("fine", TreatMissingData="notBreaching")
        await lab.put("ignore", TreatMissingData="ignore")
        names = ("missing", "breaching", "fine", "ignore")
        await lab.minute(90.0)
        assert [await lab.state(name) for name in names] == ["ALARM"] * 4
        await lab.minute()
        await lab.minute()
        assert [await lab.state(name) for name in names] == ["ALARM"] * 4, "it is still in the evaluation range"
        await lab.minute()
        assert [await lab.state(name) for name in names] == ["INSUFFICIENT_DATA", "ALARM", "OK", "ALARM"]
        assert (await lab.alarm("missing"))["StateReason"] == "Insufficient Data: 1 datapoint was unknown."
        assert (await lab.alarm("fine"))["StateReason"] == (
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
            "[NonBreaching]."
        )
        assert [message["NewStateValue"] for message in lab.published()] == ["INSUFFICIENT_DATA"]

    lab.play(story)


def test_a_state_that_was_set_lasts_until_the_next_evaluation(lab) -> None:
    async def story() -> None:
        await lab.put(AlarmActions=[TOPIC], OKActions=[TOPIC])
        await lab.minute(10.0)
        await lab("SetAlarmState", AlarmName="cpu", StateValue="ALARM", StateReason="drill", StateReasonData='{"a":1}')
        await lab.quiet()
        shown = await lab.alarm()
        assert (shown["StateValue"], shown["StateReason"], shown["StateReasonData"]) == ("ALARM", "drill", '{"a":1}')
        await lab.minute(11.0)
        assert await lab.state() == "OK"
        assert [message["NewStateValue"] for message in lab.published()] == ["OK", "ALARM", "OK"]
        assert (await lab.refused("SetAlarmState", AlarmName="x", StateValue="OK", StateReason=""))[
            0
        ] == "ResourceNotFound"
        for wrong in ({"StateValue": "FINE"}, {"StateReasonData": "{"}):
            given = {"AlarmName": "cpu", "StateValue": "ALARM", "StateReason": "", **wrong}
            assert (await lab.refused("SetAlarmState", **given))[0] in ("ValidationError", "InvalidFormat")
        assert await lab.state() == "OK"

    lab.play(story)


def test_few_samples_of_a_percentile(lab) -> None:
    async def story() -> None:
        await lab.put("p", Statistic=None, ExtendedStatistic="p99", EvaluateLowSampleCountPercentile="ignore")
        await lab.put("all", Statistic=None, ExtendedStatistic="p99", EvaluateLowSampleCountPercentile="evaluate")
        lab.metrics.samples = 999.0
        await lab.minute(90.0)
        assert (await lab.state("p"), await lab.state("all")) == ("INSUFFICIENT_DATA", "ALARM")
        lab.metrics.samples = 1000.0
        await lab.minute(90.0)
        assert await lab.state("p") == "ALARM"

    lab.play(story)


def test_periods_below_a_minute_are_looked_at_each_ten_seconds(lab) -> None:
    async def story() -> None:
        await lab.put("slow")
        assert lab.service.alarm_controller.finest(ACCOUNT) == 60
        await lab.put("fast", Period=10)
        assert lab.service.alarm_controller.finest(ACCOUNT) == 10
        await lab.minute(90.0, seconds=10)
        assert (await lab.state("fast"), await lab.state("slow")) == ("ALARM", "INSUFFICIENT_DATA")
        await lab.minute(10.0, seconds=10)
        assert await lab.state("fast") == "OK"

    lab.play(story)


def test_an_alarm_that_cannot_be_evaluated_keeps_no_other_from_it(lab) -> None:
    async def story() -> None:
        await lab.put("a", Unit="Percent")
        await lab.put("b")
        values = lab.metrics.values

        def broken(scope, queries, start, end):
            if "Unit" in queries[0]["MetricStat"]:
                raise AwsError("ValidationError", "no")
            return values(scope, queries, start, end)

        lab.metrics.values = broken
        await lab.minute(90.0)
        assert await lab.state("b") == "ALARM"
        shown = await lab.alarm("a")
        assert (shown["StateValue"], shown["EvaluationState"]) == ("INSUFFICIENT_DATA", "EVALUATION_ERROR")
        lab.metrics.values = values
        await lab.minute(90.0)
        shown = await lab.alarm("a")
        assert shown["StateValue"] == "ALARM"
        assert "EvaluationState" not in shown

    lab.play(story)


def test_metric_math_looks_at_the_query_that_returns_data(lab) -> None:
    async def story() -> None:
        stat = {"Metric": {"Namespace": "App", "MetricName": "CPU"}, "Period": 60, "Stat": "Average"}
        other = {"Metric": {"Namespace": "App", "MetricName": "Other"}, "Period": 60, "Stat": "Average"}
        queries = [{"Id": "a", "MetricStat": other, "ReturnData": False}, {"Id": "b", "MetricStat": stat}]
        await lab.put(Metrics=queries)
        await lab.minute(90.0)
        shown = await lab.alarm()
        assert (shown["StateValue"], shown["Metrics"]) == ("ALARM", queries)
        assert "MetricName" not in shown
        code, _ = await lab.refused(
            "PutMetricAlarm", AlarmName="bad", ComparisonOperator="GreaterThanThreshold", Threshold=1.0, EvaluationPeriods=1,
            Metrics=[{"Id": "e", "Expression": "a +"}],
        )  # fmt: skip
        assert code == "ValidationError"
        assert [alarm["AlarmName"] for alarm in (await lab("DescribeAlarms"))["MetricAlarms"]] == ["cpu"]

    lab.play(story)


def test_ec2_actions(lab) -> None:
    stop = f"arn:aws:automate:{REGION}:ec2:stop"

    async def story() -> None:
        await lab.put(AlarmActions=[stop], Dimensions=[{"Name": "InstanceId", "Value": "i-1"}])
        await lab.minute(90.0)
        assert lab.calls == [("ec2:StopInstances", {"InstanceIds": ["i-1"]})]
        assert await lab.summaries(kind="Action") == [f"Successfully executed action {stop}"]

    lab.play(story)


def test_those_who_listen_are_told_of_each_change(lab) -> None:
    async def story() -> None:
        heard = []
        lab.service.alarm_controller.on_change.append(
            lambda signal: heard.append((signal.name, signal.old_state, signal.state))
        )
        await lab.put()
        await lab.minute(90.0)
        await lab.minute(90.0)
        await lab.minute(10.0)
        assert heard == [("cpu", "INSUFFICIENT_DATA", "ALARM"), ("cpu", "ALARM", "OK")]

    lab.play(story)


def test_a_change_keeps_the_state_and_the_tags(lab) -> None:
    async def story() -> None:
        await lab.put(Tags=[{"Key": "team", "Value": "a"}])
        await lab.minute(90.0)
        await lab.put(Threshold=95.0, Tags=[{"Key": "team", "Value": "b"}])
        shown = await lab.alarm()
        assert (shown["StateValue"], shown["Threshold"]) == ("ALARM", 95.0)
        assert (await lab("ListTagsForResource", ResourceARN=shown["AlarmArn"]))["Tags"] == [
            {"Key": "team", "Value": "a"}
        ]
        await lab.evaluate()
        assert await lab.state() == "OK"
        (item,) = [
            item
            for item in (await lab("DescribeAlarmHistory", HistoryItemType="ConfigurationUpdate"))["AlarmHistoryItems"]
            if item["HistorySummary"] == 'Alarm "cpu" updated'
        ]
        data = json.loads(item["HistoryData"])
        assert (data["type"], data["updatedAlarm"]["threshold"]) == ("Update", 95.0)
        assert data["originalUpdatedFields"]["threshold"] == 70.0
        assert data["updatedAlarm"]["okactions"] == []

    lab.play(story)
