"""A template with given parameters: conditions decided, loops written out, everything that is named found. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.cloudformation import extensions, graph
from drydock.services.cloudformation.conditions import check_rules, conditions_of
from drydock.services.cloudformation.faults import format_error, template_error
from drydock.services.cloudformation.intrinsics import IN_CONDITIONS, IN_VALUES, Context, functions, references
from drydock.services.cloudformation.parameters import Parameter
from drydock.services.cloudformation.schemas import schema_of
from drydock.services.cloudformation.template import Resource, Template, check_outputs, resources_of


@dataclass
class Bound:
    """A template with its parameters: conditions decided, loops written out, references found."""

    template: Template
    context: Context
    """Without resources: those who evaluate put theirs in"""
    resources: dict[str, Resource]
    """Those whose condition holds, in the template's order"""
    outputs: dict[str, Any]
    needs: dict[str, frozenset[str]]
    """Of each resource those that it waits for"""


def bind(template: Template, context: Context) -> Bound:
    """The template with what its parameters make of it. Raises ValidationError."""
    tree = template.tree
    context = replace(context, mappings=tree.get("Mappings") or {}, extended=template.extended)
    resources = template.resources
    if template.extended:
        tree = extensions.expand(tree, context)
        resources = resources_of(tree["Resources"], template.parameters)
        check_outputs(tree.get("Outputs") or {})
        template = replace(template, resources=resources)
    check_rules(tree.get("Rules") or {}, context)
    _check_conditions(tree.get("Conditions") or {}, template.parameters)
    context = replace(context, conditions=conditions_of(tree.get("Conditions") or {}, context))
    check_references(tree, resources, template.parameters)
    active = {name: one for name, one in resources.items() if _holds(one.condition, context, "Resources")}
    outputs = {
        name: one
        for name, one in (tree.get("Outputs") or {}).items()
        if _holds(one.get("Condition") or "", context, "Outputs")
    }
    needs = {one.name: _needs(one, resources, active, context) for one in active.values()}
    absent = sorted(
        {
            reference.name
            for output in outputs.values()
            for reference in references(output["Value"], context.conditions)
            if reference.kind in ("Ref", "GetAtt") and reference.name in resources and reference.name not in active
        }
    )
    if absent:
        raise unresolved(absent, "Outputs")
    graph.check_acyclic(needs)
    return Bound(template, context, active, outputs, needs)


def _holds(condition: str, context: Context, block: str) -> bool:
    if not condition:
        return True
    if condition not in context.conditions:
        raise format_error(f"Unresolved condition dependency {condition} in the {block} block of the template")
    return context.conditions[condition]


def _needs(
    resource: Resource, declared_: Mapping[str, Resource], active: Mapping[str, Resource], context: Context
) -> frozenset[str]:
    found: set[str] = set()
    absent: set[str] = set()
    for reference in references([resource.properties, resource.metadata], context.conditions):
        if reference.kind in ("Ref", "GetAtt") and reference.name in declared_:
            (found if reference.name in active else absent).add(reference.name)
    if absent:
        raise unresolved(sorted(absent), "Resources")
    found |= {name for name in resource.depends_on if name in active}
    if resource.name in found:
        raise graph.circular([resource.name])
    return frozenset(found)


def unresolved(names: Iterable[str], block: str) -> AwsError:
    """The error for references to what is not there."""
    return format_error(f"Unresolved resource dependencies [{', '.join(names)}] in the {block} block of the template")


PSEUDO = {
    *("AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region", "AWS::StackId"),
    *("AWS::StackName", "AWS::URLSuffix"),
}


def _check_conditions(conditions: dict[str, Any], parameters: Mapping[str, Parameter]) -> None:
    strange = sorted(
        {
            reference.name
            for reference in references(list(conditions.values()))
            if reference.kind == "GetAtt"
            or (reference.kind == "Ref" and reference.name not in parameters and reference.name not in PSEUDO)
        }
    )
    if strange:
        raise format_error(
            f"Unresolved dependencies [{', '.join(strange)}]. Cannot reference resources in the Conditions block of the"
            " template"
        )


def check_references(
    tree: dict[str, Any], resources: Mapping[str, Resource], parameters: Mapping[str, Parameter]
) -> None:
    """Everything that is named is there, whether or not a condition takes it away."""
    parts = [("Resources", [[one.properties, one.metadata, one.creation_policy] for one in resources.values()])]
    parts.append(("Outputs", list((tree.get("Outputs") or {}).values())))
    conditions = tree.get("Conditions") or {}
    _check_functions([nodes for _, nodes in parts])
    for block, nodes in parts:
        missing: dict[str, None] = {}
        for reference in references([_without_condition(node) for node in nodes]):
            name = reference.name
            if reference.kind == "Ref":
                if name not in parameters and name not in resources and name not in PSEUDO:
                    missing[name] = None
            elif reference.kind == "GetAtt":
                if name not in resources:
                    raise template_error(f"instance of Fn::GetAtt references undefined resource {name}")
                _check_attribute(resources[name], reference.attribute)
            elif name not in conditions:
                raise format_error(f"Unresolved condition dependency {name} in the {block} block of the template")
        if missing:
            raise unresolved(missing, block)
    absent = [need for one in resources.values() for need in one.depends_on if need not in resources]
    if absent:
        raise unresolved(dict.fromkeys(absent), "Resources")


def _check_functions(node: Any) -> None:
    """Raises ValidationError, NotImplemented for Fn::Transform and others that AWS has."""
    for name in functions(node):
        if name in ("Fn::Transform", "Fn::GetStackOutput"):
            raise NotImplementedByDrydock("cloudformation", "CreateStack", f"{name} is not part of it.")
        if name not in IN_VALUES and name not in IN_CONDITIONS:
            raise format_error(f"Unrecognized function: {name}")  # (?)


def _without_condition(node: Any) -> Any:
    """An output's own Condition is no function."""
    return {key: value for key, value in node.items() if key != "Condition"} if isinstance(node, dict) else node


def _check_attribute(resource: Resource, attribute: str) -> None:
    if not attribute or attribute in attributes_of(resource.type):
        return
    if resource.type == "AWS::CloudFormation::Stack" and attribute.startswith("Outputs."):
        return
    raise template_error(f"resource {resource.name} does not support attribute type {attribute} in Fn::GetAtt")


FURTHER_ATTRIBUTES = {
    "AWS::EC2::Subnet": {"VpcId", "CidrBlock", "AvailabilityZone"},
    "AWS::EC2::VPC": {"CidrBlock"},
    "AWS::EC2::SecurityGroup": {"VpcId"},
    "AWS::EC2::Instance": {"AvailabilityZone"},
    "AWS::CloudFormation::WaitCondition": {"Data"},
    "AWS::SSM::Parameter": {"Type", "Value"},
    "AWS::SNS::Topic": {"TopicName"},
    "AWS::SQS::Queue": {"QueueName"},
    "AWS::ElasticLoadBalancingV2::TargetGroup": {"TargetGroupName"},
    "AWS::ECS::Service": {"Name"},
}
"""Attributes of Fn::GetAtt that the schemas have as ordinary properties ("Resource and property types reference")"""


def attributes_of(kind: str) -> frozenset[str]:
    """What Fn::GetAtt gives of a type."""
    return schema_of(kind).read_only | frozenset(FURTHER_ATTRIBUTES.get(kind, ()))
