"""What an update does to a resource, decided of its properties before and after. Pure.

Source: "Update behaviors of stack resources" and DescribeChangeSet's ResourceChange.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from drydock.services.cloudformation.intrinsics import unknown
from drydock.services.cloudformation.schemas import Schema

Replacement = Literal["True", "False", "Conditional"]


@dataclass(frozen=True)
class Difference:
    """Of one resource."""

    changed: frozenset[str] = frozenset()
    """Top-level properties that are not what they were"""
    uncertain: frozenset[str] = frozenset()
    """Of these, those whose new value is not known before the update"""
    replacing: frozenset[str] = field(default_factory=frozenset)
    """Of these, those whose change needs another physical resource"""
    perhaps: frozenset[str] = field(default_factory=frozenset)
    metadata: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.changed) or self.metadata

    @property
    def replacement(self) -> Replacement:
        """As a change set shows it."""
        if self.replacing - self.uncertain:
            return "True"
        return "Conditional" if self.replacing or self.perhaps else "False"


def difference(
    before: dict[str, Any],
    after: dict[str, Any],
    schema: Schema,
    further: frozenset[str] = frozenset(),
    metadata: bool = False,
) -> Difference:
    """``further``: properties that cannot be changed here in place, although they can on AWS."""
    changed = frozenset(
        name for name in before.keys() | after.keys() if unknown(after.get(name)) or not same(before, after, name)
    )
    uncertain = frozenset(name for name in changed if unknown(after.get(name)))
    replacing = frozenset(name for name in changed if name in further or _in(name, schema.create_only, before, after))
    perhaps = frozenset(name for name in changed - replacing if _in(name, schema.conditional, before, after))
    return Difference(changed, uncertain, replacing, perhaps, metadata)


def same(before: dict[str, Any], after: dict[str, Any], name: str) -> bool:
    """Whether a property is what it was; a property that is left out is another than an empty one."""
    return (name in before) == (name in after) and before.get(name) == after.get(name)


def _in(name: str, listed: frozenset[str], before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the change of a property touches one of those listed (some are nested: ``A.B``)."""
    if name in listed:
        return True
    nested = [one.split(".")[1:] for one in listed if one.startswith(name + ".")]
    return any(_at(before.get(name), path) != _at(after.get(name), path) for path in nested)


def _at(value: Any, path: list[str]) -> Any:
    for part in path:
        if part == "*" or not isinstance(value, dict):
            return value
        value = value.get(part)
    return value
