"""Makes moto answer the same to the same request: lab time, seeded ids, and keys that are recorded.

A request runs under three conditions that are kept in the journal, so that a replay repeats them: its time stands still
at the lab time it was sent; every source of chance in Python (moto's own generator, ``random``, ``os.urandom`` and with
it ``uuid`` and ``secrets``) begins at its seed; and private keys that OpenSSL generated, which cannot be seeded, are
written down the first time and handed out again in the replay.

A backend (one service of one account and region) is made by whatever request touches it first, also by a question. It
has a seed of its own, so that the default VPC of an account is the same whoever asks first, and it makes the request
``touched``: to be journaled like one that changes state. So does a KMS key that AWS would manage (``alias/aws/...``),
which moto makes when it is first asked about.
"""

from __future__ import annotations

import hashlib
import os
import random
import uuid
from collections.abc import Callable
from typing import Any

import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


class Chance:
    """All chance in this process, once :meth:`install` was called."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.touched = False
        self.drawn_keys: list[str] = []
        self._replayed_keys: list[str] = []
        self._real_urandom = os.urandom
        self._key = b""
        self._blocks = 0
        self._travel: Any = None

    def install(self) -> None:
        """Take over the sources of chance and time. To be called after moto.core was imported, before its services."""
        from moto.core import base_backend
        from moto.moto_api._internal import mock_random

        self._mock_random = mock_random
        os.urandom = self.urandom
        random._urandom = self.urandom  # type: ignore[attr-defined]
        self._record_keys()
        base_backend.uuid4 = self._uuid_of_registry
        self._seed_backends(base_backend.AccountSpecificBackend)
        self._travel = time_machine.travel(0, tick=False).start()

    def begin(self, now: float, seed: str | None, keys: list[str] | None = None) -> str:
        """Before a request: ``now`` is lab time; without ``seed`` one is drawn; ``keys`` are those of a replay.

        Returns the seed, for the journal.
        """
        self._travel.move_to(now)
        seed = seed or self._real_urandom(16).hex()
        self.touched = False
        self.drawn_keys = []
        self._replayed_keys = list(keys or ())
        self._sow(seed)
        return seed

    def urandom(self, size: int) -> bytes:
        """In place of os.urandom: the next bytes that belong to the request's seed."""
        self._blocks += 1
        return hashlib.shake_256(self._key + self._blocks.to_bytes(8, "big")).digest(size)

    def _sow(self, seed: str) -> None:
        self._key = hashlib.sha256(seed.encode()).digest()
        self._blocks = 0
        number = int.from_bytes(self._key, "big")
        self._mock_random.seed(number)
        random.seed(number)

    def _seed_backends(self, accounts: Any) -> None:
        initialise = accounts.__init__

        def __init__(account: Any, service_name: str, account_id: str, backend: type, *rest: Any, **named: Any) -> None:
            def make(region_name: str, account_id: str) -> Any:
                return self._make_backend(backend, service_name, region_name, account_id)

            initialise(account, service_name, account_id, make, *rest, **named)

        accounts.__init__ = __init__

    def _uuid_of_registry(self) -> uuid.UUID:
        """moto names its registries when they are made, some while it is imported: that may not move a request's ids."""
        return uuid.UUID(bytes=self._real_urandom(16), version=4)

    def _make_backend(self, backend: type, service: str, region: str, account: str) -> Any:
        self.touched = True
        kept = self._key, self._blocks, self._mock_random.getstate(), random.getstate()
        self._sow(f"{self.seed}|backend|{service}|{account}|{region}")
        try:
            return backend(region, account_id=account)
        finally:
            self._key, self._blocks = kept[:2]
            self._mock_random.setstate(kept[2])
            random.setstate(kept[3])

    def watch(self, service: str) -> None:
        """After a service was imported: notice the KMS keys that moto makes because somebody asked about them."""
        if service != "kms":
            return
        from moto.kms.models import KmsBackend as backend

        generate = backend._generate_default_keys

        def _generate_default_keys(kms: Any, alias_name: str) -> Any:
            self.touched = True
            return generate(kms, alias_name)

        backend._generate_default_keys = _generate_default_keys

    def _record_keys(self) -> None:
        rsa.generate_private_key = self._recorded(rsa.generate_private_key)
        ec.generate_private_key = self._recorded(ec.generate_private_key)
        generate = ed25519.Ed25519PrivateKey.generate
        ed25519.Ed25519PrivateKey.generate = self._recorded(generate)  # type: ignore[method-assign]

    def _recorded(self, generate: Callable[..., Any]) -> Callable[..., Any]:
        def generate_or_replay(*arguments: Any, **named: Any) -> Any:
            if self._replayed_keys:
                pem = self._replayed_keys.pop(0)
                self.drawn_keys.append(pem)
                return key_from_pem(pem)
            key = generate(*arguments, **named)
            self.drawn_keys.append(key_to_pem(key))
            return key

        return generate_or_replay


def key_to_pem(key: Any) -> str:
    """A private key of any kind, as text."""
    encoded: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode()


def key_from_pem(pem: str) -> Any:
    """The inverse of key_to_pem."""
    return serialization.load_pem_private_key(pem.encode(), password=None)
