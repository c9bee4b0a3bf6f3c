"""Names, paths, tags, pages, key ids."""

import hashlib
from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.iam import rules, secrets
from drydock.services.sts import rules as sts_rules
from hypothesis import given
from hypothesis import strategies as st


def test_names() -> None:
    assert rules.check_name("roleName", "a+b=c,d.e@f-g_1") == "a+b=c,d.e@f-g_1"
    for name in ("", "a b", "a/b", "é"):
        with pytest.raises(AwsError) as caught:
            rules.check_name("roleName", name)
        assert caught.value.message == (
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the"
            " following: +=,.@_-"
        )
    with pytest.raises(AwsError, match="length less than or equal to 64"):
        rules.check_name("roleName", "x" * 65)
    assert rules.check_name("policyName", "x" * 128)


def test_paths() -> None:
    assert rules.check_path(None) == "/"
    assert rules.check_path("/a/b/") == "/a/b/"
    for path in ("a", "/a", "a/", "/a b/", "/" + "x" * 600 + "/"):
        with pytest.raises(AwsError, match="must begin and end with /"):
            rules.check_path(path)


def test_tags_merge_regardless_of_case() -> None:
    merged = rules.merged_tags({"Team": "a", "Cost": "1"}, [{"Key": "team", "Value": "b"}])
    assert merged == {"Cost": "1", "team": "b"}
    assert rules.without_tags(merged, ["TEAM"]) == {"Cost": "1"}


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}], "Duplicate tag keys found"),
        ([{"Key": "aws:x", "Value": ""}], "reserved prefix"),
        ([{"Key": "k" * 129, "Value": ""}], "less than or equal to 128"),
        ([{"Key": "k", "Value": "v" * 257}], "less than or equal to 256"),
        ([{"Key": f"k{n}", "Value": ""} for n in range(51)], "maximum limit"),
    ],
)
def test_tags_that_are_refused(tags: list[dict[str, str]], message: str) -> None:
    with pytest.raises(AwsError, match=message):
        rules.merged_tags({}, tags)


@given(st.lists(st.integers(), max_size=30), st.integers(min_value=1, max_value=7))
def test_pages_give_everything_once(items: list[int], size: int) -> None:
    seen: list[Any] = []
    params: dict[str, Any] = {"MaxItems": size}
    while True:
        shapes, rest = rules.page(items, params, lambda item: item)
        assert len(shapes) <= size
        seen += shapes
        if not rest["IsTruncated"]:
            assert "Marker" not in rest
            break
        params["Marker"] = rest["Marker"]
    assert seen == items


def test_a_marker_must_be_ours() -> None:
    with pytest.raises(AwsError, match="Invalid Marker"):
        rules.page([1], {"Marker": "nonsense"}, lambda item: item)


@given(st.integers(min_value=0, max_value=999_999_999_999), st.binary(min_size=32, max_size=32))
def test_key_ids_carry_their_account(account: int, digest: bytes) -> None:
    key = secrets.key_id("AKIA", f"{account:012d}", digest)
    assert len(key) == 20
    assert key.isalnum()
    assert secrets.account_of(key) == f"{account:012d}"


def test_secrets_and_tokens() -> None:
    digest = hashlib.sha256(b"x").digest()
    assert len(secrets.secret(digest)) == 40
    assert len(secrets.session_token(digest)) > 300
    assert secrets.secret(digest) != secrets.secret(hashlib.sha256(b"y").digest())


def test_role_durations() -> None:
    assert sts_rules.role_duration(None, 3600, False) == 3600
    assert sts_rules.role_duration(43200, 43200, False) == 43200
    for requested, most, chained, message in [
        (899, 3600, False, "greater than or equal to 900"),
        (43201, 43200, False, "less than or equal to 43200"),
        (7200, 3600, False, "exceeds the MaxSessionDuration set for this role"),
        (7200, 43200, True, "role chaining"),
    ]:
        with pytest.raises(AwsError, match=message):
            sts_rules.role_duration(requested, most, chained)


@pytest.mark.parametrize("name", ["a", "x" * 65, "a b", "a/b"])
def test_session_names(name: str) -> None:
    sts_rules.check_session_name("build-1@x")
    with pytest.raises(AwsError, match="roleSessionName"):
        sts_rules.check_session_name(name)
