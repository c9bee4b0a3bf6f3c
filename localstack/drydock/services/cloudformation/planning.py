"""What an update would change, found out before it begins. Pure but for the context it evaluates with.

Source: DescribeChangeSet's ResourceChange in the API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drydock.services.cloudformation.bound import Bound
from drydock.services.cloudformation.diff import Difference
from drydock.services.cloudformation.graph import ready
from drydock.services.cloudformation.intrinsics import Context, evaluate, references, unknown
from drydock.services.cloudformation.model import StackResource
from drydock.services.cloudformation.template import Resource

Differ = Callable[[StackResource, Resource, dict[str, Any]], Difference]
WithResources = Callable[[Context, frozenset[str]], Context]


def plan(
    bound: Bound,
    records: Mapping[str, StackResource],
    with_resources: WithResources,
    differ: Differ,
    changed_parameters: frozenset[str] = frozenset(),
) -> list[dict[str, Any]]:
    """The changes, as DescribeChangeSet shows them, in the order of the template; what goes comes last."""
    found: dict[str, dict[str, Any]] = {}
    new: set[str] = set()
    done: set[str] = set()
    while names := ready(bound.needs, done, done):
        for name in names:
            change = _of_resource(bound, name, records, with_resources, differ, changed_parameters, new)
            if change is not None:
                found[name] = change
        done |= set(names)
    ordered = [found[name] for name in bound.resources if name in found]
    return [*ordered, *(_removal(one) for name, one in records.items() if one.exists and name not in bound.resources)]


def _of_resource(
    bound: Bound,
    name: str,
    records: Mapping[str, StackResource],
    with_resources: WithResources,
    differ: Differ,
    changed_parameters: frozenset[str],
    new: set[str],
) -> dict[str, Any] | None:
    resource, record = bound.resources[name], records.get(name)
    if record is None or not record.exists:
        new.add(name)
        return _change("Add", name, "", resource.type)
    context = with_resources(bound.context, frozenset(new))
    properties = evaluate(resource.properties, context)
    if record.type != resource.type:
        new.add(name)
        return _change("Modify", name, record.now.physical_id, resource.type, "True", ["Properties"], [])
    metadata = evaluate(resource.metadata, context)
    if unknown(metadata):
        metadata = record.now.metadata
    difference = differ(record, _with_metadata(resource, metadata), properties)
    if not difference.any:
        return None
    if difference.replacement != "False":
        new.add(name)
    scope = (["Properties"] if difference.changed else []) + (["Metadata"] if difference.metadata else [])
    details = [_detail(resource, one, difference, changed_parameters, new) for one in sorted(difference.changed)]
    if difference.metadata:
        target = {"Attribute": "Metadata", "RequiresRecreation": "Never"}
        details.append({"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"})
    shown = _change("Modify", name, record.now.physical_id, resource.type, difference.replacement, scope, details)
    return shown


def _with_metadata(resource: Resource, metadata: Any) -> Resource:
    return Resource(**{**vars(resource), "metadata": metadata})


def _detail(
    resource: Resource, name: str, difference: Difference, parameters: frozenset[str], new: set[str]
) -> dict[str, Any]:
    recreation = "Never"
    if name in difference.replacing:
        recreation = "Always"
    elif name in difference.perhaps:
        recreation = "Conditionally"
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}
    evaluation = "Dynamic" if name in difference.uncertain else "Static"
    shown: dict[str, Any] = {"Target": target, "Evaluation": evaluation, "ChangeSource": "DirectModification"}
    for reference in references(resource.properties.get(name)):
        if reference.kind == "Ref" and reference.name in parameters:
            return {**shown, "ChangeSource": "ParameterReference", "CausingEntity": reference.name}
        if reference.kind == "Ref" and reference.name in new:
            return {**shown, "ChangeSource": "ResourceReference", "CausingEntity": reference.name}
        if reference.kind == "GetAtt" and reference.name in new:
            entity = f"{reference.name}.{reference.attribute}"
            return {**shown, "ChangeSource": "ResourceAttribute", "CausingEntity": entity}
    return shown


def _removal(record: StackResource) -> dict[str, Any]:
    shown = _change("Remove", record.logical_id, record.now.physical_id, record.type)
    policy = record.now.deletion_policy
    shown["ResourceChange"]["PolicyAction"] = "Retain" if policy.startswith("Retain") else "Delete"
    return shown


def _change(
    action: str,
    name: str,
    physical_id: str,
    kind: str,
    replacement: str = "",
    scope: list[str] | None = None,
    details: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    change: dict[str, Any] = {"Action": action, "LogicalResourceId": name, "ResourceType": kind}
    if physical_id:
        change["PhysicalResourceId"] = physical_id
    if replacement:
        change["Replacement"] = replacement
        if replacement == "True":
            change["PolicyAction"] = "ReplaceAndDelete"
    return {"Type": "Resource", "ResourceChange": {**change, "Scope": scope or [], "Details": details or []}}
