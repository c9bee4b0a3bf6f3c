"""Pages of a list: every item once, whatever comes and goes meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from drydock.errors import AwsError
from drydock.services.ecs import rules
from drydock.services.ecs.paging import page
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=40)
REVISIONS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 200)), unique=True, max_size=40)


def walk(items: list[str], size: int, **given: Any) -> list[str]:
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        shown, token = page(items, {"maxResults": size, **token}, **given)
        assert len(shown) <= size
        found += shown
        if not token:
            return found
        assert len(shown) == size, "only the last page is short"


@given(NAMES, st.integers(1, 100))
def test_every_item_exactly_once(items: list[str], size: int) -> None:
    assert walk(items, size) == sorted(items)


@given(REVISIONS, st.integers(1, 10), st.booleans())
def test_in_the_order_of_a_key(pairs: list[tuple[str, int]], size: int, descending: bool) -> None:
    items = [f"arn:aws:ecs:r:a:task-definition/{family}:{revision}" for family, revision in pairs]
    found = walk(items, size, key=rules.definition_order, descending=descending)
    expected = [f"{family}:{revision}" for family, revision in sorted(pairs, reverse=descending)]
    assert [arn.rpartition("/")[2] for arn in found] == expected


@given(NAMES, st.integers(1, 10), st.data())
def test_what_goes_meanwhile_shifts_nothing(items: list[str], size: int, data: st.DataObject) -> None:
    left, found, token = set(items), [], {}
    while True:
        shown, token = page(sorted(left), {"maxResults": size, **token})
        found += shown
        gone = data.draw(st.sets(st.sampled_from(shown))) if shown else set()
        left -= gone
        if not token:
            break
    assert found == sorted(items)


@given(st.text(max_size=20))
def test_a_foreign_token_is_refused_or_harmless(token: str) -> None:
    try:
        shown, _ = page(["a", "b"], {"nextToken": token} if token else {})
    except AwsError as error:
        assert error.code == "InvalidParameterException"
    else:
        assert set(shown) <= {"a", "b"}


@pytest.mark.parametrize("size", [0, -1, 101])
def test_sizes_of_pages(size: int) -> None:
    with pytest.raises(AwsError) as caught:
        page(["a"], {"maxResults": size})
    assert caught.value.code == "InvalidParameterException"
