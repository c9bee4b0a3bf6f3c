"""Which groups, streams and metric filters there are, and what all operations of the service share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.logs import rules
from drydock.services.logs.controller import RetentionSweeper
from drydock.services.logs.events import EventStore
from drydock.services.logs.measuring import Measuring
from drydock.services.logs.model import LogGroup, LogStream, MetricFilter
from drydock.services.service import Platform, Service
from drydock.store import Collection, Scope


class Streams:
    """The log streams by group, kept in step with the store: a group may have thousands, an account far more."""

    def __init__(self, collection: Collection[LogStream]) -> None:
        self._collection = collection
        self._by_group: dict[tuple[Scope, str], dict[str, LogStream]] = {}
        for scope, _, stream in collection.all():
            self._by_group.setdefault((scope, stream.group), {})[stream.name] = stream

    def get(self, scope: Scope, group: str, name: str) -> LogStream | None:
        """One stream."""
        return self._by_group.get((scope, group), {}).get(name)

    def of(self, scope: Scope, group: str) -> dict[str, LogStream]:
        """Those of a group by name, oldest first; not to be changed."""
        return self._by_group.get((scope, group), {})

    def put(self, scope: Scope, stream: LogStream) -> None:
        """Make one."""
        self._by_group.setdefault((scope, stream.group), {})[stream.name] = stream
        self._collection.put(scope, f"{stream.group}:{stream.name}", stream)

    def delete(self, scope: Scope, stream: LogStream) -> None:
        """Forget one."""
        del self._by_group[scope, stream.group][stream.name]
        self._collection.delete(scope, f"{stream.group}:{stream.name}")

    def delete_group(self, scope: Scope, group: str) -> None:
        """Forget all of a group."""
        for name in self._by_group.pop((scope, group), {}):
            self._collection.delete(scope, f"{group}:{name}")

    def groups(self) -> list[tuple[Scope, str]]:
        """Those that have any."""
        return [key for key, streams in self._by_group.items() if streams]

    def keys(self) -> Iterator[int]:
        """Under which events are kept."""
        return (stream.key for streams in self._by_group.values() for stream in streams.values())

    def clear(self, account: str | None) -> None:
        """Forget those of an account, or all."""
        for found in [key for key in self._by_group if account in (None, key[0].account)]:
            del self._by_group[found]
        self._collection.clear(account)


class LogsRegistry(Service):
    """The part of the service that has no operations: its resources, its life, and how a request names a group."""

    name: ClassVar[str] = "logs"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.groups = platform.store.collection(LogGroup, "logs", "log-group")
        self.streams = Streams(platform.store.collection(LogStream, "logs", "log-stream"))
        self.filters = platform.store.collection(MetricFilter, "logs", "metric-filter")
        self.measuring = Measuring()
        self.events = EventStore(platform.state / "logs" / "events.sqlite3")
        self.sweeper = RetentionSweeper(platform, self.groups, self.events)
        self._purge: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        self.events.retain(self.streams.keys())
        self.purge()
        self.sweeper.start()

    async def stop(self) -> None:
        await self.sweeper.stop()
        if self._purge is not None:  # what is left of it is found again at the next start
            self._purge.cancel()
            await asyncio.gather(self._purge, return_exceptions=True)
        self.events.close()

    async def reset(self, account: str | None) -> None:
        gone = [group.key for scope, _, group in self.groups.all() if account in (None, scope.account)]
        # The resources first: what still comes in then finds no group to write to.
        self.streams.clear(account)
        self.groups.clear(account)
        self.filters.clear(account)
        self.measuring.clear(account)
        if account is None:
            await self.events.clear()
        else:
            for key in gone:
                self.events.discard("grp", key)
            self.purge()

    def validate(self) -> list[str]:
        wrong: list[str] = []
        groups = {(scope, group.name) for scope, _, group in self.groups.all()}
        wrong += [
            f"Streams of {group} in {scope.account} outlived their group."
            for scope, group in self.streams.groups()
            if (scope, group) not in groups
        ]
        known = set(self.streams.keys())
        wrong += [f"Events of stream {key} outlived it." for key in self.events.streams() if key not in known]
        return wrong

    def purge(self) -> None:
        """See to it that discarded events leave the disk."""
        if self._purge is None or self._purge.done():
            self._purge = self.platform.spawn(self.events.purge(), "logs-purge")

    def now(self, account: str) -> int:
        """Lab time in milliseconds."""
        return int(self.platform.clock(account).now() * 1000)

    def new_key(self, scope: Scope, kind: str, parent: str) -> int:
        """Under which a new group's or stream's events are kept; never given twice."""
        return int.from_bytes(self.platform.ids.digest(scope, kind, parent)[:8], "big") >> 1

    def group(self, request: Request, name: str) -> LogGroup:
        """The group of that name. Raises ResourceNotFoundException."""
        found = self.groups.get(request.scope, name)
        if found is None:
            raise rules.no_group()
        return found

    def identified_group(self, request: Request, params: Mapping[str, Any]) -> LogGroup:
        """The group that ``logGroupName`` or ``logGroupIdentifier`` names; one of them, not both."""
        name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
        if name is not None and identifier is not None:
            raise AwsError(
                "ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters.", status=400
            )
        if name is None and identifier is None:
            raise rules.invalid("Either logGroupName or logGroupIdentifier must be specified.")
        return self.group(request, name or rules.group_name_of(identifier or "", request.account, request.region))

    def filters_of(self, scope: Scope, group: str) -> list[MetricFilter]:
        """The metric filters of a group."""
        return [found for found in self.filters.of(scope) if found.group == group]

    def stream(self, request: Request, group: LogGroup, name: str) -> LogStream:
        """A stream of a group. Raises ResourceNotFoundException."""
        found = self.streams.get(request.scope, group.name, name)
        if found is None:
            raise rules.no_stream()
        return found

    def oldest(self, request: Request, group: LogGroup) -> int:
        """The time, in milliseconds, before which the group's retention hides events."""
        days = group.kept_days
        return 0 if days is None else max(0, self.now(request.account) - days * rules.DAY)
