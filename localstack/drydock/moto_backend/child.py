"""moto's process: takes requests over an inherited socket, one at a time, and keeps what they did.

Started by :mod:`drydock.moto_backend.backend` as ``python -m drydock.moto_backend.child``, with the socket as its
standard input. The first frame says where the state is and how ids are seeded; then every frame is a request, a
snapshot or a reset, and each is answered by one frame. The process ends when the socket's other end is closed or the
parent dies.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from drydock.moto_backend.rules import is_mutating
from drydock.moto_backend.wire import Head, pack, read_frame_blocking

PR_SET_PDEATHSIG = 1
_REPEATED = ("account", "region", "service", "operation", "method", "url", "headers")


class Refused(Exception):
    """The state cannot be used; the message is for a person."""


class Child:
    """Everything behind the socket."""

    def __init__(self, folder: Path, seed: str) -> None:
        from drydock.moto_backend import lean, snapshot
        from drydock.moto_backend.determinism import Chance
        from drydock.moto_backend.dispatch import Dispatcher, NotInMoto
        from drydock.moto_backend.journal import FORMAT, Entry, Journal

        self._snapshots, self._entry, self._not_in_moto = snapshot, Entry, NotInMoto
        self._folder = folder
        self._versions = {"format": FORMAT, "moto": _moto_version()}
        self._journal = Journal(folder)
        self._ordinals: dict[str, int] = {}
        self._covered = 0
        self._fresh_seed = seed
        self.log: list[str] = []
        self._check_versions()
        lean.adapt_core()
        lean.forbid_the_outside()
        self._chance = Chance(self._journal.meta("seed", seed))
        self._chance.install()
        self._dispatcher = Dispatcher(self._chance.watch)
        self._restore()

    @property
    def tail(self) -> int:
        """How many entries the newest snapshot does not cover."""
        return self._journal.position - self._covered

    def request(self, head: Head, body: bytes) -> tuple[Head, bytes]:
        """Execute a request, journal it if it changed anything, and answer."""
        account, mutating = head["account"], is_mutating(head["service"], head["operation"])
        ordinal = self._ordinals.get(account, 0) + mutating
        self._dispatcher.import_service(head["service"])
        seed = self._chance.begin(head["now"], f"{self._chance.seed}|{account}|{ordinal}" if mutating else None)
        answer, content = self._execute(head, body)
        if answer.get("failed") == "NotImplemented" and not self._chance.touched:
            return answer, content
        if mutating or self._chance.touched:
            self._ordinals[account] = ordinal
            self._journal.append(
                self._entry(
                    account=account, now=head["now"], service=head["service"], operation=head["operation"],
                    method=head["method"], url=head["url"], region=head["region"], headers=head["headers"], body=body,
                    seed=seed, ordinal=ordinal, keys=self._chance.drawn_keys, status=answer.get("status", 500),
                    digest=_digest(content),
                )
            )  # fmt: skip
        answer["tail"] = self.tail
        return answer, content

    def reset(self, account: str | None) -> tuple[Head, bytes]:
        """Forget one account (which is journaled), or everything (which empties the journal)."""
        self._snapshots.clear(account)
        if account is None:
            for name in (self._snapshots.NEWEST, self._snapshots.PROVEN):
                (self._folder / name).unlink(missing_ok=True)
            self._journal.clear()
            self._ordinals.clear()
            self._covered = self._journal.position
            self._check_versions()
            self._chance.seed = self._journal.meta("seed", self._fresh_seed)
        else:
            self._ordinals.pop(account, None)
            self._journal.append(self._entry(account=account))
        return {"tail": self.tail}, b""

    def snapshot(self) -> tuple[Head, bytes]:
        """Write a snapshot; what cannot be pickled is said in the log, and the journal goes on holding everything."""
        if self.tail == 0:
            return {"tail": 0}, b""
        position = self._journal.position
        facts = {**self._versions, "position": position, "ordinals": self._ordinals}
        try:
            content = self._snapshots.dump(facts)
        except Exception as error:  # any object of any service may refuse; nothing is lost, the journal is whole
            self._covered = position  # so that it is not tried again at once
            return {"tail": 0, "log": f"no snapshot, the journal is kept: {type(error).__name__}: {error}"}, b""
        self._snapshots.save(self._folder / self._snapshots.NEWEST, content)
        self._covered = position
        return {"tail": 0, "bytes": len(content)}, b""

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _execute(self, head: Head, body: bytes) -> tuple[Head, bytes]:
        try:
            reply = self._dispatcher.send(head, body)
        except self._not_in_moto as error:
            return {"failed": "NotImplemented", "detail": str(error)}, b""
        except Exception:  # moto's defects are its own; the emulator answers InternalFailure and logs the traceback
            return {"failed": "InternalFailure", "detail": traceback.format_exc()}, b""
        return {"status": reply.status, "headers": reply.headers}, reply.body

    def _check_versions(self) -> None:
        for name, ours in self._versions.items():
            theirs = self._journal.meta(name, ours)
            if theirs != ours:
                raise Refused(f"The state of the supporting services was written with {name} {theirs}, this is {ours}.")

    def _restore(self) -> None:
        """Load the newest snapshot that can be loaded, and repeat what the journal has behind it."""
        for name in (self._snapshots.NEWEST, self._snapshots.PROVEN):
            path = self._folder / name
            try:
                facts = self._snapshots.facts_of(path)
                if facts is None:
                    continue
                if {key: facts.get(key) for key in self._versions} != self._versions:
                    raise Refused(f"{path.name} was written with {facts.get('moto')}, not {self._versions['moto']}.")
                self._snapshots.load(path)
            except self._snapshots.Unloadable as error:
                self.log.append(f"{error}; falling back to what is older")
                continue
            self._covered = facts["position"]
            self._ordinals = dict(facts["ordinals"])
            if name == self._snapshots.NEWEST:
                os.replace(path, self._folder / self._snapshots.PROVEN)
            self._journal.forget(self._covered)
            break
        for entry in self._journal.after(self._covered):
            self._repeat(entry)

    def _repeat(self, entry: Any) -> None:
        if entry.is_reset:
            self._snapshots.clear(entry.account)
            self._ordinals.pop(entry.account, None)
            return
        self._dispatcher.import_service(entry.service)
        self._chance.begin(entry.now, entry.seed, entry.keys)
        head = {name: getattr(entry, name) for name in _REPEATED}
        answer, content = self._execute(head, entry.body)
        self._ordinals[entry.account] = entry.ordinal
        if answer.get("status", 500) != entry.status or _digest(content) != entry.digest:
            self.log.append(f"{entry.service}:{entry.operation} (entry {entry.position}) was answered differently")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _moto_version() -> str:
    from importlib.metadata import version

    return version("moto")


def die_with_parent(parent: int) -> None:
    """End this process when the parent does, also by kill -9, also in the middle of a request."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # Linux has it
    if prctl:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    if prctl:
        return

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    """Serve until the socket's other end is closed."""
    die_with_parent(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the emulator, which closes us in order
    connection = socket.socket(fileno=os.dup(0))
    stream = connection.makefile("rb", buffering=1 << 16)
    gc.set_threshold(50_000, 20, 100)  # imports and replays make objects that stay; looking through them is in vain
    hello = read_frame_blocking(stream)
    if hello is None:
        return 0
    try:
        child = Child(Path(hello[0]["folder"]), hello[0]["seed"])
    except Refused as error:
        connection.sendall(pack({"refused": str(error)}))
        return 1
    except Exception:
        connection.sendall(pack({"broken": traceback.format_exc()}))
        return 1
    connection.sendall(pack({"ready": True, "tail": child.tail, "log": child.log}))
    while (frame := read_frame_blocking(stream)) is not None:
        head, body = frame
        if head["do"] == "request":
            answer, content = child.request(head, body)
        elif head["do"] == "snapshot":
            answer, content = child.snapshot()
        else:
            answer, content = child.reset(head["account"])
        connection.sendall(pack(answer, content))
    child.close()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # there is nothing to tidy up that the system does not do faster
