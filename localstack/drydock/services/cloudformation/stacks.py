"""Operations that begin something on a stack, or change what it is.

Source: API reference of CreateStack, UpdateStack, DeleteStack, CancelUpdateStack, ContinueUpdateRollback, RollbackStack.
"""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.cloudformation.asking import check_stack_name, refuse_properties
from drydock.services.cloudformation.base import CloudFormationOperations, Params, refuse
from drydock.services.cloudformation.bound import Bound
from drydock.services.cloudformation.faults import invalid
from drydock.services.cloudformation.lifecycle import MAY_BEGIN
from drydock.services.cloudformation.model import Output, Stack, StackResource, Version
from drydock.services.cloudformation.planning import plan
from drydock.services.cloudformation.working import changes
from drydock.store import Scope

INITIATED = "User Initiated"
NOTHING = "No updates are to be performed."


class StackOperations(CloudFormationOperations):
    """CreateStack, UpdateStack, DeleteStack, CancelUpdateStack, ContinueUpdateRollback, RollbackStack,
    UpdateTerminationProtection."""

    async def create_stack(self, request: Request, params: Params) -> dict[str, Any]:
        """CreateStack. ``ParentId`` is only given by a nested stack's own parent."""
        name, scope = params["StackName"], request.scope
        check_stack_name(name)
        on_failure = self._on_failure(params)
        there = self.records.named(scope, name)
        if there is not None:
            if params.get("ClientRequestToken") and there.token == params["ClientRequestToken"]:
                return {"StackId": there.id}
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists", 400)
        text = await self.asking.template(request, params)
        version = await self.asking.version(request, params, text)
        stack = self._new_stack(request, name, version, params)
        stack.on_failure = on_failure
        bound = await self.binding.bind(scope, stack, version, stack.caller.principal())
        refuse_properties(bound, self.lacking)
        self.asking.check_capabilities(bound.template, version.capabilities)
        if self.records.named(scope, name) is not None:  # while we were looking
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists", 400)
        stack.description = bound.template.description
        self.begin(scope, stack, "CREATE_IN_PROGRESS", INITIATED)
        return {"StackId": stack.id}

    @staticmethod
    def _on_failure(params: Params) -> Any:
        if params.get("OnFailure") and params.get("DisableRollback") is not None:
            raise invalid("You must specify either DisableRollback or OnFailure, not both.")  # (?)
        if params.get("DisableRollback"):
            return "DO_NOTHING"
        return params.get("OnFailure") or "ROLLBACK"

    def _new_stack(self, request: Request, name: str, version: Version, params: Params) -> Stack:
        scope = request.scope
        uuid = self.platform.ids.uuid(scope, "stack", name)
        stack_id = f"arn:aws:cloudformation:{scope.region}:{scope.account}:stack/{name}/{uuid}"
        minutes = params.get("TimeoutInMinutes")
        parent = params.get("ParentId") or ""
        above = self.records.stacks.get(scope, parent) if parent else None
        return Stack(
            stack_id,
            name,
            "REVIEW_IN_PROGRESS",
            self.records.now(scope),
            version,
            self.asking.caller(request, version.role_arn),
            timeout=None if minutes is None else minutes * 60.0,
            token=params.get("ClientRequestToken") or "",
            termination_protection=bool(params.get("EnableTerminationProtection")),
            retain_except_on_create=bool(params.get("RetainExceptOnCreate")),
            parent_id=parent,
            root_id=(above.root_id or above.id) if above else "",
        )

    def begin(self, scope: Scope, stack: Stack, status: str, reason: str = INITIATED) -> None:
        """The stack's next operation."""
        stack.began = self.records.now(scope)
        if stack.status == status == "CREATE_IN_PROGRESS":
            raise AssertionError(stack.id)
        self.records.go(scope, stack, status, reason)
        self.controller.look(scope, stack)

    async def update_stack(self, request: Request, params: Params) -> dict[str, Any]:
        """UpdateStack."""
        scope = request.scope
        stack = self.records.stack(scope, params["StackName"], "Stack [{}] does not exist")
        token = params.get("ClientRequestToken") or ""
        if token and stack.token == token and stack.under_way:
            return {"StackId": stack.id}
        self.check_may(stack, "UPDATE", "updated")
        if not any(params.get(name) for name in ("TemplateBody", "TemplateURL", "UsePreviousTemplate")):
            raise invalid("Either Template URL or Template Body must be specified.")
        text = await self.asking.template(request, params, stack)
        version = await self.asking.version(request, params, text, stack)
        found, bound = await self.plan(request, stack, version)
        if not found and not await self.outputs_change(scope, stack, version, bound):
            raise invalid(NOTHING)
        self.check_may(stack, "UPDATE", "updated")
        on_failure = "DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK"
        stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate"))
        self.begin_update(request, stack, version, on_failure, token)
        return {"StackId": stack.id}

    def check_may(self, stack: Stack, operation: str, done: str) -> None:
        """Raises ValidationError unless the stack's state allows it."""
        if stack.status not in MAY_BEGIN[operation]:
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be {done}.")

    def begin_update(self, request: Request, stack: Stack, version: Version, on_failure: Any, token: str) -> None:
        """From where it is to a version."""
        if stack.previous is None:
            stack.previous = stack.version
        stack.version, stack.on_failure, stack.token = version, on_failure, token
        stack.caller = self.asking.caller(request, version.role_arn)
        stack.updated = self.records.now(request.scope)
        self.begin(request.scope, stack, "UPDATE_IN_PROGRESS")

    async def plan(self, request: Request, stack: Stack, version: Version) -> tuple[list[dict[str, Any]], Bound]:
        """What a version would change. Raises ValidationError, NotImplemented."""
        scope = request.scope
        principal = self.asking.caller(request, version.role_arn).principal()
        bound = await self.binding.bind(scope, stack, version, principal)
        refuse_properties(bound, self.lacking)
        self.asking.check_capabilities(bound.template, version.capabilities)
        records = {one.logical_id: one for one in self.records.resources(scope, stack)}
        old = {**stack.version.parameters, **stack.version.resolved}
        new = {**version.parameters, **version.resolved}
        parameters = frozenset(name for name in new if new[name] != old.get(name))

        def with_resources(context: Any, unknown: frozenset[str]) -> Any:
            return self.binding.with_resources(scope, stack, context, unknown)

        def differ(record: StackResource, resource: Any, properties: dict[str, Any]) -> Any:
            return changes(record, resource, properties, version.tags)

        def planned() -> list[dict[str, Any]]:
            return plan(bound, records, with_resources, differ, parameters)

        return await self.binding.with_zones(scope, principal, planned), bound

    async def outputs_change(self, scope: Scope, stack: Stack, version: Version, bound: Bound) -> bool:
        """Whether a version that changes no resource changes anything else."""
        if stack.status in ("CREATE_FAILED", "UPDATE_FAILED"):
            return True
        if version.tags != stack.version.tags or version.role_arn != stack.version.role_arn:
            return True
        outputs: list[Output] = await self.binding.outputs(scope, stack, bound, set())
        return outputs != stack.outputs

    def delete_stack(self, request: Request, params: Params) -> dict[str, Any]:
        """DeleteStack; one that is not there is no error."""
        refuse(params, "DeletionMode")
        scope = request.scope
        stack = self.records.named(scope, params["StackName"])
        if stack is None or stack.gone:
            return {}
        if stack.termination_protection and not stack.parent_id:
            raise invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        retain = params.get("RetainResources") or []
        if retain and stack.status != "DELETE_FAILED":
            raise invalid(
                f"Invalid operation on stack [{stack.id}]. The Stack must be in the DELETE_FAILED state to specify"
                " RetainResources."  # (?)
            )
        known = {one.logical_id for one in self.records.resources(scope, stack)}
        if set(retain) - known:
            raise invalid(f"Resources [{', '.join(sorted(set(retain) - known))}] do not exist in the stack.")  # (?)
        for output in stack.outputs:
            users = self.records.importers(scope, output.export) if output.export else []
            if users:
                told = f"Cannot delete export {output.export} as it is in use by {' and '.join(users)}."
                raise invalid(f"Delete canceled. {told}")
        if stack.status == "DELETE_IN_PROGRESS":
            return {}
        if params.get("RoleARN"):
            self.asking.check_role(request.principal, params["RoleARN"])
        role = params.get("RoleARN") or stack.version.role_arn
        stack.caller = self.asking.caller(request, role)
        for change_set in self.records.change_sets.of(scope):
            if change_set.stack_id == stack.id:
                self.records.change_sets.delete(scope, change_set.id)
        stack.retain, stack.token = list(retain), params.get("ClientRequestToken") or ""
        self.begin(scope, stack, "DELETE_IN_PROGRESS")
        return {}

    def cancel_update_stack(self, request: Request, params: Params) -> dict[str, Any]:
        """CancelUpdateStack: the update is rolled back."""
        stack = self.records.stack(request.scope, params["StackName"], "Stack [{}] does not exist")
        if stack.status not in MAY_BEGIN["CANCEL"]:
            raise invalid(f"CancelUpdateStack cannot be called from current stack status {stack.status}")  # (?)
        self.begin(request.scope, stack, "UPDATE_ROLLBACK_IN_PROGRESS")
        return {}

    def continue_update_rollback(self, request: Request, params: Params) -> dict[str, Any]:
        """ContinueUpdateRollback."""
        scope = request.scope
        stack = self.records.stack(scope, params["StackName"], "Stack [{}] does not exist")
        self.check_may(stack, "CONTINUE_ROLLBACK", "continue rollback")
        skip = params.get("ResourcesToSkip") or []
        failed = {one.logical_id for one in self.records.resources(scope, stack) if one.status == "UPDATE_FAILED"}
        if set(skip) - failed:
            raise invalid("ResourcesToSkip must only name resources in the UPDATE_FAILED state.")  # (?)
        self._change_role(request, stack, params)
        stack.skip = list(skip)
        self.begin(scope, stack, "UPDATE_ROLLBACK_IN_PROGRESS")
        return {}

    def rollback_stack(self, request: Request, params: Params) -> dict[str, Any]:
        """RollbackStack, of a creation or an update that failed and was left as it was."""
        stack = self.records.stack(request.scope, params["StackName"])
        self.check_may(stack, "ROLLBACK", "rolled back")
        self._change_role(request, stack, params)
        status = "ROLLBACK_IN_PROGRESS" if stack.status == "CREATE_FAILED" else "UPDATE_ROLLBACK_IN_PROGRESS"
        self.begin(request.scope, stack, status)
        return {"StackId": stack.id}

    def _change_role(self, request: Request, stack: Stack, params: Params) -> None:
        if params.get("RoleARN"):
            self.asking.check_role(request.principal, params["RoleARN"])
            stack.version.role_arn = params["RoleARN"]
        stack.caller = self.asking.caller(request, stack.version.role_arn)
        stack.token = params.get("ClientRequestToken") or ""

    def update_termination_protection(self, request: Request, params: Params) -> dict[str, Any]:
        """UpdateTerminationProtection."""
        stack = self.records.stack(request.scope, params["StackName"], "Stack [{}] does not exist")
        stack.termination_protection = params["EnableTerminationProtection"]
        self.records.put(request.scope, stack)
        return {"StackId": stack.id}
