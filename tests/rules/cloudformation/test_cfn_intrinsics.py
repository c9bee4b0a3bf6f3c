"""Every intrinsic function: what it gives, and what is said of one that is used wrongly."""

from __future__ import annotations

from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.cloudformation.conditions import check_rules, conditions_of
from drydock.services.cloudformation.intrinsics import NOTHING, UNKNOWN, Context, Reference, evaluate, references

VALUES = {
    "AWS::Region": "eu-west-1", "AWS::StackName": "s", "Name": "ada", "Number": "8080", "List": ["a", "b", "c"],
    "Flag": "true",
}  # fmt: skip
MAPPINGS = {"Sizes": {"eu-west-1": {"small": "t3.micro", "zones": ["a", "b"], "count": 2}}}
RESOURCES = {"Vpc": "vpc-1", "Group": "sg-1"}
ATTRIBUTES = {("Vpc", "CidrBlock"): "10.0.0.0/16", ("Inner", "Outputs.Url"): "http://x"}


def attribute(name: str, wanted: str) -> Any:
    return ATTRIBUTES.get((name, wanted), UNKNOWN)


CONTEXT = Context(
    VALUES,
    {"Yes": True, "No": False},
    MAPPINGS,
    zones=lambda region: [f"{region}a", f"{region}b"],
    reference=lambda name: RESOURCES.get(name, UNKNOWN),
    attribute=attribute,
    imported=lambda name: f"imported {name}",
)
EXTENDED = Context(VALUES, mappings=MAPPINGS, extended=True)
GIVEN: list[tuple[Any, Any]] = [
    ({"Ref": "Name"}, "ada"),
    ({"Ref": "List"}, ["a", "b", "c"]),
    ({"Ref": "Vpc"}, "vpc-1"),
    ({"Ref": "AWS::NoValue"}, NOTHING),
    ({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}),
    ([{"Ref": "AWS::NoValue"}, 1], [1]),
    ({"Fn::GetAtt": ["Vpc", "CidrBlock"]}, "10.0.0.0/16"),
    ({"Fn::GetAtt": "Vpc.CidrBlock"}, "10.0.0.0/16"),
    ({"Fn::GetAtt": ["Inner", "Outputs.Url"]}, "http://x"),
    ({"Fn::GetAtt": ["Inner", "Outputs", "Url"]}, "http://x"),
    ({"Fn::Join": ["-", ["a", {"Ref": "Name"}, 1, True]]}, "a-ada-1-true"),
    ({"Fn::Join": ["", []]}, ""),
    ({"Fn::Join": [",", {"Ref": "List"}]}, "a,b,c"),
    ({"Fn::Split": ["|", "a|b||c"]}, ["a", "b", "", "c"]),
    ({"Fn::Select": [1, ["a", "b"]]}, "b"),
    ({"Fn::Select": ["2", {"Ref": "List"}]}, "c"),
    ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "eu-west-1a"),
    ({"Fn::GetAZs": {"Ref": "AWS::Region"}}, ["eu-west-1a", "eu-west-1b"]),
    ({"Fn::GetAZs": "us-east-1"}, ["us-east-1a", "us-east-1b"]),
    ({"Fn::Sub": "${Name}-${AWS::Region}-${Vpc}-${Vpc.CidrBlock}"}, "ada-eu-west-1-vpc-1-10.0.0.0/16"),
    ({"Fn::Sub": "${!Name} $Name ${ Name }"}, "${Name} $Name ada"),
    ({"Fn::Sub": ["${Own} ${Name}", {"Own": {"Ref": "Number"}}]}, "8080 ada"),
    ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}, "t3.micro"),
    ({"Fn::FindInMap": ["Sizes", "eu-west-1", "zones"]}, ["a", "b"]),
    ({"Fn::If": ["Yes", "a", {"Ref": "Nothing at all"}]}, "a"),
    ({"Fn::If": ["No", "a", {"Ref": "AWS::NoValue"}]}, NOTHING),
    ({"Fn::Base64": {"Fn::Sub": "#!${Name}"}}, "IyFhZGE="),
    ({"Fn::Cidr": [{"Fn::GetAtt": ["Vpc", "CidrBlock"]}, 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
    ({"Fn::Cidr": ["10.0.0.0/24", "2", "4"]}, ["10.0.0.0/28", "10.0.0.16/28"]),
    ({"Fn::Cidr": ["fd00::/56", 2]}, ["fd00::/64", "fd00:0:0:1::/64"]),
    ({"Fn::ImportValue": {"Fn::Sub": "${Name}-vpc"}}, "imported ada-vpc"),
    ({"Ref": "Later"}, UNKNOWN),
    ({"Fn::Join": ["", ["a", {"Ref": "Later"}]]}, UNKNOWN),
    ({"Fn::Sub": "a${Later.Arn}"}, UNKNOWN),
    ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),
]


@pytest.mark.parametrize(("node", "value"), GIVEN)
def test_what_functions_give(node: Any, value: Any) -> None:
    assert evaluate(node, CONTEXT) == value


EXTENSIONS: list[tuple[Any, Any]] = [
    ({"Fn::Length": {"Ref": "List"}}, 3),
    ({"Fn::ToJsonString": {"a": {"Ref": "Name"}, "b": [1]}}, '{"a":"ada","b":[1]}'),
    ({"Fn::FindInMap": ["Sizes", "us-east-1", "small", {"DefaultValue": "m5.large"}]}, "m5.large"),
    ({"Fn::FindInMap": ["Sizes", {"Fn::Select": [0, ["eu-west-1"]]}, "small"]}, "t3.micro"),
]


@pytest.mark.parametrize(("node", "value"), EXTENSIONS)
def test_language_extensions(node: Any, value: Any) -> None:
    assert evaluate(node, EXTENDED) == value


WRONG: list[tuple[Any, str]] = [
    ({"Ref": ["a"]}, "Template error: every Ref object must have a single String value."),
    ({"Fn::GetAtt": ["Vpc"]}, "Template error: Fn::GetAtt object requires two non-empty parameters, the resource name and the"
     " resource attribute"),
    ({"Fn::Join": "a"}, "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list"
     " of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."),
    ({"Fn::Split": ["", "a"]}, "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2)"
     " a string to be split or a function that returns a string to be split."),
    ({"Fn::Select": [3, ["a"]]}, "Template error: Fn::Select cannot select nonexistent value at index 3"),
    ({"Fn::Select": [-1, ["a"]]}, "Template error: Fn::Select cannot select nonexistent value at index -1"),
    ({"Fn::Select": ["x", ["a"]]}, "Template error: Fn::Select requires a list argument with two elements: an integer index"
     " and a list"),
    ({"Fn::Sub": {"a": "b"}}, "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments."
     " Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the"
     " string"),
    ({"Fn::Sub": "${a-b}"}, "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters,"
     " underscores, periods, and colons"),
    ({"Fn::FindInMap": ["Sizes", "us-east-1", "small"]}, "Template error: Unable to get mapping for Sizes::us-east-1::small"),
    ({"Fn::FindInMap": ["No", "a", "b"]}, "Template error: Mapping named 'No' is not present in the 'Mappings' section of"
     " template."),
    ({"Fn::If": ["Maybe", 1, 2]}, "Template format error: Unresolved condition dependency Maybe in the Resources block of the"
     " template"),
    ({"Fn::If": ["Yes", 1]}, "Template error: Fn::If requires a list argument with three elements"),
    ({"Fn::Base64": ["a"]}, "Template error: every Fn::Base64 object must have a String-typed value."),
    ({"Fn::Cidr": ["10.0.0.0/24", 20, 8]}, "Template error: Fn::Cidr: 10.0.0.0/24 has no 20 blocks with 8 bits."),
    ({"Fn::Cidr": ["10.0.0.0/24", 300, 1]}, "Template error: Fn::Cidr: the count must be between 1 and 256."),
    ({"Fn::Cidr": ["ten", 1, 1]}, "Template error: Fn::Cidr: ten is not a valid CIDR block, or its numbers are none."),
    ({"Fn::Length": ["a"]}, "Template error: Fn::Length requires the transform AWS::LanguageExtensions."),
    ({"Fn::Nothing": ["a"]}, "Template format error: Unrecognized function: Fn::Nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("node", "message"), WRONG)
def test_functions_used_wrongly(node: Any, message: str) -> None:
    with pytest.raises(AwsError) as error:
        evaluate(node, CONTEXT)
    assert error.value.message == message


def test_references() -> None:
    node = {
        "a": {"Fn::Sub": ["${Own}${Vpc}${Group.GroupId}${!Not}", {"Own": {"Ref": "Inner"}}]},
        "b": [{"Fn::If": ["Yes", {"Ref": "Taken"}, {"Ref": "NotTaken"}]}, {"Fn::GetAtt": ["Db", "Endpoint.Port"]}],
    }
    found = set(references(node, {"Yes": True}))
    assert found == {
        Reference("Ref", "Inner"), Reference("Ref", "Vpc"), Reference("GetAtt", "Group", "GroupId"),
        Reference("Condition", "Yes"), Reference("Ref", "Taken"), Reference("GetAtt", "Db", "Endpoint.Port"),
    }  # fmt: skip
    assert Reference("Ref", "NotTaken") in set(references(node))


CONDITIONS: list[tuple[Any, bool]] = [
    ({"Fn::Equals": [{"Ref": "Name"}, "ada"]}, True),
    ({"Fn::Equals": [{"Ref": "Number"}, 8080]}, True),
    ({"Fn::Equals": [{"Ref": "Flag"}, True]}, True),
    ({"Fn::Equals": ["a", "A"]}, False),
    ({"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}, True),
    ({"Fn::And": [{"Condition": "Base"}, {"Fn::Equals": ["a", "b"]}]}, False),
    ({"Fn::Or": [{"Condition": "Base"}, {"Fn::Equals": ["a", "b"]}]}, True),
    ({"Fn::Equals": [{"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "count"]}, "2"]}, True),
    ({"Fn::Equals": [{"Fn::Select": [0, {"Ref": "List"}]}, "a"]}, True),
]


@pytest.mark.parametrize(("node", "value"), CONDITIONS)
def test_conditions(node: Any, value: bool) -> None:
    definitions = {"Under": node, "Base": {"Fn::Equals": ["a", "a"]}}
    assert conditions_of(definitions, Context(VALUES, mappings=MAPPINGS))["Under"] is value


NO_CONDITIONS: list[tuple[Any, str]] = [
    ({"Fn::Equals": ["a"]}, "Template error: every Fn::Equals object requires a list of 2 string parameters."),
    ({"Fn::Not": ["a", "b"]}, "Template error: every Fn::Not object requires one boolean parameter."),
    ({"Fn::And": [{"Fn::Equals": ["a", "a"]}]}, "Template error: every Fn::And object requires a list of at least 2 and at"
     " most 10 boolean parameters."),
    ({"Fn::Or": []}, "Template error: every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters."),
    ({"Condition": "None"}, "Template format error: Unresolved condition dependency None in the Conditions block of the"
     " template"),
    ({"Condition": "Under"}, "Template format error: Circular dependency between conditions: [Under]"),
    ("text", "Template format error: Conditions can only be boolean operations on parameters and other conditions"),
    ({"Fn::Equals": [{"Ref": "Vpc"}, "a"]}, "Template format error: Conditions can only be boolean operations on parameters"
     " and other conditions"),
]  # fmt: skip


@pytest.mark.parametrize(("node", "message"), NO_CONDITIONS)
def test_what_is_no_condition(node: Any, message: str) -> None:
    with pytest.raises(AwsError) as error:
        conditions_of({"Under": node}, Context(VALUES))
    assert error.value.message == message


def test_rules() -> None:
    size = {"Fn::Contains": [["small", "large"], {"Ref": "Name"}]}
    rules = {
        "Size": {
            "RuleCondition": {"Fn::Equals": [{"Ref": "Flag"}, "true"]},
            "Assertions": [{"Assert": size, "AssertDescription": "Small or large, please."}],
        }
    }
    with pytest.raises(AwsError, match="Rule Size failed: Small or large, please"):
        check_rules(rules, Context(VALUES))
    check_rules(rules, Context({**VALUES, "Name": "small"}))
    check_rules(rules, Context({**VALUES, "Flag": "false"}))
    check_rules(
        {"All": {"Assertions": [{"Assert": {"Fn::EachMemberIn": [{"Ref": "List"}, ["a", "b", "c"]]}}]}}, Context(VALUES)
    )
    with pytest.raises(AwsError):
        check_rules(
            {"All": {"Assertions": [{"Assert": {"Fn::EachMemberEquals": [{"Ref": "List"}, "a"]}}]}}, Context(VALUES)
        )
