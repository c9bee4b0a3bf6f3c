"""Functions as they are run, and invocations that wait. Times are lab seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LATEST = "$LATEST"


@dataclass(frozen=True)
class Function:
    """One version of a function, of what the supporting services keep."""

    name: str
    arn: str
    """With the version, unless that is $LATEST"""
    version: str
    package: str
    """``Zip`` or ``Image``"""
    runtime: str
    handler: str
    role: str
    memory: int
    """MB"""
    timeout: int
    """Seconds"""
    environment: dict[str, str]
    policy: str
    """The resource-based one, JSON"""
    reserved: int | None
    """How many may run at a time, None if nobody said"""
    retries: int
    """Of an asynchronous invocation that failed"""
    oldest: float
    """Seconds after which an asynchronous invocation is given up"""
    weights: dict[str, float] = field(default_factory=dict)
    """Of an alias: other versions, and which part of the invocations they get"""
    archives: tuple[bytes, ...] = ()
    """ZIP files: its code's, then its layers'"""

    @classmethod
    def of(cls, facts: dict[str, Any], archives: tuple[bytes, ...]) -> Function:
        """From what the moto backend says."""
        rules = facts["async"]
        kept = (
            "name",
            "arn",
            "version",
            "package",
            "runtime",
            "handler",
            "role",
            "memory",
            "timeout",
            "environment",
            "policy",
        )
        return cls(
            **{name: facts[name] for name in kept},
            reserved=None if facts["reserved"] is None else int(facts["reserved"]),
            retries=int(rules.get("MaximumRetryAttempts", 2)),
            oldest=float(rules.get("MaximumEventAgeInSeconds", 21600.0)),
            weights={version: float(weight) for version, weight in facts["weights"].items()},
            archives=archives,
        )


@dataclass(frozen=True)
class Order:
    """One invocation."""

    request_id: str
    invoked_arn: str
    """As the caller named the function"""
    event: str
    """JSON"""
    client_context: str = ""
    """JSON, may be empty"""


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended."""

    payload: str
    """What the caller gets: JSON"""
    error: str = ""
    """``Unhandled``, or empty"""
    log: list[str] = field(default_factory=list)
    """The last events of the log, as many as a caller may ask for"""


@dataclass
class Queued:
    """An asynchronous invocation that has been accepted."""

    request_id: str
    name: str
    qualifier: str
    event: str
    client_context: str
    accepted: float
    due: float
    """When it is to be tried (again)"""
    failures: int = 0
    delays: int = 0
    """How often in a row it could not even be begun"""
