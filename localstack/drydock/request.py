"""Who asks for what: what the gateway finds out about a request before a service sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from drydock.store import GLOBAL, Scope


@dataclass(frozen=True)
class Principal:
    """The caller. ``kind`` decides how policies apply: ``root`` may do all in its account, ``service`` is AWS itself
    (an ECS agent, a scheduler) acting where no role of the user's is involved."""

    account: str
    arn: str
    kind: Literal["root", "user", "role", "service"]
    user_id: str
    name: str = ""
    """Of the user or the role (without path)"""
    access_key: str = ""

    @classmethod
    def root(cls, account: str, access_key: str = "") -> Principal:
        """The account's root user, which an access key of 12 digits stands for."""
        return cls(account, f"arn:aws:iam::{account}:root", "root", account, "root", access_key)

    @classmethod
    def of_service(cls, account: str, name: str) -> Principal:
        """An AWS service acting in the account, e.g. ``ecs.amazonaws.com``."""
        return cls(account, name, "service", name, name)


@dataclass(frozen=True)
class Request:
    """One call of an operation, from a client or from another service."""

    service: str
    operation: str
    region: str
    principal: Principal
    request_id: str = ""
    source_ip: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)
    """Those of the HTTP request, names in lower case; empty for calls between services"""

    @property
    def account(self) -> str:
        """Whose resources are meant: the caller's account."""
        return self.principal.account

    @property
    def scope(self) -> Scope:
        """Account and region, for the store."""
        return Scope(self.principal.account, self.region)

    @property
    def global_scope(self) -> Scope:
        """The account alone, for what has no region (IAM)."""
        return Scope(self.principal.account, GLOBAL)
