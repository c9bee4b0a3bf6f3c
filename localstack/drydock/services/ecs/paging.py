"""Lists in pages: ``maxResults`` (100 at most, unless said otherwise) and ``nextToken``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from drydock.services.ecs.rules import invalid

LARGEST_PAGE = 100


def page(
    items: list[str],
    params: dict[str, Any],
    key: Callable[[str], Any] = str,
    descending: bool = False,
    largest: int = LARGEST_PAGE,
) -> tuple[list[str], dict[str, str]]:
    """One page of ``items`` in the order of ``key``, and the ``nextToken`` member, if there is more. The token names the
    last item shown, so that what is made or deleted between two pages shifts nothing, the item itself included. Raises
    InvalidParameterException for a foreign token."""
    size = params.get("maxResults", largest)
    if not 1 <= size <= largest:
        raise invalid(f"maxResults must be between 1 and {largest}.")  # (?)
    items = sorted(items, key=key, reverse=descending)
    if token := params.get("nextToken"):
        last = key(_open(token))
        items = [item for item in items if (key(item) < last if descending else key(item) > last)]
    shown = items[:size]
    more = len(items) > size
    return shown, ({"nextToken": base64.urlsafe_b64encode(shown[-1].encode()).decode()} if more else {})


def _open(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (ValueError, binascii.Error) as error:
        raise invalid("Invalid token") from error
