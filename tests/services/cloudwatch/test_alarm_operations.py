"""Alarms put, described, deleted; what is refused; tags; history."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from drydock.errors import NotImplementedByDrydock

from tests.services.cloudwatch.alarm_lab import ACCOUNT, EPOCH, POLICY, REGION, TOPIC

METRIC = {"Metric": {"Namespace": "App", "MetricName": "CPU"}, "Period": 60, "Stat": "Average"}
SECOND = [{"Id": "a", "MetricStat": METRIC}, {"Id": "b", "MetricStat": METRIC}]
DAY_TOO_LONG = (
    "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400) for alarms using period "
    "< 3600"
)
WEEK_TOO_LONG = (
    "Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be <= 604800) for alarms using "
    "period >= 3600"
)


@pytest.mark.parametrize(
    ("wrong", "code", "message"),
    [
        ({"ComparisonOperator": None}, "ValidationError",
            "PutMetricAlarm request should have a valid ComparisonOperator parameter"),
        ({"ComparisonOperator": "Above"}, "ValidationError", "at 'comparisonOperator' failed to satisfy constraint"),
        ({"Threshold": None}, "ValidationError", "PutMetricAlarm request should have valid Threshold parameter"),
        ({"Threshold": float("nan")}, "ValidationError", "PutMetricAlarm request should have valid Threshold parameter"),
        ({"EvaluationPeriods": None}, "ValidationError",
            "PutMetricAlarm request should have an EvaluationPeriods parameter"),
        ({"DatapointsToAlarm": 2}, "ValidationError", "DatapointsToAlarm must be less than or equal to EvaluationPeriods"),
        ({"TreatMissingData": "bad"}, "ValidationError", "The value bad is not supported for TreatMissingData parameter. "
            "Supported values are breaching, notBreaching, ignore, missing."),
        ({"Statistic": None}, "ValidationError", "PutMetricAlarm request should have a Statistic parameter"),
        ({"ExtendedStatistic": "p90"}, "ValidationError", "can not be made with both Statistic and ExtendedStatistic"),
        ({"Statistic": None, "ExtendedStatistic": "q90"}, "InvalidParameterValue",
            "The value q90 for parameter ExtendedStatistic is not supported."),
        ({"Statistic": "Mean"}, "ValidationError", "at 'statistic' failed to satisfy constraint"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, "ValidationError",
            "can not be applied with statistic Average. This option is enabled only for percentile statistics."),
        ({"Statistic": None, "ExtendedStatistic": "pr(0:1)", "EvaluateLowSampleCountPercentile": "ignore"},
            "ValidationError", "This option is enabled only for percentile statistics."),
        ({"EvaluateLowSampleCountPercentile": "maybe"}, "ValidationError", "Option maybe is not supported."),
        ({"MetricName": None}, "ValidationError", "MetricName must not be null"),
        ({"Unit": "Pounds"}, "ValidationError", "Value 'Pounds' at 'unit' failed to satisfy constraint"),
        ({"Period": None}, "ValidationError", "PutMetricAlarm request should have a Period parameter"),
        ({"Period": 45}, "ValidationError", "Period must be 10, 20, 30 or a multiple of 60"),
        ({"Period": 90}, "ValidationError", "Period must be 10, 20, 30 or a multiple of 60"),
        ({"Period": 300, "EvaluationPeriods": 289}, "ValidationError", DAY_TOO_LONG),
        ({"Period": 86400, "EvaluationPeriods": 8}, "ValidationError", WEEK_TOO_LONG),
        ({"Metrics": SECOND[:1], "Unit": "Count"}, "ValidationError", "Unit should not be set if list of Metrics is set."),
        ({"Metrics": SECOND}, "ValidationError", "Exactly one element of the metrics list should return data."),
        ({"Metrics": [{"Id": "Upper", "MetricStat": METRIC}]}, "ValidationError", "Invalid metrics list"),
        ({"Metrics": [{"Id": "a", "MetricStat": METRIC | {"Stat": "Mean"}}]}, "ValidationError", "Invalid metrics list"),
        ({"AlarmActions": ["ops"]}, "ValidationError", "Invalid arn syntax: ops"),
        ({"OKActions": ["arn:aws:sns:eu-west-1:111122223333:ops"]}, "ValidationError",
            "Invalid region eu-west-1 specified. Only us-east-1 is supported."),
        ({"AlarmActions": [f"arn:aws:automate:{REGION}:ec2:stop"]}, "ValidationError", "InstanceId"),
        ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "InvalidParameterValue", "aws:"),
    ],
)  # fmt: skip
def test_what_aws_refuses_is_refused_and_changes_nothing(lab, wrong: dict, code: str, message: str) -> None:
    async def story() -> None:
        given = {
            "MetricName": "CPU", "Namespace": "App", "Statistic": "Average", "Period": 60, "Threshold": 70.0,
            "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1,
        }  # fmt: skip
        if "Metrics" in wrong:
            given = {k: v for k, v in given.items() if k not in ("MetricName", "Namespace", "Statistic", "Period")}
        given = {key: value for key, value in (given | wrong).items() if value is not None}
        found = await lab.refused("PutMetricAlarm", AlarmName="cpu", **given)
        assert found[0] == code
        assert message in found[1]
        assert (await lab("DescribeAlarms"))["MetricAlarms"] == []
        assert await lab.summaries() == []

    lab.play(story)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ComparisonOperator": "GreaterThanUpperThreshold", "ThresholdMetricId": "a"},
        {"ComparisonOperator": "LessThanLowerThreshold"},
        {"ThresholdMetricId": "a"},
        {"OKActions": [f"arn:aws:ssm:{REGION}:{ACCOUNT}:opsitem:1"]},
        {"AlarmActions": [f"arn:aws:automate:{REGION}:ec2:recover"]},
        {"EvaluationInterval": 60},
        {"WarmUpConfiguration": {"WarmUpPeriodDurationInMinutes": 5}},
    ],
)
def test_what_is_not_done_here_is_said(lab, wrong: dict) -> None:
    async def story() -> None:
        with pytest.raises(NotImplementedByDrydock) as caught:
            await lab.put(**wrong)
        assert caught.value.status == 501
        assert (await lab("DescribeAlarms"))["MetricAlarms"] == []

    lab.play(story)


@pytest.mark.parametrize(
    ("operation", "given", "member"),
    [
        ("DescribeAlarms", {"StateValue": "GOOD"}, "stateValue"),
        ("DescribeAlarms", {"AlarmTypes": ["MetricAlarm", "Siren"]}, "alarmTypes"),
        ("DescribeAlarmHistory", {"HistoryItemType": "Rumour"}, "historyItemType"),
        ("DescribeAlarmHistory", {"ScanBy": "Name"}, "scanBy"),
        ("DescribeAlarmsForMetric", {"Namespace": "App", "MetricName": "CPU", "Statistic": "Mean"}, "statistic"),
    ],
)
def test_values_that_there_are_not(lab, operation: str, given: dict, member: str) -> None:
    async def story() -> None:
        code, message = await lab.refused(operation, **given)
        assert code == "ValidationError"
        assert f" at '{member}' failed to satisfy constraint" in message

    lab.play(story)


def test_a_period_of_a_week(lab) -> None:
    async def story() -> None:
        await lab.put(Period=604800)
        assert (await lab("DescribeAlarms"))["MetricAlarms"][0]["Period"] == 604800

    lab.play(story)


@pytest.mark.parametrize("name", [" cpu", "cpu ", "c\npu", "cpu\x7f"])
def test_names(lab, name: str) -> None:
    async def story() -> None:
        given = {"MetricName": "CPU", "Namespace": "App", "Statistic": "Average", "Period": 60, "Threshold": 70.0}
        code, _ = await lab.refused(
            "PutMetricAlarm", AlarmName=name, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, **given
        )
        assert code == "ValidationError"

    lab.play(story)


def test_alarms_are_found_by_what_they_are(lab) -> None:
    async def story() -> None:
        for name in ("web-b", "web-a", "db"):
            await lab.put(name, AlarmActions=[TOPIC] if name == "db" else [POLICY])
        await lab("PutCompositeAlarm", AlarmName="all", AlarmRule="ALARM(db) OR ALARM(web-a)")

        async def names(**params) -> tuple[list[str], list[str]]:
            found = await lab("DescribeAlarms", **params)
            return tuple([alarm["AlarmName"] for alarm in found[kind]] for kind in ("MetricAlarms", "CompositeAlarms"))

        both = ["MetricAlarm", "CompositeAlarm"]
        assert await names() == (["db", "web-a", "web-b"], [])
        assert await names(AlarmTypes=["CompositeAlarm"]) == ([], ["all"])
        assert await names(AlarmTypes=both) == (["db", "web-a", "web-b"], ["all"])
        assert await names(AlarmNamePrefix="web") == (["web-a", "web-b"], [])
        assert await names(AlarmNames=["db", "nobody", "all"]) == (["db"], [])
        assert await names(ActionPrefix="arn:aws:sns") == (["db"], [])
        assert await names(StateValue="OK") == ([], [])
        assert await names(StateValue="OK", AlarmTypes=both) == ([], ["all"])
        assert await names(ChildrenOfAlarmName="all") == (["db", "web-a"], [])
        assert await names(ParentsOfAlarmName="db") == ([], ["all"])
        for wrong in (
            {"AlarmNames": ["db"], "AlarmNamePrefix": "d"},
            {"ChildrenOfAlarmName": "all", "StateValue": "OK"},
            {"NextToken": "?"},
        ):
            assert (await lab.refused("DescribeAlarms", **wrong))[0] in ("ValidationError", "InvalidNextToken")

    lab.play(story)


def test_pages(lab) -> None:
    async def story() -> None:
        for n in range(5):
            await lab.put(f"a{n}")
        seen, token = [], {}
        while True:
            page = await lab("DescribeAlarms", MaxRecords=2, **token)
            seen += [alarm["AlarmName"] for alarm in page["MetricAlarms"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert seen == ["a0", "a1", "a2", "a3", "a4"]
        first = await lab("DescribeAlarmHistory", MaxRecords=3)
        assert [item["AlarmName"] for item in first["AlarmHistoryItems"]] == ["a4", "a3", "a2"]
        rest = await lab("DescribeAlarmHistory", MaxRecords=3, NextToken=first["NextToken"])
        assert [item["AlarmName"] for item in rest["AlarmHistoryItems"]] == ["a1", "a0"]
        assert "NextToken" not in rest

    lab.play(story)


def test_alarms_of_a_metric(lab) -> None:
    async def story() -> None:
        host = [{"Name": "Host", "Value": "h1"}, {"Name": "Zone", "Value": "a"}]
        await lab.put("plain")
        await lab.put("host", Dimensions=host)
        await lab.put("math", Metrics=[{"Id": "m", "MetricStat": METRIC}])

        async def names(**params) -> list[str]:
            found = await lab("DescribeAlarmsForMetric", Namespace="App", MetricName="CPU", **params)
            return [alarm["AlarmName"] for alarm in found["MetricAlarms"]]

        assert await names() == ["plain"]
        assert await names(Dimensions=list(reversed(host))) == ["host"]
        assert await names(Statistic="Sum") == []
        assert await names(Statistic="Average", Period=60) == ["plain"]
        assert await names(Period=300) == []

    lab.play(story)


def test_history_by_time_and_for_thirty_days(lab) -> None:
    async def story() -> None:
        await lab.put()
        await lab.minute(90.0)
        later = datetime.fromtimestamp(EPOCH + 30, UTC)
        found = await lab("DescribeAlarmHistory", StartDate=later)
        assert [item["HistoryItemType"] for item in found["AlarmHistoryItems"]] == ["StateUpdate"]
        found = await lab("DescribeAlarmHistory", EndDate=later)
        assert [item["HistoryItemType"] for item in found["AlarmHistoryItems"]] == ["ConfigurationUpdate"]
        assert (await lab("DescribeAlarmHistory", AlarmTypes=["CompositeAlarm"]))["AlarmHistoryItems"] == []
        await lab("DeleteAlarms", AlarmNames=["cpu"])
        assert (await lab.summaries())[-1] == 'Alarm "cpu" deleted'
        lab.clocks.of(ACCOUNT).advance(29 * 86400)
        assert len(await lab.summaries()) == 3
        lab.clocks.of(ACCOUNT).advance(86400)
        assert await lab.summaries() == []

    lab.play(story)


def test_alarms_are_deleted(lab) -> None:
    async def story() -> None:
        await lab.put("a")
        await lab.put("b")
        await lab("PutCompositeAlarm", AlarmName="c", AlarmRule="ALARM(a)")
        await lab("PutCompositeAlarm", AlarmName="d", AlarmRule="TRUE")
        depends = ("ValidationError", "Cannot delete a as there are composite alarm(s) depending on it.")
        assert await lab.refused("DeleteAlarms", AlarmNames=["a", "b"]) == depends
        assert (await lab.refused("DeleteAlarms", AlarmNames=["c", "d"]))[0] == "ValidationError"
        assert len((await lab("DescribeAlarms"))["MetricAlarms"]) == 2
        await lab("DeleteAlarms", AlarmNames=["b", "nobody", "c"])
        await lab("DeleteAlarms", AlarmNames=["a"])
        assert (await lab("DescribeAlarms"))["MetricAlarms"] == []

    lab.play(story)


def test_tags(lab) -> None:
    async def story() -> None:
        await lab.put(Tags=[{"Key": "a", "Value": "1"}])
        arn = (await lab.alarm())["AlarmArn"]
        await lab("TagResource", ResourceARN=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
        await lab("UntagResource", ResourceARN=arn, TagKeys=["b", "c"])
        assert (await lab("ListTagsForResource", ResourceARN=arn))["Tags"] == [{"Key": "a", "Value": "2"}]
        missing = arn.replace(":alarm:cpu", ":alarm:x")
        assert (await lab.refused("ListTagsForResource", ResourceARN=missing))[0] == "ResourceNotFoundException"
        many = [{"Key": str(n), "Value": ""} for n in range(50)]
        assert (await lab.refused("TagResource", ResourceARN=arn, Tags=many))[0] == "InvalidParameterValue"
        assert len((await lab("ListTagsForResource", ResourceARN=arn))["Tags"]) == 1

    lab.play(story)
