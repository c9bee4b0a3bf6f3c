"""The phases that make: every resource is brought to where the stack's version wants it."""

from __future__ import annotations

import asyncio
from typing import Any

from drydock.errors import AwsError
from drydock.services.cloudformation.bound import Bound
from drydock.services.cloudformation.faults import Cancelled, Failed
from drydock.services.cloudformation.model import Output, Retired, StackResource, Thing
from drydock.services.cloudformation.steps import Steps, copied, told_of
from drydock.services.cloudformation.template import Resource
from drydock.services.cloudformation.walking import walk
from drydock.services.cloudformation.working import CANCELLED, REPLACING, changes, keeps_name


class Making(Steps):
    """What CREATE_IN_PROGRESS and UPDATE_IN_PROGRESS do."""

    async def _make_all(self) -> tuple[dict[str, str], bool]:
        """Everything of the stack's version. What failed (an empty name: the stack itself), by what was tried; and whether
        the time was over."""
        stack = self._stack
        try:
            bound = await self._binding.bind(self._scope, stack, stack.version, stack.caller.principal())
        except AwsError as error:
            return {"": error.message}, False
        used: set[str] = set()
        limit = asyncio.ensure_future(self._time_limit())

        async def settle(name: str) -> None:
            await self._settle(bound.resources[name], bound, used)

        try:
            failed = await walk(bound.needs, settle, self._working.cancelled, stop_at_failure=True)
        finally:
            limit.cancel()
        late = limit.done() and not limit.cancelled() and bool(limit.result())
        if failed or self._working.cancelled.is_set():
            return {name: self._tried(name) for name in failed}, late
        try:
            outputs = await self._binding.outputs(self._scope, stack, bound, used)
            self._check_exports(outputs)
        except Failed as failure:
            return {"": str(failure)}, False
        stack.outputs, stack.imports = outputs, sorted(used)
        stack.description = bound.template.description
        for record in self._gone_from(bound):
            stack.retired.append(Retired(record.logical_id, record.now, record.now.deletion_policy == "Retain"))
        self._records.put(self._scope, stack)
        return {}, False

    async def _time_limit(self) -> bool:
        stack = self._stack
        if stack.timeout is None or stack.status != "CREATE_IN_PROGRESS":
            return False
        await self._clock.sleep_until(stack.began + stack.timeout)
        self._working.cancelled.set()
        return True

    def _tried(self, name: str) -> str:
        record = self._records.resource(self._scope, self._stack, name)
        creating = record is None or record.before is None or record.added
        return "create" if creating else "update"

    def _gone_from(self, bound: Bound) -> list[StackResource]:
        """What the new version does not have any more."""
        return [
            record
            for record in self._records.resources(self._scope, self._stack)
            if record.exists and record.logical_id not in bound.resources
        ]

    def _check_exports(self, outputs: list[Output]) -> None:
        """Exports are there once, and those in use do not change. Raises Failed."""
        others = self._records.exports(self._scope)
        new = {output.export: output.value for output in outputs if output.export}
        for name in new:
            if name in others and others[name][0].id != self._stack.id:
                raise Failed(f"Export with name {name} is already exported by stack {others[name][0].name}")
        for name, (owner, output) in others.items():
            users = self._records.importers(self._scope, name) if owner.id == self._stack.id else []
            if not users:
                continue
            if name not in new:
                raise Failed(f"Delete canceled. Cannot delete export {name} as it is in use by {_and(users)}.")
            if new[name] != output.value:
                raise Failed(f"Export {name} cannot be updated as it is in use by {_and(users)}")

    async def _settle(self, resource: Resource, bound: Bound, used: set[str]) -> None:
        """Bring one resource to where the version wants it. Raises Failed, Cancelled."""
        scope, stack = self._scope, self._stack
        record = self._records.resource(scope, stack, resource.name)
        try:
            properties = await self._binding.properties(scope, stack, bound, resource.properties, used)
            metadata = await self._binding.properties(scope, stack, bound, resource.metadata, used)
        except Failed as failure:
            if record is None or not record.exists:
                record = self._begin(resource, bound, record)
                self._records.mark(scope, stack, record, "CREATE_IN_PROGRESS")
                self._records.mark(scope, stack, record, "CREATE_FAILED", str(failure))
            else:
                self._remember(record)
                self._records.mark(scope, stack, record, "UPDATE_FAILED", str(failure))
            raise
        resource.metadata = metadata
        if record is None or not record.exists:
            record = self._begin(resource, bound, record)
            record.now.properties, record.now.metadata = properties, metadata
            self._records.mark(scope, stack, record, "CREATE_IN_PROGRESS")
            await self._work(record, self._working.make(record, resource), "CREATE")
        elif record.status in ("CREATE_IN_PROGRESS", "CREATE_FAILED") and record.before is None:
            record.now.properties, record.now.metadata = properties, metadata
            if record.status == "CREATE_FAILED":
                record.waits_since = self._clock.now()
                self._records.mark(scope, stack, record, "CREATE_IN_PROGRESS")
            await self._work(record, self._working.make(record, resource), "CREATE")
        else:
            await self._settle_existing(record, resource, bound, properties)

    def _begin(self, resource: Resource, bound: Bound, record: StackResource | None) -> StackResource:
        thing = self._records.new_thing(self._scope, self._stack, resource.name, resource.type)
        self._describe(thing, resource, bound)
        added = self._stack.previous is not None
        now = self._clock.now()
        return StackResource(self._stack.id, resource.name, thing, "CREATE_IN_PROGRESS", now, added=added)

    def _describe(self, thing: Thing, resource: Resource, bound: Bound) -> None:
        thing.deletion_policy, thing.replace_policy = resource.deletion_policy, resource.replace_policy
        thing.needs = sorted(bound.needs[resource.name])
        thing.metadata, thing.tags = resource.metadata, self._stack.version.tags

    def _remember(self, record: StackResource) -> None:
        """What a rollback goes back to."""
        if record.before is None and not record.added:
            record.before = copied(record.now)

    async def _settle_existing(
        self, record: StackResource, resource: Resource, bound: Bound, properties: dict[str, Any]
    ) -> None:
        scope, stack = self._scope, self._stack
        replacing = record.before is not None and record.now.token != record.before.token
        begun = record.status in ("UPDATE_IN_PROGRESS", "UPDATE_FAILED")
        if begun and replacing:
            record.now.properties = properties
            await self._work(record, self._working.make(record, resource), "UPDATE")
            return
        found = changes(record, resource, properties, stack.version.tags)
        if record.type != resource.type:
            await self._replace(record, resource, bound, properties)
            return
        if not found.any and not begun:
            self._describe(record.now, resource, bound)
            self._records.put_resource(scope, record)
            return
        if found.replacing:
            await self._replace(record, resource, bound, properties)
            return
        self._remember(record)
        record.now.properties = properties
        self._describe(record.now, resource, bound)
        self._records.mark(scope, stack, record, "UPDATE_IN_PROGRESS", properties=True)
        if record.before is None:  # made by this very update, and changed before it was through
            record.before = copied(record.now)
        changed = found.changed or begun
        work = self._working.change(record, record.now, record.before) if changed else _nothing()
        await self._work(record, work, "UPDATE")

    async def _replace(
        self, record: StackResource, resource: Resource, bound: Bound, properties: dict[str, Any]
    ) -> None:
        scope, stack = self._scope, self._stack
        self._remember(record)
        name = keeps_name(record.type, record.now.properties, properties) if record.type == resource.type else ""
        if name:
            reason = (
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename"
                f" {name} and update the stack again."
            )
            self._records.mark(scope, stack, record, "UPDATE_IN_PROGRESS")
            self._records.mark(scope, stack, record, "UPDATE_FAILED", reason)
            raise Failed(reason)
        self._records.mark(scope, stack, record, "UPDATE_IN_PROGRESS", REPLACING, properties=True)
        record.now = self._records.new_thing(scope, stack, resource.name, resource.type)
        record.now.properties, record.waits_since, record.signals = properties, 0.0, {}
        self._describe(record.now, resource, bound)
        self._records.put_resource(scope, record)
        await self._work(record, self._working.make(record, resource), "UPDATE")

    async def _work(self, record: StackResource, work: Any, verb: str) -> None:
        """Do it, and tell how it ended."""
        try:
            await work
        except Failed as failure:
            self._records.mark(self._scope, self._stack, record, f"{verb}_FAILED", str(failure), properties=True)
            raise
        except Cancelled:
            reason = CANCELLED if verb == "CREATE" else "Resource update cancelled"
            self._records.mark(self._scope, self._stack, record, f"{verb}_FAILED", reason)
            raise
        except Exception as failure:
            self._records.mark(self._scope, self._stack, record, f"{verb}_FAILED", told_of(failure))
            raise
        self._records.mark(self._scope, self._stack, record, f"{verb}_COMPLETE", properties=True)


async def _nothing() -> None:
    """Of the resource itself; its metadata alone has changed."""


def _and(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
