"""What is a policy document, and with which words AWS refuses what is not."""

import json
from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.iam import managed, policy

ALLOW: dict[str, Any] = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def text(*statements: Any, version: str | None = "2012-10-17") -> str:
    return json.dumps(({"Version": version} if version else {}) | {"Statement": list(statements)})


def refusal(document: str, kind: policy.Kind = "identity") -> str:
    with pytest.raises(AwsError) as caught:
        policy.check(document, kind)
    assert caught.value.code == "MalformedPolicyDocument"
    return caught.value.message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        (text(), "Syntax errors in policy."),
        (text(ALLOW, version="2020-01-01"), "Syntax errors in policy."),
        (text(ALLOW, version=None), "Policy document must be version 2012-10-17 or greater."),
        (text({**ALLOW, "Effect": "allow"}), "Syntax errors in policy."),
        (text({**ALLOW, "Extra": 1}), "Syntax errors in policy."),
        (text({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (text({"Effect": "Allow", "Action": "s3:*"}), "Policy statement must contain resources."),
        (text({**ALLOW, "Resource": []}), "Policy statement must contain resources."),
        (text({**ALLOW, "NotAction": "x:y"}), "Syntax errors in policy."),
        (text({**ALLOW, "NotResource": "*"}), "Syntax errors in policy."),
        (text({**ALLOW, "Principal": "*"}), "Policy document should not specify a principal."),
        (
            text({**ALLOW, "Action": "GetObject"}),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (text({**ALLOW, "Action": "a b:c"}), "Vendor a b is not valid"),
        (text({**ALLOW, "Resource": "bucket"}), 'Resource bucket must be in ARN format or "*".'),
        (text({**ALLOW, "Sid": "A"}, {**ALLOW, "Sid": "A"}), "Statement IDs (SID) in a single policy must be unique."),
        (text({**ALLOW, "Condition": {"StringSame": {"aws:username": "a"}}}), "Syntax errors in policy."),
        (text({**ALLOW, "Condition": {"StringEquals": "a"}}), "Syntax errors in policy."),
        ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', "Syntax errors in policy."),
    ],
)
def test_identity_policies_that_are_none(document: str, message: str) -> None:
    assert refusal(document) == message


def test_a_wrong_partition_is_named() -> None:
    assert 'Partition "arn2" is not valid' in refusal(text({**ALLOW, "Resource": "arn:arn2:s3:::b"}))


def test_a_sid_must_be_alphanumeric() -> None:
    assert refusal(text({**ALLOW, "Sid": "a b"})).startswith("Statement IDs (SID) must be alpha-numeric.")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({**TRUST, "Resource": "*"}, "Has prohibited field Resource"),
        ({"Effect": "Allow", "Action": "sts:AssumeRole"}, "Missing required field Principal"),
        ({**TRUST, "Action": "s3:GetObject"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({**TRUST, "Principal": {"AWS": "somebody"}}, 'Invalid principal in policy: "AWS":"somebody"'),
        ({**TRUST, "Principal": {"Service": "ecs"}}, 'Invalid principal in policy: "SERVICE":"ecs"'),
        ({**TRUST, "Principal": {}}, "Syntax errors in policy."),
        ({**TRUST, "Principal": "anybody"}, "Syntax errors in policy."),
    ],
)
def test_trust_policies_that_are_none(statement: dict[str, Any], message: str) -> None:
    assert refusal(text(statement), "trust") == message


def test_valid_documents() -> None:
    policy.check(text(ALLOW, {**ALLOW, "Sid": "X", "Condition": {"Bool": {"aws:SecureTransport": True}}}), "identity")
    policy.check(json.dumps({"Version": "2012-10-17", "Statement": ALLOW}), "identity")
    policy.check(text(TRUST, version=None), "trust")
    policy.check(
        text({**TRUST, "Principal": {"AWS": "123456789012"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}), "trust"
    )


def test_every_policy_of_awss_own_is_valid() -> None:
    count = 0
    for one in managed.every():
        policy.check(one.document, "identity")
        count += 1
    assert count > 1000


def test_awss_policies_are_found_by_their_whole_arn() -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    found = managed.by_arn(arn)
    assert found is not None
    assert found.arn == arn
    assert "ecr:GetAuthorizationToken" in found.document
    assert managed.by_arn("arn:aws:iam::aws:policy/AmazonECSTaskExecutionRolePolicy") is None
    assert managed.by_arn("arn:aws:iam::aws:policy/NoSuchPolicy") is None
    assert found.id.startswith("ANPA")
    assert len(found.id) == 21


def test_white_space_does_not_count() -> None:
    assert policy.size('{ "a":\n 1 }') == len('{"a":1}')
