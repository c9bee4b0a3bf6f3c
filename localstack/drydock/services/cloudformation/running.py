"""One operation on one stack, from where it stands to its end. Which phase comes is the stack's state alone, so that an
operation goes on after a restart, and another one (a deletion, a cancelled update) can take its place."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from drydock.errors import AwsError
from drydock.services.cloudformation.binding import Binding
from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.graph import Graph, reverse
from drydock.services.cloudformation.model import Output, Retired, Stack, StackResource, Thing
from drydock.services.cloudformation.records import Records
from drydock.services.cloudformation.template import Bound, Resource
from drydock.services.cloudformation.walking import walk
from drydock.services.cloudformation.working import CANCELLED, REPLACING, Cancelled, Working, changes, keeps_name
from drydock.services.service import Platform
from drydock.store import Scope

log = logging.getLogger(__name__)
_TIMED_OUT = "Stack creation time exceeded the specified timeout. "
_INTERNAL = "Internal Failure"


class Run:
    """``live`` until no operation is under way."""

    def __init__(
        self,
        platform: Platform,
        records: Records,
        binding: Binding,
        house: Any,
        scope: Scope,
        stack: Stack,
        instant: bool,
    ) -> None:
        self._platform, self._records, self._binding, self._house = platform, records, binding, house
        self._scope, self._stack, self._instant = scope, stack, instant
        self._clock = platform.clock(scope.account)
        self._working = self._fresh()

    def _fresh(self) -> Working:
        return Working(self._platform, self._records, self._house, self._scope, self._stack, self._instant)

    def interrupt(self) -> None:
        """The stack's state was changed by somebody else: what is under way is given up."""
        self._working.cancelled.set()

    def notice(self) -> None:
        """A signal has come."""
        self._working.noticed.set()

    async def live(self) -> None:
        """Phase after phase."""
        phases = {
            "CREATE_IN_PROGRESS": self._create,
            "ROLLBACK_IN_PROGRESS": self._roll_back_creation,
            "DELETE_IN_PROGRESS": self._delete,
            "UPDATE_IN_PROGRESS": self._update,
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": self._clean_up,
            "UPDATE_ROLLBACK_IN_PROGRESS": self._roll_back_update,
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": self._clean_up,
        }
        while self._stack.under_way:
            status = self._stack.status
            self._working = self._fresh()
            try:
                await phases[status]()
            except Exception:
                log.exception("stack %s in %s", self._stack.name, status)
                if self._stack.status == status:
                    self._go(_FAILED[status], _INTERNAL)

    def _go(self, status: str, reason: str = "") -> None:
        self._records.go(self._scope, self._stack, status, reason)

    async def _create(self) -> None:
        failed, late = await self._make_all()
        if self._stack.status != "CREATE_IN_PROGRESS":
            return
        if not failed and not late:
            self._go("CREATE_COMPLETE")
            return
        told = _TIMED_OUT if late else _failures(failed)
        if self._stack.on_failure == "DO_NOTHING":
            self._go("CREATE_FAILED", told)
        elif self._stack.on_failure == "DELETE":
            self._go("DELETE_IN_PROGRESS", f"{told}Delete requested by user.")
        else:
            self._go("ROLLBACK_IN_PROGRESS", f"{told}Rollback requested by user.")

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

    @staticmethod
    def _describe(thing: Thing, resource: Resource, bound: Bound) -> None:
        thing.deletion_policy, thing.replace_policy = resource.deletion_policy, resource.replace_policy
        thing.needs = sorted(bound.needs[resource.name])
        thing.metadata = resource.metadata

    def _remember(self, record: StackResource) -> None:
        """What a rollback goes back to."""
        if record.before is None and not record.added:
            record.before = _copy(record.now)

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
        found = changes(record, resource, properties)
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
            record.before = _copy(record.now)
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

    async def _roll_back_creation(self) -> None:
        failed = await self._remove_all(keep=(), rollback=True)
        if self._stack.status != "ROLLBACK_IN_PROGRESS":
            return
        if failed:
            self._go("ROLLBACK_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}]. ")
        else:
            self._stack.outputs, self._stack.imports = [], []
            self._go("ROLLBACK_COMPLETE")

    async def _delete(self) -> None:
        await self._remove_retired()
        failed = await self._remove_all(keep=self._stack.retain, rollback=False)
        if failed:
            self._go("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}]. ")
            return
        self._stack.deleted = self._clock.now()
        self._stack.outputs, self._stack.imports, self._stack.retired = [], [], []
        self._go("DELETE_COMPLETE")

    async def _remove_all(self, keep: Any, rollback: bool) -> dict[str, Exception]:
        records = {one.logical_id: one for one in self._records.resources(self._scope, self._stack) if one.exists}
        graph: Graph = {name: frozenset(record.now.needs) & frozenset(records) for name, record in records.items()}

        async def step(name: str) -> None:
            record = records[name]
            if record.before is not None and record.before.token != record.now.token:  # an update was under way
                await self._working.remove(name, record.before)
            policy = record.now.deletion_policy
            kept = policy == "Retain" or (policy == "RetainExceptOnCreate" and not rollback) or name in keep
            made = bool(record.now.physical_id)
            if kept and made:
                self._records.mark(self._scope, self._stack, record, "DELETE_SKIPPED")
                return
            if not await self._working.there(name, record.now):
                record.status = "DELETE_COMPLETE"
                self._records.put_resource(self._scope, record)
                return
            self._records.mark(self._scope, self._stack, record, "DELETE_IN_PROGRESS")
            try:
                await self._working.remove(name, record.now)
            except Exception as failure:
                self._records.mark(self._scope, self._stack, record, "DELETE_FAILED", told_of(failure))
                raise
            self._records.mark(self._scope, self._stack, record, "DELETE_COMPLETE")

        return await walk(reverse(graph), step, self._working.cancelled, stop_at_failure=False)

    async def _update(self) -> None:
        failed, _ = await self._make_all()
        stack = self._stack
        if stack.status != "UPDATE_IN_PROGRESS":
            return
        if failed:
            told = _failures(failed)
            if stack.on_failure == "DO_NOTHING":
                self._go("UPDATE_FAILED", told)
            else:
                self._go("UPDATE_ROLLBACK_IN_PROGRESS", told)
            return
        for record in self._records.resources(self._scope, stack):
            self._settled(record)
        stack.previous = None
        self._go("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")

    def _settled(self, record: StackResource) -> None:
        """There is no way back any more: what was replaced is left behind."""
        before = record.before
        if before is not None and before.token != record.now.token:
            self._stack.retired.append(Retired(record.logical_id, before, before.replace_policy == "Retain"))
        if before is not None or record.added:
            record.before, record.added = None, False
            self._records.put_resource(self._scope, record)

    async def _clean_up(self) -> None:
        rolled_back = self._stack.status.startswith("UPDATE_ROLLBACK")
        failed = await self._remove_retired()
        if not self._stack.status.endswith("CLEANUP_IN_PROGRESS"):
            return
        reason = "Update successful. One or more resources could not be deleted." if failed and not rolled_back else ""
        self._stack.retired = []
        self._go("UPDATE_ROLLBACK_COMPLETE" if rolled_back else "UPDATE_COMPLETE", reason)

    async def _remove_retired(self) -> dict[str, Exception]:
        """What updates have left behind."""
        items = {f"{number}": one for number, one in enumerate(self._stack.retired)}
        owners: dict[str, list[str]] = {}
        for key, one in items.items():
            owners.setdefault(one.logical_id, []).append(key)
        graph = {
            key: frozenset(other for need in one.thing.needs for other in owners.get(need, []) if other != key)
            for key, one in items.items()
        }

        async def step(key: str) -> None:
            await self._remove_one(items[key])

        return await walk(reverse(graph), step, self._working.cancelled, stop_at_failure=False)

    async def _remove_one(self, old: Retired) -> None:
        stack, thing = self._stack, old.thing
        record = self._records.resource(self._scope, stack, old.logical_id)
        removed = record is not None and record.now.token == thing.token

        def tell(status: str, reason: str = "") -> None:
            if removed and record is not None:
                self._records.mark(self._scope, stack, record, status, reason)
            else:
                where = (old.logical_id, thing.physical_id, thing.type)
                self._records.tell(self._scope, stack, *where, status, reason)

        there = await self._working.there(old.logical_id, thing)
        if there and old.retain:
            tell("DELETE_SKIPPED")
        elif there:
            tell("DELETE_IN_PROGRESS")
            try:
                await self._working.remove(old.logical_id, thing)
            except Exception as failure:
                tell("DELETE_FAILED", told_of(failure))
                raise
            tell("DELETE_COMPLETE")
        if removed and record is not None:
            self._records.drop_resource(self._scope, record)
        stack.retired = [one for one in stack.retired if one is not old]
        self._records.put(self._scope, stack)

    async def _roll_back_update(self) -> None:
        """Back to where each resource was: the old one again if it was replaced, its old properties if it was changed; what
        was added is left behind."""
        stack, scope = self._stack, self._scope
        records = {one.logical_id: one for one in self._records.resources(scope, stack)}
        touched = {name: one for name, one in records.items() if one.before is not None and not one.added}
        graph = {
            name: frozenset(one.before.needs if one.before else ()) & frozenset(touched)
            for name, one in touched.items()
        }

        async def step(name: str) -> None:
            await self._restore(touched[name])

        failed = await walk(graph, step, self._working.cancelled, stop_at_failure=False)
        if stack.status != "UPDATE_ROLLBACK_IN_PROGRESS":
            return
        if failed:
            told = f"The following resource(s) failed to update: [{', '.join(failed)}]. "
            self._go("UPDATE_ROLLBACK_FAILED", told)
            return
        for record in records.values():
            if record.added and record.exists:
                stack.retired.append(Retired(record.logical_id, record.now))
            elif record.added:
                self._records.drop_resource(scope, record)
            record.before, record.signals = None, {}
            if not record.added:
                self._records.put_resource(scope, record)
        if stack.previous is not None:
            stack.version, stack.previous = stack.previous, None
        stack.skip = []
        self._go("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")

    async def _restore(self, record: StackResource) -> None:
        stack, scope, before = self._stack, self._scope, record.before
        assert before is not None
        if record.logical_id in stack.skip:
            record.now = before
            self._records.mark(scope, stack, record, "UPDATE_COMPLETE", "Resource update skipped")  # (?)
            return
        if before.token != record.now.token:
            stack.retired.append(Retired(record.logical_id, record.now))
            record.now, record.before = before, None
            self._records.put(scope, stack)
            self._records.mark(scope, stack, record, "UPDATE_COMPLETE")
            return
        if before.properties == record.now.properties:
            record.now = before
            self._records.mark(scope, stack, record, "UPDATE_COMPLETE")
            return
        target = _copy(before)
        target.physical_id = record.now.physical_id
        self._records.mark(scope, stack, record, "UPDATE_IN_PROGRESS")
        try:
            await self._working.change(record, target, record.now)
        except Exception as failure:
            self._records.mark(scope, stack, record, "UPDATE_FAILED", told_of(failure))
            raise
        record.now, record.before = target, None
        self._records.mark(scope, stack, record, "UPDATE_COMPLETE")


_FAILED = {
    "CREATE_IN_PROGRESS": "CREATE_FAILED",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_FAILED",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
}
"""Where a stack goes when a defect of ours ends a phase"""


def told_of(failure: Exception) -> str:
    """The reason in an event. A defect of ours is in the log."""
    if isinstance(failure, Failed):
        return str(failure)
    if isinstance(failure, Cancelled):
        return "Resource update cancelled"
    log.error("while working on a resource", exc_info=failure)
    return _INTERNAL


def _copy(thing: Thing) -> Thing:
    return Thing(**vars(thing))


async def _nothing() -> None:
    """Of the resource itself; its metadata alone has changed."""


def _failures(failed: dict[str, str]) -> str:
    """Of a stack: what failed, in AWS's words."""
    if "" in failed:
        told = failed[""]
        return f"{told} " if told.endswith(".") else f"{told}. "
    parts = []
    for verb in ("create", "update"):
        names = [name for name, tried in failed.items() if tried == verb]
        if names:
            parts.append(f"The following resource(s) failed to {verb}: [{', '.join(names)}]. ")
    return "".join(parts)


def _and(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
