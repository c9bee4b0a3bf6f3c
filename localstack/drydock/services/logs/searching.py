"""Operations that search the events of a whole group."""

from __future__ import annotations

import json
from typing import Any

from drydock.request import Request
from drydock.services.logs import rules
from drydock.services.logs.model import LogGroup
from drydock.services.logs.patterns import Pattern, compiled
from drydock.services.logs.regexes import InvalidPattern
from drydock.services.logs.registry import LogsRegistry
from drydock.services.logs.rules import Position
from drydock.services.logs.windows import Event, Window


def pattern_of(text: str, complaint: str = "Invalid filter pattern") -> Pattern:
    """The compiled pattern. Raises InvalidParameterException."""
    try:
        return compiled(text)
    except InvalidPattern:
        raise rules.invalid(complaint) from None


class SearchOperations(LogsRegistry):
    """Mixed into :class:`~drydock.services.logs.api.Logs`."""

    async def filter_log_events(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """A page may be empty and yet have a ``nextToken``: a page looks at so many events and no more, as on AWS."""
        rules.check(params, limit=rules.PAGE_EVENTS)
        names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
        if names is not None and prefix is not None:
            raise rules.invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.")
        pattern = pattern_of(params["filterPattern"]) if params.get("filterPattern", "").strip() else None
        group = self.identified_group(request, params)
        streams = self._wanted(request, group, names, prefix)
        forward, window = self._window(request, group, params)
        if len(streams) == 1 and (names or prefix):
            (key,) = streams
            window = Window("stream", key, window.after, window.before)
        everything = not (names or prefix) and not self.events.discarding
        found = await self.events.scan(
            window,
            forward,
            params.get("limit", rules.PAGE_EVENTS),
            rules.PAGE_BYTES,
            pattern.matches if pattern else None,
            pattern.needle if pattern else "",
            None if everything or window.of == "stream" else set(streams),
        )
        # A stream that was made while we searched has events that we know no name for: look again.
        if any(event.stream not in streams for event in found.events):
            streams = self._wanted(request, group, names, prefix)
        shown = await self.events.aside(
            lambda: [_shown(event, streams[event.stream]) for event in found.events if event.stream in streams]
        )
        answer: dict[str, Any] = {"events": shown, "searchedLogStreams": []}
        if found.end is not None:
            answer["nextToken"] = rules.sealed("filter", forward, *found.end)
        return answer

    def _wanted(self, request: Request, group: LogGroup, names: list[str] | None, prefix: str | None) -> dict[int, str]:
        """The names of the streams to be searched, by key. Raises ResourceNotFoundException."""
        if names is not None:
            for name in names:
                rules.check({"logStreamName": name})
            return {self.stream(request, group, name).key: name for name in names}
        streams = self.streams.of(request.scope, group.name)
        return {stream.key: name for name, stream in streams.items() if name.startswith(prefix or "")}

    def _window(self, request: Request, group: LogGroup, params: dict[str, Any]) -> tuple[bool, Window]:
        """Direction and window: times inclusive, what retention hides left out, from where the last page ended."""
        forward = params.get("startFromHead", True)
        begin, end = params.get("startTime"), min(params.get("endTime", rules.LAST_MOMENT), rules.LAST_MOMENT)
        if not forward and begin is not None and begin < rules.DESCRIBE_FROM_TAIL_SINCE:
            raise rules.invalid("startFromHead can be false only if startTime is on or after Jan 1, 2024 00:00:00 UTC.")
        begin = min(max(begin or 0, self.oldest(request, group)), rules.LAST_MOMENT)
        window = Window("grp", group.key, Position(begin - 1, rules.LAST_MOMENT), Position(end, rules.LAST_MOMENT))
        if (token := params.get("nextToken")) is not None:
            forward, timestamp, number = rules.opened("filter", token, bool, int, int)
            if not (0 <= timestamp <= rules.LAST_MOMENT and 0 <= number <= rules.LAST_MOMENT):
                raise rules.invalid("The specified nextToken is invalid.")
            place = Position(timestamp, number)
            after = max(window.after, place) if forward else window.after
            before = window.before if forward else min(window.before, place)
            window = Window("grp", group.key, after, before)
        return forward, window

    async def get_log_record(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """``logRecordPointer`` is an ``eventId`` of FilterLogEvents; there is no Logs Insights to give others."""
        event = await self.events.event(*rules.place_of_event(params["logRecordPointer"]))
        for group in self.groups.of(request.scope) if event else ():
            for stream in self.streams.of(request.scope, group.name).values():
                if event and stream.key == event.stream and event.timestamp >= self.oldest(request, group):
                    fields = {
                        "@message": event.message,
                        "@timestamp": str(event.timestamp),
                        "@ingestionTime": str(event.ingested),
                        "@logStream": stream.name,
                        "@log": f"{request.account}:{group.name}",
                    }
                    return {"logRecord": {**discovered(event.message), **fields}}
        raise rules.invalid("The specified log record does not exist.")


def discovered(message: str) -> dict[str, str]:
    """The fields of a JSON event, named as Logs Insights names them (``a.b.0``); none if it is not a JSON object."""
    try:
        root = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    fields: dict[str, str] = {}
    rest: list[tuple[str, Any]] = [("", root)] if isinstance(root, dict) else []
    while rest and len(fields) < 200:  # "up to 200 fields"
        name, value = rest.pop(0)
        if isinstance(value, (dict, list)):
            members = value.items() if isinstance(value, dict) else enumerate(value)
            rest += [(f"{name}.{key}" if name else str(key), child) for key, child in members]
        else:
            fields[name] = value if isinstance(value, str) else json.dumps(value)
    return fields


def _shown(event: Event, stream: str) -> dict[str, Any]:
    return {
        "logStreamName": stream,
        "timestamp": event.timestamp,
        "message": event.message,
        "ingestionTime": event.ingested,
        "eventId": rules.event_id(event.timestamp, event.stream, event.number),
    }
