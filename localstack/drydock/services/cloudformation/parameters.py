"""A template's parameters: declared, given, checked against their constraints. Pure; whether an AWS-specific value exists,
and what a parameter of Systems Manager holds, is asked by others.

Source: "Parameters" of the CloudFormation User Guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from drydock.services.cloudformation.faults import format_error, invalid
from drydock.services.cloudformation.intrinsics import text_of

MOST = 200
HIDDEN = "****"
_NAME = re.compile(r"[A-Za-z0-9]{1,255}")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?")
_SSM_VALUE = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_LIST = re.compile(r"List<(.+)>")
_MEMBERS = {
    *("Type", "Default", "Description", "NoEcho", "AllowedValues", "AllowedPattern", "ConstraintDescription"),
    *("MinLength", "MaxLength", "MinValue", "MaxValue"),
}
AWS_TYPES = {
    "AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id", "AWS::EC2::KeyPair::KeyName",
    "AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id", "AWS::EC2::Subnet::Id", "AWS::EC2::Volume::Id",
    "AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id",
}  # fmt: skip
_PLAIN_TYPES = {"String", "Number", "CommaDelimitedList", "AWS::SSM::Parameter::Name"}


@dataclass
class Parameter:
    """One as it is declared."""

    name: str
    kind: str
    default: str | None = None
    description: str = ""
    no_echo: bool = False
    allowed: list[str] = field(default_factory=list)
    pattern: str | None = None
    constraint: str = ""
    bounds: dict[str, float] = field(default_factory=dict)

    @property
    def ssm(self) -> str:
        """For a value out of Systems Manager's Parameter Store the type of that value, else empty."""
        match = _SSM_VALUE.fullmatch(self.kind)
        return match[1] if match else ""

    @property
    def value_kind(self) -> str:
        """The type of the value that Ref gives."""
        return self.ssm or self.kind

    @property
    def is_list(self) -> bool:
        """Whether Ref gives a list."""
        return self.value_kind == "CommaDelimitedList" or self.value_kind.startswith("List<")

    @property
    def element(self) -> str:
        """The type of the value, or of each of its members."""
        match = _LIST.fullmatch(self.value_kind)
        return match[1] if match else "String" if self.is_list else self.value_kind

    def value(self, text: str) -> str | list[str]:
        """What Ref gives for a value as it was given."""
        if not self.is_list:
            return text
        return [part.strip() for part in text.split(",")] if text else []

    def describe(self) -> dict[str, Any]:
        """As GetTemplateSummary shows it."""
        shown: dict[str, Any] = {"ParameterKey": self.name, "ParameterType": self.kind, "NoEcho": self.no_echo}
        if self.default is not None:
            shown["DefaultValue"] = HIDDEN if self.no_echo else self.default
        if self.description:
            shown["Description"] = self.description
        constraints = {"AllowedValues": self.allowed} if self.allowed else {}
        return {**shown, "ParameterConstraints": constraints}


def declared(section: Any) -> dict[str, Parameter]:
    """The Parameters section. Raises ValidationError."""
    if not isinstance(section, dict):
        raise format_error("unsupported structure.")
    if len(section) > MOST:
        raise format_error(f"Number of parameters, {len(section)}, is greater than maximum allowed, {MOST}")  # (?)
    return {name: _declare(name, one) for name, one in section.items()}


def _declare(name: str, given: Any) -> Parameter:
    if not _NAME.fullmatch(name):
        raise format_error(f"Parameter name {name} is non alphanumeric.")
    if not isinstance(given, dict) or "Type" not in given:
        raise format_error("Every Parameters object must contain a Type member.")
    unknown = sorted(set(given) - _MEMBERS)
    if unknown:
        raise invalid(f"Invalid template parameter property '{unknown[0]}'")
    parameter = Parameter(name, str(given["Type"]))
    element = parameter.element
    if not (
        parameter.value_kind in _PLAIN_TYPES
        or (parameter.is_list and element in {"String", "Number", *AWS_TYPES})
        or element in AWS_TYPES
    ):
        raise format_error(f"Unrecognized parameter type: {given['Type']}")
    for member in ("Default", "Description", "AllowedPattern", "ConstraintDescription"):
        if isinstance(given.get(member), dict | list):
            raise format_error(f"Every {member} member must be a string.")
    if "Default" in given and given["Default"] is not None:
        parameter.default = text_of(given["Default"])
    parameter.description = text_of(given.get("Description") or "")
    parameter.no_echo = text_of(given.get("NoEcho", False)).lower() == "true"
    allowed = given.get("AllowedValues", [])
    if not isinstance(allowed, list):
        raise format_error("AllowedValues must be a list.")  # (?)
    parameter.allowed = [text_of(one) for one in allowed]
    parameter.pattern = None if given.get("AllowedPattern") is None else text_of(given["AllowedPattern"])
    parameter.constraint = text_of(given.get("ConstraintDescription") or "")
    for member in ("MinLength", "MaxLength", "MinValue", "MaxValue"):
        if member in given:
            if not _NUMBER.fullmatch(text_of(given[member])):
                raise format_error(f"{member} of parameter {name} must be a number.")  # (?)
            parameter.bounds[member] = float(given[member])
    if parameter.default is not None and not parameter.ssm:
        check(parameter, parameter.default)
    return parameter


def chosen(
    parameters: dict[str, Parameter], given: list[dict[str, Any]], previous: dict[str, str] | None = None
) -> dict[str, str]:
    """Each parameter's value as text: what is given, else (of a change) the stack's own, else its default. Raises
    ValidationError."""
    values: dict[str, str] = {}
    strange: list[str] = []
    for one in given:
        name = one.get("ParameterKey", "")
        if name not in parameters:
            strange.append(name)
        elif one.get("UsePreviousValue"):
            if previous is None or name not in previous:
                raise invalid(f"Parameter {name} has no previous value to use.")  # (?)
            values[name] = previous[name]
        elif one.get("ParameterValue") is not None:
            values[name] = one["ParameterValue"]
    if strange:
        raise invalid(f"Parameters: [{', '.join(strange)}] do not exist in the template")
    missing = []
    for name, parameter in parameters.items():
        if name not in values:
            if parameter.default is None:
                missing.append(name)
            else:
                values[name] = parameter.default
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, parameter in parameters.items():
        if not parameter.ssm:
            check(parameter, values[name])
    return {name: values[name] for name in parameters}


def check(parameter: Parameter, text: str) -> None:
    """A value against the parameter's constraints. Raises ValidationError."""
    value = parameter.value(text)
    for one in value if isinstance(value, list) else [value]:
        fault = _fault(parameter, one)
        if fault:
            if parameter.constraint and not fault.startswith("must be a number."):
                fault = f"failed to satisfy constraint: {parameter.constraint}"
            raise invalid(f"Parameter '{parameter.name}' {fault}")


def _fault(parameter: Parameter, value: str) -> str:
    bounds = parameter.bounds
    if parameter.element == "Number":
        if not _NUMBER.fullmatch(value):
            return "must be a number."
        if float(value) < bounds.get("MinValue", float("-inf")):
            return f"must be a number not less than {bounds['MinValue']:g}"
        if float(value) > bounds.get("MaxValue", float("inf")):
            return f"must be a number not greater than {bounds['MaxValue']:g}"
    if parameter.allowed and value not in parameter.allowed:
        return "must be one of AllowedValues"
    if len(value) < bounds.get("MinLength", 0):
        return f"must contain at least {bounds['MinLength']:g} characters"
    if len(value) > bounds.get("MaxLength", float("inf")):
        return f"must contain at most {bounds['MaxLength']:g} characters"
    if parameter.pattern is not None and not _matches(parameter, value):
        return f"must match pattern {parameter.pattern}"
    return ""


def _matches(parameter: Parameter, value: str) -> bool:
    try:
        return re.fullmatch(parameter.pattern or "", value) is not None
    except re.error:
        raise invalid(f"Invalid pattern {parameter.pattern} of parameter {parameter.name}") from None  # (?)
