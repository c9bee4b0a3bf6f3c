"""Metric filters: kept, listed, tried out."""

from __future__ import annotations

import pytest
from drydock.errors import NotImplementedByDrydock


def transformation(**more) -> list[dict]:
    return [{"metricName": "Errors", "metricNamespace": "App", "metricValue": "1", **more}]


async def put(lab, name: str, pattern: str = "ERROR", group: str = "g", **more) -> None:
    await lab("PutMetricFilter", logGroupName=group, filterName=name, filterPattern=pattern,
              metricTransformations=transformation(**more))  # fmt: skip


async def names(lab, **params) -> list[str]:
    return [each["filterName"] for each in (await lab("DescribeMetricFilters", **params))["metricFilters"]]


def test_a_filter_is_put_described_and_deleted(lab) -> None:
    async def story() -> None:
        await lab("CreateLogGroup", logGroupName="g")
        await put(lab, "errors", "{ $.level = ERROR }", dimensions={"Host": "$.host"}, unit="Count")
        (found,) = (await lab("DescribeMetricFilters", logGroupName="g"))["metricFilters"]
        assert found["filterPattern"] == "{ $.level = ERROR }"
        assert found["metricTransformations"] == transformation(dimensions={"Host": "$.host"}, unit="Count")
        assert found["logGroupName"] == "g"
        assert (await lab("DescribeLogGroups"))["logGroups"][0]["metricFilterCount"] == 1
        created = found["creationTime"]
        await put(lab, "errors", "WARN", defaultValue=0.0)
        (found,) = (await lab("DescribeMetricFilters", logGroupName="g"))["metricFilters"]
        assert (found["filterPattern"], found["creationTime"]) == ("WARN", created)
        await lab("DeleteMetricFilter", logGroupName="g", filterName="errors")
        assert await names(lab) == []
        gone = await lab.refused("DeleteMetricFilter", logGroupName="g", filterName="errors")
        assert gone[0] == "ResourceNotFoundException"

    lab.play(story)


def test_filters_are_listed_by_group_prefix_and_metric(lab) -> None:
    async def story() -> None:
        for group in ("g", "h"):
            await lab("CreateLogGroup", logGroupName=group)
        await put(lab, "b1")
        await put(lab, "b2", metricName="Other")
        await put(lab, "a", group="h")
        assert await names(lab) == ["a", "b1", "b2"]
        assert await names(lab, logGroupName="g") == ["b1", "b2"]
        assert await names(lab, logGroupName="g", filterNamePrefix="b2") == ["b2"]
        assert await names(lab, metricName="Errors", metricNamespace="App") == ["a", "b1"]
        assert (await lab.refused("DescribeMetricFilters", metricName="Errors"))[0] == "InvalidParameterException"
        first = await lab("DescribeMetricFilters", limit=2)
        assert await names(lab, limit=2, nextToken=first["nextToken"]) == ["b2"]
        await lab("DeleteLogGroup", logGroupName="g")
        assert await names(lab) == ["a"]

    lab.play(story)


def test_what_aws_refuses_is_refused_and_changes_nothing(lab) -> None:
    async def story() -> None:
        await lab("CreateLogGroup", logGroupName="g")
        for pattern, more, message in (
            ("foo.bar", {}, "Invalid metric filter pattern"),
            ("ERROR", {"dimensions": {"H": "$.h"}}, "The specified filter pattern does not support dimensions"),
            (
                "{ $.a = 1 }",
                {"dimensions": {"H": "$.h"}, "defaultValue": 0.0},
                "Invalid metric transformation: dimensions and default value are mutually exclusive properties.",
            ),
            ("ERROR", {"metricValue": "$.latency"}, "has no field '$.latency'"),
            ("ERROR", {"metricValue": "many"}, "neither a number nor a field"),
            ("ERROR", {"metricName": "a:b"}, "at 'metricTransformations.1.member.metricName' failed to satisfy"),
            ("ERROR", {"metricNamespace": "AWS/ECS"}, "AWS/"),
            ("ERROR", {"unit": "Pounds"}, "Value 'Pounds' at 'metricTransformations.1.member.unit' failed to satisfy"),
        ):
            refused = await lab.refused(
                "PutMetricFilter", logGroupName="g", filterName="f", filterPattern=pattern,
                metricTransformations=transformation(**more),
            )  # fmt: skip
            assert refused[0] == "InvalidParameterException"
            assert message in refused[1]
        with pytest.raises(NotImplementedByDrydock, match="applyOnTransformedLogs"):
            await lab(
                "PutMetricFilter", logGroupName="g", filterName="f", filterPattern="x",
                metricTransformations=transformation(), applyOnTransformedLogs=True,
            )  # fmt: skip
        assert await names(lab) == []

    lab.play(story)


def test_quotas_hold(lab) -> None:
    async def story() -> None:
        await lab("CreateLogGroup", logGroupName="g")
        for n in range(5):
            await put(lab, f"regex{n}", f"%a{n}%")
        limit = ("LimitExceededException", "Resource limit exceeded.")
        params = {"logGroupName": "g", "filterName": "one-more", "metricTransformations": transformation()}
        assert await lab.refused("PutMetricFilter", filterPattern="%b%", **params) == limit
        for n in range(95):
            await put(lab, f"plain{n}")
        assert await lab.refused("PutMetricFilter", filterPattern="b", **params) == limit
        await put(lab, "plain7", "again")
        assert (await lab("DescribeLogGroups"))["logGroups"][0]["metricFilterCount"] == 100

    lab.play(story)


def test_a_filter_can_be_tried_out(lab) -> None:
    async def story() -> None:
        apache = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 200 1534'
        found = await lab(
            "TestMetricFilter",
            filterPattern="[ip, identity, user_id, timestamp, request, status_code, size]",
            logEventMessages=["two words", apache],
        )
        assert found["matches"] == [
            {
                "eventNumber": 2,
                "eventMessage": apache,
                "extractedValues": {
                    "$ip": "127.0.0.1",
                    "$identity": "-",
                    "$user_id": "frank",
                    "$timestamp": "10/Oct/2000:13:25:15 -0700",
                    "$request": "GET /apache_pb.gif HTTP/1.0",
                    "$status_code": "200",
                    "$size": "1534",
                },
            }
        ]
        found = await lab("TestMetricFilter", filterPattern="ERROR", logEventMessages=["ERROR 1", "INFO"])
        assert found["matches"] == [{"eventNumber": 1, "eventMessage": "ERROR 1", "extractedValues": {}}]

    lab.play(story)
