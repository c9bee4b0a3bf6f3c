"""Stacks that use each other: exports and imports, nested stacks, templates in S3."""

from __future__ import annotations

import json
from typing import Any

from tests.services.cloudformation.conftest import Stacks

GROUP = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}


def exporting(name: str | None, value: Any = None) -> dict[str, Any]:
    output = {"Value": value or {"Ref": "Logs"}, **({"Export": {"Name": name}} if name else {})}
    return {"Resources": {"Logs": GROUP}, "Outputs": {"Name": output}}


IMPORTING = {
    "Resources": {
        "Kept": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": {"Fn::ImportValue": "shared"}},
        }
    }
}


def test_exports_and_imports(stacks: Stacks) -> None:
    stacks.create("giver", exporting("shared"))
    stacks.create("taker", IMPORTING)
    exports = stacks.cfn.list_exports()["Exports"]
    assert [(one["Name"], one["Value"]) for one in exports] == [("shared", stacks.physical("giver", "Logs"))]
    parameter = stacks.aws("ssm").get_parameter(Name=stacks.physical("taker", "Kept"))["Parameter"]
    assert parameter["Value"] == stacks.physical("giver", "Logs")
    assert stacks.cfn.list_imports(ExportName="shared")["Imports"] == ["taker"]
    assert stacks.refused("delete_stack", StackName="giver") == (
        "ValidationError",
        "Delete canceled. Cannot delete export shared as it is in use by taker.",
    )
    stacks.update("giver", exporting(None), expect="UPDATE_ROLLBACK_COMPLETE")
    assert (
        "giver UPDATE_ROLLBACK_IN_PROGRESS Delete canceled. Cannot delete export shared as it is in use by taker."
        in stacks.story("giver")
    )
    stacks.update("giver", exporting("shared", "other"), expect="UPDATE_ROLLBACK_COMPLETE")
    assert any("Export shared cannot be updated as it is in use by taker" in line for line in stacks.story("giver"))
    stacks.create("second", exporting("shared"), expect="ROLLBACK_COMPLETE")
    assert any("Export with name shared is already exported by stack giver" in line for line in stacks.story("second"))
    stacks.delete("taker")
    assert stacks.refused("list_imports", ExportName="shared") == (
        "ValidationError",
        "Export 'shared' is not imported by any stack.",
    )
    stacks.delete("giver")


def test_an_import_of_nothing(stacks: Stacks) -> None:
    stacks.create("taker", IMPORTING, expect="ROLLBACK_COMPLETE")
    assert any("No export named shared found" in line for line in stacks.story("taker"))


def in_s3(stacks: Stacks, key: str, template: dict[str, Any]) -> str:
    s3 = stacks.aws("s3")
    s3.create_bucket(Bucket=f"templates-{stacks.account}")
    s3.put_object(Bucket=f"templates-{stacks.account}", Key=key, Body=json.dumps(template).encode())
    return f"https://templates-{stacks.account}.s3.us-east-1.amazonaws.com/{key}"


def inner(days: Any) -> dict[str, Any]:
    return {
        "Parameters": {"Days": {"Type": "Number", "Default": days}},
        "Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": {"Ref": "Days"}}}},
        "Outputs": {"Name": {"Value": {"Ref": "Logs"}}},
    }


def outer(url: str, days: int, **further: Any) -> dict[str, Any]:
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, "Parameters": {"Days": days}}}
    return {
        "Resources": {"Inner": nested, **further},
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Name"]}}},
    }


def retention(stacks: Stacks) -> list[int]:
    return [one["retentionInDays"] for one in stacks.aws("logs").describe_log_groups()["logGroups"]]


def test_a_nested_stack(stacks: Stacks) -> None:
    url = in_s3(stacks, "inner.json", inner(1))
    stack = stacks.create("outer", outer(url, 7))
    nested = stacks.describe(stacks.physical("outer", "Inner"))
    assert (nested["ParentId"], nested["RootId"]) == (stack["StackId"], stack["StackId"])
    assert stack["Outputs"][0]["OutputValue"] == stacks.physical(nested["StackName"], "Logs")
    assert nested["StackName"].startswith("outer-Inner-")
    assert retention(stacks) == [7]
    stacks.update("outer", outer(url, 14))
    assert retention(stacks) == [14]
    bad = {
        "Type": "AWS::EC2::Subnet",
        "DependsOn": "Inner",
        "Properties": {"VpcId": "vpc-12345678", "CidrBlock": "10.0.0.0/24"},
    }
    stacks.update("outer", outer(url, 30, Bad=bad), expect="UPDATE_ROLLBACK_COMPLETE")
    assert retention(stacks) == [14]
    stacks.delete("outer")
    assert retention(stacks) == []
    assert stacks.describe(nested["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_a_nested_stack_that_fails(stacks: Stacks) -> None:
    template = inner(7)
    template["Resources"]["Bad"] = {
        "Type": "AWS::EC2::Subnet",
        "Properties": {"VpcId": "vpc-12345678", "CidrBlock": "10.0.0.0/24"},
    }
    stacks.create("outer", outer(in_s3(stacks, "bad.json", template), 7), expect="ROLLBACK_COMPLETE")
    assert any(
        "was not successfully created: The following resource(s) failed to create: [Bad" in one
        for one in stacks.story("outer")
    )
    assert retention(stacks) == []


def test_a_template_from_s3(stacks: Stacks) -> None:
    url = in_s3(stacks, "inner.json", inner(7))
    summary = stacks.cfn.get_template_summary(TemplateURL=url)
    assert summary["ResourceTypes"] == ["AWS::Logs::LogGroup"]
    code, message = stacks.refused("validate_template", TemplateURL=url + "x")
    assert (code, message.partition("\n")[0]) == ("ValidationError", "S3 error: The specified key does not exist.")
    assert stacks.refused("validate_template", TemplateURL="https://example.com/x") == (
        "ValidationError",
        "TemplateURL must be a supported URL.",
    )
