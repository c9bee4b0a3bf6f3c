"""Change sets.

Source: API reference of CreateChangeSet, DescribeChangeSet, ExecuteChangeSet, DeleteChangeSet, ListChangeSets.
"""

from __future__ import annotations

import re
from typing import Any

from drydock.clock import as_datetime
from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.cloudformation.asking import check_stack_name
from drydock.services.cloudformation.base import Params, page
from drydock.services.cloudformation.describing import DescribingOperations
from drydock.services.cloudformation.faults import invalid
from drydock.services.cloudformation.model import ChangeSet, Stack, Version
from drydock.services.cloudformation.parameters import HIDDEN
from drydock.services.cloudformation.stacks import INITIATED
from drydock.services.cloudformation.template import parse
from drydock.store import Scope

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")


class ChangeSetOperations(DescribingOperations):
    """CreateChangeSet, DescribeChangeSet, ExecuteChangeSet, DeleteChangeSet, ListChangeSets."""

    def find_change_set(self, scope: Scope, name: str, stack_name: str | None) -> ChangeSet:
        """By its ARN, or its name and its stack's. Raises ChangeSetNotFoundException."""
        if name.startswith("arn:"):
            found = self.records.change_sets.get(scope, name)
        else:
            if not stack_name:
                raise invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
            stack = self.records.named(scope, stack_name)
            if stack is None:
                raise AwsError("ChangeSetNotFoundException", f"ChangeSet [{name}] does not exist", 404)
            found = next((one for one in self._of(scope, stack) if one.name == name), None)
        if found is None:
            raise AwsError("ChangeSetNotFoundException", f"ChangeSet [{name}] does not exist", 404)
        return found

    def _of(self, scope: Scope, stack: Stack) -> list[ChangeSet]:
        return [one for one in self.records.change_sets.of(scope) if one.stack_id == stack.id]

    async def create_change_set(self, request: Request, params: Params) -> dict[str, Any]:
        """CreateChangeSet, of a stack that is there or (CREATE) of one that is to be made."""
        scope, name, kind = request.scope, params["ChangeSetName"], params.get("ChangeSetType") or "UPDATE"
        if not _NAME.fullmatch(name):
            raise invalid(
                f"1 validation error detected: Value '{name}' at 'changeSetName' failed to satisfy constraint: Member must"
                " satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
            )
        if kind == "IMPORT":
            raise NotImplementedByDrydock("cloudformation", "CreateChangeSet", "Importing resources is not part of it.")
        stack = self.records.named(scope, params["StackName"])
        if kind == "CREATE":
            if stack is None:
                check_stack_name(params["StackName"])
            elif stack.status != "REVIEW_IN_PROGRESS":
                raise invalid(
                    f"Stack [{stack.name}] already exists and cannot be created again with the changeSet [{name}]."
                )
        elif stack is None:
            raise invalid(f"Stack [{params['StackName']}] does not exist")
        else:
            self.check_may(stack, "UPDATE", "updated")
        if stack is not None and any(one.name == name for one in self._of(scope, stack)):
            raise AwsError("AlreadyExistsException", f"ChangeSet {name} already exists", 409)  # (?)
        before = stack if kind == "UPDATE" else None
        text = await self.asking.template(request, params, before)
        version = await self.asking.version(request, params, text, before)
        fresh = stack or self._new_stack(request, params["StackName"], version, {})
        changes, bound = await self.plan(request, fresh, version)
        empty = not changes and (kind == "CREATE" or not await self.outputs_change(scope, fresh, version, bound))
        if stack is None:
            stack = self._under_review(scope, fresh)
        change_set = self._change_set(request, stack, kind, version, changes, params)
        if empty:
            change_set.status, change_set.reason, change_set.execution_status = "FAILED", NO_CHANGES, "UNAVAILABLE"
        self.records.change_sets.put(scope, change_set.id, change_set)
        return {"Id": change_set.id, "StackId": stack.id}

    def _under_review(self, scope: Scope, stack: Stack) -> Stack:
        stack.version = Version("")
        self.records.go(scope, stack, "REVIEW_IN_PROGRESS", INITIATED)
        return stack

    def _change_set(
        self, request: Request, stack: Stack, kind: Any, version: Version, changes: list[Params], params: Params
    ) -> ChangeSet:
        scope, name = request.scope, params["ChangeSetName"]
        uuid = self.platform.ids.uuid(scope, "change-set", f"{stack.id}/{name}")
        failure = params.get("OnStackFailure") or ""
        return ChangeSet(
            f"arn:aws:cloudformation:{scope.region}:{scope.account}:changeSet/{name}/{uuid}",
            name,
            stack.id,
            stack.name,
            kind,
            version,
            self.records.now(scope),
            description=params.get("Description") or "",
            changes=changes,
            on_failure=failure,
        )

    def describe_change_set(self, request: Request, params: Params) -> dict[str, Any]:
        """With its changes."""
        change_set = self.find_change_set(request.scope, params["ChangeSetName"], params.get("StackName"))
        shown, token = page(change_set.changes, params)
        hidden = change_set.version.hidden
        return {
            **self._summary_of(request.scope, change_set),
            "Parameters": [
                {"ParameterKey": name, "ParameterValue": HIDDEN if name in hidden else value}
                for name, value in change_set.version.parameters.items()
            ],
            "NotificationARNs": [],
            "RollbackConfiguration": {},
            "Capabilities": change_set.version.capabilities,
            "Tags": change_set.version.tags,
            "Changes": shown,
            **({"OnStackFailure": change_set.on_failure} if change_set.on_failure else {}),
            **token,
        }

    def _summary_of(self, scope: Scope, change_set: ChangeSet) -> dict[str, Any]:
        self._follow(scope, change_set)
        shown = {
            "ChangeSetName": change_set.name,
            "ChangeSetId": change_set.id,
            "StackId": change_set.stack_id,
            "StackName": change_set.stack_name,
            "Description": change_set.description or None,
            "CreationTime": as_datetime(change_set.created),
            "ExecutionStatus": change_set.execution_status,
            "Status": change_set.status,
            "StatusReason": change_set.reason or None,
            "IncludeNestedStacks": False,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _follow(self, scope: Scope, change_set: ChangeSet) -> None:
        """An execution ends with its stack's operation."""
        stack = self.records.stacks.get(scope, change_set.stack_id)
        if change_set.execution_status != "EXECUTE_IN_PROGRESS" or stack is None or stack.under_way:
            return
        done = stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        change_set.execution_status = "EXECUTE_COMPLETE" if done else "EXECUTE_FAILED"
        self.records.change_sets.put(scope, change_set.id, change_set)

    def execute_change_set(self, request: Request, params: Params) -> dict[str, Any]:
        """ExecuteChangeSet; the stack's other change sets are forgotten."""
        scope = request.scope
        change_set = self.find_change_set(scope, params["ChangeSetName"], params.get("StackName"))
        stack = self.records.stack(scope, change_set.stack_id)
        token = params.get("ClientRequestToken") or ""
        if change_set.execution_status != "AVAILABLE":
            if token and change_set.token == token:
                return {}
            state = change_set.status if change_set.status == "FAILED" else change_set.execution_status
            raise AwsError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{state}]",
                400,
            )
        disabled = params.get("DisableRollback")
        on_failure = change_set.on_failure or ("DO_NOTHING" if disabled else "ROLLBACK")
        if change_set.type == "UPDATE":
            self.check_may(stack, "UPDATE", "updated")
        change_set.execution_status, change_set.token = "EXECUTE_IN_PROGRESS", token
        self.records.change_sets.put(scope, change_set.id, change_set)
        for other in self._of(scope, stack):
            if other.id != change_set.id:
                self.records.change_sets.delete(scope, other.id)
        stack.change_set_id = change_set.id
        if change_set.type == "CREATE":
            stack.version, stack.on_failure, stack.token = change_set.version, on_failure, token  # type: ignore[assignment]
            stack.caller = self.asking.caller(request, stack.version.role_arn)
            stack.description = parse(stack.version.template).description
            self.begin(scope, stack, "CREATE_IN_PROGRESS")
        else:
            self.begin_update(request, stack, change_set.version, on_failure, token)
        return {}

    def delete_change_set(self, request: Request, params: Params) -> dict[str, Any]:
        """DeleteChangeSet."""
        scope = request.scope
        try:
            change_set = self.find_change_set(scope, params["ChangeSetName"], params.get("StackName"))
        except AwsError as error:
            if error.code == "ChangeSetNotFoundException":
                return {}
            raise
        self._follow(scope, change_set)
        if change_set.execution_status == "EXECUTE_IN_PROGRESS":
            raise AwsError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be deleted in its current status of [EXECUTE_IN_PROGRESS]",  # (?)
                400,
            )
        self.records.change_sets.delete(scope, change_set.id)
        return {}

    def list_change_sets(self, request: Request, params: Params) -> dict[str, Any]:
        """Of a stack."""
        stack = self.records.stack(request.scope, params["StackName"], "Stack [{}] does not exist")
        shown, token = page(self._of(request.scope, stack), params)
        return {"Summaries": [self._summary_of(request.scope, one) for one in shown], **token}
