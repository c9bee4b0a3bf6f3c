"""How requests are sent, answered and refused; time, addresses and waiting."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.moto_backend.backend import MotoBackend
from drydock.moto_backend.wire import MotoRequest

from tests.moto.moto_estate import ACCOUNT, NOW, OTHER_ACCOUNT, REGION, caller, opened


def test_moto_is_not_imported_by_the_emulator_and_botocore_only_late() -> None:
    import subprocess
    import sys

    program = "import sys, drydock.moto_backend.backend; print([m for m in ('moto', 'botocore') if m in sys.modules])"
    path = str(Path(__file__).parents[2] / "localstack")
    found = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_it_starts_when_first_needed_and_only_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            assert not backend.running
            assert backend.pid is None
            assert backend.memory() == 0
            await backend.reset(None)
            assert not backend.running
            calls = [backend.call("sqs", "CreateQueue", {"QueueName": f"q{n}"}, ACCOUNT, REGION, NOW) for n in range(5)]
            urls = [answer["QueueUrl"] for answer in await asyncio.gather(*calls)]
            assert len(set(urls)) == 5
            assert backend.running
            assert 30e6 < backend.memory() < 200e6
        assert not backend.running

    asyncio.run(story())


def test_what_moto_lacks_is_a_501_and_what_it_breaks_a_500(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            for service, operation, params in (
                ("ec2", "CreateFpgaImage", {"InputStorageLocation": {}}),
                ("kms", "DeriveSharedSecret", {"KeyId": "k", "KeyAgreementAlgorithm": "ECDH", "PublicKey": b"p"}),
                ("lambda", "GetAccountSettings", {}),
                ("redshift", "CreateHsmConfiguration", {}),
                ("lambda", "Invoke", {"FunctionName": "f"}),
                (
                    "s3",
                    "PutBucketAnalyticsConfiguration",
                    {"Bucket": "bucket", "Id": "i", "AnalyticsConfiguration": {}},
                ),
            ):
                with pytest.raises(NotImplementedByDrydock) as refused:
                    await call(service, operation, **params)
                assert f"{service}:{operation}" in refused.value.message
                assert refused.value.status == 501
            assert (await call("s3", "ListBuckets"))["Buckets"] == []
            with pytest.raises(AwsError) as failed:  # moto reads the missing member without asking
                await call("sns", "Publish")
            assert (failed.value.code, failed.value.status) == ("InternalFailure", 500)
            assert "Traceback" not in failed.value.message

    asyncio.run(story())
    assert any("Traceback" in r.getMessage() for r in caplog.records if r.levelno == logging.ERROR)


def test_an_error_of_aws_is_raised_with_its_code_and_is_a_response_to_send(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            with pytest.raises(AwsError) as error:
                await caller(backend)("ec2", "DescribeInstances", InstanceIds=["i-12345678901234567"])
            assert error.value.code == "InvalidInstanceID.NotFound"
            assert error.value.status == 400
            request = MotoRequest("GET", "http://s3.us-east-1.amazonaws.com/none/k%20%2Fey", [], b"", ACCOUNT, REGION,
                                  "s3", "GetObject", NOW)  # fmt: skip
            response = await backend.send(request)
            assert response.status == 404
            assert b"NoSuchBucket" in response.body

    asyncio.run(story())


def test_timestamps_are_lab_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            await backend.call("s3", "CreateBucket", {"Bucket": "bucket"}, ACCOUNT, REGION, NOW)
            await backend.call("s3", "PutObject", {"Bucket": "bucket", "Key": "k"}, ACCOUNT, REGION, NOW + 86400)
            listed = await backend.call("s3", "ListObjectsV2", {"Bucket": "bucket"}, ACCOUNT, REGION, NOW + 86400)
            assert listed["Contents"][0]["LastModified"] == datetime.fromtimestamp(NOW + 86400, UTC)
            buckets = await backend.call("s3", "ListBuckets", {}, ACCOUNT, REGION, NOW)
            assert buckets["Buckets"][0]["CreationDate"] == datetime.fromtimestamp(NOW, UTC)

    asyncio.run(story())


def test_a_client_that_goes_away_leaves_questions_and_answers_in_step(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            await call("sqs", "ListQueues")
            for n in range(10):
                impatient = asyncio.create_task(call("sqs", "CreateQueue", QueueName=f"q{n}"))
                for _ in range(n):
                    await asyncio.sleep(0)
                impatient.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await impatient
            topic = await call("sns", "CreateTopic", Name="t")
            assert topic["TopicArn"].endswith(":t")
            assert (await call("ec2", "DescribeVpcs"))["Vpcs"][0]["IsDefault"] is True

    asyncio.run(story())


def test_data_keys_differ_even_when_nothing_else_happens(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            key = (await call("kms", "CreateKey"))["KeyMetadata"]["KeyId"]
            keys = [(await call("kms", "GenerateDataKey", KeyId=key, KeySpec="AES_256"))["Plaintext"] for _ in range(3)]
            ciphers = [(await call("kms", "Encrypt", KeyId=key, Plaintext=b"p"))["CiphertextBlob"] for _ in range(3)]
            assert len(set(keys)) == len(set(ciphers)) == 3

    asyncio.run(story())


def test_a_key_of_aws_made_by_asking_for_it_is_kept(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            await call("kms", "ListKeys")
            cipher = await call("kms", "Encrypt", KeyId="alias/aws/ebs", Plaintext=b"plain")
            key = (await call("kms", "DescribeKey", KeyId="alias/aws/ebs"))["KeyMetadata"]["Arn"]
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            assert (await call("kms", "DescribeKey", KeyId="alias/aws/ebs"))["KeyMetadata"]["Arn"] == key
            assert (await call("kms", "Decrypt", CiphertextBlob=cipher["CiphertextBlob"]))["Plaintext"] == b"plain"

    asyncio.run(story())


def test_addresses_are_unique_and_inside_the_subnet_whoever_takes_them(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            vpc = (await call("ec2", "CreateVpc", CidrBlock="10.1.0.0/16"))["Vpc"]["VpcId"]
            subnet = (await call("ec2", "CreateSubnet", VpcId=vpc, CidrBlock="10.1.4.0/27"))["Subnet"]["SubnetId"]
            asked = await call("ec2", "CreateNetworkInterface", SubnetId=subnet, PrivateIpAddress="10.1.4.5")
            await call("ec2", "CreateNetworkInterface", SubnetId=subnet, SecondaryPrivateIpAddressCount=2)
            await call("ec2", "RunInstances", ImageId="ami-12c6146b", MinCount=3, MaxCount=3, SubnetId=subnet)
            await call("ec2", "CreateNatGateway", SubnetId=subnet)
            for _ in range(3):
                await call("ec2", "CreateNetworkInterface", SubnetId=subnet)
            found = await addresses(call)
            assert sorted(found) == sorted(f"10.1.4.{n}" for n in range(4, 15))
            gone = asked["NetworkInterface"]["NetworkInterfaceId"]
            await call("ec2", "DeleteNetworkInterface", NetworkInterfaceId=gone)
            again = await call("ec2", "CreateNetworkInterface", SubnetId=subnet)
            assert again["NetworkInterface"]["PrivateIpAddress"] == "10.1.4.15"  # not the one just freed
            small = (await call("ec2", "CreateSubnet", VpcId=vpc, CidrBlock="10.1.5.0/28"))["Subnet"]["SubnetId"]
            for _ in range(3):  # 11 addresses, so the third five need those of the first
                run = await call("ec2", "RunInstances", ImageId="ami-12c6146b", MinCount=5, MaxCount=5, SubnetId=small)
                ids = [instance["InstanceId"] for instance in run["Instances"]]
                await call("ec2", "TerminateInstances", InstanceIds=ids)
                await ended(backend, ids)
            for address, code in (("10.1.4.6", "InvalidIPAddress.InUse"), ("10.2.0.1", "InvalidParameterValue")):
                with pytest.raises(AwsError) as error:
                    await call("ec2", "CreateNetworkInterface", SubnetId=subnet, PrivateIpAddress=address)
                assert error.value.code == code
            for _ in range(16):
                await call("ec2", "CreateNetworkInterface", SubnetId=subnet)
            with pytest.raises(AwsError) as error:
                await call("ec2", "CreateNetworkInterface", SubnetId=subnet)
            assert error.value.code == "InsufficientFreeAddressesInSubnet"
            found = await addresses(call)
            assert len(found) == len(set(found)) == 27

    asyncio.run(story())


def test_an_instance_without_a_subnet_is_in_the_default_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            run = await call("ec2", "RunInstances", ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
            instance = run["Instances"][0]
            subnets = (await call("ec2", "DescribeSubnets", SubnetIds=[instance["SubnetId"]]))["Subnets"]
            prefix = subnets[0]["CidrBlock"].rsplit(".", 2)[0]
            assert instance["PrivateIpAddress"].startswith(prefix + ".")
            assert await addresses(call) == [instance["PrivateIpAddress"]]
            await call("ec2", "TerminateInstances", InstanceIds=[instance["InstanceId"]])
            assert await addresses(call) == [instance["PrivateIpAddress"]]  # the machine may still run
            await ended(backend, [instance["InstanceId"]])
            assert await addresses(call) == []
            again = await call("ec2", "TerminateInstances", InstanceIds=[instance["InstanceId"]])
            assert again["TerminatingInstances"][0]["PreviousState"]["Name"] == "terminated"

    asyncio.run(story())


def test_a_subnet_takes_its_association_with_a_route_table_along(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            vpc = (await call("ec2", "CreateVpc", CidrBlock="10.0.0.0/16"))["Vpc"]["VpcId"]
            subnet = (await call("ec2", "CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/24"))["Subnet"]["SubnetId"]
            table = (await call("ec2", "CreateRouteTable", VpcId=vpc))["RouteTable"]["RouteTableId"]
            await call("ec2", "AssociateRouteTable", SubnetId=subnet, RouteTableId=table)
            with pytest.raises(AwsError, match="has dependencies and cannot be deleted"):
                await call("ec2", "DeleteRouteTable", RouteTableId=table)
            await call("ec2", "DeleteSubnet", SubnetId=subnet)
            await call("ec2", "DeleteRouteTable", RouteTableId=table)

    asyncio.run(story())


def test_a_terminated_instance_can_be_told_of_after_its_vpc_is_gone(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            vpc = (await call("ec2", "CreateVpc", CidrBlock="10.0.0.0/16"))["Vpc"]["VpcId"]
            subnet = (await call("ec2", "CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/24"))["Subnet"]["SubnetId"]
            run = await call("ec2", "RunInstances", ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnet)
            instance = run["Instances"][0]["InstanceId"]
            await call("ec2", "TerminateInstances", InstanceIds=[instance])
            await ended(backend, [instance])
            await call("ec2", "DeleteSubnet", SubnetId=subnet)
            await call("ec2", "DeleteVpc", VpcId=vpc)
            told = await backend.ask("ec2", "DescribeMachines", {}, ACCOUNT, REGION, NOW + 1000)
            assert [(one["id"], one["state"]) for one in told["machines"]] == [(instance, "terminated")]
            described = await call("ec2", "DescribeInstances", InstanceIds=[instance])
            assert described["Reservations"][0]["Instances"][0]["State"]["Name"] == "terminated"

    asyncio.run(story())


async def ended(backend: MotoBackend, ids: list[str]) -> None:
    """What the emulator tells when the machines are gone."""
    for instance in ids:
        asked = {"id": instance, "from": ["shutting-down"], "to": "terminated"}
        answer = await backend.ask("ec2", "SetMachine", asked, ACCOUNT, REGION, NOW + 1000)
        assert answer["machine"]["state"] == "terminated"


async def addresses(call: Any) -> list[str]:
    answer = await call("ec2", "DescribeNetworkInterfaces")
    return [a["PrivateIpAddress"] for eni in answer["NetworkInterfaces"] for a in eni["PrivateIpAddresses"]]


def test_long_polling_waits_in_lab_time_and_blocks_nobody(tmp_path: Path) -> None:
    slept: list[tuple[str, float]] = []

    async def story() -> None:
        async def sleep(account: str, seconds: float) -> None:
            slept.append((account, seconds))
            if len(slept) == 5:
                await backend.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": "late"}, ACCOUNT, REGION, NOW)

        backend = MotoBackend(tmp_path / "moto", "seed", sleep=sleep)
        try:
            call, other = caller(backend), caller(backend, OTHER_ACCOUNT)
            url = (await call("sqs", "CreateQueue", QueueName="q"))["QueueUrl"]
            answer = await call("sqs", "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20)
            assert [m["Body"] for m in answer["Messages"]] == ["late"]
            assert slept == [(ACCOUNT, 0.5)] * 5
            slept.clear()
            slept.extend([("", 0.0)] * 10)
            assert "Messages" not in await call("sqs", "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=0)
            assert len(slept) == 10
            attributes = {"ReceiveMessageWaitTimeSeconds": "3"}
            patient = (await other("sqs", "CreateQueue", QueueName="q", Attributes=attributes))["QueueUrl"]
            assert "Messages" not in await other("sqs", "ReceiveMessage", QueueUrl=patient)
            assert sum(seconds for _, seconds in slept) == 3
            with pytest.raises(AwsError) as error:
                await call("sqs", "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=21)
            assert error.value.status == 400
            with pytest.raises(AwsError) as error:
                await call("sqs", "ReceiveMessage", QueueUrl=url + "x", WaitTimeSeconds=2)
            assert "NonExistentQueue" in error.value.code
        finally:
            await backend.close()

    asyncio.run(story())


def test_moto_reaches_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        heard = []
        server = await asyncio.start_server(lambda r, w: heard.append(w), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            topic = (await call("sns", "CreateTopic", Name="t"))["TopicArn"]
            await call("sns", "Subscribe", TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{port}/")
            with pytest.raises(AwsError) as error:
                await call("sns", "Publish", TopicArn=topic, Message="m")
            assert error.value.status == 500
        server.close()
        assert heard == []

    asyncio.run(story())
    assert any("may not use" in r.getMessage() for r in caplog.records)


def test_a_snapshot_is_taken_when_nobody_asks_for_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drydock.moto_backend.backend.IDLE_SECONDS", 0.0)
    monkeypatch.setattr("drydock.moto_backend.rules.SNAPSHOT_WHEN_IDLE", 3)

    async def story() -> None:
        snapshot = tmp_path / "moto" / "newest.snapshot"
        async with opened(tmp_path / "moto") as backend:
            call = caller(backend)
            await call("sns", "CreateTopic", Name="one")
            assert not snapshot.exists()
            await asyncio.gather(*(call("sns", "CreateTopic", Name=f"t{n}") for n in range(5)))
            while not snapshot.exists():
                await asyncio.sleep(0.01)
            assert (await call("sns", "ListTopics"))["Topics"]

    asyncio.run(asyncio.wait_for(story(), 20))


def test_s3_by_host_name_and_in_chunks(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            await caller(backend)("s3", "CreateBucket", Bucket="bucket")

            async def s3(operation: str, method: str, host: str, path: str, body: bytes = b"", **headers: str) -> bytes:
                named = [(name.replace("_", "-"), value) for name, value in headers.items()]
                request = MotoRequest(
                    method, f"http://{host}{path}", named, body, ACCOUNT, REGION, "s3", operation, NOW
                )
                response = await backend.send(request)
                assert response.status == 200, response.body
                return response.body

            host = "bucket.s3.us-east-1.amazonaws.com"
            await s3(
                "PutObject", "PUT", host, "/dir/a%20b%2Fc.txt?x-id=PutObject", b"by host", content_type="text/plain"
            )
            assert await s3("GetObject", "GET", host, "/dir/a%20b%2Fc.txt") == b"by host"
            assert await s3("GetObject", "GET", "s3.us-east-1.amazonaws.com", "/bucket/dir/a%20b%2Fc.txt") == b"by host"
            assert b"<Key>dir/a b/c.txt</Key>" in await s3("ListObjectsV2", "GET", host, "/?list-type=2")
            local = "s3.localhost.localstack.cloud:4566"
            assert await s3("GetObject", "GET", local, "/bucket/dir/a%20b%2Fc.txt") == b"by host"
            assert await s3("GetObject", "GET", "bucket." + local, "/dir/a%20b%2Fc.txt") == b"by host"
            chunks = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
            await s3("PutObject", "PUT", host, "/chunked", chunks, content_encoding="aws-chunked",
                     x_amz_content_sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER", x_amz_decoded_content_length="11",
                     x_amz_trailer="x-amz-checksum-crc32")  # fmt: skip
            assert await s3("GetObject", "GET", host, "/chunked") == b"hello world"

    asyncio.run(story())


def test_credentials_of_clients_are_not_written_down(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto") as backend:
            headers = [("Authorization", "AWS4 SIGNATURE"), ("X-Amz-Security-Token", "SIGNATURE"), ("User-Agent", "u")]
            request = MotoRequest("PUT", "http://s3.us-east-1.amazonaws.com/bucket", headers, b"", ACCOUNT, REGION, "s3",
                                  "CreateBucket", NOW)  # fmt: skip
            assert (await backend.send(request)).status == 200
        written = b"".join(file.read_bytes() for file in (tmp_path / "moto").glob("journal.db*"))
        assert b"CreateBucket" in written
        assert b"SIGNATURE" not in written

    asyncio.run(story())
