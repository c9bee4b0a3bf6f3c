"""ECS Exec: what a session shows, in CloudWatch Logs and S3, under the task's role."""

from __future__ import annotations

from typing import Any

from tests.services.ecs.exec_room import SLEEP, SSM, Room

LOGS = [f"logs:{each}" for each in ("DescribeLogGroups", "DescribeLogStreams", "CreateLogStream", "PutLogEvents")]
SAY = "sh -c 'echo one; echo; printf two'"


def override(room: Room, **where: Any) -> None:
    command = {"logging": "OVERRIDE", "logConfiguration": where}
    room.ecs.update_cluster(cluster="yard", configuration={"executeCommandConfiguration": command})


def streams(room: Room, group: str) -> list[str]:
    found = room.aws("logs").describe_log_streams(logGroupName=group)["logStreams"]
    return [stream["logStreamName"] for stream in found]


def test_to_a_log_group_and_a_bucket(room: Room) -> None:
    room.aws("logs").create_log_group(logGroupName="/exec")
    room.aws("s3").create_bucket(Bucket=f"audit-{room.account}")
    override(room, cloudWatchLogGroupName="/exec", s3BucketName=f"audit-{room.account}", s3KeyPrefix="by/whom")
    task = room.task(actions=[*SSM, *LOGS, "s3:PutObject"])
    client = room.plugin(task, SAY)
    client.to_end()
    name = client.session["sessionId"]
    assert streams(room, "/exec") == [name]
    assert room.lines(name, "/exec") == ["one", "two"]
    found = room.aws("s3").get_object(Bucket=f"audit-{room.account}", Key=f"by/whom/{name}.log")["Body"].read()
    assert found == b"one\r\n\r\ntwo"


def test_what_is_typed_is_there_as_far_as_it_is_shown(room: Room) -> None:
    room.aws("logs").create_log_group(logGroupName="/exec")
    override(room, cloudWatchLogGroupName="/exec")
    client = room.plugin(room.task(actions=[*SSM, *LOGS]), "sh")
    client.type(b"echo ty''ped\r")
    client.until("typed\n")
    client.type(b"exit\r")
    client.to_end()
    shown = room.lines(client.session["sessionId"], "/exec")
    assert any("echo ty''ped" in line for line in shown) and any(line.endswith("typed") for line in shown)


def test_to_where_the_container_logs_by_default(room: Room) -> None:
    room.aws("logs").create_log_group(logGroupName="/yard")
    container = {**SLEEP, "logConfiguration": room.logging()}
    task = room.task(container, actions=[*SSM, *LOGS], executionRoleArn=room.execution_role())
    client = room.plugin(task, SAY)
    client.to_end()
    assert room.lines(client.session["sessionId"]) == ["one", "two"]
    none = {"executeCommandConfiguration": {"logging": "NONE"}}
    room.ecs.update_cluster(cluster="yard", configuration=none)
    room.said(task, SAY)
    assert [name for name in streams(room, "/yard") if name.startswith("ecs-exec")] == [client.session["sessionId"]]


def test_what_the_role_may_not_is_not_logged(room: Room) -> None:
    """The session itself goes on, as on AWS."""
    room.aws("logs").create_log_group(logGroupName="/exec")
    room.aws("s3").create_bucket(Bucket=f"audit-{room.account}")
    override(room, cloudWatchLogGroupName="/exec", s3BucketName=f"audit-{room.account}")
    assert room.said(room.task(), SAY) == "one\n\ntwo"
    assert streams(room, "/exec") == []
    assert "Contents" not in room.aws("s3").list_objects_v2(Bucket=f"audit-{room.account}")
    override(room, cloudWatchLogGroupName="/there/is/none", s3BucketName="there-is-none")


def test_encryption_that_is_asked_for(room: Room) -> None:
    room.aws("logs").create_log_group(logGroupName="/exec")
    override(room, cloudWatchLogGroupName="/exec", cloudWatchEncryptionEnabled=True)
    client = room.plugin(room.task(actions=[*SSM, *LOGS]), SAY)
    assert client.to_end() == ""
    assert client.closed is not None
    assert client.closed["Output"] == (
        "We couldn't start the session because encryption is not set up on the selected CloudWatch Logs log group. Either "
        "encrypt the log group or choose an option to enable logging without encryption."
    )
