"""The pure rules about moto's requests, over every operation that botocore knows of the services we send there."""

from __future__ import annotations

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from drydock.moto_backend.rules import host_for_moto, is_mutating, next_address, refusal, snapshot_due

SERVICES = ["ec2", "autoscaling", "s3", "kms", "ssm", "secretsmanager", "sqs", "sns", "redshift", "lambda"]
CHANGES = (
    "Accept", "Add", "Allocate", "Assign", "Associate", "Attach", "Authorize", "Cancel", "Confirm", "Copy", "Create",
    "Delete", "Deregister", "Detach", "Disable", "Disassociate", "Enable", "Import", "Invoke", "Label", "Modify",
    "Move", "Pause", "Publish", "Purge", "Put", "Reboot", "Receive", "Register", "Reject", "Release", "Remove",
    "Replace", "Reset", "Restore", "Resume", "Revoke", "Rotate", "Run", "Schedule", "Send", "Set", "Start", "Stop",
    "Subscribe", "Tag", "Terminate", "Unassign", "Unlock", "Unsubscribe", "Untag", "Update", "Upload", "Write",
)  # fmt: skip


def operations(service: str) -> list[str]:
    loader = Loader(include_default_search_paths=True)
    return list(ServiceModel(loader.load_service_model(service, "service-2")).operation_names)


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_named_a_change_is_journaled(service: str) -> None:
    named = [name for name in operations(service) if name.startswith(CHANGES)]
    assert named
    assert [name for name in named if not is_mutating(service, name)] == []


@pytest.mark.parametrize(
    ("service", "operation", "mutating"),
    [
        ("sqs", "ReceiveMessage", True),
        ("sqs", "ChangeMessageVisibility", True),
        ("sqs", "GetQueueUrl", False),
        ("secretsmanager", "GetSecretValue", False),
        ("secretsmanager", "GetRandomPassword", False),
        ("s3", "GetObject", False),
        ("s3", "HeadBucket", False),
        ("s3", "SelectObjectContent", False),
        ("kms", "Decrypt", False),
        ("kms", "GenerateDataKey", False),
        ("kms", "GetParametersForImport", True),
        ("ec2", "DescribeInstances", False),
        ("ec2", "GetPasswordData", False),
        ("ec2", "DescribeReservedInstancesOfferings", True),
        ("ec2", "Listen", True),  # only a whole word counts
        ("s3", "SomethingAwsWillInvent", True),
    ],
)
def test_what_changes_state(service: str, operation: str, mutating: bool) -> None:
    assert is_mutating(service, operation) is mutating


def test_moto_never_runs_a_function_or_a_command() -> None:
    assert refusal("lambda", "Invoke")
    assert refusal("ssm", "SendCommand")
    assert refusal("lambda", "CreateFunction") is None


def test_addresses_skip_the_five_that_aws_reserves() -> None:
    given: list[str] = []
    while address := next_address("10.0.0.16/28", given):
        given.append(address)
    assert given == [f"10.0.0.{n}" for n in range(20, 31)]
    assert next_address("10.0.0.16/28", [a for a in given if a != "10.0.0.25"]) == "10.0.0.25"


@pytest.mark.parametrize(
    ("host", "seen"),
    [
        ("s3.localhost.localstack.cloud:4566", "localhost.localstack.cloud:4566"),
        ("s3.eu-central-1.localhost:4566", "localhost:4566"),
        ("bucket.s3.localhost:4566", "bucket.s3.localhost:4566"),
        ("s3.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com"),
        ("s3.example:4566", "s3.example:4566"),
        ("127.0.0.1:4566", "127.0.0.1:4566"),
    ],
)
def test_a_local_s3_host_names_no_bucket(host: str, seen: str) -> None:
    assert host_for_moto("s3", host) == seen
    assert host_for_moto("sqs", host) == host


def test_addresses_go_round() -> None:
    assert next_address("10.0.0.0/24", ["10.0.0.4"], after="10.0.0.9") == "10.0.0.10"
    assert next_address("10.0.0.0/24", ["10.0.0.4"], after="10.0.0.254") == "10.0.0.5"
    assert next_address("10.0.0.0/24", [], after="10.0.0.255") == "10.0.0.4"
    assert next_address("10.0.0.0/30", []) is None


@pytest.mark.parametrize("tail, idle, cost, due", [
    (99, True, 0.0, False),
    (100, True, 0.0, True),
    (100, True, 0.2, False),  # repeating 100 entries is faster than 0.2 s
    (140, True, 0.2, True),
    (1399, True, 2.0, False),
    (1400, True, 2.0, True),
    (0, False, 0.0, False),
    (299, False, 0.0, False),
    (300, False, 0.0, True),
    (300, False, 0.1, True),
    (559, False, 0.2, False),
    (560, False, 0.2, True),  # repeating takes four times as long as a snapshot
    (4999, False, 60.0, False),
    (5000, False, 60.0, True),
])  # fmt: skip
def test_snapshots_wait_for_a_quiet_moment_but_not_for_ever(tail: int, idle: bool, cost: float, due: bool) -> None:
    assert snapshot_due(tail, idle=idle, cost=cost) is due
