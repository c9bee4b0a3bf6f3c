"""The learner's own copy of the notebooks, ``work/``, so that ``git pull`` never conflicts with what they wrote.

A notebook that the learner has not changed follows the course; one that they have changed stays theirs, and the new one
is put beside it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from drydock.errors import UserError

ORIGINS = ".origins.json"
"""In ``work/``: file -> hash of the course's version it was copied from"""


def refresh(root: Path, work: Path) -> Iterator[str]:
    """Bring ``work`` up to date; yields what a person should know. Raises UserError."""
    try:
        work.mkdir(exist_ok=True)
        origins = _read(work / ORIGINS)
        for source in sorted((root / "notebooks").glob("*.ipynb")):
            new = hashlib.sha256(source.read_bytes()).hexdigest()
            target = work / source.name
            if not target.exists():
                shutil.copyfile(source, target)
                origins[source.name] = new
            elif origins.get(source.name) != new:
                if hashlib.sha256(target.read_bytes()).hexdigest() == origins.get(source.name):
                    shutil.copyfile(source, target)
                else:
                    beside = target.with_name(f"{target.stem}.new.ipynb")
                    shutil.copyfile(source, beside)
                    yield f"{source.name} has a new version; yours is kept, the new one is {beside.name}."
                origins[source.name] = new
        (work / ORIGINS).write_text(json.dumps(origins, indent=1, sort_keys=True))
    except OSError as error:
        raise UserError(
            f"Your copy of the notebooks in {work} cannot be written: {error.strerror}.",
            "Check the folder's permissions and the space on the disk.",
        ) from error


def _read(file: Path) -> dict[str, str]:
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError):
        return {}
