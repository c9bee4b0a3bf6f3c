"""The two kinds of error: AWS's, which travel to the client in the protocol's own form, and ours, which a person reads.

An :class:`AwsError` carries what the gateway must answer: the code, the message and the HTTP status, and further
members of the error's shape where AWS models them. A :class:`UserError` is for everything outside AWS's API (command
line, labkit, console): one sentence of what is wrong, one of what to do about it.
"""

from __future__ import annotations

from typing import Any


class AwsError(Exception):
    """An error as AWS answers it: ``raise AwsError("ClusterNotFoundException", "Cluster not found.")``.

    ``status`` is the HTTP status; where it is None the service model's own for that code is used, else 400. Further
    keyword arguments are members of the error's shape.
    """

    def __init__(self, code: str, message: str = "", status: int | None = None, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = members


class AccessDenied(AwsError):
    """The caller may not do this; each protocol has its own code for it, which the gateway puts in."""

    def __init__(self, message: str) -> None:
        super().__init__("AccessDeniedException", message)


class NotImplementedByDrydock(AwsError):
    """AWS has this and we do not: 501, naming the operation and what to use instead. Never a silent no-op."""

    def __init__(self, service: str, operation: str, instead: str = "") -> None:
        hint = f" {instead}" if instead else ""
        super().__init__("NotImplemented", f"Drydock does not implement {service}:{operation}.{hint}", status=501)


class UserError(Exception):
    """Something foreseen that a person can mend: what is wrong, and what to do."""

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(f"{wrong} {remedy}")
        self.wrong = wrong
        self.remedy = remedy
