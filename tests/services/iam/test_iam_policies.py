"""Managed and inline policies."""

import json
from urllib.parse import unquote

from tests.services.iam.iam_house import ACCOUNT, ECS_TRUST, House, allow, document

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
OWN = f"arn:aws:iam::{ACCOUNT}:policy/own"


def test_a_managed_policy_and_its_versions(house: House) -> None:
    made = house.call("CreatePolicy", PolicyName="own", PolicyDocument=document(allow("s3:*")), Description="d")[
        "Policy"
    ]
    assert (made["Arn"], made["DefaultVersionId"], made["AttachmentCount"]) == (OWN, "v1", 0)
    assert made["PolicyId"].startswith("ANPA")
    for number in range(2, 6):
        version = house.call("CreatePolicyVersion", PolicyArn=OWN, PolicyDocument=document(allow(f"s{number}:*")))
        assert version["PolicyVersion"] == {
            **version["PolicyVersion"],
            "VersionId": f"v{number}",
            "IsDefaultVersion": False,
        }
    assert house.error("CreatePolicyVersion", PolicyArn=OWN, PolicyDocument=document(allow())) == (
        "LimitExceeded",
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
    )
    house.call("SetDefaultPolicyVersion", PolicyArn=OWN, VersionId="v3")
    assert house.error("DeletePolicyVersion", PolicyArn=OWN, VersionId="v3") == (
        "DeleteConflict",
        "Cannot delete the default version of a policy.",
    )
    house.call("DeletePolicyVersion", PolicyArn=OWN, VersionId="v1")
    house.call("CreatePolicyVersion", PolicyArn=OWN, PolicyDocument=document(allow("x:y")), SetAsDefault=True)
    versions = house.call("ListPolicyVersions", PolicyArn=OWN)["Versions"]
    assert [version["VersionId"] for version in versions] == ["v6", "v5", "v4", "v3", "v2"]
    shown = house.call("GetPolicyVersion", PolicyArn=OWN, VersionId="v6")["PolicyVersion"]
    assert shown["IsDefaultVersion"] and "x:y" in unquote(shown["Document"])
    assert house.error("GetPolicyVersion", PolicyArn=OWN, VersionId="v1")[0] == "NoSuchEntity"
    assert house.call("GetPolicy", PolicyArn=OWN)["Policy"]["Description"] == "d"


def test_policy_errors(house: House) -> None:
    house.call("CreatePolicy", PolicyName="own", PolicyDocument=document(allow()))
    assert house.error("CreatePolicy", PolicyName="Own", PolicyDocument=document(allow())) == (
        "EntityAlreadyExists",
        "A policy called Own already exists. Duplicate names are not allowed.",
    )
    assert house.error("CreatePolicy", PolicyName="x", PolicyDocument="nothing")[0] == "MalformedPolicyDocument"
    big = document(allow([f"s3:Action{number}" for number in range(600)]))
    assert house.error("CreatePolicy", PolicyName="x", PolicyDocument=big) == (
        "LimitExceeded",
        "Cannot exceed quota for PolicySize: 6144",
    )
    missing = f"arn:aws:iam::{ACCOUNT}:policy/missing"
    assert house.error("GetPolicy", PolicyArn=missing) == ("NoSuchEntity", f"Policy {missing} was not found.")
    house.role()
    assert house.error("AttachRolePolicy", RoleName="task", PolicyArn=missing) == (
        "NoSuchEntity",
        f"Policy {missing} does not exist or is not attachable.",
    )
    assert (
        house.error("CreatePolicyVersion", PolicyArn=READ_ONLY, PolicyDocument=document(allow()))[0] == "AccessDenied"
    )
    assert house.error("DeletePolicy", PolicyArn=READ_ONLY)[0] == "AccessDenied"
    assert house.error("GetPolicy", PolicyArn="arn:aws:s3:::bucket-name-x")[0] == "InvalidInput"


def test_attaching(house: House) -> None:
    house.role()
    house.user("ann")
    house.call("CreateGroup", GroupName="team")
    house.call("CreatePolicy", PolicyName="own", PolicyDocument=document(allow()))
    for kind, name in (("Role", "task"), ("User", "ann"), ("Group", "team")):
        named = {f"{kind}Name": name}
        house.call(f"Attach{kind}Policy", **named, PolicyArn=OWN)
        house.call(f"Attach{kind}Policy", **named, PolicyArn=OWN)
        house.call(f"Attach{kind}Policy", **named, PolicyArn=READ_ONLY)
        attached = house.call(f"ListAttached{kind}Policies", **named)["AttachedPolicies"]
        assert [policy["PolicyName"] for policy in attached] == ["own", "ReadOnlyAccess"]
    entities = house.call("ListEntitiesForPolicy", PolicyArn=OWN)
    assert [entity["RoleName"] for entity in entities["PolicyRoles"]] == ["task"]
    assert [entity["UserName"] for entity in entities["PolicyUsers"]] == ["ann"]
    only = house.call("ListEntitiesForPolicy", PolicyArn=OWN, EntityFilter="Group")
    assert only["PolicyRoles"] == [] and only["PolicyGroups"][0]["GroupName"] == "team"
    assert house.call("GetPolicy", PolicyArn=OWN)["Policy"]["AttachmentCount"] == 3
    assert house.error("DeletePolicy", PolicyArn=OWN) == (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
    )
    for kind, name in (("Role", "task"), ("User", "ann"), ("Group", "team")):
        house.call(f"Detach{kind}Policy", **{f"{kind}Name": name}, PolicyArn=OWN)
        assert house.error(f"Detach{kind}Policy", **{f"{kind}Name": name}, PolicyArn=OWN) == (
            "NoSuchEntity",
            f"Policy {OWN} was not found.",
        )
    house.call("CreatePolicyVersion", PolicyArn=OWN, PolicyDocument=document(allow()))
    assert house.error("DeletePolicy", PolicyArn=OWN)[1].startswith("This policy has more than one version.")
    house.call("DeletePolicyVersion", PolicyArn=OWN, VersionId="v2")
    house.call("DeletePolicy", PolicyArn=OWN)


def test_ten_policies_at_most(house: House) -> None:
    house.role()
    for number in range(11):
        house.call("CreatePolicy", PolicyName=f"p{number}", PolicyDocument=document(allow()))
    for number in range(10):
        house.call("AttachRolePolicy", RoleName="task", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/p{number}")
    assert house.error("AttachRolePolicy", RoleName="task", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/p10") == (
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerRole: 10",
    )


def test_inline_policies(house: House) -> None:
    house.role()
    house.user("ann")
    house.call("CreateGroup", GroupName="team")
    text = document(allow("s3:Get*"))
    for kind, name in (("Role", "task"), ("User", "ann"), ("Group", "team")):
        named = {f"{kind}Name": name}
        house.call(f"Put{kind}Policy", **named, PolicyName="p", PolicyDocument=text)
        shown = house.call(f"Get{kind}Policy", **named, PolicyName="p")
        assert json.loads(unquote(shown["PolicyDocument"])) == json.loads(text)
        assert shown[f"{kind}Name"] == name
        assert house.call(f"List{kind}Policies", **named)["PolicyNames"] == ["p"]
        assert house.error(f"Get{kind}Policy", **named, PolicyName="q") == (
            "NoSuchEntity",
            f"The {kind.lower()} policy with name q cannot be found.",
        )
        house.call(f"Delete{kind}Policy", **named, PolicyName="p")
        assert house.call(f"List{kind}Policies", **named)["PolicyNames"] == []
    big = document(allow([f"s3:Action{number}" for number in range(1000)]))
    assert house.error("PutRolePolicy", RoleName="task", PolicyName="p", PolicyDocument=big) == (
        "LimitExceeded",
        "Maximum policy size of 10240 bytes exceeded for role task",
    )


def test_lists_of_policies(house: House) -> None:
    house.role()
    house.call("CreatePolicy", PolicyName="own", PolicyDocument=document(allow()), Path="/x/")
    house.call("AttachRolePolicy", RoleName="task", PolicyArn=READ_ONLY)
    assert [one["PolicyName"] for one in house.call("ListPolicies", Scope="Local")["Policies"]] == ["own"]
    assert [one["Arn"] for one in house.call("ListPolicies", OnlyAttached=True)["Policies"]] == [READ_ONLY]
    names, marker = set(), {}
    while True:
        page = house.call("ListPolicies", Scope="AWS", MaxItems=1000, **marker)
        names |= {one["PolicyName"] for one in page["Policies"]}
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    assert {"AdministratorAccess", "AmazonECSTaskExecutionRolePolicy", "ReadOnlyAccess"} <= names
    assert len(names) > 1000


def test_boundaries(house: House) -> None:
    house.call("CreatePolicy", PolicyName="own", PolicyDocument=document(allow("s3:*")))
    arn = house.role("task", ECS_TRUST, allow())
    session = house.session(arn)
    house.check("ec2", "DescribeInstances", session)
    house.call("PutRolePermissionsBoundary", RoleName="task", PermissionsBoundary=OWN)
    house.check("s3", "ListBuckets", session)
    refusal = house.denied("ec2", "DescribeInstances", session)
    assert refusal.message.endswith("because no permissions boundary allows the ec2:DescribeInstances action")
    assert house.call("GetRole", RoleName="task")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == OWN
    assert house.error("DeletePolicy", PolicyArn=OWN)[0] == "DeleteConflict"
    house.call("DeleteRolePermissionsBoundary", RoleName="task")
    assert house.error("DeleteRolePermissionsBoundary", RoleName="task")[0] == "NoSuchEntity"
    house.check("ec2", "DescribeInstances", session)
    missing = f"arn:aws:iam::{ACCOUNT}:policy/missing"
    assert house.error("PutRolePermissionsBoundary", RoleName="task", PermissionsBoundary=missing)[0] == "NoSuchEntity"
