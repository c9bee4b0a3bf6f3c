"""What the documents say is there, and what is there is in the documents."""

from __future__ import annotations

import argparse
import re

from drydock.cli.main import parser
from drydock.gateway.models import OWN

from tests.docs.operations import CLASSES, PAGE, page
from tests.emulator_process import ROOT

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def test_every_operation_is_listed() -> None:
    assert {kind.name for kind in CLASSES} == set(OWN)
    assert PAGE.read_text() == page(), "run: python -m tests.docs.operations"


def test_every_verb_is_in_the_readme() -> None:
    verbs = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)).choices
    missing = [verb for verb in verbs if not re.search(rf"`(\./lab )?{verb}\b|\./lab {verb}\b", README)]
    assert missing == []


def test_every_chapter_is_in_the_readme_and_exists() -> None:
    chapters = {folder.name[:2] for folder in (ROOT / "labs").iterdir() if re.match(r"\d\d_", folder.name)}
    listed = set(re.findall(r"^\| (\d\d) ", README, re.MULTILINE))
    assert chapters == listed


def test_every_page_of_the_emulator_is_described() -> None:
    source = (ROOT / "localstack" / "drydock" / "gateway" / "admin.py").read_text()
    pages = set(re.findall(r'Route\("([^"]+)"', source))
    missing = [p for p in pages if p not in ARCHITECTURE and p.rsplit("/", 1)[1] not in ARCHITECTURE]
    assert pages and missing == []


def test_links_and_pictures_exist() -> None:
    for file in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text()):
            assert (file.parent / target).exists(), f"{file.name} points to {target}"
