"""What a program in a container can find out and prove about itself: the task's metadata and its role's credentials."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import PYTHON, Story, id_of

FETCH = """
import json, os, sys, time, urllib.error, urllib.parse, urllib.request
def get(url):
    try:
        return json.load(urllib.request.urlopen(url, timeout=5))
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read().decode()}
def credentials():
    relative = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    return get("http://169.254.170.2" + relative if relative else os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
metadata = os.environ["ECS_CONTAINER_METADATA_URI_V4"]
"""
STAY = "\nsys.stdout.flush(); time.sleep(300)"


def program(text: str, stays: bool = True) -> dict[str, Any]:
    return {"image": PYTHON, "command": ["python", "-c", FETCH + text + (STAY if stays else "")], "stopTimeout": 2}


class Spy:
    """A task that prints JSON lines into its log and stays."""

    def __init__(self, story: Story, text: str, **given: Any) -> None:
        self.story = story
        if not story.aws("logs").describe_log_groups()["logGroups"]:
            story.aws("logs").create_log_group(logGroupName="/yard")
            self.execution = story.execution_role()
        else:
            self.execution = f"arn:aws:iam::{story.account}:role/execution"
        container = program(text) | {"logConfiguration": story.logging()} | given.pop("container", {})
        self.arn = story.run(story.register(container, executionRoleArn=self.execution, **given))
        self.stream = f"p/c0/{id_of(self.arn)}"

    def told(self, lines: int = 1) -> list[Any]:
        def there() -> bool:
            try:
                return len(self.story.lines(self.stream)) >= lines
            except ClientError:
                return False  # the stream is made when the task starts

        wait_until(there, f"{lines} lines", lambda: self.story.describe(self.arn))
        return [json.loads(line) for line in self.story.lines(self.stream)]


def code_of(call: Any, **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_the_tasks_role(tier_story: Story) -> None:
    """Real session keys: what the role allows is allowed, the rest is denied in AWS's words, and after the task has
    stopped nothing is."""
    story = tier_story
    story.aws("s3").create_bucket(Bucket=f"mine-{story.account}")
    role = story.role("worker", Action="s3:ListBucket", Resource=f"arn:aws:s3:::mine-{story.account}")
    spy = Spy(story, "print(json.dumps(credentials()))", taskRoleArn=role)
    given = spy.told()[0]
    assert given["RoleArn"] == role
    assert re.fullmatch(r"ASIA[A-Z0-9]{16}", given["AccessKeyId"])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", given["Expiration"])
    keys = {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["Token"]}  # fmt: skip
    me = f"arn:aws:sts::{story.account}:assumed-role/worker/{id_of(spy.arn)}"
    assert story.aws("sts", **keys).get_caller_identity()["Arn"] == me
    s3, ecs = story.aws("s3", **keys), story.aws("ecs", **keys)
    assert s3.list_objects_v2(Bucket=f"mine-{story.account}")["KeyCount"] == 0
    assert code_of(s3.put_object, Bucket=f"mine-{story.account}", Key="k")[0] == "AccessDenied"
    code, message = code_of(ecs.list_tasks, cluster="yard")
    assert code == "AccessDeniedException"
    assert message.startswith(f"User: {me} is not authorized to perform: ecs:ListTasks on resource: ")
    assert message.endswith("because no identity-based policy allows the ecs:ListTasks action")
    wrong = keys | {"aws_secret_access_key": "x" * 40}
    assert code_of(story.aws("sts", **wrong).get_caller_identity)[0] in (
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
    )
    without = keys | {"aws_session_token": None}
    assert code_of(story.aws("sts", **without).get_caller_identity)[0] == "InvalidClientTokenId"
    story.until(spy.arn)
    story.stop(spy.arn)
    assert code_of(story.aws("sts", **keys).get_caller_identity)[0] in ("ExpiredToken", "InvalidClientTokenId")
    assert code_of(s3.list_objects_v2, Bucket=f"mine-{story.account}")[0] in ("ExpiredToken", "InvalidAccessKeyId")


SIGN = """
import hashlib, hmac
from datetime import datetime, timezone
def call(service, target, body):
    given, host = credentials(), os.environ["AWS_ENDPOINT_URL"].split("//")[1]
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = "/".join([now[:8], os.environ["AWS_REGION"], service, "aws4_request"])
    headers = {"content-type": "application/x-amz-json-1.1", "host": host, "x-amz-date": now,
               "x-amz-security-token": given["Token"], "x-amz-target": target}
    digest = lambda data: hashlib.sha256(data).hexdigest()
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\\n" for name in sorted(headers))
    request = "\\n".join(["POST", "/", "", lines, names, digest(body)])
    text = "\\n".join(["AWS4-HMAC-SHA256", now, scope, digest(request.encode())])
    key = ("AWS4" + given["SecretAccessKey"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={given['AccessKeyId']}/{scope}, SignedHeaders={names}, "
                                f"Signature={signature}")
    return get(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers))
print(json.dumps(call("ssm", "AmazonSSM.GetParameters", b'{"Names": ["mine"]}')))
print(json.dumps(call("ecs", "AmazonEC2ContainerServiceV20141113.ListClusters", b"{}")))
"""


def test_a_program_in_the_container_signs_with_them(tier_story: Story) -> None:
    """From inside, with nothing but what is in its environment."""
    story = tier_story
    story.aws("ssm").put_parameter(Name="mine", Value="of the task", Type="String")
    role = story.role("worker", Action="ssm:GetParameters", Resource="*")
    spy = Spy(story, SIGN, taskRoleArn=role)
    allowed, denied = spy.told(2)
    assert [each["Value"] for each in allowed["Parameters"]] == ["of the task"]
    assert denied["status"] == 400
    assert "AccessDeniedException" in denied["body"]
    assert f"assumed-role/worker/{id_of(spy.arn)} is not authorized to perform: ecs:ListClusters" in denied["body"]
    story.until(spy.arn)
    story.stop(spy.arn)


def test_without_a_task_role_there_are_no_credentials(story: Story) -> None:
    spy = Spy(
        story, "print(json.dumps([name for name in os.environ if 'CREDENTIALS' in name or 'ACCESS_KEY' in name]))"
    )
    assert spy.told() == [[]], "the execution role is not the task's"
    story.until(spy.arn)
    story.stop(spy.arn)


def test_metadata(tier_story: Story) -> None:
    story = tier_story
    side = {"command": ["sleep", "300"], "stopTimeout": 2, "name": "side", "image": PYTHON}
    text = "print(json.dumps([get(metadata), get(metadata + '/task'), get(metadata + '/taskWithTags')]))"
    wait = "\nwhile len([c for c in get(metadata + '/task')['Containers'] if c['KnownStatus'] == 'RUNNING']) < 2: time.sleep(0.05)\n"
    if not story.aws("logs").describe_log_groups()["logGroups"]:
        story.aws("logs").create_log_group(logGroupName="/yard")
    container = program(wait + text) | {"name": "main", "logConfiguration": story.logging(), "dockerLabels": {"team": "yard"},
                                        "restartPolicy": {"enabled": True}, "memory": 200, "cpu": 64}  # fmt: skip
    definition = story.register(container, side, family="told", executionRoleArn=story.execution_role())
    arn = story.run(definition, tags=[{"key": "colour", "value": "blue"}])
    task = story.until(arn)
    stream = f"p/main/{id_of(arn)}"
    wait_until(lambda: story.lines(stream), "it told", lambda: story.describe(arn))
    own, whole, tagged = json.loads(story.lines(stream)[0])
    shown = task["containers"][0]
    assert (own["Name"], own["Image"], own["ContainerARN"]) == ("main", PYTHON, shown["containerArn"])
    assert (own["DockerId"], own["ImageID"]) == (shown["runtimeId"], shown["imageDigest"])
    assert own["KnownStatus"] == own["DesiredStatus"] == "RUNNING"
    assert own["Limits"] == {"CPU": 64, "Memory": 200}
    assert own["RestartCount"] == 0
    assert own["LogDriver"] == "awslogs"
    assert own["LogOptions"]["awslogs-stream"] == stream
    assert own["Labels"]["team"] == "yard"
    assert own["Labels"]["com.amazonaws.ecs.task-arn"] == arn
    assert own["Networks"][0]["IPv4Addresses"] == [shown["networkInterfaces"][0]["privateIpv4Address"]]
    assert (whole["TaskARN"], whole["Cluster"]) == (arn, task["clusterArn"])
    assert (whole["Family"], whole["Revision"], whole["LaunchType"]) == ("told", "1", "FARGATE")
    assert whole["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert whole["AvailabilityZone"] == task["availabilityZone"]
    assert [each["Name"] for each in whole["Containers"]] == ["main", "side"]
    assert "RestartCount" not in whole["Containers"][1]
    assert "TaskTags" not in whole
    assert tagged["TaskTags"] == {"colour": "blue"}
    story.stop(arn)


def test_stats(tier_story: Story) -> None:
    """Real figures: the memory that the program holds, the CPU time it has used."""
    text = ("held = bytearray(b'1') * (50 << 20)\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"
            "print(json.dumps([get(metadata + '/stats'), get(metadata + '/task/stats')]))")  # fmt: skip
    spy = Spy(tier_story, text)
    own, whole = spy.told()[0]
    assert 50 << 20 < own["memory_stats"]["usage"] < 200 << 20
    assert own["memory_stats"]["limit"] == 512 << 20
    assert own["cpu_stats"]["cpu_usage"]["total_usage"] > 0.15e9
    assert own["num_procs"] >= 1
    assert list(whole) == [own["id"]]
    tier_story.until(spy.arn)
    tier_story.stop(spy.arn)


def test_another_tasks_pages_are_closed(story: Story, isolated: EmulatorProcess) -> None:
    """Neither its credentials nor its metadata, though the paths are known and it is of the same VPC. (In the plain tier
    nobody can tell who asks.)"""
    role = story.role("worker", Action="s3:*", Resource="*")
    paths = "print(json.dumps([metadata, os.environ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']]))"
    spy = Spy(story, paths, taskRoleArn=role)
    metadata, credentials = spy.told()[0]
    look = f"print(json.dumps([get('{metadata}'), get('{metadata}/task'), get('http://169.254.170.2{credentials}'), " \
           f"get('http://169.254.170.2/v2/credentials/no-such-id')]))"  # fmt: skip
    own, task, keys, none = Spy(story, look).told()[0]
    assert own["status"] == task["status"] == 404
    assert keys["status"] == none["status"] == 400
    assert json.loads(keys["body"])["code"] == "InvalidIdInRequest"
    assert keys["body"] == none["body"], "it does not even tell that there is one"
    for arn in story.ecs.list_tasks(cluster="yard")["taskArns"]:
        story.until(arn)
        story.stop(arn)


def test_the_pages_are_not_on_the_emulators_own_port(tier_story: Story, tier_emulator: EmulatorProcess) -> None:
    paths = (
        "where = [metadata, *(os.environ.get(f'AWS_CONTAINER_CREDENTIALS_{kind}_URI') for kind in ('RELATIVE', 'FULL'))]\n"
        "print(json.dumps([urllib.parse.urlsplit(each).path for each in where if each]))"
    )
    spy = Spy(tier_story, paths, taskRoleArn=tier_story.role("worker"))
    metadata, credentials = spy.told()[0]
    assert metadata.startswith("/v4/") and credentials.startswith("/v2/credentials/")
    for each in (metadata, credentials):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(tier_emulator.url + each, timeout=5)
        assert b"AccessKeyId" not in caught.value.read()
    tier_story.until(spy.arn)
    tier_story.stop(spy.arn)
