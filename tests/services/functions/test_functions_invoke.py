"""Functions run: by boto3 on a running emulator, in each tier."""

from __future__ import annotations

import base64
import concurrent.futures
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.functions.room import Room, zipped

Aws = Callable[..., Any]


@pytest.fixture
def room(aws: Aws) -> Room:
    return Room(aws)


def test_it_runs_and_answers(room: Room, account: str) -> None:
    arn = room.function(
        "import boto3, os, sys\n"
        "def h(event, context):\n"
        "    print('hello', event['a'])\n"
        "    me = boto3.client('sts').get_caller_identity()['Arn']\n"
        "    return {'me': me, 'request': context.aws_request_id, 'left': context.get_remaining_time_in_millis(),\n"
        "            'arn': context.invoked_function_arn, 'memory': context.memory_limit_in_mb,\n"
        "            'group': context.log_group_name, 'x': os.environ['X'], 'root': os.environ['LAMBDA_TASK_ROOT'] == os.getcwd(),\n"
        "            'none': context.identity is None and context.client_context is None}\n",
        Environment={"Variables": {"X": "ä"}},
        MemorySize=256,
    )
    answer = room.lam.invoke(FunctionName="f", Payload=b'{"a": "b"}', LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"], "FunctionError" in answer) == (200, "$LATEST", False)
    told = json.loads(answer["Payload"].read())
    assert told["me"] == f"arn:aws:sts::{account}:assumed-role/function/f"
    assert (told["arn"], told["memory"], told["group"], told["x"]) == (arn, "256", "/aws/lambda/f", "ä")
    assert told["root"] and told["none"] and 0 < told["left"] <= 3000
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert tail.splitlines()[:2] == [f"START RequestId: {told['request']} Version: $LATEST", "hello b"]
    lines = room.lines()
    assert lines == [line for line in tail.split("\n") if line]
    assert lines[2] == f"END RequestId: {told['request']}"
    assert lines[3].startswith(f"REPORT RequestId: {told['request']}\tDuration: ")
    (stream,) = room.logs.describe_log_streams(logGroupName="/aws/lambda/f")["logStreams"]
    assert "/[$LATEST]" in stream["logStreamName"]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("def h(event, context):\n    raise ValueError('no')\n", "ValueError", "no"),
        ("import nothing_of_this_name\n", "Runtime.ImportModuleError",
         "Unable to import module 'm': No module named 'nothing_of_this_name'"),
        ("def other(event, context): pass\n", "Runtime.HandlerNotFound", "Handler 'h' missing on module 'm'"),
        ("def h(event, context)\n    pass\n", "Runtime.UserCodeSyntaxError",
         "Syntax error in module 'm': expected ':' (m.py, line 1)"),
        ("def h(event, context):\n    return {1, 2}\n", "Runtime.MarshalError",
         "Unable to marshal response: Object of type set is not JSON serializable"),
        ("import os\nTABLE = os.environ['TABLE']\n", "KeyError", "'TABLE'"),
    ],
)  # fmt: skip
def test_errors_of_the_code(room: Room, text: str, kind: str, message: str) -> None:
    room.function(text)
    told, error = room.invoke()
    assert (error, told["errorType"], told["errorMessage"]) == ("Unhandled", kind, message)
    assert room.lines(pattern=f'"[ERROR] {kind}: "')
    if kind == "KeyError":
        assert told["stackTrace"][0].startswith('  File "/var/task/m.py", line 2, in <module>\n')
    if kind == "ValueError":
        assert told["stackTrace"] == ["  File \"/var/task/m.py\", line 2, in h\n    raise ValueError('no')\n"]


def test_the_request_s_id_is_the_invocation_s(room: Room) -> None:
    room.function("def h(event, context): return context.aws_request_id\n")
    answer = room.lam.invoke(FunctionName="f")
    assert json.loads(answer["Payload"].read()) == answer["ResponseMetadata"]["RequestId"]


def test_logging(room: Room) -> None:
    room.function(
        "import logging\nlog = logging.getLogger()\nlog.setLevel('INFO')\n"
        "def h(event, context):\n    log.info('seen')\n    logging.getLogger('x').debug('unseen')\n    return context.aws_request_id\n"
    )
    request = room.invoke()[0]
    (line,) = [line for line in room.lines() if "seen" in line]
    level, _, told, message = line.split("\t")
    assert (level, told, message) == ("[INFO]", request, "seen")


def test_what_a_function_leaves_instead_of_an_answer(room: Room) -> None:
    """It cannot make the emulator read another file, wait for ever, or fail."""
    room.function(
        "import os\ndef h(event, context):\n    path = '/var/exchange/answer.json'\n"
        "    if event == 'link': os.symlink('/etc/passwd', path)\n"
        "    elif event == 'pipe': os.mkfifo(path)\n"
        "    else: open(path, 'w').write(event)\n"
        "    os._exit(0)\n"
    )
    rest = ', "log": "", "payload": "1", "failed": false}'
    numbers = ('{"took": NaN, "init": 0, "memory": 1', '{"took": -1, "init": 0, "memory": 1')
    for left in ("link", "pipe", "", "[]", *(one + rest for one in numbers)):
        told, error = room.invoke(left)
        assert error and told["errorMessage"].endswith("Runtime exited without providing a reason"), left


def test_text_that_is_none(room: Room) -> None:
    """Half a surrogate pair is no text that can be sent, and harms nobody."""
    room.function("def h(event, context):\n    if event: raise ValueError(event)\n    return chr(0xd800)\n")
    told, error = room.invoke()
    assert error and told["errorType"] == "Runtime.MarshalError"
    told, error = room.invoke("\ud800")
    assert error and told["errorType"] == "ValueError"


def test_functions_invoke_functions(room: Room) -> None:
    """As many of them as there are places: none waits for another's place."""
    room.iam.put_role_policy(RoleName="function", PolicyName="invoke", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}}))  # fmt: skip
    room.function("def h(event, context): return 'inner'\n", name="inner")
    room.function(
        "import boto3, json\ndef h(event, context):\n"
        "    return json.load(boto3.client('lambda').invoke(FunctionName='inner')['Payload'])\n",
        Timeout=900,
    )
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert list(pool.map(room.invoke, [1] * 10)) == [("inner", "")] * 10


def test_an_alias_with_weights(room: Room) -> None:
    room.function("def h(event, context): return context.function_version\n")
    room.lam.publish_version(FunctionName="f")
    room.lam.update_function_code(
        FunctionName="f", ZipFile=zipped(m="def h(event, context): return 'two'\n"), Publish=True
    )
    room.lam.create_alias(
        FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
    )
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        told = [answer for answer, _ in pool.map(lambda _: room.invoke(Qualifier="live"), range(24))]
    assert {"1", "two"} == set(told)


def test_versions_have_their_numbers_for_ever(room: Room) -> None:
    room.function("def h(event, context): return 1\n")

    def published(text: str) -> Any:
        room.lam.update_function_code(FunctionName="f", ZipFile=zipped(m=f"def h(event, context): return {text}\n"))
        return room.lam.publish_version(FunctionName="f")["Version"]

    assert [published("1"), published("2"), published("3")] == ["1", "2", "3"]
    assert room.lam.publish_version(FunctionName="f")["Version"] == "3"  # nothing has changed
    room.lam.delete_function(FunctionName="f", Qualifier="2")
    assert published("4") == "4"
    assert [room.invoke(Qualifier=version)[0] for version in ("1", "3", "4")] == [1, 3, 4]


def test_an_account_that_is_reset_has_no_functions_left(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "state", "--speed", "100") as emulator:
        room = Room(emulator.client)
        room.function("import time\ndef h(event, context):\n    print('begun')\n    time.sleep(1000)\n", Timeout=900)
        room.lam.invoke(FunctionName="f", InvocationType="Event")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(room.invoke)
            wait_until(lambda: room.lines().count("begun") == 2, "both run", emulator.output)
            emulator.get("/_drydock/reset", {"account": "000000000000"})
            asked.exception(30)
        assert list((tmp_path / "state" / "functions").iterdir()) == []
        assert emulator.faults() == []
        assert room.lam.list_functions()["Functions"] == []


def test_it_is_cut_off_after_its_time(room: Room) -> None:
    room.function("import time\ndef h(event, context):\n    print('begun')\n    time.sleep(1000)\n", Timeout=1)
    told, error = room.invoke()
    assert error == "Unhandled"
    assert told["errorType"] == "Sandbox.Timedout"
    assert told["errorMessage"].endswith(" Error: Task timed out after 1.00 seconds")
    assert "begun" in room.lines()
    assert room.lines()[-1].endswith("\tStatus: timeout\t")


def test_it_ends_without_an_answer(room: Room) -> None:
    room.function("import os\ndef h(event, context):\n    os._exit(event)\n")
    told, error = room.invoke(3)
    assert error == "Unhandled" and told["errorMessage"].endswith("Runtime exited with error: exit status 3")
    told, _ = room.invoke(0)
    assert told["errorMessage"].endswith("Runtime exited without providing a reason")


def test_memory_is_limited(room: Room) -> None:
    room.function("def h(event, context):\n    data = bytearray(400 << 20)\n    return len(data)\n", Timeout=900)
    told, error = room.invoke()
    assert error == "Unhandled" and told["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert room.lines()[-1].endswith("\tError Type: Runtime.OutOfMemory\t")
    room.lam.update_function_configuration(FunctionName="f", MemorySize=1024)
    assert room.invoke() == (400 << 20, "")


def test_its_role_decides(room: Room) -> None:
    """What it may do, and whether it has a log."""
    room.function("import boto3\ndef h(event, context):\n    return boto3.client('s3').list_buckets()['Buckets']\n")
    told, error = room.invoke()
    assert error and "is not authorized to perform: s3:ListAllMyBuckets" in told["errorMessage"]
    assert room.lines()
    room.logs.delete_log_group(logGroupName="/aws/lambda/f")
    room.iam.detach_role_policy(RoleName="function", PolicyArn=room.iam.list_attached_role_policies(
        RoleName="function")["AttachedPolicies"][0]["PolicyArn"])  # fmt: skip
    room.iam.attach_role_policy(RoleName="function", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    assert room.invoke() == ([], "")
    assert room.lines() == []
    room.iam.detach_role_policy(RoleName="function", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    room.iam.delete_role(RoleName="function")
    with pytest.raises(ClientError, match="The role defined for the function cannot be assumed by Lambda"):
        room.invoke()


def test_versions_aliases_and_layers(room: Room) -> None:
    layer = room.lam.publish_layer_version(
        LayerName="shared", Content={"ZipFile": zipped(python__shared="def two(): return 'layer'\n")}
    )
    room.function("import shared\ndef h(event, context):\n    return [context.function_version, shared.two()]\n",
                  Layers=[layer["LayerVersionArn"]])  # fmt: skip
    assert room.lam.publish_version(FunctionName="f")["Version"] == "1"
    room.lam.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    room.lam.update_function_code(FunctionName="f", ZipFile=zipped(m="def h(event, context): return 'new'\n"))
    assert room.invoke() == ("new", "")
    assert room.invoke(Qualifier="1") == room.invoke(name="f:live") == (["1", "layer"], "")
    for qualifier in ("2", "none"):
        with pytest.raises(room.lam.exceptions.ResourceNotFoundException, match=f"function:f:{qualifier}"):
            room.invoke(Qualifier=qualifier)


def test_what_is_refused_runs_nothing(room: Room) -> None:
    room.function("def h(event, context): return 1\n")
    room.function("exports.h = 1", name="node", Runtime="nodejs22.x")
    for given, code in (
        ({"FunctionName": "none"}, "ResourceNotFoundException"),
        ({"FunctionName": "f", "Payload": b"{"}, "InvalidRequestContentException"),
        ({"FunctionName": "f", "ClientContext": "no base64"}, "InvalidRequestContentException"),
        ({"FunctionName": "node"}, "NotImplemented"),
    ):
        with pytest.raises(ClientError) as caught:
            room.lam.invoke(**given)
        assert caught.value.response["Error"]["Code"] == code
    assert room.lam.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
    assert room.lines() == []
    with pytest.raises(ClientError, match="VpcConfig: leave it out"):
        room.function("", name="inside", VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})
    with pytest.raises(ClientError, match="Could not unzip uploaded file") as caught:
        room.lam.create_function(
            FunctionName="bad", Runtime="python3.12", Handler="m.h", Role=room.role, Code={"ZipFile": b"none"}
        )
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    with pytest.raises(ClientError, match="Nobody would serve the URL"):
        room.lam.create_function_url_config(FunctionName="f", AuthType="NONE")
    topic = room.aws("sns").create_topic(Name="t")["TopicArn"]
    with pytest.raises(ClientError, match="Nothing would be delivered by lambda"):
        room.aws("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint="arn:aws:lambda:us-east-1:1:function:f")


def test_who_may_invoke_it(room: Room, account: str) -> None:
    room.function("def h(event, context): return 1\n")
    room.iam.create_user(UserName="ann")
    key = room.iam.create_access_key(UserName="ann")["AccessKey"]
    hers = room.aws("lambda", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    with pytest.raises(ClientError) as caught:
        hers.invoke(FunctionName="f")
    assert caught.value.response["Error"]["Message"] == (
        f"User: arn:aws:iam::{account}:user/ann is not authorized to perform: lambda:InvokeFunction on resource: "
        f"arn:aws:lambda:us-east-1:{account}:function:f because no identity-based policy allows the lambda:InvokeFunction action"
    )


def test_several_at_once_and_no_more_than_are_reserved(room: Room) -> None:
    room.function("import time\ndef h(event, context):\n    time.sleep(event)\n    return event\n", Timeout=900)
    with concurrent.futures.ThreadPoolExecutor(13) as pool:
        assert list(pool.map(room.invoke, [0.2] * 13)) == [(0.2, "")] * 13
    room.lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(room.lam.exceptions.TooManyRequestsException, match="Rate Exceeded"):
        room.invoke(0)

    def counted() -> Any:
        found = room.cw.list_metrics(Namespace="AWS/Lambda", MetricName="Throttles")["Metrics"]
        return [metric["Dimensions"] for metric in found]

    assert [{"Name": "FunctionName", "Value": "f"}] in counted()


def test_in_the_plain_tier(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "state", "--speed", "100", "--runtime-tier", "plain") as emulator:
        room = Room(emulator.client)
        room.function(
            "import boto3, os\ndef h(event, context):\n    print('here')\n"
            "    return boto3.client('sts').get_caller_identity()['Arn'].split(':')[5]\n"
        )
        assert room.invoke() == ("assumed-role/function/f", "")
        assert "here" in room.lines()
        assert emulator.faults() == []
        assert list((tmp_path / "state" / "functions").iterdir()) == []


def test_nothing_is_left_of_an_environment(tmp_path: Path) -> None:
    """Nor after kill -9 in the middle of an invocation."""
    with EmulatorProcess(tmp_path / "state", "--speed", "100") as emulator:
        room = Room(emulator.client)
        room.function("import time\ndef h(event, context):\n    print('begun')\n    time.sleep(1000)\n", Timeout=900)
        folder = tmp_path / "state" / "functions"
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(room.invoke)
            wait_until(lambda: "begun" in room.lines(), "it runs", emulator.output)
            assert len(list(folder.iterdir())) == 1
            emulator.kill()
            with pytest.raises(BotoCoreError):
                asked.result(30)
        emulator.start()
        assert not folder.exists() or list(folder.iterdir()) == []
        assert emulator.faults() == []
