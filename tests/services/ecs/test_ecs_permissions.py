"""Who may do what: the caller, and the roles that are handed to tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.ecs.story import Story

SLEEP = {"command": ["sleep", "300"], "stopTimeout": 2}
FARGATE = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
           "containerDefinitions": [{"name": "a", "image": "busybox"}]}  # fmt: skip


def refused(call: Callable[..., Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_without_run_task(story: Story, account: str) -> None:
    ecs = story.user("ann", {"Action": "ecs:Describe*", "Resource": "*"})("ecs")
    definition = story.register(SLEEP, family="web")
    code, message = refused(
        ecs.run_task,
        cluster="yard",
        taskDefinition=definition,
        launchType="FARGATE",
        networkConfiguration=story.network,
    )
    assert code == "AccessDeniedException"
    assert message == (
        f"User: arn:aws:iam::{account}:user/ann is not authorized to perform: ecs:RunTask on resource: {definition} "
        "because no identity-based policy allows the ecs:RunTask action"
    )
    assert story.ecs.list_tasks(cluster="yard")["taskArns"] == []
    assert ecs.describe_clusters(clusters=["yard"])["clusters"][0]["status"] == "ACTIVE"


def test_with_run_task_for_one_family_only(story: Story, account: str) -> None:
    mine = f"arn:aws:ecs:*:{account}:task-definition/mine:*"
    ecs = story.user("ann", {"Action": "ecs:RunTask", "Resource": mine})("ecs")
    base = {"cluster": "yard", "launchType": "FARGATE", "networkConfiguration": story.network}
    for family in ("mine", "other"):
        story.register({"command": ["true"]}, family=family)
    task = ecs.run_task(taskDefinition="mine", **base)["tasks"][0]
    assert refused(ecs.run_task, taskDefinition="other", **base)[0] == "AccessDeniedException"
    story.stopped(task["taskArn"])


def test_without_pass_role(story: Story, account: str) -> None:
    role = story.execution_role()
    ecs = story.user("ann", {"Action": "ecs:*", "Resource": "*"})("ecs")
    for member in ("executionRoleArn", "taskRoleArn"):
        code, message = refused(ecs.register_task_definition, family="web", **FARGATE, **{member: role})
        assert code in ("AccessDeniedException", "ClientException")
        assert f"user/ann is not authorized to perform: iam:PassRole on resource: {role}" in message
    assert story.ecs.list_task_definitions()["taskDefinitionArns"] == []
    assert ecs.register_task_definition(family="web", **FARGATE)["taskDefinition"]["revision"] == 1


def test_with_pass_role(story: Story) -> None:
    role = story.execution_role()
    passing = {"Action": "iam:PassRole", "Resource": role,
               "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}}  # fmt: skip
    ecs = story.user("ann", {"Action": "ecs:*", "Resource": "*"}, passing)("ecs")
    shown = ecs.register_task_definition(family="web", executionRoleArn=role, **FARGATE)["taskDefinition"]
    assert shown["executionRoleArn"] == role
    assert shown["registeredBy"].endswith(":user/ann")


def test_a_role_in_an_override_must_be_passed_too(story: Story) -> None:
    role = story.role("task")
    story.register({"command": ["true"]}, family="web")
    ecs = story.user("ann", {"Action": "ecs:*", "Resource": "*"})("ecs")
    code, message = refused(
        ecs.run_task, cluster="yard", taskDefinition="web", launchType="FARGATE", networkConfiguration=story.network,
        overrides={"taskRoleArn": role},
    )  # fmt: skip
    assert code == "AccessDeniedException"
    assert "iam:PassRole" in message
    assert story.ecs.list_tasks(cluster="yard")["taskArns"] == []


@pytest.mark.parametrize("member", ["executionRoleArn", "taskRoleArn"])
def test_a_role_that_does_not_trust_tasks(story: Story, member: str) -> None:
    role = story.role("for-lambda", "lambda.amazonaws.com")
    definition = story.register(SLEEP, **{member: role})
    code, message = refused(
        story.ecs.run_task, cluster="yard", taskDefinition=definition, launchType="FARGATE",
        networkConfiguration=story.network,
    )  # fmt: skip
    assert code == "ClientException"
    assert message.startswith(f"ECS was unable to assume the role '{role}' that was provided for this task.")
    assert story.ecs.list_tasks(cluster="yard")["taskArns"] == []


def test_a_role_deleted_before_the_task_starts(story: Story) -> None:
    """The execution role is used when the container is prepared, not only checked at RunTask."""
    story.aws("logs").create_log_group(logGroupName="/yard")
    role = story.execution_role("short-lived")
    definition = story.register({**SLEEP, "logConfiguration": story.logging()}, executionRoleArn=role)
    iam = story.aws("iam")
    story.subnet
    arn = story.run(definition)
    iam.delete_role_policy(RoleName="short-lived", PolicyName="its")
    iam.delete_role(RoleName="short-lived")
    task = story.stopped(arn)
    assert task["stopCode"] == "TaskFailedToStart"
    assert "unable to assume the role" in task["stoppedReason"]


def test_tags_at_creation_need_a_permission_of_their_own(story: Story) -> None:
    tags = [{"key": "team", "value": "red"}]
    maker = story.user("maker", {"Action": "ecs:CreateCluster", "Resource": "*"})("ecs")
    code, message = refused(maker.create_cluster, clusterName="tagged", tags=tags)
    assert code == "AccessDeniedException"
    assert "ecs:TagResource on resource: arn:aws:ecs:us-east-1:" in message and message.count("cluster/tagged") == 1
    assert maker.create_cluster(clusterName="plain")["cluster"]["status"] == "ACTIVE"
    tagger = story.user("tagger", {"Action": ["ecs:CreateCluster", "ecs:TagResource"], "Resource": "*"})("ecs")
    assert tagger.create_cluster(clusterName="tagged", tags=tags)["cluster"]["tags"] == tags
