"""Types of resources beside the network and ECS: made, changed, found as they should be, and gone."""

from __future__ import annotations

import json
from typing import Any

from tests.services.cloudformation.conftest import Stacks

ALLOW = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}


def trusting(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def storage(value: str) -> dict[str, Any]:
    queue_arn = {"Fn::GetAtt": ["Queue", "Arn"]}
    return {
        "Resources": {
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "VersioningConfiguration": {"Status": "Enabled"},
                    "PublicAccessBlockConfiguration": {"BlockPublicAcls": "true"},
                    "BucketEncryption": {
                        "ServerSideEncryptionConfiguration": [
                            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                        ]
                    },
                    "Tags": [{"Key": "value", "Value": value}],
                },
            },
            "Policy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": {"Ref": "Bucket"},
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Deny",
                                "Principal": "*",
                                "Action": "s3:DeleteBucket",
                                "Resource": {"Fn::Sub": "${Bucket.Arn}"},
                                "Condition": {"Bool": {"aws:SecureTransport": False}},
                            }
                        ],
                    },
                },
            },
            "Parameter": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "/stack/value", "Type": "String", "Value": value, "Tags": {"a": "b"}},
            },
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {
                    "GenerateSecretString": {
                        "SecretStringTemplate": '{"user": "ada"}',
                        "GenerateStringKey": "password",
                        "PasswordLength": 20,
                    }
                },
            },
            "Copy": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {
                    "Type": "String",
                    "Value": {"Fn::Sub": "{{resolve:secretsmanager:${Secret}:SecretString:user}}"},
                },
            },
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": value}},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 45}},
            "Subscription": {
                "Type": "AWS::SNS::Subscription",
                "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "sqs", "Endpoint": queue_arn},
            },
            "Sending": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {
                    "Queues": [{"Ref": "Queue"}],
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Principal": {"Service": "sns.amazonaws.com"},
                                "Action": "sqs:SendMessage",
                                "Resource": queue_arn,
                            }
                        ],
                    },
                },
            },
        },
        "Outputs": {
            "Bucket": {"Value": {"Fn::GetAtt": ["Bucket", "DomainName"]}},
            "Queue": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}},
        },
    }


def test_storage_and_messages(stacks: Stacks) -> None:
    stack = stacks.create("data", storage("first"))
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    bucket = stacks.physical("data", "Bucket")
    assert outputs["Bucket"] == f"{bucket}.s3.amazonaws.com" and bucket.startswith("data-bucket-")
    assert stacks.aws("s3").get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    ssm = stacks.aws("ssm")
    assert ssm.get_parameter(Name="/stack/value")["Parameter"]["Value"] == "first"
    assert ssm.get_parameter(Name=stacks.physical("data", "Copy"))["Parameter"]["Value"] == "ada"
    secret = stacks.aws("secretsmanager").get_secret_value(SecretId=stacks.physical("data", "Secret"))["SecretString"]
    assert json.loads(secret)["user"] == "ada" and len(json.loads(secret)["password"]) == 20
    subscriptions = stacks.aws("sns").list_subscriptions()["Subscriptions"]
    assert [one["SubscriptionArn"] for one in subscriptions] == [stacks.physical("data", "Subscription")]
    queue = stacks.physical("data", "Queue")
    assert stacks.aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])[
        "Attributes"
    ] == {"VisibilityTimeout": "45"}
    stacks.update("data", storage("second"))
    assert ssm.get_parameter(Name="/stack/value")["Parameter"]["Value"] == "second"
    attributes = stacks.aws("sns").get_topic_attributes(TopicArn=stacks.physical("data", "Topic"))["Attributes"]
    assert attributes["DisplayName"] == "second"
    stacks.delete("data")
    assert stacks.aws("s3").list_buckets()["Buckets"] == []
    assert ssm.describe_parameters()["Parameters"] == []
    assert stacks.aws("secretsmanager").list_secrets()["SecretList"] == []
    assert stacks.aws("sns").list_topics()["Topics"] == []
    assert stacks.aws("sqs").list_queues().get("QueueUrls", []) == []


def people(actions: str) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    return {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"RoleName": "worker", "AssumeRolePolicyDocument": trusting("ec2.amazonaws.com")},
            },
            "Inline": {
                "Type": "AWS::IAM::Policy",
                "Properties": {"PolicyName": "inline", "PolicyDocument": document, "Roles": [{"Ref": "Role"}]},
            },
            "Managed": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": document, "Users": [{"Ref": "User"}], "Roles": [{"Ref": "Role"}]},
            },
            "User": {
                "Type": "AWS::IAM::User",
                "Properties": {"Policies": [{"PolicyName": "own", "PolicyDocument": ALLOW}]},
            },
            "Key": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "User"}}},
            "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
        },
        "Outputs": {
            "Key": {"Value": {"Ref": "Key"}},
            "Secret": {"Value": {"Fn::GetAtt": ["Key", "SecretAccessKey"]}},
            "Profile": {"Value": {"Fn::GetAtt": ["Profile", "Arn"]}},
        },
    }


def test_people_and_their_permissions(stacks: Stacks) -> None:
    stack = stacks.create("people", people("s3:ListAllMyBuckets"))
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    keys = {"aws_access_key_id": outputs["Key"], "aws_secret_access_key": outputs["Secret"]}
    assert stacks.aws("s3", **keys).list_buckets()["Buckets"] == []
    iam = stacks.aws("iam")
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == ["inline"]
    stacks.update("people", people("sqs:ListQueues"))
    assert stacks.aws("sqs", **keys).list_queues().get("QueueUrls", []) == []
    arn = stacks.physical("people", "Managed")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    stacks.delete("people")
    assert iam.list_users()["Users"] == [] and iam.list_policies(Scope="Local")["Policies"] == []
    assert iam.list_instance_profiles()["InstanceProfiles"] == []


def test_a_bucket_that_is_not_empty_stays(stacks: Stacks) -> None:
    stacks.create("data", {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}})
    bucket = stacks.physical("data", "Bucket")
    stacks.aws("s3").put_object(Bucket=bucket, Key="k", Body=b"v")
    failed = stacks.delete("data", expect="DELETE_FAILED")
    assert failed["StackStatusReason"] == "The following resource(s) failed to delete: [Bucket]. "
    assert any("The bucket you tried to delete is not empty" in line for line in stacks.story("data"))
    stacks.delete("data", RetainResources=["Bucket"])
    assert [one["Name"] for one in stacks.aws("s3").list_buckets()["Buckets"]] == [bucket]


def test_deletion_policies(stacks: Stacks) -> None:
    kept = {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Retain", "Properties": {"LogGroupName": "kept"}}
    stacks.create("one", {"Resources": {"Kept": kept, "Gone": {"Type": "AWS::Logs::LogGroup"}}})
    ended = stacks.delete("one")
    assert "Kept DELETE_SKIPPED" in stacks.story(ended["StackId"])
    assert [one["logGroupName"] for one in stacks.aws("logs").describe_log_groups()["logGroups"]] == ["kept"]


def test_a_wait_condition_waits_for_its_signals(stacks: Stacks) -> None:
    import urllib.request

    template = {
        "Resources": {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Waiting": {
                "Type": "AWS::CloudFormation::WaitCondition",
                "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "4000", "Count": 2},
            },
        },
        "Outputs": {"Data": {"Value": {"Fn::GetAtt": ["Waiting", "Data"]}}},
    }
    from tests.emulator_process import wait_until

    stacks.cfn.create_stack(StackName="one", TemplateBody=json.dumps(template))
    wait_until(lambda: "Waiting CREATE_IN_PROGRESS Resource creation Initiated" in stacks.story("one"), "it waits")
    url = stacks.physical("one", "Handle")
    signal = {"Status": "SUCCESS", "UniqueId": "a", "Data": "it works", "Reason": "done"}
    request = urllib.request.Request(url, json.dumps(signal).encode(), method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    stacks.cfn.signal_resource(StackName="one", LogicalResourceId="Waiting", UniqueId="b", Status="SUCCESS")
    stack = stacks.settled("one")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert json.loads(stack["Outputs"][0]["OutputValue"]) == {"a": "it works", "b": ""}


def test_a_wait_condition_whose_time_is_over(stacks: Stacks) -> None:
    template = {
        "Resources": {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Waiting": {
                "Type": "AWS::CloudFormation::WaitCondition",
                "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": 20},
            },
        }
    }
    stacks.create("one", template, expect="ROLLBACK_COMPLETE")
    assert any(
        "Waiting CREATE_FAILED WaitCondition timed out. Received 0 conditions when expecting 1" in line
        for line in stacks.story("one")
    )
