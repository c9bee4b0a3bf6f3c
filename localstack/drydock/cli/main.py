"""``./lab <verb>``: which verbs there are, and their flags. Each verb's module is imported when it is used."""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from drydock import __version__
from drydock.errors import UserError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str) -> float:
    """Seconds from ``90``, ``15m``, ``1h30m``."""
    import re

    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90s, 15m or 1h30m")
    return sum(float(number) * UNITS[unit or "s"] for number, unit in parts)


def moment(text: str) -> float:
    """Seconds since 1970 from an ISO date; UTC if it names no zone."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO date such as 2026-01-05T09:00:00") from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def account(text: str) -> str:
    """Twelve digits."""
    if not (len(text) == 12 and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not an account id of twelve digits")
    return text


def verb_of(module: str) -> Callable[[argparse.Namespace], int]:
    """The ``run`` of a verb's module, imported only when it is called."""

    def run(arguments: argparse.Namespace) -> int:
        name, _, function = module.partition(":")
        gc.disable()  # what modules are made of stays: looking through it for garbage takes a tenth of the start
        try:
            found = importlib.import_module(f"drydock.cli.{name}")
        finally:
            gc.freeze()
            gc.enable()
        return getattr(found, function)(arguments)

    return run


def parser() -> argparse.ArgumentParser:
    """All verbs."""
    top = argparse.ArgumentParser(prog="lab", description="A course on Amazon ECS and AWS CI/CD, with a local AWS.")
    top.add_argument("--version", action="version", version=f"drydock {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, help: str, module: str) -> argparse.ArgumentParser:
        found = verbs.add_parser(name, help=help, description=help)
        found.set_defaults(run=verb_of(module))
        return found

    def with_state(p: argparse.ArgumentParser) -> None:
        p.add_argument("--state", type=Path, default=None, help="the emulator's state folder (default: .drydock)")

    up = verb("up", "Start the emulator and JupyterLab on your own copy of the notebooks.", "up:run")
    up.add_argument("--no-browser", action="store_true", help="do not open a browser")
    up.add_argument("--jupyter-port", type=int, default=8888, help="the first port JupyterLab tries (default: 8888)")
    _serve_flags(up)
    _serve_flags(verb("serve", "Run the emulator alone, in the foreground.", "serve:run"))
    with_state(verb("status", "Show which runtime tier is in use and why, clocks, tasks and memory.", "control:status"))
    doctor = verb("doctor", "Check this machine: Python, git, ports, namespaces, Docker, disk.", "doctor:run")
    doctor.add_argument("--port", type=int, default=4566, help="the emulator's port (default: 4566)")
    with_state(doctor)
    reset = verb("reset", "Forget everything: of one account, or all of it.", "control:reset")
    reset.add_argument("--account", type=account, help="only this account's")
    with_state(reset)
    clock = verb("clock", "Show or change an account's lab clock.", "control:clock")
    clock.add_argument("--speed", type=float, help="so many times real time")
    clock.add_argument("--advance", type=duration, metavar="15m", help="move it forward")
    clock.add_argument("--account", type=account, help="whose (default: the default account's)")
    with_state(clock)
    with_state(verb("stop", "End the emulator that uses this state folder.", "control:stop"))
    build = verb("build", "Build the notebooks and solutions from labs/, executing every cell.", "checkout:build")
    build.add_argument("chapters", nargs="*", metavar="NN", help="only these chapters")
    build.add_argument("--check", action="store_true", help="change nothing; fail if anything is out of date")
    test = verb("test", "Run the tests (further arguments go to pytest).", "checkout:test")
    test.add_argument("--all", action="store_true", help="also what takes long")
    bench = verb("bench", "Measure start-up, memory and latency, beside peers that are installed.", "checkout:bench")
    bench.add_argument("--rounds", type=int, default=5, help="how often each figure is measured (default: 5)")
    return top


def _serve_flags(p: argparse.ArgumentParser) -> None:
    p.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    p.add_argument("--port", type=int, default=4566, help="port to listen on (default: 4566; 0: any free one)")
    p.add_argument("--state", type=Path, default=None, metavar="DIR", help="state folder (default: .drydock)")
    p.add_argument("--speed", type=float, default=1.0, help="lab seconds in a real second (default: 1)")
    p.add_argument("--seed", help="make ids repeat from run to run")
    p.add_argument("--epoch", type=moment, metavar="ISO", help="the lab time at which a fresh account begins")
    p.add_argument("--account", type=account, default="000000000000", help="account of keys such as 'test'")
    p.add_argument("--runtime", choices=["process", "docker"], default="process", help="what runs containers")
    p.add_argument("--runtime-tier", choices=["auto", "namespaces", "plain"], default="auto")
    p.add_argument("--test-endpoints", action="store_true", help="offer POST /moto-api/reset and reset-auth")
    p.add_argument("--instant", action="store_true", help="states take no lab time of their own (benchmarks)")
    p.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="also answer under this name")
    p.add_argument("--verbose", action="store_true", help="log more")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, 1 for a foreseen error (said in two sentences), 2 for wrong usage, 130 for Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    chosen, rest = parser().parse_known_args(given)
    if rest and chosen.verb != "test":
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    chosen.rest = rest
    try:
        return chosen.run(chosen)
    except UserError as error:
        print(f"lab: {error.wrong}\n     {error.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
