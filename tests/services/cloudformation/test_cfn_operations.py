"""Operations and what they refuse; permissions; parameters that name things elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.services.cloudformation.conftest import Stacks

GROUP = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}
ONE = {"Resources": {"Logs": GROUP}}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("create_stack", {"StackName": "a_b", "TemplateBody": "x: y"}, "ValidationError",
     "1 validation error detected: Value 'a_b' at 'stackName' failed to satisfy constraint: Member must satisfy regular"
     " expression pattern: [a-zA-Z][-a-zA-Z0-9]*"),
    ("create_stack", {"StackName": "a"}, "ValidationError", "Either Template URL or Template Body must be specified."),
    ("create_stack", {"StackName": "a", "TemplateBody": "x: y"}, "ValidationError",
     "Invalid template property or properties [x]"),
    ("create_stack", {"StackName": "a", "TemplateBody": "Resources: {A: {Type: 'AWS::No::Thing'}, B: {Type: 'AWS::S3::B'}}"},
     "ValidationError", "Template format error: Unrecognized resource types: [AWS::No::Thing, AWS::S3::B]"),
    ("create_stack", {"StackName": "a", "TemplateBody": "Resources: {A: {Type: 'AWS::DynamoDB::Table'}}"},
     "NotImplemented", "Drydock does not implement cloudformation:CreateStack. The resource type AWS::DynamoDB::Table is not"
     " part of it yet."),
    ("create_stack", {"StackName": "a", "TemplateBody": "Transform: AWS::Serverless-2016-10-31\nResources: {A: {Type: 'AWS::S3::Bucket'}}"},
     "NotImplemented", "Drydock does not implement cloudformation:CreateStack. The transform AWS::Serverless-2016-10-31 is"
     " not part of it; AWS::LanguageExtensions is."),
    ("create_stack", {"StackName": "a", "TemplateBody": "Resources: {A: {Type: 'AWS::S3::Bucket', Properties: "
                      "{WebsiteConfiguration: {}}}}"},
     "NotImplemented", "Drydock does not implement cloudformation:CreateStack. Properties that are not part of it:"
     " AWS::S3::Bucket WebsiteConfiguration."),
    ("create_stack", {"StackName": "a", "TemplateBody": "Resources: {A: {Type: 'AWS::IAM::User'}}"},
     "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]"),
    ("create_stack", {"StackName": "a", "TemplateBody": "Resources: {A: {Type: 'AWS::IAM::User', Properties: {UserName: b}}}",
                      "Capabilities": ["CAPABILITY_IAM"]},
     "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]"),
    ("create_stack", {"StackName": "a", "TemplateBody": json.dumps(ONE), "NotificationARNs": ["arn:aws:sns:us-east-1:1:t"]},
     "NotImplemented", "Drydock does not implement cloudformation:NotificationARNs. Notifications are not part of it; watch"
     " DescribeStackEvents."),
    ("create_stack", {"StackName": "a", "TemplateBody": "# " + "x" * 51200}, "ValidationError",
     "1 validation error detected: Value '# " + "x" * 198 + "' at 'templateBody' failed to satisfy constraint: Member must"
     " have length less than or equal to 51200"),
    ("update_stack", {"StackName": "a", "TemplateBody": json.dumps(ONE)}, "ValidationError", "Stack [a] does not exist"),
    ("describe_stacks", {"StackName": "a"}, "ValidationError", "Stack with id a does not exist"),
    ("describe_stack_events", {"StackName": "a"}, "ValidationError", "Stack [a] does not exist"),
    ("list_stack_resources", {"StackName": "a"}, "ValidationError", "Stack with id a does not exist"),
    ("get_template", {"StackName": "a"}, "ValidationError", "Stack with id a does not exist"),
    ("detect_stack_drift", {"StackName": "a"}, "NotImplemented", "Drydock does not implement cloudformation:DetectStackDrift."
     " Drift is not detected; compare DescribeStackResources with the services' own descriptions."),
    ("set_stack_policy", {"StackName": "a", "StackPolicyBody": "{}"}, "NotImplemented",
     "Drydock does not implement cloudformation:SetStackPolicy. Stack policies are not part of it; use termination"
     " protection and DeletionPolicy."),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "given", "code", "message"), REFUSED)
def test_refused(stacks: Stacks, operation: str, given: dict[str, Any], code: str, message: str) -> None:
    assert stacks.refused(operation, **given) == (code, message)
    assert stacks.cfn.list_stacks()["StackSummaries"] == []


def test_there_is_one_of_a_name(stacks: Stacks) -> None:
    first = stacks.create("one", ONE, ClientRequestToken="abc")
    assert stacks.refused("create_stack", StackName="one", TemplateBody=json.dumps(ONE)) == (
        "AlreadyExistsException",
        "Stack [one] already exists",
    )
    again = stacks.cfn.create_stack(StackName="one", TemplateBody=json.dumps(ONE), ClientRequestToken="abc")
    assert again["StackId"] == first["StackId"]
    stacks.delete("one")
    assert stacks.create("one", ONE)["StackId"] != first["StackId"]
    summaries = stacks.cfn.list_stacks()["StackSummaries"]
    assert [(one["StackName"], one["StackStatus"]) for one in summaries] == [
        ("one", "CREATE_COMPLETE"),
        ("one", "DELETE_COMPLETE"),
    ]


def test_termination_protection(stacks: Stacks) -> None:
    stacks.create("one", ONE, EnableTerminationProtection=True)
    assert stacks.refused("delete_stack", StackName="one") == (
        "ValidationError",
        "Stack [one] cannot be deleted while TerminationProtection is enabled",
    )
    stacks.cfn.update_termination_protection(StackName="one", EnableTerminationProtection=False)
    stacks.delete("one")
    stacks.cfn.delete_stack(StackName="never-there")


def test_secrets_of_parameters_are_not_shown(stacks: Stacks) -> None:
    word = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::Sub": "it is ${Word}"}}}
    template = {"Parameters": {"Word": {"Type": "String", "NoEcho": True}}, "Resources": {"Kept": word}}
    given = [{"ParameterKey": "Word", "ParameterValue": "open sesame"}]
    stack = stacks.create("one", template, Parameters=given)
    assert stack["Parameters"] == [{"ParameterKey": "Word", "ParameterValue": "****"}]
    shown = [one["ResourceProperties"] for one in stacks.events("one") if "ResourceProperties" in one]
    assert shown[-1] == '{"Type":"String","Value":"it is ****"}'
    assert stacks.refused("update_stack", StackName="one", UsePreviousTemplate=True, Parameters=[
        {"ParameterKey": "Word", "UsePreviousValue": True}]) == ("ValidationError", "No updates are to be performed.")  # fmt: skip


def test_parameters_of_systems_manager(stacks: Stacks) -> None:
    stacks.aws("ssm").put_parameter(Name="/days", Type="String", Value="14")
    image = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    template = {
        "Parameters": {
            "Days": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/days"},
            "Image": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": image},
        },
        "Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": {"Ref": "Days"}}}},
        "Outputs": {"Image": {"Value": {"Ref": "Image"}}},
    }
    stack = stacks.create("one", template)
    assert stack["Parameters"][0] == {"ParameterKey": "Days", "ParameterValue": "/days", "ResolvedValue": "14"}
    assert stack["Outputs"][0]["OutputValue"].startswith("ami-")
    assert stacks.aws("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 14
    given = [{"ParameterKey": "Days", "ParameterValue": "/none"}]
    assert stacks.refused("create_stack", StackName="two", TemplateBody=json.dumps(template), Parameters=given) == (
        "ValidationError",
        "Unable to fetch parameters [/none] from parameter store for this account.",
    )


def test_parameters_that_name_what_is_not_there(stacks: Stacks) -> None:
    template = {"Parameters": {"Vpc": {"Type": "AWS::EC2::VPC::Id", "Default": "vpc-12345678"}}, **ONE}
    assert stacks.refused("create_stack", StackName="one", TemplateBody=json.dumps(template)) == (
        "ValidationError",
        "Parameter validation failed: parameter value vpc-12345678 for parameter name Vpc does not exist",
    )


def test_a_users_permissions_decide(stacks: Stacks, aws: Callable[..., Any]) -> None:
    iam = aws("iam")
    iam.create_user(UserName="ada")
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}],
    }
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    theirs = aws("cloudformation", **keys)
    theirs.create_stack(StackName="hers", TemplateBody=json.dumps(ONE))
    assert stacks.settled("hers")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("is not authorized to perform: logs:CreateLogGroup" in line for line in stacks.story("hers"))
    assert any("HandlerErrorCode: AccessDenied" in line for line in stacks.story("hers"))


def test_a_service_role_decides(stacks: Stacks, account: str) -> None:
    iam = stacks.aws("iam")
    iam.create_role(RoleName="stacks", AssumeRolePolicyDocument=json.dumps(TRUST))
    role = f"arn:aws:iam::{account}:role/stacks"
    stacks.create("one", ONE, expect="ROLLBACK_COMPLETE", RoleARN=role)
    assert any(f"User: arn:aws:sts::{account}:assumed-role/stacks/AWSCloudFormation is not authorized" in line
               for line in stacks.story("one"))  # fmt: skip
    iam.attach_role_policy(RoleName="stacks", PolicyArn="arn:aws:iam::aws:policy/CloudWatchLogsFullAccess")
    stacks.create("two", ONE, RoleARN=role)
    assert stacks.describe("two")["RoleARN"] == role
    stacks.delete("two")


def test_a_creation_whose_time_is_over(stacks: Stacks) -> None:
    template = {
        "Resources": {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Waiting": {
                "Type": "AWS::CloudFormation::WaitCondition",
                "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": 40000},
            },
        }
    }
    stacks.create("one", template, expect="ROLLBACK_COMPLETE", TimeoutInMinutes=1)
    assert any("one ROLLBACK_IN_PROGRESS Stack creation time exceeded the specified timeout. Rollback" in line
               for line in stacks.story("one"))  # fmt: skip
    assert "Waiting CREATE_FAILED Resource creation cancelled" in stacks.story("one")


def test_deleting_what_is_being_made(stacks: Stacks) -> None:
    waiting = {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": "Logs",
               "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": 40000}}  # fmt: skip
    template = {
        "Resources": {"Logs": GROUP, "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}, "Waiting": waiting}
    }
    from tests.emulator_process import wait_until

    made = stacks.cfn.create_stack(StackName="one", TemplateBody=json.dumps(template))
    wait_until(lambda: "Waiting CREATE_IN_PROGRESS Resource creation Initiated" in stacks.story("one"), "it waits")
    stacks.cfn.delete_stack(StackName="one")
    assert stacks.settled(made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.aws("logs").describe_log_groups()["logGroups"] == []


def test_cancelling_an_update(stacks: Stacks) -> None:
    from tests.emulator_process import wait_until

    stacks.create("one", ONE)
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    waiting = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": 40000},
    }
    wanted = {
        "Resources": {"Logs": {**GROUP, "Properties": {"RetentionInDays": 30}}, "Handle": handle, "Waiting": waiting}
    }
    stacks.cfn.update_stack(StackName="one", TemplateBody=json.dumps(wanted))
    wait_until(lambda: "Waiting CREATE_IN_PROGRESS Resource creation Initiated" in stacks.story("one"), "it waits")
    stacks.cfn.cancel_update_stack(StackName="one")
    assert stacks.settled("one")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.aws("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 7
    assert [
        one["LogicalResourceId"] for one in stacks.cfn.list_stack_resources(StackName="one")["StackResourceSummaries"]
    ] == ["Logs"]


def test_a_rollback_that_fails_is_continued(stacks: Stacks) -> None:
    """The group is deleted behind CloudFormation's back, so its change cannot be taken back."""
    named = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "g", "RetentionInDays": 7}}
    stacks.create("one", {"Resources": {"Logs": named}})
    stacks.aws("logs").delete_log_group(logGroupName="g")
    changed = {"Resources": {"Logs": {**named, "Properties": {"LogGroupName": "g", "RetentionInDays": 30}}}}
    stacks.update("one", changed, expect="UPDATE_ROLLBACK_FAILED")
    _, message = stacks.refused("update_stack", StackName="one", UsePreviousTemplate=True)
    assert message.endswith("is in UPDATE_ROLLBACK_FAILED state and can not be updated.")
    stacks.cfn.continue_update_rollback(StackName="one", ResourcesToSkip=["Logs"])
    assert stacks.settled("one")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_a_custom_name_cannot_be_replaced(stacks: Stacks) -> None:
    definition = {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "mine"}}
    stacks.create("one", {"Resources": {"A": definition}})
    group = {
        "Type": "AWS::IAM::Role",
        "Properties": {"RoleName": "same", "Path": "/a/", "AssumeRolePolicyDocument": TRUST},
    }
    stacks.create("two", {"Resources": {"A": group}})
    moved = {**group, "Properties": {**group["Properties"], "Path": "/b/"}}
    stacks.update("two", {"Resources": {"A": moved}}, expect="UPDATE_ROLLBACK_COMPLETE")
    assert (
        "A UPDATE_FAILED CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename same and"
        " update the stack again." in stacks.story("two")
    )


def test_validate_template(stacks: Stacks) -> None:
    template = {
        "Description": "people",
        "Parameters": {"Name": {"Type": "String", "Default": "ada", "Description": "whose"}},
        "Resources": {"User": {"Type": "AWS::IAM::User", "Properties": {"UserName": {"Ref": "Name"}}}},
    }
    shown = stacks.cfn.validate_template(TemplateBody=json.dumps(template))
    assert shown["Parameters"] == [
        {"ParameterKey": "Name", "DefaultValue": "ada", "NoEcho": False, "Description": "whose"}
    ]
    assert shown["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert shown["CapabilitiesReason"] == "The following resource(s) require capabilities: [AWS::IAM::User]"
    template["Resources"]["User"]["Properties"] = {"UserName": {"Ref": "Nobody"}}  # type: ignore[index]
    assert stacks.refused("validate_template", TemplateBody=json.dumps(template)) == (
        "ValidationError",
        "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template",
    )


def test_a_stacks_tags_are_its_resources_tags(stacks: Stacks) -> None:
    resources = {
        "Vpc": {
            "Type": "AWS::EC2::VPC",
            "Properties": {"CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "own", "Value": "1"}]},
        },
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Cluster": {"Type": "AWS::ECS::Cluster"},
    }
    stacks.create("one", {"Resources": resources}, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])

    def tags() -> list[dict[str, str]]:
        vpc = stacks.aws("ec2").describe_vpcs(VpcIds=[stacks.physical("one", "Vpc")])["Vpcs"][0]["Tags"]
        role = stacks.aws("iam").list_role_tags(RoleName=stacks.physical("one", "Role"))["Tags"]
        arn = stacks.aws("ecs").describe_clusters(clusters=[stacks.physical("one", "Cluster")])["clusters"][0][
            "clusterArn"
        ]
        cluster = stacks.aws("ecs").list_tags_for_resource(resourceArn=arn)["tags"]
        return [
            {one["Key"]: one["Value"] for one in vpc if not one["Key"].startswith("aws:")},
            {one["Key"]: one["Value"] for one in role},
            {one["key"]: one["value"] for one in cluster},
        ]

    assert tags() == [{"own": "1", "a": "1", "b": "2"}, {"a": "1", "b": "2"}, {"a": "1", "b": "2"}]
    stacks.update("one", Tags=[{"Key": "a", "Value": "9"}])
    assert tags() == [{"own": "1", "a": "9"}, {"a": "9"}, {"a": "9"}]
    bad = {**resources, "Bad": {"Type": "AWS::EC2::Subnet", "DependsOn": ["Vpc", "Role", "Cluster"],
                                "Properties": {"VpcId": "vpc-12345678", "CidrBlock": "10.0.0.0/24"}}}  # fmt: skip
    stacks.update("one", {"Resources": bad}, expect="UPDATE_ROLLBACK_COMPLETE", Tags=[{"Key": "c", "Value": "3"}])
    assert tags() == [{"own": "1", "a": "9"}, {"a": "9"}, {"a": "9"}]
