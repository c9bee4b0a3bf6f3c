"""A template: its sections taken apart and checked, and what becomes of it with given parameters. Pure.

Source: "Template anatomy" of the CloudFormation User Guide and what CreateStack answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.cloudformation import extensions
from drydock.services.cloudformation.faults import format_error, invalid, template_error
from drydock.services.cloudformation.intrinsics import Context, function_of, text_of
from drydock.services.cloudformation.loading import load
from drydock.services.cloudformation.parameters import Parameter, declared
from drydock.services.cloudformation.schemas import every_type, schema_of

MOST_RESOURCES, MOST_OUTPUTS, MOST_MAPPINGS, LONGEST_DESCRIPTION = 500, 200, 200, 1024
_SECTIONS = {
    *("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions", "Rules"),
    *("Transform", "Resources", "Outputs", "Hooks"),
}
_ATTRIBUTES = {
    *("Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy"),
    *("UpdatePolicy", "Metadata"),
}
_NAME = re.compile(r"[A-Za-z0-9]{1,255}")
_CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")
_POLICIES = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")
_NAMING = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
}
_IAM = {*_NAMING, "AWS::IAM::Policy", "AWS::IAM::AccessKey", "AWS::IAM::UserToGroupAddition"}
_SIGNALLED = {"AWS::EC2::Instance", "AWS::AutoScaling::AutoScalingGroup", "AWS::CloudFormation::WaitCondition"}


@dataclass
class Resource:
    """One of the Resources section, its functions not evaluated."""

    name: str
    type: str
    properties: dict[str, Any] = field(default_factory=dict)
    depends_on: list[str] = field(default_factory=list)
    condition: str = ""
    deletion_policy: str = ""
    replace_policy: str = ""
    creation_policy: dict[str, Any] = field(default_factory=dict)
    metadata: Any = None


@dataclass
class Template:
    """A template that has a template's form."""

    text: str
    tree: dict[str, Any]
    parameters: dict[str, Parameter]
    resources: dict[str, Resource]
    description: str = ""
    transforms: list[str] = field(default_factory=list)

    @property
    def outputs(self) -> dict[str, Any]:
        """The Outputs section, not evaluated."""
        return dict(self.tree.get("Outputs") or {})

    @property
    def extended(self) -> bool:
        """Whether AWS::LanguageExtensions is asked for."""
        return extensions.NAME in self.transforms

    def capabilities(self) -> list[str]:
        """What a caller must acknowledge."""
        needs = []
        found = [one for one in self.resources.values() if one.type in _IAM]
        if found:
            named = any(_NAMING.get(one.type) in one.properties for one in found)
            needs.append("CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM")
        if self.transforms:
            needs.append("CAPABILITY_AUTO_EXPAND")
        return needs

    def capabilities_reason(self) -> str:
        """Why; empty if nothing must be acknowledged."""
        types = sorted({one.type for one in self.resources.values() if one.type in _IAM})
        return f"The following resource(s) require capabilities: [{', '.join(types)}]" if types else ""


def parse(text: str) -> Template:
    """A template's text, taken apart. Raises ValidationError, and NotImplemented for what AWS has and we lack."""
    tree = load(text)
    strange = sorted(set(tree) - _SECTIONS)
    if strange:
        raise invalid(f"Invalid template property or properties [{', '.join(strange)}]")
    version = tree.get("AWSTemplateFormatVersion", "2010-09-09")
    if text_of(version) != "2010-09-09":
        raise format_error("Template format version not supported")  # (?)
    description = tree.get("Description") or ""
    if not isinstance(description, str):
        raise format_error("Every Description member must be a string.")
    if len(description.encode()) > LONGEST_DESCRIPTION:
        raise format_error("'Description' length is greater than 1024.")
    if tree.get("Hooks"):
        raise NotImplementedByDrydock("cloudformation", "CreateStack", "Hooks of a template are not part of it.")
    transforms = _transforms(tree)
    if not isinstance(tree.get("Resources"), dict) or not tree["Resources"]:
        raise format_error("At least one Resources member must be defined.")
    for section, most in (("Mappings", MOST_MAPPINGS), ("Conditions", 500), ("Outputs", MOST_OUTPUTS), ("Rules", 500)):
        body = tree.get(section)
        if body is not None and not isinstance(body, dict):
            raise format_error("unsupported structure.")
        if body is not None and len(body) > most:
            raise format_error(f"Number of {section.lower()}, {len(body)}, is greater than maximum allowed, {most}")
    _check_mappings(tree.get("Mappings") or {})
    parameters = declared(tree.get("Parameters") or {})
    template = Template(text, tree, parameters, {}, description, transforms)
    if extensions.NAME in transforms:
        _look_into_loops(template)
    else:
        template.resources = resources_of(tree["Resources"], parameters)
        check_outputs(tree.get("Outputs") or {})
    return template


def _look_into_loops(template: Template) -> None:
    """What the defaults of the parameters make of them, if every parameter has one; else only :func:`bind` tells."""
    parameters = template.parameters
    if any(one.default is None for one in parameters.values()):
        return
    values = {name: one.value(one.default or "") for name, one in parameters.items()}
    mappings = template.tree.get("Mappings") or {}
    whole = extensions.expand(template.tree, Context(values, mappings=mappings, extended=True))
    template.resources = resources_of(whole["Resources"], parameters)
    check_outputs(whole.get("Outputs") or {})


def _transforms(tree: dict[str, Any]) -> list[str]:
    given = tree.get("Transform") or []
    names = given if isinstance(given, list) else [given]
    for name in names:
        if name != extensions.NAME:
            called = name.get("Name") if isinstance(name, dict) else name
            raise NotImplementedByDrydock(
                "cloudformation", "CreateStack", f"The transform {called} is not part of it; {extensions.NAME} is."
            )
    return [str(name) for name in names]


def _check_mappings(mappings: dict[str, Any]) -> None:
    for name, first in mappings.items():
        if not _NAME.fullmatch(name):
            raise format_error(f"Mappings name '{name}' is non alphanumeric.")
        if not isinstance(first, dict) or not all(isinstance(one, dict) for one in first.values()):
            raise format_error(f"Every Mappings member {name} must be a map of maps.")  # (?)
        for second in first.values():
            for value in second.values():
                members = value if isinstance(value, list) else [value]
                if any(isinstance(one, dict | list) for one in members):
                    raise format_error(f"Every Mappings attribute must be a String or a List. ({name})")  # (?)


def check_outputs(outputs: dict[str, Any]) -> None:
    """The Outputs section. Raises ValidationError."""
    for name, output in outputs.items():
        if not _NAME.fullmatch(name):
            raise format_error(f"Outputs name '{name}' is non alphanumeric.")
        if not isinstance(output, dict) or "Value" not in output:
            raise format_error("Every Outputs member must contain a Value object.")
        strange = sorted(set(output) - {"Value", "Description", "Export", "Condition"})
        if strange:
            raise invalid(f"Invalid template output property '{strange[0]}'")  # (?)
        export = output.get("Export")
        if export is not None and (not isinstance(export, dict) or set(export) != {"Name"}):
            raise format_error(f"Output {name} is malformed. The Name field of every Export member must be specified.")


def resources_of(section: dict[str, Any], parameters: Mapping[str, Parameter]) -> dict[str, Resource]:
    """The Resources section. Raises ValidationError, NotImplemented."""
    if len(section) > MOST_RESOURCES:
        raise format_error(f"Number of resources, {len(section)}, is greater than maximum allowed, {MOST_RESOURCES}")
    found = {name: _resource(name, one) for name, one in section.items()}
    both = [name for name in found if name in parameters]
    if both:
        raise format_error(f"Duplicate name {both[0]} in Parameters and Resources.")  # (?)
    _check_types(found.values())
    return found


def _resource(name: str, given: Any) -> Resource:
    if not _NAME.fullmatch(name):
        raise format_error(f"Resource name {name} is non alphanumeric.")
    if not isinstance(given, dict):
        raise format_error("Every Resources object must be a map.")  # (?)
    if not isinstance(given.get("Type"), str):
        raise format_error(f"[/Resources/{name}] Every Resources object must contain a Type member.")
    strange = sorted(set(given) - _ATTRIBUTES)
    if strange:
        raise invalid(f"Invalid template resource property '{strange[0]}'")
    properties = given.get("Properties", {})
    _check_nulls(properties, f"/Resources/{name}/Properties")
    if not isinstance(properties, dict) or function_of(properties):
        raise format_error(f"[/Resources/{name}/Properties] Every Properties object must be a map.")  # (?)
    depends = given.get("DependsOn", [])
    depends = [depends] if isinstance(depends, str) else depends
    if not isinstance(depends, list) or not all(isinstance(one, str) for one in depends):
        raise template_error("every DependsOn value must be a string or a list of strings.")  # (?)
    if given.get("Condition") is not None and not isinstance(given["Condition"], str):
        raise template_error("every Condition member must be a string.")
    for member in ("DeletionPolicy", "UpdateReplacePolicy"):
        if member in given and not isinstance(given[member], str | dict):
            raise format_error(f"Every {member} member must be a string.")
    if given.get("UpdatePolicy"):
        instead = f"The attribute UpdatePolicy (of {given['Type']}) is not part of it; leave it out."
        raise NotImplementedByDrydock("cloudformation", "CreateStack", instead)
    return Resource(
        name,
        given["Type"],
        properties,
        depends,
        given.get("Condition") or "",
        _policy(given, "DeletionPolicy"),
        _policy(given, "UpdateReplacePolicy"),
        _creation_policy(given["Type"], given.get("CreationPolicy")),
        given.get("Metadata"),
    )


def _check_nulls(node: Any, path: str) -> None:
    if node is None:
        raise format_error(f"[{path}] 'null' values are not allowed in templates")
    if isinstance(node, dict | list):
        for key, one in node.items() if isinstance(node, dict) else enumerate(node):
            _check_nulls(one, f"{path}/{key}")


def _policy(given: dict[str, Any], member: str) -> str:
    value = given.get(member, "")
    if isinstance(value, dict):
        raise NotImplementedByDrydock(
            "cloudformation", "CreateStack", f"A function in {member} is not part of it; write the policy itself."
        )
    allowed = _POLICIES if member == "DeletionPolicy" else ("Delete", "Retain", "Snapshot")
    if value and value not in allowed:
        raise format_error(f"Unrecognized {member} {value} for resource of type {given['Type']}")  # (?)
    if value == "Snapshot":  # none of the types here has snapshots
        raise format_error(f"{member} Snapshot is not supported by resource type {given['Type']}")  # (?)
    return str(value)


def _creation_policy(kind: str, policy: Any) -> dict[str, Any]:
    if not policy:
        return {}
    if not isinstance(policy, dict) or kind not in _SIGNALLED:
        raise format_error(f"CreationPolicy is not supported for resource type {kind}.")  # (?)
    strange = sorted(set(policy) - {"ResourceSignal", "AutoScalingCreationPolicy"})
    if strange:
        raise format_error(f"Unrecognized CreationPolicy member {strange[0]}")  # (?)
    return policy


def _check_types(resources: Iterable[Resource]) -> None:
    """Unknown types are named all at once; then what AWS has and we lack."""
    types = {one.type for one in resources}
    strange = sorted(name for name in types if name not in every_type() and not name.startswith(_CUSTOM))
    if strange:
        raise format_error(f"Unrecognized resource types: [{', '.join(strange)}]")
    lacking = sorted(name for name in types if not supported(name))
    if lacking:
        raise lacking_types(lacking)


def supported(name: str) -> bool:
    """Whether resources of a type can be made."""
    try:
        schema_of(name)
    except KeyError:
        return False
    return True


def lacking_types(names: list[str]) -> AwsError:
    """The error for types that AWS has and we lack."""
    verb = "is" if len(names) == 1 else "are"
    return NotImplementedByDrydock(
        "cloudformation",
        "CreateStack",
        f"The resource type{'s'[: len(names) > 1]} {', '.join(names)} {verb} not part of it yet.",
    )
