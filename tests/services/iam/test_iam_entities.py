"""Users, groups, roles, instance profiles: made, shown, changed, deleted, with AWS's errors."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from drydock.request import Principal

from tests.services.iam.iam_house import ACCOUNT, ECS_TRUST, House, allow, document

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def test_a_role_is_made_and_shown(house: House) -> None:
    made = house.call(
        "CreateRole",
        RoleName="task",
        Path="/app/",
        AssumeRolePolicyDocument=ECS_TRUST,
        Description="For tasks",
        MaxSessionDuration=7200,
        Tags=[{"Key": "team", "Value": "a"}],
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/app/task"
    assert made["RoleId"].startswith("AROA") and len(made["RoleId"]) == 21
    assert json.loads(unquote(made["AssumeRolePolicyDocument"])) == json.loads(ECS_TRUST)
    shown = house.call("GetRole", RoleName="TASK")["Role"]
    assert {**made, "RoleLastUsed": {}} == shown
    assert (shown["Description"], shown["MaxSessionDuration"]) == ("For tasks", 7200)
    assert shown["CreateDate"].tzinfo is not None


def test_role_errors(house: House) -> None:
    house.role()
    assert house.error("CreateRole", RoleName="Task", AssumeRolePolicyDocument=ECS_TRUST) == (
        "EntityAlreadyExists",
        "Role with name Task already exists.",
    )
    assert house.error("GetRole", RoleName="nobody") == (
        "NoSuchEntity",
        "The role with name nobody cannot be found.",
    )
    assert house.error("CreateRole", RoleName="a b", AssumeRolePolicyDocument=ECS_TRUST)[0] == "ValidationError"
    assert house.error("CreateRole", RoleName="x", AssumeRolePolicyDocument="{}")[0] == "MalformedPolicyDocument"
    big = document({**json.loads(ECS_TRUST)["Statement"][0], "Sid": "x" * 2100})
    assert house.error("CreateRole", RoleName="x", AssumeRolePolicyDocument=big) == (
        "LimitExceeded",
        "Cannot exceed quota for ACLSizePerRole: 2048",
    )


def test_a_trust_policy_names_principals_that_are_there(house: House) -> None:
    def trusting(arn: str) -> str:
        return document({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"})

    for kind in ("user", "role"):
        arn = f"arn:aws:iam::{ACCOUNT}:{kind}/ann"
        assert house.error("CreateRole", RoleName="r", AssumeRolePolicyDocument=trusting(arn)) == (
            "MalformedPolicyDocument",
            f'Invalid principal in policy: "AWS":"{arn}"',
        )
    house.user("ann")
    house.role("r", trusting(f"arn:aws:iam::{ACCOUNT}:user/ann"))
    house.call("UpdateAssumeRolePolicy", RoleName="r", PolicyDocument=trusting("999999999999"))
    assert "999999999999" in unquote(house.call("GetRole", RoleName="r")["Role"]["AssumeRolePolicyDocument"])


def test_a_role_is_deleted_only_when_nothing_hangs_on_it(house: House) -> None:
    house.role("task", ECS_TRUST, allow())
    house.call("AttachRolePolicy", RoleName="task", PolicyArn=READ_ONLY)
    house.call("CreateInstanceProfile", InstanceProfileName="box")
    house.call("AddRoleToInstanceProfile", InstanceProfileName="box", RoleName="task")
    conflicts = [
        ("Cannot delete entity, must remove roles from instance profile first.", "RemoveRoleFromInstanceProfile",
         {"InstanceProfileName": "box", "RoleName": "task"}),
        ("Cannot delete entity, must detach all policies first.", "DetachRolePolicy",
         {"RoleName": "task", "PolicyArn": READ_ONLY}),
        ("Cannot delete entity, must delete policies first.", "DeleteRolePolicy",
         {"RoleName": "task", "PolicyName": "inline"}),
    ]  # fmt: skip
    for message, remedy, params in conflicts:
        assert house.error("DeleteRole", RoleName="task") == ("DeleteConflict", message)
        house.call(remedy, **params)
    house.call("DeleteRole", RoleName="task")
    assert house.error("DeleteRole", RoleName="task")[0] == "NoSuchEntity"


def test_update_role(house: House) -> None:
    house.role()
    house.call("UpdateRole", RoleName="task", Description="new", MaxSessionDuration=3600)
    assert house.call("GetRole", RoleName="task")["Role"]["Description"] == "new"
    assert house.error("UpdateRole", RoleName="task", MaxSessionDuration=50000)[0] == "ValidationError"
    assert house.call("UpdateRoleDescription", RoleName="task", Description="2")["Role"]["Description"] == "2"


def test_instance_profiles(house: House) -> None:
    house.role("a")
    house.role("b")
    made = house.call("CreateInstanceProfile", InstanceProfileName="box", Tags=[{"Key": "k", "Value": "v"}])
    assert made["InstanceProfile"]["Roles"] == []
    assert made["InstanceProfile"]["InstanceProfileId"].startswith("AIPA")
    house.call("AddRoleToInstanceProfile", InstanceProfileName="box", RoleName="a")
    assert house.error("AddRoleToInstanceProfile", InstanceProfileName="box", RoleName="b") == (
        "LimitExceeded",
        "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
    )
    shown = house.call("GetInstanceProfile", InstanceProfileName="box")["InstanceProfile"]
    assert [role["RoleName"] for role in shown["Roles"]] == ["a"]
    listed = house.call("ListInstanceProfilesForRole", RoleName="a")["InstanceProfiles"]
    assert [profile["InstanceProfileName"] for profile in listed] == ["box"]
    assert house.call("ListInstanceProfilesForRole", RoleName="b")["InstanceProfiles"] == []
    assert house.error("DeleteInstanceProfile", InstanceProfileName="box")[0] == "DeleteConflict"
    assert house.error("GetInstanceProfile", InstanceProfileName="no") == (
        "NoSuchEntity",
        "Instance Profile no cannot be found.",
    )
    assert house.error("CreateInstanceProfile", InstanceProfileName="box") == (
        "EntityAlreadyExists",
        "Instance Profile box already exists.",
    )


def test_users_and_their_keys(house: House) -> None:
    ann = house.user("ann", allow("s3:*"))
    assert ann.arn == f"arn:aws:iam::{ACCOUNT}:user/ann"
    assert ann.user_id.startswith("AIDA")
    second = house.call("CreateAccessKey", UserName="ann")["AccessKey"]
    assert len(second["SecretAccessKey"]) == 40
    assert house.error("CreateAccessKey", UserName="ann") == (
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )
    house.call("UpdateAccessKey", UserName="ann", AccessKeyId=second["AccessKeyId"], Status="Inactive")
    credential = house.iam.find_credential(second["AccessKeyId"])
    assert credential is not None and not credential.active and credential.expires is None
    keys = house.call("ListAccessKeys", by=ann)["AccessKeyMetadata"]
    assert [key["Status"] for key in keys] == ["Active", "Inactive"]
    assert house.error("DeleteUser", UserName="ann") == (
        "DeleteConflict",
        "Cannot delete entity, must delete access keys first.",
    )
    for key in keys:
        house.call("DeleteAccessKey", UserName="ann", AccessKeyId=key["AccessKeyId"])
    assert house.iam.find_credential(second["AccessKeyId"]) is None
    assert house.error("DeleteAccessKey", UserName="ann", AccessKeyId=second["AccessKeyId"]) == (
        "NoSuchEntity",
        f"The Access Key with id {second['AccessKeyId']} cannot be found.",
    )
    house.call("DeleteUserPolicy", UserName="ann", PolicyName="inline")
    house.call("DeleteUser", UserName="ann")
    assert house.error("GetUser", UserName="ann") == ("NoSuchEntity", "The user with name ann cannot be found.")


def test_get_user_without_a_name_is_the_caller(house: House) -> None:
    ann = house.user("ann")
    assert house.call("GetUser", by=ann)["User"]["UserName"] == "ann"
    assert house.call("GetUser")["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    session = house.session(house.role())
    assert house.error("GetUser", by=session)[1] == "Must specify userName when calling with non-User credentials"


def test_renaming_a_user_keeps_keys_and_groups(house: House) -> None:
    ann = house.user("ann", allow("s3:*"))
    house.call("CreateGroup", GroupName="team")
    house.call("AddUserToGroup", GroupName="team", UserName="ann")
    house.call("UpdateUser", UserName="ann", NewUserName="anne", NewPath="/x/")
    credential = house.iam.find_credential(ann.access_key)
    assert credential is not None
    assert credential.principal.arn == f"arn:aws:iam::{ACCOUNT}:user/x/anne"
    assert [user["UserName"] for user in house.call("GetGroup", GroupName="team")["Users"]] == ["anne"]
    house.check("s3", "ListBuckets", credential.principal)
    house.call("UpdateGroup", GroupName="team", NewGroupName="crew")
    assert [group["GroupName"] for group in house.call("ListGroupsForUser", UserName="anne")["Groups"]] == ["crew"]


def test_groups(house: House) -> None:
    house.user("ann")
    made = house.call("CreateGroup", GroupName="team", Path="/p/")["Group"]
    assert made["GroupId"].startswith("AGPA")
    assert house.error("CreateGroup", GroupName="TEAM")[0] == "EntityAlreadyExists"
    house.call("AddUserToGroup", GroupName="team", UserName="ann")
    house.call("AddUserToGroup", GroupName="team", UserName="ann")
    assert house.error("DeleteGroup", GroupName="team") == (
        "DeleteConflict",
        "Cannot delete entity, must remove users from group first.",
    )
    assert house.error("AddUserToGroup", GroupName="team", UserName="bob")[0] == "NoSuchEntity"
    house.call("RemoveUserFromGroup", GroupName="team", UserName="ann")
    assert house.error("RemoveUserFromGroup", GroupName="team", UserName="ann")[0] == "NoSuchEntity"
    house.call("DeleteGroup", GroupName="team")
    assert house.call("ListGroups")["Groups"] == []


@pytest.mark.parametrize(
    ("kind", "make", "name"),
    [
        ("User", "CreateUser", {"UserName": "n"}),
        ("Role", "CreateRole", {"RoleName": "n"}),
        ("InstanceProfile", "CreateInstanceProfile", {"InstanceProfileName": "n"}),
        ("Policy", "CreatePolicy", {"PolicyName": "n"}),
    ],
)
def test_tags(house: House, kind: str, make: str, name: dict[str, str]) -> None:
    more: dict[str, Any] = {}
    if kind == "Role":
        more["AssumeRolePolicyDocument"] = ECS_TRUST
    if kind == "Policy":
        more["PolicyDocument"] = document(allow())
    made = house.call(make, **name, **more)
    named = {"PolicyArn": made["Policy"]["Arn"]} if kind == "Policy" else name
    house.call(f"Tag{kind}", **named, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    house.call(f"Untag{kind}", **named, TagKeys=["b"])
    assert house.call(f"List{kind}Tags", **named)["Tags"] == [{"Key": "a", "Value": "1"}]
    assert house.error(f"Tag{kind}", **named, Tags=[{"Key": "aws:x", "Value": ""}])[0] == "InvalidInput"


def test_lists_are_sorted_filtered_and_paged(house: House) -> None:
    for number in range(25):
        house.role(f"r{24 - number:02d}", Path="/even/" if number % 2 == 0 else "/odd/")
    first = house.call("ListRoles", MaxItems=20)
    assert first["IsTruncated"] and len(first["Roles"]) == 20
    rest = house.call("ListRoles", MaxItems=20, Marker=first["Marker"])
    names = [role["RoleName"] for role in first["Roles"] + rest["Roles"]]
    assert names == [f"r{number:02d}" for number in range(25)]
    assert not rest["IsTruncated"]
    assert len(house.call("ListRoles", PathPrefix="/odd/")["Roles"]) == 12


def test_service_linked_roles(house: House) -> None:
    made = house.call("CreateServiceLinkedRole", AWSServiceName="ecs.amazonaws.com")["Role"]
    arn = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    assert made["Arn"] == arn
    attached = house.call("ListAttachedRolePolicies", RoleName="AWSServiceRoleForECS")["AttachedPolicies"]
    assert attached[0]["PolicyArn"].endswith("policy/aws-service-role/AmazonECSServiceRolePolicy")
    assert house.error("CreateServiceLinkedRole", AWSServiceName="ecs.amazonaws.com")[0] == "InvalidInput"
    assert house.error("CreateServiceLinkedRole", AWSServiceName="no.amazonaws.com")[0] == "InvalidInput"
    assert house.error("DeleteRole", RoleName="AWSServiceRoleForECS")[0] == "UnmodifiableEntity"
    assert house.iam.ensure_service_linked_role(ACCOUNT, "ecs.amazonaws.com") == arn
    task = house.call("DeleteServiceLinkedRole", RoleName="AWSServiceRoleForECS")["DeletionTaskId"]
    assert house.call("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert house.error("GetRole", RoleName="AWSServiceRoleForECS")[0] == "NoSuchEntity"
    balancing = house.iam.ensure_service_linked_role(ACCOUNT, "elasticloadbalancing.amazonaws.com")
    assert house.iam.check_assumable(balancing, "elasticloadbalancing.amazonaws.com") == ""


def test_accounts_do_not_see_each_other(house: House) -> None:
    house.role()
    other = Principal.root("210987654321")
    assert house.call("ListRoles", by=other)["Roles"] == []
    assert house.error("GetRole", by=other, RoleName="task")[0] == "NoSuchEntity"


def test_aliases_and_summary(house: House) -> None:
    house.call("CreateAccountAlias", AccountAlias="lab")
    house.call("CreateAccountAlias", AccountAlias="lab-2")
    assert house.call("ListAccountAliases")["AccountAliases"] == ["lab-2"]
    assert house.error("DeleteAccountAlias", AccountAlias="lab")[0] == "NoSuchEntity"
    assert house.error("CreateAccountAlias", AccountAlias="No Good")[0] == "ValidationError"
    house.call("DeleteAccountAlias", AccountAlias="lab-2")
    house.role()
    summary = house.call("GetAccountSummary")["SummaryMap"]
    assert (summary["Roles"], summary["Users"], summary["RolesQuota"]) == (1, 0, 1000)


def test_everything_at_once(house: House) -> None:
    house.user("ann", allow("s3:*"))
    house.call("CreateGroup", GroupName="team")
    house.call("AddUserToGroup", GroupName="team", UserName="ann")
    house.role("task", ECS_TRUST, allow("ecs:*"))
    house.call("AttachRolePolicy", RoleName="task", PolicyArn=READ_ONLY)
    house.call("CreatePolicy", PolicyName="own", PolicyDocument=document(allow()))
    details = house.call("GetAccountAuthorizationDetails")
    assert details["UserDetailList"][0]["GroupList"] == ["team"]
    assert details["RoleDetailList"][0]["AttachedManagedPolicies"][0]["PolicyArn"] == READ_ONLY
    assert json.loads(unquote(details["RoleDetailList"][0]["RolePolicyList"][0]["PolicyDocument"]))
    assert {policy["PolicyName"] for policy in details["Policies"]} == {"own", "ReadOnlyAccess"}
    only = house.call("GetAccountAuthorizationDetails", Filter=["Role"])
    assert only["UserDetailList"] == [] and len(only["RoleDetailList"]) == 1
