"""Operations that tell what there is."""

from __future__ import annotations

import json
from typing import Any

from drydock.clock import as_datetime
from drydock.request import Request
from drydock.services.cloudformation.base import Params, page
from drydock.services.cloudformation.bound import check_references
from drydock.services.cloudformation.faults import invalid
from drydock.services.cloudformation.model import Stack, StackResource
from drydock.services.cloudformation.parameters import HIDDEN
from drydock.services.cloudformation.stacks import StackOperations
from drydock.services.cloudformation.template import Template, parse
from drydock.store import Scope

_NOT_CHECKED = "NOT_CHECKED"


class DescribingOperations(StackOperations):
    """DescribeStacks, ListStacks, DescribeStackEvents, DescribeStackResource(s), ListStackResources, GetTemplate,
    GetTemplateSummary, ValidateTemplate, ListExports, ListImports, DescribeAccountLimits."""

    def describe_stacks(self, request: Request, params: Params) -> dict[str, Any]:
        """One, or all that have not been deleted; the latest first."""
        if params.get("StackName"):
            found = [self.records.stack(request.scope, params["StackName"])]
        else:
            found = [one for one in reversed(self.records.stacks.of(request.scope)) if not one.gone]
        shown, token = page(found, params)
        return {"Stacks": [self._stack(one) for one in shown], **token}

    def _stack(self, stack: Stack) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "StackId": stack.id,
            "StackName": stack.name,
            "Description": stack.description or None,
            "ChangeSetId": stack.change_set_id or None,
            "Parameters": _parameters(stack) if stack.version.template else [],
            "CreationTime": as_datetime(stack.created),
            "LastUpdatedTime": None if stack.updated is None else as_datetime(stack.updated),
            "DeletionTime": None if stack.deleted is None else as_datetime(stack.deleted),
            "RollbackConfiguration": {},
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason or None,
            "DisableRollback": stack.on_failure == "DO_NOTHING",
            "NotificationARNs": [],
            "TimeoutInMinutes": None if stack.timeout is None else int(stack.timeout // 60),
            "Capabilities": stack.version.capabilities,
            "Outputs": [one.describe() for one in stack.outputs],
            "RoleARN": stack.version.role_arn or None,
            "Tags": stack.version.tags,
            "EnableTerminationProtection": stack.termination_protection,
            "ParentId": stack.parent_id or None,
            "RootId": stack.root_id or None,
            "DriftInformation": {"StackDriftStatus": _NOT_CHECKED},
        }
        return {name: value for name, value in shown.items() if value is not None}

    def list_stacks(self, request: Request, params: Params) -> dict[str, Any]:
        """Also those that have been deleted."""
        wanted = params.get("StackStatusFilter") or []
        found = [one for one in reversed(self.records.stacks.of(request.scope)) if not wanted or one.status in wanted]
        shown, token = page(found, params)
        return {"StackSummaries": [_summary(one) for one in shown], **token}

    def describe_stack_events(self, request: Request, params: Params) -> dict[str, Any]:
        """The latest first."""
        if not params.get("StackName"):
            raise invalid("StackName is required")  # (?)
        stack = self.records.stack(request.scope, params["StackName"], "Stack [{}] does not exist")
        shown, token = page(self.records.events(request.scope, stack.id), params)
        return {"StackEvents": [one.describe() for one in shown], **token}

    def _present(self, scope: Scope, stack: Stack) -> list[StackResource]:
        return sorted(self.records.resources(scope, stack), key=lambda one: one.logical_id)

    def describe_stack_resources(self, request: Request, params: Params) -> dict[str, Any]:
        """Of a stack, or of the stack that a physical resource belongs to."""
        scope, name, physical = request.scope, params.get("StackName"), params.get("PhysicalResourceId")
        if name and physical:
            raise invalid("Both StackName and PhysicalResourceId cannot be specified")  # (?)
        if physical:
            stack = self._owner(scope, physical)
        elif name:
            stack = self.records.stack(scope, name)
        else:
            raise invalid("Either StackName or PhysicalResourceId must be specified")  # (?)
        wanted = params.get("LogicalResourceId")
        found = [one for one in self._present(scope, stack) if wanted in (None, one.logical_id)]
        if wanted and not found:
            raise invalid(f"Resource {wanted} does not exist for stack {stack.name}")
        return {"StackResources": [_resource(one, stack, "Timestamp") for one in found]}

    def _owner(self, scope: Scope, physical: str) -> Stack:
        for stack in self.records.stacks.of(scope):
            if not stack.gone and any(one.now.physical_id == physical for one in self.records.resources(scope, stack)):
                return stack
        raise invalid(f"Stack for {physical} does not exist")

    def describe_stack_resource(self, request: Request, params: Params) -> dict[str, Any]:
        """One, with its metadata."""
        stack = self.records.stack(request.scope, params["StackName"], "Stack '{}' does not exist")
        name = params["LogicalResourceId"]
        record = self.records.resource(request.scope, stack, name)
        if record is None:
            raise invalid(f"Resource {name} does not exist for stack {stack.name}")
        metadata = {} if record.now.metadata is None else {"Metadata": json.dumps(record.now.metadata)}
        return {"StackResourceDetail": {**_resource(record, stack, "LastUpdatedTimestamp"), **metadata}}

    def list_stack_resources(self, request: Request, params: Params) -> dict[str, Any]:
        """In short."""
        stack = self.records.stack(request.scope, params["StackName"])
        shown, token = page(self._present(request.scope, stack), params)
        found = []
        for record in shown:
            one = _resource(record, stack, "LastUpdatedTimestamp")
            found.append({name: value for name, value in one.items() if name not in ("StackId", "StackName")})
        return {"StackResourceSummaries": found, **token}

    def get_template(self, request: Request, params: Params) -> dict[str, Any]:
        """As it was given: no transform here has a form of its own to show."""
        if params.get("ChangeSetName"):
            change_set = self.find_change_set(request.scope, params["ChangeSetName"], params.get("StackName"))
            text = change_set.version.template
        elif params.get("StackName"):
            stack = self.records.stack(request.scope, params["StackName"])
            text = stack.version.template
        else:
            raise invalid("StackName is required if ChangeSetName is not specified.")
        return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}

    def find_change_set(self, scope: Scope, name: str, stack_name: str | None) -> Any:
        """Raises ChangeSetNotFoundException."""
        raise NotImplementedError

    async def get_template_summary(self, request: Request, params: Params) -> dict[str, Any]:
        """Of a template, or of a stack's."""
        if params.get("StackName"):
            if params.get("TemplateBody") or params.get("TemplateURL"):
                raise invalid("StackName cannot be specified with TemplateBody or TemplateURL.")  # (?)
            text = self.records.stack(request.scope, params["StackName"]).version.template
        else:
            text = await self.asking.template(request, params)
        template = parse(text)
        identifiers: dict[str, list[str]] = {}
        for resource in template.resources.values():
            identifiers.setdefault(resource.type, []).append(resource.name)
        shown: dict[str, Any] = {
            "Parameters": [one.describe() for one in template.parameters.values()],
            "ResourceTypes": [one.type for one in template.resources.values()],
            "Version": str(template.tree.get("AWSTemplateFormatVersion", "2010-09-09")),
            "ResourceIdentifierSummaries": [
                {"ResourceType": kind, "LogicalResourceIds": names} for kind, names in identifiers.items()
            ],
            **_acknowledged(template),
        }
        if "Metadata" in template.tree:
            shown["Metadata"] = json.dumps(template.tree["Metadata"])
        return shown

    async def validate_template(self, request: Request, params: Params) -> dict[str, Any]:
        """ValidateTemplate: its form, its types and what it refers to."""
        template = parse(await self.asking.template(request, params))
        self.check_form(template)
        return {
            "Parameters": [
                {
                    "ParameterKey": one.name,
                    "NoEcho": one.no_echo,
                    **({"DefaultValue": one.default} if one.default is not None else {}),
                    **({"Description": one.description} if one.description else {}),
                }
                for one in template.parameters.values()
            ],
            **_acknowledged(template),
        }

    def check_form(self, template: Template) -> None:
        """What can be said without parameters. Raises ValidationError."""
        check_references(template.tree, template.resources, template.parameters)

    def list_exports(self, request: Request, params: Params) -> dict[str, Any]:
        """By their names."""
        exports = sorted(self.records.exports(request.scope).items())
        shown, token = page(exports, params)
        found = [{"ExportingStackId": s.id, "Name": name, "Value": o.value} for name, (s, o) in shown]
        return {"Exports": found, **token}

    def list_imports(self, request: Request, params: Params) -> dict[str, Any]:
        """Stacks that use an export."""
        name = params["ExportName"]
        if name not in self.records.exports(request.scope):
            raise invalid(f"Export '{name}' does not exist.")  # (?)
        users = self.records.importers(request.scope, name)
        if not users:
            raise invalid(f"Export '{name}' is not imported by any stack.")
        shown, token = page(users, params)
        return {"Imports": shown, **token}

    def describe_account_limits(self, request: Request, params: Params) -> dict[str, Any]:
        """AWS's own; none is enforced but those of a template."""
        limits = {"StackLimit": 2000, "StackOutputsLimit": 200, "ConcurrentResourcesLimit": 2500}
        return {"AccountLimits": [{"Name": name, "Value": value} for name, value in limits.items()]}


def _parameters(stack: Stack) -> list[dict[str, Any]]:
    shown = []
    for name, value in stack.version.parameters.items():
        one = {"ParameterKey": name, "ParameterValue": HIDDEN if name in stack.version.hidden else value}
        if name in stack.version.resolved:
            one["ResolvedValue"] = stack.version.resolved[name]
        shown.append(one)
    return shown


def _summary(stack: Stack) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "StackId": stack.id,
        "StackName": stack.name,
        "TemplateDescription": stack.description or None,
        "CreationTime": as_datetime(stack.created),
        "LastUpdatedTime": None if stack.updated is None else as_datetime(stack.updated),
        "DeletionTime": None if stack.deleted is None else as_datetime(stack.deleted),
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason or None,
        "ParentId": stack.parent_id or None,
        "RootId": stack.root_id or None,
        "DriftInformation": {"StackDriftStatus": _NOT_CHECKED},
    }
    return {name: value for name, value in shown.items() if value is not None}


def _resource(record: StackResource, stack: Stack, timestamp: str) -> dict[str, Any]:
    shown = {
        "StackName": stack.name,
        "StackId": stack.id,
        "LogicalResourceId": record.logical_id,
        "PhysicalResourceId": record.now.physical_id,
        "ResourceType": record.type,
        timestamp: as_datetime(record.changed),
        "ResourceStatus": record.status,
        "ResourceStatusReason": record.reason or None,
        "DriftInformation": {"StackResourceDriftStatus": _NOT_CHECKED},
    }
    return {name: value for name, value in shown.items() if value not in (None, "")}


def _acknowledged(template: Template) -> dict[str, Any]:
    shown: dict[str, Any] = {"Capabilities": template.capabilities()}
    if template.description:
        shown["Description"] = template.description
    if template.capabilities_reason():
        shown["CapabilitiesReason"] = template.capabilities_reason()
    return {**shown, "DeclaredTransforms": template.transforms}
