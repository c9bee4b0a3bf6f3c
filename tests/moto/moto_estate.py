"""What the tests build in moto: one of everything the course uses, and how to look at it again."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from drydock.moto_backend.backend import MotoBackend

NOW = 1_800_000_000.0
ACCOUNT, OTHER_ACCOUNT = "111111111111", "222222222222"
REGION, OTHER_REGION = "us-east-1", "eu-central-1"
LARGE = bytes(range(256)) * 6000  # 1.5 MB, over the limit up to which bodies stay in the journal itself
SECRETS = {"name": "db", "value": "hunter2"}

Call = Callable[..., Awaitable[dict[str, Any]]]


@contextlib.asynccontextmanager
async def opened(state: Path, seed: str = "seed") -> AsyncIterator[MotoBackend]:
    """A backend on a state folder, closed at the end."""
    backend = MotoBackend(state, seed)
    try:
        yield backend
    finally:
        await backend.close()


def caller(backend: MotoBackend, account: str = ACCOUNT, region: str = REGION) -> Call:
    """``call(service, operation, **params)`` at a lab time that moves on by a second with each call."""
    clock = [NOW]

    async def call(service: str, operation: str, **params: Any) -> dict[str, Any]:
        clock[0] += 1
        return await backend.call(service, operation, params, account, region, clock[0])

    return call


async def build(call: Call, mark: str) -> dict[str, Any]:
    """Make one of everything; ``mark`` keeps the names of several estates apart. Returns what only the maker knows."""
    created = (await call("ec2", "CreateVpc", CidrBlock="10.1.0.0/16"))["Vpc"]
    vpc, owner = created["VpcId"], created["OwnerId"]
    subnet = (await call("ec2", "CreateSubnet", VpcId=vpc, CidrBlock="10.1.4.0/24"))["Subnet"]["SubnetId"]
    group = (await call("ec2", "CreateSecurityGroup", GroupName=f"g-{mark}", Description="d", VpcId=vpc))["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    await call("ec2", "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[permission])
    await call("ec2", "CreateNetworkInterface", SubnetId=subnet, Groups=[group])
    await call(
        "ec2",
        "RunInstances",
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=2,
        SubnetId=subnet,
        InstanceType="t3.small",
        IamInstanceProfile={"Name": "ecsInstanceRole"},
    )
    role = f"arn:aws:iam::{owner}:role/r"
    key_pair = await call("ec2", "CreateKeyPair", KeyName=f"kp-{mark}")
    await call("autoscaling", "CreateLaunchConfiguration", LaunchConfigurationName="lc", ImageId="ami-12c6146b",
               InstanceType="t3.small")  # fmt: skip
    await call("autoscaling", "CreateAutoScalingGroup", AutoScalingGroupName="asg", LaunchConfigurationName="lc",
               MinSize=1, MaxSize=3, VPCZoneIdentifier=subnet)  # fmt: skip
    await call("s3", "CreateBucket", Bucket=f"bucket-{mark}")
    await call(
        "s3", "PutObject", Bucket=f"bucket-{mark}", Key="a/small text.txt", Body=b"small", Metadata={"who": "me"}
    )
    await call("s3", "PutObject", Bucket=f"bucket-{mark}", Key="large.bin", Body=LARGE)
    versioning = {"Status": "Enabled"}
    await call("s3", "PutBucketVersioning", Bucket=f"bucket-{mark}", VersioningConfiguration=versioning)
    for text in (b"one", b"two"):
        await call("s3", "PutObject", Bucket=f"bucket-{mark}", Key="versioned.txt", Body=text)
    upload = (await call("s3", "CreateMultipartUpload", Bucket=f"bucket-{mark}", Key="parts"))["UploadId"]
    part = {"Bucket": f"bucket-{mark}", "Key": "parts", "UploadId": upload, "PartNumber": 1}
    await call("s3", "UploadPart", **part, Body=LARGE)
    key = (await call("kms", "CreateKey", Description="k"))["KeyMetadata"]["KeyId"]
    cipher = (await call("kms", "Encrypt", KeyId=key, Plaintext=b"plain"))["CiphertextBlob"]
    pair = (await call("kms", "CreateKey", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"))["KeyMetadata"]["KeyId"]
    signature = (
        await call("kms", "Sign", KeyId=pair, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256")
    )["Signature"]  # fmt: skip
    await call("ssm", "PutParameter", Name="/app/db", Value="postgres://", Type="SecureString")
    await call("secretsmanager", "CreateSecret", Name=SECRETS["name"], SecretString=SECRETS["value"])
    queue = (await call("sqs", "CreateQueue", QueueName="q"))["QueueUrl"]
    await call("sqs", "SendMessage", QueueUrl=queue, MessageBody="hello")
    topic = (await call("sns", "CreateTopic", Name="t"))["TopicArn"]
    queue_arn = (await call("sqs", "GetQueueAttributes", QueueUrl=queue, AttributeNames=["QueueArn"]))["Attributes"]
    await call("sns", "Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=queue_arn["QueueArn"])
    await call("sns", "Publish", TopicArn=topic, Message="from the topic")
    await call("redshift", "CreateCluster", ClusterIdentifier="wh", NodeType="dc2.large", MasterUsername="admin",
               MasterUserPassword="Passw0rd!", DBName="dev")  # fmt: skip
    await call("lambda", "CreateFunction", FunctionName="f", Runtime="python3.12", Handler="m.h",
               Role=role, Code={"ZipFile": archive()})  # fmt: skip
    return {
        "queue": queue, "upload": upload, "key": key, "cipher": cipher, "pair": pair, "signature": signature, "mark": mark,
        "material": key_pair["KeyMaterial"],
    }  # fmt: skip


async def look(call: Call, made: dict[str, Any]) -> dict[str, Any]:
    """Everything that can be asked about the estate, ids, ARNs and timestamps included, as plain text to compare."""
    bucket = f"bucket-{made['mark']}"
    questions: list[tuple[str, str, dict[str, Any]]] = [
        ("ec2", "DescribeVpcs", {}),
        ("ec2", "DescribeSubnets", {}),
        ("ec2", "DescribeSecurityGroups", {}),
        ("ec2", "DescribeNetworkInterfaces", {}),
        ("ec2", "DescribeInstances", {}),
        ("ec2", "DescribeKeyPairs", {}),
        ("ec2", "DescribeVolumes", {}),
        ("autoscaling", "DescribeAutoScalingGroups", {}),
        ("s3", "ListBuckets", {}),
        ("s3", "ListObjectsV2", {"Bucket": bucket}),
        ("s3", "ListObjectVersions", {"Bucket": bucket}),
        ("s3", "ListParts", {"Bucket": bucket, "Key": "parts", "UploadId": made["upload"]}),
        ("s3", "HeadObject", {"Bucket": bucket, "Key": "a/small text.txt"}),
        ("kms", "ListKeys", {}),
        ("kms", "DescribeKey", {"KeyId": made["key"]}),
        ("kms", "GetPublicKey", {"KeyId": made["pair"]}),
        ("kms", "Decrypt", {"CiphertextBlob": made["cipher"]}),
        ("ssm", "GetParameter", {"Name": "/app/db", "WithDecryption": True}),
        ("secretsmanager", "DescribeSecret", {"SecretId": SECRETS["name"]}),
        ("secretsmanager", "GetSecretValue", {"SecretId": SECRETS["name"]}),
        ("sqs", "GetQueueAttributes", {"QueueUrl": made["queue"], "AttributeNames": ["All"]}),
        ("sns", "ListSubscriptions", {}),
        ("redshift", "DescribeClusters", {}),
        ("lambda", "GetFunction", {"FunctionName": "f"}),
    ]
    seen = {f"{s}:{o}": plain(await call(s, o, **p)) for s, o, p in questions}
    for name in ("a/small text.txt", "large.bin"):
        seen[f"s3:GetObject {name}"] = (await call("s3", "GetObject", Bucket=bucket, Key=name))["Body"]
    return seen


def plain(answer: dict[str, Any]) -> str:
    """An answer as text, without what is about the answer itself."""
    answer.pop("RequestId", None)
    described = answer.get("LastAccessedDate")
    if described is not None:
        del answer["LastAccessedDate"]
    return json.dumps(answer, default=repr, sort_keys=True)


def archive() -> bytes:
    """A function's code, the same bytes every time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(zipfile.ZipInfo("m.py", (2026, 1, 1, 0, 0, 0)), "def h(e, c): return e")
    return file.getvalue()
