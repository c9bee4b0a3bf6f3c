"""Secrets and environment files reach the container's environment, read under the execution role; or the task fails as on
AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.ecs.story import Story, processes

CANNOT = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
LOGS = {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}


def reader(story: Story, *statements: dict[str, Any]) -> str:
    """An execution role that may write logs, and what the statements say."""
    from tests.services.ecs.story import policy

    arn = story.role("reader", **LOGS)
    if statements:
        story.aws("iam").put_role_policy(RoleName="reader", PolicyName="reads", PolicyDocument=policy(*statements))
    return arn


def env_of(story: Story, role: str, **container: Any) -> dict[str, str]:
    """What ``env`` prints in a container of that execution role."""
    story.aws("logs").create_log_group(logGroupName="/yard")
    task = story.outcome({"command": ["env"], "logConfiguration": story.logging(), **container}, executionRoleArn=role)
    assert task["containers"][0].get("exitCode") == 0, task.get("stoppedReason")
    lines = story.lines(f"p/c0/{task['taskArn'].rpartition('/')[2]}")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def failure(story: Story, role: str, **container: Any) -> str:
    """The stoppedReason of a task that must not start."""
    marker = "300.123456781"
    task = story.outcome({"command": ["sleep", marker], **container}, executionRoleArn=role)
    assert task["stopCode"] == "TaskFailedToStart"
    assert "startedAt" not in task
    assert "exitCode" not in task["containers"][0]
    assert processes(marker) == []
    return str(task["stoppedReason"])


def secret(name: str, value_from: str) -> dict[str, str]:
    return {"name": name, "valueFrom": value_from}


def test_parameters_by_name_and_arn(story: Story) -> None:
    ssm, west = story.aws("ssm"), story.aws("ssm", region="eu-west-1")
    ssm.put_parameter(Name="plain", Value="one", Type="String")
    ssm.put_parameter(Name="/app/db/password", Value="two", Type="SecureString")
    west.put_parameter(Name="/app/far", Value="three", Type="String")
    base = f"arn:aws:ssm:us-east-1:{story.account}:parameter"
    role = reader(story, {"Action": ["ssm:GetParameters", "kms:Decrypt"], "Resource": "*"})
    env = env_of(story, role, secrets=[
        secret("A", "plain"), secret("B", "/app/db/password"), secret("C", f"{base}/plain"), secret("D", f"{base}/app/db/password"),
        secret("E", f"{base.replace('us-east-1', 'eu-west-1')}/app/far"),
    ])  # fmt: skip
    assert {name: env[name] for name in "ABCDE"} == {"A": "one", "B": "two", "C": "one", "D": "two", "E": "three"}


def test_secrets_manager(story: Story) -> None:
    """Whole, a JSON key, an earlier version by its stage and by its id, another region's."""
    manager, west = story.aws("secretsmanager"), story.aws("secretsmanager", region="eu-west-1")
    document = {"user": "admin", "port": 5432}
    made = manager.create_secret(Name="app/db", SecretString=json.dumps({"user": "old", "port": 1}))
    manager.put_secret_value(SecretId="app/db", SecretString=json.dumps(document))
    far = west.create_secret(Name="far", SecretString="afar")["ARN"]
    arn, first = made["ARN"], made["VersionId"]
    role = reader(story, {"Action": "secretsmanager:GetSecretValue", "Resource": "*"})
    env = env_of(story, role, secrets=[
        secret("WHOLE", arn), secret("USER_NAME", f"{arn}:user::"), secret("PORT", f"{arn}:port::"),
        secret("STAGED", f"{arn}:user:AWSPREVIOUS:"), secret("VERSION", f"{arn}:user::{first}"), secret("FAR", far),
    ])  # fmt: skip
    assert json.loads(env["WHOLE"]) == document
    assert (env["USER_NAME"], env["PORT"], env["STAGED"], env["VERSION"], env["FAR"]) == (
        "admin",
        "5432",
        "old",
        "old",
        "afar",
    )


def test_a_secret_is_not_shown(story: Story) -> None:
    """By no API of ECS, and not in the container's command line."""
    story.aws("ssm").put_parameter(Name="hidden", Value="S3CR3T-VALUE", Type="SecureString")
    role = reader(story, {"Action": "ssm:GetParameters", "Resource": "*"})
    container = {"command": ["sleep", "300"], "stopTimeout": 2, "secrets": [secret("A", "hidden")]}
    definition = story.register(container, executionRoleArn=role)
    arn = story.run(definition)
    told = str(story.until(arn)) + str(story.ecs.describe_task_definition(taskDefinition=definition))
    assert "S3CR3T-VALUE" not in told
    story.stop(arn)


def test_a_json_key_that_is_not_there(story: Story) -> None:
    arn = story.aws("secretsmanager").create_secret(Name="db", SecretString='{"a": "1"}')["ARN"]
    role = reader(story, {"Action": "secretsmanager:GetSecretValue", "Resource": "*"})
    assert failure(story, role, secrets=[secret("A", f"{arn}:password::")]) == (
        f"{CANNOT}unable to retrieve secret from asm: service call has been retried 1 time(s): "
        "retrieved secret from Secrets Manager did not contain json key password"
    )


def test_a_binary_secret(story: Story) -> None:
    arn = story.aws("secretsmanager").create_secret(Name="db", SecretBinary=b"\0\1")["ARN"]
    role = reader(story, {"Action": "secretsmanager:GetSecretValue", "Resource": "*"})
    assert failure(story, role, secrets=[secret("A", arn)]).startswith(f"{CANNOT}unable to retrieve secret from asm: ")


def test_secrets_that_are_not_there(story: Story) -> None:
    arn = f"arn:aws:secretsmanager:us-east-1:{story.account}:secret:nothing-AbCdEf"
    role = reader(story, {"Action": ["secretsmanager:GetSecretValue", "ssm:GetParameters"], "Resource": "*"})
    reason = failure(story, role, secrets=[secret("A", arn)])
    assert reason.startswith(f"{CANNOT}unable to retrieve secret from asm: service call has been retried 1 time(s): "
                             f"failed to fetch secret {arn} from secrets manager: ResourceNotFoundException: ")  # fmt: skip
    reason = failure(story, role, secrets=[secret("A", "/no/parameter")])
    assert reason == f"{CANNOT}unable to retrieve secrets from ssm: invalid parameters: /no/parameter"


def test_denied(story: Story) -> None:
    """In AWS's words, naming the session of the execution role."""
    arn = story.aws("secretsmanager").create_secret(Name="db", SecretString="x")["ARN"]
    story.aws("ssm").put_parameter(Name="plain", Value="x", Type="String")
    role = reader(story)
    session = f"User: arn:aws:sts::{story.account}:assumed-role/reader/"
    reason = failure(story, role, secrets=[secret("A", arn)])
    assert f"failed to fetch secret {arn} from secrets manager: AccessDeniedException: {session}" in reason
    assert (
        f"is not authorized to perform: secretsmanager:GetSecretValue on resource: {arn} because no identity-based policy"
        in reason
    )
    reason = failure(story, role, secrets=[secret("A", "plain")])
    assert (
        f"unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: {session}"
        in reason
    )
    assert f"ssm:GetParameters on resource: arn:aws:ssm:us-east-1:{story.account}:parameter/plain" in reason


def test_allowed_for_one_secret_only(story: Story) -> None:
    manager = story.aws("secretsmanager")
    mine, other = (manager.create_secret(Name=name, SecretString=name)["ARN"] for name in ("mine", "other"))
    role = reader(story, {"Action": "secretsmanager:GetSecretValue", "Resource": mine})
    assert env_of(story, role, secrets=[secret("A", mine)])["A"] == "mine"
    assert other in failure(story, role, secrets=[secret("A", mine), secret("B", other)])


def put_file(story: Story, key: str, text: str) -> dict[str, str]:
    s3 = story.aws("s3")
    bucket = f"env-{story.account}"
    if bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
    return {"type": "s3", "value": f"arn:aws:s3:::{bucket}/{key}"}


def test_environment_files_and_their_precedence(story: Story) -> None:
    """The definition's environment before the files, the earlier file before the later."""
    first = put_file(story, "first.env", "# of the first\nA=first\nB=first\nQUOTED='x y'\n")
    second = put_file(story, "a/second.env", "A=second\nB=second\nC=second\nD=second\n")
    role = reader(story, {"Action": ["s3:GetObject", "s3:GetBucketLocation"], "Resource": "*"})
    env = env_of(story, role, environmentFiles=[first, second],
                 environment=[{"name": "A", "value": "definition"}, {"name": "D", "value": ""}])  # fmt: skip
    assert (env["A"], env["B"], env["C"], env["D"]) == ("definition", "first", "second", "")
    assert env["QUOTED"] == "'x y'"


@pytest.mark.parametrize("what", ["no file", "no bucket", "denied"])
def test_environment_files_that_cannot_be_read(story: Story, what: str) -> None:
    file = put_file(story, "x.env", "A=1")
    allowed = [] if what == "denied" else [{"Action": "s3:*", "Resource": "*"}]
    if what != "denied":
        place = "no.env" if what == "no file" else "../nobodys/x.env"
        file["value"] = (
            file["value"].replace("x.env", place) if what == "no file" else "arn:aws:s3:::nobodys-bucket-0/x.env"
        )
    reason = failure(story, reader(story, *allowed), environmentFiles=[file])
    assert reason.startswith(
        "ResourceInitializationError: failed to download env files: file download command: non empty error stream: "
    )
    assert {"no file": "NoSuchKey", "no bucket": "NoSuchBucket", "denied": "AccessDenied"}[what] in reason


def test_the_plain_tier_has_them_too(tier_story: Story) -> None:
    tier_story.aws("ssm").put_parameter(Name="plain", Value="a b\tc=d", Type="String")
    role = reader(tier_story, {"Action": "ssm:GetParameters", "Resource": "*"})
    assert env_of(tier_story, role, secrets=[secret("A", "plain")])["A"] == "a b\tc=d"
