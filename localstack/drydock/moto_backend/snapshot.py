"""Snapshots of all of moto's backends: one object graph, pickled, with the journal position it stands for.

Two files. ``newest`` was written but never read; ``proven`` was loaded successfully at a start, which is what allows
the journal up to it to be forgotten. A start tries the newest, then the proven one, then the whole journal.

Some objects need help: moto's registries of backends are global and resolved by name (a copy of one would be
a second world); keys of the cryptography package are written as PEM; locks are made anew.
"""

from __future__ import annotations

import contextlib
import copyreg
import hashlib
import importlib
import io
import json
import os
import threading
import weakref
from collections import defaultdict
from pathlib import Path
from typing import Any

import cloudpickle

from drydock.moto_backend import lean
from drydock.moto_backend.determinism import key_from_pem, key_to_pem

NEWEST, PROVEN = "newest.snapshot", "proven.snapshot"
_LOCKS = {type(threading.Lock()): threading.Lock, type(threading.RLock()): threading.RLock}


class Unloadable(Exception):
    """The snapshot is damaged or does not fit; the journal has to do."""


def registry(module: str, name: str) -> Any:
    """moto's global registry of a service, e.g. ``moto.ec2.models.ec2_backends``."""
    lean.import_ec2()
    return getattr(importlib.import_module(module), name)


def account_of(module: str, name: str, account: str) -> Any:
    """One account's part of a registry."""
    return registry(module, name)[account]


def registries() -> list[tuple[str, str, Any]]:
    """(module, name, registry) of all services that hold anything."""
    from moto.core.base_backend import BackendDict

    return [(*_place_of(backends), backends) for backends in BackendDict._instances]


def _place_of(backends: Any) -> tuple[str, str]:
    module = backends.backend.__module__
    for name, value in vars(importlib.import_module(module)).items():
        if value is backends:
            return module, name
    raise LookupError(f"{module} does not name its registry of {backends.service_name}")


def _refill(made: dict[Any, Any], state: tuple[dict[Any, Any], dict[str, Any], Any]) -> None:
    """Set what a dict of moto's own class holds, past its class's ways (S3's shows only the newest version of a key)."""
    content, attributes, factory = state
    dict.update(made, content)
    vars(made).update(attributes)
    if isinstance(made, defaultdict):
        made.default_factory = factory


class _Pickler(cloudpickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self._registries = {id(backends): (module, name) for module, name, backends in registries()}
        self._accounts = {
            id(part): (module, name, account)
            for module, name, backends in registries()
            for account, part in backends.items()
        }

    def reducer_override(self, obj: Any) -> Any:
        if id(obj) in self._registries:
            return registry, self._registries[id(obj)]
        if id(obj) in self._accounts:
            return account_of, self._accounts[id(obj)]
        lock = _LOCKS.get(type(obj))
        if lock is not None:
            return lock, ()
        if type(obj) is weakref.WeakValueDictionary:  # Lambda looks functions up by ARN in one
            return weakref.WeakValueDictionary, (), None, None, iter(list(obj.items()))
        if isinstance(obj, dict) and type(obj).__module__.startswith("moto."):
            content = {key: dict.__getitem__(obj, key) for key in dict.keys(obj)}
            state = content, vars(obj), getattr(obj, "default_factory", None)
            return copyreg.__newobj__, (type(obj),), state, None, None, _refill  # type: ignore[attr-defined]
        if type(obj).__module__.startswith("cryptography.") and hasattr(obj, "private_bytes"):
            return key_from_pem, (key_to_pem(obj),)
        return super().reducer_override(obj)


def dump(facts: dict[str, Any]) -> bytes:
    """The state of all services, with ``facts`` (JSON) before it. Raises whatever cannot be pickled raises."""
    graph = []
    for module, name, backends in registries():
        accounts = {account: dict(part.items()) for account, part in backends.items()}
        graph.append((module, name, accounts, getattr(backends, "bucket_accounts", None)))
    file = io.BytesIO()
    _Pickler(file).dump(graph)
    content = file.getvalue()
    head = json.dumps({**facts, "sha256": hashlib.sha256(content).hexdigest()}).encode()
    return head + b"\n" + content


def facts_of(path: Path) -> dict[str, Any] | None:
    """What is written before the state, None if there is no such snapshot. Raises Unloadable."""
    try:
        with path.open("rb") as file:
            facts: dict[str, Any] = json.loads(file.readline())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Unloadable(f"{path.name} is damaged: {error}") from error
    return facts


def load(path: Path) -> None:
    """Put a snapshot's state in place of what there is. Raises Unloadable, and then nothing is changed."""
    with path.open("rb") as file:
        facts, content = json.loads(file.readline()), file.read()
    if hashlib.sha256(content).hexdigest() != facts["sha256"]:
        raise Unloadable(f"{path.name} is damaged: its checksum differs")
    lean.import_ec2()
    try:
        graph = cloudpickle.loads(content)
    except Exception as error:  # whatever a class of another version raises when its state is set
        clear()
        raise Unloadable(f"{path.name}: {type(error).__name__}: {error}") from error
    for module, name, accounts, bucket_accounts in graph:
        backends = registry(module, name)
        for account, regions in accounts.items():
            part = backends[account]
            for region, backend in regions.items():
                dict.__setitem__(part, region, backend)
        if bucket_accounts is not None:
            backends.bucket_accounts = bucket_accounts


def save(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    draft = path.with_suffix(".tmp")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def clear(account: str | None = None) -> None:
    """Forget everything of one account, or of all."""
    from moto.core.base_backend import BackendDict

    for backends in list(BackendDict._instances):
        for name in [account] if account else list(backends):
            part = backends.pop(name, None)
            if part is None:
                continue
            for backend in part.values():
                close_files(backend)
        buckets = getattr(backends, "bucket_accounts", None)
        if buckets is not None:
            for bucket in [b for b, (_, owner) in buckets.items() if account in (None, owner)]:
                del buckets[bucket]


def close_files(backend: Any) -> None:
    """S3 keeps objects in temporary files, which its own reset closes."""
    if type(backend).__name__ == "S3Backend":
        with contextlib.suppress(KeyError):  # its reset also unregisters buckets, which may be gone already
            backend.reset()
