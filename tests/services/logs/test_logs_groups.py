"""Log groups: their making and end, listing, retention, protection, tags."""

from __future__ import annotations

import asyncio

import pytest
from drydock.errors import NotImplementedByDrydock

GONE = ("ResourceNotFoundException", "The specified log group does not exist.")


def test_a_group_is_made_described_and_deleted(lab) -> None:
    async def story() -> None:
        await lab("CreateLogGroup", logGroupName="/ecs/web", tags={"team": "a"})
        arn = "arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/web"
        (group,) = (await lab("DescribeLogGroups"))["logGroups"]
        assert group == {
            "logGroupName": "/ecs/web",
            "creationTime": group["creationTime"],
            "metricFilterCount": 0,
            "arn": arn + ":*",
            "logGroupArn": arn,
            "storedBytes": 0,
            "logGroupClass": "STANDARD",
            "deletionProtectionEnabled": False,
        }
        assert 0 <= lab.now - group["creationTime"] < 10_000
        assert await lab.refused("CreateLogGroup", logGroupName="/ecs/web") == (
            "ResourceAlreadyExistsException",
            "The specified log group already exists",
        )
        await lab("DeleteLogGroup", logGroupName="/ecs/web")
        assert await lab("DescribeLogGroups") == {"logGroups": []}
        assert await lab.refused("DeleteLogGroup", logGroupName="/ecs/web") == GONE

    lab.play(story)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("CreateLogStream", {"logStreamName": "s"}),
        ("DeleteLogStream", {"logStreamName": "s"}),
        ("DescribeLogStreams", {}),
        ("PutLogEvents", {"logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "m"}]}),
        ("GetLogEvents", {"logStreamName": "s"}),
        ("FilterLogEvents", {}),
        ("PutRetentionPolicy", {"retentionInDays": 1}),
        ("DeleteRetentionPolicy", {}),
        ("TagLogGroup", {"tags": {"a": "b"}}),
        ("UntagLogGroup", {"tags": ["a"]}),
        ("ListTagsLogGroup", {}),
        ("DescribeMetricFilters", {}),
        ("DeleteMetricFilter", {"filterName": "f"}),
    ],
)
def test_every_operation_misses_a_group_that_is_not_there(lab, operation: str, params: dict) -> None:
    async def story() -> None:
        assert await lab.refused(operation, logGroupName="nobody", **params) == GONE

    lab.play(story)


def test_names_are_checked_and_aws_is_reserved(lab) -> None:
    async def story() -> None:
        code, message = await lab.refused("CreateLogGroup", logGroupName="a:b")
        assert code == "InvalidParameterException"
        assert "Value 'a:b' at 'logGroupName' failed to satisfy constraint" in message
        code, message = await lab.refused("CreateLogGroup", logGroupName="aws/mine")
        assert (code, message) == ("InvalidParameterException", "Log groups starting with AWS/ are reserved for AWS.")
        assert (await lab("DescribeLogGroups"))["logGroups"] == []

    lab.play(story)


def test_a_key_is_not_silently_ignored(lab) -> None:
    async def story() -> None:
        with pytest.raises(NotImplementedByDrydock, match="kmsKeyId"):
            await lab("CreateLogGroup", logGroupName="g", kmsKeyId="arn:aws:kms:eu-west-1:111122223333:key/k")
        assert (await lab("DescribeLogGroups"))["logGroups"] == []

    lab.play(story)


@pytest.mark.parametrize("operation", ["StartQuery", "PutSubscriptionFilter", "StartLiveTail"])
def test_what_is_lacking_says_so_and_what_to_use(lab, operation: str) -> None:
    with pytest.raises(NotImplementedByDrydock, match=f"logs:{operation}.*FilterLogEvents"):
        lab.logs.operation(operation)


def test_groups_are_listed_by_prefix_pattern_identifier_and_page(lab) -> None:
    async def story() -> None:
        for name in ("b/two", "a/one", "b/one", "c"):
            await lab(
                "CreateLogGroup", logGroupName=name, logGroupClass="INFREQUENT_ACCESS" if name == "c" else "STANDARD"
            )

        async def names(**params) -> list[str]:
            return [group["logGroupName"] for group in (await lab("DescribeLogGroups", **params))["logGroups"]]

        assert await names() == ["a/one", "b/one", "b/two", "c"]
        assert await names(logGroupNamePrefix="b/") == ["b/one", "b/two"]
        assert await names(logGroupNamePattern="one") == ["a/one", "b/one"]
        assert await names(logGroupClass="ESSENTIALS") == ["c"]
        arn = "arn:aws:logs:eu-west-1:111122223333:log-group:b/two"
        assert await names(logGroupIdentifiers=["c", arn, "nobody"]) == ["b/two", "c"]
        briefly = (await lab("DescribeLogGroups", logGroupNamePattern="one"))["logGroups"][0]
        assert set(briefly) == {"arn", "creationTime", "logGroupName"}
        assert await lab.refused("DescribeLogGroups", logGroupNamePattern="x", logGroupNamePrefix="y") == (
            "InvalidParameterException",
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        )
        first = await lab("DescribeLogGroups", limit=3)
        assert [g["logGroupName"] for g in first["logGroups"]] == ["a/one", "b/one", "b/two"]
        second = await lab("DescribeLogGroups", limit=3, nextToken=first["nextToken"])
        assert [g["logGroupName"] for g in second["logGroups"]] == ["c"]
        assert "nextToken" not in second
        assert await lab.refused("DescribeLogGroups", nextToken="nonsense") == (
            "InvalidParameterException",
            "The specified nextToken is invalid.",
        )
        assert (await lab("DescribeLogGroups", account="444455556666"))["logGroups"] == []
        assert (await lab("DescribeLogGroups", region="us-east-1"))["logGroups"] == []

    lab.play(story)


def test_list_log_groups_takes_alternatives_and_anchors(lab) -> None:
    async def story() -> None:
        for name in ("/aws/lambda/f", "my/discovery", "other", "not/aws/lambda"):
            await lab("CreateLogGroup", logGroupName=name)
        found = await lab("ListLogGroups", logGroupNamePattern="^/aws/lambda|discovery")
        assert [g["logGroupName"] for g in found["logGroups"]] == ["/aws/lambda/f", "my/discovery"]
        assert found["logGroups"][0]["logGroupArn"].endswith(":log-group:/aws/lambda/f")
        assert (await lab.refused("ListLogGroups", logGroupNamePattern="a*b"))[0] == "InvalidParameterException"
        first = await lab("ListLogGroups", limit=3)
        rest = await lab("ListLogGroups", limit=3, nextToken=first["nextToken"])
        assert len(first["logGroups"]) == 3
        assert [g["logGroupName"] for g in rest["logGroups"]] == ["other"]

    lab.play(story)


def test_retention_is_put_shown_and_deleted(lab) -> None:
    async def story() -> None:
        await lab("CreateLogGroup", logGroupName="g")
        code, message = await lab.refused("PutRetentionPolicy", logGroupName="g", retentionInDays=10)
        assert code == "InvalidParameterException"
        assert (
            "Value '10' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set"
            in message
        )
        await lab("PutRetentionPolicy", logGroupName="g", retentionInDays=7)
        assert (await lab("DescribeLogGroups"))["logGroups"][0]["retentionInDays"] == 7
        await lab("DeleteRetentionPolicy", logGroupName="g")
        assert "retentionInDays" not in (await lab("DescribeLogGroups"))["logGroups"][0]

    lab.play(story)


def test_expired_events_are_hidden_at_once_and_then_swept(lab) -> None:
    async def story() -> None:
        await lab.stream()
        await lab.put((-2 * 86_400_000, "old"))
        await lab.put("new")
        stored = (await lab("DescribeLogGroups"))["logGroups"][0]["storedBytes"]
        assert stored == 2 * (3 + 26)
        await lab("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
        assert await lab.texts() == ["new"]
        head = await lab("GetLogEvents", logGroupName="g", logStreamName="s", startFromHead=True)
        assert [e["message"] for e in head["events"]] == ["new"]
        assert await lab.logs.sweeper.sweep("111122223333") is True
        async with asyncio.timeout(10):  # the sweeper of the policy may be at it, too
            while (await lab("DescribeLogGroups"))["logGroups"][0]["storedBytes"] != 29:
                await asyncio.sleep(0.01)
        await lab("DeleteRetentionPolicy", logGroupName="g")
        assert await lab.texts() == ["new"]
        lab.platform.clock("111122223333").advance(400 * 86_400)
        assert await lab.texts() == ["new"]
        assert await lab.logs.sweeper.sweep("111122223333") is False

    lab.play(story)


def test_the_sweeper_works_by_itself_on_lab_time(lab) -> None:
    async def story() -> None:
        await lab.stream()
        await lab.put("short-lived")
        await lab("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
        clock = lab.platform.clock("111122223333")
        clock.set_speed(100_000)
        clock.advance(2 * 86_400)
        while lab.logs.events.stored(lab.logs.groups.all().__next__()[2].key):
            await clock.budget(3600)
        assert (await lab("DescribeLogGroups"))["logGroups"][0]["storedBytes"] == 0

    lab.play(story)


def test_a_protected_group_stays(lab) -> None:
    async def story() -> None:
        await lab("CreateLogGroup", logGroupName="g", deletionProtectionEnabled=True)
        code, message = await lab.refused("DeleteLogGroup", logGroupName="g")
        assert code == "ValidationException"
        assert "deletion protection" in message
        await lab("PutLogGroupDeletionProtection", logGroupIdentifier="g", deletionProtectionEnabled=False)
        await lab("DeleteLogGroup", logGroupName="g")
        assert (await lab("DescribeLogGroups"))["logGroups"] == []

    lab.play(story)


def test_both_ways_of_tagging_see_the_same_tags(lab) -> None:
    async def story() -> None:
        await lab("CreateLogGroup", logGroupName="g", tags={"env": "testing1"})
        arn = "arn:aws:logs:eu-west-1:111122223333:log-group:g"
        await lab("TagResource", resourceArn=arn, tags={"test1": "val1", "test2": "val2"})
        await lab("TagLogGroup", logGroupName="g", tags={"test3": "val3", "test1": "new"})
        expected = {"tags": {"env": "testing1", "test1": "new", "test2": "val2", "test3": "val3"}}
        assert await lab("ListTagsLogGroup", logGroupName="g") == expected
        assert await lab("ListTagsForResource", resourceArn=arn) == expected
        await lab("UntagResource", resourceArn=arn, tagKeys=["env", "nothing"])
        await lab("UntagLogGroup", logGroupName="g", tags=["test1", "test3"])
        assert await lab("ListTagsForResource", resourceArn=arn) == {"tags": {"test2": "val2"}}
        assert (await lab.refused("ListTagsForResource", resourceArn=arn + "x"))[0] == "ResourceNotFoundException"
        assert (await lab.refused("TagResource", resourceArn="arn:aws:s3:::b", tags={"a": "b"}))[0] == (
            "InvalidParameterException"
        )

    lab.play(story)
