"""The decision before every operation, and the words and codes of its refusals."""

import time
from typing import Any

import pytest
from botocore.session import get_session
from drydock.errors import AccessDenied
from drydock.request import Principal, Request

from tests.services.iam.iam_house import ACCOUNT, ECS_TRUST, House, allow, document

HERE = f"us-east-1:{ACCOUNT}"


def test_root_and_services_may_do_all(house: House) -> None:
    house.check("s3", "DeleteBucket", house.root, Bucket="b")
    house.check("ec2", "TerminateInstances", Principal.of_service(ACCOUNT, "ecs.amazonaws.com"), InstanceIds=["i-1"])


@pytest.mark.parametrize(
    ("service", "operation", "params", "code", "status", "what"),
    [
        ("ecs", "ListClusters", {}, "AccessDeniedException", 400, "ecs:ListClusters on resource: *"),
        ("s3", "GetObject", {"Bucket": "b", "Key": "k"}, "AccessDenied", 403, "s3:GetObject on resource: arn:aws:s3:::b/k"),
        ("s3", "ListBuckets", {}, "AccessDenied", 403, "s3:ListAllMyBuckets"),
        ("iam", "GetAccountSummary", {}, "AccessDenied", 403, "iam:GetAccountSummary on resource: *"),
        ("elbv2", "DescribeRules", {}, "AccessDenied", 403, "elasticloadbalancing:DescribeRules"),
        ("cloudformation", "ListStacks", {}, "AccessDenied", 403,
         "cloudformation:ListStacks on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/*/*"),
        ("autoscaling", "DescribeAutoScalingGroups", {}, "AccessDenied", 403,
         "autoscaling:DescribeAutoScalingGroups"),
        ("lambda", "ListFunctions", {}, "AccessDeniedException", 403, "lambda:ListFunctions on resource: *"),
        ("logs", "DescribeLogGroups", {}, "AccessDeniedException", 400,
         "logs:DescribeLogGroups on resource: arn:aws:logs:us-east-1:123456789012:log-group::log-stream:"),
        ("kms", "ListKeys", {}, "AccessDeniedException", 400, "kms:ListKeys on resource: *"),
    ],
)  # fmt: skip
def test_refusals(
    house: House, service: str, operation: str, params: dict[str, Any], code: str, status: int, what: str
) -> None:
    session = house.session(house.role())
    error = house.denied(service, operation, session, **params)
    assert isinstance(error, AccessDenied)
    action = what.partition(" ")[0]
    assert error.message == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/task/session is not authorized to perform: {what} because no"
        f" identity-based policy allows the {action} action"
    )
    assert (error.code, error.status) == (code, status)


def test_ec2_has_a_form_of_its_own(house: House) -> None:
    error = house.denied("ec2", "DescribeInstances", house.user("ann"))
    assert (error.code, error.status) == ("UnauthorizedOperation", 403)
    assert error.message == (
        f"You are not authorized to perform this operation. User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to"
        " perform: ec2:DescribeInstances because no identity-based policy allows the ec2:DescribeInstances action"
    )


def test_an_explicit_deny_says_so(house: House) -> None:
    ann = house.user("ann", allow(), {**allow("ecs:DeleteCluster"), "Effect": "Deny"})
    house.check("ecs", "ListClusters", ann)
    error = house.denied("ecs", "DeleteCluster", ann, cluster="c")
    assert error.message == (
        f"User: {ann.arn} is not authorized to perform: ecs:DeleteCluster on resource: arn:aws:ecs:{HERE}:cluster/c with"
        " an explicit deny in an identity-based policy"
    )


def test_some_operations_need_no_permission(house: House) -> None:
    bare = house.session(house.role())
    for operation in ("GetCallerIdentity", "AssumeRole", "GetSessionToken"):
        house.check("sts", operation, bare)
    house.denied("sts", "GetFederationToken", bare, Name="x")


def test_groups_and_managed_policies_count_at_once(house: House) -> None:
    ann = house.user("ann")
    house.denied("s3", "ListBuckets", ann)
    house.call("CreateGroup", GroupName="team")
    house.call("PutGroupPolicy", GroupName="team", PolicyName="p", PolicyDocument=document(allow("s3:*")))
    house.denied("s3", "ListBuckets", ann)
    house.call("AddUserToGroup", GroupName="team", UserName="ann")
    house.check("s3", "ListBuckets", ann)
    house.call("RemoveUserFromGroup", GroupName="team", UserName="ann")
    house.denied("s3", "ListBuckets", ann)
    read_only = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    house.call("AttachUserPolicy", UserName="ann", PolicyArn=read_only)
    house.check("s3", "ListBuckets", ann)
    house.denied("s3", "DeleteBucket", ann, Bucket="b")
    made = house.call("CreatePolicy", PolicyName="own", PolicyDocument=document(allow("sqs:*")))["Policy"]["Arn"]
    house.call("AttachUserPolicy", UserName="ann", PolicyArn=made)
    house.check("sqs", "ListQueues", ann)
    house.call("CreatePolicyVersion", PolicyArn=made, PolicyDocument=document(allow("sns:*")), SetAsDefault=True)
    house.denied("sqs", "ListQueues", ann)
    house.check("sns", "ListTopics", ann)


def test_every_resource_must_be_allowed(house: House) -> None:
    image, group = "arn:aws:ec2:us-east-1::image/ami-1", f"arn:aws:ec2:{HERE}:security-group/sg-1"
    most = [image, *(f"arn:aws:ec2:{HERE}:{kind}/*" for kind in ("instance", "network-interface", "volume", "subnet"))]
    params = {"ImageId": "ami-1", "SubnetId": "subnet-1", "SecurityGroupIds": ["sg-1"]}
    ann = house.user("ann", allow("ec2:RunInstances", most))
    assert group in house.denied("ec2", "RunInstances", ann, **params).message
    bob = house.user("bob", allow("ec2:RunInstances", [*most, group]))
    house.check("ec2", "RunInstances", bob, **params)
    house.denied("ec2", "RunInstances", bob, **{**params, "SecurityGroupIds": ["sg-1", "sg-2"]})


def test_the_builds_policy_of_the_course(house: House) -> None:
    group = f"arn:aws:logs:{HERE}:log-group:/aws/codebuild/web"
    session = house.session(
        house.role(
            "build",
            ECS_TRUST,
            allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [group, f"{group}:*"]),
            allow(["s3:GetBucketAcl", "s3:GetBucketLocation"], "arn:aws:s3:::artifacts"),
            allow(["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], "arn:aws:s3:::artifacts/*"),
            allow("codecommit:GitPull", f"arn:aws:codecommit:{HERE}:web"),
        )
    )
    for operation in ("CreateLogGroup", "CreateLogStream", "PutLogEvents"):
        house.check("logs", operation, session, logGroupName="/aws/codebuild/web", logStreamName="s")
        house.denied("logs", operation, session, logGroupName="/aws/codebuild/other", logStreamName="s")
    house.check("s3", "PutObject", session, Bucket="artifacts", Key="web/1.zip")
    house.check("s3", "GetObject", session, Bucket="artifacts", Key="web/1.zip", VersionId="1")
    house.check("s3", "GetBucketLocation", session, Bucket="artifacts")
    house.denied("s3", "ListObjectsV2", session, Bucket="artifacts")
    house.denied("s3", "DeleteObject", session, Bucket="artifacts", Key="web/1.zip")
    assert house.iam.decide(session, "codecommit:GitPull", f"arn:aws:codecommit:{HERE}:web", {}).allowed
    house.denied("ecr", "GetAuthorizationToken", session)


@pytest.mark.parametrize("resource", ["", ":*", ":log-stream:*"])
def test_ways_to_write_a_log_group(house: House, resource: str) -> None:
    arn = f"arn:aws:logs:{HERE}:log-group:/g{resource}"
    session = house.session(house.role("task", ECS_TRUST, allow("logs:*", arn)))
    house.check("logs", "PutLogEvents", session, logGroupName="/g", logStreamName="s")
    house.check("logs", "CreateLogGroup", session, logGroupName="/g")
    house.denied("logs", "CreateLogGroup", session, logGroupName="/gg")


def test_conditions_of_the_request(house: House) -> None:
    condition = {
        "StringEquals": {"aws:RequestedRegion": "us-east-1", "aws:RequestTag/team": "a"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost"]},
        "IpAddress": {"aws:SourceIp": "127.0.0.0/8"},
        "ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/task"},
        "DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"},
    }
    session = house.session(
        house.role("task", ECS_TRUST, allow(["ecs:CreateCluster", "ecs:TagResource"], Condition=condition))
    )
    good = [{"key": "team", "value": "a"}]
    house.check("ecs", "CreateCluster", session, clusterName="c", tags=good)
    house.denied("ecs", "CreateCluster", session, clusterName="c")
    house.denied("ecs", "CreateCluster", session, clusterName="c", tags=[{"key": "team", "value": "b"}])
    house.denied("ecs", "CreateCluster", session, clusterName="c", tags=[*good, {"key": "x", "value": "y"}])
    elsewhere = Request("ecs", "CreateCluster", "eu-west-1", session)
    with pytest.raises(AccessDenied):
        house.authorizer.check(elsewhere, {"clusterName": "c", "tags": good})


def test_conditions_of_services(house: House) -> None:
    cluster = {"ArnEquals": {"ecs:cluster": f"arn:aws:ecs:{HERE}:cluster/c"}}
    prefix = {"StringLike": {"s3:prefix": ["home/${aws:username}/*"]}}
    ann = house.user(
        "ann",
        allow("ecs:ListTasks", Condition=cluster),
        allow("s3:ListBucket", "arn:aws:s3:::b", Condition=prefix),
        allow("s3:GetObject", "arn:aws:s3:::b/home/${aws:username}/*"),
    )
    house.check("ecs", "ListTasks", ann, cluster="c")
    house.denied("ecs", "ListTasks", ann, cluster="d")
    house.check("s3", "ListObjectsV2", ann, Bucket="b", Prefix="home/ann/")
    house.denied("s3", "ListObjectsV2", ann, Bucket="b", Prefix="home/bob/")
    house.denied("s3", "ListObjectsV2", ann, Bucket="b")
    house.check("s3", "GetObject", ann, Bucket="b", Key="home/ann/x")
    house.denied("s3", "GetObject", ann, Bucket="b", Key="home/bob/x")


def test_copying_needs_the_source_too(house: House) -> None:
    ann = house.user("ann", allow("s3:PutObject", "arn:aws:s3:::to/*"))
    params = {"Bucket": "to", "Key": "k", "CopySource": {"Bucket": "from", "Key": "a"}}
    assert "s3:GetObject on resource: arn:aws:s3:::from/a" in house.denied("s3", "CopyObject", ann, **params).message
    params["CopySource"] = "from/b?versionId=1"
    assert "arn:aws:s3:::from/b " in house.denied("s3", "CopyObject", ann, **params).message


def test_motos_services_ask_for_pass_role(house: House) -> None:
    role_arn = house.role()
    house.call("CreateInstanceProfile", InstanceProfileName="box")
    house.call("AddRoleToInstanceProfile", InstanceProfileName="box", RoleName="task")
    ann = house.user("ann", allow(["lambda:*", "ec2:*"]))
    assert f"iam:PassRole on resource: {role_arn}" in house.denied(
        "lambda", "CreateFunction", ann, FunctionName="f", Role=role_arn
    ).message  # fmt: skip
    error = house.denied("ec2", "RunInstances", ann, ImageId="ami-1", IamInstanceProfile={"Name": "box"})
    assert error.code == "UnauthorizedOperation" and "iam:PassRole" in error.message
    bob = house.user("bob", allow(["lambda:*", "ec2:*"]), allow("iam:PassRole", role_arn))
    house.call("UpdateAssumeRolePolicy", RoleName="task", PolicyDocument=ECS_TRUST.replace("ecs-tasks", "lambda"))
    house.check("lambda", "CreateFunction", bob, FunctionName="f", Role=role_arn)
    house.check("ec2", "RunInstances", bob, ImageId="ami-1", IamInstanceProfile={"Name": "box"})


def test_roles_and_profiles_that_moto_is_told_of_must_be_there(house: House) -> None:
    role_arn = house.role()
    for arn in (role_arn, role_arn + "x"):  # it trusts another service; it is not there
        error = house.denied("lambda", "CreateFunction", house.root, FunctionName="f", Role=arn)
        assert error.code == "InvalidParameterValueException"
        assert error.message == "The role defined for the function cannot be assumed by Lambda."
    house.call("CreateInstanceProfile", InstanceProfileName="box")
    house.check("ec2", "RunInstances", house.root, ImageId="ami-1", IamInstanceProfile={"Name": "box"})
    house.check("ec2", "RunInstances", house.root, ImageId="ami-1")
    error = house.denied("ec2", "RunInstances", house.root, ImageId="ami-1", IamInstanceProfile={"Name": "bax"})
    assert (error.code, error.message) == (
        "InvalidParameterValue",
        "Value (bax) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
    )


def test_iam_resources_have_their_paths(house: House) -> None:
    house.role("app", ECS_TRUST, Path="/apps/")
    ann = house.user("ann", allow("iam:*", f"arn:aws:iam::{ACCOUNT}:role/apps/*"))
    house.check("iam", "GetRole", ann, RoleName="app")
    house.check("iam", "CreateRole", ann, RoleName="new", Path="/apps/")
    house.denied("iam", "CreateRole", ann, RoleName="new")
    house.denied("iam", "ListRoles", ann)


def test_odd_parameters_are_refused_without_harm(house: House) -> None:
    session = house.session(house.role())
    for service in ("ecs", "s3", "logs", "iam", "lambda", "kms", "sqs"):
        model = get_session().get_service_model(service)
        for operation in model.operation_names:
            shape = model.operation_model(operation).input_shape
            for value in (None, 7, [3], {"a": []}, "text"):
                house.denied(service, operation, session, **dict.fromkeys(shape.members if shape else [], value))


def test_decisions_are_quick(house: House) -> None:
    house.role()
    for name in ("service-role/AmazonECSTaskExecutionRolePolicy", "ReadOnlyAccess", "PowerUserAccess",
                 "AmazonEC2FullAccess", "AmazonS3ReadOnlyAccess", "AWSLambda_FullAccess", "AmazonSSMFullAccess",
                 "AmazonSQSFullAccess", "AmazonSNSFullAccess", "AmazonECS_FullAccess"):  # fmt: skip
        house.call("AttachRolePolicy", RoleName="task", PolicyArn=f"arn:aws:iam::aws:policy/{name}")
    session = house.session(f"arn:aws:iam::{ACCOUNT}:role/task")
    request = Request("ecs", "RunTask", "us-east-1", session)
    params = {"cluster": "c", "taskDefinition": "web:1"}
    root = Request("ecs", "RunTask", "us-east-1", house.root)
    house.authorizer.check(request, params)

    def best(asked: Request) -> float:
        times = []
        for _ in range(20):
            start = time.perf_counter()
            for _ in range(50):
                house.authorizer.check(asked, params)
            times.append((time.perf_counter() - start) / 50)
        return min(times)

    assert best(request) < 200e-6
    assert best(root) < 3e-6
