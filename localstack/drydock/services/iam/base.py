"""What all of IAM's operations share: the directory, the clock, and what is known of the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drydock.request import Request
from drydock.services.iam import rules
from drydock.services.iam.directory import Directory, scope_of
from drydock.services.iam.model import User
from drydock.services.service import Platform, Service
from drydock.store import Collection

Params = dict[str, Any]
T = TypeVar("T")


class IamOperations(Service):
    """The base of the operations, which are split by topic."""

    name = "iam"

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.directory = Directory(platform.store, platform.ids)

    def now(self, request: Request) -> float:
        """The caller's lab time."""
        return self.platform.clock(request.account).now()

    def arn(self, request: Request, kind: str, path: str, name: str) -> str:
        """The ARN of an IAM resource."""
        return f"arn:aws:iam::{request.account}:{kind}{path}{name}"

    def named_user(self, request: Request, params: Params) -> User:
        """The user that UserName means: the caller, if it is left out. Raises NoSuchEntity or ValidationError."""
        name = params.get("UserName")
        if name is None:
            if request.principal.kind != "user":
                raise rules.validation("Must specify userName when calling with non-User credentials")
            name = request.principal.name
        return self.directory.user(request.account, name)

    def check_quota(self, request: Request, collection: Collection[Any], name: str) -> None:
        """Raises LimitExceeded if the account has as many as it may."""
        most = rules.QUOTAS[name]
        if len(collection.names(scope_of(request.account))) >= most:
            raise rules.quota(f"{name}PerAccount", most)

    def check_boundary(self, request: Request, arn: str | None) -> str:
        """A permissions boundary's ARN, if there is such a policy; empty for none. Raises NoSuchEntity."""
        if arn is None:
            return ""
        policy = self.directory.find_policy(request.account, arn)
        if policy is None:
            raise rules.no_such(f"Scope ARN: {arn} does not exist or is not attachable.")
        return arn


def listing(
    items: list[T], params: Params, member: str, shape: Callable[[T], Any], key: Callable[[T], Any] | None = None
) -> dict[str, Any]:
    """A list operation's answer: one page under ``member``, sorted by ``key``."""
    ordered = sorted(items, key=key) if key else items
    shapes, rest = rules.page(ordered, params, shape)
    return {member: shapes, **rest}


def under(params: Params, path: str) -> bool:
    """Is the path within the PathPrefix that was asked for?"""
    return path.startswith(params.get("PathPrefix") or "/")
