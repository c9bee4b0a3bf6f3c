"""What CloudWatch Logs accepts and refuses, without the service."""

from __future__ import annotations

from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.logs import rules
from drydock.services.logs.rules import DAY, HOUR, Position
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_750_000_000_000


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(AwsError) as caught:
        call(*args)
    assert caught.value.code == "InvalidParameterException"
    return caught.value.message


def batch(*offsets: int, message: str = "m") -> list[dict[str, Any]]:
    return [{"timestamp": NOW + offset, "message": message} for offset in offsets]


def test_a_name_outside_its_pattern_is_refused_in_awss_words() -> None:
    assert refusal(rules.check, {"logGroupName": "image:tag"}) == (
        "1 validation error detected: Value 'image:tag' at 'logGroupName' failed to satisfy constraint: Member must "
        r"satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
    )
    assert refusal(rules.check, {"logStreamName": "a:b"}) == (
        "1 validation error detected: Value 'a:b' at 'logStreamName' failed to satisfy constraint: Member must satisfy "
        "regular expression pattern: [^:*]*"
    )


def test_several_violations_are_counted_and_joined() -> None:
    message = refusal(rules.check, {"logGroupName": "é" * 513, "limit": 51})
    assert message.startswith("3 validation errors detected: Value 'éé")
    assert (
        "; Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"
        in message
    )


def test_an_empty_token_is_too_short() -> None:
    assert refusal(rules.check, {"nextToken": ""}) == (
        "1 validation error detected: Value '' at 'nextToken' failed to satisfy constraint: Member must have length "
        "greater than or equal to 1"
    )


@pytest.mark.parametrize("days", [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 3653])
def test_retention_values_of_aws_pass(days: int) -> None:
    rules.check({"retentionInDays": days})


@pytest.mark.parametrize("days", [-1, 0, 2, 10, 366, 10_000])
def test_other_retention_values_are_refused(days: int) -> None:
    assert (
        f"Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3"
        in (refusal(rules.check, {"retentionInDays": days}))
    )


def test_a_batch_in_order_is_taken_whole() -> None:
    judgement = rules.judge(batch(-5, 0, 0, 7), NOW, None)
    assert [event.timestamp - NOW for event in judgement.accepted] == [-5, 0, 0, 7]
    assert judgement.rejected == {}


def test_a_batch_out_of_order_is_refused() -> None:
    assert refusal(rules.judge, batch(1, 0), NOW, None) == (
        "Log events in a single PutLogEvents request must be in chronological order."
    )


def test_a_batch_may_span_24_hours_and_no_more() -> None:
    assert len(rules.judge(batch(-DAY, 0), NOW, None).accepted) == 2
    assert refusal(rules.judge, batch(-DAY - 1, 0), NOW, None) == (
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
    )


def test_the_span_is_that_of_valid_events() -> None:
    judgement = rules.judge(batch(-20 * DAY, -5, 0, 3 * HOUR), NOW, None)
    assert len(judgement.accepted) == 2
    assert judgement.rejected == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 3}


def test_the_limits_of_time_are_14_days_back_and_2_hours_ahead() -> None:
    assert rules.judge(batch(-14 * DAY), NOW, None).rejected == {}
    assert rules.judge(batch(-14 * DAY - 1), NOW, None).rejected == {"tooOldLogEventEndIndex": 1}
    assert rules.judge(batch(2 * HOUR), NOW, None).rejected == {}
    assert rules.judge(batch(2 * HOUR + 1), NOW, None) == ([], {"tooNewLogEventStartIndex": 0})


def test_what_is_older_than_the_retention_has_expired() -> None:
    judgement = rules.judge(batch(-15 * DAY, -5 * DAY, -4 * DAY, -HOUR), NOW, 3)
    assert judgement.rejected == {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 3}
    assert len(judgement.accepted) == 1
    assert rules.judge(batch(-15 * DAY, 0), NOW, 365).rejected == {"tooOldLogEventEndIndex": 1}


def test_sizes_are_utf8_bytes_and_26_more_for_each_event() -> None:
    (event,) = rules.judge(batch(0, message="é€"), NOW, None).accepted
    assert event.size == 2 + 3 + 26
    fitting = "x" * (524_288 - 26)
    assert len(rules.judge(batch(0, 0, message=fitting), NOW, None).accepted) == 2
    assert refusal(rules.judge, batch(0, 0, message=fitting + "x"), NOW, None) == (
        "Upload too large: 1048578 bytes exceeds limit of 1048576"
    )
    assert refusal(rules.judge, batch(0, message="x" * 1_048_551), NOW, None) == (
        "Log event too large: 1048577 bytes exceeds limit of 1048576"
    )


def test_an_empty_message_is_refused_by_its_place() -> None:
    events = [*batch(0), {"timestamp": NOW, "message": ""}]
    assert refusal(rules.judge, events, NOW, None) == (
        "1 validation error detected: Value '' at 'logEvents.2.member.message' failed to satisfy constraint: Member must "
        "have length greater than or equal to 1"
    )


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    (event,) = rules.judge(batch(0, message="a\ud800b"), NOW, None).accepted
    assert event.message == "a?b"


@given(
    st.lists(st.integers(-20 * DAY, DAY), min_size=1, max_size=20).map(sorted),
    st.sampled_from([None, 1, 5, 14, 30]),
)
def test_accepted_and_rejected_make_up_the_batch(offsets: list[int], days: int | None) -> None:
    try:
        judgement = rules.judge(batch(*offsets), NOW, days)
    except AwsError as error:
        assert "24 hours" in error.message
        return
    first = max(judgement.rejected.get(k, 0) for k in ("tooOldLogEventEndIndex", "expiredLogEventEndIndex"))
    end = judgement.rejected.get("tooNewLogEventStartIndex", len(offsets))
    assert [e.timestamp - NOW for e in judgement.accepted] == offsets[first:end]
    oldest = min(14, days or 14) * DAY
    assert all(-oldest <= e.timestamp - NOW <= 2 * HOUR for e in judgement.accepted)


@given(st.integers(0, 1 << 61), st.integers(0, (1 << 63) - 1), st.integers(0, 1 << 61))
def test_event_ids_are_56_digits_and_can_be_read_back(timestamp: int, stream: int, number: int) -> None:
    timestamp %= 1 << 42  # the years 1970 to 2109
    identifier = rules.event_id(timestamp, stream, number)
    assert len(identifier) == 56
    assert rules.place_of_event(identifier) == (stream, Position(timestamp, number))


@given(st.sampled_from("fb"), st.integers(0, 1 << 42), st.integers(0, 1 << 61), st.booleans())
def test_stream_tokens_can_be_read_back(direction: str, timestamp: int, number: int, after: bool) -> None:
    token = rules.stream_token(direction, Position(timestamp, number), after)
    assert token[:2] == f"{direction}/"
    assert rules.parse_stream_token(token) == (direction, Position(timestamp, number), after)
    assert rules.parse_stream_token(token.removesuffix("/s")) == (direction, Position(timestamp, number), after)


@given(st.text())
def test_any_other_token_is_invalid(token: str) -> None:
    assert refusal(rules.parse_stream_token, token) == "The specified nextToken is invalid."
    assert refusal(rules.opened, "groups", token, str) == "The specified nextToken is invalid."


def test_a_token_of_another_operation_is_invalid() -> None:
    assert rules.opened("groups", rules.sealed("groups", "web"), str) == ["web"]
    assert refusal(rules.opened, "streams", rules.sealed("groups", "web"), str) == "The specified nextToken is invalid."
    assert refusal(rules.opened, "groups", rules.sealed("groups", 1), str) == "The specified nextToken is invalid."


def test_a_group_is_named_by_its_name_or_either_arn() -> None:
    arn = "arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/web"
    for identifier in ("/ecs/web", arn, arn + ":*"):
        assert rules.group_name_of(identifier, "111122223333", "eu-west-1") == "/ecs/web"
    with pytest.raises(AwsError, match="The specified log group does not exist"):
        rules.group_name_of(arn, "444455556666", "eu-west-1")


def test_tagging_takes_the_arn_without_the_asterisk() -> None:
    arn = "arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/web"
    assert rules.tagged_group_name(arn, "111122223333", "eu-west-1") == "/ecs/web"
    assert "Invalid resourceArn" in refusal(rules.tagged_group_name, arn + ":*", "111122223333", "eu-west-1")


def test_tags_are_limited_to_fifty_and_keep_off_aws() -> None:
    fifty = {f"k{n}": "v" for n in range(50)}
    assert len(rules.with_tags({}, fifty)) == 50
    assert rules.with_tags(fifty, {"k1": "new"})["k1"] == "new"
    with pytest.raises(AwsError) as caught:
        rules.with_tags(fifty, {"one": "more"})
    assert caught.value.code == "TooManyTagsException"
    assert "aws:" in refusal(rules.with_tags, {}, {"aws:x": "y"})
    assert "at 'tags'" in refusal(rules.with_tags, {}, {"k": "no!"})
