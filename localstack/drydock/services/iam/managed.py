"""AWS's own managed policies, by their ARNs.

Their documents come from the data that moto ships: one Python file that holds one JSON text. The file is read as text
(moto's packages are not imported), when the first of these policies is asked for; only policies that were asked for
are kept.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from drydock.errors import UserError
from drydock.services.iam.model import ManagedPolicy, PolicyVersion

PREFIX = "arn:aws:iam::aws:policy"
_ENTRY = re.compile(r'^ "([\w+=,.@-]+)":(?=\{)', re.MULTILINE)


def source() -> Path:
    """The file with the policies. Raises UserError if moto is not installed as we know it."""
    spec = importlib.util.find_spec("moto")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        file = Path(folder) / "iam" / "aws_managed_policies.py"
        if file.is_file():
            return file
    raise UserError(
        "AWS's managed policies are not there: the moto package lacks iam/aws_managed_policies.py.",
        "Install the versions in requirements.txt ('./lab up').",
    )


@lru_cache(maxsize=1)
def _positions() -> dict[str, tuple[int, int]]:
    """Name -> where its JSON begins and ends in the file."""
    text = source().read_text("utf-8")
    marks = list(_ENTRY.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [text.rindex("}")]
    return {mark.group(1): (mark.end(), end) for mark, end in zip(marks, ends, strict=True)}


@lru_cache(maxsize=256)
def named(name: str) -> ManagedPolicy | None:
    """The policy of that name, None if AWS (as of moto's data) has none."""
    place = _positions().get(name)
    if place is None:
        return None
    with source().open(encoding="utf-8", newline="") as file:
        text = file.read()[place[0] : place[1]]
    return _policy(name, json.loads(text.rstrip().rstrip(",")))


def by_arn(arn: str) -> ManagedPolicy | None:
    """The policy of that ARN; its path must be right."""
    if not arn.startswith(PREFIX + "/"):
        return None
    policy = named(arn.rsplit("/", 1)[-1])
    return policy if policy is not None and policy.arn == arn else None


def every() -> Iterator[ManagedPolicy]:
    """All of them, by name; read anew and not kept."""
    text = source().read_text("utf-8")
    for name, (start, end) in sorted(_positions().items()):
        yield _policy(name, json.loads(text[start:end].rstrip().rstrip(",")))


def _policy(name: str, raw: dict[str, Any]) -> ManagedPolicy:
    created, updated = (datetime.fromisoformat(raw[key]).timestamp() for key in ("CreateDate", "UpdateDate"))
    digest = hashlib.sha256(name.encode()).hexdigest().upper()
    version = PolicyVersion(
        id=raw["DefaultVersionId"], document=json.dumps(raw["Document"], separators=(",", ":")), created=updated
    )
    return ManagedPolicy(
        name=name,
        path=raw["Path"],
        id=f"ANPA{digest[:17]}",
        arn=f"{PREFIX}{raw['Path']}{name}",
        created=created,
        updated=updated,
        versions=[version],
        default=version.id,
    )
