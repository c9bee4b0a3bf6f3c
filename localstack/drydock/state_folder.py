"""The state folder: taken by one emulator at a time, and wiped by none that runs."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from drydock.errors import UserError


def take_folder(state: Path) -> int:
    """Make the state folder and lock it; the descriptor holds the lock. Raises UserError."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as error:
        raise UserError(
            f"There is no permission to write to the state folder {state}.", "Choose another with --state."
        ) from error
    except OSError as error:
        raise UserError(
            f"The state folder {state} cannot be made: {error.strerror}.",
            "Free some space, or choose another with --state.",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        pid = os.read(lock, 32).decode(errors="replace").strip()
        os.close(lock)
        raise UserError(
            f"Another Drydock{f' (pid {pid})' if pid else ''} is using the state folder {state}.",
            "End it with './lab stop', or choose another folder with --state.",
        ) from error
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock


def wipe_folder(state: Path) -> None:
    """Delete everything a stopped emulator left (``./lab reset`` without a running one). Raises UserError."""
    lock = take_folder(state)
    for entry in state.iterdir():
        if entry.name == "lock":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    os.close(lock)
