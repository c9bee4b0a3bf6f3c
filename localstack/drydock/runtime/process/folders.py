"""Folders on disk: removing what containers wrote, and the one folder per helper under the state folder.

``<state>/run-<id>/`` belongs to one helper. Emulator and helper both hold a lock on it (one open file description), so
it is free only when both are gone; a later start removes those that are free, and the cgroups they name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

CGROUP_LIST = "cgroups"
"""File in a run's folder: the cgroup folders it made, one a line."""


def remove_tree(path: str) -> None:
    """All of it, also what its owner may not look into: overlay's ``work/work`` has mode 000. Raises OSError."""
    with os.scandir(path) as entries:
        found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if is_folder:
            os.chmod(name, 0o700)
            remove_tree(name)
        else:
            os.unlink(name)
    os.rmdir(path)


def remove_cgroup(path: str) -> None:
    """With all below it. A cgroup is busy for a moment after its last process ended. Raises OSError if it stays so."""
    try:
        os.rmdir(path)  # commonly all there is to do; to look below it takes a descriptor, which there may not be
        return
    except OSError as error:
        if error.errno == errno.ENOENT:
            return

    def give_up(error: OSError) -> None:
        raise error

    for folder, _, _ in os.walk(path, topdown=False, onerror=give_up):
        for attempt in range(200):
            try:
                os.rmdir(folder)
                break
            except FileNotFoundError:
                break
            except OSError:
                if attempt == 199:
                    raise
                time.sleep(0.002)


def sweep(state: str) -> None:
    """Remove what helpers left that could not clean up (killed, power cut)."""
    for name in os.listdir(state):
        path = os.path.join(state, name)
        if not name.startswith("run-") or not os.path.isdir(path):
            continue
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # another emulator's, alive
        else:
            remove_run(path)
        finally:
            os.close(lock)


def remove_run(path: str) -> None:
    """A run's folder and cgroups, when its helper is gone."""
    listed = os.path.join(path, CGROUP_LIST)
    if os.path.exists(listed):
        with open(listed, encoding="utf-8") as lines:
            for cgroup in lines.read().splitlines():
                remove_cgroup(cgroup)
    remove_tree(path)


def take_run_folder(state: str) -> tuple[str, int]:
    """(a new folder of our own, the descriptor that holds its lock). Sweeps first."""
    os.makedirs(state, mode=0o700, exist_ok=True)
    turn = os.open(state, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one at a time: a folder just made and not yet locked would look left behind
        sweep(state)
        path = os.path.join(os.path.realpath(state), f"run-{os.urandom(4).hex()}")
        os.mkdir(path, 0o711)
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return path, lock
    finally:
        os.close(turn)
