"""Who asks: keys, signatures, tokens, expiry, accounts; with boto3 and with requests tampered with on their way."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.auth
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.emulator_process import EmulatorProcess

ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
CALLS: dict[str, Callable[[Any], Any]] = {
    "ecs": lambda client: client.list_clusters(),
    "logs": lambda client: client.describe_log_groups(),
    "iam": lambda client: client.list_users(),
    "sts": lambda client: client.get_caller_identity(),
    "ec2": lambda client: client.describe_vpcs(),
    "s3": lambda client: client.list_buckets(),
    "lambda": lambda client: client.list_functions(),
    "sqs": lambda client: client.list_queues(),
}
UNKNOWN = {
    "ecs": ("UnrecognizedClientException", 400), "logs": ("UnrecognizedClientException", 400),
    "iam": ("InvalidClientTokenId", 403), "sts": ("InvalidClientTokenId", 403), "ec2": ("AuthFailure", 401),
    "s3": ("InvalidAccessKeyId", 403), "lambda": ("UnrecognizedClientException", 403),
    "sqs": ("UnrecognizedClientException", 400),
}  # fmt: skip
MISMATCH = {
    "ecs": ("InvalidSignatureException", 400), "logs": ("InvalidSignatureException", 400),
    "iam": ("SignatureDoesNotMatch", 403), "sts": ("SignatureDoesNotMatch", 403), "ec2": ("AuthFailure", 401),
    "s3": ("SignatureDoesNotMatch", 403), "lambda": ("InvalidSignatureException", 403),
    "sqs": ("InvalidSignatureException", 400),
}  # fmt: skip
Key = dict[str, str]


def client(emulator: EmulatorProcess, service: str, key: Key, **given: Any) -> Any:
    config = Config(retries={"total_max_attempts": 1}, **given)
    return boto3.Session().client(service, "us-east-1", endpoint_url=emulator.url, config=config, **key)


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    """The error's code and status."""
    with pytest.raises(ClientError) as told:
        call()
    response: Any = told.value.response
    assert response["Error"]["Message"], response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def user(aws: Callable[..., Any]) -> Iterator[SimpleNamespace]:
    """A user who may do all, and an access key of theirs."""
    iam = aws("iam")
    iam.create_user(UserName="ada")
    iam.put_user_policy(UserName="ada", PolicyName="all", PolicyDocument=ALL)
    made = iam.create_access_key(UserName="ada")["AccessKey"]
    yield SimpleNamespace(
        iam=iam,
        id=made["AccessKeyId"],
        key={"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]},
    )


@pytest.mark.parametrize("service", CALLS)
def test_only_the_right_secret_will_do(
    emulator: EmulatorProcess, user: SimpleNamespace, account: str, service: str
) -> None:
    assert CALLS[service](client(emulator, service, user.key))["ResponseMetadata"]["HTTPStatusCode"] == 200
    wrong = user.key | {"aws_secret_access_key": user.key["aws_secret_access_key"][:-1] + "?"}
    assert refused(lambda: CALLS[service](client(emulator, service, wrong))) == MISMATCH[service]
    stranger = user.key | {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"}
    assert refused(lambda: CALLS[service](client(emulator, service, stranger))) == UNKNOWN[service]
    token = user.key | {"aws_session_token": "made up"}
    code = ("InvalidToken", 400) if service == "s3" else UNKNOWN[service]
    assert refused(lambda: CALLS[service](client(emulator, service, token))) == code


def test_who_it_is(emulator: EmulatorProcess, user: SimpleNamespace, account: str) -> None:
    identity = client(emulator, "sts", user.key).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (account, f"arn:aws:iam::{account}:user/ada")


def test_a_key_that_is_inactive_or_gone(emulator: EmulatorProcess, user: SimpleNamespace) -> None:
    ecs = client(emulator, "ecs", user.key)
    for status, works in (("Inactive", False), ("Active", True)):
        user.iam.update_access_key(UserName="ada", AccessKeyId=user.id, Status=status)
        if works:
            ecs.list_clusters()
        else:
            assert refused(ecs.list_clusters) == UNKNOWN["ecs"]
    user.iam.delete_access_key(UserName="ada", AccessKeyId=user.id)
    assert refused(ecs.list_clusters) == UNKNOWN["ecs"]


def change_body(request: Any) -> None:
    body = request.body.read() if hasattr(request.body, "read") else request.body
    body = body if isinstance(body, bytes) else body.encode()
    assert b"innocent" in body
    request.body = body.replace(b"innocent", b"tampered")


def change_target(request: Any) -> None:
    del request.headers["X-Amz-Target"]
    request.headers["X-Amz-Target"] = "AmazonEC2ContainerServiceV20141113.ListClusters"


def change_host(request: Any) -> None:
    request.headers["Host"] = "elsewhere.localhost"


def change_query(request: Any) -> None:
    request.url = request.url.replace("innocent", "tampered")


def add_acl(request: Any) -> None:
    request.headers["x-amz-acl"] = "public-read"


def unsign_host(request: Any) -> None:
    name, old = "Authorization", request.headers["Authorization"]
    del request.headers[name]
    request.headers[name] = (old if isinstance(old, str) else old.decode()).replace("host;", "")


def scope_elsewhere(request: Any) -> None:
    name, old = "Authorization", request.headers["Authorization"]
    del request.headers[name]
    request.headers[name] = (old if isinstance(old, str) else old.decode()).replace("/ecs/", "/logs/")


TAMPERED: list[tuple[str, Callable[[Any], Any], Callable[[Any], None], str]] = [
    ("ecs", lambda c: c.describe_clusters(clusters=["innocent"]), change_body, "InvalidSignatureException"),
    ("ecs", lambda c: c.describe_clusters(clusters=["innocent"]), change_target, "InvalidSignatureException"),
    ("ecs", lambda c: c.describe_clusters(clusters=["innocent"]), change_host, "InvalidSignatureException"),
    ("ecs", lambda c: c.describe_clusters(clusters=["innocent"]), unsign_host, "InvalidSignatureException"),
    ("ecs", lambda c: c.describe_clusters(clusters=["innocent"]), scope_elsewhere, "InvalidSignatureException"),
    ("iam", lambda c: c.create_user(UserName="innocent"), change_body, "SignatureDoesNotMatch"),
    ("ec2", lambda c: c.create_key_pair(KeyName="innocent"), change_body, "AuthFailure"),
    ("s3", lambda c: c.list_objects_v2(Bucket="innocent", Prefix="innocent"), change_query, "SignatureDoesNotMatch"),
    ("s3", lambda c: c.put_object(Bucket="b" * 5, Key="k", Body=b"innocent"), change_body, "XAmzContentSHA256Mismatch"),
    ("s3", lambda c: c.put_object(Bucket="b" * 5, Key="k", Body=b"innocent"), add_acl, "AccessDenied"),
    ("lambda", lambda c: c.list_functions(Marker="innocent"), change_query, "InvalidSignatureException"),
]


@pytest.mark.parametrize(("service", "call", "tamper", "code"), TAMPERED)
def test_tampered_requests(
    emulator: EmulatorProcess, user: SimpleNamespace, service: str, call: Any, tamper: Any, code: str
) -> None:
    """botocore signs, somebody on the way changes it, and nothing comes of it."""
    sender = client(emulator, service, user.key, s3={"addressing_style": "path"})

    def on_its_way(request: Any, **_: Any) -> None:
        tamper(request)

    sender.meta.events.register("before-send", on_its_way)
    with pytest.raises(ClientError) as told:
        call(sender)
    error: Any = told.value.response
    assert error["Error"]["Code"] == code
    assert [one["UserName"] for one in user.iam.list_users()["Users"]] == ["ada"]


@pytest.mark.parametrize("off", [timedelta(minutes=-16), timedelta(minutes=16)], ids=["late", "early"])
@pytest.mark.parametrize(
    ("service", "code"),
    [("ecs", "InvalidSignatureException"), ("iam", "SignatureDoesNotMatch"), ("ec2", "RequestExpired"),
     ("s3", "RequestTimeTooSkewed")],
)  # fmt: skip
def test_the_wrong_time(
    emulator: EmulatorProcess, user: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, service: str, code: str, off: Any
) -> None:
    """Real time, whatever the lab's clock says."""
    monkeypatch.setattr(
        botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: (datetime.now(UTC) + off).replace(tzinfo=None)
    )
    with pytest.raises(ClientError) as told:
        CALLS[service](client(emulator, service, user.key))
    error: Any = told.value.response["Error"]
    assert error["Code"] == code
    if service in ("ecs", "iam"):
        expected = "Signature expired: .* is now earlier than" if off < timedelta(0) else "Signature not yet current: "
        assert re.match(expected, error["Message"])


def test_a_quarter_of_an_hour_is_forgiven(
    emulator: EmulatorProcess, user: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = timedelta(minutes=14)
    monkeypatch.setattr(
        botocore.auth,
        "get_current_datetime",
        lambda remove_tzinfo=True: (datetime.now(UTC) - early).replace(tzinfo=None),
    )
    assert client(emulator, "ecs", user.key).list_clusters()["clusterArns"] == []


def fetch(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_presigned_urls(emulator: EmulatorProcess, user: SimpleNamespace, aws: Any, account: str) -> None:
    sts = client(emulator, "sts", user.key)
    url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    status, body = fetch(url)
    assert status == 200 and f"{account}:user/ada".encode() in body
    for tampered in (
        url.replace("GetCallerIdentity", "GetSessionToken"),
        url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        re.sub("X-Amz-Signature=.*", "X-Amz-Signature=%C3%A9", url),
        re.sub("X-Amz-Expires=60", "X-Amz-Expires=%C2%B2", url),
        re.sub("X-Amz-Expires=60", "X-Amz-Expires=" + "9" * 5000, url),
        re.sub("X-Amz-Date=[^&]*", "X-Amz-Date=20260230T000000Z", url),
        re.sub("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=", url),
    ):
        status, body = fetch(tampered)
        assert status in (400, 403), tampered
        assert b"<Code>SignatureDoesNotMatch<" in body or b"<Code>IncompleteSignature<" in body, body


def test_presigned_objects(emulator: EmulatorProcess, user: SimpleNamespace, account: str, monkeypatch: Any) -> None:
    s3 = client(emulator, "s3", user.key, s3={"addressing_style": "path"}, signature_version="s3v4")
    s3.create_bucket(Bucket=f"presigned-{account}")
    s3.put_object(Bucket=f"presigned-{account}", Key="a key/with é+&", Body=b"what is in it")
    wanted = {"Bucket": f"presigned-{account}", "Key": "a key/with é+&"}
    url = s3.generate_presigned_url("get_object", wanted, ExpiresIn=60)
    assert fetch(url) == (200, b"what is in it")
    assert fetch(url.replace("a%20key", "another"))[0] == 403
    split = wanted | {"ResponseContentDisposition": "inline\r\nX-Injected: yes"}
    with urllib.request.urlopen(s3.generate_presigned_url("get_object", split), timeout=20) as answer:
        assert "X-Injected" not in answer.headers
    long_ago = datetime.now(UTC) - timedelta(seconds=61)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: long_ago.replace(tzinfo=None))
    status, body = fetch(s3.generate_presigned_url("get_object", wanted, ExpiresIn=60))
    assert status == 403 and b"<Code>AccessDenied</Code>" in body and b"Request has expired" in body


def test_session_tokens(emulator: EmulatorProcess, user: SimpleNamespace, account: str) -> None:
    given = client(emulator, "sts", user.key).get_session_token(DurationSeconds=900)["Credentials"]
    assert given["Expiration"] > datetime.now(UTC) + timedelta(seconds=800), "it expires in real time"
    key = {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"]}
    token = {"aws_session_token": given["SessionToken"]}
    for service in ("ecs", "s3", "ec2"):
        CALLS[service](client(emulator, service, key | token))
        invalid = ("InvalidToken", 400) if service == "s3" else UNKNOWN[service]
        assert refused(lambda: CALLS[service](client(emulator, service, key))) == invalid
        wrong = {"aws_session_token": given["SessionToken"][:-2] + "??"}
        assert refused(lambda: CALLS[service](client(emulator, service, key | wrong))) == invalid
    url = client(emulator, "sts", key | token).generate_presigned_url("get_caller_identity", HttpMethod="GET")
    assert fetch(url)[0] == 200
    assert fetch(re.sub("X-Amz-Security-Token=[^&]*", "X-Amz-Security-Token=other", url))[0] == 403


def test_accounts(emulator: EmulatorProcess, account: str) -> None:
    """A key of twelve digits is its account; ``test`` and the like are the default account; they see nothing of each
    other."""
    other = str((int(account) + 1) % 10**12).zfill(12)
    try:
        for number in (account, other):
            ecs = emulator.client("ecs", account=number)
            assert ecs.list_clusters()["clusterArns"] == []
            arn = ecs.create_cluster(clusterName="mine")["cluster"]["clusterArn"]
            assert arn == f"arn:aws:ecs:us-east-1:{number}:cluster/mine"
            assert ecs.list_clusters()["clusterArns"] == [arn]
            assert emulator.client("ecs", account=number, region="eu-west-1").list_clusters()["clusterArns"] == []
        for name in ("test", "mock", "akia-in-small-letters", "12345678901"):
            assert emulator.client("sts", account=name).get_caller_identity()["Account"] == "000000000000"
    finally:
        for number in (account, other):
            emulator.get("/_drydock/reset", {"account": number})


def test_a_request_nobody_signed(emulator: EmulatorProcess) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    request = urllib.request.Request(emulator.url, b"Action=ListUsers&Version=2010-05-08", form)
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(request, timeout=20)
    assert told.value.code == 403 and b"<Code>MissingAuthenticationToken</Code>" in told.value.read()
    target = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(urllib.request.Request(emulator.url, b"{}", target), timeout=20)
    assert told.value.code == 400 and b'"MissingAuthenticationTokenException"' in told.value.read()


@pytest.mark.parametrize("service", CALLS)
def test_request_ids(aws: Callable[..., Any], service: str) -> None:
    ids = [CALLS[service](aws(service))["ResponseMetadata"]["RequestId"] for _ in range(2)]
    assert all(ids) and ids[0] != ids[1]


def test_request_ids_of_errors(aws: Callable[..., Any]) -> None:
    for call in (
        lambda: aws("ecs").describe_services(cluster="none", services=["none"]),
        lambda: aws("iam").get_user(UserName="nobody"),
        lambda: aws("ecr").describe_repositories(),
        lambda: aws("cloudwatch").list_metric_streams(),
    ):
        with pytest.raises(ClientError) as told:
            call()
        assert told.value.response["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize(
    "call",
    ["ecr.describe_repositories", "cloudwatch.list_metric_streams", "elbv2.describe_trust_stores", "scheduler.list_schedules",
     "events.list_rules"],
)  # fmt: skip
def test_what_aws_has_and_we_lack_is_501(aws: Callable[..., Any], call: str) -> None:
    service, _, name = call.partition(".")
    assert refused(getattr(aws(service), name)) == ("NotImplemented", 501)


def test_what_aws_does_not_have(emulator: EmulatorProcess, account: str) -> None:
    scope = (
        "AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=" + "0" * 64
    )
    for service, headers, body in (
        ("ecs", {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.MakeCoffee"}, b"{}"),
        ("ecs", {"X-Amz-Target": "SomebodyElse.ListClusters"}, b"{}"),
        ("ecs", {"Content-Type": "application/x-www-form-urlencoded"}, b"Action=ListClusters&Version=2014-11-13"),
        ("iam", {"Content-Type": "application/x-www-form-urlencoded"}, b"Action=MakeCoffee&Version=2010-05-08"),
        ("iam", {"Content-Type": "application/x-www-form-urlencoded"}, b"Action=%00%FF%3Cx%3E&Version=2010-05-08"),
        ("ec2", {"Content-Type": "application/x-www-form-urlencoded"}, b"Action=MakeCoffee&Version=2016-11-15"),
        ("iam", {"X-Amz-Target": "iam.ListUsers"}, b"{}"),
        ("cloudwatch", {"smithy-protocol": "rpc-v2-cbor"}, b""),
        ("lambda", {}, b""),
        ("nothing", {}, b""),
    ):
        signed = {"Authorization": scope.format(account, service)}
        request = urllib.request.Request(emulator.url + "/no/such/path", body, headers | signed)
        with pytest.raises(urllib.error.HTTPError) as told:
            urllib.request.urlopen(request, timeout=20)
        answer = told.value.read()
        assert told.value.code == 400 and b"UnknownOperationException" in answer, (service, headers, answer)
        assert told.value.headers["x-amzn-RequestId"]
