"""The phases that remove: a whole stack, or what an update has left behind."""

from __future__ import annotations

from typing import Any

from drydock.services.cloudformation.graph import Graph, reverse
from drydock.services.cloudformation.model import Retired
from drydock.services.cloudformation.steps import Steps, told_of
from drydock.services.cloudformation.walking import walk


class Removing(Steps):
    """Resources go in the reverse order of their making."""

    async def _remove_all(self, keep: Any, rollback: bool) -> dict[str, Exception]:
        records = {one.logical_id: one for one in self._records.resources(self._scope, self._stack) if one.exists}
        graph: Graph = {name: frozenset(record.now.needs) & frozenset(records) for name, record in records.items()}

        async def step(name: str) -> None:
            record = records[name]
            if record.before is not None and record.before.token != record.now.token:  # an update was under way
                await self._working.remove(name, record.before)
            policy = record.now.deletion_policy
            always = policy == "Retain" and not (rollback and self._stack.retain_except_on_create)
            kept = always or (policy == "RetainExceptOnCreate" and not rollback) or name in keep
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
