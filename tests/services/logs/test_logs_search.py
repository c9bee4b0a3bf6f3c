"""FilterLogEvents and GetLogRecord."""

from __future__ import annotations

import json

from drydock.services.logs import windows

BAD_PATTERN = ("InvalidParameterException", "Invalid filter pattern")


def test_events_of_several_streams_are_interleaved(lab) -> None:
    async def story() -> None:
        for stream in ("a", "b"):
            await lab.stream(stream=stream)
        await lab.put((0, "1"), (20_000, "3"), stream="a")
        await lab.put((10_000, "2"), (30_000, "4"), stream="b")
        found = await lab("FilterLogEvents", logGroupName="g", interleaved=True)
        assert [(e["logStreamName"], e["message"]) for e in found["events"]] == [
            ("a", "1"),
            ("b", "2"),
            ("a", "3"),
            ("b", "4"),
        ]
        assert found["searchedLogStreams"] == []
        assert "nextToken" not in found
        identifiers = [e["eventId"] for e in found["events"]]
        assert identifiers == sorted(set(identifiers))
        assert {len(each) for each in identifiers} == {56}
        assert await lab.texts(startFromHead=False) == ["4", "3", "2", "1"]

    lab.play(story)


def test_streams_are_chosen_by_name_or_prefix(lab) -> None:
    async def story() -> None:
        for stream in ("web/1", "web/2", "db/1"):
            await lab.stream(stream=stream)
            await lab.put(stream, stream=stream)
        assert await lab.texts(logStreamNames=["web/1", "db/1"]) == ["web/1", "db/1"]
        assert await lab.texts(logStreamNames=["db/1"]) == ["db/1"]
        assert await lab.texts(logStreamNamePrefix="web/") == ["web/1", "web/2"]
        assert await lab.texts(logStreamNamePrefix="nobody") == []
        code, message = await lab.refused("FilterLogEvents", logGroupName="g", logStreamNames=["nobody"])
        assert (code, message) == ("ResourceNotFoundException", "The specified log stream does not exist.")
        both = await lab.refused("FilterLogEvents", logGroupName="g", logStreamNames=["web/1"], logStreamNamePrefix="w")
        assert both[0] == "InvalidParameterException"

    lab.play(story)


def test_times_are_inclusive_at_both_ends(lab) -> None:
    async def story() -> None:
        await lab.stream()
        now = lab.now
        events = [{"timestamp": now + n, "message": f"m{n}"} for n in range(5)]
        await lab("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=events)
        assert await lab.texts(startTime=now + 1, endTime=now + 3) == ["m1", "m2", "m3"]
        assert await lab.texts(startTime=now + 5) == []
        assert (await lab.refused("FilterLogEvents", logGroupName="g", startFromHead=False, startTime=1))[0] == (
            "InvalidParameterException"
        )

    lab.play(story)


def test_patterns_choose_and_bad_ones_are_refused(lab) -> None:
    async def story() -> None:
        await lab.stream()
        lines = ['{"level": "ERROR", "ms": 700}', '{"level": "INFO", "ms": 3}', "ERROR plain text", "10.0.0.1 GET 404"]
        await lab.put(*lines)
        assert await lab.texts(filterPattern="ERROR") == [lines[0], lines[2]]
        assert await lab.texts(filterPattern="{ $.ms > 500 }") == [lines[0]]
        assert await lab.texts(filterPattern="[ip, verb, status = 4*]") == [lines[3]]
        assert await lab.texts(filterPattern="%\\d{3}%") == [lines[0], lines[3]]
        assert await lab.texts(filterPattern="") == lines
        assert await lab.refused("FilterLogEvents", logGroupName="g", filterPattern="foo.bar") == BAD_PATTERN
        assert await lab.refused("TestMetricFilter", filterPattern="{ $.a", logEventMessages=["m"]) == BAD_PATTERN

    lab.play(story)


def test_pages_end_where_there_is_no_more(lab) -> None:
    async def story() -> None:
        await lab.stream()
        await lab.put(*[(0, f"m{n}") for n in range(10)])
        for forward in (True, False):
            found: list[str] = []
            page = await lab("FilterLogEvents", logGroupName="g", limit=5, startFromHead=forward)
            found += [e["message"] for e in page["events"]]
            page = await lab("FilterLogEvents", logGroupName="g", limit=5, nextToken=page["nextToken"])
            found += [e["message"] for e in page["events"]]
            assert "nextToken" not in page
            assert found == [f"m{n}" for n in (range(10) if forward else reversed(range(10)))]
        code, message = await lab.refused("FilterLogEvents", logGroupName="g", nextToken="x")
        assert (code, message) == ("InvalidParameterException", "The specified nextToken is invalid.")

    lab.play(story)


def test_a_page_looks_at_so_many_events_and_then_has_a_token_without_events(lab, monkeypatch) -> None:
    monkeypatch.setattr(windows, "SCAN_ROWS", 100)
    monkeypatch.setattr(windows, "SLICE_ROWS", 50)

    async def story() -> None:
        await lab.stream()
        await lab.put(*[(0, "hay")] * 250, (1, "needle"), *[(2, "hay")] * 9)
        pages, token = [], {}
        while True:
            page = await lab("FilterLogEvents", logGroupName="g", filterPattern="needle", **token)
            pages.append([e["message"] for e in page["events"]])
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        assert pages == [[], [], ["needle"]]

    lab.play(story)


def test_a_page_holds_a_megabyte(lab) -> None:
    async def story() -> None:
        await lab.stream()
        for n in range(3):
            await lab.put((n, f"{n}" * 500_000))
        page = await lab("FilterLogEvents", logGroupName="g")
        assert [e["message"][0] for e in page["events"]] == ["0", "1"]
        page = await lab("FilterLogEvents", logGroupName="g", nextToken=page["nextToken"])
        assert [e["message"][0] for e in page["events"]] == ["2"]

    lab.play(story)


def test_a_record_is_found_by_its_event_id(lab) -> None:
    async def story() -> None:
        await lab.stream()
        text = json.dumps({"user": {"id": 1}, "tags": ["x"], "ok": True})
        await lab.put(text)
        (event,) = (await lab("FilterLogEvents", logGroupName="g"))["events"]
        record = (await lab("GetLogRecord", logRecordPointer=event["eventId"]))["logRecord"]
        assert record["@message"] == text
        assert record["@timestamp"] == str(event["timestamp"])
        assert (record["user.id"], record["tags.0"], record["ok"]) == ("1", "x", "true")
        assert record["@log"] == "111122223333:g"
        for pointer in ("nonsense", "0" * 56):
            assert (await lab.refused("GetLogRecord", logRecordPointer=pointer))[0] == "InvalidParameterException"
        other = await lab.refused("GetLogRecord", account="444455556666", logRecordPointer=event["eventId"])
        assert other[0] == "InvalidParameterException"

    lab.play(story)
