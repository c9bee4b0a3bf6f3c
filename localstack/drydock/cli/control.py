"""``./lab status``, ``reset``, ``clock`` and ``stop``: talking to the emulator that runs."""

from __future__ import annotations

import argparse
import os
import signal
import time
from typing import Any

from drydock.cli.places import ask, endpoint, state_folder
from drydock.errors import UserError

STOPPING_TAKES = 20.0


def status(arguments: argparse.Namespace) -> int:
    """What runs, how, and how large it is."""
    state = state_folder(arguments.state)
    told = ask(state, "/_drydock/status")
    runtime = told["runtime"]
    rows = [
        ("emulator", f"drydock {told['version']}, {'ready' if told['ready'] else 'starting'}, {endpoint(state)!s}"),
        ("state", told["state"]),
        ("containers", f"{runtime['kind']} runtime, tier {runtime['tier']}"),
        ("", runtime["reason"]),
        ("network", runtime["network"]),
        ("memory limits", runtime["memory"]),
    ]
    for account, clock in told["clocks"].items():
        rows.append((f"clock {account}", _clock_line(clock)))
    tasks = ", ".join(f"{count} {name}" for name, count in sorted(told["tasks"].items())) or "none"
    rows.append(("tasks", tasks))
    sizes = ", ".join(f"{name} {size:.0f} MB" for name, size in told["memory_mb"].items())
    rows.append(("memory", f"{sum(told['memory_mb'].values()):.0f} MB ({sizes})"))
    for name, value in rows:
        print(f"{name:<20} {value}")
    return 0


def _clock_line(clock: dict[str, Any]) -> str:
    leases = f", {clock['leases']} waiting" if clock["leases"] else ""
    return f"{clock['shown'][:19]}Z at {clock['speed']:g}x{leases}"


def clock(arguments: argparse.Namespace) -> int:
    """Show it, after changing it if so asked."""
    state = state_folder(arguments.state)
    who = {"account": arguments.account} if arguments.account else {}
    query = f"?account={arguments.account}" if arguments.account else ""
    told = None
    if arguments.speed is not None:
        told = ask(state, "/_drydock/clock", {**who, "speed": arguments.speed})
    if arguments.advance is not None:
        told = ask(state, "/_drydock/clock", {**who, "advance": arguments.advance})
    print(_clock_line(told or ask(state, "/_drydock/clock" + query)))
    return 0


def reset(arguments: argparse.Namespace) -> int:
    """Through the running emulator, or on the state folder of a stopped one."""
    state = state_folder(arguments.state)
    if endpoint(state) is not None:
        ask(state, "/_drydock/reset", {"account": arguments.account} if arguments.account else {})
    elif arguments.account:
        raise UserError("One account can only be reset while the emulator runs.", "Start it with './lab up' first.")
    elif state.exists():
        from drydock.state_folder import wipe_folder

        wipe_folder(state)
    print(f"Everything of {'account ' + arguments.account if arguments.account else 'all accounts'} is forgotten.")
    return 0


def stop(arguments: argparse.Namespace) -> int:
    """SIGTERM, and wait until it has ended."""
    state = state_folder(arguments.state)
    running = endpoint(state)
    if running is None:
        print(f"No emulator is running on {state}.")
        return 0
    try:
        os.kill(running["pid"], signal.SIGTERM)
    except PermissionError as error:
        raise UserError("That emulator belongs to another user.", "Ask them, or use sudo.") from error
    end = time.monotonic() + STOPPING_TAKES
    while time.monotonic() < end:
        if endpoint(state) is None and not _alive(running["pid"]):
            print("Stopped.")
            return 0
        time.sleep(0.05)
    raise UserError(f"It has not ended in {STOPPING_TAKES:.0f} s.", f"Try again, or kill process {running['pid']}.")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"  # a zombie has ended
    except OSError:
        return True
