"""Account settings: the account's, a user's, a role's, and what they do to new clusters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from drydock.services.ecs.settings import DEFAULTS, VALUES

from tests.services.ecs.story import Story

Aws = Callable[..., Any]
ALL = {"Action": "ecs:*", "Resource": "*"}


def refused(call: Callable[..., Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def effective(ecs: Any, **given: Any) -> dict[str, tuple[str, str]]:
    """Value and principal by name, of all pages."""
    found: dict[str, tuple[str, str]] = {}
    for page in ecs.get_paginator("list_account_settings").paginate(effectiveSettings=True, **given):
        found |= {one["name"]: (one["value"], one["principalArn"]) for one in page["settings"]}
    return found


def test_every_setting_of_the_model_has_a_default(aws: Aws, account: str) -> None:
    ecs = aws("ecs")
    names = ecs.meta.service_model.shape_for("SettingName").enum
    assert set(names) == set(DEFAULTS) == set(VALUES)
    root = f"arn:aws:iam::{account}:root"
    assert effective(ecs) == {name: (value, root) for name, value in DEFAULTS.items()}
    assert ecs.list_account_settings()["settings"] == [], "nothing has been set"
    (managed,) = ecs.list_account_settings(name="guardDutyActivate", effectiveSettings=True)["settings"]
    assert (managed["value"], managed["type"]) == ("off", "aws_managed")
    first = ecs.list_account_settings(effectiveSettings=True)
    assert len(first["settings"]) == 10
    assert "nextToken" in first


def test_put_list_delete(aws: Aws, account: str) -> None:
    ecs = aws("ecs")
    root = f"arn:aws:iam::{account}:root"
    expected = {"name": "awsvpcTrunking", "value": "enabled", "principalArn": root, "type": "user"}
    assert ecs.put_account_setting(name="awsvpcTrunking", value="enabled")["setting"] == expected
    assert ecs.list_account_settings()["settings"] == [expected]
    assert ecs.list_account_settings(name="awsvpcTrunking", value="disabled")["settings"] == []
    assert aws("ecs", region="eu-west-1").list_account_settings()["settings"] == [], "settings are a region's"
    gone = ecs.delete_account_setting(name="awsvpcTrunking")["setting"]
    assert (gone["name"], gone["principalArn"]) == ("awsvpcTrunking", root)
    assert ecs.list_account_settings()["settings"] == []


def test_a_user_has_its_own_or_the_accounts(story: Story) -> None:
    ecs, root = story.ecs, f"arn:aws:iam::{story.account}:root"
    ann = story.user("ann", ALL)("ecs")
    arn = f"arn:aws:iam::{story.account}:user/ann"
    ann.put_account_setting_default(name="awsvpcTrunking", value="enabled")
    assert effective(ann)["awsvpcTrunking"] == effective(ecs)["awsvpcTrunking"] == ("enabled", root)
    assert ann.list_account_settings()["settings"] == []
    ann.put_account_setting(name="awsvpcTrunking", value="disabled")
    assert effective(ann)["awsvpcTrunking"] == ("disabled", arn)
    assert effective(ecs)["awsvpcTrunking"] == ("enabled", root)
    assert effective(ecs, principalArn=arn)["awsvpcTrunking"] == ("disabled", arn)
    ecs.delete_account_setting(name="awsvpcTrunking", principalArn=arn)
    assert effective(ann)["awsvpcTrunking"] == ("enabled", root)


def test_only_root_sets_what_is_anothers(story: Story) -> None:
    ann = story.user("ann", ALL)("ecs")
    story.user("bob")
    given = {"name": "awsvpcTrunking", "value": "enabled"}
    bob, root = f"arn:aws:iam::{story.account}:user/bob", f"arn:aws:iam::{story.account}:root"
    for other in (bob, root):
        assert refused(ann.put_account_setting, **given, principalArn=other)[0] == "AccessDeniedException"
    assert effective(story.ecs, principalArn=bob)["awsvpcTrunking"] == ("disabled", root)
    role = story.role("worker")
    for other in (bob, role):
        assert story.ecs.put_account_setting(**given, principalArn=other)["setting"]["principalArn"] == other
    nobody = f"arn:aws:iam::{story.account}:user/nobody"
    assert refused(story.ecs.put_account_setting, **given, principalArn=nobody)[0] == "InvalidParameterException"
    assert refused(story.user("eve")("ecs").list_account_settings)[0] == "AccessDeniedException"


BAD = [
    ({"name": "awsvpcTrunking", "value": "ENABLED"}, "Invalid setting 'value'"),
    ({"name": "fargateTaskRetirementWaitPeriod", "value": "8"}, "Invalid setting 'value'"),
    ({"name": "tagResourceAuthorization", "value": "enabled"}, "Invalid setting 'value'"),
    ({"name": "nothing", "value": "enabled"}, "Invalid setting 'name'"),
    ({"name": "taskLongArnFormat", "value": "disabled"}, "You can no longer disable Long Arn settings"),
    ({"name": "guardDutyActivate", "value": "on"}, "managed by AWS"),
]


@pytest.mark.parametrize("given, words", BAD)
def test_what_is_refused_sets_nothing(aws: Aws, given: dict[str, str], words: str) -> None:
    ecs = aws("ecs")
    for call in (ecs.put_account_setting, ecs.put_account_setting_default):
        code, message = refused(call, **given)
        assert code == "InvalidParameterException"
        assert words in message
    assert ecs.list_account_settings()["settings"] == []


def test_further_refusals(story: Story) -> None:
    ecs, ann = story.ecs, story.user("ann", ALL)("ecs")
    wait = {"name": "fargateTaskRetirementWaitPeriod", "value": "14"}
    assert refused(ann.put_account_setting, **wait)[0] == "InvalidParameterException"
    assert ecs.put_account_setting(**wait)["setting"]["value"] == "14"
    assert refused(ecs.delete_account_setting, name="guardDutyActivate")[0] == "InvalidParameterException"
    assert refused(ecs.delete_account_setting, name="nothing")[0] == "InvalidParameterException"
    assert refused(ecs.list_account_settings, name="nothing")[0] == "InvalidParameterException"
    assert refused(ecs.list_account_settings, value="enabled")[0] == "InvalidParameterException"
    assert refused(ecs.list_account_settings, maxResults=11)[0] == "InvalidParameterException"


def test_container_insights_of_new_clusters(story: Story) -> None:
    ecs, ann = story.ecs, story.user("ann", ALL)("ecs")

    def made(client: Any, name: str, **given: Any) -> str:
        return str(client.create_cluster(clusterName=name, **given)["cluster"]["settings"][0]["value"])

    assert made(ecs, "before") == "disabled"
    ecs.put_account_setting_default(name="containerInsights", value="enabled")
    ann.put_account_setting(name="containerInsights", value="enhanced")
    assert made(ecs, "roots") == "enabled"
    assert made(ann, "anns") == "enhanced"
    said = [{"name": "containerInsights", "value": "disabled"}]
    assert made(ann, "said", settings=said) == "disabled"
    assert made(ecs, "before") == "disabled", "a cluster that is there keeps its own"


def test_the_sessions_of_a_role_share_its_settings(story: Story) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{story.account}:root"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam, arn = story.aws("iam"), f"arn:aws:iam::{story.account}:role/ops/deployer"
    iam.create_role(RoleName="deployer", Path="/ops/", AssumeRolePolicyDocument=trust)
    may = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **ALL}]})
    iam.put_role_policy(RoleName="deployer", PolicyName="its", PolicyDocument=may)
    sts = story.user("ann", {"Action": "sts:AssumeRole", "Resource": arn})("sts")

    def session(name: str) -> Any:
        keys = sts.assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
        names = {"aws_access_key_id": "AccessKeyId", "aws_secret_access_key": "SecretAccessKey",
                 "aws_session_token": "SessionToken"}  # fmt: skip
        return story.aws("ecs", **{name: keys[key] for name, key in names.items()})

    made = session("one").put_account_setting(name="awsvpcTrunking", value="enabled")["setting"]
    assert made["principalArn"] == arn
    assert effective(session("two"))["awsvpcTrunking"] == ("enabled", arn)
    assert effective(story.ecs)["awsvpcTrunking"][0] == "disabled"
