"""What a session of ECS Exec shows, kept in CloudWatch Logs and S3 under the task's role.

Lines go to the log stream, named as the session, while they come; the object in S3 is put at the end. What the role may
not do, or what is not there, is not logged, and the session goes on, as on AWS. As there, the agent looks for the group
and the stream before it makes the stream, so the role needs the permissions that the documentation lists.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from drydock.clock import Clock
from drydock.errors import AwsError
from drydock.services.ecs.exec_rules import NOT_ENCRYPTED, Audit
from drydock.services.log_stream import LogStream

log = logging.getLogger(__name__)
LARGEST_OBJECT = 64 << 20
"""Bytes of a session's output that are put into S3; the rest is cut off, which the end of the object says"""
LONGEST_LINE = 64 << 10

Call = Callable[[str, str, str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""(region, service, operation, params) under the task role. Raises AwsError"""


class NotEncrypted(Exception):
    """The cluster wants encrypted logs, and where they would go is not encrypted; the message is AWS's."""


class Recording:
    """Of one session. ``open`` it, ``write`` all output, ``close`` it."""

    def __init__(self, audit: Audit, session: str, region: str, clock: Clock, call: Call, folder: Path) -> None:
        self._audit, self._session, self._region = audit, session, region
        self._call = call
        self._clock = clock
        self._stream: LogStream | None = None
        self._object = tempfile.TemporaryFile(dir=folder) if audit.bucket else None  # noqa: SIM115 - until ``close``
        self._size = 0
        self._line = b""

    async def open(self) -> None:
        """Raises NotEncrypted."""
        audit = self._audit
        if audit.group:
            await self._open_stream(audit.region or self._region)
        if audit.bucket and audit.bucket_encrypted:
            try:
                await self._call(self._region, "s3", "GetBucketEncryption", {"Bucket": audit.bucket})
            except AwsError as error:
                raise NotEncrypted(NOT_ENCRYPTED.format("Amazon S3 bucket", "bucket")) from error

    async def _open_stream(self, region: str) -> None:
        audit, name = self._audit, self._session

        async def send(operation: str, params: dict[str, Any]) -> dict[str, Any]:
            return await self._call(region, "logs", operation, params)

        try:
            found = await send("DescribeLogGroups", {"logGroupNamePrefix": audit.group})
            group = next((one for one in found.get("logGroups", []) if one["logGroupName"] == audit.group), None)
            if audit.group_encrypted and not (group or {}).get("kmsKeyId"):
                raise NotEncrypted(NOT_ENCRYPTED.format("CloudWatch Logs log group", "log group"))
            await send("DescribeLogStreams", {"logGroupName": audit.group, "logStreamNamePrefix": name})
            stream = LogStream(send, self._clock, audit.group, name)
            await stream.open(create_group=False)
        except AwsError as error:
            if audit.group_encrypted:
                raise NotEncrypted(NOT_ENCRYPTED.format("CloudWatch Logs log group", "log group")) from error
            log.warning("session %s is not logged to %s: %s", name, audit.group, error)
            return
        self._stream = stream

    async def write(self, data: bytes) -> None:
        """Returns when there is room for more."""
        if self._object is not None and self._size < LARGEST_OBJECT:
            self._object.write(data[: LARGEST_OBJECT - self._size])
            self._size += len(data)
        if self._stream is not None:
            *lines, self._line = (self._line + data).split(b"\n")
            if len(self._line) > LONGEST_LINE:
                lines, self._line = [*lines, self._line], b""
            for line in lines:
                await self._tell(line)

    async def _tell(self, line: bytes) -> None:
        assert self._stream is not None
        waiting = self._stream.write("stdout", line.rstrip(b"\r"))
        if waiting is not None:
            await waiting

    async def close(self) -> None:
        """All of it is where it is to be, or the log of the emulator says why not."""
        if self._stream is not None:
            await self._tell(self._line)
            await self._stream.flush()
        if self._object is not None:
            await self._put(self._object)

    async def _put(self, file: Any) -> None:
        if self._size > LARGEST_OBJECT:
            file.write(b"\n(the rest was not recorded)\n")
        file.seek(0)
        body = await asyncio.to_thread(file.read)
        file.close()
        key = self._audit.key(self._session)
        try:
            await self._call(self._region, "s3", "PutObject", {"Bucket": self._audit.bucket, "Key": key, "Body": body})
        except AwsError as error:
            log.warning("session %s is not logged to s3://%s/%s: %s", self._session, self._audit.bucket, key, error)
