"""Temporary credentials: issued, found, expired, revoked, kept over a restart; PassRole and trust checks."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from drydock.errors import AccessDenied, AwsError
from drydock.request import Principal
from drydock.services.iam import keys

from tests.services.iam.iam_house import ACCOUNT, ECS_TRUST, House, allow, document


def test_a_session_is_its_roles(house: House) -> None:
    role_arn = house.role("task", ECS_TRUST, allow("s3:*"), Path="/app/")
    before = time.time()
    credential = house.iam.issue_session(ACCOUNT, role_arn, "i-1", 900)
    assert credential.access_key_id.startswith("ASIA")
    assert credential.expires is not None and before + 900 <= credential.expires <= time.time() + 900
    principal = credential.principal
    assert principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/task/i-1"
    assert principal.kind == "role" and principal.name == "task"
    assert principal.user_id == house.call("GetRole", RoleName="task")["Role"]["RoleId"] + ":i-1"
    assert house.iam.find_credential(credential.access_key_id) == credential
    other = house.iam.issue_session(ACCOUNT, role_arn, "i-1", 900)
    assert other.access_key_id != credential.access_key_id and other.secret != credential.secret


def test_a_session_needs_a_role(house: House) -> None:
    with pytest.raises(AwsError) as caught:
        house.iam.issue_session(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/none", "s", 900)
    assert caught.value.code == "NoSuchEntity"


def test_revoked_sessions_and_those_of_deleted_roles_are_gone(house: House) -> None:
    role_arn = house.role()
    first, second = (house.iam.issue_session(ACCOUNT, role_arn, name, 900) for name in ("a1", "b2"))
    house.iam.revoke_session(first.access_key_id)
    house.iam.revoke_session(first.access_key_id)
    assert house.iam.find_credential(first.access_key_id) is None
    house.call("DeleteRole", RoleName="task")
    assert house.iam.find_credential(second.access_key_id) is None
    house.role("task", ECS_TRUST, allow())  # another role of the same name
    assert house.iam.find_credential(second.access_key_id) is None
    assert house.denied("s3", "ListBuckets", second.principal).code == "AccessDenied"


def test_revoking_does_not_touch_users_keys(house: House) -> None:
    ann = house.user("ann")
    house.iam.revoke_session(ann.access_key)
    assert house.iam.find_credential(ann.access_key) is not None


def test_expired_sessions_are_remembered_for_a_while_and_then_swept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    role_arn = house.role()
    credential = house.iam.issue_session(ACCOUNT, role_arn, "old", 900)
    real = time.time()
    monkeypatch.setattr(keys.time, "time", lambda: real + 1000)
    house.iam.issue_session(ACCOUNT, role_arn, "new", 900)
    found = house.iam.find_credential(credential.access_key_id)
    assert found is not None and found.expires is not None and found.expires < real + 1000
    monkeypatch.setattr(keys.time, "time", lambda: real + 900 + keys.KEPT_AFTER_EXPIRY + 1000)
    house.iam.issue_session(ACCOUNT, role_arn, "newer", 900)
    assert house.iam.find_credential(credential.access_key_id) is None


def test_keys_and_sessions_survive_a_restart(tmp_path: Path) -> None:
    first = House(tmp_path, tmp_path / "state.db")
    ann = first.user("ann", allow("s3:*"))
    role_arn = first.role("task", ECS_TRUST, allow("ecs:*"))
    session = first.iam.issue_session(ACCOUNT, role_arn, "s1", 900, document(allow("ecs:List*")))
    before = first.snapshot()
    first.store.close()
    second = House(tmp_path, tmp_path / "state.db")
    assert second.snapshot() == before
    assert second.iam.find_credential(session.access_key_id) == session
    found = second.iam.find_credential(ann.access_key)
    assert found is not None and found.principal == ann
    second.check("s3", "ListBuckets", ann)
    second.check("ecs", "ListClusters", session.principal)
    second.denied("ecs", "CreateCluster", session.principal)


def test_a_reset_account_forgets_its_keys(house: House) -> None:
    ann = house.user("ann", allow())
    house.check("s3", "ListBuckets", ann)
    asyncio.run(house.iam.reset(ACCOUNT))
    house.store.clear(ACCOUNT)
    assert house.iam.find_credential(ann.access_key) is None
    house.denied("s3", "ListBuckets", ann)


def test_ids_repeat_with_the_seed(tmp_path: Path) -> None:
    def story() -> list[Any]:
        house = House(tmp_path)
        ann = house.user("ann")
        session = house.iam.issue_session(ACCOUNT, house.role(), "s1", 900)
        return [ann, session.access_key_id, session.secret, session.session_token]

    assert story() == story()


def test_last_use(house: House) -> None:
    ann = house.user("ann", allow())
    unused = house.call("GetAccessKeyLastUsed", AccessKeyId=ann.access_key)["AccessKeyLastUsed"]
    assert unused == {"ServiceName": "N/A", "Region": "N/A"}
    house.check("ecs", "ListClusters", ann)
    used = house.call("GetAccessKeyLastUsed", AccessKeyId=ann.access_key)
    assert used["UserName"] == "ann"
    assert (used["AccessKeyLastUsed"]["ServiceName"], used["AccessKeyLastUsed"]["Region"]) == ("ecs", "us-east-1")
    assert "LastUsedDate" in used["AccessKeyLastUsed"]
    house.check("ecs", "ListClusters", house.session(house.role("task", ECS_TRUST, allow())))
    assert house.call("GetRole", RoleName="task")["Role"]["RoleLastUsed"]["Region"] == "us-east-1"


def test_pass_role(house: House) -> None:
    role_arn = house.role("task")
    condition = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    may = house.user("may", allow("iam:PassRole", role_arn, Condition=condition))
    house.iam.check_pass_role(may, role_arn, "ecs-tasks.amazonaws.com")
    house.iam.check_pass_role(house.root, role_arn, "ec2.amazonaws.com")
    house.iam.check_pass_role(Principal.of_service(ACCOUNT, "ecs.amazonaws.com"), role_arn, "ecs-tasks.amazonaws.com")
    may_not = house.user("maynot", allow("ecs:*"))
    for caller, service in ((may, "ec2.amazonaws.com"), (may_not, "ecs-tasks.amazonaws.com")):
        with pytest.raises(AccessDenied) as caught:
            house.iam.check_pass_role(caller, role_arn, service)
        assert caught.value.message == (
            f"User: {caller.arn} is not authorized to perform: iam:PassRole on resource: {role_arn} because no"
            " identity-based policy allows the iam:PassRole action"
        )


def test_who_may_assume(house: House) -> None:
    role_arn = house.role("task")
    assert house.iam.check_assumable(role_arn, "ecs-tasks.amazonaws.com") == ""
    assert "trust policy" in house.iam.check_assumable(role_arn, "codebuild.amazonaws.com")
    assert "does not exist" in house.iam.check_assumable(role_arn + "x", "ecs-tasks.amazonaws.com")


def test_a_trust_policy_may_ask_for_the_source(house: House) -> None:
    conditions = {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:*"},
    }
    service = {"Service": "ecs-tasks.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole", "Condition": conditions}
    role_arn = house.role("task", document(statement))
    tasks = "ecs-tasks.amazonaws.com"
    assert house.iam.check_assumable(role_arn, tasks, f"arn:aws:ecs:us-east-1:{ACCOUNT}:task/c/1") == ""
    assert house.iam.check_assumable(role_arn, tasks, f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/c/1") != ""
    assert house.iam.check_assumable(role_arn, tasks) != ""


def test_a_key_id_in_use_is_not_given_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    role_arn = house.role()
    first = house.iam.issue_session(ACCOUNT, role_arn, "s1", 900)
    digests = iter([b"a" * 32, b"a" * 32, b"b" * 32])
    monkeypatch.setattr(house.platform.ids, "digest", lambda *_: next(digests))
    second, third = (house.iam.issue_session(ACCOUNT, role_arn, "s2", 900) for _ in range(2))
    assert len({first.access_key_id, second.access_key_id, third.access_key_id}) == 3
