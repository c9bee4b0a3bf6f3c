"""What is done to one resource: made, changed, replaced, deleted, with its events. All of it may be begun again after a
restart: what was begun is known from the record, and what was made is looked up."""

from __future__ import annotations

import asyncio
import copy
import logging
import uuid
from dataclasses import replace
from typing import Any

from drydock import durations
from drydock.errors import AwsError
from drydock.services.cloudformation import dynamic, signals
from drydock.services.cloudformation.diff import Difference, difference
from drydock.services.cloudformation.faults import Cancelled, Failed
from drydock.services.cloudformation.model import Stack, StackResource, Tags, Thing
from drydock.services.cloudformation.properties import checked
from drydock.services.cloudformation.records import Records
from drydock.services.cloudformation.schemas import schema_of
from drydock.services.cloudformation.template import Resource
from drydock.services.cloudformation.types.base import NotFound, ResourceType, Work
from drydock.services.cloudformation.types.table import TABLE
from drydock.services.service import Platform
from drydock.store import Scope

log = logging.getLogger(__name__)
CANCELLED = "Resource creation cancelled"
REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."
_STILL_USED = {
    "DependencyViolation", "DeleteConflict", "ResourceInUse", "ResourceInUseException", "InvalidIPAddress.InUse",
    "ClusterContainsTasksException", "ClusterContainsServicesException", "ClusterContainsContainerInstancesException",
    "UpdateInProgressException", "InvalidGroup.InUse", "ScalingActivityInProgress",
}  # fmt: skip
"""Codes after which CloudFormation tries a deletion again"""


class Working:
    """The resources of one stack during one operation."""

    def __init__(
        self, platform: Platform, records: Records, house: Any, scope: Scope, stack: Stack, instant: bool
    ) -> None:
        self._platform, self._records, self._house = platform, records, house
        self._scope, self._stack, self._instant = scope, stack, instant
        self._clock = platform.clock(scope.account)
        self.cancelled = asyncio.Event()
        self.noticed = asyncio.Event()
        """A signal has come"""

    async def make(self, record: StackResource, resource: Resource) -> None:
        """A new physical resource, or one whose making was interrupted. Raises Failed, Cancelled."""
        kind = TABLE[record.type]
        try:
            work = await self._work(record, kind, record.now.properties)
            work.creation_policy = resource.creation_policy
            if record.now.physical_id or record.now.begun:
                await self._take_up(record, kind, work)
            if not record.now.physical_id:
                await self._pause(durations.STACK_RESOURCE)
                await self._make(record, kind, work)
            await self._until_steady(record, kind, work)
            await self._until_signalled(record, work)
            record.now.attributes = await kind.read(work)
        except AwsError as error:
            raise Failed(_handled(kind, error)) from None
        except NotFound:
            raise Failed(_handled_text("The resource has gone while it was made.", "NotStabilized")) from None

    async def _make(self, record: StackResource, kind: ResourceType, work: Work) -> None:
        """What is there already is not ours, and stays what it is."""
        if kind.unique and (there := await self._there_before(kind, work)):
            told = f"Resource of type '{kind.name}' with identifier '{there}' already exists."
            raise Failed(_handled_text(told, "AlreadyExists"))
        work.began = record.now.begun = record.waits_since = self._clock.now()
        self._records.put_resource(self._scope, record)
        self._platform.store.commit()
        try:
            await kind.create(work)
        except Exception:
            if not work.physical_id:  # it was refused: whatever is found later is not ours
                record.now.begun = 0.0
                self._records.put_resource(self._scope, record)
            raise

    @staticmethod
    async def _there_before(kind: ResourceType, work: Work) -> str:
        """Who may not look may still make something; after an interruption they will not find it either."""
        try:
            return await kind.find(work)
        except AwsError as error:
            if _handler_code(error) == "AccessDenied":
                return ""
            raise

    async def _take_up(self, record: StackResource, kind: ResourceType, work: Work) -> None:
        """After a restart: find what was made; keep it if nothing else was to be done to it."""
        found = record.now.physical_id or await kind.find(work)
        if not found:
            return
        if kind.whole:
            if not record.now.physical_id:
                work.made(found)
            return
        log.info("%s: making %s afresh after an interruption", self._stack.name, record.logical_id)
        work.physical_id = found
        try:
            await kind.delete(work)
            await self._until_gone(kind, work)
        except NotFound:
            pass
        work.physical_id = record.now.physical_id = ""
        record.now.begun = 0.0
        self._records.put_resource(self._scope, record)

    async def change(self, record: StackResource, target: Thing, before: Thing) -> None:
        """In place, to the properties of ``target`` from those of ``before``. Raises Failed, Cancelled."""
        kind = TABLE[record.type]
        try:
            work = await self._work(record, kind, target.properties)
            work.old = await self._usable(record.type, record.logical_id, before.properties)
            work.stack_tags, work.old_stack_tags = target.tags, before.tags
            await self._pause(durations.STACK_RESOURCE)
            await kind.update(work)
            record.waits_since = self._clock.now()
            await self._until_steady(record, kind, work)
            target.attributes = await kind.read(work)
        except AwsError as error:
            raise Failed(_handled(kind, error)) from None
        except NotFound:
            raise Failed(_handled_text("The resource does not exist.", "NotFound")) from None

    async def remove(self, logical_id: str, thing: Thing) -> None:
        """A physical resource; it is no error if it has gone already. Raises Failed."""
        kind = TABLE[thing.type]
        work = self._bare_work(logical_id, thing, dict(thing.properties))
        try:
            if not work.physical_id and thing.begun:
                work.physical_id = await kind.find(work)
            if not work.physical_id:
                return
            await self._pause(durations.STACK_RESOURCE, firm=True)
            await self._delete(kind, work)
            await self._until_gone(kind, work)
        except NotFound:
            return
        except AwsError as error:
            raise Failed(_handled(kind, error)) from None
        except Failed as failed:
            raise Failed(_as_handled(failed)) from None

    async def there(self, logical_id: str, thing: Thing) -> bool:
        """Whether there is a physical resource: an interrupted creation may have left one."""
        if thing.physical_id or not thing.begun:
            return bool(thing.physical_id)
        try:
            return bool(await TABLE[thing.type].find(self._bare_work(logical_id, thing, dict(thing.properties))))
        except (AwsError, NotFound, Failed, KeyError):  # what it was to be made of is not there either
            return False

    async def _delete(self, kind: ResourceType, work: Work) -> None:
        end = self._clock.now() + durations.STACK_RETRIES
        while True:
            try:
                return await kind.delete(work)
            except AwsError as error:
                if error.code not in _STILL_USED or self._clock.now() >= end:
                    raise
            await self._pause(durations.STACK_LOOK, firm=True)

    async def _until_gone(self, kind: ResourceType, work: Work) -> None:
        end = self._clock.now() + kind.patience
        while not await kind.gone(work):
            if self._clock.now() >= end:
                raise Failed(_handled_text("Exceeded attempts to wait", "NotStabilized"))
            await self._pause(durations.STACK_LOOK, firm=True)

    async def _until_steady(self, record: StackResource, kind: ResourceType, work: Work) -> None:
        end = record.waits_since + kind.patience
        try:
            while not await kind.steady(work):
                if self._clock.now() >= end:
                    raise Failed(_handled_text("Exceeded attempts to wait", "NotStabilized"))
                await self._pause(durations.STACK_LOOK)
        except Failed as failed:
            raise Failed(_as_handled(failed)) from None

    async def _until_signalled(self, record: StackResource, work: Work) -> None:
        """The creation policy's signals, and those of a wait condition."""
        wanted = signals.wanted(record.type, work.creation_policy, work.properties)
        if wanted is None:
            return
        if wanted.condition:
            self._take_early(record, work.properties["Handle"])
        end = record.waits_since + wanted.seconds
        while not signals.enough(wanted, record.signals):
            if self._clock.now() >= end:
                raise Failed(signals.too_few(wanted, record.signals))
            self.noticed.clear()
            await self._wait(min(end - self._clock.now(), durations.STACK_LOOK * 15), self.noticed)
        work.signals = record.signals

    def _take_early(self, record: StackResource, handle: str) -> None:
        """Signals that came to the handle before its condition was there."""
        for other in self._records.resources(self._scope, self._stack):
            if other.type == signals.HANDLE and other.now.physical_id == handle:
                record.signals = other.signals | record.signals
                self._records.put_resource(self._scope, record)

    async def _pause(self, seconds: float, firm: bool = False) -> None:
        """Some lab time, but never a busy loop. Raises Cancelled unless ``firm``."""
        seconds = durations.scaled(seconds, self._instant)
        if firm:
            await self._clock.sleep(seconds)
            await asyncio.sleep(0.01)
        else:
            await self._wait(seconds)
            await asyncio.sleep(0.01)

    async def _wait(self, seconds: float, also: asyncio.Event | None = None) -> None:
        events = [self.cancelled, *([also] if also else [])]
        waits = [asyncio.ensure_future(self._clock.sleep(seconds))]
        waits += [asyncio.ensure_future(event.wait()) for event in events]  # type: ignore[arg-type]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        if self.cancelled.is_set():
            raise Cancelled

    async def _work(self, record: StackResource, kind: ResourceType, properties: dict[str, Any]) -> Work:
        usable = await self._usable(record.type, record.logical_id, properties)
        work = self._bare_work(record.logical_id, record.now, usable)
        work.signals = record.signals

        def note(physical_id: str) -> None:
            record.now.physical_id, record.now.attributes = physical_id, work.attributes
            status = "UPDATE_IN_PROGRESS" if record.before is not None else "CREATE_IN_PROGRESS"
            self._records.mark(self._scope, self._stack, record, status, "Resource creation Initiated", properties=True)
            self._platform.store.commit()

        work.note = note
        return work

    async def _usable(self, kind: str, logical_id: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Dynamic references resolved, types as the schema wants them. Raises Failed."""

        async def ask(service: str, operation: str, /, **params: Any) -> dict[str, Any]:
            principal = self._stack.caller.principal()
            return await self._platform.call(principal, self._scope.region, service, operation, params)

        if dynamic.names_any(properties):
            properties = await dynamic.resolved(properties, ask)
        return checked(logical_id, properties, schema_of(kind))

    def _bare_work(self, logical_id: str, thing: Thing, properties: dict[str, Any]) -> Work:
        return Work(
            calls=self._platform.call,
            principal=self._stack.caller.principal(),
            region=self._scope.region,
            stack_id=self._stack.id,
            stack_name=self._stack.name,
            logical_id=logical_id,
            type=thing.type,
            token=thing.token,
            properties=copy.deepcopy(properties),
            physical_id=thing.physical_id,
            attributes=dict(thing.attributes),
            stack_tags=thing.tags,
            others=self._others(thing),
            began=thing.begun,
            house=self._house,
        )

    def _others(self, thing: Thing) -> frozenset[str]:
        things: list[Thing] = [one.thing for one in self._stack.retired]
        for record in self._records.resources(self._scope, self._stack):
            things += [record.now, *([record.before] if record.before else [])]
        return frozenset(one.physical_id for one in things if one is not thing and one.physical_id)


def changes(record: StackResource, resource: Resource, properties: dict[str, Any], tags: Tags) -> Difference:
    """What an update does to a resource that is there. ``tags``: the stack's."""
    kind = TABLE[record.type]
    metadata = record.now.metadata != resource.metadata
    found = difference(record.now.properties, properties, schema_of(record.type), kind.replaces, metadata)
    if record.now.tags != tags and "Tags" in kind.passes:
        return replace(found, changed=found.changed | {"Tags"})
    return found


def keeps_name(kind: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    """The name that a template gives to a resource and does not change; empty if it gives none. Such a resource cannot be
    replaced, as both would have it."""
    primary = schema_of(kind).primary
    if len(primary) != 1 or primary[0] not in after or "." in primary[0]:
        return ""
    value = after[primary[0]]
    return str(value) if value == before.get(primary[0]) and isinstance(value, str) else ""


_SDK_NAMES = {
    "application-autoscaling": "ApplicationAutoScaling", "autoscaling": "AutoScaling", "cloudformation": "CloudFormation",
    "cloudwatch": "CloudWatch", "elbv2": "ElasticLoadBalancingV2", "logs": "CloudWatchLogs", "secretsmanager": "SecretsManager",
}  # fmt: skip
"""What the SDK that CloudFormation uses calls services of more than one word"""


def _handled(kind: ResourceType, error: AwsError) -> str:
    """A service's error as CloudFormation reports it."""
    service = _SDK_NAMES.get(kind.service, kind.service.capitalize())
    request = f"(Service: {service}, Status Code: {error.status or 400}, Request ID: {uuid.uuid4()})"
    return _handled_text(f"{error.message} {request} (SDK Attempt Count: 1)", _handler_code(error))


def _handled_text(text: str, code: str) -> str:
    return f'Resource handler returned message: "{text}" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})'


def _as_handled(failed: Failed) -> str:
    text = str(failed)
    return text if "HandlerErrorCode" in text else _handled_text(text, "GeneralServiceException")


def _handler_code(error: AwsError) -> str:
    code = error.code
    if "AccessDenied" in code or code in ("UnauthorizedOperation", "AuthFailure"):
        return "AccessDenied"
    if "AlreadyExists" in code or code in ("ResourceInUse", "InvalidGroup.Duplicate", "BucketAlreadyOwnedByYou"):
        return "AlreadyExists"
    if "NotFound" in code or code in ("NoSuchEntity", "NoSuchBucket"):
        return "NotFound"
    if "LimitExceeded" in code:
        return "ServiceLimitExceeded"
    return "InvalidRequest" if (error.status or 400) < 500 else "GeneralServiceException"
