"""``begin("00")``: the first cell of every chapter."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import needs
from labkit import target as targets
from labkit.audience import person_is_there
from labkit.clocks import account_of
from labkit.errors import LabError, explain_connection_failures
from labkit.sessions import client, session, tag_with
from labkit.skipping import run_everything
from labkit.target import Target


@dataclass(frozen=True)
class Facts:
    """``lab.toml`` of a chapter. ``minutes`` by target; ``makes`` names the services whose resources it leaves
    (``ec2:instances``: machines, too)."""

    nn: str
    slug: str
    title: str
    folder: Path
    targets: tuple[str, ...]
    minutes: dict[str, int]
    needs: tuple[str, ...]
    provides: tuple[str, ...]
    makes: tuple[str, ...]
    cost_usd: float
    cost_note: str


def labs_folder() -> Path:
    """Where the chapters are: ``labs/`` of the checkout, whatever the working directory is."""
    root = os.environ.get("LAB_ROOT")
    return Path(root, "labs") if root else Path(__file__).resolve().parents[1]


def facts(nn: str, labs: Path | None = None) -> Facts:
    """What ``lab.toml`` says of a chapter. Raises LabError if there is no such chapter."""
    found = sorted((labs or labs_folder()).glob(f"{nn}_*/lab.toml"))
    if not found:
        raise LabError(f"There is no chapter {nn!r} in {labs or labs_folder()}.", "Name one by its two digits.")
    folder = found[0].parent
    told = tomllib.loads(found[0].read_text("utf-8"))
    aws = told.get("aws", {})
    return Facts(
        nn=nn,
        slug=folder.name,
        title=told["title"],
        folder=folder,
        targets=tuple(told["targets"]),
        minutes=dict(told["minutes"]),
        needs=tuple(told.get("needs", ())),
        provides=tuple(told.get("provides", ())),
        makes=tuple(told.get("makes", ())),
        cost_usd=float(aws.get("cost_usd", 0)),
        cost_note=str(aws.get("cost_note", "")),
    )


@dataclass
class Chapter:
    """What :func:`begin` returns. Whatever else a cell assigns to it (``here.task = ...``) is kept, so that it is there
    again after a restart of the kernel, if it can be written as JSON."""

    facts: Facts
    target: str
    account: str
    region: str
    prefix: str
    """What the names of everything that the chapter makes begin with"""
    session: Any
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)
    _file: Path | None = field(default=None, repr=False)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if self.__dict__.get("_file") and name not in Chapter.__dataclass_fields__:
            try:
                json.dumps(value)
            except TypeError:
                return  # a client, a function: cheap to make again, and not ours to write down
            self._kept[name] = value
            _write(self._file, self._kept)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise LabError(f"This chapter has no {name!r} yet.", "Run the cells above this one first.")

    def file(self, name: str) -> Path:
        """A file of the chapter's folder, wherever the notebook runs."""
        return self.facts.folder / name

    def forget(self) -> None:
        """Nothing is restored at the next :func:`begin` (cleanup does this)."""
        for name in self._kept:
            self.__dict__.pop(name, None)
        self._kept = {}
        if self._file:
            self._file.unlink(missing_ok=True)


_begun: list[Chapter] = []


def current() -> Chapter:
    """The chapter that was begun last. Raises LabError if none was."""
    if not _begun:
        raise LabError("No chapter was begun.", "Run the notebook's first cell.")
    return _begun[-1]


def begin(nn: str, target: str | None = None) -> Chapter:
    """Find the target, bring up what the chapter needs, restore its variables; say where we are.

    ``target`` (a notebook's parameter) wins over ``LAB_TARGET``. Raises LabError.
    """
    told = facts(nn)
    chosen = targets.choose(target)
    explain_connection_failures()
    if chosen.name not in told.targets:
        raise LabError(
            f"Chapter {nn} does not run on {chosen.name}.", f"Set LAB_TARGET to {' or '.join(told.targets)}."
        )
    run_everything()
    where = targets.describe(chosen, {made.partition(":")[0] for made in told.makes})
    account = _confirmed_account(chosen)
    tag_with(nn)
    made = session()
    region = chosen.region or made.region_name or ""
    if not region:
        raise LabError("AWS needs a region and none is set.", "Set AWS_REGION, for example to us-east-1.")
    here = Chapter(told, chosen.name, account, region, f"lab{nn}", made)
    print(f"Chapter {nn}: {told.title}\nTarget:  {where}\nAccount: {account}, region {region}")
    if chosen.name == "aws":
        print(f"Cost:    about {told.cost_usd:.2f} USD. {told.cost_note}")
    for need in told.needs:
        print(f"Needs:   {needs.bring_up(need, client)}")
    _restore(here)
    _begun.append(here)
    return here


def _confirmed_account(target: Target) -> str:
    """On AWS the learner must have named the account: nobody builds in an account by accident."""
    account = account_of(target)
    if target.name == "aws" and os.environ.get("LAB_AWS_ACCOUNT") != account:
        named = os.environ.get("LAB_AWS_ACCOUNT") or "not set"
        raise LabError(
            f"Your credentials belong to AWS account {account}, and LAB_AWS_ACCOUNT is {named}.",
            f"If that is where the chapter may build (and cost money), set LAB_AWS_ACCOUNT={account}.",
        )
    return account


def _keep_file(here: Chapter) -> Path:
    """Beside the emulator's state, so that a fresh state folder begins afresh."""
    state = os.environ.get("DRYDOCK_STATE")
    folder = Path(state) / "labkit" if state else labs_folder().parent / ".drydock" / "labkit"
    return folder / f"{here.target}-{here.account}-{here.facts.nn}.json"


def _restore(here: Chapter) -> None:
    """A run without a person goes from the first cell to the last: it starts with nothing."""
    if not person_is_there():
        return
    file = _keep_file(here)
    try:
        kept = dict(json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        kept = {}
    except (OSError, ValueError):
        print(f"Your variables of the last time could not be read ({file}).")
        kept = {}
    kept = {name: value for name, value in kept.items() if _still_true(value)}
    for name, value in kept.items():
        object.__setattr__(here, name, value)
    here._kept = kept
    here._file = file
    if kept:
        print(f"Restored: {', '.join(f'here.{name}' for name in kept)}")


def _still_true(value: Any) -> bool:
    """Whether a task that a variable names can still be described; anything else is believed."""
    if not (isinstance(value, str) and value.startswith("arn:aws:ecs:") and ":task/" in value):
        return True
    from botocore.exceptions import ClientError

    try:
        cluster = value.split("/")[1]
        return bool(client("ecs").describe_tasks(cluster=cluster, tasks=[value])["tasks"])
    except ClientError:
        return False


def _write(file: Path | None, kept: dict[str, Any]) -> None:
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(kept, indent=1), "utf-8")
    except OSError as error:
        print(f"(Your variables could not be kept for a restart of the kernel: {error.strerror}.)")
