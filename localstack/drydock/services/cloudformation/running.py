"""One operation on one stack, from where it stands to its end. Which phase comes is the stack's state alone, so that an
operation goes on after a restart, and another one (a deletion, a cancelled update) can take its place."""

from __future__ import annotations

import logging

from drydock.services.cloudformation.making import Making
from drydock.services.cloudformation.model import Retired, StackResource
from drydock.services.cloudformation.removing import Removing
from drydock.services.cloudformation.steps import INTERNAL, copied, told_of
from drydock.services.cloudformation.walking import walk

log = logging.getLogger(__name__)
_TIMED_OUT = "Stack creation time exceeded the specified timeout. "


class Run(Making, Removing):
    """``live`` until no operation is under way."""

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
                    self._go(_FAILED[status], INTERNAL)

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
                keep = record.now.deletion_policy == "Retain" and not stack.retain_except_on_create
                stack.retired.append(Retired(record.logical_id, record.now, keep))
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
        if before.properties == record.now.properties and before.tags == record.now.tags:
            record.now = before
            self._records.mark(scope, stack, record, "UPDATE_COMPLETE")
            return
        target = copied(before)
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
