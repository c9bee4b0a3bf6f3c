"""``./lab build``, ``test`` and ``bench``: what works on a checkout of the course."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from drydock.cli.places import checkout


def build(arguments: argparse.Namespace) -> int:
    """Build the notebooks, or check that they are up to date."""
    from labkit.builder.main import build as build_notebooks

    return build_notebooks(checkout(), arguments.chapters, check=arguments.check)


def test(arguments: argparse.Namespace) -> int:
    """The gate, or with --all everything; further arguments go to pytest."""
    root = checkout()
    command = [sys.executable, "-m", "pytest", *arguments.rest]
    if arguments.all:
        command.append("--all")

    def given(*names: str) -> bool:
        return any(argument.startswith(names) for argument in arguments.rest)

    if not given("-n", "--numprocesses", "--pdb"):
        cores = os.cpu_count() or 2
        command += [
            "-n",
            str(cores + max(1, cores // 2)),
        ]  # tests wait for containers and clocks more than they compute
    if not given("--dist", "--pdb"):
        command += ["--dist", "loadgroup"]
    return subprocess.run(command, cwd=root, env=_environment(root), check=False).returncode


def bench(arguments: argparse.Namespace) -> int:
    """A table of figures, beside the peers that are installed."""
    root = checkout()
    command = [sys.executable, "-m", "tests.bench.run", "--rounds", str(arguments.rounds)]
    return subprocess.run(command, cwd=root, env=_environment(root), check=False).returncode


def _environment(root: object) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([f"{root}/localstack", f"{root}/labs"])}
