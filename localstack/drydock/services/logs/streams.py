"""Operations on log streams, and the writing and reading of their events."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.logs import rules
from drydock.services.logs.events import Batch
from drydock.services.logs.measuring import measured
from drydock.services.logs.model import LogStream, sequence_token
from drydock.services.logs.registry import LogsRegistry
from drydock.services.logs.rules import NewEvent, Position
from drydock.services.logs.windows import Event, Window
from drydock.store import Scope

LARGE_BATCH = 500
"""From how many events on PutLogEvents judges a batch in a thread: 10,000 would keep the loop for some 20 ms"""


class StreamOperations(LogsRegistry):
    """Mixed into :class:`~drydock.services.logs.api.Logs`."""

    def create_log_stream(self, request: Request, params: dict[str, Any]) -> None:
        rules.check(params)
        group = self.group(request, params["logGroupName"])
        name = params["logStreamName"]
        if self.streams.get(request.scope, group.name, name) is not None:
            raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
        key = self.new_key(request.scope, "log-stream", group.name)
        self.streams.put(request.scope, LogStream(group.name, name, key, self.now(request.account)))

    def delete_log_stream(self, request: Request, params: dict[str, Any]) -> None:
        rules.check(params)
        group = self.group(request, params["logGroupName"])
        stream = self.stream(request, group, params["logStreamName"])
        self.streams.delete(request.scope, stream)
        self.events.discard("stream", stream.key)
        self.purge()

    def describe_log_streams(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        rules.check(params)
        prefix, by_time = params.get("logStreamNamePrefix"), params.get("orderBy") == "LastEventTime"
        if by_time and prefix is not None:
            raise rules.invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        group = self.identified_group(request, params)

        def place(stream: LogStream) -> tuple[int, str]:
            facts = self.events.facts(stream.key)
            return (facts.last if facts and by_time else 0), stream.name

        streams = [s for n, s in self.streams.of(request.scope, group.name).items() if n.startswith(prefix or "")]
        down = params.get("descending", False)
        if (token := params.get("nextToken")) is not None:
            last = tuple(rules.opened(f"streams {by_time} {down}", token, int, str))
            streams = [s for s in streams if (place(s) < last if down else place(s) > last)]
        streams.sort(key=place, reverse=down)
        limit = params.get("limit", 50)
        page = streams[:limit]
        answer: dict[str, Any] = {"logStreams": [s.described(request.scope, self.events.facts(s.key)) for s in page]}
        if len(streams) > limit:
            answer["nextToken"] = rules.sealed(f"streams {by_time} {down}", *place(page[-1]))
        return answer

    # --- events ---

    async def put_log_events(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        rules.check(params)
        group = self.group(request, params["logGroupName"])
        stream = self.stream(request, group, params["logStreamName"])
        now = self.now(request.account)
        events, days = params["logEvents"], group.kept_days
        if len(events) > LARGE_BATCH:
            judgement = await self.events.aside(lambda: rules.judge(events, now, days))
            if self.streams.get(request.scope, group.name, stream.name) is not stream:  # deleted meanwhile
                raise rules.no_stream()
        else:
            judgement = rules.judge(events, now, days)
        if judgement.accepted:
            await self.events.append(Batch(group.key, stream.key, now, judgement.accepted))
            await self._measure(request.scope, group.name, judgement.accepted, now)
        answer: dict[str, Any] = {"nextSequenceToken": sequence_token(stream.key, now)}
        if judgement.rejected:
            answer["rejectedLogEventsInfo"] = judgement.rejected
        if params.get("entity"):  # AWS takes the events and says so where it does not take the entity, and so do we
            answer["rejectedEntityInfo"] = {"errorType": "UnsupportedLogGroupType"}
        return answer

    async def _measure(self, scope: Scope, group: str, events: list[NewEvent], now: int) -> None:
        found = self.filters_of(scope, group)
        if found and len(events) > LARGE_BATCH:
            made = await self.events.aside(lambda: measured(found, events))
        else:
            made = measured(found, events)
        self.measuring.taken(scope, group, found, events, made, now / 1000)

    async def get_log_events(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        rules.check(params, limit=rules.PAGE_EVENTS)
        group = self.identified_group(request, params)
        stream = self.stream(request, group, params["logStreamName"])
        begin = max(params.get("startTime", 0), self.oldest(request, group))
        after = Position(min(begin, rules.LAST_MOMENT) - 1, rules.LAST_MOMENT)
        before = Position(min(params.get("endTime", rules.LAST_MOMENT), rules.LAST_MOMENT), 0)
        token = params.get("nextToken")
        if token is None:
            forward, gap = params.get("startFromHead", False), None
        else:
            direction, place, behind = rules.parse_stream_token(token)
            forward, gap = direction == "f", (place, behind)
            if forward:
                after = max(after, Position(place.timestamp, place.number - (not behind)))
            else:
                before = min(before, Position(place.timestamp, place.number + behind))
        window = Window("stream", stream.key, after, before)
        found = (
            await self.events.slice(window, forward, params.get("limit", rules.PAGE_EVENTS), rules.PAGE_BYTES)
        ).events
        if found:
            ends = (found[-1].position, True), (found[0].position, False)
        elif gap is not None:
            ends = gap, gap
        else:
            ends = (Position(max(begin, 0), 0), False), (Position(max(begin, 0), 0), False)
        tokens = [rules.stream_token(letter, *end) for letter, end in zip("fb", ends, strict=True)]
        if token is not None and not found:  # "it returns the same token you passed in"
            tokens[0 if forward else 1] = token
        return {
            "events": [_shown(event) for event in found],
            "nextForwardToken": tokens[0],
            "nextBackwardToken": tokens[1],
        }


def _shown(event: Event) -> dict[str, Any]:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingested}
