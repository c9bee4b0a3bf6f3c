"""What moto's services acknowledged is there after kill -9, from the journal and from snapshots, with the same ids."""

from __future__ import annotations

import ast
import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from drydock.errors import AwsError, UserError
from drydock.moto_backend import rules
from drydock.moto_backend.backend import MotoBackend

from tests.moto.moto_estate import ACCOUNT, LARGE, NOW, OTHER_ACCOUNT, OTHER_REGION, REGION, build, caller, look, opened


async def kill(backend: MotoBackend) -> None:
    """kill -9 of the child, and wait until the emulator has noticed."""
    pid = backend.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    while backend.running:
        await asyncio.sleep(0)


async def receive_all(call: Any, queue: str) -> list[str]:
    answer = await call("sqs", "ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10)
    return sorted(message["Body"] for message in answer["Messages"])


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_everything_acknowledged_survives_kill_of_the_child(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto", "seed") as backend:
            call = caller(backend)
            made = await build(call, "a")
            before = await look(call, made)
            assert before["s3:GetObject large.bin"] == LARGE
            await kill(backend)
            assert await look(call, made) == before
            verified = await call("kms", "Verify", KeyId=made["pair"], Message=b"m", Signature=made["signature"],
                                  SigningAlgorithm="RSASSA_PSS_SHA_256")  # fmt: skip
            assert verified["SignatureValid"] is True
            messages = await receive_all(call, made["queue"])
            assert messages[0] == "hello"
            assert "from the topic" in messages[1]
            await kill(backend)  # the messages are in flight now, and stay so
            assert "Messages" not in await call("sqs", "ReceiveMessage", QueueUrl=made["queue"], WaitTimeSeconds=0)

    asyncio.run(story())
    assert warnings(caplog) == []


def test_everything_survives_with_a_snapshot_in_between(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        state = tmp_path / "moto"
        async with opened(state, "seed") as backend:
            call, other = caller(backend), caller(backend, OTHER_ACCOUNT)
            made = await build(call, "a")
            await snapshot(backend)
            assert (state / "newest.snapshot").exists()
            made_behind = await build(other, "b")
            before, before_behind = await look(call, made), await look(other, made_behind)
            await kill(backend)
            assert await look(call, made) == before
            assert await look(other, made_behind) == before_behind
            assert (state / "proven.snapshot").exists()
            vpcs = await call("ec2", "DescribeVpcs")
            await snapshot(backend)
            await kill(backend)  # once more, from a snapshot of restored objects
            assert await look(other, made_behind) == before_behind
            assert await call("ec2", "DescribeVpcs") == vpcs
            assert not list((state / "bodies").iterdir())  # the snapshot that was loaded holds them

    asyncio.run(story())
    assert warnings(caplog) == []


async def snapshot(backend: MotoBackend) -> None:
    async with backend._turn:
        await backend._snapshot()


EMULATOR = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from moto_estate import build, caller
from drydock.moto_backend.backend import MotoBackend

async def main():
    backend = MotoBackend(Path(sys.argv[1]), "seed")
    call = caller(backend)
    made = await build(call, "a")
    print(backend.pid, repr(made), sep="\\t", flush=True)
    while True:
        await call("sqs", "SendMessage", QueueUrl=made["queue"], MessageBody="x" * 1000)
        print("sent", flush=True)

asyncio.run(main())
"""


def test_everything_acknowledged_survives_kill_of_the_emulator(tmp_path: Path) -> None:
    state = tmp_path / "moto"
    with subprocess.Popen(
        [sys.executable, "-c", EMULATOR, str(state), str(Path(__file__).parent)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as emulator:  # fmt: skip
        assert emulator.stdout
        pid, told = emulator.stdout.readline().split("\t")
        made = ast.literal_eval(told)
        sent = sum(1 for _ in range(20) if emulator.stdout.readline() == "sent\n")
        emulator.kill()
        killed = time.monotonic()
        sent += emulator.stdout.read().count("sent\n")
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < killed + 1, "the child outlived its parent by more than a second"

    async def story() -> None:
        async with opened(state, "seed") as backend:
            seen = await look(caller(backend), made)
            assert seen["s3:GetObject large.bin"] == LARGE
            count = int(
                (
                    await caller(backend)(
                        "sqs",
                        "GetQueueAttributes",
                        QueueUrl=made["queue"],
                        AttributeNames=["ApproximateNumberOfMessages"],
                    )
                )["Attributes"]["ApproximateNumberOfMessages"]
            )
            assert sent + 2 <= count <= sent + 3  # hello, the topic's, and perhaps one that was done and not yet told

    asyncio.run(story())


def test_a_journal_that_nobody_lets_rest_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Lives that end by kill -9 and are never idle: what is repeated at a start is less than a busy journal's limit."""
    monkeypatch.setattr(rules, "SNAPSHOT_WHEN_BUSY", 30)
    monkeypatch.setattr(rules, "ENTRIES_A_SECOND", 0)  # whatever a snapshot costs here
    monkeypatch.setattr("drydock.moto_backend.backend.IDLE_SECONDS", 600)

    async def story() -> None:
        sent, repeated = 0, []
        async with opened(tmp_path / "moto", "seed") as backend:
            call = caller(backend)
            queue = (await call("sqs", "CreateQueue", QueueName="q"))["QueueUrl"]
            for _ in range(6):
                for _ in range(20):
                    sent += 1
                    await call("sqs", "SendMessage", QueueUrl=queue, MessageBody=str(sent))
                await kill(backend)
                url = await call("sqs", "GetQueueUrl", QueueName="q")
                repeated.append(backend._tail)
                assert url["QueueUrl"] == queue
            asked = await call("sqs", "GetQueueAttributes", QueueUrl=queue, AttributeNames=["All"])
            assert int(asked["Attributes"]["ApproximateNumberOfMessages"]) == sent == 120
        assert max(repeated) < 30 + 20
        assert min(repeated) < 30

    asyncio.run(story())
    assert warnings(caplog) == []


def test_what_was_repeated_at_a_start_is_not_repeated_at_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer does not wait for the snapshot."""
    monkeypatch.setattr("drydock.moto_backend.backend.IDLE_SECONDS", 600)

    async def story() -> None:
        async with opened(tmp_path / "moto", "seed") as backend:
            call = caller(backend)
            queue = (await call("sqs", "CreateQueue", QueueName="q"))["QueueUrl"]
            for number in range(40):
                await call("sqs", "SendMessage", QueueUrl=queue, MessageBody=str(number))
            await kill(backend)
            monkeypatch.setattr(rules, "SNAPSHOT_WHEN_BUSY", 30)
            answered, write = asyncio.Event(), backend._snapshot

            async def write_after_the_answer() -> None:
                await answered.wait()
                await write()

            monkeypatch.setattr(backend, "_snapshot", write_after_the_answer)
            await asyncio.wait_for(call("sqs", "ListQueues"), 60)
            assert backend._tail == 41
            answered.set()
            await call("sqs", "ListQueues")  # its turn is after the snapshot's
            assert backend._tail == 0
            await kill(backend)
            await call("sqs", "ListQueues")
            assert backend._tail == 0
            assert len(await receive_all(call, queue)) == 10

    asyncio.run(story())


def test_the_same_seed_gives_the_same_ids_whoever_asks_first(tmp_path: Path) -> None:
    async def ids(state: Path, seed: str, asks_first: str) -> list[str]:
        async with opened(state, seed) as backend:
            await backend.call("ec2", "DescribeVpcs", {}, asks_first, REGION, NOW)
            call = caller(backend)
            vpcs = (await call("ec2", "DescribeVpcs"))["Vpcs"]
            volume = await call("ec2", "CreateVolume", AvailabilityZone="us-east-1a", Size=1)
            key = await call("kms", "CreateKey")
            return [vpcs[0]["VpcId"], volume["VolumeId"], key["KeyMetadata"]["KeyId"]]

    one = asyncio.run(ids(tmp_path / "1", "a", ACCOUNT))
    assert asyncio.run(ids(tmp_path / "2", "a", OTHER_ACCOUNT)) == one
    another = asyncio.run(ids(tmp_path / "3", "b", ACCOUNT))
    assert not set(one) & set(another)


def test_accounts_and_regions_are_apart_and_a_reset_spares_the_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto", "seed") as backend:
            mine, theirs = caller(backend), caller(backend, OTHER_ACCOUNT)
            abroad = caller(backend, region=OTHER_REGION)
            made, made_theirs = await build(mine, "a"), await build(theirs, "b")
            fresh = (await abroad("sqs", "ListQueues")).get("QueueUrls", [])
            assert fresh == []
            assert await look(mine, made) != await look(theirs, made_theirs)
            before = await look(theirs, made_theirs)
            first_vpcs = await mine("ec2", "DescribeVpcs")
            await backend.reset(ACCOUNT)
            for restart in (False, True):
                if restart:
                    await kill(backend)
                assert await look(theirs, made_theirs) == before
                assert "QueueUrls" not in await mine("sqs", "ListQueues")
                assert (await mine("s3", "ListBuckets"))["Buckets"] == []
                assert len((await mine("ec2", "DescribeVpcs"))["Vpcs"]) == 1
                assert (await mine("redshift", "DescribeClusters"))["Clusters"] == []
            with pytest.raises(AwsError) as error:
                await mine("kms", "DescribeKey", KeyId=made["key"])
            assert error.value.code == "NotFoundException"
            await build(mine, "a")  # the name of the bucket is free again, and the ids are those of the first time
            assert await mine("ec2", "DescribeVpcs") == first_vpcs

    asyncio.run(story())


def test_reset_of_all_leaves_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "moto", "seed") as backend:
            call = caller(backend)
            await build(call, "a")
            await snapshot(backend)
            await backend.reset(None)
            for restart in (False, True):
                if restart:
                    await kill(backend)
                assert (await call("s3", "ListBuckets"))["Buckets"] == []
                assert len((await call("ec2", "DescribeVpcs"))["Vpcs"]) == 1
            assert not list((tmp_path / "moto" / "bodies").iterdir())

    asyncio.run(story())


def test_a_damaged_snapshot_is_replaced_by_the_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        state = tmp_path / "moto"
        async with opened(state, "seed") as backend:
            call = caller(backend)
            made = await build(call, "a")
            before = await look(call, made)
            await snapshot(backend)
            await kill(backend)
            damaged = bytearray((state / "newest.snapshot").read_bytes())
            damaged[-1000] ^= 1
            (state / "newest.snapshot").write_bytes(damaged)
            assert await look(call, made) == before

    asyncio.run(story())
    assert any("newest.snapshot is damaged" in line for line in warnings(caplog))


def test_state_of_another_moto_is_refused_and_not_touched(tmp_path: Path) -> None:
    import sqlite3

    async def story() -> None:
        state = tmp_path / "moto"
        async with opened(state, "seed") as backend:
            await caller(backend)("sqs", "CreateQueue", QueueName="q")
            await backend.close()
            with sqlite3.connect(state / "journal.db") as db:
                db.execute("UPDATE meta SET value='4.0.0' WHERE name='moto'")
            with pytest.raises(UserError) as error:
                await caller(backend)("sqs", "ListQueues")
            assert "4.0.0" in error.value.wrong
            assert "reset" in error.value.remedy
            with sqlite3.connect(state / "journal.db") as db:
                assert db.execute("SELECT count(*) FROM entries").fetchone() != (0,)
            await backend.reset(None)
            assert "QueueUrls" not in await caller(backend)("sqs", "ListQueues")

    asyncio.run(story())
