"""The forms of ``valueFrom``, JSON keys, environment files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drydock.services.ecs.injected import (
    BadReference,
    ParameterReference,
    SecretReference,
    file_location,
    from_json,
    parse_file,
    reference,
)
from hypothesis import given
from hypothesis import strategies as st

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-1:123456789012:parameter"


@pytest.mark.parametrize("text, key, stage, version", [
    (SECRET, "", "", ""), (f"{SECRET}:::", "", "", ""), (f"{SECRET}:password::", "password", "", ""),
    (f"{SECRET}::AWSPREVIOUS:", "", "AWSPREVIOUS", ""), (f"{SECRET}:::v-1", "", "", "v-1"),
    (f"{SECRET}:user:AWSCURRENT:", "user", "AWSCURRENT", ""), (f"{SECRET}:user::v-1", "user", "", "v-1"),
])  # fmt: skip
def test_secrets(text: str, key: str, stage: str, version: str) -> None:
    """The forms of "Pass Secrets Manager secrets through Amazon ECS environment variables"."""
    assert reference(text, "us-east-1") == SecretReference(SECRET, "eu-west-1", key, stage, version)


@pytest.mark.parametrize("text, name, region", [
    ("plain", "plain", "us-east-1"), ("/a/b.c-d_e", "/a/b.c-d_e", "us-east-1"), (f"{PARAMETER}/plain", "plain", "eu-west-1"),
    (f"{PARAMETER}/a/b", "/a/b", "eu-west-1"),
])  # fmt: skip
def test_parameters(text: str, name: str, region: str) -> None:
    assert reference(text, "us-east-1") == ParameterReference(name, region)


@pytest.mark.parametrize("text", [
    "", "a b", "name:key", "arn:aws:s3:::bucket/key", f"{SECRET}:::: ", f"{PARAMETER}", "arn:aws:ssm:eu-west-1:1:parameter/x",
    "arn:aws:secretsmanager:eu-west-1:123456789012:app/db", "x" * 1012,
])  # fmt: skip
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(BadReference):
        reference(text, "us-east-1")


@given(st.text(max_size=60))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        found = reference(text, "us-east-1")
    except BadReference:
        return
    assert isinstance(found, ParameterReference | SecretReference)


@pytest.mark.parametrize("value, expected", [
    ("s3cret", "s3cret"), ("", ""), (5432, "5432"), (True, "true"), (None, "null"), ({"a": 1}, '{"a": 1}'),
])  # fmt: skip
def test_a_key_of_a_json_secret(value: Any, expected: str) -> None:
    assert from_json(json.dumps({"other": 1, "key": value}), "key") == expected


@pytest.mark.parametrize("text", ["no json", "[1]", '"key"', "{}", '{"Key": 1}', ""])
def test_a_key_that_is_not_there(text: str) -> None:
    with pytest.raises(BadReference):
        from_json(text, "key")


def test_environment_files() -> None:
    text = "# a comment\nA=1\n\n  # another\nB = spaces stay \nC='quotes stay'\nD=a=b\nE=\nno variable\n=x\nA=2\r\nURL=http://x/?a=b#c"
    assert parse_file(text) == {
        "A": "2", "B": " spaces stay ", "C": "'quotes stay'", "D": "a=b", "E": "", "URL": "http://x/?a=b#c",
    }  # fmt: skip


@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True),
                       st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)))  # fmt: skip
def test_what_is_written_is_read(variables: dict[str, str]) -> None:
    assert parse_file("\n".join(f"{name}={value}" for name, value in variables.items())) == variables


def test_a_value_may_contain_any_other_character() -> None:
    """Only a line feed ends a line."""
    assert parse_file("A=x\x0by\x0cz\u2028\x85w\nB=1") == {"A": "x\x0by\x0cz\u2028\x85w", "B": "1"}


@pytest.mark.parametrize("arn, found", [
    ("arn:aws:s3:::bucket/one.env", ("bucket", "one.env")), ("arn:aws:s3:::my.bucket-1/a/b/.env", ("my.bucket-1", "a/b/.env")),
    ("arn:aws-cn:s3:::bucket/x.env", ("bucket", "x.env")), ("arn:aws:s3:::bucket/x.txt", None), ("arn:aws:s3:::bucket", None),
    ("s3://bucket/x.env", None), ("arn:aws:s3:::BUCKET/x.env", None), ("", None),
])  # fmt: skip
def test_where_a_file_is(arn: str, found: tuple[str, str] | None) -> None:
    if found:
        assert file_location(arn) == found
    else:
        with pytest.raises(BadReference):
            file_location(arn)
