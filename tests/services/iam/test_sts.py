"""STS: who is asking, and roles assumed."""

import json
import time
from typing import Any

import pytest
from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Principal, Request

from tests.services.iam.iam_house import ACCOUNT, ECS_TRUST, House, allow, document


def trusting(*principals: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}
    return document({**statement, **more})


def assume(house: House, by: Principal, role_arn: str, **more: Any) -> Any:
    params = {"RoleArn": role_arn, "RoleSessionName": "work", **more}
    return house.call("AssumeRole", service="sts", by=by, **params)


def refused(house: House, by: Principal, role_arn: str, **more: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        assume(house, by, role_arn, **more)
    return caught.value


def not_authorized(by: Principal, role_arn: str) -> str:
    return f"User: {by.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"


def test_caller_identity(house: House) -> None:
    ann = house.user("ann")
    session = house.session(house.role())
    for principal, user_id in ((house.root, ACCOUNT), (ann, ann.user_id), (session, session.user_id)):
        answer = house.call("GetCallerIdentity", service="sts", by=principal)
        assert answer == {"UserId": user_id, "Account": ACCOUNT, "Arn": principal.arn}


def test_a_user_assumes_a_role_that_names_it(house: House) -> None:
    ann = house.user("ann")
    role_arn = house.role("deploy", trusting(ann.arn), allow("s3:*"))
    before = time.time()
    answer = assume(house, ann, role_arn)
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/work"
    credentials = answer["Credentials"]
    assert before + 3590 < credentials["Expiration"].timestamp() <= time.time() + 3600
    found = house.iam.find_credential(credentials["AccessKeyId"])
    assert found is not None
    assert (found.secret, found.session_token) == (credentials["SecretAccessKey"], credentials["SessionToken"])
    house.check("s3", "ListBuckets", found.principal)
    house.denied("ecs", "ListClusters", found.principal)


def test_if_the_account_is_named_the_users_own_policies_count(house: House) -> None:
    role_arn = house.role("deploy", trusting(ACCOUNT))
    may = house.user("may", allow("sts:AssumeRole", role_arn))
    may_not = house.user("maynot")
    assume(house, may, role_arn)
    error = refused(house, may_not, role_arn)
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == (
        not_authorized(may_not, role_arn) + " because no identity-based policy allows the sts:AssumeRole action"
    )
    assume(house, house.root, role_arn)


def test_the_trust_policy_has_its_say(house: House) -> None:
    ann = house.user("ann", allow())
    role_arn = house.role("task", ECS_TRUST)
    assert refused(house, ann, role_arn).message == not_authorized(ann, role_arn)
    assert refused(house, house.root, role_arn).message == not_authorized(house.root, role_arn)
    missing = f"arn:aws:iam::{ACCOUNT}:role/missing"
    assert refused(house, ann, missing).message == not_authorized(ann, missing)
    house.sts.operation("AssumeRole")(
        Request("sts", "AssumeRole", "us-east-1", Principal.of_service(ACCOUNT, "ecs-tasks.amazonaws.com")),
        {"RoleArn": role_arn, "RoleSessionName": "task-1"},
    )


def test_an_explicit_deny_of_the_callers_wins(house: House) -> None:
    ann = house.user("ann", {**allow("sts:AssumeRole"), "Effect": "Deny"})
    role_arn = house.role("deploy", trusting(ann.arn))
    assert refused(house, ann, role_arn).message.endswith("with an explicit deny in an identity-based policy")


def test_external_ids(house: House) -> None:
    ann = house.user("ann")
    condition = {"StringEquals": {"sts:ExternalId": "secret/1"}}
    role_arn = house.role("deploy", trusting(ann.arn, Condition=condition))
    assume(house, ann, role_arn, ExternalId="secret/1")
    for wrong in ({}, {"ExternalId": "other"}):
        assert refused(house, ann, role_arn, **wrong).code == "AccessDenied"


def test_another_account_needs_both(house: House) -> None:
    other = "210987654321"
    house.call("CreateUser", by=Principal.root(other), UserName="bob")
    key = house.call("CreateAccessKey", by=Principal.root(other), UserName="bob")["AccessKey"]["AccessKeyId"]
    credential = house.iam.find_credential(key)
    assert credential is not None
    bob = credential.principal
    role_arn = house.role("deploy", trusting(bob.arn))
    assert refused(house, bob, role_arn).code == "AccessDenied"
    policy = document(allow("sts:AssumeRole"))
    house.call("PutUserPolicy", by=Principal.root(other), UserName="bob", PolicyName="p", PolicyDocument=policy)
    answer = assume(house, bob, role_arn)
    assert answer["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:")


def test_roles_are_chained_for_an_hour_at_most(house: House) -> None:
    first = house.session(house.role("first"))
    role_arn = house.role("second", trusting(f"arn:aws:iam::{ACCOUNT}:role/first"), MaxSessionDuration=43200)
    assume(house, first, role_arn, DurationSeconds=3600)
    error = refused(house, first, role_arn, DurationSeconds=7200)
    assert (error.code, "role chaining" in error.message) == ("ValidationError", True)
    assume(house, house.user("ann", allow("sts:*")), house.role("third", trusting(ACCOUNT), MaxSessionDuration=7200),
           DurationSeconds=7200)  # fmt: skip


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"RoleArn": "arn:aws:iam::123456789012:user/deploy-x"}, "is invalid"),
        ({"RoleSessionName": "a b"}, "regular expression pattern"),
        ({"DurationSeconds": 900 * 60}, "less than or equal to 43200"),
        ({"DurationSeconds": 7200}, "exceeds the MaxSessionDuration set for this role"),
    ],
)
def test_parameters_that_are_refused(house: House, params: dict[str, Any], message: str) -> None:
    role_arn = house.role("deploy", trusting(ACCOUNT))
    with pytest.raises(AwsError, match=message) as caught:
        assume(house, house.root, params.pop("RoleArn", role_arn), **params)
    assert caught.value.code == "ValidationError"


def test_session_policies_narrow(house: House) -> None:
    role_arn = house.role("deploy", trusting(ACCOUNT), allow())
    answer = assume(house, house.root, role_arn, Policy=document(allow("s3:*")),
                    PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AmazonECS_FullAccess"}])  # fmt: skip
    assert 1 <= answer["PackedPolicySize"] <= 100
    found = house.iam.find_credential(answer["Credentials"]["AccessKeyId"])
    assert found is not None
    house.check("s3", "ListBuckets", found.principal)
    house.check("ecs", "ListClusters", found.principal)
    denied = house.denied("sqs", "ListQueues", found.principal)
    assert denied.message.endswith("because no session policy allows the sqs:listqueues action")
    assert refused(house, house.root, role_arn, Policy="{}").code == "MalformedPolicyDocument"
    big = document(allow([f"s3:Action{number}" for number in range(150)]))
    assert refused(house, house.root, role_arn, Policy=big).code == "PackedPolicyTooLarge"


def test_session_tags_need_their_own_permission(house: House) -> None:
    ann = house.user("ann")
    tags = [{"Key": "team", "Value": "a"}]
    plain = house.role("plain", trusting(ann.arn))
    assert "sts:TagSession" in refused(house, ann, plain, Tags=tags).message
    condition = {"StringEquals": {"aws:PrincipalTag/team": "a"}}
    trust = json.loads(trusting(ann.arn))["Statement"][0] | {"Action": ["sts:AssumeRole", "sts:TagSession"]}
    role_arn = house.role("tagged", document(trust), allow("s3:*", Condition=condition))
    for given, works in ((tags, True), ([], False)):
        answer = assume(house, ann, role_arn, Tags=given)
        found = house.iam.find_credential(answer["Credentials"]["AccessKeyId"])
        assert found is not None
        if works:
            house.check("s3", "ListBuckets", found.principal)
        else:
            house.denied("s3", "ListBuckets", found.principal)


def test_session_tokens(house: House) -> None:
    ann = house.user("ann", allow("s3:*"))
    credentials = house.call("GetSessionToken", service="sts", by=ann)["Credentials"]
    assert 43100 < credentials["Expiration"].timestamp() - time.time() <= 43200
    found = house.iam.find_credential(credentials["AccessKeyId"])
    assert found is not None and found.principal.arn == ann.arn
    house.check("s3", "ListBuckets", found.principal)
    house.denied("ecs", "ListClusters", found.principal)
    with pytest.raises(AwsError, match="Cannot call GetSessionToken with session credentials"):
        house.call("GetSessionToken", service="sts", by=found.principal)
    root = house.call("GetSessionToken", service="sts", DurationSeconds=43200)["Credentials"]
    assert root["Expiration"].timestamp() - time.time() <= 3600
    found = house.iam.find_credential(root["AccessKeyId"])
    assert found is not None and found.principal.kind == "root"


def test_access_key_info(house: House) -> None:
    ann = house.user("ann")
    assert house.call("GetAccessKeyInfo", service="sts", AccessKeyId=ann.access_key) == {"Account": ACCOUNT}
    house.call("DeleteAccessKey", UserName="ann", AccessKeyId=ann.access_key)
    assert house.call("GetAccessKeyInfo", service="sts", AccessKeyId=ann.access_key) == {"Account": ACCOUNT}
    with pytest.raises(AwsError, match="is not a valid access key id"):
        house.call("GetAccessKeyInfo", service="sts", AccessKeyId="AKIA0189!!!!!!!!!!")


def test_what_is_lacking_says_so(house: House) -> None:
    for operation in ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "DecodeAuthorizationMessage"):
        with pytest.raises(NotImplementedByDrydock) as caught:
            house.sts.operation(operation)
        assert caught.value.status == 501
    with pytest.raises(NotImplementedByDrydock, match="SourceIdentity"):
        assume(house, house.root, house.role("deploy", trusting(ACCOUNT)), SourceIdentity="me")
