"""Where stacks, their resources, events and change sets are kept, and how they are found again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from drydock.services.cloudformation.faults import invalid
from drydock.services.cloudformation.lifecycle import may_follow
from drydock.services.cloudformation.model import STACK, ChangeSet, Event, Output, Stack, StackResource, Thing, Version
from drydock.services.cloudformation.parameters import HIDDEN
from drydock.services.service import Platform
from drydock.store import Scope


def without(value: Any, version: Version) -> Any:
    """A value in which the parameters that are not to be shown are not."""
    if isinstance(value, dict):
        return {key: without(one, version) for key, one in value.items()}
    if isinstance(value, list):
        return [without(one, version) for one in value]
    if isinstance(value, str):
        for name in version.hidden:
            if version.parameters.get(name):
                value = value.replace(version.parameters[name], HIDDEN)
    return value


class Records:
    """The collections, by the ids of stacks."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        store = platform.store
        self.stacks = store.collection(Stack, "cloudformation", "stack")
        self._resources = store.collection(StackResource, "cloudformation", "resource")
        self._events = store.collection(Event, "cloudformation", "event")
        self.change_sets = store.collection(ChangeSet, "cloudformation", "change-set")
        self.on_event: Callable[[Scope, Event], None] = lambda scope, event: None

    def now(self, scope: Scope) -> float:
        """The account's lab time."""
        return self._platform.clock(scope.account).now()

    def named(self, scope: Scope, name: str) -> Stack | None:
        """The stack of a name or an id; one that was deleted by its id only."""
        if name.startswith("arn:"):
            return self.stacks.get(scope, name)
        found = [one for one in self.stacks.of(scope) if one.name == name and not one.gone]
        return found[-1] if found else None

    def stack(self, scope: Scope, name: str, message: str = "Stack with id {} does not exist") -> Stack:
        """As :meth:`named`. Raises ValidationError."""
        found = self.named(scope, name)
        if found is None:
            raise invalid(message.format(name))
        return found

    def put(self, scope: Scope, stack: Stack) -> None:
        """Write it down."""
        self.stacks.put(scope, stack.id, stack)

    def go(self, scope: Scope, stack: Stack, status: str, reason: str = "") -> None:
        """The stack's next state, with its event."""
        assert stack.status == status or may_follow(stack.status, status), (stack.status, status)
        stack.status, stack.reason = status, reason
        self.put(scope, stack)
        self.tell(scope, stack, stack.name, stack.id, STACK, status, reason)

    def tell(
        self,
        scope: Scope,
        stack: Stack,
        logical_id: str,
        physical_id: str,
        kind: str,
        status: str,
        reason: str = "",
        properties: dict[str, Any] | None = None,
    ) -> None:
        """One event."""
        uuid = self._platform.ids.uuid(scope, "stack-event", stack.id)
        own = logical_id == stack.name and kind == STACK and physical_id == stack.id
        event_id = uuid if own else f"{logical_id}-{status}-{uuid}"
        shown = "" if properties is None else json.dumps(without(properties, stack.version), separators=(",", ":"))
        event = Event(
            event_id, stack.id, stack.name, logical_id, physical_id, kind, status, self.now(scope), reason, shown,
            stack.token,
        )  # fmt: skip
        self._events.put(scope, f"{stack.id}|{event_id}", event)
        self.on_event(scope, event)

    def events(self, scope: Scope, stack_id: str) -> list[Event]:
        """Of one stack, the latest first."""
        return [one for one in reversed(self._events.of(scope)) if one.stack_id == stack_id]

    def resource(self, scope: Scope, stack: Stack, logical_id: str) -> StackResource | None:
        """One of a stack's resources."""
        return self._resources.get(scope, f"{stack.id}|{logical_id}")

    def resources(self, scope: Scope, stack: Stack) -> list[StackResource]:
        """All of them, also those that have been deleted, in the order in which they were made."""
        return [one for one in self._resources.of(scope) if one.stack_id == stack.id]

    def put_resource(self, scope: Scope, resource: StackResource) -> None:
        """Write it down."""
        self._resources.put(scope, f"{resource.stack_id}|{resource.logical_id}", resource)

    def drop_resource(self, scope: Scope, resource: StackResource) -> None:
        """Forget it."""
        self._resources.delete(scope, f"{resource.stack_id}|{resource.logical_id}")

    def mark(
        self,
        scope: Scope,
        stack: Stack,
        resource: StackResource,
        status: str,
        reason: str = "",
        properties: bool = False,
    ) -> None:
        """The resource's next state, with its event."""
        resource.status, resource.reason, resource.changed = status, reason, self.now(scope)
        self.put_resource(scope, resource)
        shown = resource.now.properties if properties else None
        self.tell(scope, stack, resource.logical_id, resource.now.physical_id, resource.type, status, reason, shown)

    def new_thing(self, scope: Scope, stack: Stack, logical_id: str, kind: str) -> Thing:
        """What is to be made next under a logical id."""
        token = self._platform.ids.alphanumeric(scope, "stack-resource", f"{stack.id}/{logical_id}", 12)
        return Thing(kind, token=token)

    def exports(self, scope: Scope) -> dict[str, tuple[Stack, Output]]:
        """Every export of an account in a region, by its name."""
        return {
            output.export: (stack, output)
            for stack in self.stacks.of(scope)
            if not stack.gone
            for output in stack.outputs
            if output.export
        }

    def importers(self, scope: Scope, export: str) -> list[str]:
        """Names of the stacks that use an export."""
        return [one.name for one in self.stacks.of(scope) if not one.gone and export in one.imports]
