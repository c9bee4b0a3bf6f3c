"""Metrics by boto3: what is put is what is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from tests.emulator_process import EmulatorProcess

Aws = Callable[..., Any]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def cw(aws: Aws) -> Any:
    return aws("cloudwatch")


@pytest.fixture
def now(aws: Aws) -> datetime:
    """The beginning of this minute of lab time."""
    told = aws("sts").get_caller_identity()["ResponseMetadata"]["HTTPHeaders"]["x-drydock-lab-time"]
    return datetime.fromtimestamp(float(told) // 60 * 60, UTC)


def put(cw: Any, *data: dict[str, Any], namespace: str = "App") -> None:
    cw.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Latency", **one} for one in data])


def statistics(cw: Any, now: datetime, *names: str, minutes: int = 10, **more: Any) -> list[dict[str, Any]]:
    plain = [name for name in names if name in ("Sum", "Average", "SampleCount", "Minimum", "Maximum")]
    extended = [name for name in names if name not in plain]
    asked: dict[str, Any] = {"Statistics": plain} if plain else {"ExtendedStatistics": extended}
    found = cw.get_metric_statistics(**{
        "Namespace": "App", "MetricName": "Latency", "Period": 60, "StartTime": now - minutes * MINUTE,
        "EndTime": now + 2 * MINUTE, **asked, **more,
    })  # fmt: skip
    assert found["Label"] == "Latency"
    return sorted(found["Datapoints"], key=lambda point: (point["Timestamp"], point["Unit"]))


def query(
    name: str = "m", stat: str = "Sum", period: int = 60, dimensions: dict[str, str] | None = None, **more: Any
) -> Any:
    metric = {
        "Namespace": "App", "MetricName": "Latency",
        "Dimensions": [{"Name": key, "Value": value} for key, value in (dimensions or {}).items()],
    }  # fmt: skip
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, **more}


def data(cw: Any, now: datetime, *queries: Any, **more: Any) -> dict[str, Any]:
    asked = {"StartTime": now - 10 * MINUTE, "EndTime": now + 2 * MINUTE, **more}
    return cw.get_metric_data(MetricDataQueries=list(queries), **asked)  # type: ignore[no-any-return]


def refused(call: Any, *args: Any, **kwargs: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_all_forms_are_summed_up_by_the_minute(cw: Any, now: datetime) -> None:
    at = now - 2 * MINUTE
    put(
        cw,
        {"Timestamp": at, "Value": 1.5, "Unit": "Seconds"},
        {"Timestamp": at + timedelta(seconds=59), "Values": [2.0, 4.0], "Counts": [3.0, 1.0], "Unit": "Seconds"},
        {
            "Timestamp": at + timedelta(seconds=30),
            "StatisticValues": {"SampleCount": 2, "Sum": 10, "Minimum": 0.5, "Maximum": 9.5},
            "Unit": "Seconds",
        },
        {"Timestamp": at + MINUTE, "Value": 7},
    )
    first, second = statistics(cw, now, "Sum", "Average", "SampleCount", "Minimum", "Maximum")
    assert first == {
        "Timestamp": at, "Sum": 21.5, "SampleCount": 7.0, "Average": 21.5 / 7, "Minimum": 0.5, "Maximum": 9.5, "Unit": "Seconds"
    }  # fmt: skip
    assert (second["Timestamp"], second["Sum"], second["Unit"]) == (at + MINUTE, 7.0, "None")
    assert statistics(cw, now, "Sum", Unit="Bytes") == []


def test_percentiles_need_raw_values(cw: Any, now: datetime) -> None:
    put(cw, {"Timestamp": now - 3 * MINUTE, "Values": [float(n) for n in range(1, 101)]})
    put(
        cw,
        {"Timestamp": now - 2 * MINUTE, "StatisticValues": {"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2}},
        {"Timestamp": now - MINUTE, "StatisticValues": {"SampleCount": 3, "Sum": 6, "Minimum": 2, "Maximum": 2}},
    )
    found = statistics(cw, now, "p99", "p50", "tm90", "TC(:10)", "IQM")
    assert [point["Timestamp"] for point in found] == [now - 3 * MINUTE, now - MINUTE]
    told = found[0]["ExtendedStatistics"]
    assert told["p50"] == 50.5 and 99 <= told["p99"] <= 100 and told["tm90"] == 45.5 and told["TC(:10)"] == 10
    assert found[1]["ExtendedStatistics"]["p99"] == 2.0


def test_dimensions_are_exact(cw: Any, now: datetime) -> None:
    put(
        cw,
        {"Value": 1, "Timestamp": now},
        {"Value": 2, "Timestamp": now, "Dimensions": [{"Name": "Host", "Value": "a"}]},
        {"Value": 4, "Timestamp": now, "Dimensions": [{"Name": "Zone", "Value": "z"}, {"Name": "Host", "Value": "a"}]},
    )
    results = data(
        cw, now, query("m1"), query("m2", dimensions={"Host": "a"}), query("m3", dimensions={"Host": "a", "Zone": "z"}),
        query("m4", dimensions={"Zone": "z"}),
    )["MetricDataResults"]  # fmt: skip
    assert [result["Values"] for result in results] == [[1.0], [2.0], [4.0], []]


def test_metrics_are_listed(cw: Any, now: datetime) -> None:
    for number in range(3):
        put(cw, *({"MetricName": f"M{number}{n}", "Value": 1} for n in range(200)))
    put(
        cw,
        {"Value": 1, "Dimensions": [{"Name": "Host", "Value": "a"}, {"Name": "Zone", "Value": "z"}]},
        namespace="Other",
    )
    first = cw.list_metrics()
    assert len(first["Metrics"]) == 500
    assert len(cw.list_metrics(NextToken=first["NextToken"])["Metrics"]) == 101
    (found,) = cw.list_metrics(Namespace="Other", RecentlyActive="PT3H")["Metrics"]
    assert found["Dimensions"] == [{"Name": "Host", "Value": "a"}, {"Name": "Zone", "Value": "z"}]
    assert len(cw.list_metrics(Dimensions=[{"Name": "Host"}])["Metrics"]) == 1
    assert len(cw.list_metrics(Dimensions=[{"Name": "Host", "Value": "b"}])["Metrics"]) == 0
    assert cw.list_metrics(MetricName="M07")["Metrics"] == [{"Namespace": "App", "MetricName": "M07", "Dimensions": []}]
    assert refused(cw.list_metrics, NextToken="x")[0] == "InvalidParameterValue"


def test_metric_data_comes_in_pages_newest_first(cw: Any, now: datetime) -> None:
    put(cw, *({"Timestamp": now - n * MINUTE, "Value": n} for n in range(5)))
    asked = {"StartTime": now - 10 * MINUTE, "EndTime": now + MINUTE}
    queries = [query("a", Label="${LABEL} up to ${MAX}"), query("hidden", ReturnData=False), query("b", "Maximum")]
    page = cw.get_metric_data(MetricDataQueries=queries, MaxDatapoints=7, **asked)
    one, other = page["MetricDataResults"]
    assert (one["Id"], one["Values"], one["StatusCode"]) == ("a", [0, 1, 2, 3, 4], "Complete")
    assert one["Label"] == "Latency Sum up to 4"
    assert one["Timestamps"][0] == now
    assert (other["Id"], other["Values"], other["StatusCode"]) == ("b", [0, 1], "PartialData")
    rest = cw.get_metric_data(MetricDataQueries=queries, MaxDatapoints=7, NextToken=page["NextToken"], **asked)
    assert rest["MetricDataResults"][1]["Values"] == [2, 3, 4] and "NextToken" not in rest
    upwards = cw.get_metric_data(MetricDataQueries=queries, ScanBy="TimestampAscending", **asked)
    assert upwards["MetricDataResults"][0]["Values"] == [4, 3, 2, 1, 0]


def test_metric_math_and_search(cw: Any, now: datetime) -> None:
    for host, value in (("a", 10), ("b", 30)):
        put(cw, {"Timestamp": now, "Value": value, "Dimensions": [{"Name": "Host", "Value": host}]})
    queries = [
        query("a", dimensions={"Host": "a"}, ReturnData=False),
        query("b", dimensions={"Host": "b"}, ReturnData=False),
        {"Id": "share", "Expression": "100 * a / (a + b)", "Label": "share of ${LABEL}: ${LAST} %"},
        {"Id": "hosts", "Expression": "SEARCH('{App,Host} Latency', 'Sum', 60)", "Label": "host"},
        {
            "Id": "named",
            "Expression": "SEARCH('{App,Host} Latency', 'Sum', 60)",
            "Label": "${PROP('Dim.Host')} at ${FIRST_TIME}",
        },
        {"Id": "filled", "Expression": "FILL(a, 0)", "Period": 60},
    ]
    found = data(cw, now, *queries, LabelOptions={"Timezone": "+0100"})["MetricDataResults"]
    local = (now + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S")
    assert [(one["Id"], one["Label"], one["Values"]) for one in found[:5]] == [
        ("share", "share of share: 25 %", [25.0]), ("hosts", "host a", [10.0]), ("hosts", "host b", [30.0]),
        ("named", f"a at {local}", [10.0]), ("named", f"b at {local}", [30.0]),
    ]  # fmt: skip
    assert sum(found[5]["Values"]) == 10 and len(found[5]["Values"]) == 12
    told = refused(data, cw, now, {"Id": "e", "Expression": "MEDIAN(m)"})
    assert told == ("ValidationError", "Error in expression 'e': Function 'MEDIAN' not found")
    assert refused(data, cw, now, {"Id": "e", "Expression": "SELECT AVG(x) FROM y"})[0] == "NotImplemented"


def test_high_resolution(cw: Any, now: datetime) -> None:
    put(cw, *({"Timestamp": now + timedelta(seconds=n), "Value": n, "StorageResolution": 1} for n in (0, 4, 5, 11)))
    asked = {"StartTime": now, "EndTime": now + MINUTE, "ScanBy": "TimestampAscending"}
    by_five = data(cw, now, query(period=5), **asked)["MetricDataResults"][0]
    assert by_five["Values"] == [4, 5, 11]
    assert [(at - now).seconds for at in by_five["Timestamps"]] == [0, 5, 10]
    assert data(cw, now, query(period=60), **asked)["MetricDataResults"][0]["Values"] == [20]


def test_old_data_is_rolled_up_and_forgotten(emulator: EmulatorProcess, account: str, cw: Any, now: datetime) -> None:
    put(cw, *({"Timestamp": now + timedelta(seconds=n), "Value": n, "StorageResolution": 1} for n in (1, 2, 3)))
    put(cw, {"Timestamp": now - MINUTE, "Value": 10})
    hour = now.replace(minute=0)
    around = {
        "StartTime": hour - timedelta(hours=1),
        "EndTime": hour + timedelta(hours=2),
        "ScanBy": "TimestampAscending",
    }

    def total(period: int) -> list[float]:
        return data(cw, now, query(period=period), **around)["MetricDataResults"][0]["Values"]  # type: ignore[no-any-return]

    def jump(**how: int) -> None:
        emulator.get("/_drydock/clock", {"account": account, "advance": timedelta(**how).total_seconds()})

    assert sum(total(1)) == 16 and sum(total(60)) == 16
    jump(hours=4)
    assert total(1) == [] and sum(total(60)) == 16
    jump(days=15)
    assert total(60) == [] and sum(total(300)) == 16
    assert cw.list_metrics()["Metrics"] == [] and cw.list_metrics(RecentlyActive="PT3H")["Metrics"] == []
    jump(days=50)
    assert total(300) == [] and sum(total(3600)) == 16
    jump(days=400)
    assert total(3600) == []


def test_it_outlives_a_killed_emulator(tmp_path: Any) -> None:
    with EmulatorProcess(tmp_path / "state", "--speed", "100") as running:
        put(running.client("cloudwatch"), {"Value": 5})
        running.kill()
        running.start()
        cw = running.client("cloudwatch")
        at = datetime.now(UTC)
        found = cw.get_metric_statistics(
            Namespace="App", MetricName="Latency", Period=3600, Statistics=["Sum"],
            StartTime=at - timedelta(hours=5), EndTime=at + timedelta(hours=5),
        )["Datapoints"]  # fmt: skip
        assert [point["Sum"] for point in found] == [5]


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"Namespace": "AWS/ECS"}, "InvalidParameterValue", "The value AWS/ECS for parameter Namespace is invalid."),
    ({"MetricData": []}, "MissingParameter", "The parameter MetricData is required."),
    (
        {"MetricData": [{"MetricName": "m", "Value": 1}] * 1001},
        "InvalidParameterValue",
        "The collection MetricData must not have a size greater than 1000.",
    ),
    *(
        ({"MetricData": [{"MetricName": "m", **datum}]}, code, message)
        for datum, code, message in (
            (
                {"Value": float("nan")},
                "InvalidParameterValue",
                "The value NaN for parameter MetricData.member.1.Value is invalid.",
            ),
            ({"Value": 2.0**361}, "InvalidParameterValue", "for parameter MetricData.member.1.Value is invalid."),
            ({"Values": [float("inf")]}, "InvalidParameterValue", "MetricData.member.1.Values.member.1 is invalid."),
            (
                {"Value": 1, "Values": [1]},
                "InvalidParameterCombination",
                "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you "
                "have specified both.",
            ),
            (
                {"Values": [1, 2], "Counts": [1]},
                "InvalidParameterValue",
                "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size.",
            ),
            (
                {"Values": [float(n) for n in range(151)]},
                "InvalidParameterValue",
                "The collection MetricData.member.1.Values must not have a size greater than 150.",
            ),
            ({"Value": 1, "Unit": "Fathoms"}, "InvalidParameterValue", "The value Fathoms for parameter"),
            ({"Value": 1, "StorageResolution": 5}, "InvalidParameterValue", "StorageResolution is invalid."),
            (
                {"Value": 1, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)},
                "InvalidParameterValue",
                "The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks.",
            ),
            ({}, "MissingParameter", "At least one of the parameters MetricData.member.1.Value"),
            ({"Value": 1, "Dimensions": [{"Name": ":a", "Value": "b"}]}, "InvalidParameterValue", "The value :a for"),
        )
    ),
    ({"EntityMetricData": [{"MetricData": [{"MetricName": "m", "Value": 1}]}]}, "NotImplemented", "EntityMetricData"),
]


@pytest.mark.parametrize(("given", "code", "message"), REFUSED)
def test_what_put_metric_data_refuses(cw: Any, given: dict[str, Any], code: str, message: str) -> None:
    told = refused(cw.put_metric_data, **{"Namespace": "App", "MetricData": [{"MetricName": "m", "Value": 1}], **given})
    assert told[0] == code and message in told[1], told
    assert cw.list_metrics()["Metrics"] == []


def test_what_the_readers_refuse(cw: Any, now: datetime) -> None:
    ask = {"Namespace": "App", "MetricName": "m", "StartTime": now - 10 * MINUTE, "EndTime": now, "Period": 60}
    for more, code, message in (
        ({}, "MissingParameter", "At least one of the parameters Statistics and ExtendedStatistics must be specified."),
        ({"Statistics": ["Sum"], "ExtendedStatistics": ["p9"]}, "InvalidParameterCombination", "mutually exclusive"),
        ({"Statistics": ["Median"]}, "InvalidParameterValue", "The value Median for parameter Statistics.member.1"),
        ({"ExtendedStatistics": ["p101"]}, "InvalidParameterValue", "The value p101 for parameter"),
        ({"Statistics": ["Sum"], "Period": 61}, "InvalidParameterValue", "The value 61 for parameter Period is invalid."),
        ({"Statistics": ["Sum"], "EndTime": now - 10 * MINUTE}, "InvalidParameterValue",
         "The parameter StartTime must be less than the parameter EndTime."),
        ({"Statistics": ["Sum"], "StartTime": now - 1441 * MINUTE}, "InvalidParameterCombination",
         "You have requested up to 1441 datapoints, which exceeds the limit of 1440. You may reduce the datapoints "
         "requested by increasing Period, or decreasing the time range."),
    ):  # fmt: skip
        told = refused(cw.get_metric_statistics, **{**ask, **more})
        assert told[0] == code and message in told[1], told
    for bad, message in (
        ({**query(), "Id": "Big"}, "The value Big for parameter MetricDataQueries.member.1.Id is not matching the expected "
         "pattern ^[a-z][a-zA-Z0-9_]*$."),
        ({"Id": "m"}, "The parameter MetricDataQueries.member.1.MetricStat is required.\n"),
        (query(stat="Most"), "The value for parameter MetricDataQueries.member.1.MetricStat.Stat is not a valid statistic."),
    ):  # fmt: skip
        assert refused(data, cw, now, bad) == ("ValidationError", message)
    assert refused(data, cw, now, query(), query())[0] == "ValidationError"
    assert refused(data, cw, now, query(), StartTime=now + 2 * MINUTE) == (
        "ValidationError", "The parameter StartTime must not equal parameter EndTime.",
    )  # fmt: skip
    assert refused(data, cw, now, query(), NextToken="x") == (
        "InvalidNextToken",
        "The next token specified is invalid.",
    )


def test_a_policy_can_name_the_namespace(emulator: EmulatorProcess, aws: Aws) -> None:
    allowed = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
               "Condition": {"StringEquals": {"cloudwatch:namespace": "App"}}}  # fmt: skip
    iam = aws("iam")
    iam.create_user(UserName="ada")
    iam.put_user_policy(
        UserName="ada", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    )
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    ada = emulator.client(
        "cloudwatch", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    put(ada, {"Value": 1})
    assert refused(put, ada, {"Value": 1}, namespace="Other")[0] == "AccessDenied"
    assert len(aws("cloudwatch").list_metrics()["Metrics"]) == 1


def speak(client: Any, protocol: str) -> None:
    """A client of another protocol than botocore's choice."""
    client._serializer = create_serializer(protocol)
    client._response_parser = create_parser(protocol)
    client.meta._service_model.__dict__["resolved_protocol"] = protocol
    client._endpoint._response_parser_factory.create_parser = lambda *_: client._response_parser


@pytest.mark.parametrize("protocol", ["smithy-rpc-v2-cbor", "json", "query"])
def test_every_protocol_says_the_same(
    emulator: EmulatorProcess, aws: Aws, account: str, now: datetime, protocol: str
) -> None:
    """Times, numbers and errors, and what a client has compressed."""
    session = boto3.Session()  # what is changed below is the session's
    client = session.client(
        "cloudwatch", "us-east-1", endpoint_url=emulator.url, aws_access_key_id=account, aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 1}),
    )  # fmt: skip
    speak(client, protocol)
    sent: list[str] = []
    client.meta.events.register("before-send", lambda request, **_: sent.append(str(dict(request.headers))))
    at = now - MINUTE
    put(client, *({"Timestamp": at, "Value": 0.125, "Unit": "Percent", "Dimensions": [{"Name": f"d{n}", "Value": "v" * 200}]}
                  for n in range(60)))  # fmt: skip
    put(client, {"Timestamp": at, "Value": 0.125, "Unit": "Percent"})
    assert statistics(client, now, "Sum") == [{"Timestamp": at, "Sum": 0.125, "Unit": "Percent"}]
    found = data(client, now, query())["MetricDataResults"][0]
    assert (found["Timestamps"], found["Values"]) == ([at], [0.125])
    assert len(client.list_metrics()["Metrics"]) == 61
    with pytest.raises(ClientError) as caught:
        client.put_metric_data(Namespace="AWS/X", MetricData=[{"MetricName": "m", "Value": 1}])
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    with pytest.raises(ClientError) as caught:
        data(client, now, query(), NextToken="x")
    assert caught.value.response["Error"]["Code"] == "InvalidNextToken"
    mark = {"smithy-rpc-v2-cbor": "rpc-v2-cbor", "json": "x-amz-json", "query": "x-www-form-urlencoded"}[protocol]
    assert sent and all(mark in headers for headers in sent)
    assert any("gzip" in headers for headers in sent)
