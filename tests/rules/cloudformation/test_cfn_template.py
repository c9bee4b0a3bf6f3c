"""Templates taken apart: what they must have, what they may name, what waits for what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.cloudformation.bound import Bound, bind
from drydock.services.cloudformation.graph import check_acyclic, ready, reverse
from drydock.services.cloudformation.intrinsics import Context
from drydock.services.cloudformation.parameters import chosen, declared
from drydock.services.cloudformation.template import parse

VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}


def subnet(vpc: Any, **further: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": vpc, "CidrBlock": "10.0.0.0/24"}, **further}


def bound(template: dict[str, Any], **values: Any) -> Bound:
    whole = parse(json.dumps(template))
    defaults = {name: one.value(one.default) for name, one in whole.parameters.items() if one.default is not None}
    return bind(whole, Context({"AWS::Region": "us-east-1", "AWS::StackName": "s", **defaults, **values}))


def refused(template: Any) -> str:
    with pytest.raises(AwsError) as error:
        bound(template)
    assert error.value.code == "ValidationError"
    return error.value.message


def only(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"Resources": {}}, "Template format error: At least one Resources member must be defined."),
    ({"Description": "x"}, "Template format error: At least one Resources member must be defined."),
    ({**only(A=VPC), "Foo": {}, "Bar": {}}, "Invalid template property or properties [Bar, Foo]"),
    ({**only(A=VPC), "Description": "x" * 1025}, "Template format error: 'Description' length is greater than 1024."),
    (only(A={"Properties": {}}), "Template format error: [/Resources/A] Every Resources object must contain a Type member."),
    (only(A={**VPC, "Tags": []}), "Invalid template resource property 'Tags'"),
    ({"Resources": {"A-b": VPC}}, "Template format error: Resource name A-b is non alphanumeric."),
    (only(A=subnet({"Ref": "B"})), "Template format error: Unresolved resource dependencies [B] in the Resources block of the"
     " template"),
    (only(A=subnet({"Fn::Sub": "${B}${C}"})), "Template format error: Unresolved resource dependencies [B, C] in the Resources"
     " block of the template"),
    (only(A=subnet({"Fn::GetAtt": ["B", "VpcId"]})), "Template error: instance of Fn::GetAtt references undefined resource B"),
    (only(A=VPC, B=subnet({"Fn::GetAtt": ["A", "Size"]})), "Template error: resource A does not support attribute type Size in"
     " Fn::GetAtt"),
    (only(A={**VPC, "DependsOn": ["Z"]}), "Template format error: Unresolved resource dependencies [Z] in the Resources block of"
     " the template"),
    (only(A={**VPC, "DependsOn": "B"}, B={**VPC, "DependsOn": "A"}, C={**VPC, "DependsOn": "A"}),
     "Circular dependency between resources: [A, B]"),
    (only(A=subnet({"Ref": "A"})), "Circular dependency between resources: [A]"),
    (only(A={**VPC, "Condition": "No"}), "Template format error: Unresolved condition dependency No in the Resources block of"
     " the template"),
    ({**only(A=VPC), "Outputs": {"O": {"Value": {"Ref": "B"}}}}, "Template format error: Unresolved resource dependencies [B] in"
     " the Outputs block of the template"),
    ({**only(A=VPC), "Outputs": {"O": {}}}, "Template format error: Every Outputs member must contain a Value object."),
    ({**only(A={**VPC, "Condition": "No"}, B=subnet({"Ref": "A"})), "Conditions": {"No": {"Fn::Equals": ["a", "b"]}}},
     "Template format error: Unresolved resource dependencies [A] in the Resources block of the template"),
    ({**only(A={**VPC, "Condition": "No"}, B=VPC), "Conditions": {"No": {"Fn::Equals": ["a", "b"]}},
      "Outputs": {"O": {"Value": {"Ref": "A"}}}},
     "Template format error: Unresolved resource dependencies [A] in the Outputs block of the template"),
    ({**only(A=VPC), "Conditions": {"C": {"Fn::Equals": [{"Ref": "A"}, "b"]}}}, "Template format error: Unresolved dependencies"
     " [A]. Cannot reference resources in the Conditions block of the template"),
    ({**only(A=VPC), "Parameters": {"P": {"Type": "Text"}}}, "Template format error: Unrecognized parameter type: Text"),
    ({**only(A=VPC), "Parameters": {"P": {}}}, "Template format error: Every Parameters object must contain a Type member."),
    ({**only(A=VPC), "Mappings": {"M-": {}}}, "Template format error: Mappings name 'M-' is non alphanumeric."),
    (only(A={"Type": "AWS::EC2::VPC", "Properties": None}), "Template format error: [/Resources/A/Properties] 'null' values are"
     " not allowed in templates"),
    (only(A=subnet([None])), "Template format error: [/Resources/A/Properties/VpcId/0] 'null' values are not allowed in"
     " templates"),
    (only(A=subnet({"Fn::Foo": "x"})), "Template format error: Unrecognized function: Fn::Foo"),
    (only(A={"Type": "AWS::EC2::Vpc"}), "Template format error: Unrecognized resource types: [AWS::EC2::Vpc]"),
    (only(**{f"A{n}": VPC for n in range(501)}), "Template format error: Number of resources, 501, is greater than maximum"
     " allowed, 500"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "message"), WRONG)
def test_what_is_no_template(template: dict[str, Any], message: str) -> None:
    assert refused(template) == message


LACKING: list[tuple[dict[str, Any], str]] = [
    (only(A={"Type": "AWS::DynamoDB::Table"}, B={"Type": "AWS::RDS::DBInstance"}),
     "The resource types AWS::DynamoDB::Table, AWS::RDS::DBInstance are not part of it yet."),
    (only(A={"Type": "Custom::Thing"}), "The resource type Custom::Thing is not part of it yet."),
    (only(A={**VPC, "UpdatePolicy": {"AutoScalingRollingUpdate": {}}}), "The attribute UpdatePolicy (of AWS::EC2::VPC) is not part"
     " of it; leave it out."),
    ({**only(A=VPC), "Transform": ["AWS::LanguageExtensions", "Mine"]}, "The transform Mine is not part of it;"
     " AWS::LanguageExtensions is."),
    ({**only(A=VPC), "Hooks": {"a": {}}}, "Hooks of a template are not part of it."),
]  # fmt: skip


@pytest.mark.parametrize(("template", "message"), LACKING)
def test_what_aws_has_and_we_lack_is_named(template: dict[str, Any], message: str) -> None:
    with pytest.raises(NotImplementedByDrydock) as error:
        parse(json.dumps(template))
    assert error.value.message == f"Drydock does not implement cloudformation:CreateStack. {message}"


def test_what_waits_for_what() -> None:
    template = {
        **only(
            Vpc=VPC,
            One=subnet({"Ref": "Vpc"}),
            Two=subnet({"Fn::If": ["No", {"Ref": "Other"}, {"Ref": "Vpc"}]}, DependsOn=["One", "Other"]),
            Other={**VPC, "Condition": "No"},
        ),
        "Conditions": {"No": {"Fn::Equals": ["a", "b"]}},
    }
    found = bound(template)
    assert list(found.resources) == ["Vpc", "One", "Two"]
    assert found.needs == {"Vpc": frozenset(), "One": {"Vpc"}, "Two": {"One", "Vpc"}}
    assert ready(found.needs, set(), set()) == ["Vpc"]
    assert ready(found.needs, {"Vpc"}, {"Vpc"}) == ["One"]
    assert ready(found.needs, {"Vpc", "One"}, {"Vpc", "One", "Two"}) == []
    assert reverse(found.needs) == {"Vpc": {"One", "Two"}, "One": {"Two"}, "Two": frozenset()}


def test_a_long_chain_and_a_large_circle() -> None:
    chain = {str(n): frozenset({str(n - 1)} if n else set()) for n in range(500)}
    check_acyclic(chain)
    with pytest.raises(AwsError, match="Circular dependency between resources"):
        check_acyclic({**chain, "0": frozenset({"499"})})


def test_for_each() -> None:
    template = {
        "Transform": "AWS::LanguageExtensions",
        "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": "Red,Blue"}},
        "Resources": {
            "Fn::ForEach::Queues": [
                "Name",
                {"Ref": "Names"},
                {"Queue${Name}": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "q-${Name}"}}}},
            ],
            "Fn::ForEach::Groups": [
                "Size",
                ["1", "2"],
                {"Group${Size}": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Ref": "Size"}}}},
            ],
        },
        "Outputs": {
            "Fn::ForEach::Urls": [
                "Name", {"Ref": "Names"}, {"Url${Name}": {"Value": {"Ref": "Queue${Name}"}}}
            ]
        },
    }  # fmt: skip
    found = bound(template, Names=["Red", "Green"])
    assert list(found.resources) == ["QueueRed", "QueueGreen", "Group1", "Group2"]
    assert found.resources["QueueGreen"].properties == {"QueueName": {"Fn::Sub": "q-Green"}}
    assert found.resources["Group2"].properties == {"LogGroupName": "2"}
    assert found.outputs["UrlRed"] == {"Value": {"Ref": "QueueRed"}}
    assert parse(json.dumps(template)).capabilities() == ["CAPABILITY_AUTO_EXPAND"]


def test_a_loop_that_makes_too_much() -> None:
    inner: Any = {"Q${A}${B}${C}${D}": VPC}
    letters = [str(n) for n in range(100)]
    for name in "DCBA":
        inner = {f"Fn::ForEach::{name}": [name, letters, inner]}
    with pytest.raises(AwsError, match="makes too much"):
        parse(json.dumps({"Transform": "AWS::LanguageExtensions", "Resources": inner}))


def test_capabilities() -> None:
    user = {"Type": "AWS::IAM::User", "Properties": {}}
    named = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}}
    assert parse(json.dumps(only(A=VPC))).capabilities() == []
    assert parse(json.dumps(only(A=user))).capabilities() == ["CAPABILITY_IAM"]
    assert parse(json.dumps(only(A=user, B=named))).capabilities() == ["CAPABILITY_NAMED_IAM"]


PARAMETERS: list[tuple[dict[str, Any], str, str]] = [
    ({"Type": "Number"}, "x", "Parameter 'P' must be a number."),
    ({"Type": "Number", "MinValue": 1}, "0", "Parameter 'P' must be a number not less than 1"),
    ({"Type": "Number", "MaxValue": "5"}, "6", "Parameter 'P' must be a number not greater than 5"),
    ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "Parameter 'P' must be one of AllowedValues"),
    ({"Type": "String", "MinLength": 3}, "ab", "Parameter 'P' must contain at least 3 characters"),
    ({"Type": "String", "MaxLength": 1}, "ab", "Parameter 'P' must contain at most 1 characters"),
    ({"Type": "String", "AllowedPattern": "[a-z]+"}, "A", "Parameter 'P' must match pattern [a-z]+"),
    ({"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "small letters"}, "A",
     "Parameter 'P' failed to satisfy constraint: small letters"),
    ({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}, "a,c", "Parameter 'P' must be one of AllowedValues"),
    ({"Type": "List<Number>"}, "1,x", "Parameter 'P' must be a number."),
]  # fmt: skip


@pytest.mark.parametrize(("declaration", "value", "message"), PARAMETERS)
def test_parameters_out_of_their_bounds(declaration: dict[str, Any], value: str, message: str) -> None:
    parameters = declared({"P": declaration})
    with pytest.raises(AwsError) as error:
        chosen(parameters, [{"ParameterKey": "P", "ParameterValue": value}])
    assert error.value.message == message


def test_which_value_a_parameter_has() -> None:
    parameters = declared(
        {"A": {"Type": "String"}, "B": {"Type": "Number", "Default": 5}, "C": {"Type": "List<Number>"}}
    )
    given = [{"ParameterKey": "A", "UsePreviousValue": True}, {"ParameterKey": "C", "ParameterValue": "1, 2"}]
    values = chosen(parameters, given, {"A": "old"})
    assert values == {"A": "old", "B": "5", "C": "1, 2"}
    assert parameters["C"].value(values["C"]) == ["1", "2"]
    with pytest.raises(AwsError) as error:
        chosen(parameters, [])
    assert error.value.message == "Parameters: [A, C] must have values"
    with pytest.raises(AwsError) as error:
        chosen(parameters, [{"ParameterKey": "Z", "ParameterValue": "z"}])
    assert error.value.message == "Parameters: [Z] do not exist in the template"
