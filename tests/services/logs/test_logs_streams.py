"""Log streams, and the writing and reading of their events."""

from __future__ import annotations

import asyncio

import pytest
from drydock.store import Scope
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

GONE = ("ResourceNotFoundException", "The specified log stream does not exist.")
DAY = 86_400_000


def read(lab, **params):
    return lab("GetLogEvents", logGroupName="g", logStreamName="s", **params)


def messages(page) -> list[str]:
    return [event["message"] for event in page["events"]]


def test_a_stream_is_made_described_and_deleted(lab) -> None:
    async def story() -> None:
        await lab.stream(stream="web/app/0123")
        assert await lab.refused("CreateLogStream", logGroupName="g", logStreamName="web/app/0123") == (
            "ResourceAlreadyExistsException",
            "The specified log stream already exists",
        )
        (stream,) = (await lab("DescribeLogStreams", logGroupName="g"))["logStreams"]
        assert stream == {
            "logStreamName": "web/app/0123",
            "creationTime": stream["creationTime"],
            "arn": "arn:aws:logs:eu-west-1:111122223333:log-group:g:log-stream:web/app/0123",
            "storedBytes": 0,
        }
        await lab("DeleteLogStream", logGroupName="g", logStreamName="web/app/0123")
        assert (await lab("DescribeLogStreams", logGroupName="g"))["logStreams"] == []
        assert await lab.refused("DeleteLogStream", logGroupName="g", logStreamName="web/app/0123") == GONE
        assert await lab.refused("GetLogEvents", logGroupName="g", logStreamName="web/app/0123") == GONE
        code, message = await lab.refused("CreateLogStream", logGroupName="g", logStreamName="a*")
        assert code == "InvalidParameterException"
        assert "pattern: [^:*]*" in message

    lab.play(story)


def test_a_stream_knows_its_first_and_last_event(lab) -> None:
    async def story() -> None:
        await lab.stream()
        now = lab.now
        await lab("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=[
            {"timestamp": now - 5000, "message": "a"}, {"timestamp": now - 100, "message": "b"},
        ])  # fmt: skip
        await lab(
            "PutLogEvents", logGroupName="g", logStreamName="s", logEvents=[{"timestamp": now - 7000, "message": "c"}]
        )
        (stream,) = (await lab("DescribeLogStreams", logGroupName="g"))["logStreams"]
        assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (now - 7000, now - 100)
        assert 0 <= stream["lastIngestionTime"] - now < 10_000
        assert len(stream["uploadSequenceToken"]) == 56
        assert (await lab("DescribeLogGroups"))["logGroups"][0]["storedBytes"] == 3 * 27

    lab.play(story)


def test_streams_are_ordered_by_name_or_by_last_event(lab) -> None:
    async def story() -> None:
        for name, age in (("b1", 3000), ("a", 1000), ("c", None), ("b2", 2000)):
            await lab.stream(stream=name)
            if age is not None:
                await lab.put((-age, "m"), stream=name)

        async def names(**params) -> list[str]:
            found: list[str] = []
            token: dict[str, str] = {}
            while True:
                page = await lab("DescribeLogStreams", logGroupName="g", limit=2, **params, **token)
                found += [stream["logStreamName"] for stream in page["logStreams"]]
                if "nextToken" not in page:
                    return found
                token = {"nextToken": page["nextToken"]}

        assert await names() == ["a", "b1", "b2", "c"]
        assert await names(descending=True) == ["c", "b2", "b1", "a"]
        assert await names(logStreamNamePrefix="b") == ["b1", "b2"]
        assert await names(orderBy="LastEventTime") == ["c", "b1", "b2", "a"]
        assert await names(orderBy="LastEventTime", descending=True) == ["a", "b2", "b1", "c"]
        assert await lab.refused(
            "DescribeLogStreams", logGroupName="g", orderBy="LastEventTime", logStreamNamePrefix="b"
        ) == ("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")

    lab.play(story)


def test_a_group_is_named_by_name_or_identifier_but_not_both(lab) -> None:
    async def story() -> None:
        await lab.stream()
        await lab.put("m")
        for identifier in ("g", "arn:aws:logs:eu-west-1:111122223333:log-group:g"):
            assert len((await lab("DescribeLogStreams", logGroupIdentifier=identifier))["logStreams"]) == 1
            assert len((await lab("FilterLogEvents", logGroupIdentifier=identifier))["events"]) == 1
            assert len((await lab("GetLogEvents", logGroupIdentifier=identifier, logStreamName="s"))["events"]) == 1
        assert await lab.refused("DescribeLogStreams", logGroupName="g", logGroupIdentifier="g") == (
            "ValidationException",
            "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
        )
        assert (await lab.refused("DescribeLogStreams"))[0] == "InvalidParameterException"

    lab.play(story)


def test_rejected_events_are_told_and_the_others_kept(lab) -> None:
    async def story() -> None:
        await lab.stream()
        answer = await lab.put((-15 * DAY, "too old"), "good", (3 * 3_600_000, "too new"))
        assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
        assert messages(await read(lab)) == ["good"]
        assert "rejectedLogEventsInfo" not in await lab.put("fine")
        assert (await lab.put((-15 * DAY, "too old")))["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}

    lab.play(story)


def test_a_refused_batch_leaves_nothing(lab) -> None:
    async def story() -> None:
        await lab.stream()
        now = lab.now
        for events, what in (
            ([(now, "a"), (now - 1, "b")], "chronological order"),
            ([(now - 2 * DAY, "a"), (now, "b")], "span more than 24 hours"),
            ([(now, "x" * 1_048_560)], "Log event too large: 1048586 bytes exceeds limit of 1048576"),
            ([(now, "x" * 600_000)] * 2, "Upload too large: 1200052 bytes exceeds limit of 1048576"),
            ([(now, "a"), (now, "")], "logEvents.2.member.message"),
            ([(now, "a")] * 10_001, "at 'logEvents' failed to satisfy constraint: Member must have length less than"),
        ):
            batch = [{"timestamp": time, "message": text} for time, text in events]
            code, message = await lab.refused("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=batch)
            assert code == "InvalidParameterException"
            assert what in message
        assert (await read(lab))["events"] == []

    lab.play(story)


def test_sequence_tokens_are_ignored(lab) -> None:
    async def story() -> None:
        await lab.stream()
        event = [{"timestamp": lab.now, "message": "m"}]
        for token in ("wrong", "wrong"):
            answer = await lab(
                "PutLogEvents", logGroupName="g", logStreamName="s", logEvents=event, sequenceToken=token
            )
            assert len(answer["nextSequenceToken"]) == 56
        assert messages(await read(lab)) == ["m", "m"]

    lab.play(story)


def test_messages_come_back_as_they_were(lab) -> None:
    texts = ["nul\0inside", "ünï¢ödé 🚀", '"quotes" \\ and\nlines\t', "\u2028", "x" * 300_000, " "]

    async def story() -> None:
        await lab.stream()
        for each in texts:
            await lab.put(each)
        await lab.put(*texts)
        await lab.put(*texts[1:])
        found = messages(await read(lab, startFromHead=True))
        assert found == texts + texts + texts[1:]

    lab.play(story)


def test_events_are_in_order_of_time_then_of_arrival(lab) -> None:
    async def story() -> None:
        await lab.stream()
        now = lab.now
        for offset, text in ((5, "c"), (0, "a1"), (5, "d"), (0, "a2"), (2, "b")):
            event = {"timestamp": now + offset, "message": text}
            await lab("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=[event])
        assert messages(await read(lab, startFromHead=True)) == ["a1", "a2", "b", "c", "d"]
        assert messages(await read(lab)) == ["a1", "a2", "b", "c", "d"]
        assert messages(await read(lab, limit=2)) == ["c", "d"]
        assert messages(await read(lab, limit=2, startFromHead=True)) == ["a1", "a2"]
        assert messages(await read(lab, startTime=now + 2, endTime=now + 5)) == ["b"]

    lab.play(story)


def test_forward_and_backward_tokens_walk_the_stream(lab) -> None:
    async def story() -> None:
        await lab.stream()
        await lab.put(*[(n, f"m{n}") for n in range(10)])
        page = await read(lab, limit=4, startFromHead=True)
        assert page["nextForwardToken"].startswith("f/")
        assert page["nextBackwardToken"].startswith("b/")
        seen = [messages(page)]
        while True:
            following = await read(lab, limit=4, nextToken=page["nextForwardToken"], startFromHead=True)
            if following["nextForwardToken"] == page["nextForwardToken"]:
                break
            page = following
            seen.append(messages(page))
        assert seen == [["m0", "m1", "m2", "m3"], ["m4", "m5", "m6", "m7"], ["m8", "m9"]]
        assert following["events"] == []
        back = await read(lab, limit=4, nextToken=following["nextBackwardToken"])
        assert messages(back) == ["m6", "m7", "m8", "m9"]
        back = await read(lab, limit=4, nextToken=back["nextBackwardToken"])
        assert messages(back) == ["m2", "m3", "m4", "m5"]
        back = await read(lab, limit=4, nextToken=back["nextBackwardToken"])
        assert messages(back) == ["m0", "m1"]
        ended = await read(lab, limit=4, nextToken=back["nextBackwardToken"])
        assert (ended["events"], ended["nextBackwardToken"]) == ([], back["nextBackwardToken"])
        assert messages(await read(lab, limit=4, nextToken=ended["nextForwardToken"])) == ["m0", "m1", "m2", "m3"]

    lab.play(story)


def test_the_forward_token_follows_a_growing_stream_from_nothing(lab) -> None:
    async def story() -> None:
        await lab.stream()
        page = await read(lab)
        assert page["events"] == []
        seen: list[str] = []
        for n in range(3):
            await lab.put((n, f"m{n}"))
            page = await read(lab, nextToken=page["nextForwardToken"], startFromHead=True)
            seen += messages(page)
        assert seen == ["m0", "m1", "m2"]
        code, message = await lab.refused("GetLogEvents", logGroupName="g", logStreamName="s", nextToken="x/1")
        assert (code, message) == ("InvalidParameterException", "The specified nextToken is invalid.")

    lab.play(story)


def test_a_page_holds_a_megabyte(lab) -> None:
    async def story() -> None:
        await lab.stream()
        for n in range(3):
            await lab.put((n, f"{n}" * 500_000))
        page = await read(lab, startFromHead=True)
        assert [m[0] for m in messages(page)] == ["0", "1"]
        assert [m[0] for m in messages(await read(lab, nextToken=page["nextForwardToken"]))] == ["2"]
        assert [m[0] for m in messages(await read(lab))] == ["1", "2"]
        await lab.put((10, "3" * 1_048_550))
        assert [m[0] for m in messages(await read(lab))] == ["3"]

    lab.play(story)


def test_a_deleted_stream_takes_its_events_along(lab) -> None:
    async def story() -> None:
        await lab.stream()
        await lab.stream(stream="other")
        await lab.put(*[(0, "old")] * 5000)
        await lab.put((1, "kept"), stream="other")
        await lab("DeleteLogStream", logGroupName="g", logStreamName="s")
        assert await lab.texts(limit=1) == ["kept"]
        assert await lab.texts() == ["kept"]  # at once, whether or not they have left the disk
        await lab("CreateLogStream", logGroupName="g", logStreamName="s")
        assert (await read(lab))["events"] == []
        await lab.logs._purge
        assert lab.logs.events._db.execute("SELECT count(*) FROM events").fetchone() == (1,)
        assert (await lab("DescribeLogGroups"))["logGroups"][0]["storedBytes"] == 30

    lab.play(story)


def test_a_group_made_again_is_empty(lab) -> None:
    async def story() -> None:
        await lab.stream()
        await lab.put("old")
        await lab("DeleteLogGroup", logGroupName="g")
        await lab.stream()
        assert await lab.texts() == []
        assert (await lab("DescribeLogGroups"))["logGroups"][0]["storedBytes"] == 0
        await lab.put("new")
        await lab.logs._purge
        assert await lab.texts() == ["new"]

    lab.play(story)


@pytest.mark.parametrize("everybody", [True, False])
def test_a_reset_removes_an_accounts_events(lab, everybody: bool) -> None:
    async def story() -> None:
        await lab.stream()
        await lab.put("mine")
        for operation, more in (("CreateLogGroup", {}), ("CreateLogStream", {"logStreamName": "s"})):
            await lab(operation, account="444455556666", logGroupName="g", **more)
        event = [{"timestamp": lab.now, "message": "theirs"}]
        await lab("PutLogEvents", account="444455556666", logGroupName="g", logStreamName="s", logEvents=event)
        await lab.logs.reset(None if everybody else "111122223333")
        if not everybody:
            await lab.logs._purge
        assert (await lab("DescribeLogGroups"))["logGroups"] == []
        left = lab.logs.events._db.execute("SELECT message FROM events").fetchall()
        assert left == ([] if everybody else [("theirs",)])
        await lab.stream()
        assert await lab.texts() == []

    lab.play(story)


def test_everything_is_there_after_a_restart(lab) -> None:
    async def first() -> None:
        await lab.stream()
        await lab.put(*[(n, f"m{n}") for n in range(20)])
        await lab.stream(stream="dropped")
        await lab.put("gone", stream="dropped")
        # As if killed between the deletion of the stream and that of its events:
        scope = Scope("111122223333", "eu-west-1")
        dropped = lab.logs.streams.get(scope, "g", "dropped")
        lab.logs.streams.delete(scope, dropped)
        lab.logs.events._facts.popitem()

    async def second() -> None:
        await lab.logs._purge
        assert messages(await read(lab)) == [f"m{n}" for n in range(20)]
        assert lab.logs.events._db.execute("SELECT count(*) FROM events").fetchone() == (20,)
        assert (await lab("DescribeLogGroups"))["logGroups"][0]["storedBytes"] == sum(
            26 + len(f"m{n}") for n in range(20)
        )

    lab.logs.stream_of = lambda name: next(
        s for s in lab.logs.streams._collection.of(("111122223333", "eu-west-1")) if s.name == name
    )
    lab.play(first)
    lab.open()
    lab.play(second)


def test_an_entity_is_not_silently_dropped(lab) -> None:
    async def story() -> None:
        await lab.stream()
        answer = await lab(
            "PutLogEvents", logGroupName="g", logStreamName="s", logEvents=[{"timestamp": lab.now, "message": "m"}],
            entity={"keyAttributes": {"Type": "Service", "Name": "web"}},
        )  # fmt: skip
        assert answer["rejectedEntityInfo"] == {"errorType": "UnsupportedLogGroupType"}
        assert messages(await read(lab)) == ["m"]

    lab.play(story)


@pytest.mark.parametrize("how", ["stream", "group", "account", "everybody"])
def test_what_is_being_written_to_something_deleted_leaves_nothing_behind(lab, how: str) -> None:
    async def story() -> None:
        await lab.stream()
        puts = [asyncio.create_task(lab.put("m")) for _ in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if how == "stream":
            await lab("DeleteLogStream", logGroupName="g", logStreamName="s")
        elif how == "group":
            await lab("DeleteLogGroup", logGroupName="g")
        else:
            await lab.logs.reset("111122223333" if how == "account" else None)
        await asyncio.gather(*puts, return_exceptions=True)
        if lab.logs._purge is not None:
            await lab.logs._purge
        assert list(lab.logs.events.streams()) == []
        assert lab.logs.events._db.execute("SELECT count(*) FROM events").fetchone() == (0,)
        assert lab.logs.events._db.execute("SELECT count(*) FROM streams").fetchone() == (0,)

    lab.play(story)


def test_parallel_puts_are_all_kept_and_a_cancelled_one_harms_nobody(lab) -> None:
    async def story() -> None:
        await lab.stream()
        tasks = [asyncio.create_task(lab.put(f"m{n}")) for n in range(200)]
        await asyncio.sleep(0)
        tasks[7].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(r, asyncio.CancelledError) for r in results) == 1
        found = set(messages(await read(lab)))
        assert found | {"m7"} == {f"m{n}" for n in range(200)}

    lab.play(story)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), max_size=6),
    limit=st.integers(1, 7),
    window=st.tuples(st.integers(0, 9), st.integers(0, 10)),
)
def test_walking_in_either_direction_sees_every_event_once(new_lab, batches, limit, window) -> None:
    lab = new_lab()

    async def story() -> None:
        await lab.stream()
        now = lab.now
        expected = []
        for which, offsets in enumerate(batches):
            events = [{"timestamp": now + n, "message": f"{n}-{which}"} for n in sorted(offsets)]
            await lab("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=events)
            expected += [(e["timestamp"], which, e["message"]) for e in events]
        begin, end = now + window[0], now + window[1]
        expected = [m for t, _, m in sorted(expected, key=lambda e: e[:2]) if begin <= t < end]
        for forward in (True, False):
            key = "nextForwardToken" if forward else "nextBackwardToken"
            page = await read(lab, limit=limit, startTime=begin, endTime=end, startFromHead=forward)
            seen = [messages(page)]
            while True:
                token = page[key]
                page = await read(
                    lab, limit=limit, startTime=begin, endTime=end, nextToken=token, startFromHead=forward
                )
                if page[key] == token:
                    break
                seen.append(messages(page))
            assert [m for part in (seen if forward else reversed(seen)) for m in part] == expected

    lab.play(story)
