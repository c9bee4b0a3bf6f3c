"""The policy simulator decides as the authoriser does."""

import pytest
from drydock.errors import NotImplementedByDrydock

from tests.services.iam.iam_house import ACCOUNT, ECS_TRUST, House, allow, document


def decisions(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [result["EvalDecision"] for result in answer["EvaluationResults"]]


def test_documents_of_ones_own(house: House) -> None:
    condition = {"StringEquals": {"aws:username": "ann"}}
    policies = [document(allow("s3:*", Condition=condition), {**allow("s3:DeleteBucket"), "Effect": "Deny"})]
    actions = ["s3:GetObject", "s3:DeleteBucket", "ec2:RunInstances"]
    without = house.call("SimulateCustomPolicy", PolicyInputList=policies, ActionNames=actions)
    assert decisions(without) == ["implicitDeny", "explicitDeny", "implicitDeny"]
    assert without["EvaluationResults"][0]["MissingContextValues"] == ["aws:username"]
    entry = {"ContextKeyName": "aws:username", "ContextKeyValues": ["ann"], "ContextKeyType": "string"}
    given = house.call("SimulateCustomPolicy", PolicyInputList=policies, ActionNames=actions, ContextEntries=[entry])
    assert decisions(given) == ["allowed", "explicitDeny", "implicitDeny"]
    assert given["EvaluationResults"][0]["MatchedStatements"][0]["SourcePolicyId"] == "PolicyInputList.1"


def test_policies_of_a_role(house: House) -> None:
    arn = house.role("task", ECS_TRUST, allow("s3:GetObject", "arn:aws:s3:::b/*"))
    house.call("AttachRolePolicy", RoleName="task", PolicyArn="arn:aws:iam::aws:policy/AmazonECS_FullAccess")
    asked = {"PolicySourceArn": arn, "ActionNames": ["s3:GetObject", "ecs:RunTask"],
             "ResourceArns": ["arn:aws:s3:::b/k", "arn:aws:s3:::c/k"]}  # fmt: skip
    answer = house.call("SimulatePrincipalPolicy", **asked)
    assert decisions(answer) == ["allowed", "implicitDeny", "allowed", "allowed"]
    matched = [result["MatchedStatements"] for result in answer["EvaluationResults"]]
    assert matched[0] == [{"SourcePolicyId": "role_task_inline", "SourcePolicyType": "role"}]
    assert matched[2] == [{"SourcePolicyId": "AmazonECS_FullAccess", "SourcePolicyType": "aws-managed"}]
    house.call("CreatePolicy", PolicyName="own", PolicyDocument=document(allow("ecs:*")))
    house.call("PutRolePermissionsBoundary", RoleName="task", PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/own")
    bounded = house.call("SimulatePrincipalPolicy", **asked)
    assert decisions(bounded) == ["implicitDeny", "implicitDeny", "allowed", "allowed"]
    assert house.error("SimulatePrincipalPolicy", **{**asked, "PolicySourceArn": arn + "x"})[0] == "NoSuchEntity"


def test_what_it_does_not_know_it_says(house: House) -> None:
    with pytest.raises(NotImplementedByDrydock, match="ResourcePolicy"):
        house.call(
            "SimulateCustomPolicy", PolicyInputList=[document(allow())], ActionNames=["a:b"], ResourcePolicy="{}"
        )
