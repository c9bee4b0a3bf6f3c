"""AWS CloudFormation: the whole service, put together of its topics."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from drydock.request import Request
from drydock.services.cloudformation import signals
from drydock.services.cloudformation.base import Params
from drydock.services.cloudformation.change_sets import ChangeSetOperations
from drydock.services.cloudformation.faults import invalid
from drydock.services.cloudformation.model import Stack, StackResource
from drydock.services.cloudformation.types.own import WaitCondition
from drydock.services.iam.api import Iam
from drydock.services.service import Platform
from drydock.store import Scope

HANDLES = "/_drydock/cloudformation/signal"
"""Where wait condition handles lead to"""


class CloudFormation(ChangeSetOperations):
    """``endpoint`` is the emulator's own, for the URLs of wait condition handles. ``instant``: no state takes lab time of
    its own."""

    def __init__(self, platform: Platform, iam: Iam, instant: bool) -> None:
        super().__init__(platform, iam, instant)
        self.endpoint = ""
        self.endpoint_inside = ""
        """The same for programs in tasks and instances, where it is another"""

    async def start(self) -> None:
        self.controller.start()

    async def stop(self) -> None:
        await self.controller.stop()

    async def reset(self, account: str | None) -> None:
        await self.controller.reset(account)
        self.binding.forget()

    def capabilities_of(self, account: str, region: str, stack_id: str) -> list[str]:
        """What was acknowledged for a stack: its nested stacks need no other acknowledgement."""
        stack = self.records.stacks.get(Scope(account, region), stack_id)
        return list(stack.version.capabilities) if stack else []

    def id_of(self, account: str, region: str, name: str) -> str:
        """The id of a stack; empty if there is none."""
        stack = self.records.named(Scope(account, region), name)
        return stack.id if stack else ""

    def handle_url(self, account: str, region: str, stack_id: str, logical_id: str, token: str) -> str:
        """The URL of a wait condition handle."""
        return f"{self.endpoint}{HANDLES}/{account}/{region}/{quote(stack_id, safe='')}/{logical_id}/{token}"

    def as_seen_inside(self, params: Any) -> Any:
        """Parameters whose wait condition handles lead to the emulator from within a task or an instance, too: on this machine
        and in a VPC it has different addresses."""
        if not self.endpoint_inside:
            return params
        return signals.replaced(params, f"{self.endpoint}{HANDLES}/", f"{self.endpoint_inside}{HANDLES}/")

    def signal_handle(self, path: str, body: bytes) -> None:
        """What somebody sends to a handle. ``path`` is that of its URL, decoded. Raises ValueError."""
        parts = path.removeprefix(HANDLES).strip("/").split("/")
        if len(parts) < 5:
            raise ValueError("There is no such wait condition handle.")
        account, region, stack_id = parts[0], parts[1], "/".join(parts[2:-2])
        scope = Scope(account, region)
        stack = self.records.stacks.get(scope, stack_id)
        handle = self.records.resource(scope, stack, parts[-2]) if stack else None
        if stack is None or handle is None or handle.now.token != parts[-1] or not handle.now.physical_id:
            raise ValueError("There is no such wait condition handle.")
        unique, signal = signals.message(body)
        waiting = [
            record
            for record in self.records.resources(scope, stack)
            if record.type == WaitCondition.name and record.now.properties.get("Handle") == handle.now.physical_id
        ]
        for record in waiting:
            self._signal(scope, stack, record, unique, signal)
        if not waiting:  # who waits for it looks at the handle first
            handle.signals.setdefault(unique, signal)
            self.records.put_resource(scope, handle)

    def signal_resource(self, request: Request, params: Params) -> dict[str, Any]:
        """SignalResource."""
        stack = self.records.stack(request.scope, params["StackName"])
        name = params["LogicalResourceId"]
        record = self.records.resource(request.scope, stack, name)
        if record is None:
            raise invalid(f"Resource {name} does not exist for stack {stack.name}")
        if not record.status.endswith("IN_PROGRESS"):
            told = f"Resource {name} is in {record.status} state and is not waiting for signals."  # (?)
            raise invalid(told)
        signal = {"status": params["Status"], "reason": "", "data": ""}
        self._signal(request.scope, stack, record, params["UniqueId"], signal)
        return {}

    def _signal(self, scope: Scope, stack: Stack, record: StackResource, unique: str, signal: dict[str, str]) -> None:
        if unique in record.signals:
            return
        record.signals[unique] = signal
        told = f"Received {signal['status']} signal with UniqueId {unique}"
        self.records.mark(scope, stack, record, record.status, told)
        self.controller.notice(stack.id)

    def validate(self) -> list[str]:
        """Invariants: what is complete is there, what is at work has a run, nothing of a deleted stack is left."""
        faults = []
        for scope, _, stack in self.records.stacks.all():
            records = self.records.resources(scope, stack)
            unfinished = [one.logical_id for one in records if one.status.endswith("_IN_PROGRESS")]
            if unfinished and not stack.under_way:
                faults.append(f"{stack.id} is {stack.status}, but {unfinished} are at work")
            if stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                failed = [one.logical_id for one in records if one.status.endswith("_FAILED")]
                if failed:
                    faults.append(f"{stack.id} is {stack.status}, but {failed} failed")
            if stack.under_way and not self.controller.works_on(stack.id):
                faults.append(f"{stack.id} is {stack.status}, but nobody works on it")
        return faults
