"""Pure decisions about moto: what changes state, what is refused, which address is free, when to take a snapshot."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Collection

READ_PREFIXES = (
    "BatchGet",
    "Check",
    "Describe",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Preview",
    "Query",
    "Scan",
    "Search",
    "Select",
    "Validate",
)

# Operations that change nothing although their name does not begin like a question.
OTHER_READS = {
    ("kms", "Decrypt"),
    ("kms", "Encrypt"),
    ("kms", "GenerateDataKey"),
    ("kms", "GenerateDataKeyPair"),
    ("kms", "GenerateDataKeyPairWithoutPlaintext"),
    ("kms", "GenerateDataKeyWithoutPlaintext"),
    ("kms", "GenerateMac"),
    ("kms", "GenerateRandom"),
    ("kms", "ReEncrypt"),
    ("kms", "Sign"),
    ("kms", "Verify"),
    ("kms", "VerifyMac"),
}

# Questions whose answer moto draws when asked for the first time and remembers.
MUTATING_READS = {
    ("ec2", "DescribeReservedInstancesOfferings"),
    ("ec2", "DescribeSpotPriceHistory"),
    ("kms", "GetParametersForImport"),
}

# Operations that moto would answer by starting Docker containers or by reporting a deed that nobody did or would do.
REFUSED = {
    ("lambda", "CreateEventSourceMapping"): "Nobody would poll the source.",
    ("lambda", "CreateFunctionUrlConfig"): "Nobody would serve the URL.",
    ("lambda", "Invoke"): "Drydock's own Lambda runs functions.",
    ("lambda", "InvokeAsync"): "Drydock's own Lambda runs functions.",
    ("lambda", "InvokeWithResponseStream"): "Use Invoke, which answers when the function has ended.",
    ("ssm", "SendCommand"): "Drydock's own Systems Manager runs commands.",
    ("ec2", "CreateFleet"): "Use RunInstances or an Auto Scaling group.",
    ("ec2", "CreateImage"): "Put what the image would hold into the user data.",
    ("ec2", "RequestSpotFleet"): "Use RunInstances or an Auto Scaling group.",
    ("ec2", "RequestSpotInstances"): "Use RunInstances or an Auto Scaling group.",
    ("autoscaling", "BatchPutScheduledUpdateGroupAction"): "Nobody would act on the schedule.",
    ("autoscaling", "PutLifecycleHook"): "Instances go into service when they run.",
    ("autoscaling", "PutScheduledUpdateGroupAction"): "Nobody would act on the schedule.",
    ("autoscaling", "PutWarmPool"): "Set the group's desired capacity.",
}

# What moto's S3 does without having a method of that name. Everything else must have one: moto takes a request with a
# sub-resource it does not know for one without (DeleteBucketMetricsConfiguration would delete the bucket).
S3_WITHOUT_METHOD = {
    "CompleteMultipartUpload",
    "CreateBucket",
    "CreateMultipartUpload",
    "DeleteObjects",
    "GetBucketLifecycleConfiguration",
    "GetBucketNotificationConfiguration",
    "GetBucketTagging",
    "ListBuckets",
    "PostObject",
    "PutBucketAccelerateConfiguration",
    "PutBucketAcl",
    "PutBucketCors",
    "PutBucketEncryption",
    "PutBucketInventoryConfiguration",
    "PutBucketLifecycle",
    "PutBucketLifecycleConfiguration",
    "PutBucketLogging",
    "PutBucketNotification",
    "PutBucketNotificationConfiguration",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketReplication",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutBucketWebsite",
    "PutObjectLockConfiguration",
    "PutPublicAccessBlock",
    "RestoreObject",
    "SelectObjectContent",
}

# A journal entry that no snapshot covers costs 1.2 ms of the next start, which takes 0.55 s without any; a snapshot of a
# course's worth of state costs 50 ms (CPU times, measured). So a start stays below a second.
ENTRIES_A_SECOND = 700
SNAPSHOT_WHEN_IDLE = 100
SNAPSHOT_WHEN_BUSY = 300
BUSY_PATIENCE = 4
SNAPSHOT_ANYWAY = 5000
LARGE_BODY = 1024 * 1024

_LOCAL_S3 = re.compile(r"^s3(\.[a-z]+(-[a-z]+)+-\d)?\.(?=localhost\b)")
_FIRST_WORD = re.compile("(" + "|".join(READ_PREFIXES) + ")(?![a-z])")


def is_mutating(service: str, operation: str) -> bool:
    """Whether the operation may change state, so that it must be journaled. What is unknown may."""
    if (service, operation) in MUTATING_READS:
        return True
    if (service, operation) in OTHER_READS:
        return False
    return _FIRST_WORD.match(operation) is None


def refusal(service: str, operation: str) -> str | None:
    """What to use instead of an operation that moto must not get, None if it may have it."""
    return REFUSED.get((service, operation))


def host_for_moto(service: str, host: str) -> str:
    """The Host header as moto is to see it: it would take the ``s3`` of a local S3 host for the name of a bucket."""
    return _LOCAL_S3.sub("", host) if service == "s3" else host


def snapshot_due(tail: int, idle: bool, cost: float = 0.0) -> bool:
    """Whether ``tail`` journal entries since the last snapshot are reason enough to write the next one.

    ``cost`` is what the last one took in real seconds, 0 if this process has written none: one that takes longer than
    repeating the entries waits for more; while requests come without a pause, until repeating them would take four times
    as long. Entries that were repeated at the start count, so what took long once is not repeated at every start.
    """
    repeating_costs_as_much = cost * ENTRIES_A_SECOND
    if idle:
        return tail >= max(SNAPSHOT_WHEN_IDLE, repeating_costs_as_much)
    return tail >= min(SNAPSHOT_ANYWAY, max(SNAPSHOT_WHEN_BUSY, BUSY_PATIENCE * repeating_costs_as_much))


def next_address(cidr: str, used: Collection[str], after: str | None = None) -> str | None:
    """A free address of a subnet, None if it is full: the lowest, or the next one behind ``after``.

    Going on behind the last one given (and round again at the end) keeps an address that was just freed out of use for
    as long as possible, so that nobody reaches a new owner by an old address. AWS reserves the first four addresses and
    the last one of every subnet ("Subnet CIDR blocks" in the VPC guide).
    """
    network = ipaddress.ip_network(cidr, strict=False)
    taken = {int(ipaddress.ip_address(address)) for address in used}
    first, last = int(network.network_address) + 4, int(network.broadcast_address) - 1
    start = first if after is None else max(first, int(ipaddress.ip_address(after)) + 1)
    for number in itertools.chain(range(start, last + 1), range(first, min(start, last + 1))):
        if number not in taken:
            return str(ipaddress.ip_address(number))
    return None
