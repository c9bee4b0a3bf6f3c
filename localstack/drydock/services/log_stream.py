"""Lines of output that become events of a log stream: of containers with the ``awslogs`` driver, of functions.

Source: "Send Amazon ECS logs to CloudWatch".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from drydock.clock import Clock
from drydock.errors import AwsError

log = logging.getLogger(__name__)
LARGEST_BATCH = 2000
LARGEST_EVENT = 64 << 10
"""Bytes of a line; a longer one becomes several events. Well below CloudWatch Logs' own limit, also when every byte
becomes a replacement character of three"""
LARGEST_REQUEST = 1_000_000
"""Bytes of a batch, below PutLogEvents' limit of 1,048,576"""
FLUSH_AFTER = 0.1
"""Real seconds that lines are collected before they are sent"""
HIGH_WATER = 20_000
"""Lines waiting to be sent beyond which the container's output is not read on (the driver's blocking mode)"""

Send = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Calls an operation of CloudWatch Logs in the right region under the execution role"""


class LogStream:
    """One stream. ``open`` it before the first line, ``flush`` it when the last line has come."""

    def __init__(self, send: Send, clock: Clock, group: str, stream: str) -> None:
        self.group, self.stream = group, stream
        self._send = send
        self._clock = clock
        self._waiting: list[dict[str, Any]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._drained = asyncio.Event()
        self._drained.set()
        self._hurry = asyncio.Event()

    async def open(self, create_group: bool) -> None:
        """Make the stream, and the group if asked to. Raises AwsError."""
        if create_group:
            await self._unless_exists("CreateLogGroup", {"logGroupName": self.group})
        await self._unless_exists("CreateLogStream", {"logGroupName": self.group, "logStreamName": self.stream})

    async def _unless_exists(self, operation: str, params: dict[str, Any]) -> None:
        try:
            await self._send(operation, params)
        except AwsError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise

    def write(self, source: str, line: bytes) -> Awaitable[object] | None:
        """Take a line (empty ones are dropped, as CloudWatch Logs has no empty events). If too many are waiting, the
        answer is to be awaited before the next."""
        if not line.strip():
            return None
        now = int(self._clock.now() * 1000)
        for start in range(0, len(line), LARGEST_EVENT):
            text = line[start : start + LARGEST_EVENT].decode("utf-8", "replace")
            self._waiting.append({"timestamp": now, "message": text})
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush(), name=f"awslogs {self.stream}")
        if len(self._waiting) < HIGH_WATER:
            return None
        self._drained.clear()
        return self._drained.wait()

    async def flush(self) -> None:
        """Send what waits, now."""
        self._hurry.set()
        while self._flushing is not None and not self._flushing.done():
            await self._flushing
        if self._waiting:
            await self._flush()
        self._hurry.clear()

    async def _flush(self) -> None:
        if not self._hurry.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), FLUSH_AFTER)
        while self._waiting:
            batch = self._next_batch()
            try:
                await self._send(
                    "PutLogEvents", {"logGroupName": self.group, "logStreamName": self.stream, "logEvents": batch}
                )
            except AwsError as error:  # the group was deleted meanwhile, or the role lost its permission
                log.warning("awslogs of %s lost %d lines: %s", self.stream, len(batch), error)
            if len(self._waiting) < HIGH_WATER:
                self._drained.set()

    def _next_batch(self) -> list[dict[str, Any]]:
        size = count = 0
        for event in self._waiting[:LARGEST_BATCH]:
            size += len(event["message"].encode()) + 26
            if count and size > LARGEST_REQUEST:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch
