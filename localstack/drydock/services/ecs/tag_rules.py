"""What tags a resource may have. Pure.

Source: "Tagging Amazon ECS resources", tag restrictions, and the API reference of Tag. The messages marked with (?) say
the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

from drydock.services.ecs.rules import invalid

MOST_TAGS = 50
LONGEST_KEY, LONGEST_VALUE = 128, 256
RESERVED = "aws:"
"""Prefix of AWS's own keys, in any mixture of cases"""

Tags = list[dict[str, str]]


def check_tags(tags: Tags) -> None:
    """Those that a user gives. Raises InvalidParameterException."""
    keys = [tag.get("key", "") for tag in tags]
    for tag, key in zip(tags, keys, strict=True):
        if not 1 <= len(key) <= LONGEST_KEY:
            raise invalid(f"The key of a tag must have between 1 and {LONGEST_KEY} characters.")  # (?)
        if len(tag.get("value", "")) > LONGEST_VALUE:
            raise invalid(f"The value of a tag must have at most {LONGEST_VALUE} characters.")  # (?)
        if key.lower().startswith(RESERVED):
            raise invalid("aws: prefixed tag key names are not allowed for external use.")  # (?)
        if keys.count(key) > 1:
            raise invalid(f"Duplicate tag key: {key}.")  # (?)
    if len(tags) > MOST_TAGS:
        raise invalid(f"The maximum number of tags of a resource is {MOST_TAGS}.")  # (?)


def check_untagged(keys: list[str]) -> None:
    """AWS's own tags stay. Raises InvalidParameterException."""
    if any(key.lower().startswith(RESERVED) for key in keys):
        raise invalid("aws: prefixed tag key names are not allowed for external use.")  # (?)


def added(held: Tags, given: Tags) -> Tags:
    """What a resource has after ``given`` have been put on it: tags of the same key are replaced. Raises
    InvalidParameterException; AWS's own tags do not count."""
    check_tags(given)
    keys = {tag["key"] for tag in given}
    tags = [tag for tag in held if tag["key"] not in keys] + given
    if sum(not tag["key"].lower().startswith(RESERVED) for tag in tags) > MOST_TAGS:
        raise invalid(f"The maximum number of tags of a resource is {MOST_TAGS}.")  # (?)
    return tags
