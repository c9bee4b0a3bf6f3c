"""Wildcards, ARNs and policy variables."""

import re

import pytest
from drydock.services.iam.patterns import Names, Resources, arn_like, cut
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(alphabet="ab:/*?.-", max_size=12)


def naive(pattern: str, text: str) -> bool:
    """An oracle of another make: match the first piece, try all for a star."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive(pattern[1:], text[index:]) for index in range(len(text) + 1))
    return bool(text) and (pattern[0] == "?" or pattern[0].lower() == text[0].lower()) and naive(pattern[1:], text[1:])


@given(TEXT, st.text(alphabet="abAB:/.-", max_size=10))
def test_names_match_like_the_oracle(pattern: str, name: str) -> None:
    assert Names([pattern]).match(name) == naive(pattern, name)


@given(st.lists(TEXT, max_size=4), st.text(alphabet="ab:/.-", max_size=10))
def test_several_patterns_match_if_one_does(patterns: list[str], name: str) -> None:
    assert Names(patterns).match(name) == any(Names([pattern]).match(name) for pattern in patterns)


def test_action_names_ignore_case_and_resources_do_not() -> None:
    assert Names(["S3:getobject"]).match("s3:GetObject")
    assert not Resources(["arn:aws:s3:::Bucket"], True).match("arn:aws:s3:::bucket", {})


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        ("*", "arn:aws:s3:::b/k", True),
        ("*", "*", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k/deep", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", False),
        ("arn:aws:s3:::b*", "arn:aws:s3:::b2/k", True),
        ("arn:aws:s3:::b?", "arn:aws:s3:::b2", True),
        ("arn:aws:s3:::b?", "arn:aws:s3:::b", False),
        ("arn:aws:ecs:*:*:task/c/*", "arn:aws:ecs:us-east-1:123456789012:task/c/1", True),
        ("arn:aws:ecs:us-*-1:*:task/c/*", "arn:aws:ecs:us-east-1:123456789012:task/c/1", True),
        ("arn:aws:logs:*:*:log-group:/a/*:*", "arn:aws:logs:us-east-1:1:log-group:/a/b:log-stream:s", True),
        ("arn:aws:logs:*:*:log-group:/a/*", "arn:aws:logs:us-east-1:1:log-group:/a/b:log-stream:s", True),
        ("arn:aws:s*", "arn:aws:sqs:us-east-1:1:q", True),  # the last character of a part may go beyond it
        ("arn:aws:s*s:*", "arn:aws:sns:us-east-1:1:s:t", True),
        ("arn:aws:e*s:us-east-1:*:x", "arn:aws:ec2:s:us-east-1:1:x", False),  # but in the middle it may not
        ("arn:aws:secretsmanager:*:*:secret:db-??????", "arn:aws:secretsmanager:us-east-1:1:secret:db-a1B2c3", True),
        (
            "arn:aws:secretsmanager:*:*:secret:db-??????",
            "arn:aws:secretsmanager:us-east-1:1:secret:db-prod-a1B2c3",
            False,
        ),
        ("arn:aws:s3:::a+b(c)", "arn:aws:s3:::a+b(c)", True),
    ],
)
def test_resources(pattern: str, resource: str, matches: bool) -> None:
    assert Resources([pattern], True).match(resource, {}) is matches


@pytest.mark.parametrize(
    ("pattern", "context", "resource", "matches"),
    [
        ("arn:aws:s3:::b/${aws:username}/*", {"aws:username": "ann"}, "arn:aws:s3:::b/ann/x", True),
        ("arn:aws:s3:::b/${aws:username}/*", {"aws:username": "ann"}, "arn:aws:s3:::b/bob/x", False),
        ("arn:aws:s3:::b/${aws:username}/*", {"aws:username": "*"}, "arn:aws:s3:::b/bob/x", False),
        ("arn:aws:s3:::b/${aws:username}/*", {"aws:username": "*"}, "arn:aws:s3:::b/*/x", True),
        ("arn:aws:s3:::b/${aws:username}/*", {}, "arn:aws:s3:::b//x", False),
        ("arn:aws:s3:::b/${AWS:UserName}/*", {"aws:username": "ann"}, "arn:aws:s3:::b/ann/x", True),
        ("arn:aws:s3:::b/${aws:PrincipalTag/team, 'none'}/*", {}, "arn:aws:s3:::b/none/x", True),
        ("arn:aws:s3:::b/${aws:PrincipalTag/team, 'none'}", {"aws:principaltag/team": "a"}, "arn:aws:s3:::b/a", True),
        ("arn:aws:s3:::b/${aws:TagKeys}", {"aws:tagkeys": ["a", "b"]}, "arn:aws:s3:::b/a", False),
        ("arn:aws:s3:::b/${*}", {}, "arn:aws:s3:::b/*", True),
        ("arn:aws:s3:::b/${*}", {}, "arn:aws:s3:::b/x", False),
        ("arn:aws:s3:::b/${$}{x}", {}, "arn:aws:s3:::b/${x}", True),
    ],
)
def test_policy_variables(pattern: str, context: dict[str, str], resource: str, matches: bool) -> None:
    assert Resources([pattern], True).match(resource, context) is matches


def test_variables_are_plain_text_in_the_old_version() -> None:
    old = Resources(["arn:aws:s3:::b/${aws:username}"], False)
    assert old.match("arn:aws:s3:::b/${aws:username}", {"aws:username": "ann"})
    assert not old.match("arn:aws:s3:::b/ann", {"aws:username": "ann"})


@pytest.mark.parametrize(
    ("pattern", "arn", "matches"),
    [
        ("arn:aws:iam::1:role/*", "arn:aws:iam::1:role/a/b", True),
        ("arn:aws:*::1:role/a", "arn:aws:iam::1:role/a", True),
        ("arn:aws:*:role/a", "arn:aws:iam::1:role/a", False),  # each part is compared by itself
        ("arn:aws:iam::1:role/a", "arn:aws:iam::1:role/A", False),
        ("arn:*:iam:*:*:*", "arn:aws:iam::1:user/x:y", True),
        ("not an arn", "arn:aws:iam::1:user/x", False),
    ],
)
def test_arn_like(pattern: str, arn: str, matches: bool) -> None:
    assert arn_like(cut(pattern, wildcards=True, variables=True), arn) is matches


@given(st.text(max_size=20))
def test_a_plain_resource_matches_itself_alone(name: str) -> None:
    quoted = re.sub(r"([*?$])", r"${\1}", name)
    resource = f"arn:aws:s3:::{name}"
    assert Resources([f"arn:aws:s3:::{quoted}"], True).match(resource, {})
    assert not Resources([f"arn:aws:s3:::{quoted}"], True).match(resource + "x", {})
